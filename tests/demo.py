# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the demo for `make demo`: a tour of what the collection can do, with a simulated fleet of new devices.

With the path of a file as argument, only provision the fleet, and draw the first network into that file, for
`make pictures`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from support.firmware import make_binary
from support.mesh_picture import draw_picture, list_members
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.processes import running, wait_until
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

FLEET = 1_000
NETWORKS = 10
FLAGS = ("--fleet", str(FLEET + 1))
"""The flags of the simulator. The last device is a spare one, which later replaces another device."""
DRAWN = "site-00"
"""The network of the picture."""
BAD, GOOD = 1, 2
"""The firmware versions of the demo."""
OLD = 1
"""The position of the replaced device in the manifest. The device is a node of the first network."""
REPORT = ROOT / ".cache" / "demo"
EVENTS = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "events.py"
CRASHING = 3
"""The bad version crashes on every third device."""


def manifest_for(cloud: Simulator) -> dict[str, Any]:
    """Build a manifest of ten networks with one gateway and ninety-nine nodes each."""
    groups = [[f"site-{site:02}" for _unused in range(FLEET // NETWORKS)] for site in range(NETWORKS)]
    sites = [site for group in groups for site in group]
    ids = sorted(device["id"] for device in cloud.state()["devices"][:FLEET])
    devices = []
    last_numbers: dict[str, int] = {}
    for device_id, site in zip(ids, sites, strict=True):
        number = last_numbers[site] = last_numbers.get(site, -1) + 1
        role = "node" if number else "gateway"
        devices.append({"id": device_id, "name": f"{site}-{number:03}", "mesh": {"network": site, "role": role}})
    return {"product": PRODUCT_SLUG, "networks": {site: {} for site in last_numbers}, "devices": devices}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write a manifest, and return its path."""
    path = folder / "fleet.yml"
    path.write_text(yaml.safe_dump(dict(manifest), sort_keys=False), encoding="utf-8")
    return path


def provision(cloud: Simulator, folder: Path) -> int:
    """Provision the fleet with the playbook of the demo, and return the exit status of the playbook."""
    manifest = write_manifest(folder, manifest_for(cloud))
    show_heading(
        "Provisioning",
        f"A simulated Particle cloud with {FLEET} new devices listens on {cloud.url}. A playbook logs in with e-mail "
        "and password, plans, and brings the devices into a product and its networks. A second run writes nothing.",
    )
    # Leave out the settings of the user's own account, so that the demo cannot use that account.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARTICLE_")}
    command = ["ansible-playbook", "meshfleet.particle.demo", "-e", f"demo_manifest={manifest}"]
    # Leave out the tasks that the role skips.
    shorter = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    status = subprocess.run(command, env={**own, **shorter, **account_of(cloud)}, check=False).returncode
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


def show_heading(title: str, text: str) -> None:
    """Print the heading of a part of the demo, and a few sentences about the part."""
    print(f"\n\033[1m== {title}\033[0m" if sys.stdout.isatty() else f"\n== {title}")
    print(textwrap.fill(text, 120) + "\n", flush=True)


@dataclass(frozen=True)
class Operations:
    """The plays of `meshfleet.particle.demo_operations`. They share one login.

    :ivar folder: the home folder of the runs.
    """

    cloud: Simulator
    folder: Path

    def run_play(self, tag: str, **variables: Any) -> PlaybookRun:
        """Run the play with a tag, print each of its tasks with its status and messages, and return the run."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        run = run_playbook(
            "meshfleet.particle.demo_operations",
            env={**account_of(self.cloud), "HOME": str(home)},
            extra_vars=variables,
            args=["--tags", tag],
        )
        for task in run.tasks:
            if task.action.startswith("meshfleet.particle."):
                print(f"{task.status:8} {task.task}")
            elif task.action == "ansible.builtin.debug" and task.status == "ok":
                print(*(textwrap.fill(line, 120) for line in task.result["msg"]), sep="\n")
        print(run.stderr if run.rc == 0 else run.output, end="", flush=True)
        return run


def operate(operations: Operations) -> bool:
    """Replace a device, apply a definition, call a function and receive an event. Return whether all have worked."""
    return all(part(operations) for part in (replace_device, keep_product, call_gateways, receive_event))


def replace_device(operations: Operations) -> bool:
    """Replace a node by the spare device, and return whether that has worked."""
    show_heading(
        "Replacement",
        "A node has failed, and a new device has been put in its place. In the manifest, the record of the "
        "node gets the new id and names the replaced one. The run moves name, groups and membership to the new device.",
    )
    manifest = manifest_for(operations.cloud)
    replaced = manifest["devices"][OLD]
    new = operations.cloud.state()["devices"][-1]["id"]
    operations.cloud.change_device(replaced["id"], online=False)
    manifest["devices"][OLD] = {**replaced, "id": new, "replaces": replaced["id"]}
    path = write_manifest(operations.folder, manifest)
    return operations.run_play("replacement", demo_manifest=str(path), demo_new_device=new).rc == 0


def keep_product(operations: Operations) -> bool:
    """Apply the definition of a product, and return whether the second run wrote nothing."""
    show_heading(
        "Product as code",
        "One definition declares what the product owns: device groups, ledgers, environment variables and webhooks. A "
        "second run writes nothing, and check mode shows what another definition would change.",
    )
    run = operations.run_play("product")
    return run.rc == 0 and run.result("Apply the definition again")["cloud"]["writes"] == 0


def call_gateways(operations: Operations) -> bool:
    """Call a function of each gateway, and return whether each gateway has returned the expected value."""
    show_heading(
        "Call",
        "One task calls a function of the firmware on each gateway, and compares the returned values. No function is "
        "called twice, even if an answer is lost.",
    )
    return operations.run_play("call").rc == 0


def receive_event(operations: Operations) -> bool:
    """Publish an event, and return whether the event source has received it."""
    show_heading(
        "Events",
        "The event source passes the events of the product to the rules of Event-Driven Ansible. Here it prints an "
        "event that a playbook publishes.",
    )
    command = [sys.executable, EVENTS, f"product={PRODUCT_SLUG}", "prefix=demo/"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARTICLE_")}
    with running(command, env={**own, **account_of(operations.cloud)}) as source:
        wait_until(lambda: operations.cloud.stats()["streams"] > 0 or source.returncode is not None)
        run = operations.run_play("event")
        wait_until(lambda: "demo/inspection" in source.output or source.returncode is not None or run.rc != 0)
        received = [json.loads(line) for line in source.output.splitlines() if "demo/inspection" in line]
    for event in received:
        print(f"The event source has received {event['particle']['name']} with the data {event['particle']['data']!r}.")
    return bool(received)


def write_report(operations: Operations) -> bool:
    """Write the report about the fleet, and return whether that has worked."""
    show_heading(
        "Report",
        "The role report writes the whole fleet into one page that works offline, and into a CSV and a JSON file. Open "
        "the page to look at the devices, their networks and their firmware. More than two hours have passed in the "
        "simulated cloud, so the token of the login has expired: a warning says that the collection logs in again.",
    )
    run = operations.run_play("report", demo_report=str(REPORT))
    print(f"The report is {REPORT / 'fleet.html'}.")
    return run.rc == 0


def list_product_devices(cloud: Simulator) -> list[dict[str, Any]]:
    """Return the devices of the product, sorted by id."""
    found = [device for device in cloud.state()["devices"] if device["product"]]
    return sorted(found, key=lambda device: str(device["id"]))


def roll_out(cloud: Simulator, folder: Path) -> int:
    """Roll out a bad version and then a good one. Return 0 if both rollouts end as they should."""
    show_heading(
        "Firmware",
        "The devices get firmware in three waves: 10 devices, 20 % of the devices, and all devices. Each row shows one "
        "run of `ansible-playbook meshfleet.particle.demo_rollout`. Between two runs, the clock of the simulator is "
        "turned to the time at which the result of the run says to run again.",
    )
    rollouts = Rollouts(cloud, folder)
    is_as_expected = roll_out_bad_version(rollouts) and roll_out_good_version(rollouts)
    return 0 if is_as_expected else 1


def roll_out_bad_version(rollouts: Rollouts) -> bool:
    """Roll out a version that crashes on some devices, and return whether the brake has stopped the rollout."""
    cloud = rollouts.cloud
    ids = [device["id"] for device in list_product_devices(cloud)]
    crashing = ids[::CRASHING]
    for device in crashing:
        cloud.change_device(device, update="crashes_online")
    print(f"Version {BAD} crashes again and again on {len(crashing)} of {len(ids)} devices:")
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


def take_tour(cloud: Simulator, folder: Path) -> bool:
    """Show all parts after the provisioning, and return whether all have ended as they should."""
    operations = Operations(cloud, folder)
    return operate(operations) and roll_out(cloud, folder) == 0 and write_report(operations)


def main(picture: Path | None) -> int:
    """Run the demo, or draw the picture if a path is given. Return 0 if all parts have ended as they should."""
    with running_simulator(*FLAGS) as cloud, tempfile.TemporaryDirectory() as folder:
        status = provision(cloud, Path(folder))
        if status == 0 and picture is None:
            return 0 if take_tour(cloud, Path(folder)) else 1
        if status == 0 and picture is not None:
            picture.write_text(draw_picture(DRAWN, list_members(cloud.state(), DRAWN)), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
