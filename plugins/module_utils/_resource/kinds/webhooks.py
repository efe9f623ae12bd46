# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "webhook" (endpoints.yml: webhook_create, integration_edit). Private to this collection."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.integrations import (
    create_integration,
    delete_integration,
    edit_integration,
    get_integration,
    list_integrations,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Change, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

_TYPE = "Webhook"


def _list_webhooks(target: Target) -> list[dict[str, Any]]:
    """Return the integrations that are webhooks.

    A row without a type counts as a webhook: rows from 2018 have no type, because at that time all integrations were
    webhooks.
    """
    rows = list_integrations(target.http, target.required_product.id)
    return [row for row in rows if row.get("integration_type", _TYPE) == _TYPE]


def _read_webhook(target: Target, row: Row) -> dict[str, Any]:
    return get_integration(target.http, target.required_product.id, row["id"])


def _get_id(change: Change) -> str:
    """Return the id of an observed webhook."""
    return str(change.row["id"]) if change.row is not None else ""


def _parse_template(value: Any) -> Any:
    """Parse a template as JSON.

    Some templates are JSON only after their variables are filled in. Return such a template as a string, without
    surrounding spaces.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value.strip()


def _to_texts(value: Any) -> Any:
    """Convert numbers and booleans in a mapping to strings.

    The cloud sends all values in forms, queries and headers as strings.
    """
    if not isinstance(value, Mapping):
        return value
    return {
        str(name): json.dumps(item) if isinstance(item, (bool, int, float)) else item for name, item in value.items()
    }


def _normalise_headers(value: Any) -> Any:
    """Convert header names to lower case, because header names are case-insensitive."""
    texts = _to_texts(value)
    return {name.lower(): text for name, text in texts.items()} if isinstance(texts, Mapping) else texts


def _normalise_auth(value: Any) -> Any:
    """Replace a missing username or password by a mask. Some clouds omit these values in responses to hide secrets."""
    parts = ("username", "password")
    return {part: value.get(part) or MASK for part in parts} if isinstance(value, Mapping) else value


def _split_url(value: str) -> tuple[urllib.parse.SplitResult, str, str]:
    """Return three values: the parts of a URL, the login including the ``@`` at its end, and the host."""
    parts = urllib.parse.urlsplit(value)
    login, at, host = parts.netloc.rpartition("@")
    return parts, login + at, host


def _normalise_url(value: str) -> str:
    """Convert the scheme and host of a URL to lower case, and an empty path to ``/``."""
    try:
        parts, login, host = _split_url(value)
    except ValueError:  # the URL has brackets without an IPv6 address; the cloud will refuse this URL
        return value
    host = host if "{" in host else host.lower()  # a host with a brace has a variable; variables are case-sensitive
    return parts._replace(netloc=login + host, path=parts.path or "/").geturl() if host else value


def _show_url(value: str) -> str:
    """Return a URL with masks in place of the login and the values of the query."""
    try:
        parts, login, host = _split_url(value)
    except ValueError:
        return MASK
    names = [name for name, _unused in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)]
    query = "&".join(f"{name}={MASK}" for name in names)
    return parts._replace(netloc=(f"{MASK}@" if login else "") + host, query=query).geturl()


def _to_switch(value: Any) -> Any:
    """Convert the string ``true`` or ``false`` to a boolean; return any other value unchanged.

    The cloud shows a string for a boolean that was set by a form.
    """
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


_TEXT: Mapping[str, Any] = {"type": "str"}
_SWITCH: Mapping[str, Any] = {"type": "bool"}
_TEMPLATE: Mapping[str, Any] = {"type": "raw"}
_HIDDEN: Mapping[str, Any] = {"type": "dict", "no_log": True}
_LOGIN: Mapping[str, Any] = {
    **_HIDDEN,
    "options": {"username": {"type": "str"}, "password": {"type": "str", "no_log": True}},
    "required_together": [["username", "password"]],
}
_METHOD: Mapping[str, Any] = {"type": "str", "choices": ["DELETE", "GET", "POST", "PUT"]}
_RESPONSES = "{{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}"
_ERRORS = "hook-error/{{PARTICLE_EVENT_NAME}}"

WEBHOOKS = Kind(
    name="integrations",
    module="integration",
    noun="webhook",
    key=Field("name", "name", _TEXT),
    fields=(
        Field("event", "event", _TEXT, required=True),
        Field("url", "url", _TEXT, required=True, normalise=_normalise_url, show=_show_url),
        Field("method", "requestType", _METHOD, default="POST", normalise=str.upper),
        Field("json", "json", _TEMPLATE, secret=True, normalise=_parse_template),
        Field("form", "form", {"type": "dict"}, secret=True, normalise=_to_texts),
        Field("body", "body", _TEXT, secret=True),
        Field("query", "query", _HIDDEN, secret=True, normalise=_to_texts),
        Field("headers", "headers", _HIDDEN, secret=True, normalise=_normalise_headers),
        Field("auth", "auth", _LOGIN, secret=True, normalise=_normalise_auth),
        Field("no_defaults", "noDefaults", _SWITCH, default=False, normalise=_to_switch),
        Field("disabled", "disabled", _SWITCH, default=False, normalise=_to_switch),
        Field("reject_unauthorized", "rejectUnauthorized", _SWITCH, default=True, normalise=_to_switch),
        Field("response_topic", "responseTopic", _TEXT, default=_RESPONSES),
        Field("error_response_topic", "errorResponseTopic", _TEXT, default=_ERRORS),
        Field("response_template", "responseTemplate", _TEMPLATE, normalise=_parse_template),
        Field("unchunked", "unchunked", _SWITCH, default=False, normalise=_to_switch),
        Field("data_url_response_event", "dataUrlResponseEvent", _SWITCH, default=False, normalise=_to_switch),
    ),
    list_rows=_list_webhooks,
    read_row=_read_webhook,
    create_row=lambda target, change: create_integration(target.http, target.required_product.id, change.body),
    update_row=lambda target, change: edit_integration(
        target.http, target.required_product.id, _get_id(change), change.body
    ),
    delete_row=lambda target, change: delete_integration(target.http, target.required_product.id, _get_id(change)),
    replaces=True,
    constants={"integration_type": _TYPE},
    # An update sends all other keys of a row back, including keys that the cloud may add in the future.
    read_only=frozenset({"id", "created_at", "updated_at", "hookUrl", "ok", "logs", "errors", "counters"}),
    exclusive=("json", "form", "body"),
)
