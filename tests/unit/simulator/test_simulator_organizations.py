# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test organizations: their members, products and ledgers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulator_client import DEVICES, FREE, OTHER, RECENT, Cloud, User

ORG = "/v1/orgs/green-acres"
LEDGERS = f"{ORG}/ledgers"


@pytest.fixture
def organization_cloud(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud whose product belongs to an organization of two members."""
    return cloud_with("--org", "green-acres")


@pytest.fixture
def org_member(organization_cloud: Cloud) -> User:
    """Return the first member, with a few devices in the product."""
    user = organization_cloud.user()
    user.bring_in(*FREE[:3])
    return user


def test_organization_is_visible_only_to_its_members(organization_cloud: Cloud) -> None:
    for user in (organization_cloud.user(), organization_cloud.user(RECENT)):
        (org,) = user.get("/v1/orgs")["organizations"]
        assert (org["slug"], org["name"], len(org["id"])) == ("green-acres", "Green Acres", 24)
        assert user.get(f"/v1/orgs/{org['id']}")["organization"] == user.get(ORG)["organization"] == org
        assert user.get("/v1/access_tokens/current")["orgs"] == [{"id": org["id"], "slug": "green-acres"}]
    outsider = organization_cloud.user(OTHER)
    assert outsider.get("/v1/orgs") == {"organizations": []}
    assert outsider.call("GET", ORG).status_code == 403
    assert outsider.call("GET", "/v1/orgs/nope").status_code == 404


def test_list_of_organizations_is_empty_without_one(demo: User) -> None:
    assert demo.get("/v1/orgs") == {"organizations": []}


def test_product_of_an_organization_names_the_organization_and_no_user(organization_cloud: Cloud) -> None:
    (product,) = organization_cloud.user().get(f"{ORG}/products")["products"]
    assert (product["id"], product["org"]) == (31337, "green-acres")
    assert "user" not in product


def test_only_members_of_the_organization_can_use_its_devices(organization_cloud: Cloud, org_member: User) -> None:
    second = organization_cloud.user(RECENT)
    assert second.put(f"{DEVICES}/{FREE[0]}", {"name": "one"}).status_code == 200
    assert organization_cloud.user(OTHER).call("GET", DEVICES).status_code == 403


def test_device_of_an_organization_is_read_on_its_path(org_member: User) -> None:
    device = org_member.get(f"{ORG}/devices/{FREE[0].upper()}")
    assert device == org_member.get(f"/v1/devices/{FREE[0]}")
    assert org_member.call("GET", f"{ORG}/devices/{FREE[5]}").status_code == 403


@pytest.mark.parametrize("base", ["/v1/user/products", f"{ORG}/products"])
def test_product_is_created_from_a_name_and_a_platform(organization_cloud: Cloud, base: str) -> None:
    user = organization_cloud.user()
    product = user.post(base, {"product": {"name": "Gate Opener", "platform_id": 12}}).json()["product"]
    assert (product["slug"], product["platform_id"]) == ("gate-opener", 12)
    assert ("org" in product) is (base != "/v1/user/products")
    assert user.get("/v1/products/gate-opener/devices")["devices"] == []
    again = user.post(base, {"product": {"name": "Gate Opener", "platform_id": 12}}).json()["product"]
    assert again["slug"] != "gate-opener"


@pytest.mark.parametrize(("settings", "location"), [({}, {}), ({"location": {"opt_in": True}}, {"opt_in": True})])
def test_new_product_keeps_its_setting_for_locations(
    demo: User, settings: dict[str, object], location: dict[str, bool]
) -> None:
    definition = {"name": "Gate Opener", "platform_id": 12, "settings": settings}
    product = demo.post("/v1/user/products", {"product": definition}).json()["product"]
    assert product["settings"]["location"] == location


@pytest.mark.parametrize("content", [{}, {"product": {}}, {"product": {"name": "x"}}, {"product": {"platform_id": 1}}])
def test_incomplete_product_is_not_created(demo: User, content: dict[str, object]) -> None:
    assert demo.post("/v1/user/products", content).status_code == 400
    assert len(demo.get("/v1/user/products")["products"]) == 1


def test_ledgers_of_an_organization_are_separate_from_the_account(org_member: User) -> None:
    definition = {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}}
    assert org_member.post(LEDGERS, definition).status_code == 201
    assert org_member.get("/v1/ledgers")["ledgers"] == []
    assert org_member.get(f"{LEDGERS}/notes")["ledger"]["scope"] == "Device"
    answer = org_member.put(f"{LEDGERS}/notes/instances/{FREE[0]}", {"instance": {"data": {"a": 1}}})
    assert answer.status_code == 201
    assert org_member.get(f"{LEDGERS}/notes/instances")["meta"]["total"] == 1


def test_account_ledger_accepts_no_device_of_an_organization(org_member: User) -> None:
    org_member.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}})
    answer = org_member.put(f"/v1/ledgers/notes/instances/{FREE[0]}", {"instance": {"data": {}}})
    assert answer.status_code == 404


def test_instance_of_an_owner_ledger_belongs_to_the_organization(org_member: User) -> None:
    org_member.post(LEDGERS, {"ledger": {"name": "defaults", "scope": "Owner", "direction": "Downstream"}})
    org_id = org_member.get(ORG)["organization"]["id"]
    assert org_member.put(f"{LEDGERS}/defaults/instances/{org_id}", {"instance": {"data": {}}}).status_code == 201


def test_devices_report_to_the_mesh_ledgers_of_the_organization(org_member: User) -> None:
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        org_member.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": direction}})
    data = {"network": "barn", "role": "gateway", "gateways": [FREE[0]], "parameters": {}}
    org_member.put(f"{LEDGERS}/mesh/instances/{FREE[0]}", {"instance": {"data": data}})
    (row,) = org_member.get(f"{LEDGERS}/mesh-status/instances")["instances"]
    assert (row["scope"]["value"], row["data"]["state"]) == (FREE[0], "joined")
    orgs = {ledger["org"] for ledger in org_member.cloud.state()["ledgers"]}
    assert orgs == {"green-acres"}


def test_organization_is_searched_and_has_a_service_agreement(org_member: User) -> None:
    results = org_member.get(f"{ORG}/search", text="field", type="product")["results"]
    assert [(row["org"], row["product"]["id"]) for row in results] == [("green-acres", 31337)]
    (agreement,) = org_member.get(f"{ORG}/service_agreements")["data"]
    assert agreement["attributes"]["owner_type"] == "Org"
