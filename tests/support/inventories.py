# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write inventory files, and read them with `ansible-inventory` as users do."""

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
from support.programs import program_path, run_program
from support.simulator import PRODUCT_SLUG, Simulator

RUN_SECONDS = 280.0


@dataclass(frozen=True)
class Inventory:
    """The result of `ansible-inventory`."""

    rc: int
    stdout: str
    stderr: str

    def succeeded(self) -> Inventory:
        """Check that the file was read without errors and warnings, and return this result."""
        assert self.rc == 0, f"{self.stdout}\n{self.stderr}"
        assert not self.stderr, self.stderr
        return self

    @property
    def _listed(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout, object_hook=_unwrap_unsafe))

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The variables of each host."""
        return dict(self._listed["_meta"]["hostvars"])

    @property
    def groups(self) -> dict[str, list[str]]:
        """The hosts of each group, without the groups that Ansible always has."""
        every = {name: group.get("hosts", []) for name, group in self._listed.items()}
        return {name: hosts for name, hosts in every.items() if name not in ("_meta", "all", "ungrouped")}


def _unwrap_unsafe(found: dict[str, Any]) -> Any:
    """Replace a text that Ansible marks as unsafe (not a template) with the text itself."""
    return found["__ansible_unsafe"] if found.keys() == {"__ansible_unsafe"} else found


def write_inventory(folder: Path, name: str = "fleet", **options: Any) -> Path:
    """Write an inventory file for the plugin, by default for the product of the simulator, and return its path."""
    path = folder / f"{name}.particle.yml"
    source_options = {} if {"products", "account_devices"} & options.keys() else {"products": [PRODUCT_SLUG]}
    path.write_text(json.dumps({"plugin": "meshfleet.particle.devices", **source_options, **options}))  # JSON is YAML
    return path


def read_inventory(source: Path, env: Mapping[str, str], *args: str, home: Path) -> Inventory:
    """Run `ansible-inventory --list` on a file or a folder, with its state below `home`."""
    argv = [program_path("ansible-inventory"), "-i", str(source), *(args or ("--list",))]
    run = run_program(argv, env=ansible_environment(home, env), cwd=Path.cwd(), timeout=RUN_SECONDS)
    return Inventory(run.rc, run.stdout, run.stderr)


def read_cloud_inventory(cloud: Simulator, folder: Path, *args: str, **options: Any) -> Inventory:
    """Read the inventory of a cloud from a file with these options, and check that there are no warnings."""
    return read_inventory(
        write_inventory(folder, **options), cloud_environment(cloud.url), *args, home=folder
    ).succeeded()


def rename_device(cloud: Simulator, device: str, name: str) -> None:
    """Rename a device as its owner, outside the collection."""
    requests.put(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices/{device}",
        json={"name": name},
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    ).raise_for_status()


def measure_inventory(source: Path, env: Mapping[str, str], *, home: Path) -> dict[str, float]:
    """Measure the reading of an inventory file: `hosts`, `groups`, `cpu` in seconds and peak `megabytes`."""
    done = subprocess.run(
        [sys.executable, str(TESTS / "bench" / "peers" / "inventory.py"), str(source)],
        env=ansible_environment(home, env),
        capture_output=True,
        text=True,
        timeout=10 * RUN_SECONDS,
        check=True,
    )
    assert not done.stderr, done.stderr
    return dict(json.loads(done.stdout))
