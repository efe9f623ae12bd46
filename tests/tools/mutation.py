#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run mutation tests with mutmut: make many small changes to the code, and check that the tests fail for each change.

    mutation.py [--sample N] [--survivors | --report] [group ...]

The tests notice a change if they fail. A change that the tests do not notice is a survivor. This program fails if the
tests notice less than 85 % of the changes of a group.

A complete run takes hours. With `--sample 100`, this program tests 100 changes of each group. For the same code,
it always chooses the same changes.

The result for each change is kept in .cache/mutation. An interrupted complete run therefore continues where it stopped,
while a sample is tested again from the start. When a function is edited, mutmut deletes the results for this function.
When tests are edited, run `--survivors`, which tests only the survivors again. For a complete measurement, run this
program in a clean checkout.

mutmut does not change properties, decorated functions and code outside functions.
"""

from __future__ import annotations

import argparse
import collections
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
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

    :ivar files: paths in the folder of the plugins' Python code, without their extension.
    :ivar tests: paths in the folder of the unit tests, without `test_` and without their extension.
    :ivar deselect: an expression for `pytest -k`. The tests that match it do not run.
    """

    files: Sequence[str]
    tests: Sequence[str]
    deselect: str = ""


def expand(folder: str, names: str) -> list[str]:
    """Return the paths of files in a folder, without their extension.

    :param names: the names of the files, separated by spaces.
    """
    return [f"{folder}/{name}" for name in names.split()]


LOGINS = expand(
    "_auth/logins", "cli_profile client_credentials one_time_code password ready_token refresh_token two_step"
)
TOKENS = expand("_auth", "token_file token_expiry token_register token_lifecycle")

# Tests that kill a process take five seconds each, and other tests run the same lines.
GROUPS = {
    "plan": Group(["_fleet/plan", "_manifest/device_fields"], ["_fleet/plan", "_manifest/device_fields"]),
    "errors": Group(expand("_errors", "error redact refusal"), expand("_errors", "errors redact")),
    "logins": Group(["_auth/logins/base", *LOGINS], LOGINS),
    "sessions": Group(
        ["_local/private_file", "_auth/session", "_auth/shared_logins"],
        ["_local/private_file", "_auth/session", "_auth/shared_logins"],
    ),
    "tokens": Group(TOKENS, TOKENS, deselect="killed"),
    "doctor": Group(["_auth/doctor"], ["_auth/doctor"]),
    "resource": Group(
        [
            *expand("_resource", "change comparison declarations display kind module_result outcome plan reconcile"),
            *expand("_resource", "secrets spellings variants"),
            *expand("_resource/kinds", "api_users environment firmware groups integrations ledgers secrets sims"),
        ],
        [
            *expand("_resource", "plan reconcile"),
            *expand("_resource/kinds", "api_users environment firmware_kind integrations ledgers secrets sims"),
        ],
        deselect="kill or ManySims or no_plan_shows_a_value",
    ),
    "rollout": Group(
        [
            *expand("_rollout", "brake decision ending health model options outcome plan view waves"),
            *expand("_rollout/storage", "record settings"),
        ],
        [
            *expand("_rollout", "brake decide_property decisions failed_result health locks options outcome reasons"),
            *expand("_rollout", "record steps waves_property"),
        ],
    ),
    "thread": Group(
        expand("_mesh/thread", "address_map dataset forms plan responses rules"),
        expand("_mesh/thread", "address_map dataset plan responses rules"),
    ),
    "fleet": Group(
        [
            *expand("_fleet", "batches failures outcome states checks/undeclared environment/plan moves/marks"),
            *expand("_fleet", "moves/plan replacements/find replacements/plan replacements/steps"),
        ],
        [
            *expand("_fleet", "batches run_result states checks/undeclared_result environment/variable_plan"),
            *expand("_fleet", "moves/move_plan replacements/find replacements/replacement_plan"),
        ],
    ),
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
    parser = argparse.ArgumentParser(
        description="Make small changes to the code, and check that the tests notice them."
    )
    parser.add_argument("--sample", type=int, metavar="N", help="use only N changes of each group")
    parser.add_argument("--survivors", action="store_true", help="test again only the changes that no test noticed")
    parser.add_argument("--report", action="store_true", help="run no tests, and print the results of earlier runs")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="test only these groups of files")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    for name in () if arguments.report else chosen:
        print(f"== {name}", flush=True)
        run(name, arguments.sample, arguments.survivors)
    return report(chosen, arguments.sample)


def run(name: str, sample: int | None, survivors: bool) -> None:
    """Test the changes of a group: those without a result, those of a sample, or only the survivors.

    :param sample: the number of changes to choose; None to use all.
    """
    stage(name, GROUPS[name])
    if sample and not survivors:
        # mutmut makes all changes before it finds that none has this name. It has no command that only makes them.
        mutmut(name, "run", "no change", stdout=subprocess.PIPE, may_fail=True)
    found = verdicts(name, sample) if sample or survivors else {}
    wanted = [change for change in found if not (survivors and found[change] in NOTICED)]
    if wanted or not survivors:
        mutmut(name, "run", "--max-children", "1", *wanted)


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
        files="\n    ".join(f"{MODULE_UTILS / file}.py" for file in group.files),
        tests="\n    ".join(f"tests/unit/{'/test_'.join(test.rsplit('/', 1))}.py" for test in group.tests),
        arguments=f"-k\n    not ({group.deselect})" if group.deselect else "-q",
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


def mutmut(name: str, *arguments: str, stdout: int | None = None, may_fail: bool = False) -> str:
    """Run mutmut on a group, and return its output if `stdout` is `subprocess.PIPE`.

    :raises SystemExit: if mutmut fails, and `may_fail` is False.
    """
    folder = CACHE / name
    done = subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder / "mutants" / ".collections")},
        stdout=stdout,
        stderr=subprocess.DEVNULL if may_fail else None,
        text=True,
        check=False,
    )
    if done.returncode and not may_fail:
        sys.exit(f"mutmut {arguments[0]} failed with exit status {done.returncode}\n{done.stdout or ''}")
    return done.stdout or ""


def verdicts(name: str, sample: int | None = None) -> dict[str, str]:
    """Return a mapping from each change of a group to its result, for example `killed` or `survived`.

    The changes are in the order of their hashes, so that the first ones are a sample. An edit of one function hardly
    affects the sample of other functions.

    :param sample: the number of changes to return; None to return all.
    """
    lines = mutmut(name, "results", "--all", "true", stdout=subprocess.PIPE).splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines)
    found = {change: verdict for change, _unused, verdict in pairs if change}
    order = sorted(found, key=lambda change: hashlib.sha256(change.encode()).digest())
    return {change: found[change] for change in order[:sample]}


def report(groups: Sequence[str], sample: int | None) -> int:
    """Print the survivors, and the share of noticed changes for each file and each group.

    :returns: the exit status: 0 if all changes have been tested, and the tests notice enough of them in each group.
    """
    complete = [report_group(name, sample) for name in groups]
    return 0 if all(complete) else 1


def report_group(name: str, sample: int | None) -> bool:
    """Print the results of one group. Return whether all its changes have been tested and enough have been noticed."""
    if not (CACHE / name).exists():
        print(f"== {name} has not been tested yet.")
        return False
    files: dict[str, collections.Counter[str]] = {}
    prefix = ".".join(MODULE_UTILS.parts[1:]) + "."
    found = verdicts(name, sample)
    print(f"== {name}: {f'a sample of {len(found)}' if sample else f'all {len(found)}'} changes")
    for change, verdict in sorted(found.items()):
        module, _unused, function = change.removeprefix(prefix).rpartition(".")
        files.setdefault(module, collections.Counter())[verdict] += 1
        if verdict in UNNOTICED:
            print(f"{verdict:>10}  {module} {function}")
    together: collections.Counter[str] = sum(files.values(), collections.Counter())
    for module, counts in [*files.items(), (f"all files of {name}", together)]:
        print(f"{share(counts):7.1%} of {counts.total() - counts['not checked']:4}  {module}  {dict(counts)}")
    if untried := together["not checked"]:
        print(f"{untried} changes have not been tested yet.")
    return bool(together) and not untried and share(together) >= SHARE


def share(counts: collections.Counter[str]) -> float:
    """Return the share of noticed changes among all tested changes, from 0 to 1."""
    tried = counts.total() - counts["not checked"]
    return sum(counts[verdict] for verdict in NOTICED) / tried if tried else 0.0


if __name__ == "__main__":
    sys.exit(main())
