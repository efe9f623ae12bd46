# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What is built and installed does what its README says, with nothing of the checkout in sight but the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.installed import STEP_SECONDS, Installed, write_claimed_fleet
from support.plays import cloud_environment
from support.simulator import running_simulator

DEVICES = {f"e00fce68aabbccddeeff{number:04}": f"door-{number}" for number in range(3)}


@pytest.mark.timeout(4 * STEP_SECONDS)
def test_the_first_playbook_of_the_readme_runs_from_an_installed_tarball(tmp_path: Path) -> None:
    # given the collection, built and installed into an empty folder
    place = Installed(tmp_path)
    place.install(place.build())
    assert not {"Makefile", "tests", ".git", ".ci"} & {path.name for path in place.collection.iterdir()}

    # and the files of its README, pasted
    place.write_examples()
    with running_simulator("--fleet", write_claimed_fleet(tmp_path, DEVICES)) as cloud:
        place.environment |= cloud_environment(cloud.url)

        # when the first playbook is run
        said = place.run("ansible-playbook", "first.yml")

        # then it has met the fleet, and written it down without touching it
        assert "3 devices, 3 of them online" in said
        assert cloud.stats()["writes"] == 0
        manifest = place.folder / "fleet.yml"
        assert all(name in manifest.read_text() for name in DEVICES.values())

        # and what is changed there and looked at is what happens then
        manifest.write_text(manifest.read_text().replace("door-1", "gate"))
        foreseen = place.run("ansible-playbook", "provision.yml", "--check", "--diff")
        assert "+" in foreseen
        assert "gate" in foreseen
        assert cloud.stats()["writes"] == 0
        place.run("ansible-playbook", "provision.yml")
        assert [write["fields"] for write in cloud.writes()] == [{"name": "gate"}]
