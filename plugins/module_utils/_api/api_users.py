# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the API users of a product (endpoints.yml: team_and_api_users). Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import is_token
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

_UNKNOWN_METHOD = (404, 405)
_ROWS = RowForm(("team",), ("username",), text_lists=("scopes",))


@dataclass(frozen=True)
class NewApiUser:
    """An API user that the cloud has just created, with its access token. The cloud shows the token only once."""

    username: str
    token: str = field(repr=False)


def list_api_users(http: Http, product: str) -> list[dict[str, Any]]:
    """Return the API users of a product, without their tokens (endpoints.yml: team_list).

    The list also contains people. They are left out.

    :returns: ``[{username, friendly_name, scopes: [str]}]``, with more keys.
    :raises ParticleError: ``missing_scope`` when the token belongs to an API user.
    """
    request = Request("GET /v1/products/:p/team", f"list the API users of product {product}", {"p": product})
    rows = extract_rows(http.send(request).data, _ROWS, request)
    return [row for row in rows if isinstance(row.get("friendly_name"), str) and isinstance(row.get("scopes"), list)]


def create_api_user(http: Http, product: str, name: str, scopes: Sequence[str]) -> NewApiUser:
    """Create an API user (endpoints.yml: api_user_create). The token of the new user is masked in all output.

    :raises ParticleError: ``ambiguous_write`` when the user may exist, but the response contains no token.
    """
    body = {"friendly_name": name, "scopes": list(scopes)}
    request = Request("POST /v1/products/:p/team", f"create API user {name}", {"p": product}, json=body, private=True)
    created = send_create(http, request).get("created")
    username, token = (created.get("username"), _find_token(created)) if isinstance(created, dict) else (None, None)
    if not isinstance(username, str) or token is None:
        message = f"Could not create API user {name}: the response contains no username or no valid access token."
        raise ParticleError("ambiguous_write", message, status=200, route=request.route)
    http.redact.add_secret(token)
    return NewApiUser(username, token)


def rename_api_user(http: Http, product: str, username: str, name: str) -> str | None:
    """Change the friendly name of an API user. Its scopes and its token remain (endpoints.yml: api_user_update).

    Sources disagree about the method: if the cloud does not know PUT, the request is sent with POST (endpoints.yml:
    team_update).

    :returns: the token in the response; ``None`` if the response contains no token.
    """
    params, action = {"p": product, "username": username}, f"rename API user {username} to {name}"
    body = {"friendly_name": name}
    try:
        data = http.send(Request("PUT /v1/products/:p/team/:username", action, params, json=body, private=True)).data
    except ParticleError as error:
        if error.status not in _UNKNOWN_METHOD:
            raise
        data = http.send(Request("POST /v1/products/:p/team/:username", action, params, json=body, private=True)).data
    token = _find_token(data.get("updated")) if isinstance(data, dict) else None
    http.redact.add_secret(token)
    return token


def remove_api_user(http: Http, product: str, username: str) -> None:
    """Remove an API user. Its token becomes invalid (endpoints.yml: team_remove)."""
    params = {"p": product, "username": username}
    http.send(Request("DELETE /v1/products/:p/team/:username", f"remove API user {username}", params))


def _find_token(user: Any) -> str | None:
    """Return the access token in ``{tokens: [{token}]}``, or ``None`` if there is no valid access token."""
    tokens = user.get("tokens") if isinstance(user, dict) else None
    first = tokens[0] if isinstance(tokens, list) and tokens else None
    token = first.get("token") if isinstance(first, dict) else None
    return token if is_token(token) else None
