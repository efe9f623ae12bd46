# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A backend is one row: a third one is declared, reconciled, listed, exported and reported like the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.data import InventoryData
from fleet_cloud import PRODUCT, ids_of

from ansible_collections.meshfleet.particle.plugins.inventory import devices as inventory
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import select_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import LISTING, RECONCILE, STATES
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.modules import device_info as info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import reconcile_task
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import build_rows, format_csv
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator
from support.toy_backend import NAME, ROW, Hub, running_hub

PIN = "hush-pin"
ONE, TWO, THREE = "T-0001", "T-0002", "T-0003"
YARD = {"networks": {"yard": {"backend": NAME, "band": "high"}}}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row that registers the backend. Whatever test asks for it fails without."""
    monkeypatch.setitem(BACKENDS, NAME, ROW)


def in_yard(tag: str, **more: Any) -> dict[str, Any]:
    return {"tag": tag, "mesh": {"network": "yard", "pin": PIN}, **more}


def mistakes(data: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ParticleError) as caught:
        read_manifest(data)
    assert PIN not in caught.value.message
    return caught.value.message.split("\n  ")[1:]


class Run:
    """Runs tasks against a hub, and against a cloud of which each request is counted."""

    def __init__(self, hub: Hub, cloud: ScriptedCloud, home: Path) -> None:
        self.hub, self.cloud, self.home = hub, cloud, home
        self.shown: list[str] = []

    def task(self, *, check_mode: bool = False, **options: Any) -> Task:
        given = {"api_url": self.cloud.url, "hub_url": self.hub.url, "hub_key": self.hub.key, **options}
        environment = {"HOME": str(self.home)}
        return Task(given, check_mode, self.shown.append, self.shown.append, environment=environment)

    def fleet(self, data: Mapping[str, Any], *, absent: bool = False, **options: Any) -> dict[str, Any]:
        """The result of a run of the engine, which never shows a secret."""
        manifest = read_manifest(data, absent=absent)
        proof = {"verify": "online", "verify_timeout": 0, "verify_strict": False}
        result = carry_out_work(self.task(**proof, **options), lambda task: reconcile_task(task, manifest))
        self.refuse_secrets(result)
        return result

    def info(self, **options: Any) -> dict[str, Any]:
        """The result of ``device_info``."""
        given = {"products": [], "account_devices": False, "include": ["mesh"], "variables": [], "mac_variable": None}
        result = carry_out_work(self.task(**{**given, "as_manifest": False, **options}), info.device_info)
        self.refuse_secrets(result)
        return result

    def refuse_secrets(self, result: Any) -> None:
        text = json.dumps(result) + "".join(self.shown)
        assert PIN not in text
        assert Hub.key not in text


@pytest.fixture
def run(row: None, hub: Hub, scripted_cloud: ScriptedCloud, tmp_path: Path, no_proxies: None) -> Iterator[Run]:
    """Runs with the row. The Particle cloud has no answer for anybody, so that a request to it ends the test."""
    yield Run(hub, scripted_cloud, tmp_path)
    assert scripted_cloud.requests == []


class TestWithoutItsRow:
    """Nothing else makes the backend known."""

    def test_the_manifest_names_the_backends_that_exist(self) -> None:
        found = mistakes({**YARD, "devices": [in_yard(ONE)]})
        assert "networks.yard.backend: must be one of ledger, networks, got 'hub'" in found
        assert any(sentence.startswith("devices[0].tag: unknown key") for sentence in found)

    def test_its_options_are_unknown(self) -> None:
        assert set(list_options(RECONCILE, STATES, LISTING)) == {"mesh_ledger", "mesh_status_ledger"}

    def test_its_members_are_listed_nowhere(self, hub: Hub, scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
        result = Run(hub, scripted_cloud, tmp_path).info()
        assert "account_devices is false" in result["error"]["message"]


@pytest.mark.usefixtures("row")
class TestTheManifest:
    """Reads what the rules of the backend say, before any request."""

    def test_members_have_an_identity_of_their_own(self) -> None:
        manifest = read_manifest({**YARD, "devices": [in_yard(ONE, name="gate")]})
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
            ({"id": "e00fce68aabbccddeeff0022", "mesh": {"network": "yard"}}, "devices[0].mesh.pin: must be a text, "),
            (
                {"mesh": {"network": "yard", "pin": PIN, "x": 1}},
                "devices[0].mesh.x: unknown key; valid keys are network, role, parameters, state, pin",
            ),
        ],
    )
    def test_a_mistake_is_told_by_the_rules(self, device: dict[str, Any], sentence: str) -> None:
        networks = {**YARD["networks"], "barn": {"backend": "networks"}}
        found = mistakes({"networks": networks, "devices": [{**in_yard(ONE), **device}]})
        assert any(one.startswith(sentence) for one in found), found

    def test_a_tag_stands_for_one_device(self) -> None:
        assert mistakes({**YARD, "devices": [in_yard(ONE), in_yard(ONE)]}) == [
            "devices[1].tag: 'T-0001' is already used at devices[0].tag"
        ]

    def test_keys_of_a_network_are_those_of_its_backend(self) -> None:
        networks = {"yard": {"backend": NAME, "band": "odd"}, "barn": {"band": "low", "backend": "networks"}}
        found = mistakes({"networks": networks, "devices": []})
        assert found[0].startswith("networks.yard.band: must be one of low, high, got 'odd'")
        assert found[1].startswith("networks.barn.band: unknown key")

    def test_a_device_of_the_cloud_needs_a_login(self) -> None:
        data = {**YARD, "devices": [in_yard(ONE), {"id": "e00fce68aabbccddeeff0022", "name": "lamp"}]}
        assert read_manifest(data).needs_login is True


class TestTheFleet:
    """Is reconciled without credentials, and without a word to the Particle cloud."""

    def test_a_second_run_writes_nothing(self, run: Run) -> None:
        data = {**YARD, "devices": [in_yard(ONE, name="gate"), in_yard(TWO)]}
        first = run.fleet(data)
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
        assert run.hub.pins == {ONE: PIN, TWO: PIN}
        assert run.fleet(data)["changed"] is False
        assert sorted(run.hub.writes) == [ONE, TWO]

    def test_check_mode_shows_the_writes_and_sends_none(self, run: Run) -> None:
        result = run.fleet({**YARD, "devices": [in_yard(ONE)]}, check_mode=True)
        assert result["changed"] is True
        assert result["diff"]["after"] == {ONE: {"mesh": {"network": "yard", "role": "node"}}}
        assert run.hub.writes == []

    @pytest.mark.parametrize("absent", [False, True])
    def test_members_leave(self, run: Run, absent: bool) -> None:
        run.fleet({**YARD, "devices": [in_yard(ONE), in_yard(TWO)]})
        gone = {**YARD, "devices": [in_yard(ONE) if absent else {"tag": ONE, "mesh": {"state": "absent"}}]}
        assert run.fleet(gone, absent=absent)["summary"]["changed"] == 1
        assert run.hub.tags[ONE] == {}
        assert run.hub.tags[TWO]["network"] == "yard"

    def test_a_network_is_dissolved_with_members_that_are_not_declared(self, run: Run) -> None:
        run.fleet({**YARD, "devices": [in_yard(ONE), in_yard(TWO)]})
        result = run.fleet({"networks": {"yard": {"backend": NAME, "state": "absent"}}, "devices": []})
        assert [(device["id"], device["identifier"]) for device in result["devices"]] == [(None, ONE), (None, TWO)]
        assert not any(run.hub.tags.values())

    def test_a_failure_is_that_of_one_member_and_holds_no_secret(self, run: Run) -> None:
        run.hub.refused_tags = {ONE}
        result = run.fleet({**YARD, "devices": [in_yard(ONE), in_yard(TWO)]})
        assert [device["status"] for device in result["devices"]] == ["failed", "changed"]
        assert "'pin': '********'" in result["devices"][0]["error"]["message"]

    def test_a_refusal_of_everything_holds_no_secret(self, run: Run) -> None:
        wrong = "hush-wrong-key"
        result = run.fleet({**YARD, "devices": [in_yard(ONE)]}, hub_key=wrong)
        assert result["failed"] is True
        assert wrong not in json.dumps(result)


@pytest.mark.usefixtures("row", "no_proxies")
class TestAFleetOfSeveralBackends:
    """A manifest has networks of all, and devices that are in the Particle cloud and in the hub."""

    def test_forms_and_then_rests(self, simulator: Simulator, hub: Hub, tmp_path: Path) -> None:
        one, two, three = ids_of(simulator, 3)
        data: dict[str, Any] = {
            "product": PRODUCT,
            "networks": {"barn": {}, **YARD["networks"]},
            "devices": [
                {"id": one, "mesh": {"network": "barn", "role": "gateway"}},
                {"id": two, "mesh": {"network": "barn"}},
                {"id": three, **in_yard(THREE, name="both")},
                in_yard(ONE),
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
        moved = {"before": {"network": "yard", "role": "node"}, "after": {"network": "barn", "role": "node"}}
        assert third["devices"][2]["changes"]["mesh"] == moved
        assert hub.tags[THREE] == {}
        data["networks"]["yard"] = {"backend": NAME, "state": "absent"}
        data["devices"].pop()
        fourth = reconcile(data)
        assert [device["identifier"] for device in fourth["devices"] if device["status"] == "changed"] == [ONE]
        assert reconcile(data)["changed"] is False


class TestTheFacts:
    """Members that the Particle cloud does not know are listed by their backend."""

    @pytest.fixture(autouse=True)
    def yard(self, run: Run) -> None:
        run.hub.names = {ONE: "gate"}
        run.fleet({**YARD, "devices": [in_yard(ONE), in_yard(TWO)]})

    def test_device_info_lists_members_with_their_state(self, run: Run) -> None:
        run.hub.tags[TWO]["heard"] = False
        found = {device["tag"]: device for device in run.info()["devices"]}
        assert found[ONE]["mesh"] == {"network": "yard", "role": "node", "state": "joined"}
        assert found[TWO]["mesh"]["state"] == "pending"
        assert (found[ONE]["id"], found[ONE]["name"], found[ONE]["online"]) == (None, "gate", True)

    def test_filters_choose_among_members(self, run: Run) -> None:
        assert run.info(filters={"networks": ["yard"], "name": "g*"})["count"] == 1

    def test_an_exported_manifest_has_nothing_to_write(self, run: Run) -> None:
        manifest = run.info(as_manifest=True)["manifest"]
        assert manifest == {
            "networks": {"yard": {"backend": NAME, "band": "high"}},
            "devices": [
                {"tag": ONE, "name": "gate", "mesh": {"network": "yard", "role": "node"}},
                {"tag": TWO, "mesh": {"network": "yard", "role": "node"}},
            ],
        }
        for device in manifest["devices"]:
            device["mesh"]["pin"] = PIN  # a secret is not exported
        assert run.fleet(manifest)["changed"] is False

    def test_the_report_has_a_row_for_each_member(self, run: Run) -> None:
        rows = build_rows(run.info()["devices"])
        assert [(row["id"], row["network"], row["state"]) for row in rows] == [
            (ONE, "yard", "joined"),
            (TWO, "yard", "joined"),
        ]
        assert f"gate,{ONE}," in format_csv(rows)

    def test_the_inventory_makes_a_host_of_each_member(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        options = {
            **dict.fromkeys(inventory.SPEC),
            **{"products": [], "account_devices": False, "accounts": [], "page_size": 100},
            **{"hostnames": ["name", "id"], "group_by": ["network", "mesh_role"]},
            **{"hub_url": run.hub.url, "hub_key": run.hub.key},
        }
        (gathered,) = inventory._read_accounts(options, Filters())
        plugin = inventory.InventoryModule()
        plugin.inventory = InventoryData()
        monkeypatch.setattr(plugin, "_construct", lambda variables: None)
        for _unused in range(2):  # a second source that shows the same devices names the same hosts
            plugin._add_hosts(select_devices(gathered, Filters(), 0.0), options)
        hosts = plugin.inventory.hosts
        assert len(hosts) == 2
        assert hosts["gate"].vars["particle"]["tag"] == ONE
        assert {host.name for host in plugin.inventory.groups["network_yard"].hosts} == set(hosts)
        assert "mesh_role_node" in plugin.inventory.groups
