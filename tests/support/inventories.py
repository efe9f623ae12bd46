# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write inventory files, and read them with `ansible-inventory`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from support.paths import TESTS
from support.playbooks import ansible_environment
from support.plays import cloud_environment
from support.processes import HANG_SECONDS
from support.programs import program_path, run_program
from support.simulator import PRODUCT_SLUG, Simulator


@dataclass(frozen=True)
class Inventory:
    """The exit status and the output of `ansible-inventory`."""

    rc: int
    stdout: str
    stderr: str

    def succeeded(self) -> Inventory:
        """Check that there were no errors and no warnings, and return this `Inventory`."""
        assert self.rc == 0, f"{self.stdout}\n{self.stderr}"
        assert not self.stderr, self.stderr
        return self

    @property
    def _listed(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout, object_hook=_unwrap_unsafe))

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The variables of each host, keyed by host name."""
        return dict(self._listed["_meta"]["hostvars"])

    @property
    def groups(self) -> dict[str, list[str]]:
        """The host names of each group, keyed by group name, without the groups `all` and `ungrouped`."""
        every = {name: group.get("hosts", []) for name, group in self._listed.items()}
        return {name: hosts for name, hosts in every.items() if name not in ("_meta", "all", "ungrouped")}


def _unwrap_unsafe(found: dict[str, Any]) -> Any:
    """Replace the mapping `{"__ansible_unsafe": STRING}` by the string. Return any other mapping unchanged.

    `ansible-inventory` writes this mapping for a string that must not be used as a template.
    """
    return found["__ansible_unsafe"] if found.keys() == {"__ansible_unsafe"} else found


def write_inventory(folder: Path, name: str = "fleet", **options: Any) -> Path:
    """Write an inventory file for the inventory plugin `devices`, and return the path of the file.

    Without the options `products` and `account_devices`, the inventory contains the devices of the simulator's product.
    """
    path = folder / f"{name}.particle.yml"
    source_options = {} if {"products", "account_devices"} & options.keys() else {"products": [PRODUCT_SLUG]}
    path.write_text(json.dumps({"plugin": "meshfleet.particle.devices", **source_options, **options}))  # JSON is YAML
    return path


def read_inventory(source: Path, env: Mapping[str, str], *args: str, home: Path) -> Inventory:
    """Run `ansible-inventory` on a file or a folder, with `home` as the home folder.

    :param args: the arguments after `-i`; by default `--list`.
    """
    argv = [program_path("ansible-inventory"), "-i", str(source), *(args or ("--list",))]
    run = run_program(argv, env=ansible_environment(home, env), cwd=Path.cwd(), timeout=HANG_SECONDS)
    return Inventory(run.rc, run.stdout, run.stderr)


def read_cloud_inventory(cloud: Simulator, folder: Path, *args: str, **options: Any) -> Inventory:
    """Write an inventory file with these options, read it against `cloud`, and check that there are no warnings."""
    return read_inventory(
        write_inventory(folder, **options), cloud_environment(cloud.url), *args, home=folder
    ).succeeded()


def rename_device(cloud: Simulator, device: str, name: str) -> None:
    """Rename a device with a direct request to the cloud, without the collection."""
    requests.put(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices/{device}",
        json={"name": name},
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    ).raise_for_status()


def remove_device(cloud: Simulator, device: str) -> None:
    """Remove a device from its product with a direct request to the cloud, without the collection."""
    requests.delete(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices/{device}",
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    ).raise_for_status()


def measure_inventory(source: Path, env: Mapping[str, str], *, home: Path) -> dict[str, float]:
    """Measure how Ansible reads an inventory file.

    :returns: the number of `hosts`, the number of `groups`, the `cpu` time in seconds, and the memory peak in
        `megabytes`.
    """
    done = subprocess.run(
        [sys.executable, str(TESTS / "bench" / "peers" / "inventory.py"), str(source)],
        env=ansible_environment(home, env),
        capture_output=True,
        text=True,
        timeout=5 * HANG_SECONDS,
        check=True,
    )
    assert not done.stderr, done.stderr
    return dict(json.loads(done.stdout))
