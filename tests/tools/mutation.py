#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run mutation tests with mutmut: make many small changes to the code, and check that the tests fail for each change.

    mutation.py [--survivors | --report] [group ...]

The tests notice a change if they fail. A change that the tests do not notice is a survivor. This program fails if the
tests notice less than 85 % of all changes.

The result for each change is kept in .cache/mutation. An interrupted run therefore continues where it stopped. When a
function is edited, mutmut deletes the results for this function. When tests are edited, run `--survivors`, which tests
only the survivors again. For a complete measurement, run this program in a clean checkout.

mutmut does not change properties, decorated functions and code outside functions.
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
# mutmut computes the name of a module from the path of its file below src/.
COLLECTION = Path("src", "ansible_collections", "meshfleet", "particle")
MODULE_UTILS = COLLECTION / "plugins" / "module_utils"

NOTICED = frozenset({"killed", "timeout", "segfault"})
UNNOTICED = frozenset({"survived", "no tests", "suspicious"})
SHARE = 0.85


@dataclass(frozen=True)
class Group:
    """Files whose code is changed, and the unit tests that must notice the changes.

    Only tests that were written for these files are listed, not all tests that run the code.

    :ivar deselect: an expression for `pytest -k`. The tests that match it do not run.
    """

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
    # Tests that kill a process take five seconds each, and other tests run the same lines.
    "tokens": Group(
        [f"_auth/{name}.py" for name in TOKENS],
        [f"_auth/{name}" for name in TOKENS],
        deselect="killed",
    ),
    "doctor": Group(["_auth/doctor.py"], ["_auth/doctor"]),
}

# Hypothesis reports an error if a test runs twice in one process. With `forkserver`, each run has its own process.
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
    """Test the changes of the chosen groups, print a report, and return the exit status of `report`."""
    parser = argparse.ArgumentParser(description="Run mutation tests of planning, errors, logins and tokens.")
    parser.add_argument("--survivors", action="store_true", help="test again only the changes that no test noticed")
    parser.add_argument("--report", action="store_true", help="run no tests, and print the results of earlier runs")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="test only these groups of files")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    for name in () if arguments.report else chosen:
        print(f"== {name}", flush=True)
        run(name, arguments.survivors)
    return report(chosen)


def run(name: str, survivors: bool) -> None:
    """Test all changes of a group that have no result yet. If `survivors` is True, test only the survivors again."""
    stage(name, GROUPS[name])
    again = [change for change, verdict in verdicts(name) if verdict in UNNOTICED] if survivors else []
    if again or not survivors:
        mutmut(name, "run", "--max-children", "1", *again)


def stage(name: str, group: Group) -> None:
    """Copy the plugins and the tests into the folder of a group, in the layout that mutmut requires.

    Files without a change are not copied again. Their modification time stays the same, so that mutmut keeps their
    results.
    """
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
    # With this link, the tests and the processes that they start import the changed code instead of the original code.
    link = folder / "mutants" / ".collections"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("src")


def update(source: Path, target: Path) -> None:
    """Copy a file, unless the target exists and has the same content."""
    if not target.exists() or not filecmp.cmp(source, target, shallow=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def mutmut(name: str, *arguments: str, stdout: int | None = None) -> str:
    """Run mutmut on a group, and return its output if `stdout` is `subprocess.PIPE`.

    :raises SystemExit: if mutmut fails.
    """
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
        sys.exit(f"mutmut {arguments[0]} failed with exit status {done.returncode}\n{done.stdout or ''}")
    return done.stdout or ""


def verdicts(name: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each change of a group, and its result, for example `killed` or `survived`."""
    for line in mutmut(name, "results", "--all", "true", stdout=subprocess.PIPE).splitlines():
        change, _unused, verdict = line.strip().rpartition(": ")
        if change:
            yield change, verdict


def report(groups: Sequence[str]) -> int:
    """Print the survivors, and the share of noticed changes for each file.

    :returns: the exit status: 0 if all changes have been tested, and the tests notice enough of them.
    """
    files: dict[str, collections.Counter[str]] = {}
    prefix = ".".join(MODULE_UTILS.parts[1:]) + "."
    for name in groups:
        for change, verdict in verdicts(name) if (CACHE / name).exists() else ():
            module, _unused, function = change.removeprefix(prefix).rpartition(".")
            files.setdefault(module, collections.Counter())[verdict] += 1
            if verdict in UNNOTICED:
                print(f"{verdict:>10}  {module} {function}")
    together: collections.Counter[str] = sum(files.values(), collections.Counter())
    for module, counts in [*files.items(), ("all files", together)]:
        print(f"{share(counts):7.1%} of {counts.total() - counts['not checked']:4}  {module}  {dict(counts)}")
    if untried := together["not checked"]:
        print(f"{untried} changes have not been tested yet.")
    return 0 if together and not untried and share(together) >= SHARE else 1


def share(counts: collections.Counter[str]) -> float:
    """Return the share of noticed changes among all tested changes, from 0 to 1."""
    tried = counts.total() - counts["not checked"]
    return sum(counts[verdict] for verdict in NOTICED) / tried if tried else 0.0


if __name__ == "__main__":
    sys.exit(main())
