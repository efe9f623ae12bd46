# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make messages` lists every message as users see it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT, TESTS

CODE = """
def f(name, several):
    hint = "Name one."
    message = f"{name} is missing." if not several else "Several are missing."
    raise ParticleError("invalid_option", message, hint=hint)


def g(reader, place):
    code, text = "conflict", "It differs."
    reader.add_mistake(place, "must be a list")
    return ParticleError(code, text)


def h(first, second):
    if first:
        message = "The first is missing."
        raise ParticleError("not_found", message, hint="Add it.")
    message = "The second is missing."
    if second:
        message = "The second is empty."
    raise ParticleError("not_found", message)
"""


def list_messages(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tool on a folder."""
    argv = [sys.executable, str(TESTS / "tools" / "messages.py"), folder.name]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=folder.parent)


def test_each_message_is_shown_with_place_code_texts_and_hint(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "a.py").write_text(CODE)
    done = list_messages(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "plugins/a.py:5  invalid_option",
        "    {name} is missing.",
        "    Several are missing.",
        "    -> Name one.",
        "plugins/a.py:10  invalid_manifest",
        "    must be a list",
        "plugins/a.py:11  conflict",
        "    It differs.",
        "plugins/a.py:17  not_found",
        "    The first is missing.",
        "    -> Add it.",
        "plugins/a.py:21  not_found",
        "    The second is missing.",
        "    The second is empty.",
        "5 messages",
    ]


@pytest.mark.only_full
def test_every_error_in_the_plugins_is_listed() -> None:
    done = list_messages(ROOT / "plugins")
    files = (ROOT / "plugins").rglob("*.py")
    written = sum(len(re.findall(r"\bParticleError\($|\bParticleError\([^)\n]", each.read_text())) for each in files)
    listed = len(re.findall(r"^plugins/", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stderr
    assert listed >= written
