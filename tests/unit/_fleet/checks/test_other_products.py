# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that check mode does not promise imports and claims that the cloud would refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import PRODUCT, device_id, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import import_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.simulator import PRODUCT_ID, USERNAME, Simulator, running_simulator

MEMBER, OTHER, OTHER_LABELLED, OWN, OWN_ELSEWHERE, NEW, UNKNOWN = (device_id(number) for number in range(1, 8))
LABEL = "P046AB00000003X"
OTHER_PRODUCT = "pump-watch"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A cloud with two products of the account, devices that the account has claimed, and a new device."""
    fleet = tmp_path_factory.mktemp("fleet") / "fleet.json"
    fleet.write_text(
        json.dumps(
            [
                {"id": MEMBER, "product_id": PRODUCT_ID},
                {"id": OTHER},
                {"id": OTHER_LABELLED, "serial_number": LABEL},
                {"id": OWN, "owner": USERNAME},
                {"id": OWN_ELSEWHERE, "owner": USERNAME},
                {"id": NEW},
            ]
        )
    )
    with running_simulator("--fleet", str(fleet)) as simulator:
        with user(simulator) as http:
            product = {"product": {"name": OTHER_PRODUCT, "platform_id": 13}}
            created = http.send(Request("POST /v1/user/products", "set up", json=product)).data["product"]
            import_devices(http, str(created["id"]), [OTHER, OTHER_LABELLED, OWN_ELSEWHERE])
        yield simulator


def declare(*devices: dict[str, Any]) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": list(devices)}


def test_check_mode_refuses_devices_of_other_products(cloud: Simulator) -> None:
    ids = [{"id": device} for device in (MEMBER, OTHER, OWN, OWN_ELSEWHERE, NEW, UNKNOWN)]
    data = declare(*ids, {"serial_number": LABEL, "groups": ["north"]})
    with user(cloud) as http:
        predicted = run(http, data, check_mode=True)
        assert len(http.sent) < 10
        assert http.writes == []
    rows = {row["identifier"]: row for row in predicted["devices"]}
    failed = (OTHER, OWN_ELSEWHERE, LABEL)
    assert {key for key, row in rows.items() if row["status"] == "failed"} == set(failed)
    assert all(rows[key]["error"]["code"] == "device_not_yours" for key in failed)
    assert all(f"it is in product {OTHER_PRODUCT}" in rows[key]["error"]["message"] for key in failed)
    assert {key for key, row in rows.items() if row.get("uncertain")} == {NEW, UNKNOWN}
    assert predicted["failed"] is True
    assert predicted["diff"].created == {}


def test_certain_devices_need_no_further_request(cloud: Simulator) -> None:
    with user(cloud) as http:
        predicted = run(http, declare({"id": MEMBER, "name": "a"}), check_mode=True)
        assert "GET /v1/user/products" not in [request.route for request in http.sent]
    assert "uncertain" not in predicted["devices"][0]


def test_claim_of_an_unknown_device_is_uncertain(cloud: Simulator) -> None:
    with user(cloud) as http:
        data = {"devices": [{"id": UNKNOWN, "claimed": True}, {"id": OWN, "claimed": True}]}
        predicted = run(http, data, check_mode=True)
    assert [row.get("uncertain") for row in predicted["devices"]] == [True, None]


@pytest.fixture(scope="module")
def many_products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A cloud with 25 more products of the account, each with 101 devices, and only the first one with labels."""
    fleet = tmp_path_factory.mktemp("fleet") / "fleet.json"
    fleet.write_text(json.dumps([{"id": device_id(number)} for number in range(101 * 25)]))
    with running_simulator("--fleet", str(fleet)) as simulator:
        with user(simulator) as http:
            for index in range(25):
                product = {"product": {"name": f"other-{index}", "platform_id": 13}}
                created = http.send(Request("POST /v1/user/products", "set up", json=product)).data["product"]
                ids = [device_id(number) for number in range(index * 101, index * 101 + 101)]
                import_devices(http, str(created["id"]), ids)
        yield simulator


def test_search_in_many_products_sends_a_bounded_number_of_requests(many_products: Simulator) -> None:
    near, far = device_id(0), device_id(101 * 25 - 1)
    with user(many_products) as http:
        predicted = run(http, declare({"id": near}, {"id": far}), check_mode=True)
        assert [request.route for request in http.sent].count("GET /v1/products/:p/devices") <= 21
    rows = {row["identifier"]: row for row in predicted["devices"]}
    assert rows[near]["error"]["code"] == "device_not_yours"
    assert (rows[far]["status"], rows[far]["uncertain"]) == ("changed", True)


def test_search_for_one_device_reads_one_page_of_each_product(many_products: Simulator) -> None:
    device = device_id(101 * 15)
    with user(many_products) as http:
        predicted = run(http, declare({"id": device}), check_mode=True)
        assert [request.route for request in http.sent].count("GET /v1/products/:p/devices") <= 21
    assert "it is in product other-15" in predicted["devices"][0]["error"]["message"]


def test_check_mode_removes_no_device_that_a_run_keeps(cloud: Simulator) -> None:
    data = {**declare({"id": OTHER, "name": "a"}), "undeclared": "remove"}
    results, warnings = [], dict[bool, list[str]]()
    for check_mode in (True, False):
        warnings[check_mode] = []
        with user(cloud) as http:
            options = {"check_mode": check_mode, "warnings": warnings[check_mode], "verify": "none"}
            results.append(run(http, data, **options))
    for result in results:
        assert not any(item.is_removal for item in result["diff"].items)
        rows = {row["id"]: (row["status"], row["changes"]) for row in result["devices"]}
        assert rows[MEMBER] == ("pending", {})
        assert rows[OTHER][0] == "failed"
    assert warnings[True] == warnings[False]
    assert "1 undeclared device was not removed" in warnings[True][0]


def test_removal_is_uncertain_while_an_import_is(cloud: Simulator) -> None:
    with user(cloud) as http:
        predicted = run(http, {**declare({"id": UNKNOWN}), "undeclared": "remove"}, check_mode=True)
    assert [(row["id"], row["status"], row.get("uncertain")) for row in predicted["devices"]] == [
        (UNKNOWN, "changed", True),
        (MEMBER, "changed", True),
    ]
