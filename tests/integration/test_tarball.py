# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the collection that is built and installed from a tarball, without the plugins of the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.installed import STEP_SECONDS, Installed, write_claimed_fleet
from support.plays import cloud_environment
from support.simulator import running_simulator

DEVICES = {f"e00fce68aabbccddeeff{number:04}": f"door-{number}" for number in range(3)}


@pytest.mark.only_full
@pytest.mark.timeout(4 * STEP_SECONDS)
def test_readme_examples_work_with_an_installed_tarball(tmp_path: Path) -> None:
    # Build the collection, and install it into an empty folder.
    place = Installed(tmp_path)
    place.install(place.build())
    assert not {"Makefile", "firmware", "tests", ".git", ".ci"} & {path.name for path in place.collection.iterdir()}

    # Write the example files of its README.
    place.write_examples()
    with running_simulator("--fleet", write_claimed_fleet(tmp_path, DEVICES)) as cloud:
        place.environment |= cloud_environment(cloud.url)

        # The first playbook reads the fleet and exports it without any write.
        output = place.run("ansible-playbook", "first.yml")
        assert "3 devices, 3 of them online" in output
        assert cloud.stats()["writes"] == 0
        manifest = place.folder / "fleet.yml"
        assert all(name in manifest.read_text() for name in DEVICES.values())

        # Check mode predicts a changed name, and the real run writes only that.
        manifest.write_text(manifest.read_text().replace("door-1", "gate"))
        predicted = place.run("ansible-playbook", "provision.yml", "--check", "--diff")
        assert "name 'door-1' -> 'gate'" in predicted
        assert cloud.stats()["writes"] == 0
        place.run("ansible-playbook", "provision.yml")
        assert [write["fields"] for write in cloud.writes()] == [{"name": "gate"}]
