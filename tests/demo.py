# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the demo for `make demo`: provision a simulated fleet of new devices with the playbook of the demo.

With the path of a file as argument, draw the first network into that file, for `make picture`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from support.mesh_picture import draw_picture, list_members
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

FLEET = 1_000
NETWORKS = 10
FLAGS = ("--fleet", str(FLEET))
DRAWN = "site-00"
"""The network of the picture."""


def manifest_for(cloud: Simulator) -> dict[str, object]:
    """Build a manifest of ten networks with one gateway and ninety-nine nodes each."""
    groups = [[f"site-{site:02}" for _unused in range(FLEET // NETWORKS)] for site in range(NETWORKS)]
    sites = [site for group in groups for site in group]
    ids = sorted(device["id"] for device in cloud.state()["devices"])
    devices = []
    last_numbers: dict[str, int] = {}
    for device_id, site in zip(ids, sites, strict=True):
        number = last_numbers[site] = last_numbers.get(site, -1) + 1
        role = "node" if number else "gateway"
        devices.append({"id": device_id, "name": f"{site}-{number:03}", "mesh": {"network": site, "role": role}})
    return {"product": PRODUCT_SLUG, "networks": {site: {} for site in last_numbers}, "devices": devices}


def main(picture: Path | None) -> int:
    """Run the demo, draw the picture if a path is given, and return the exit status of the playbook."""
    with running_simulator(*FLAGS) as cloud, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "fleet.yml"
        manifest.write_text(yaml.safe_dump(manifest_for(cloud), sort_keys=False), encoding="utf-8")
        print(f"A simulated Particle cloud with {FLEET} new devices listens on {cloud.url}.", flush=True)
        environment = {
            # Leave out the settings of the user's own account, so that the demo cannot use that account.
            **{name: value for name, value in os.environ.items() if not name.startswith("PARTICLE_")},
            "PARTICLE_API_URL": cloud.url,
            "PARTICLE_USERNAME": USERNAME,
            "PARTICLE_PASSWORD": PASSWORD,
        }
        command = ["ansible-playbook", "meshfleet.particle.demo", "-e", f"demo_manifest={manifest}"]
        status = subprocess.run(command, env=environment, check=False).returncode
        stats = cloud.stats()
        print(
            f"The cloud counted {stats['requests']} requests over {stats['connections']} connections: "
            f"{stats['writes']} writes, {stats['grants']} logins, {stats['revocations']} revocations, "
            f"{stats['throttled']} throttled."
        )
        if picture is not None and status == 0:
            picture.write_text(draw_picture(DRAWN, list_members(cloud.state(), DRAWN)), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
