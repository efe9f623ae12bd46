# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The task list of the simulated border router, and its other tasks (otbr-rest.md, section 4)."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from support.otbr_client import JSON_API, NODES, UNKNOWN_NODE, UPDATE, Router

JOIN = "addThreadDeviceTask"
UPDATING = "updateDeviceCollectionTask"
ASKING = "getNetworkDiagnosticTask"
SILENT = {"eui": UNKNOWN_NODE, "pskd": "J01NME", "timeout": 600}
NO_TASK = "0d71a26c-c9aa-447e-aa9a-3a640ca7f1d8"


class TestList:
    """Posting, reading and deleting tasks (otbr-rest.md, section 4.1)."""

    def test_new_task_is_answered_with_its_id_and_status(self, leader: Router) -> None:
        answer = leader.post((JOIN, SILENT))
        assert answer.headers["Content-Type"] == JSON_API
        assert answer.json()["meta"] == {"collection": {"offset": 0, "limit": 200, "total": 1}}
        (item,) = answer.json()["data"]
        assert UUID(item["id"]).version == 4
        assert item["attributes"] == SILENT | {"status": "undiscovered"}

    def test_list_shows_times_and_the_number_of_waiting_tasks(self, leader: Router) -> None:
        leader.post((JOIN, SILENT), (JOIN, SILENT))
        answer = leader.get("/api/actions")
        assert answer["meta"]["collection"] == {"offset": 0, "limit": 200, "total": 2, "pending": 1}
        assert all(item["attributes"]["created"].endswith("+00:00") for item in answer["data"])

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ("{}", 422),
            ('{"data": {}}', 422),
            ('{"data": []}', 200),
            ("", 400),
            ('{"data": ', 400),
            ('{"data": [{"type": "addThreadDeviceTask"}]}', 422),
            ('{"data": [{"type": "unknownTask", "attributes": {}}]}', 422),
            ('{"data": [{"type": "discoverThreadNetworksTask", "attributes": {"timeout": 5}}]}', 422),
            ('{"data": [5]}', 422),
        ],
    )
    def test_form_of_the_body(self, leader: Router, body: str, status: int) -> None:
        assert leader.call("POST", "/api/actions", body, Content_Type=JSON_API).status_code == status

    def test_one_wrong_task_refuses_all(self, leader: Router) -> None:
        assert leader.post((JOIN, SILENT), (JOIN, {})).status_code == 422
        assert leader.get("/api/actions")["data"] == []

    def test_task_can_be_deleted_once(self, leader: Router) -> None:
        task = leader.start(JOIN, SILENT)
        assert [leader.call("DELETE", f"/api/actions/{task}").status_code for _unused in range(2)] == [204, 404]

    @pytest.mark.parametrize("task", [NO_TASK, "5", "x"])
    def test_unknown_task_is_not_found(self, leader: Router, task: str) -> None:
        assert leader.call("GET", f"/api/actions/{task}").status_code == 404

    def test_all_tasks_are_deleted_at_once(self, leader: Router) -> None:
        leader.post((JOIN, SILENT), (UPDATING, UPDATE))
        assert leader.call("DELETE", "/api/actions").status_code == 204
        assert leader.get("/api/actions")["data"] == []
        assert leader.joiners() == []

    def test_timeout_counts_down_and_disappears(self, leader: Router) -> None:
        task = leader.start(JOIN, {**SILENT, "timeout": 60})
        assert leader.after(20).task(task)["attributes"]["timeout"] == 40
        leader.after(50).get("/node")
        assert "timeout" not in leader.task(task)["attributes"]

    def test_idle_border_router_notices_the_end_late(self, leader: Router) -> None:
        task = leader.start(JOIN, {**SILENT, "timeout": 6})
        attributes = leader.after(8).task(task)["attributes"]
        assert (attributes["status"], attributes["timeout"]) == ("undiscovered", 0)
        assert leader.status(task) == "stopped"

    def test_oldest_running_tasks_make_room_for_new_ones(self, leader: Router) -> None:
        def post(numbers: range) -> list[str]:
            tasks = [(JOIN, {**SILENT, "eui": f"{number:016x}"}) for number in numbers]
            return [item["id"] for item in leader.post(*tasks).json()["data"]]

        first, second = post(range(150)), post(range(150, 300))
        listed = {item["id"] for item in leader.get("/api/actions")["data"]}
        assert listed == {*first[100:], *second}

    def test_two_hundred_waiting_tasks_are_the_limit(self, router: Router) -> None:
        router.post(*[(UPDATING, UPDATE)] * 200)
        assert router.get("/api/actions")["meta"]["collection"]["pending"] == 200
        assert router.post((UPDATING, UPDATE)).status_code == 503

    def test_long_list_has_no_order(self, leader: Router) -> None:
        tasks = [(JOIN, {**SILENT, "eui": f"{number:016x}"}) for number in range(20)]
        leader.post(*tasks)
        orders = {tuple(item["id"] for item in leader.get("/api/actions")["data"]) for _unused in range(3)}
        assert len(orders) > 1


class TestUpdate:
    """The task that fills the device cache (otbr-rest.md, section 4.3)."""

    @pytest.mark.parametrize("missing", sorted(UPDATE))
    def test_all_attributes_are_required(self, leader: Router, missing: str) -> None:
        attributes = {name: value for name, value in UPDATE.items() if name != missing}
        assert leader.post((UPDATING, attributes)).status_code == 422

    @pytest.mark.parametrize("seconds", [12, 25, 40])
    def test_update_takes_as_long_as_its_timeout(self, leader: Router, seconds: int) -> None:
        task = leader.start(UPDATING, {**UPDATE, "deviceCount": 1, "timeout": seconds})
        assert leader.after(seconds).status(task) == "active"
        assert leader.after(0.5).status(task) == "completed"

    @pytest.mark.parametrize("seconds", [3, 5])
    def test_short_update_is_stopped_and_changes_nothing(self, leader: Router, seconds: int) -> None:
        leader.call("DELETE", "/api/devices")
        task = leader.start(UPDATING, {**UPDATE, "timeout": seconds})
        leader.after(11)
        assert leader.status(task) == "stopped"
        assert leader.devices() == {}

    def test_update_without_a_network_waits(self, router: Router) -> None:
        task = router.start(UPDATING, {**UPDATE, "timeout": 30})
        assert router.after(20).status(task) == "pending"

    def test_updates_run_one_after_the_other(self, leader: Router) -> None:
        first, second = (leader.start(UPDATING, UPDATE) for _unused in range(2))
        leader.after(5)
        assert [leader.status(first), leader.status(second)] == ["active", "pending"]

    def test_update_completes_with_fewer_devices_than_expected(self, leader: Router) -> None:
        assert leader.refresh() == "completed"
        assert len(leader.devices()) == 1


class TestDiagnostics:
    """Questions to single devices (otbr-rest.md, section 4.4)."""

    @pytest.mark.parametrize(
        "attributes",
        [
            {"types": ["eui"], "timeout": 8},
            {"destination": "0011223344556677", "timeout": 8},
            {"destination": "0011223344556677", "types": ["eui"]},
            {"destination": "0011223344556677", "types": ["colour"], "timeout": 8},
            {"destination": "0011223344556677", "types": "eui", "timeout": 8},
            {"destination": "barn", "types": ["eui"], "timeout": 8},
        ],
    )
    def test_wrong_form_is_refused(self, leader: Router, attributes: dict[str, Any]) -> None:
        assert leader.post((ASKING, attributes)).status_code == 422

    def test_device_answers_with_its_eui(self, leader: Router) -> None:
        leader.join(0)
        leader.refresh()
        address = leader.otbr.node(NODES[0])["ext_address"]
        answer = leader.ask(address, "eui", "extAddress", "rloc16")
        assert answer is not None
        assert (answer["eui"], answer["extAddress"]) == (NODES[0], address)
        assert answer["rloc16"].startswith("0x")

    def test_unknown_address_waits_and_is_stopped(self, leader: Router) -> None:
        leader.join(0)
        address = leader.otbr.node(NODES[0])["ext_address"]
        task = leader.start(ASKING, {"destination": address, "types": ["eui"], "timeout": 8})
        assert leader.after(7).status(task) == "pending"
        leader.after(2).get("/node")
        assert leader.status(task) == "stopped"

    @pytest.mark.parametrize("kind", ["rloc16", "mleid"])
    def test_other_kinds_of_destination_have_a_dead_result(self, leader: Router, kind: str) -> None:
        own = leader.get("/node")
        more = {"destinationType": "mleid"} if kind == "mleid" else {}
        destination = own["rloc16"] if kind == "rloc16" else "0011223344556677"
        task = leader.start(ASKING, {"destination": destination, "types": ["eui"], "timeout": 8, **more})
        found = leader.after(0.5).task(task)
        assert found["attributes"]["status"] == "completed"
        result = found["relationships"]["result"]["data"]["id"]
        assert leader.call("GET", f"/api/diagnostics/{result}").status_code == 404

    def test_empty_list_of_types_is_accepted(self, leader: Router) -> None:
        leader.refresh()
        assert set(leader.ask(leader.get("/node")["extAddress"]) or {}) == {"brCounters"}

    def test_device_without_power_does_not_answer(self, leader: Router) -> None:
        leader.join(0)
        leader.refresh()
        address = leader.otbr.node(NODES[0])["ext_address"]
        leader.otbr.change_node(NODES[0], powered=False)
        task = leader.start(ASKING, {"destination": address, "types": ["eui"], "timeout": 8})
        leader.after(10).get("/node")
        assert leader.status(task) == "stopped"

    def test_sleepy_device_answers_at_its_next_poll(self, leader: Router) -> None:
        sleepy = "18b4300000000100"
        leader.otbr.add_nodes([{"eui64": sleepy, "pskd": "J01NME", "kind": "sleepy", "poll_seconds": 5}])
        leader.start(JOIN, {"eui": sleepy, "pskd": "J01NME"})
        leader.after(15)
        leader.refresh()
        address = leader.otbr.node(sleepy)["ext_address"]
        task = leader.start(ASKING, {"destination": address, "types": ["eui", "timeout"], "timeout": 8})
        assert leader.after(4).status(task) == "active"
        assert leader.after(2).status(task) == "completed"
        task = leader.start(ASKING, {"destination": address, "types": ["eui"], "timeout": 4})
        leader.after(10).get("/node")
        assert leader.status(task) == "stopped"

    def test_router_names_its_children_with_their_signal(self, leader: Router) -> None:
        leader.join(0)
        leader.refresh()
        answer = leader.ask(leader.get("/node")["extAddress"], "children", "childTable", "rloc16", "route")
        assert answer is not None
        (child,) = answer["children"]
        node = leader.otbr.node(NODES[0])
        assert (child["extAddress"], child["rloc16"]) == (node["ext_address"], node["rloc16"])
        assert int(child["rloc16"], 16) == int(answer["rloc16"], 16) | child["childId"]
        assert int(answer["rloc16"], 16) == answer["routerId"] << 10
        assert child["timeout"] == 240
        assert child["averageRssi"] < 0 < child["linkMargin"]
        assert answer["childTable"][0]["linkQuality"] in range(4)
        assert "brCounters" in answer

    def test_routers_name_each_other(self, leader: Router) -> None:
        leader.join(0)
        leader.after(120)
        leader.refresh()
        own = leader.get("/node")["extAddress"]
        address = leader.otbr.node(NODES[0])["ext_address"]
        neighbours = [(leader.ask(each, "routerNeighbors") or {})["routerNeighbors"] for each in (own, address)]
        assert [rows[0]["extAddress"] for rows in neighbours] == [address, own]
        assert (leader.ask(address, "children") or {})["children"] == []

    def test_every_name_of_the_facts_is_known(self, leader: Router) -> None:
        names = (
            "extAddress rloc16 mode timeout connectivity route leaderData networkData ipv6Addresses macCounters "
            "batteryLevel supplyVoltage childTable channelPages maxChildTimeout lDevIdSubject iDevIdCert eui "
            "threadVersion vendorName vendorModel vendorSwVersion threadStackVersion children childIpv6Addresses "
            "routerNeighbors mleCounters"
        )
        leader.refresh()
        answer = leader.ask(leader.get("/node")["extAddress"], *names.split())
        assert answer is not None
        assert answer["threadVersion"] == 5
        assert set(answer["connectivity"]) == {
            *"parentPriority linkQuality3 linkQuality2 linkQuality1 leaderCost idSequence activeRouters".split(),
            *"sedBufferSize sedDatagramCount".split(),
        }
        assert "batteryLevel" not in answer

    def test_results_can_be_deleted(self, leader: Router) -> None:
        leader.refresh()
        leader.ask(leader.get("/node")["extAddress"], "eui")
        (item,) = leader.get("/api/diagnostics")["data"]
        assert item["type"] == "networkDiagnostics"
        for status in (204, 404):
            assert leader.call("DELETE", f"/api/diagnostics/{item['id']}").status_code == status
        assert leader.call("DELETE", "/api/diagnostics/x").status_code == 404
        assert leader.call("DELETE", "/api/diagnostics").status_code == 204


class TestOtherTasks:
    """Counters and energy scans (otbr-rest.md, section 4.5)."""

    def test_reset_of_counters_completes_at_once(self, leader: Router) -> None:
        task = leader.start("resetNetworkDiagCounterTask", {"types": ["macCounters"], "timeout": 5})
        assert leader.status(task) == "completed"
        assert leader.post(("resetNetworkDiagCounterTask", {"types": ["eui"], "timeout": 5})).status_code == 422

    def test_energy_scan_reports_each_channel(self, leader: Router) -> None:
        scan = {"channelMask": [11, 15, 26], "count": 2, "period": 32, "scanDuration": 16, "timeout": 30}
        task = leader.start("getEnergyScanTask", {**scan, "destination": leader.get("/node")["extAddress"]})
        assert leader.after(1).get("/node/commissioner/state") == "active"
        found = leader.after(3).task(task)
        assert found["attributes"]["status"] == "completed"
        result = found["relationships"]["result"]["data"]
        assert result["type"] == "energyScanReport"
        report = leader.get(f"/api/diagnostics/{result['id']}")["data"]["attributes"]["report"]
        assert report == [{"channel": channel, "maxRssi": [-98, -98]} for channel in (11, 15, 26)]
        assert leader.get("/node/commissioner/state") == "disabled"

    @pytest.mark.parametrize("change", [{"channelMask": [10]}, {"channelMask": []}, {"count": None}])
    def test_wrong_energy_scan_is_refused(self, leader: Router, change: dict[str, Any]) -> None:
        scan = {"destination": "0011223344556677", "channelMask": [11], "count": 2, "period": 32}
        scan |= {"scanDuration": 16, "timeout": 30} | change
        assert leader.post(("getEnergyScanTask", scan)).status_code == 422


def test_refresh_tasks_are_counted_apart_from_writes(leader: Router) -> None:
    before = leader.otbr.stats()
    leader.call("DELETE", "/api/devices")
    leader.refresh()
    leader.ask(leader.get("/node")["extAddress"], "eui")
    after = leader.otbr.stats()
    assert after["writes"] == before["writes"]
    assert after["upkeep"] - before["upkeep"] == 3
    leader.start_join(0)
    assert leader.otbr.stats()["writes"] == before["writes"] + 1
    assert leader.otbr.stats()["tasks"] == {JOIN: 1, UPDATING: 1, ASKING: 1}
    latest = leader.otbr.writes()[-1]
    assert (latest["router"], latest["route"], latest["kind"]) == ("router1", "POST /api/actions", "write")
    assert (latest["tasks"], latest["status"]) == ([JOIN], 200)
    assert json.loads(latest["body"])["data"][0]["attributes"]["eui"] == NODES[0]
