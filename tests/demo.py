# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the demo for `make demo`: provision a simulated fleet of new devices, and then roll out firmware to the devices.

With the path of a file as argument, only provision the fleet, and draw the first network into that file, for
`make picture`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from support.firmware import make_binary
from support.mesh_picture import draw_picture, list_members
from support.playbooks import run_playbook
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

FLEET = 1_000
NETWORKS = 10
FLAGS = ("--fleet", str(FLEET))
DRAWN = "site-00"
"""The network of the picture."""
BAD, GOOD = 1, 2
"""The firmware versions of the demo."""
INTRODUCTION = """\
Now the devices get firmware in three waves: 10 devices, 20 % of the devices, and all devices. Each row shows one run of
`ansible-playbook meshfleet.particle.demo_rollout`. Between two runs, the clock of the simulator is turned to the time
at which the result of the run says to run again."""
CRASHING = 3
"""The bad version crashes on every third device."""


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


def provision(cloud: Simulator, folder: Path) -> int:
    """Provision the fleet with the playbook of the demo, and return the exit status of the playbook."""
    manifest = folder / "fleet.yml"
    manifest.write_text(yaml.safe_dump(manifest_for(cloud), sort_keys=False), encoding="utf-8")
    print(f"A simulated Particle cloud with {FLEET} new devices listens on {cloud.url}.", flush=True)
    # Leave out the settings of the user's own account, so that the demo cannot use that account.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARTICLE_")}
    command = ["ansible-playbook", "meshfleet.particle.demo", "-e", f"demo_manifest={manifest}"]
    status = subprocess.run(command, env={**own, **account_of(cloud)}, check=False).returncode
    stats = cloud.stats()
    print(
        f"The cloud counted {stats['requests']} requests over {stats['connections']} connections: "
        f"{stats['writes']} writes, {stats['grants']} logins, {stats['revocations']} revocations, "
        f"{stats['throttled']} throttled."
    )
    return status


def account_of(cloud: Simulator) -> dict[str, str]:
    """Return the environment variables with which playbooks use the simulated account."""
    return {"PARTICLE_API_URL": cloud.url, "PARTICLE_USERNAME": USERNAME, "PARTICLE_PASSWORD": PASSWORD}


@dataclass
class Rollouts:
    """The rollouts of the demo. Each one is a series of runs of the playbook, as cron would start them.

    :ivar cloud: a simulator whose product has devices. The clock of the simulator stands still between two runs.
    :ivar folder: the folder for the binaries.
    """

    cloud: Simulator
    folder: Path

    def __post_init__(self) -> None:
        self.began = self.cloud.now()

    def run_until_over(self, version: int, *, supersede: bool = False) -> dict[str, Any]:
        """Run the playbook until the rollout is over or needs a person, and return the last result.

        Between two runs, turn the clock of the simulator to the time at which the result says to run again.
        """
        while True:
            result = self.run_once(version, supersede=supersede)
            when = (result.get("next") or {}).get("when")
            if when is None:
                return result
            self.cloud.advance(datetime.fromisoformat(when).timestamp() - self.cloud.now())

    def run_once(self, version: int, *, supersede: bool = False) -> dict[str, Any]:
        """Run the playbook once, print what it says, and return the result of the rollout."""
        file = self.folder / f"version-{version}.bin"
        file.write_bytes(make_binary(version))
        before = self.cloud.stats()["writes"]
        variables = {"demo_file": str(file), "demo_supersede": supersede}
        run = run_playbook("meshfleet.particle.demo_rollout", env=account_of(self.cloud), extra_vars=variables)
        result = run.result("Roll out the version")
        said = result["msg"] if run.rc else run.result("Show the progress")["msg"]
        minutes = (self.cloud.now() - self.began) / 60
        show_row(f"{minutes:7.0f}", f"{self.cloud.stats()['writes'] - before:6}", said)
        return result


def show_row(minutes: str, writes: str, text: str) -> None:
    """Print a row of the table of runs. The text may have several lines."""
    row = f"{minutes}  {writes}  "
    for line in text.splitlines():
        further = " " * (len(row) if row.strip() else len(row) + 2)
        print(textwrap.fill(row + line.strip(), 120, subsequent_indent=further))
        row = " " * len(row)
    sys.stdout.flush()


def roll_out(cloud: Simulator, folder: Path) -> int:
    """Roll out a bad version and then a good one. Return 0 if both rollouts end as they should."""
    print(f"\n{textwrap.fill(INTRODUCTION, 120)}")
    rollouts = Rollouts(cloud, folder)
    is_as_expected = roll_out_bad_version(rollouts) and roll_out_good_version(rollouts)
    return 0 if is_as_expected else 1


def roll_out_bad_version(rollouts: Rollouts) -> bool:
    """Roll out a version that crashes on some devices, and return whether the brake has stopped the rollout."""
    cloud = rollouts.cloud
    ids = sorted(device["id"] for device in cloud.state()["devices"])
    crashing = ids[::CRASHING]
    for device in crashing:
        cloud.change_device(device, update="crashes_online")
    print(f"\nVersion {BAD} crashes again and again on {len(crashing)} of {len(ids)} devices:")
    show_row("minutes", "writes", "result of the run")
    result = rollouts.run_until_over(BAD)
    reached = sum(device["firmware_version"] == BAD for device in cloud.state()["devices"])
    print(f"The version has reached {reached} devices. A loop over all devices would have sent it to all {len(ids)}.")
    return bool(result["state"] == "braked")


def roll_out_good_version(rollouts: Rollouts) -> bool:
    """Roll out a version that works on all devices, and return whether a further run changes nothing."""
    rollouts.cloud.change_device("*", update="ok")
    print(f"\nVersion {GOOD} does not crash. It takes the place of version {BAD} (supersede):", flush=True)
    rollouts.run_until_over(GOOD, supersede=True)
    print("\nThe same playbook once more:", flush=True)
    result = rollouts.run_once(GOOD, supersede=True)
    return (result["state"], result["changed"], result["cloud"]["writes"]) == ("done", False, 0)


def main(picture: Path | None) -> int:
    """Run the demo, or draw the picture if a path is given. Return the exit status of the part that failed, or 0."""
    with running_simulator(*FLAGS) as cloud, tempfile.TemporaryDirectory() as folder:
        status = provision(cloud, Path(folder))
        if picture is None:
            return status or roll_out(cloud, Path(folder))
        if status == 0:
            picture.write_text(draw_picture(DRAWN, list_members(cloud.state(), DRAWN)), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
