# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "integration" (endpoints.yml: webhook_create, azure_create, gcp_create, gmaps_create).

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.integrations import (
    create_integration,
    delete_integration,
    edit_integration,
    get_integration,
    list_integrations,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.spellings import (
    normalize_auth,
    normalize_headers,
    normalize_url,
    parse_template,
    show_url,
    to_switch,
    to_texts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import get_variant

TYPES: Mapping[str, str] = {
    "webhook": "Webhook",
    "azure_iot_hub": "AzureIotHub",
    "google_pubsub": "GoogleCloudPubSub",
    "google_maps": "GoogleMaps",
}
"""The names of the integration types in the cloud, keyed by the choices of the option."""
WEBHOOK, AZURE, PUBSUB, MAPS = TYPES


def _get_id(change: Change) -> str:
    """Return the id of an observed integration."""
    return str(change.row["id"]) if change.row is not None else ""


def _normalize_type(value: str) -> str:
    """Convert the name of a type in the cloud to the choice of the option. A type that is not known is not changed."""
    return {name: choice for choice, name in TYPES.items()}.get(value, value)


def _check_integration(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    values = {name: declared.values.get(name) for name in ("headers", "query")}
    return [
        f"{name}.{part} must be a text, got {describe_type(value)}"
        for name, parts in values.items()
        if isinstance(parts, Mapping)
        for part, value in parts.items()
        if isinstance(value, (Mapping, list))
    ]


_TEXT: Mapping[str, Any] = {"type": "str"}
_SWITCH: Mapping[str, Any] = {"type": "bool"}
_OFF: Mapping[str, Any] = {"spec": _SWITCH, "default": False, "normalize": to_switch}
_TEMPLATE: Mapping[str, Any] = {"type": "raw"}
_HIDDEN: Mapping[str, Any] = {"type": "dict", "no_log": True}
_KEY: Mapping[str, Any] = {"type": "str", "no_log": True}
_LOGIN: Mapping[str, Any] = {
    **_HIDDEN,
    "options": {"username": {"type": "str"}, "password": {"type": "str", "no_log": True}},
    "required_together": [["username", "password"]],
}
_OPEN_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
"""Headers that describe the form of a message and are never secret."""
_METHOD: Mapping[str, Any] = {"type": "str", "choices": ["DELETE", "GET", "POST", "PUT"]}
_RESPONSES = "{{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}"
_ERRORS = "hook-error/{{PARTICLE_EVENT_NAME}}"
# An integration without a type is a webhook: in 2018, when all integrations were webhooks, rows had no type.
_TYPE = Field(
    "type",
    "integration_type",
    {"type": "str", "choices": list(TYPES)},
    default=WEBHOOK,
    fixed=True,
    normalize=_normalize_type,
    encode=lambda value: TYPES.get(value, value),
)
# An update sends all other keys of a row back, including keys that the cloud may add in the future.
_READ_ONLY = ("id", "created_at", "updated_at", "hookUrl", "integrationUrl", "ok", "logs", "errors", "counters")

INTEGRATIONS = Kind(
    name="integrations",
    module="integration",
    noun="integration",
    key=Field("name", "name", _TEXT),
    fields=(
        _TYPE,
        Field("event", "event", _TEXT, required=True),
        Field("url", "url", _TEXT, required=True, only=(WEBHOOK,), normalize=normalize_url, show=show_url),
        Field("method", "requestType", _METHOD, default="POST", only=(WEBHOOK,), normalize=str.upper),
        Field("json", "json", _TEMPLATE, secret=True, only=(WEBHOOK, AZURE), normalize=parse_template),
        Field("form", "form", {"type": "dict"}, secret=True, only=(WEBHOOK,), normalize=to_texts),
        Field("body", "body", _TEXT, secret=True, only=(WEBHOOK,)),
        Field("query", "query", _HIDDEN, secret=True, only=(WEBHOOK,), normalize=to_texts),
        Field(
            "headers",
            "headers",
            _HIDDEN,
            secret=True,
            open_parts=_OPEN_HEADERS,
            only=(WEBHOOK,),
            normalize=normalize_headers,
        ),
        Field(
            "auth",
            "auth",
            _LOGIN,
            secret=True,
            open_parts=frozenset({"username"}),
            only=(WEBHOOK,),
            normalize=normalize_auth,
        ),
        Field("no_defaults", "noDefaults", **_OFF, only=(WEBHOOK,)),
        Field("disabled", "disabled", **_OFF),
        Field("reject_unauthorized", "rejectUnauthorized", _SWITCH, default=True, only=(WEBHOOK,), normalize=to_switch),
        Field("response_topic", "responseTopic", _TEXT, default=_RESPONSES, only=(WEBHOOK,)),
        Field("error_response_topic", "errorResponseTopic", _TEXT, default=_ERRORS, only=(WEBHOOK,)),
        Field("response_template", "responseTemplate", _TEMPLATE, only=(WEBHOOK,), normalize=parse_template),
        Field("unchunked", "unchunked", **_OFF, only=(WEBHOOK,)),
        Field("data_url_response_event", "dataUrlResponseEvent", **_OFF, only=(WEBHOOK,)),
        Field("hub_name", "hub_name", _TEXT, required=True, only=(AZURE,)),
        Field("policy_name", "policy_name", _TEXT, required=True, only=(AZURE,)),
        # Each integration of the type has a key, so a key that is missing in a row is hidden.
        Field("policy_key", "policy_key", _KEY, default=MASK, secret=True, required=True, only=(AZURE,)),
        Field("topic", "topic", _TEXT, required=True, only=(PUBSUB,)),
        Field("api_key", "api_key", _KEY, default=MASK, secret=True, required=True, only=(MAPS,)),
    ),
    list_rows=lambda target: list_integrations(target.http, target.required_product.id),
    read_row=lambda target, row: get_integration(target.http, target.required_product.id, row["id"]),
    create_row=lambda target, change: create_integration(target.http, target.required_product.id, change.body),
    update_row=lambda target, change: edit_integration(
        target.http, target.required_product.id, _get_id(change), change.body
    ),
    delete_row=lambda target, change: delete_integration(target.http, target.required_product.id, _get_id(change)),
    check=_check_integration,
    replaces=True,
    constants={_TYPE.cloud: TYPES[WEBHOOK]},
    variant=_TYPE,
    read_only=frozenset(_READ_ONLY),
    exclusive=("json", "form", "body"),
    after=("secrets",),
    # The cloud may add types. Integrations of such a type are neither changed nor removed.
    is_reserved=lambda row: get_variant(_TYPE, row) not in TYPES,
)
