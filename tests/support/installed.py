# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the collection, install it into an empty folder, and write the example files that its README contains."""

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
    """An installation of the collection in an empty folder. Programs find the collection only in this folder.

    :ivar folder: the empty folder.
    :ivar environment: the environment variables of all programs. Callers add the variables for a cloud.
    :ivar collection: the folder into which the collection is installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "empty"
        self._around = folder
        home = folder / "home"
        home.mkdir()
        self.folder.mkdir()
        # Leave out the settings for the callback plugin of the tests, because the plugin is part of the checkout.
        self.environment = {name: value for name, value in ansible_environment(home).items() if "CALLBACK" not in name}
        self.environment["ANSIBLE_COLLECTIONS_PATH"] = str(self.folder / "collections")
        self.collection = self.folder / "collections" / "ansible_collections" / "meshfleet" / "particle"

    def run(self, program: str, *words: str, folder: Path | None = None) -> str:
        """Run a program that is installed beside this Python interpreter, and return the standard output.

        :param folder: the working folder; by default the empty folder.
        :raises AssertionError: if the program fails. The message contains the output.
        """
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
        """Build the collection from the checkout, and return the path of the tarball."""
        self.run("ansible-galaxy", "collection", "build", "--output-path", str(self._around), folder=ROOT)
        (tarball,) = self._around.glob("*.tar.gz")
        return tarball

    def install(self, tarball: Path) -> None:
        """Install the collection with the command in the README, but from the tarball instead of Galaxy."""
        self.run("ansible-galaxy", "collection", "install", str(tarball), "-p", "collections")

    def write_examples(self) -> None:
        """Write each YAML example in the installed README to a file. The first line of the example names the file."""
        for text, name in NAMED_FILE.findall((self.collection / "README.md").read_text()):
            (self.folder / name).write_text(text)


def write_claimed_fleet(folder: Path, names: dict[str, str]) -> str:
    """Write a fleet file for the simulator with devices that the account has claimed, and return the path of the file.

    :param names: the name of each device, keyed by device id.
    """
    path = folder / "fleet.json"
    path.write_text(json.dumps([{"id": key, "name": name, "owner": USERNAME} for key, name in names.items()]))
    return str(path)
