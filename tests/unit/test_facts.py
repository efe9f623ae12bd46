# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The facts of devices: what the cloud says, in one shape."""

from __future__ import annotations

import pytest
from fleet_cloud import DEVICES, PRODUCT, barn, client, device_id, ids_of, row, run, script, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.facts import facts_of, gather
from support.scripted import ScriptedCloud
from support.simulator import Simulator

ONE, TWO = device_id(1), device_id(2)


class TestOneDevice:
    """What every user asks for first is there under one name."""

    @pytest.mark.parametrize(
        ("platform_id", "platform"),
        [(13, "boron"), (12, "argon"), (14, "xenon"), (4711, "unknown (4711)"), ("13", "unknown (13)"), (None, None)],
    )
    def test_has_its_platform_in_words(self, platform_id: object, platform: str | None) -> None:
        assert facts_of({"id": ONE, "platform_id": platform_id})["platform"] == platform

    @pytest.mark.parametrize(
        ("row", "online"),
        [
            ({"online": True, "connected": False}, True),
            ({"online": False, "connected": True}, False),
            ({"connected": True}, True),
            ({}, False),
        ],
    )
    def test_is_online_as_the_newer_key_says_or_else_the_older(self, row: dict[str, bool], online: bool) -> None:
        assert facts_of(row)["online"] is online

    def test_has_its_membership_from_its_groups(self) -> None:
        facts = facts_of({"groups": ["north", "mesh-barn", "mesh-gateway"]})
        assert facts["mesh"] == {"network": "barn", "role": "gateway"}
        assert facts["groups"] == ["north", "mesh-barn", "mesh-gateway"]

    @pytest.mark.parametrize("row", [{}, {"groups": None}, {"groups": []}, {"groups": ["mesh-barn"]}])
    def test_is_in_no_mesh_otherwise(self, row: dict[str, object]) -> None:
        assert facts_of(row)["mesh"] is None

    def test_has_its_mac_address_when_the_cloud_tells_it(self) -> None:
        assert facts_of({"mac_wifi": "94:94:4A:00:11:22"})["mac"] == "94:94:4A:00:11:22"
        assert facts_of({})["mac"] is None

    def test_keeps_what_we_have_never_heard_of_and_leaves_out_what_opens_it(self) -> None:
        facts = facts_of(
            {"id": ONE, "new_thing": {"a": 1}, "mobile_secret": "hush", "connected": True, "last_iccid": "1"}
        )
        assert facts["new_thing"] == {"a": 1}
        assert not facts.keys() & {"mobile_secret", "connected", "last_iccid", "current_build_target"}


class TestManyDevices:
    """All pages, each device once."""

    def test_a_product_is_read_page_by_page(self, scripted_cloud: ScriptedCloud) -> None:
        script(
            scripted_cloud.answer("GET", DEVICES, json={"devices": [row(ONE)], "meta": {"total_pages": 2}}), [row(TWO)]
        )
        with client(scripted_cloud.url) as http:
            result = gather(http, PRODUCT)
        assert [device["id"] for device in result["devices"]] == [ONE, TWO]
        assert (result["changed"], result["count"], result["pages"]) == (False, 2, 2)
        pages = [request.query["page"] for request in scripted_cloud.seen("GET", DEVICES)]
        assert pages == ["1", "2"]

    def test_a_list_that_changes_its_length_is_told_to_be_incomplete(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", DEVICES, json={"devices": [row(ONE)], "meta": {"total_pages": 2}})
        script(scripted_cloud, [row(TWO)])
        with client(scripted_cloud.url) as http:
            assert gather(http, PRODUCT)["complete"] is False

    def test_a_device_that_two_pages_show_counts_once(self, scripted_cloud: ScriptedCloud) -> None:
        page = {"devices": [row(ONE), row(TWO)], "meta": {"total_pages": 2}}
        scripted_cloud.answer("GET", DEVICES, json=page).answer("GET", DEVICES, json=page)
        script(scripted_cloud)
        with client(scripted_cloud.url) as http:
            result = gather(http, PRODUCT)
        assert (result["count"], len(result["devices"]), result["complete"]) == (2, 2, True)

    def test_an_account_is_read_in_one_request(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[row(ONE)])
        with client(scripted_cloud.url) as http:
            result = gather(http, None)
        assert (result["count"], result["pages"], result["complete"]) == (1, 1, True)

    @pytest.mark.parametrize("answer", [{"ok": True}, "nothing", [1, 2], {"devices": "none"}, None])
    def test_an_answer_without_a_list_is_no_empty_list(self, scripted_cloud: ScriptedCloud, answer: object) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=answer)
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError) as caught:
            gather(http, None)
        assert caught.value.code == "bad_response"

    def test_a_provisioned_fleet_shows_its_networks(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            run(http, barn(ids, key="hush"))
            facts = {device["id"]: device for device in gather(http, PRODUCT)["devices"]}
        assert {facts[device]["name"] for device in ids} == {f"unit-{index}" for index in range(len(ids))}
        assert facts[ids[0]]["mesh"] == {"network": "barn", "role": "gateway"}
        assert all(facts[device]["mesh"] == {"network": "barn", "role": "node"} for device in ids[1:])
        assert all(device["platform"] == "boron" and device["online"] for device in facts.values())
        assert "hush" not in repr(facts)
