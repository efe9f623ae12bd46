#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Changes the code that decides and the code that guards secrets, one small change at a time, and runs its tests.

    mutation.py [--survivors | --report] [group ...]

A change that no test notices is a survivor. The run fails when fewer than 85 % of the changes are noticed. Verdicts
are kept in .cache/mutation: a run that was ended goes on where it stopped, and a function that was edited loses its
verdicts by itself. After an edit of the tests, `--survivors` tries again what they had not noticed. The measurement is
a run in a clean checkout.

mutmut leaves properties, decorated functions and what stands outside of functions as they are.
"""

from __future__ import annotations

import argparse
import collections
import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "mutation"
# mutmut takes the path of a file below src/ for the name of its module.
COLLECTION = Path("src", "ansible_collections", "meshfleet", "particle")
MODULE_UTILS = COLLECTION / "plugins" / "module_utils"

NOTICED = frozenset({"killed", "timeout", "segfault"})
UNNOTICED = frozenset({"survived", "no tests", "suspicious"})
SHARE = 0.85


@dataclass(frozen=True)
class Group:
    """Files that are changed, and the tests that are to notice it: theirs, and no others that pass by."""

    files: Sequence[str]
    tests: Sequence[str]
    deselect: str = ""


LOGINS = ("cli_profile", "client_credentials", "one_time_code", "password", "ready_token", "refresh_token", "two_step")
TOKENS = ("token_file", "token_expiry", "token_register", "token_lifecycle")

GROUPS = {
    "plan": Group(["_fleet/plan.py", "_manifest/device_fields.py"], ["_fleet/plan", "_manifest/device_fields"]),
    "errors": Group(
        ["_errors/error.py", "_errors/redact.py", "_errors/refusal.py"], ["_errors/errors", "_errors/redact"]
    ),
    "logins": Group(
        [f"_auth/logins/{name}.py" for name in ("base", *LOGINS)],
        [f"_auth/logins/{name}" for name in LOGINS],
    ),
    "sessions": Group(
        ["_local/private_file.py", "_auth/session.py", "_auth/shared_logins.py"],
        ["_local/private_file", "_auth/session", "_auth/shared_logins"],
    ),
    # Who is killed while ... are five seconds each, and stand beside others for the same lines.
    "tokens": Group(
        [f"_auth/{name}.py" for name in TOKENS],
        [f"_auth/{name}" for name in TOKENS],
        deselect="who_is_killed",
    ),
    "doctor": Group(["_auth/doctor.py"], ["_auth/doctor"]),
}

# Hypothesis takes a test that runs twice in one process for a mistake, so each run gets a process from the server.
SETTINGS = """\
[mutmut]
source_paths = src
only_mutate =
    {files}
pytest_add_cli_args =
    {arguments}
pytest_add_cli_args_test_selection =
    {tests}
process_isolation = forkserver
on_dependency_change = ignore
use_git_change_detection = false
timeout_constant = 30.0
timeout_multiplier = 4.0
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutation tests of planning, errors and tokens.")
    parser.add_argument("--survivors", action="store_true", help="try again what was not noticed so far")
    parser.add_argument("--report", action="store_true", help="only print what is known so far")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="only these")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    for name in () if arguments.report else chosen:
        print(f"== {name}", flush=True)
        run(name, arguments.survivors)
    return report(chosen)


def run(name: str, survivors: bool) -> None:
    """Try the changes of one group that have no verdict yet, or those again that were not noticed."""
    stage(name, GROUPS[name])
    again = [change for change, verdict in verdicts(name) if verdict in UNNOTICED] if survivors else []
    if again or not survivors:
        mutmut(name, "run", "--max-children", "1", *again)


def stage(name: str, group: Group) -> None:
    """Lay plugins and tests out as mutmut wants them; what has not changed keeps its date, and so its verdicts."""
    folder = CACHE / name
    for source, target in ((ROOT / "plugins", COLLECTION / "plugins"), (ROOT / "tests", Path("tests"))):
        wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        for path in wanted:
            update(source / path, folder / target / path)
        for copies in (folder / target, folder / "mutants" / target):
            for path in copies.rglob("*.py"):
                if path.relative_to(copies) not in wanted:
                    path.unlink()
    update(ROOT / "pyproject.toml", folder / "pyproject.toml")
    settings = SETTINGS.format(
        files="\n    ".join(str(MODULE_UTILS / file) for file in group.files),
        tests="\n    ".join(f"tests/unit/{'/test_'.join(test.rsplit('/', 1))}.py" for test in group.tests),
        arguments=f"-k\n    not {group.deselect}" if group.deselect else "-q",
    )
    (folder / "setup.cfg").write_text(settings)
    # The tests, and the processes that they start, find the changed code where they find ours otherwise.
    link = folder / "mutants" / ".collections"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("src")


def update(source: Path, target: Path) -> None:
    """Copy a file, unless it is there already."""
    if not target.exists() or not filecmp.cmp(source, target, shallow=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def mutmut(name: str, *arguments: str, stdout: int | None = None) -> str:
    """Run mutmut on a group; what it prints, if that is caught. Ends the program when mutmut fails."""
    folder = CACHE / name
    done = subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder / "mutants" / ".collections")},
        stdout=stdout,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"mutmut {arguments[0]} ended with {done.returncode}\n{done.stdout or ''}")
    return done.stdout or ""


def verdicts(name: str) -> Iterator[tuple[str, str]]:
    """Each change of a group and what became of it."""
    for line in mutmut(name, "results", "--all", "true", stdout=subprocess.PIPE).splitlines():
        change, _unused, verdict = line.strip().rpartition(": ")
        if change:
            yield change, verdict


def report(groups: Sequence[str]) -> int:
    """Print what was not noticed, and the share of what was, file by file; 0 when that is enough, and all was tried."""
    files: dict[str, collections.Counter[str]] = {}
    prefix = ".".join(MODULE_UTILS.parts[1:]) + "."
    for name in groups:
        for change, verdict in verdicts(name) if (CACHE / name).exists() else ():
            module, _unused, function = change.removeprefix(prefix).rpartition(".")
            files.setdefault(module, collections.Counter())[verdict] += 1
            if verdict in UNNOTICED:
                print(f"{verdict:>10}  {module} {function}")
    together: collections.Counter[str] = sum(files.values(), collections.Counter())
    for module, counts in [*files.items(), ("together", together)]:
        print(f"{share(counts):7.1%} of {counts.total() - counts['not checked']:4}  {module}  {dict(counts)}")
    if untried := together["not checked"]:
        print(f"{untried} changes were not tried yet")
    return 0 if together and not untried and share(together) >= SHARE else 1


def share(counts: collections.Counter[str]) -> float:
    """The part of the changes that was noticed, of those that were tried."""
    tried = counts.total() - counts["not checked"]
    return sum(counts[verdict] for verdict in NOTICED) / tried if tried else 0.0


if __name__ == "__main__":
    sys.exit(main())
