# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the firmware library, and networks whose members are processes with this firmware.

The processes speak to the ledgers of the simulator as devices do. The simulator does not report for them.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest
import requests

from support.counts import count
from support.mesh_firmware import LIBRARY, MeshDevices, make_library, require_compiler, running_mesh_devices
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.processes import HANG_SECONDS, wait_until
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

NETWORKS = [f"site-{number}" for number in range(5)]
SIZE = count(quick=2, full=10)
"""The number of members of each network. The first one is the gateway."""
KILLS = count(quick=3, full=20)
FUZZ_INPUTS = count(quick=5_000, full=1_000_000)
RECONCILE = "Bring the fleet to its declared state"

Memberships = dict[str, tuple[str, str]]
"""The network and the role of each member."""


class Mesh:
    """Networks of device processes, and the manifest that declares them."""

    def __init__(self, cloud: Simulator, devices: MeshDevices, ids: list[str]) -> None:
        self.cloud = cloud
        self.devices = devices
        self.ids = ids
        self.wanted: Memberships = {
            device: (NETWORKS[at // SIZE], "node" if at % SIZE else "gateway") for at, device in enumerate(ids)
        }

    def provision(self, dissolved: str = "", leaving: str = "") -> PlaybookRun:
        """Run the role `provision` with the declared memberships, and wait until all members have joined.

        :param dissolved: a network to dissolve.
        :param leaving: a device that leaves its network.
        """
        networks: dict[str, Any] = {name: {"parameters": {"key": f"secret of {name}"}} for name in NETWORKS}
        if dissolved:
            networks[dissolved] = {"state": "absent"}
        devices: list[dict[str, Any]] = [
            {"id": device, "mesh": {"network": network, "role": role}}
            for device, (network, role) in self.wanted.items()
        ]
        if leaving:
            devices.append({"id": leaving, "mesh": {"state": "absent"}})
        return run_playbook(
            "meshfleet.particle.provision",
            env=cloud_environment(self.cloud.url),
            extra_vars={
                "provision_manifest": {"product": PRODUCT_SLUG, "networks": networks, "devices": devices},
                "provision_verify": "online",
                "provision_verify_timeout": int(HANG_SECONDS),
                "provision_verify_strict": True,
            },
        ).succeeded()

    def read_reports(self) -> Mapping[str, dict[str, Any]]:
        """Return the report of each device in the ledger `mesh-status`."""
        ledgers = [ledger for ledger in self.cloud.state()["ledgers"] if ledger["name"] == "mesh-status"]
        return {each["scope_value"]: each["data"] for ledger in ledgers for each in ledger["instances"]}

    def list_instructed(self) -> set[str]:
        """Return the devices that have an instance in the ledger `mesh`."""
        (ledger,) = (ledger for ledger in self.cloud.state()["ledgers"] if ledger["name"] == "mesh")
        return {each["scope_value"] for each in ledger["instances"]}

    def list_joined(self) -> Memberships:
        """Return the membership of each device that reports that it has joined through a member in its reach."""
        reports = self.read_reports()
        return {
            device: (report["network"], report["role"])
            for device, report in reports.items()
            if report["state"] == "joined" and self._has_valid_parent(device, report, reports)
        }

    def _has_valid_parent(self, device: str, report: dict[str, Any], reports: Mapping[str, dict[str, Any]]) -> bool:
        parent = report["parent"]
        if report["role"] == "gateway":
            return parent is None
        is_near = parent in self.devices.list_neighbours(device)
        return is_near and reports.get(parent, {}).get("network") == report["network"] and report["rssi"] < 0

    def list_children(self, parents: Collection[str]) -> list[str]:
        """Return the devices outside of `parents` that report that they have joined through one of `parents`."""
        reports = self.read_reports()
        return [device for device, report in reports.items() if report["parent"] in parents and device not in parents]

    def has_converged(self) -> bool:
        """Return whether each declared member has joined, according to itself and to its report, and no other has."""
        states = {device: self.devices.read_states(device)[-1:] for device in self.wanted}
        says_so = all(states[device] == [f"{network} joined"] for device, (network, _role) in self.wanted.items())
        return says_so and self.list_joined() == self.wanted

    def archive_instructions(self) -> None:
        """Archive the ledger `mesh`."""
        headers = {"Authorization": f"Bearer {self.cloud.access_token()}"}
        answer = requests.delete(f"{self.cloud.url}/v1/ledgers/mesh", headers=headers, timeout=HANG_SECONDS)
        assert answer.ok, answer.text


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    """Run five networks that the role `provision` has formed."""
    with running_simulator("--fleet", str(len(NETWORKS) * SIZE), clock="real") as cloud:
        ids = sorted(str(device["id"]) for device in cloud.state()["devices"])
        with running_mesh_devices(cloud, ids) as devices:
            mesh = Mesh(cloud, devices, ids)
            mesh.provision()
            yield mesh


def test_library_passes_its_tests_and_the_decoder_bears_any_input() -> None:
    require_compiler()
    output = make_library("check", f"FUZZ={FUZZ_INPUTS}")
    assert "0 failed" in output
    assert f"{FUZZ_INPUTS} inputs were decoded" in output


def test_adapter_and_examples_compile_against_documented_interface() -> None:
    require_compiler()
    assert "The adapter and the examples compile" in make_library("adapter")


def test_guide_shows_the_compiled_frame_for_a_radio() -> None:
    source = (LIBRARY / "examples" / "own-radio" / "own-radio.cpp").read_text(encoding="utf-8")
    code = source[source.index("#include") :]
    assert f"```cpp\n{code}```" in (ROOT / "docs" / "guide_mesh_firmware.md").read_text(encoding="utf-8")


def test_core_takes_less_than_8_kb_of_flash_and_allocates_nothing() -> None:
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("arm-none-eabi-g++ is needed to measure the library: run `make firmware` as root")
    assert "The core takes " in make_library("size")


def test_formed_networks_have_all_their_members(mesh: Mesh) -> None:
    # On a busy machine, a node may have lost its parent for a moment since the end of the run.
    wait_until(mesh.has_converged)


def test_nodes_are_lost_without_their_gateway_and_rejoin(mesh: Mesh) -> None:
    gateway, *nodes = mesh.ids[:SIZE]
    mesh.devices.kill(gateway)
    wait_until(lambda: all(mesh.read_reports()[node]["state"] == "lost" for node in nodes))
    mesh.devices.start(gateway)
    wait_until(mesh.has_converged)
    # The gateway remembers that it had joined, so it does not report that it joins for the first time.
    assert mesh.devices.read_states(gateway) == [f"{NETWORKS[0]} lost", f"{NETWORKS[0]} joined"]


def test_members_converge_after_random_kills(mesh: Mesh) -> None:
    chance = random.Random(7)
    killed = 0
    while killed < KILLS:
        victims = chance.sample(mesh.ids, k=min(chance.randint(1, 4), KILLS - killed))
        for device in victims:
            mesh.devices.kill(device)
        # The others notice that the killed ones are gone: they find another parent, or are lost.
        wait_until(lambda gone=victims: not mesh.list_children(gone))
        for device in victims:
            mesh.devices.start(device)
        killed += len(victims)
    wait_until(mesh.has_converged)


def test_changed_manifest_moves_replaces_and_dissolves(mesh: Mesh) -> None:
    # Given a manifest that moves a node to the next network, replaces the gateway of the third network by a node, and
    # dissolves the last network
    moved, old_gateway, new_gateway = mesh.ids[SIZE - 1], mesh.ids[2 * SIZE], mesh.ids[2 * SIZE + 1]
    dissolved = mesh.ids[-SIZE:]
    mesh.wanted[moved] = (NETWORKS[1], "node")
    mesh.wanted[new_gateway] = (NETWORKS[2], "gateway")
    for device in [old_gateway, *dissolved]:
        del mesh.wanted[device]

    # When the role has run
    run = mesh.provision(dissolved=NETWORKS[-1], leaving=old_gateway)

    # Then all members have joined as the manifest declares, and the others are about to leave
    leaving = [old_gateway, *dissolved]
    assert {each["id"] for each in run.result(RECONCILE)["devices"] if each["status"] == "pending"} == set(leaving)
    wait_until(lambda: mesh.wanted.items() <= mesh.list_joined().items())

    # And the devices report that they have left
    wait_until(lambda: all(mesh.read_reports()[device]["state"] == "left" for device in leaving))
    wait_until(mesh.has_converged)

    # And the next run deletes their instructions
    assert set(leaving) <= mesh.list_instructed()
    run = mesh.provision(dissolved=NETWORKS[-1], leaving=old_gateway)
    assert run.result(RECONCILE)["summary"]["pending"] == 0
    assert mesh.list_instructed() == set(mesh.wanted)


def test_member_rejoins_although_the_ledger_is_archived(mesh: Mesh) -> None:
    # This test is the last one, because the name of an archived ledger remains taken.
    mesh.archive_instructions()
    restarted = next(device for device, (_network, role) in mesh.wanted.items() if role == "node")
    mesh.devices.kill(restarted)
    mesh.devices.start(restarted)
    wait_until(mesh.has_converged)
