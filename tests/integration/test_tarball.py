# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What is built and installed does what its README says, with nothing of the checkout in sight but the simulator."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT
from support.playbooks import ansible_environment
from support.plays import cloud_environment
from support.simulator import USERNAME, running_simulator

STEP_SECONDS = 280.0
DEVICES = {f"e00fce68aabbccddeeff{number:04}": f"door-{number}" for number in range(3)}
NAMED_FILE = re.compile(r"```yaml\n(# (\S+\.yml)\n.*?)```", re.DOTALL)


@pytest.mark.timeout(4 * STEP_SECONDS)
def test_the_first_playbook_of_the_readme_runs_from_an_installed_tarball(tmp_path: Path) -> None:
    # given the collection, built and installed into an empty folder
    home, empty = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    empty.mkdir()
    # Without the recorder of the tests, which is in the checkout.
    environment = {name: value for name, value in ansible_environment(home).items() if "CALLBACK" not in name}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(empty / "collections")

    def run(program: str, *words: str, folder: Path = empty) -> str:
        argv = [str(Path(sys.executable).parent / program), *words]
        done = subprocess.run(
            argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), folder=ROOT)
    (tarball,) = tmp_path.glob("*.tar.gz")
    run("ansible-galaxy", "collection", "install", str(tarball), "-p", "collections")
    installed = empty / "collections" / "ansible_collections" / "meshfleet" / "particle"
    assert not {"Makefile", "tests", ".git", ".ci"} & {path.name for path in installed.iterdir()}

    # and the files of its README, pasted
    for text, name in NAMED_FILE.findall((installed / "README.md").read_text()):
        (empty / name).write_text(text)
    fleet = tmp_path / "fleet.json"
    fleet.write_text(json.dumps([{"id": key, "name": name, "owner": USERNAME} for key, name in DEVICES.items()]))
    with running_simulator("--fleet", str(fleet)) as cloud:
        environment |= cloud_environment(cloud.url)

        # when the first playbook is run
        said = run("ansible-playbook", "first.yml")

        # then it has met the fleet, and written it down without touching it
        assert "3 devices, 3 of them online" in said
        assert cloud.stats()["writes"] == 0
        manifest = empty / "fleet.yml"
        assert all(name in manifest.read_text() for name in DEVICES.values())

        # and what is changed there and looked at is what happens then
        manifest.write_text(manifest.read_text().replace("door-1", "gate"))
        foreseen = run("ansible-playbook", "provision.yml", "--check", "--diff")
        assert "+" in foreseen
        assert "gate" in foreseen
        assert cloud.stats()["writes"] == 0
        run("ansible-playbook", "provision.yml")
        assert [write["fields"] for write in cloud.writes()] == [{"name": "gate"}]
