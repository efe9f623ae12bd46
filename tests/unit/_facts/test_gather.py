# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Devices are gathered from all sources by list requests, each device once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from fleet_cloud import DEVICES, PRODUCT, barn, client, device_id, ids_of, row, run, script, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import (
    GatheredFacts,
    gather_facts,
    select_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    Filters,
    Sources,
    read_filters,
    read_sources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.scripted import ScriptedCloud
from support.simulator import PRODUCT_ID, USERNAME, Simulator, running_simulator

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)
PRODUCT_SOURCE = Sources((PRODUCT,), None, False)
ACCOUNT_SOURCE = Sources((), None, True)
ALL_SOURCES: dict[str, Any] = {"products": [PRODUCT, "second"], "account_devices": True}


def page(total: int, *devices: str) -> dict[str, Any]:
    return {"devices": [row(device) for device in devices], "meta": {"total_pages": total}}


def gather_all(http: Http, sources: Sources = PRODUCT_SOURCE, **arguments: Any) -> GatheredFacts:
    return gather_facts(http, sources, [{}], **arguments)


class TestProduct:
    """All pages of a product are read, and each device appears once."""

    def test_product_is_read_page_by_page(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", DEVICES, json=page(2, ONE))
        scripted_cloud.answer("GET", DEVICES, json=page(2, TWO), repeat=True)
        script(scripted_cloud)
        with client(scripted_cloud.url) as http:
            found = gather_all(http)
        assert list(found.devices) == [ONE, TWO]
        assert (found.pages, found.complete) == (2, True)
        assert {facts["product"] for facts in found.devices.values()} == {PRODUCT}
        assert {device: product.id for device, product in found.products.items()} == {ONE: "31337", TWO: "31337"}
        assert [request.query["page"] for request in scripted_cloud.seen("GET", DEVICES)] == ["1", "2", "2"]

    @pytest.mark.parametrize(
        "pages",
        [
            [page(2, ONE), page(1)],
            [page(2, ONE, TWO), page(2, TWO), page(2, TWO)],
            [page(2, ONE, TWO), page(2, THREE), page(2)],
            [page(2, ONE), page(2, TWO), page(2, THREE)],
        ],
        ids=["shrinks by a page", "shows a device twice", "loses its last", "moves"],
    )
    def test_product_that_changes_during_the_read_is_incomplete(
        self, scripted_cloud: ScriptedCloud, pages: list[dict[str, Any]]
    ) -> None:
        for answer in pages:
            scripted_cloud.answer("GET", DEVICES, json=answer)
        script(scripted_cloud)
        with client(scripted_cloud.url, workers=1) as http:
            found = gather_all(http)
        assert found.complete is False
        assert len(set(found.devices)) == len(found.devices)

    def test_page_size_sets_the_number_of_devices_in_a_page(self, simulator: Simulator) -> None:
        with user(simulator) as http:
            run(http, barn(ids_of(simulator)))
            http.sent.clear()
            found = gather_all(http, page_size=7)
        assert (len(found.devices), found.pages, found.complete) == (20, 3, True)

    def test_answers_to_several_queries_are_combined(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            run(http, barn(ids))
            found = gather_facts(http, PRODUCT_SOURCE, [{"deviceId": ids[3]}, {"deviceId": ids[5]}])
        assert list(found.devices) == [ids[3], ids[5]]

    def test_product_named_twice_is_read_once(self, simulator: Simulator) -> None:
        with user(simulator) as http:
            run(http, barn(ids_of(simulator)))
            http.sent.clear()
            assert len(gather_all(http, Sources((PRODUCT, "31337"), None, False)).devices) == 20
        assert [request.route for request in http.sent].count("GET /v1/products/:p/devices") == 1

    def test_unknown_product_is_an_error(self, simulator: Simulator) -> None:
        with user(simulator) as http, pytest.raises(ParticleError) as caught:
            gather_all(http, Sources((PRODUCT, "no-such"), None, False))
        assert caught.value.code == "not_found"
        assert "no-such" in caught.value.message

    def test_facts_show_memberships_but_no_network_parameters(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            run(http, barn(ids, key="hush"))
            facts = gather_all(http).devices
        assert facts[ids[0]]["mesh"] == {"network": "barn", "role": "gateway"}
        assert all(facts[device]["mesh"] == {"network": "barn", "role": "node"} for device in ids[1:])
        assert "hush" not in repr(facts)

    @pytest.mark.full
    def test_product_is_read_completely_while_its_devices_reconnect(self) -> None:
        size = count(quick=301, full=1001)
        with running_simulator("--fleet", str(size), "--churn", "10") as cloud, user(cloud) as http:
            http.send(Request("POST /v1/products/:p/devices", "import", {"p": PRODUCT}, json={"ids": ids_of(cloud)}))
            found = gather_all(http)
        assert (len(found.devices), found.complete) == (size, True)


class TestAccount:
    """The devices of the account are read in one request."""

    def test_account_is_read_in_one_request(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[row(ONE)])
        with client(scripted_cloud.url) as http:
            found = gather_all(http, ACCOUNT_SOURCE)
        assert (list(found.devices), found.pages, found.complete) == ([ONE], 1, True)
        assert found.products == {}

    @pytest.mark.parametrize("answer", [{"ok": True}, "nothing", [1, 2], {"devices": "none"}, None])
    def test_answer_without_a_device_list_is_an_error(self, scripted_cloud: ScriptedCloud, answer: object) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=answer, repeat=True)
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError) as caught:
            gather_all(http, ACCOUNT_SOURCE)
        assert caught.value.code == "bad_response"

    def test_device_of_account_and_product_appears_once(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(ONE, groups=["north"], firmware_version=4)])
        scripted_cloud.answer(
            "GET", "/v1/devices", json=[{"id": ONE, "product_id": 31337, "platform_id": 13, "imei": "35"}, {"id": TWO}]
        )
        with client(scripted_cloud.url) as http:
            found = gather_all(http, Sources((PRODUCT,), None, True))
        assert list(found.devices) == [ONE, TWO]
        assert found.devices[ONE]["product"] == PRODUCT
        assert (found.devices[ONE]["groups"], found.devices[ONE]["imei"]) == (["north"], "35")

    def test_account_adds_facts_that_the_product_omits(self, scripted_cloud: ScriptedCloud) -> None:
        network = {"id": "5c11", "name": "barn", "role": {"gateway": True}}
        product_row = {"groups": None, "mac_wifi": None, "online": None, "notes": "here", "product_id": 31337}
        script(scripted_cloud, [{"id": ONE, **product_row}])
        account_row = {
            "mac_wifi": "94:94:4A:00:00:01",
            "network": network,
            "platform_id": 12,
            "online": True,
            "notes": "there",
        }
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": ONE, **account_row, "owner": None}])
        with client(scripted_cloud.url) as http:
            facts = gather_all(http, Sources((PRODUCT,), None, True)).devices[ONE]
        assert (facts["mac"], facts["platform"], facts["online"]) == ("94:94:4A:00:00:01", "argon", True)
        assert facts["mesh"] == {"network": "barn", "role": "gateway"}
        assert (facts["notes"], facts["product"], facts["owner"]) == ("here", PRODUCT, None)

    def test_row_without_an_id_is_a_bad_response(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[{"name": "ghost"}])
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError, match="has no usable id"):
            gather_all(http, ACCOUNT_SOURCE)


class TestOrganization:
    """All products of an organization are read."""

    @pytest.fixture
    def organization_cloud(self) -> Iterator[Simulator]:
        with running_simulator("--fleet", "3", "--org", "acme") as cloud:
            yield cloud

    def test_organization_is_read_product_by_product(self, organization_cloud: Simulator) -> None:
        with user(organization_cloud) as http:
            for name in ("Second", "Third"):
                wanted = {"product": {"name": name, "platform_id": 13}}
                http.send(Request("POST /v1/orgs/:org/products", "create", {"org": "acme"}, json=wanted))
            ids = ids_of(organization_cloud)
            for device, product in zip(ids, (PRODUCT, "second", "third"), strict=True):
                http.send(Request("POST /v1/products/:p/devices", "import", {"p": product}, json={"ids": [device]}))
            found = gather_all(http, Sources((PRODUCT,), "acme", False))
        products = {device: facts["product"] for device, facts in found.devices.items()}
        assert products == dict(zip(ids, (PRODUCT, "second", "third"), strict=True))
        assert [product.slug for product in found.sources] == [PRODUCT, "second", "third"]

    def test_unknown_organization_is_an_error(self, organization_cloud: Simulator) -> None:
        with user(organization_cloud) as http, pytest.raises(ParticleError) as caught:
            gather_all(http, Sources((), "somebody-else", False))
        assert caught.value.code in ("not_found", "forbidden")


@pytest.fixture(scope="module")
def mixed_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Run a cloud with six devices that differ in every filter, in two products of an organization and an account."""
    in_product = {"product_id": PRODUCT_ID}
    fleet: list[dict[str, Any]] = [
        {"id": device_id(1), **in_product, "groups": ["mesh-barn", "mesh-gateway"], "firmware_version": 41},
        {
            "id": device_id(2),
            **in_product,
            "groups": ["mesh-yard", "mesh-node"],
            "firmware_version": 42,
            "online": False,
        },
        {
            "id": device_id(3),
            **in_product,
            "serial_number": "B40TAB123456789",
            "quarantined": True,
            "owner": USERNAME,
        },
        {"id": device_id(4), **in_product, "iccid": "89010312345678901234", "groups": ["north"]},
        {"id": device_id(5), "platform_id": 12, "owner": USERNAME},
        {"id": device_id(6)},
    ]
    file = tmp_path_factory.mktemp("mixed") / "fleet.json"
    file.write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(file), "--org", "acme", "--mesh", "enabled") as cloud:
        with user(cloud) as http:
            wanted = {"product": {"name": "Second", "platform_id": 13}}
            http.send(Request("POST /v1/orgs/:org/products", "create", {"org": "acme"}, json=wanted))
            in_second = {"ids": [device_id(6)]}
            http.send(Request("POST /v1/products/:p/devices", "import", {"p": "second"}, json=in_second))
            legacy = {"name": "shed", "device_id": device_id(6)}
            http.send(Request("POST /v1/networks", "create", json=legacy))
        yield cloud


class TestDeviceSelection:
    """Sources and filters together select devices."""

    @pytest.mark.parametrize(
        ("options", "numbers"),
        [
            ({"products": [PRODUCT, "second"]}, (1, 2, 3, 4, 6)),
            ({"organization": "acme"}, (1, 2, 3, 4, 6)),
            ({}, (3, 5)),
            (ALL_SOURCES, (1, 2, 3, 4, 5, 6)),
            ({**ALL_SOURCES, "filters": {"ids": [device_id(2).upper(), device_id(5)]}}, (2, 5)),
            ({**ALL_SOURCES, "filters": {"networks": ["barn"]}}, (1,)),
            ({**ALL_SOURCES, "filters": {"networks": ["shed"]}}, (6,)),
            ({**ALL_SOURCES, "filters": {"networks": ["barn", "shed"]}}, (1, 6)),
            ({**ALL_SOURCES, "filters": {"groups": ["north"]}}, (4,)),
            ({**ALL_SOURCES, "filters": {"serial_numbers": ["b40tab123456789"]}}, (3,)),
            ({**ALL_SOURCES, "filters": {"iccids": ["89010312345678901234"]}}, (4,)),
            ({**ALL_SOURCES, "filters": {"platforms": ["argon"]}}, (5,)),
            ({**ALL_SOURCES, "filters": {"firmware_versions": [41, 42]}}, (1, 2)),
            ({**ALL_SOURCES, "filters": {"online": False}}, (2,)),
            ({**ALL_SOURCES, "filters": {"quarantined": True}}, (3,)),
            ({**ALL_SOURCES, "filters": {"quarantined": False}}, (1, 2, 4, 5, 6)),
            ({"organization": "acme", "filters": {"networks": ["barn", "yard"], "online": True}}, (1,)),
        ],
        ids=str,
    )
    def test_sources_and_filters_select_devices(
        self, mixed_fleet: Simulator, options: dict[str, Any], numbers: tuple[int, ...]
    ) -> None:
        filters = read_filters(options)
        with user(mixed_fleet) as http:
            found = gather_facts(http, read_sources(options), filters.build_queries())
            devices = select_devices(found, filters, http.now())
        assert sorted(devices) == [device_id(number) for number in numbers]
        assert found.complete


class TestCloudClock:
    """Ages are computed with the clock of the cloud."""

    def test_ages_follow_the_clock_of_the_cloud(self, scripted_cloud: ScriptedCloud) -> None:
        local_time = 1_800_000_000.0
        headers = {"Date": formatdate(local_time - 86_400, usegmt=True)}  # the cloud is a day behind this machine
        rows = [{"id": ONE, "online": True, "last_heard": "2027-01-14T07:59:30.000Z"}]
        scripted_cloud.answer("GET", "/v1/devices", json=rows, headers=headers)
        with client(scripted_cloud.url) as http:
            http.now = lambda: local_time
            found = gather_all(http, ACCOUNT_SOURCE)
        assert select_devices(found, Filters(), local_time)[ONE]["last_heard_age"] == 30
        assert select_devices(found, Filters(), local_time + 40)[ONE]["presence"] == "probable"
        assert select_devices(found, Filters(silent_days=1), local_time + 86_370) == {}
        assert list(select_devices(found, Filters(silent_days=1), local_time + 86_371)) == [ONE]

    @pytest.mark.parametrize("date", ["soon", ""])
    def test_local_clock_is_used_when_the_cloud_sends_no_date(self, scripted_cloud: ScriptedCloud, date: str) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[], headers={"Date": date})
        with client(scripted_cloud.url) as http:
            assert gather_all(http, ACCOUNT_SOURCE).skew == 0.0


def test_cellular_device_without_power_has_no_confirmed_presence(simulator: Simulator) -> None:
    device = ids_of(simulator, 1)[0]
    with user(simulator) as http:
        run(http, barn([device]))
        simulator.change_device(device, powered=False)
        simulator.advance(600)
        found = gather_all(http)
        (facts,) = select_devices(found, Filters(), http.now()).values()
    assert (facts["online"], facts["presence"]) == (True, "probable")
    assert 600 <= facts["last_heard_age"] <= 700
