# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the tutorial: write its files, run its commands in their order, and compare the outputs that it shows."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import pytest

from support.browser import observe_report
from support.counts import FULL
from support.examples import TUTORIAL, list_blocks
from support.paths import ROOT
from support.playbooks import ansible_environment
from support.programs import ProgramRun, program_path, run_program
from support.simulator import running_simulator

ADDRESS = "http://127.0.0.1:8080"
"""The address of the simulator on the page. The test replaces it, because the port may be in use."""
SIMULATOR = "python -m particle_simulator --port 8080 "
NEEDS_NETWORK = ("python3 -m venv", ". .venv/bin/activate", "pip install", "ansible-galaxy collection install")
"""The commands of the installation. They need the network and run only under MESHFLEET_FULL=1."""
FORKED = ("ansible-playbook", "ansible-inventory")
OMITTED = "..."
COMMAND_SECONDS = 600

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Command:
    """A command of the page, with its line and the output that the page shows below it."""

    line: int
    text: str
    shown: list[str] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        """Whether the page shows that this command fails."""
        return any(line.startswith("[ERROR]") for line in self.shown)


def list_steps() -> Iterator[Command | tuple[str, str]]:
    """Yield the commands of the page, and its files as tuples of name and content, in their order."""
    for line, language, text in list_blocks(TUTORIAL):
        if language in ("yaml", "ini"):
            yield text.splitlines()[0].removeprefix("# "), text
        else:
            assert language == "console", f"{TUTORIAL}:{line}: a block in {language} is not tested"
            yield from split_commands(line, text)


def split_commands(first: int, text: str) -> Iterator[Command]:
    """Yield the commands of a block, which begin with `$`, with the lines below each of them."""
    command: Command | None = None
    for number, line in enumerate(text.splitlines(), first):
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(number, line.removeprefix("$ "))
        else:
            assert command, f"{TUTORIAL}:{number}: the block must begin with a command"
            command.shown.append(line)
    if command:
        yield command


def find_missing_lines(shown: list[str], output: str) -> list[str]:
    """Return the shown lines that the output lacks, from the first such line on.

    The shown lines must follow one another in the output. Lines may be left out only where the page shows `...`.
    """
    printed = [line.rstrip() for line in output.splitlines()]
    parts = [part.split("\n") for part in "\n".join(["", *shown, ""]).split(f"\n{OMITTED}\n")]
    position = 0
    for number, part in enumerate(parts):
        lines = [line.rstrip() for line in part if line or number not in (0, len(parts) - 1)]
        places = [at for at in range(position, len(printed) + 1) if printed[at : at + len(lines)] == lines]
        if not places:
            return lines
        position = places[0] + len(lines)
    return []


class Reader:
    """A reader who follows the tutorial in a folder of their own."""

    def __init__(self, home: Path) -> None:
        """Begin without any file. The reader installs everything only under MESHFLEET_FULL=1."""
        self.folder = home
        self.environment = ansible_environment(home)
        if FULL:
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PARTICLE_"))}
            self.environment = {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8", **clone_from_checkout(home)}

    def run(self, command: str) -> ProgramRun:
        """Run a command. Those that change the shell change the folder or the environment of the next commands."""
        words = shlex.split(Template(command).safe_substitute(PWD=str(self.folder)))
        match words:
            case ["cd", folder]:
                self.folder /= folder
            case [".", script]:
                programs = self.folder / Path(script).parent
                self.environment["PATH"] = f"{programs}{os.pathsep}{self.environment['PATH']}"
            case ["export", *assignments]:
                self.environment.update(dict(assignment.split("=", 1) for assignment in assignments))
            case ["unset", *names]:
                for name in names:
                    self.environment.pop(name)
            case [program, *arguments] if program in FORKED and not FULL:
                argv = [program_path(program), *arguments]
                return run_program(argv, env=self.environment, cwd=self.folder, timeout=COMMAND_SECONDS)
            case _:
                argv = ["bash", "-euo", "pipefail", "-c", command]
                return run_program(argv, env=self.environment, cwd=self.folder, timeout=COMMAND_SECONDS)
        return ProgramRun(0, "", "")


def clone_from_checkout(home: Path) -> dict[str, str]:
    """Return environment variables with which git clones this checkout in place of the repository on the network."""
    repository = home / "repository.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "update-ref", "refs/heads/main", "HEAD"], check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/meshfleet/particle",
    }


def test_every_command_of_the_tutorial_prints_what_is_shown(tmp_path: Path) -> None:
    # Given the page, and the simulator that its reader starts
    steps = list(list_steps())
    commands = [step for step in steps if isinstance(step, Command)]
    (start,) = [command for command in commands if command.text.startswith(SIMULATOR)]
    assert start.shown == [ADDRESS]
    reader = Reader(tmp_path)
    count = 0
    with running_simulator(*start.text.removeprefix(SIMULATOR).split(), clock="still") as simulator:
        for step in steps:
            if isinstance(step, tuple):
                name, content = step
                (reader.folder / name).write_text(content.replace(ADDRESS, simulator.url), encoding="utf-8")
            elif step is not start and (FULL or not step.text.startswith(NEEDS_NETWORK)):
                # When the reader runs a command
                run = reader.run(step.text.replace(ADDRESS, simulator.url))
                count += 1
                # Then it succeeds or fails as the page says, and prints the lines of the page
                output = f"{TUTORIAL}:{step.line}: {step.text}\n{run.stdout}\n{run.stderr}"
                assert (run.rc != 0) == step.fails, f"It ended with {run.rc}. {output}"
                missing = find_missing_lines(step.shown, run.stdout)
                assert not missing, f"It did not print {missing} at this place. {output}"
        # The reader has revoked every token that the playbooks have obtained
        stats = simulator.stats()
    assert count >= 25
    assert stats["grants"] == stats["revocations"] > 0
    report = reader.folder / "fleet.html"
    assert report.is_file()
    if screenshot := os.environ.get("MESHFLEET_SCREENSHOT"):
        observe_report(report, "barn", Path(screenshot))


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["one", "two"], []),
        (["...", "two", "...", "four"], []),
        (["one", "three"], ["one", "three"]),
        (["three", "...", "two"], ["two"]),
        (["five"], ["five"]),
    ],
)
def test_shown_lines_follow_one_another_except_at_three_dots(shown: list[str], missing: list[str]) -> None:
    assert find_missing_lines(shown, "one\ntwo\nthree\nfour\n") == missing
