# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make lint` finds each kind of wording that the style does not allow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import TESTS


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tool on a folder."""
    argv = [sys.executable, str(TESTS / "tools" / "language.py"), *options, str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("word", ["Who", "Whoever", "Those", "Of", "What", "How"])
@pytest.mark.parametrize(
    "text",
    [
        '"""{} asks."""\n',
        "def f():\n    '''\n    {} asks.\n    '''\n",
        "NAME = 1\n'''{} asks.'''\n",
        "x = 1  # {} asks.\n",
    ],
    ids=["module", "function", "constant", "comment"],
)
def test_docstring_and_comment_must_not_begin_with_a_pronoun(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "a.py").write_text(text.format(word))
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"do not begin with '{word}'" in done.stdout


@pytest.mark.parametrize("word", ["somebody", "Nobody", "anybody", "everybody", "Whoever"])
@pytest.mark.parametrize("name", ["a.py", "a.yml", "a.j2", "a.js", "a.md"])
def test_vague_persons_are_found_in_every_kind_of_file(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).write_text(f"# One\n# ask {word}\n")
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"{name}:2: name the person or the program instead of '{word}'" in done.stdout


@pytest.mark.parametrize("phrase", ["also if", "also after", "also those", "also one that"])
@pytest.mark.parametrize("name", ["a.py", "b.md"])
def test_also_in_place_of_even_or_including_is_found(tmp_path: Path, name: str, phrase: str) -> None:
    (tmp_path / name).write_text(f"# It is also one that fits, and also in use.\n# Stop, {phrase} it fails.\n")
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"{name}:2: write 'even' or 'including' instead of ', {phrase}'" in done.stdout
    assert "1 faults" in done.stdout


@pytest.mark.parametrize("word", ["wish", "wished", "vain", "fate", "doubts"])
@pytest.mark.parametrize("name", ["a.py", "b.md"])
def test_poor_words_are_found_in_every_kind_of_file(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).write_text(f"# One\n# {word} = 1, a vainglorious word\n")
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"{name}:2: write a plain word instead of '{word}'" in done.stdout


@pytest.mark.parametrize(
    "message", ["'x' is no device id", "id is none", "goes not together", "id makes no sense", "a stands twice"]
)
@pytest.mark.parametrize("quoted", ['"{}"', 'f"{{x}} {}"'], ids=["text", "f-string"])
def test_elliptic_messages_are_found(tmp_path: Path, quoted: str, message: str) -> None:
    (tmp_path / "a.py").write_text(f"x = 1\nMESSAGE = {quoted.format(message)}\n")
    done = check(tmp_path)
    assert done.returncode == 1
    assert "a.py:2: write a message in plain English" in done.stdout


@pytest.mark.parametrize("options", [(), ("--names",)], ids=["all rules", "only names"])
@pytest.mark.parametrize("name", ["test_comment_is_no_entry", "test_comments_are_no_entries"])
def test_negated_nouns_in_names_of_functions_are_found(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    (tmp_path / "a.py").write_text(
        f"def test_there_is_no_entry(): ...\ndef test_is_no_longer_used(): ...\ndef {name}(): ...\n"
    )
    done = check(tmp_path, *options)
    assert done.returncode == 1
    assert f"a.py:3: write 'is_not_a_...' in the name {name!r}" in done.stdout
    assert "1 faults" in done.stdout


def test_option_names_checks_only_names_of_functions(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Of a list."""\nX = "is none"\n')
    assert check(tmp_path, "--names").returncode == 0


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Of a list."""\n# What follows.\nX = "is none"\n')
    done = check(tmp_path)
    assert len(done.stdout.splitlines()) == 4
    assert "3 faults were found" in done.stdout


def test_plain_english_passes(tmp_path: Path) -> None:
    lines = [
        '"""Return the rows. Those that fail are skipped."""',
        "# Skip rows that failed.",
        "# Those are listed later.",
        'X = "There is no file, and the token is no longer valid."',
    ]
    (tmp_path / "a.py").write_text("\n".join(lines) + "\n")
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_without_files_fails(tmp_path: Path) -> None:
    assert check(tmp_path).returncode == 1
