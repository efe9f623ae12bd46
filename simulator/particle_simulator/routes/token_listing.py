# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The legacy list of access tokens by HTTP Basic, which `--token-listing enabled` enables."""

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
"""Names of clients in the list, where they differ from the id."""


def list_tokens(world: World, call: Call) -> Reply:
    """List the valid tokens of an account (endpoints.yml: token_list_legacy)."""
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
        # Inferred for an account with single sign-on, which has no password.
        raise listed_errors(401, "Bad password")
    code = call.query.get("otp", "")
    if account.otp_secret is not None and not one_time_codes.is_valid(account.otp_secret, code, world.now()):
        # That the query carries the code is documented; the refusal without one is inferred.
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
    """Answer as the retired route does today (endpoints.yml: token_list_legacy)."""
    return not_found_text()


GROUP = "authentication_and_tokens"
PATH = "/v1/access_tokens"

RETIRED = [Route(GROUP, "token_list_legacy", "GET", PATH, answer_not_found, Auth.NONE)]
ENABLED = [Route(GROUP, "token_list_legacy", "GET", PATH, list_tokens, Auth.NONE)]
