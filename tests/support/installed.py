# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the collection and install it into an empty folder, with the files that its README shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT
from support.playbooks import ansible_environment
from support.simulator import USERNAME

STEP_SECONDS = 280.0
NAMED_FILE = re.compile(r"```yaml\n(# (\S+\.yml)\n.*?)```", re.DOTALL)


class Installed:
    """An empty folder below `folder`, in which programs run without access to the checkout.

    `environment` is the environment of the programs; add the variables for a cloud to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "empty"
        self._around = folder
        home = folder / "home"
        home.mkdir()
        self.folder.mkdir()
        # The callback plugin of the tests is in the checkout.
        self.environment = {name: value for name, value in ansible_environment(home).items() if "CALLBACK" not in name}
        self.environment["ANSIBLE_COLLECTIONS_PATH"] = str(self.folder / "collections")
        self.collection = self.folder / "collections" / "ansible_collections" / "meshfleet" / "particle"

    def run(self, program: str, *words: str, folder: Path | None = None) -> str:
        """Run a program that is installed beside this interpreter, check that it succeeds, and return its output."""
        argv = [str(Path(sys.executable).parent / program), *words]
        done = subprocess.run(
            argv,
            cwd=folder or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self) -> Path:
        """Build the tarball of the checkout and return its path."""
        self.run("ansible-galaxy", "collection", "build", "--output-path", str(self._around), folder=ROOT)
        (tarball,) = self._around.glob("*.tar.gz")
        return tarball

    def install(self, tarball: Path) -> None:
        """Install the collection as the README says, but from the tarball."""
        self.run("ansible-galaxy", "collection", "install", str(tarball), "-p", "collections")

    def write_examples(self) -> None:
        """Write each file that the installed README shows with a name."""
        for text, name in NAMED_FILE.findall((self.collection / "README.md").read_text()):
            (self.folder / name).write_text(text)


def write_claimed_fleet(folder: Path, names: dict[str, str]) -> str:
    """Write a fleet file of claimed devices, given as names by id, and return its path."""
    path = folder / "fleet.json"
    path.write_text(json.dumps([{"id": key, "name": name, "owner": USERNAME} for key, name in names.items()]))
    return str(path)
