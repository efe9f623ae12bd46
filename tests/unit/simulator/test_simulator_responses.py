# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compare the response of each endpoint with the status and the keys in the facts.

One story of requests reaches most endpoints. The tests of each part of the simulator check the values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from simulator_client import DEMO, DEVICES, FREE, GROUPS, OTHER, PRODUCT, Cloud, User

from support.facts import load_endpoints, read_endpoints

ENDPOINTS = {endpoint["id"]: endpoint for endpoints in load_endpoints().values() for endpoint in endpoints}
SHAPES: dict[str, dict[str, Any]] = {
    name: shape for name, shape in read_endpoints()["shapes"].items() if name != "integration"
}
"""The objects in responses, without integrations: these also have the fields of their type."""
OPTIONAL_KEYS = {"sims_list": {"meta"}, "integration_test": {"error"}, "env_rollout_review": {"from_device"}}
"""Keys that only some responses of an endpoint have, as the facts say in words."""
MIN_ENDPOINTS = 95

MEMBER, CLAIMED, IMPORTED = FREE[:3]
ONE = f"{DEVICES}/{MEMBER}"
SIM = "/v1/sims/89014103000000000101"
FIRMWARE = f"{PRODUCT}/firmware"
TEAM = f"{PRODUCT}/team"
CUSTOMERS = f"{PRODUCT}/customers"
INSTANCE = f"/v1/ledgers/notes/instances/{MEMBER}"
ENV = f"/v1/env/{MEMBER}"
PERIOD = {"date_period_start": "2026-01-01", "date_period_end": "2026-01-31"}
HOOK = {"integration_type": "Webhook", "event": "reading", "url": "https://hooks.example.net"}


@dataclass(frozen=True)
class Step:
    """A request to an endpoint.

    In the path, `{name}` stands for the value that the pattern `keep` found in an earlier response.
    """

    endpoint: str
    path: str
    body: Any = None
    keep: tuple[str, str] | None = None


def step(endpoint: str, path: str, body: Any = None, **keep: str) -> Step:
    return Step(endpoint, path, body, next(iter(keep.items()), None))


STORY = [
    step("user_get", "/v1/user"),
    step("user_identify", "/v1/user/identify"),
    step("user_update", "/v1/user", {"account_info": {"first_name": "Ada"}}),
    step("user_search", "/v1/user/search?text=field"),
    step("mfa_enable_start", "/v1/user/mfa-enable"),
    step("token_introspect_current", "/v1/access_tokens/current"),
    step("service_agreements", "/v1/user/service_agreements", agreement='"id":"([0-9]+)"'),
    step(
        "usage_report_create",
        "/v1/user/service_agreements/{agreement}/usage_reports",
        {"report_type": "devices", **PERIOD},
        report='"id":"([0-9a-f]+)"',
    ),
    step("usage_report_get", "/v1/user/usage_reports/{report}"),
    step("agreement_notifications", "/v1/user/service_agreements/{agreement}/notifications"),
    step("clients_create", "/v1/clients", {"name": "bot", "type": "installed"}, client='"id":"(bot-[0-9]+)"'),
    step("clients_list", "/v1/clients"),
    step("clients_update", "/v1/clients/{client}", {"name": "robot"}),
    step("clients_delete", "/v1/clients/{client}"),
    step("team_list", TEAM),
    step("team_invite", TEAM, {"username": OTHER[0], "role": "Support"}),
    step("team_update", f"{TEAM}/{OTHER[0]}", {"role": "Developer"}),
    step("api_user_create", TEAM, {"friendly_name": "bot", "scopes": ["devices:list"]}, user='"username":"([^"]+)"'),
    step("api_user_update", f"{TEAM}/{{user}}", {"scopes": ["groups:list"]}),
    step("api_user_regenerate_token", f"{TEAM}/{{user}}/token"),
    step("team_remove", f"{TEAM}/{{user}}"),
    step("device_claim", "/v1/devices", {"id": CLAIMED}),
    step("devices_list", "/v1/devices"),
    step("product_device_import", DEVICES, {"ids": [MEMBER, IMPORTED, "unknown"]}),
    step("product_devices_list", DEVICES),
    step("device_get", ONE),
    step("device_update", ONE, {"notes": "x", "groups": ["north"]}),
    step("device_ping", f"{ONE}/ping"),
    step("device_variable_get", f"{ONE}/soil_pct"),
    step("device_function_call", f"{ONE}/led", {"arg": "on"}),
    step(
        "product_devices_batch_groups",
        DEVICES,
        {"action": "groups", "devices": [MEMBER], "metadata": {"add": ["north"]}},
    ),
    step("claim_code_create", "/v1/device_claims", {}),
    step("serial_number_lookup", "/v1/serial_numbers/B40HAB000000100"),
    step("device_orders", f"{PRODUCT}/device_orders"),
    step("device_unprotect", f"{ONE}/unprotect", {"action": "prepare"}),
    step("device_public_key", f"/v1/provisioning/{MEMBER}", {"deviceID": MEMBER, "publicKey": "-----BEGIN"}),
    step("vitals_refresh", f"/v1/diagnostics/{MEMBER}/update"),
    step("vitals_last", f"/v1/diagnostics/{MEMBER}/last"),
    step("vitals_history", f"/v1/diagnostics/{MEMBER}"),
    step("fleet_metrics", f"{PRODUCT}/metrics/online"),
    step("products_list", "/v1/user/products"),
    step("product_get", PRODUCT),
    step("product_create", "/v1/user/products", {"product": {"name": "New", "platform_id": 13}}),
    step("orgs_list", "/v1/orgs"),
    step("groups_list", GROUPS),
    step("group_create", GROUPS, {"name": "south"}),
    step("group_get", f"{GROUPS}/south"),
    step("group_update", f"{GROUPS}/south", {"color": "#aabbcc"}),
    step("group_delete", f"{GROUPS}/south"),
    step("groups_impact", f"{PRODUCT}/impact?action=edit_groups_for_firmware&firmware_version=7&groups=north"),
    step("firmware_list", FIRMWARE),
    step("firmware_get", f"{FIRMWARE}/7"),
    step("firmware_edit", f"{FIRMWARE}/7", {"title": "Seven"}),
    step("firmware_delete", f"{FIRMWARE}/7"),
    step("build_targets", "/v1/build_targets"),
    step("device_os_versions", "/v1/device-os/versions"),
    step("system_firmware_upgrade", "/v1/system_firmware/upgrade?platform_id=13&current_system_firmware_version=4.0.2"),
    step("customer_create_token", CUSTOMERS, {"email": "a@example.com", "password": "x"}),
    step("customers_list", CUSTOMERS),
    step("customer_password", f"{CUSTOMERS}/a@example.com", {"password": "y"}),
    step("customer_delete", f"{CUSTOMERS}/a@example.com"),
    step("sims_list", "/v1/sims"),
    step("sim_get", SIM),
    step("sim_activate", SIM, {"action": "activate"}),
    step("sim_usage", f"{SIM}/data_usage"),
    step("cellular_status", f"{SIM}/status"),
    step("sim_deactivate", SIM, {"action": "deactivate"}),
    step("sim_reactivate", SIM, {"action": "reactivate"}),
    step("sim_data_limit_legacy", SIM, {"mb_limit": 5}),
    step("sim_release", SIM),
    step("fleet_usage", f"{PRODUCT}/sims/data_usage"),
    step("sims_import", f"{PRODUCT}/sims", {"sims": ["89014103000000000100"]}),
    step("publish", "/v1/devices/events", {"name": "hello"}),
    step("publish_product", f"{PRODUCT}/events", {"name": "hello"}),
    step("webhook_create", "/v1/integrations", HOOK, hook='"id":"([0-9a-f]{24})"'),
    step("integrations_list", "/v1/integrations"),
    step("integration_get", "/v1/integrations/{hook}"),
    step("integration_edit", "/v1/integrations/{hook}", HOOK),
    step("integration_test", "/v1/integrations/{hook}/test"),
    step("integration_delete", "/v1/integrations/{hook}"),
    step("ledger_create", "/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device"}}),
    step("ledgers_list", "/v1/ledgers"),
    step("ledger_get", "/v1/ledgers/notes"),
    step("ledger_update", "/v1/ledgers/notes", {"ledger": {"description": "x"}}),
    step("ledger_instance_set", INSTANCE, {"instance": {"data": {"a": 1}}}),
    step("ledger_instances", "/v1/ledgers/notes/instances"),
    step("ledger_instance_get", INSTANCE),
    step("ledger_versions", f"{INSTANCE}/versions"),
    step("ledger_instance_delete", INSTANCE),
    step("ledger_archive", "/v1/ledgers/notes"),
    step("env_set", f"{ENV}/A", {"value": "1"}),
    step("env_patch", ENV, {"ops": [{"op": "Set", "key": "B", "value": "2"}]}),
    step("env_list", ENV),
    step("env_render", f"{ENV}/render"),
    step("env_rollout_review", f"{ENV}/rollout"),
    step("env_rollout_start", f"{ENV}/rollout", {"when": "Connect"}),
    step("env_unset", f"{ENV}/A"),
    step("secret_create", "/v1/secrets", {"name": "API_KEY", "value": "v"}),
    step("secrets_list", "/v1/secrets"),
    step("logic_list", "/v1/logic/functions"),
    step("secret_get", "/v1/secrets/API_KEY"),
    step("secret_put", "/v1/secrets/API_KEY", {"value": "w"}),
    step("secret_delete", "/v1/secrets/API_KEY"),
    step("config_product_set", f"{PRODUCT}/config", {"location": {"radius": 5}}),
    step("config_product_get", f"{PRODUCT}/config"),
    step("config_device_set", f"{PRODUCT}/config/{MEMBER}", {"location": {"radius": 6}}),
    step("config_device_get", f"{PRODUCT}/config/{MEMBER}"),
    step("locations_fleet", f"{PRODUCT}/fleet_locations"),
    step("locations_product", f"{PRODUCT}/locations"),
    step("device_unclaim_product", f"{ONE}/owner"),
    step("product_device_remove", ONE),
    step("device_unclaim", f"/v1/devices/{CLAIMED}"),
    step("device_provision_new", "/v1/devices", {"product_id": 31337}),
    step("user_password_reset", "/v1/user/password-reset", {"username": DEMO[0]}),
    step("token_revoke_current", "/v1/access_tokens/current"),
]


def tell(user: User) -> dict[str, requests.Response]:
    """Send the requests of the story, and return the responses, keyed by the id of the endpoint."""
    responses, kept = {}, {}
    for each in STORY:
        path = re.sub(r"\{(\w+)\}", lambda found: kept[found[1]].replace("+", "%2B"), each.path)
        response = user.call(ENDPOINTS[each.endpoint]["method"], path, json=each.body)
        if each.keep is not None:
            name, pattern = each.keep
            found = re.search(pattern, response.text)
            assert found is not None, response.text
            kept[name] = found[1]
        responses[each.endpoint] = response
    return responses


@pytest.fixture(scope="module")
def responses(cloud_with: Callable[..., Cloud]) -> dict[str, requests.Response]:
    """Return the responses to the requests of the story."""
    cloud = cloud_with()
    assert cloud.call("POST", "/_simulator/products/31337", json={"firmware": [7]}).status_code == 200
    return tell(cloud.user())


@pytest.mark.parametrize("endpoint", [each.endpoint for each in STORY])
def test_response_has_the_documented_status(responses: dict[str, requests.Response], endpoint: str) -> None:
    documented = str(ENDPOINTS[endpoint]["success"]["status"])
    statuses = {int(number) for number in re.findall(r"\b2\d\d\b", documented)}
    assert responses[endpoint].status_code in statuses, responses[endpoint].text


@pytest.mark.parametrize(
    "endpoint", [each.endpoint for each in STORY if isinstance(ENDPOINTS[each.endpoint]["success"].get("body"), dict)]
)
def test_response_has_the_documented_keys(responses: dict[str, requests.Response], endpoint: str) -> None:
    keys = ENDPOINTS[endpoint]["success"]["body"].keys()
    shown = responses[endpoint].json().keys()
    assert keys - OPTIONAL_KEYS.get(endpoint, set()) <= shown <= keys


def find_objects(body: Any, documented: Any) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Yield (object in the response, keys of its shapes) for each part of a body that the facts describe by a shape.

    A text with braces describes an object by its keys, and not by the name of a shape.
    """
    if isinstance(documented, dict):
        for key, text in documented.items():
            if key in body:
                yield from find_objects(body[key], text)
        return
    shapes = re.findall(rf"\b({'|'.join(SHAPES)})\b", str(documented))
    if shapes and "{" not in str(documented).partition(" (")[0]:
        keys = {key for name in shapes for key in SHAPES[name]}
        for found in body if isinstance(body, list) else [body]:
            yield found, keys


@pytest.mark.parametrize("endpoint", [each.endpoint for each in STORY])
def test_objects_in_a_response_have_only_documented_keys(
    responses: dict[str, requests.Response], endpoint: str
) -> None:
    documented = ENDPOINTS[endpoint]["success"].get("body")
    if not responses[endpoint].content or documented is None:
        return
    objects = list(find_objects(responses[endpoint].json(), documented))
    assert [found.keys() - keys for found, keys in objects if found.keys() - keys] == []


def test_story_reaches_most_endpoints() -> None:
    assert len({each.endpoint for each in STORY}) == len(STORY) >= MIN_ENDPOINTS
