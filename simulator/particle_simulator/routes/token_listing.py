# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The legacy route that lists access tokens and requires HTTP Basic authentication.

By default the route is retired and responds with 404. The option `--token-listing enabled` enables the route.
"""

from __future__ import annotations

import hmac

from particle_simulator import one_time_codes
from particle_simulator.errors import listed_errors
from particle_simulator.messages import Call, Reply, json_reply, not_found_text
from particle_simulator.model import Token, format_time
from particle_simulator.routes.token_grants import read_basic_credentials
from particle_simulator.routing import Auth, Route
from particle_simulator.world import World

LABELS = {"particle": "__PASSWORD_ONLY__"}
"""Names that the list shows instead of some client ids, keyed by client id."""


def list_tokens(world: World, call: Call) -> Reply:
    """List the valid access tokens of an account (endpoints.yml: token_list_legacy)."""
    credentials = read_basic_credentials(call.headers.get("Authorization", ""))
    if credentials is None:
        raise listed_errors(
            401,
            "Unauthorized. You must send username and password in HTTP Basic Auth to view your access tokens.",
        )
    username, password = credentials
    account = world.accounts.find(username)
    if account is None:
        raise listed_errors(400, "Unknown user")
    if account.sso or not hmac.compare_digest(account.password.encode(), password.encode()):
        # For an account with single sign-on, which has no password, the error response is inferred.
        raise listed_errors(401, "Bad password")
    code = call.query.get("otp", "")
    if account.otp_secret is not None and not one_time_codes.is_valid(account.otp_secret, code, world.now()):
        # Particle documents that the query contains the one-time code. The error response is inferred.
        raise listed_errors(401, "A one-time password is required")
    now = world.now()
    tokens = world.logins.list_tokens(account)
    return json_reply([_build_row(token) for token in tokens if token.expires_at is None or token.expires_at > now])


def _build_row(token: Token) -> dict[str, str | None]:
    return {
        "token": token.value,
        "expires_at": format_time(token.expires_at),
        "client": LABELS.get(token.client_id, token.client_id),
    }


def answer_not_found(world: World, call: Call) -> Reply:
    """Respond with 404, as the cloud does today for the retired route (endpoints.yml: token_list_legacy)."""
    return not_found_text()


GROUP = "authentication_and_tokens"
PATH = "/v1/access_tokens"

RETIRED = [Route(GROUP, "token_list_legacy", "GET", PATH, answer_not_found, Auth.NONE)]
ENABLED = [Route(GROUP, "token_list_legacy", "GET", PATH, list_tokens, Auth.NONE)]
