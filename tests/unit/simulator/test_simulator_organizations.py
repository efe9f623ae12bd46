# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Organisations: their products, their ledgers, and who may use them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulator_client import DEVICES, FREE, OTHER, RECENT, Cloud, User

ORG = "/v1/orgs/green-acres"
LEDGERS = f"{ORG}/ledgers"


@pytest.fixture
def organized(cloud_with: Callable[..., Cloud]) -> Cloud:
    """A cloud whose product belongs to an organisation of two members."""
    return cloud_with("--org", "green-acres")


@pytest.fixture
def member(organized: Cloud) -> User:
    """The first member, with a few devices in the product."""
    user = organized.user()
    user.bring_in(*FREE[:3])
    return user


def test_given_an_organisation_then_its_members_see_it_and_others_do_not(organized: Cloud) -> None:
    for who in (organized.user(), organized.user(RECENT)):
        (org,) = who.get("/v1/orgs")["organizations"]
        assert (org["slug"], org["name"], len(org["id"])) == ("green-acres", "Green Acres", 24)
        assert who.get(f"/v1/orgs/{org['id']}")["organization"] == who.get(ORG)["organization"] == org
        assert who.get("/v1/access_tokens/current")["orgs"] == [{"id": org["id"], "slug": "green-acres"}]
    outsider = organized.user(OTHER)
    assert outsider.get("/v1/orgs") == {"organizations": []}
    assert outsider.call("GET", ORG).status_code == 403
    assert outsider.call("GET", "/v1/orgs/nope").status_code == 404


def test_given_no_organisation_then_the_list_is_empty(demo: User) -> None:
    assert demo.get("/v1/orgs") == {"organizations": []}


def test_given_the_product_of_an_organisation_then_it_names_it_and_no_user(organized: Cloud) -> None:
    (product,) = organized.user().get(f"{ORG}/products")["products"]
    assert (product["id"], product["org"]) == (31337, "green-acres")
    assert "user" not in product


def test_given_a_member_then_the_devices_of_the_product_are_theirs_to_change(organized: Cloud, member: User) -> None:
    second = organized.user(RECENT)
    assert second.put(f"{DEVICES}/{FREE[0]}", {"name": "one"}).status_code == 200
    assert organized.user(OTHER).call("GET", DEVICES).status_code == 403


@pytest.mark.parametrize("base", ["/v1/user/products", f"{ORG}/products"])
def test_given_a_name_and_a_platform_then_a_product_is_made(organized: Cloud, base: str) -> None:
    user = organized.user()
    product = user.post(base, {"product": {"name": "Gate Opener", "platform_id": 12}}).json()["product"]
    assert (product["slug"], product["platform_id"]) == ("gate-opener", 12)
    assert ("org" in product) is (base != "/v1/user/products")
    assert user.get("/v1/products/gate-opener/devices")["devices"] == []
    again = user.post(base, {"product": {"name": "Gate Opener", "platform_id": 12}}).json()["product"]
    assert again["slug"] != "gate-opener"


@pytest.mark.parametrize("content", [{}, {"product": {}}, {"product": {"name": "x"}}, {"product": {"platform_id": 1}}])
def test_given_half_a_product_then_none_is_made(demo: User, content: dict[str, object]) -> None:
    assert demo.post("/v1/user/products", content).status_code == 400
    assert len(demo.get("/v1/user/products")["products"]) == 1


def test_given_an_organisation_then_its_ledgers_are_not_those_of_the_account(member: User) -> None:
    definition = {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}}
    assert member.post(LEDGERS, definition).status_code == 201
    assert member.get("/v1/ledgers")["ledgers"] == []
    assert member.get(f"{LEDGERS}/notes")["ledger"]["scope"] == "Device"
    answer = member.put(f"{LEDGERS}/notes/instances/{FREE[0]}", {"instance": {"data": {"a": 1}}})
    assert answer.status_code == 201
    assert member.get(f"{LEDGERS}/notes/instances")["meta"]["total"] == 1


def test_given_the_product_of_an_organisation_then_its_devices_have_no_ledger_in_a_sandbox(member: User) -> None:
    member.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}})
    answer = member.put(f"/v1/ledgers/notes/instances/{FREE[0]}", {"instance": {"data": {}}})
    assert answer.status_code == 404


def test_given_a_ledger_for_its_owner_then_the_instance_is_that_of_the_organisation(member: User) -> None:
    member.post(LEDGERS, {"ledger": {"name": "defaults", "scope": "Owner", "direction": "Downstream"}})
    org_id = member.get(ORG)["organization"]["id"]
    assert member.put(f"{LEDGERS}/defaults/instances/{org_id}", {"instance": {"data": {}}}).status_code == 201


def test_given_the_mesh_ledgers_of_an_organisation_then_devices_report_there(member: User) -> None:
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        member.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": direction}})
    data = {"network": "barn", "role": "gateway", "gateways": [FREE[0]], "parameters": {}}
    member.put(f"{LEDGERS}/mesh/instances/{FREE[0]}", {"instance": {"data": data}})
    (row,) = member.get(f"{LEDGERS}/mesh-status/instances")["instances"]
    assert (row["scope"]["value"], row["data"]["state"]) == (FREE[0], "joined")
    orgs = {ledger["org"] for ledger in member.cloud.state()["ledgers"]}
    assert orgs == {"green-acres"}


def test_given_an_organisation_then_it_is_searched_and_has_its_agreement(member: User) -> None:
    found = member.get(f"{ORG}/search", text="field", type="product")["results"]
    assert [(row["org"], row["product"]["id"]) for row in found] == [("green-acres", 31337)]
    (agreement,) = member.get(f"{ORG}/service_agreements")["data"]
    assert agreement["attributes"]["owner_type"] == "Org"
