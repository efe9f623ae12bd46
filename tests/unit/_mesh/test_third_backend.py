# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A third mesh backend needs only one row to be declared, reconciled, listed, exported and reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.data import InventoryData
from fleet_cloud import PRODUCT, ids_of

from ansible_collections.meshfleet.particle.plugins.inventory import devices as inventory
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import select_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.inventory_names import build_host_names
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    LISTING,
    RECONCILE,
    STATES,
    MeshPlan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.modules import device_info as info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import reconcile_task
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import build_rows, format_csv
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator
from support.toy_backend import NAME, ROW, Hub, HubBackend, HubRules, running_hub

PIN = "hush-pin"
ONE, TWO, THREE = "T-0001", "T-0002", "T-0003"
YARD = {"networks": {"yard": {"backend": NAME, "band": "high"}}}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def registered_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the backend. Tests that use this fixture fail without it."""
    monkeypatch.setitem(BACKENDS, NAME, ROW)


def declare_device(tag: str, **more: Any) -> dict[str, Any]:
    """Return the declaration of a device in network yard."""
    return {"tag": tag, "mesh": {"network": "yard", "pin": PIN}, **more}


def read_mistakes(data: Mapping[str, Any]) -> list[str]:
    """Return the mistakes in a manifest, one sentence each."""
    with pytest.raises(ParticleError) as caught:
        read_manifest(data)
    assert PIN not in caught.value.message
    return caught.value.message.split("\n  ")[1:]


class TaskRunner:
    """Runs tasks with a hub and a scripted Particle cloud, and checks that no secret is shown."""

    def __init__(self, hub: Hub, cloud: ScriptedCloud, home: Path) -> None:
        self.hub, self.cloud, self.home = hub, cloud, home
        self.shown: list[str] = []

    def build_task(self, *, check_mode: bool = False, **options: Any) -> Task:
        all_options = {"api_url": self.cloud.url, "hub_url": self.hub.url, "hub_key": self.hub.key, **options}
        environment = {"HOME": str(self.home)}
        return Task(all_options, check_mode, self.shown.append, self.shown.append, environment=environment)

    def run_fleet(self, data: Mapping[str, Any], *, absent: bool = False, **options: Any) -> dict[str, Any]:
        """Return the result of reconciling a manifest."""
        manifest = read_manifest(data, absent=absent)
        options = {"verify": "online", "verify_timeout": 0, "verify_strict": False, **options}
        result = carry_out_work(self.build_task(**options), lambda task: reconcile_task(task, manifest))
        self.assert_no_secrets(result)
        return result

    def run_device_info(self, **options: Any) -> dict[str, Any]:
        """Return the result of ``device_info``."""
        defaults = {
            "products": [],
            "account_devices": False,
            "include": ["mesh"],
            "variables": [],
            "mac_variable": None,
        }
        result = carry_out_work(
            self.build_task(**{**defaults, "as_manifest": False, "manifest_form": "minimal", **options}),
            info.device_info,
        )
        self.assert_no_secrets(result)
        return result

    def assert_no_secrets(self, result: Any) -> None:
        text = repr(result) + "".join(self.shown)
        assert PIN not in text
        assert Hub.key not in text


@pytest.fixture
def runner(
    registered_row: None, hub: Hub, scripted_cloud: ScriptedCloud, tmp_path: Path, no_proxies: None
) -> Iterator[TaskRunner]:
    """Return a runner with the registered backend; any request to the Particle cloud fails the test."""
    yield TaskRunner(hub, scripted_cloud, tmp_path)
    assert scripted_cloud.requests == []


class TestUnregisteredBackend:
    """The backend is unknown until its row is registered."""

    def test_manifest_error_names_the_registered_backends(self) -> None:
        found = read_mistakes({**YARD, "devices": [declare_device(ONE)]})
        assert "networks.yard.backend: must be one of ledger, networks, thread, got 'hub'" in found
        assert any(sentence.startswith("devices[0].tag: unknown key") for sentence in found)

    def test_options_are_not_listed(self) -> None:
        assert set(list_options(RECONCILE, STATES, LISTING)) == {"mesh_ledger", "mesh_status_ledger", "thread_networks"}

    def test_members_are_not_listed(self, hub: Hub, scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
        result = TaskRunner(hub, scripted_cloud, tmp_path).run_device_info()
        assert "account_devices is false" in result["error"]["message"]


@pytest.mark.usefixtures("registered_row")
class TestManifest:
    """The rules of the backend check the manifest before any request."""

    def test_members_are_identified_by_tag(self) -> None:
        manifest = read_manifest({**YARD, "devices": [declare_device(ONE, name="gate")]})
        (record,) = manifest.devices
        assert (record.id, record.key, record.is_outside_cloud, record.is_identified) == (ONE, ONE, True, False)
        assert record.fields == {"name": "gate"}
        assert record.mesh is not None
        assert record.mesh.extra == {"pin": PIN, "tag": ONE}
        assert manifest.networks["yard"].extra == {"band": "high"}
        assert manifest.needs_login is False
        assert PIN not in repr(manifest)

    @pytest.mark.parametrize(
        ("device", "sentence"),
        [
            ({"tag": "X"}, "devices[0].tag: 'X' is not a tag (T- and 4 digits)"),
            (
                {"groups": ["a"]},
                "devices[0].groups: requires a device of the Particle cloud; declare id, serial_number, ",
            ),
            ({"mesh": {"network": "yard", "pin": "short"}}, "devices[0].mesh.pin: must have 6 characters or more"),
            ({"mesh": {"network": "barn"}}, "devices[0].tag: identifies members of backend hub; "),
            ({"id": "e00fce68aabbccddeeff0022", "mesh": {"network": "yard"}}, "devices[0].mesh.pin: must be a string"),
            (
                {"mesh": {"network": "yard", "pin": PIN, "x": 1}},
                "devices[0].mesh.x: unknown key; valid keys are network, role, parameters, state, pin",
            ),
        ],
    )
    def test_mistake_is_reported_by_the_rules(self, device: dict[str, Any], sentence: str) -> None:
        networks = {**YARD["networks"], "barn": {"backend": "networks"}}
        found = read_mistakes({"networks": networks, "devices": [{**declare_device(ONE), **device}]})
        assert any(mistake.startswith(sentence) for mistake in found), found

    def test_duplicate_tag_is_refused(self) -> None:
        assert read_mistakes({**YARD, "devices": [declare_device(ONE), declare_device(ONE)]}) == [
            "devices[1].tag: 'T-0001' is already used at devices[0].tag"
        ]

    def test_valid_network_keys_depend_on_the_backend(self) -> None:
        networks = {"yard": {"backend": NAME, "band": "odd"}, "barn": {"band": "low", "backend": "networks"}}
        found = read_mistakes({"networks": networks, "devices": []})
        assert found[0].startswith("networks.yard.band: must be one of low, high, got 'odd'")
        assert found[1].startswith("networks.barn.band: unknown key")

    def test_device_of_the_cloud_requires_a_login(self) -> None:
        data = {**YARD, "devices": [declare_device(ONE), {"id": "e00fce68aabbccddeeff0022", "name": "lamp"}]}
        assert read_manifest(data).needs_login is True


class TestFleet:
    """Members are reconciled without credentials for the Particle cloud and without a request to it."""

    def test_second_run_writes_nothing(self, runner: TaskRunner) -> None:
        data = {**YARD, "devices": [declare_device(ONE, name="gate"), declare_device(TWO)]}
        first = runner.run_fleet(data)
        assert first["changed"] is True
        joined = {"network": "yard", "role": "node"}
        assert first["devices"][0] == {
            "id": None,
            "identifier": ONE,
            "name": "gate",
            "status": "changed",
            "changes": {"mesh": {"before": None, "after": joined}},
            "mesh": "joined",
            "error": None,
        }
        assert first["networks"] == {"yard": {"gateways": 0, "nodes": 2, "joined": 2, "lost": 0, "pending": 0}}
        assert first["cloud"]["requests"] == 0
        assert runner.hub.pins == {ONE: PIN, TWO: PIN}
        assert runner.run_fleet(data)["changed"] is False
        assert sorted(runner.hub.writes) == [ONE, TWO]

    def test_check_mode_shows_the_writes_and_sends_none(self, runner: TaskRunner) -> None:
        result = runner.run_fleet({**YARD, "devices": [declare_device(ONE)]}, check_mode=True)
        assert result["changed"] is True
        (changed,) = result["diff"].items
        assert (changed.key, changed.changes) == (ONE, {"mesh": (None, {"network": "yard", "role": "node"})})
        assert runner.hub.writes == []

    @pytest.mark.parametrize("absent", [False, True])
    def test_removed_member_leaves_and_the_other_stays(self, runner: TaskRunner, absent: bool) -> None:
        runner.run_fleet({**YARD, "devices": [declare_device(ONE), declare_device(TWO)]})
        remaining = {**YARD, "devices": [declare_device(ONE) if absent else {"tag": ONE, "mesh": {"state": "absent"}}]}
        assert runner.run_fleet(remaining, absent=absent)["summary"]["changed"] == 1
        assert runner.hub.tags[ONE] == {}
        assert runner.hub.tags[TWO]["network"] == "yard"

    def test_dissolved_network_releases_undeclared_members(self, runner: TaskRunner) -> None:
        runner.run_fleet({**YARD, "devices": [declare_device(ONE), declare_device(TWO)]})
        result = runner.run_fleet({"networks": {"yard": {"backend": NAME, "state": "absent"}}, "devices": []})
        assert [(device["id"], device["identifier"]) for device in result["devices"]] == [(None, ONE), (None, TWO)]
        assert not any(runner.hub.tags.values())

    def test_refused_member_fails_alone_without_showing_secrets(self, runner: TaskRunner) -> None:
        runner.hub.refused_tags = {ONE}
        result = runner.run_fleet({**YARD, "devices": [declare_device(ONE), declare_device(TWO)]})
        assert [device["status"] for device in result["devices"]] == ["failed", "changed"]
        assert "'pin': '********'" in result["devices"][0]["error"]["message"]

    @pytest.mark.parametrize("strict", [False, True])
    def test_silent_member_is_pending_unless_strict(
        self, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch, strict: bool
    ) -> None:
        monkeypatch.setattr(HubBackend, "silent_tags", {ONE})
        data = {**YARD, "devices": [declare_device(ONE), declare_device(TWO)]}
        result = runner.run_fleet(data, verify_strict=strict, verify_timeout=3600)
        (silent, heard) = result["devices"]
        assert (silent["status"], heard["status"]) == ("failed" if strict else "pending", "changed")
        assert silent["error"]["message"] == "Tag T-0001 was not heard."
        assert bool(result.get("failed")) is strict

    def test_network_without_members_is_planned_only_if_the_rules_ask_for_it(
        self, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planned: list[set[str]] = []
        monkeypatch.setattr(HubBackend, "observe", lambda self, target, networks, devices: planned.append({*networks}))
        monkeypatch.setattr(HubBackend, "plan", lambda *arguments: MeshPlan())
        for forms_networks in (False, True):
            monkeypatch.setattr(HubRules, "forms_networks", forms_networks)
            runner.run_fleet({**YARD, "devices": []})
        assert planned == [{"yard"}]

    def test_refused_hub_key_is_not_shown(self, runner: TaskRunner) -> None:
        wrong = "hush-wrong-key"
        result = runner.run_fleet({**YARD, "devices": [declare_device(ONE)]}, hub_key=wrong)
        assert result["failed"] is True
        assert wrong not in repr(result)


@pytest.mark.usefixtures("registered_row", "no_proxies")
class TestFleetWithSeveralBackends:
    """A manifest can declare networks of several backends, and devices of the Particle cloud and of the hub."""

    def test_fleet_stays_unchanged_after_forming_moving_and_dissolving(
        self, simulator: Simulator, hub: Hub, tmp_path: Path
    ) -> None:
        one, two, three = ids_of(simulator, 3)
        data: dict[str, Any] = {
            "product": PRODUCT,
            "networks": {"barn": {}, **YARD["networks"]},
            "devices": [
                {"id": one, "mesh": {"network": "barn", "role": "gateway"}},
                {"id": two, "mesh": {"network": "barn"}},
                {"id": three, **declare_device(THREE, name="both")},
                declare_device(ONE),
            ],
        }
        options = {"verify": "online", "verify_timeout": 0, "verify_strict": False, "hub_url": hub.url}
        login = {"api_url": simulator.url, "username": USERNAME, "password": PASSWORD, "hub_key": hub.key}

        def reconcile(data: Mapping[str, Any]) -> dict[str, Any]:
            manifest = read_manifest(data)
            names = dict.fromkeys(("mesh_ledger", "mesh_status_ledger"))
            names |= {"mesh_ledger": "mesh", "mesh_status_ledger": "mesh-status"}
            task = Task({**options, **login, **names}, False, list[str]().append, list[str]().append)
            task.environment = {"HOME": str(tmp_path)}
            return carry_out_work(task, lambda task: reconcile_task(task, manifest))

        first = reconcile(data)
        assert not first.get("failed"), first
        assert [device["id"] for device in first["devices"]] == [one, two, three, None]
        assert hub.tags[THREE]["network"] == hub.tags[ONE]["network"] == "yard"
        assert first["networks"]["yard"]["joined"] == 2
        assert [device["name"] for device in simulator.state()["devices"] if device["id"] == three] == ["both"]
        second = reconcile(data)
        assert second["changed"] is False
        assert second["cloud"]["writes"] == 0
        data["devices"][2]["mesh"] = {"network": "barn"}
        third = reconcile(data)
        change = {"before": {"network": "yard", "role": "node"}, "after": {"network": "barn", "role": "node"}}
        assert third["devices"][2]["changes"]["mesh"] == change
        assert hub.tags[THREE] == {}
        data["networks"]["yard"] = {"backend": NAME, "state": "absent"}
        data["devices"].pop()
        fourth = reconcile(data)
        assert [device["identifier"] for device in fourth["devices"] if device["status"] == "changed"] == [ONE]
        assert reconcile(data)["changed"] is False


class TestFacts:
    """Members outside the Particle cloud are listed by their backend."""

    @pytest.fixture(autouse=True)
    def yard(self, runner: TaskRunner) -> None:
        runner.hub.names = {ONE: "gate"}
        runner.run_fleet({**YARD, "devices": [declare_device(ONE), declare_device(TWO)]})

    def test_device_info_lists_members_with_their_state(self, runner: TaskRunner) -> None:
        runner.hub.tags[TWO]["heard"] = False
        found = {device["tag"]: device for device in runner.run_device_info()["devices"]}
        assert found[ONE]["mesh"] == {"network": "yard", "role": "node", "state": "joined"}
        assert found[TWO]["mesh"]["state"] == "pending"
        assert (found[ONE]["id"], found[ONE]["name"], found[ONE]["online"]) == (None, "gate", True)

    def test_filters_select_members(self, runner: TaskRunner) -> None:
        assert runner.run_device_info(filters={"networks": ["yard"], "name": "g*"})["count"] == 1

    def test_member_without_a_name_keeps_its_identity_as_host_name(self) -> None:
        devices = {ONE: {"name": None}, TWO: {"name": ONE}}
        assert build_host_names(devices, ["name", "id"], {}) == {ONE: ONE, TWO: TWO}

    def test_exported_manifest_changes_nothing(self, runner: TaskRunner) -> None:
        manifest = runner.run_device_info(as_manifest=True)["manifest"]
        assert manifest == {
            "networks": {"yard": {"backend": NAME, "band": "high"}},
            "devices": [
                {"tag": ONE, "name": "gate", "mesh": {"network": "yard", "role": "node"}},
                {"tag": TWO, "mesh": {"network": "yard", "role": "node"}},
            ],
        }
        for device in manifest["devices"]:
            device["mesh"]["pin"] = PIN  # a secret is not exported
        assert runner.run_fleet(manifest)["changed"] is False

    def test_the_report_has_a_row_for_each_member(self, runner: TaskRunner) -> None:
        rows = list(build_rows(runner.run_device_info()["devices"]))
        assert [(row["id"], row["network"], row["state"]) for row in rows] == [
            (ONE, "yard", "joined"),
            (TWO, "yard", "joined"),
        ]
        assert f"gate,{ONE}," in format_csv(rows)

    def test_inventory_has_a_host_for_each_member(self, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        options = {
            **dict.fromkeys(inventory.SPEC),
            **{"products": [], "account_devices": False, "accounts": [], "page_size": 100},
            **{"hostnames": ["name", "id"], "group_by": ["network", "mesh_role"]},
            **{"hub_url": runner.hub.url, "hub_key": runner.hub.key},
        }
        (gathered,) = inventory.read_accounts(options, Filters())
        plugin = inventory.InventoryModule()
        plugin.inventory = InventoryData()
        monkeypatch.setattr(plugin, "_construct", lambda constructed, devices: None)
        for _unused in range(2):  # a second source that shows the same devices names the same hosts
            plugin._add_hosts(select_devices(gathered, Filters(), 0.0), options)
        hosts = plugin.inventory.hosts
        assert len(hosts) == 2
        assert hosts["gate"].vars["particle"]["tag"] == ONE
        assert {host.name for host in plugin.inventory.groups["network_yard"].hosts} == set(hosts)
        assert "mesh_role_node" in plugin.inventory.groups
