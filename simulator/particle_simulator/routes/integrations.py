# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the integrations of an account, a product or an organization, and the older webhook routes."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from particle_simulator import cloud_secrets
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import format_time
from particle_simulator.resources import RECENT, Integration
from particle_simulator.routes.owners import PathOwner, find_owner
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "integrations"
WEBHOOK = "Webhook"
API = "https://api.particle.io/v1"

REQUIRED = {
    WEBHOOK: ("url",),
    "AzureIotHub": ("hub_name", "policy_name", "policy_key"),
    "GoogleCloudPubSub": ("topic",),
    "GoogleMaps": ("api_key",),
}
METHODS = ("GET", "POST", "PUT", "DELETE")
RESPONSE_TOPIC = "hook-response/{{PARTICLE_EVENT_NAME}}"
"""The default name of the events that contain the responses to a webhook of an account or an organization."""
PRODUCT_RESPONSE_TOPIC = "{{PARTICLE_DEVICE_ID}}/" + RESPONSE_TOPIC
"""The default name of the events that contain the responses to a webhook of a product."""
ERROR_TOPIC = "hook-error/{{PARTICLE_EVENT_NAME}}"
"""The default name of the events about failed requests of a webhook."""
DEFAULT_METHOD = "POST"
BODY_FIELDS = ("body", "json", "form")
"""The fields that set the body of the requests of a webhook. A webhook can have only one of these fields."""
MASK = "********"
KEY_FIELDS = ("policy_key", "api_key")
"""The fields that hold the keys of other services."""
OPTIONAL: dict[str, dict[str, type]] = {
    WEBHOOK: {
        "body": str,
        "json": dict,
        "form": dict,
        "query": dict,
        "auth": dict,
        "headers": dict,
        "requestType": str,
        "responseTopic": str,
        "errorResponseTopic": str,
        "responseTemplate": dict,
        "template": str,
    },
    "AzureIotHub": {"json": dict},
}
FLAGS = {"noDefaults": False, "rejectUnauthorized": True, "unchunked": False, "dataUrlResponseEvent": False}
"""The boolean fields of a webhook, with their default values."""
DEVICE_SPELLINGS = ("deviceID", "deviceId", "deviceid")
"""Accepted names of the field for the device id.

The first name is documented. Official clients send the other two names.
"""
UNREACHABLE_ENDING = ".invalid"
"""If the host name of a webhook ends with this string, the simulated test of the webhook fails."""


# ---------------------------------------------------------------------- reading a body


def _read_flag(fields: dict[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if value not in (True, False, "true", "false"):
        raise bad_request(f"{name} must be true or false")
    return value in (True, "true")


def _read_settings(owner: PathOwner, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Check and return the fields of the request body that belong to one integration type.

    The error responses are inferred, not documented.
    """
    settings: dict[str, Any] = {}
    for name in REQUIRED[kind]:
        value = fields.get(name)
        if not isinstance(value, str) or not value:
            raise bad_request(f"{name} is required")
        settings[name] = value
    for name, expected_type in OPTIONAL.get(kind, {}).items():
        if fields.get(name) is None:
            continue
        # A string is always accepted, because it may be a template. The value of a template is known only at run time.
        if not isinstance(fields[name], (expected_type, str)):
            raise bad_request(f"{name} has the wrong type")
        settings[name] = fields[name]
    return _complete_webhook(owner, settings, fields) if kind == WEBHOOK else settings


def _complete_webhook(owner: PathOwner, settings: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Check the settings of a webhook, and add the documented default values (endpoints.yml: webhook_create)."""
    settings.setdefault("requestType", DEFAULT_METHOD)
    settings.setdefault("responseTopic", RESPONSE_TOPIC if owner.product is None else PRODUCT_RESPONSE_TOPIC)
    settings.setdefault("errorResponseTopic", ERROR_TOPIC)
    if settings["requestType"].upper() not in METHODS:
        raise bad_request(f"requestType must be one of {', '.join(METHODS)}")
    if urlsplit(settings["url"]).scheme not in ("http", "https"):
        raise bad_request("url must be an address of the web")
    if len(settings.keys() & set(BODY_FIELDS)) > 1:
        raise bad_request(f"only one of {', '.join(BODY_FIELDS)} can be set")
    for name, default in FLAGS.items():
        settings[name] = _read_flag(fields, name, default)
    if fields.get(cloud_secrets.FIELD) is not None:
        references = cloud_secrets.read_secret_references(owner.top_owner, fields[cloud_secrets.FIELD])
        settings[cloud_secrets.FIELD] = references
    return settings


def _read_integration(owner: PathOwner, call: Call, kind: str, integration: Integration | None) -> Integration:
    """Create an integration from the request body, or change the given integration.

    A change replaces all fields except the type, id, creation time, logs and counters.
    """
    fields = call.fields
    event = fields.get("event")
    if not isinstance(event, str) or not event:
        raise bad_request("event is required")
    settings = _read_settings(owner, kind, fields)
    target = (urlsplit(settings["url"]).hostname or "") if kind == WEBHOOK else kind
    name = fields.get("name") or f"{event} for {target}"
    device = next((fields[spelling] for spelling in DEVICE_SPELLINGS if fields.get(spelling)), None)
    if not isinstance(name, str) or not isinstance(device, (str, type(None))):
        raise bad_request("name and deviceID must be strings")
    disabled = _read_flag(fields, "disabled", False)
    if integration is None:
        return Integration(secrets.token_hex(12), kind, event, name, 0.0, device, disabled, settings)
    integration.event, integration.name, integration.device_id = event, name, device
    integration.disabled, integration.settings = disabled, settings
    return integration


# ---------------------------------------------------------------------- the rows


def build_integration_row(integration: Integration, *, with_details: bool = False) -> dict[str, Any]:
    """Build the JSON object for an integration.

    :param with_details: Whether to include all settings, the logs and the counters.
    """
    row: dict[str, Any] = {
        "id": integration.id,
        "event": integration.event,
        "name": integration.name,
        "created_at": format_time(integration.created_at),
        "integration_type": integration.kind,
        "disabled": integration.disabled,
    }
    if integration.device_id is not None:
        row["deviceID"] = integration.device_id
    if integration.kind == WEBHOOK:
        names = ("url", "requestType", "noDefaults", "rejectUnauthorized")
        row |= {name: integration.settings[name] for name in names}
    if with_details:
        row |= integration.settings
        row["logs"] = integration.logs
        row["errors"] = [entry for entry in integration.logs if entry["type"] == "error"]
        row["counters"] = {"success": integration.succeeded, "error": integration.failed}
    return row


def _mask_secrets(row: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the JSON object, with a mask instead of passwords, keys and the `Authorization` header."""
    masked = row | {name: MASK for name in KEY_FIELDS if name in row}
    if isinstance(row.get("headers"), dict):
        masked["headers"] = {
            name: MASK if name.lower() == "authorization" else value for name, value in row["headers"].items()
        }
    if isinstance(row.get("auth"), dict) and "password" in row["auth"]:
        masked["auth"] = row["auth"] | {"password": MASK}
    return masked


def _build_shown_row(world: World, integration: Integration) -> dict[str, Any]:
    """Build the JSON object for an integration, with details.

    With the option `--mask-secrets`, secrets are masked. It is not known whether the cloud masks secrets.
    """
    row = build_integration_row(integration, with_details=True)
    return _mask_secrets(row) if world.settings.mask_secrets else row


def _find_integration(world: World, call: Call) -> tuple[PathOwner, Integration]:
    owner = find_owner(world, call)
    integration = owner.resources.integrations.get(call.path["id"])
    if integration is None:
        raise plain_error(404, "Webhook not found")
    return owner, integration


# ---------------------------------------------------------------------- the routes


def list_integrations(world: World, call: Call) -> Reply:
    """List the integrations (endpoints.yml: integrations_list). The response is a JSON list."""
    integrations = find_owner(world, call).resources.integrations.values()
    return json_reply([build_integration_row(integration) for integration in integrations])


def list_webhooks(world: World, call: Call) -> Reply:
    """List the webhooks, on the older webhook route (endpoints.yml: integrations_list)."""
    integrations = find_owner(world, call).resources.integrations.values()
    return json_reply([build_integration_row(found) for found in integrations if found.kind == WEBHOOK])


def get_integration(world: World, call: Call) -> Reply:
    """Respond with one integration, under the key `integration` (endpoints.yml: integration_get)."""
    return json_reply({"integration": _build_shown_row(world, _find_integration(world, call)[1])})


def get_webhook(world: World, call: Call) -> Reply:
    """Respond with one integration, under the key `webhook`, on the older webhook route.

    (endpoints.yml: integration_get)
    """
    return json_reply({"webhook": _build_shown_row(world, _find_integration(world, call)[1])})


def _create_integration(world: World, call: Call, kind: str) -> Reply:
    owner = find_owner(world, call)
    integration = _read_integration(owner, call, kind, None)
    integration.created_at = world.now()
    owner.resources.integrations[integration.id] = integration
    answer = {"ok": True, **build_integration_row(integration)}
    if kind == WEBHOOK:
        answer["hookUrl"] = f"{API}/webhooks/{integration.id}"
    else:
        answer["integrationUrl"] = f"{API}/integrations/{integration.id}"
        answer |= {name: integration.settings[name] for name in REQUIRED[kind]}
    return json_reply(answer, 201)


def create_integration(world: World, call: Call) -> Reply:
    """Create an integration of the type in the field `integration_type`.

    One route serves four endpoints (endpoints.yml: webhook_create, azure_create, gcp_create, gmaps_create).
    """
    kind = call.fields.get("integration_type")
    if not isinstance(kind, str) or kind not in REQUIRED:
        raise bad_request(f"integration_type must be one of {', '.join(REQUIRED)}")
    return _create_integration(world, call, kind)


def create_webhook(world: World, call: Call) -> Reply:
    """Create a webhook, on the older webhook route (endpoints.yml: webhook_create)."""
    return _create_integration(world, call, WEBHOOK)


def edit_integration(world: World, call: Call) -> Reply:
    """Replace the configuration of an integration (endpoints.yml: integration_edit).

    A request that changes the type is refused. This rule is inferred, not documented.
    """
    owner, integration = _find_integration(world, call)
    if call.fields.get("integration_type", integration.kind) != integration.kind:
        raise bad_request("integration_type cannot be changed")
    _read_integration(owner, call, integration.kind, integration)
    return json_reply({"integration": _build_shown_row(world, integration)})


def delete_integration(world: World, call: Call) -> Reply:
    """Delete an integration (endpoints.yml: integration_delete)."""
    owner, integration = _find_integration(world, call)
    del owner.resources.integrations[integration.id]
    return no_content()


def test_integration(world: World, call: Call) -> Reply:
    """Simulate a test of an integration (endpoints.yml: integration_test). No request is sent to the target.

    The test counts as an access to the secrets of the integration (endpoints.yml: secrets_list).
    """
    owner, integration = _find_integration(world, call)
    cloud_secrets.record_access(owner.top_owner, integration, world.now())
    host = urlsplit(integration.settings.get("url", "")).hostname or ""
    error = f"getaddrinfo ENOTFOUND {host}" if host.endswith(UNREACHABLE_ENDING) else None
    entry = {
        "type": "error" if error else "success",
        "time": format_time(world.now()),
        "event": integration.event,
        "data": call.fields.get("data", "test-event"),
        "device_id": call.fields.get("device_id", "api"),
    }
    answer: dict[str, Any] = {"pass": error is None, "data": None}
    if error:
        entry["error"] = answer["error"] = error
    integration.logs = [entry, *integration.logs][:RECENT]
    integration.failed += error is not None
    integration.succeeded += error is None
    return json_reply(answer)


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:id"
    kinds = ("azure_create", "gcp_create", "gmaps_create")
    return [
        Route(GROUP, "integrations_list", "GET", base, list_integrations, scope=LIST),
        Route(GROUP, "webhook_create", "POST", base, create_integration, kind=Kind.WRITE, scope=CREATE, also=kinds),
        Route(GROUP, "integration_get", "GET", one, get_integration, scope=GET),
        Route(GROUP, "integration_edit", "PUT", one, edit_integration, kind=Kind.WRITE, scope="integrations:update"),
        Route(GROUP, "integration_delete", "DELETE", one, delete_integration, kind=Kind.WRITE, scope=REMOVE),
        # A test does not count as a write, because a test changes only the logs and the counters.
        Route(GROUP, "integration_test", "POST", f"{one}/test", test_integration, scope="integrations:test"),
    ]


def _build_webhook_routes(base: str) -> list[Route]:
    one = f"{base}/:id"
    return [
        Route(GROUP, "integrations_list", "GET", base, list_webhooks, scope=LIST),
        Route(GROUP, "webhook_create", "POST", base, create_webhook, kind=Kind.WRITE, scope=CREATE),
        Route(GROUP, "integration_get", "GET", one, get_webhook, scope=GET),
        Route(GROUP, "integration_delete", "DELETE", one, delete_integration, kind=Kind.WRITE, scope=REMOVE),
    ]


LIST, GET = "integrations:list", "integrations:get"
CREATE, REMOVE = "integrations:create", "integrations:remove"

ROUTES = [
    *_build_routes("/v1/integrations"),
    *_build_routes("/v1/products/:p/integrations"),
    *_build_routes("/v1/orgs/:org/integrations"),
    *_build_webhook_routes("/v1/webhooks"),
    *_build_webhook_routes("/v1/products/:p/webhooks"),
]
