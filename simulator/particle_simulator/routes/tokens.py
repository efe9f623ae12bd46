# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that describe and revoke access tokens."""

from __future__ import annotations

from particle_simulator.errors import oauth_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import format_time
from particle_simulator.routing import ANY_SCOPE, Auth, Kind, Route
from particle_simulator.world import World

GROUP = "authentication_and_tokens"


def introspect_token(world: World, call: Call) -> Reply:
    """Respond with the properties of the request's own access token (endpoints.yml: token_introspect_current).

    `scopes` is an empty list if the token has no scopes.
    """
    token = call.token
    scopes = list(token.scopes or ())
    orgs = [{"id": org.id, "slug": org.slug} for org in world.orgs.list_for_member(call.sandbox)]
    return json_reply(
        {"expires_at": format_time(token.expires_at), "client": token.client_id, "scopes": scopes, "orgs": orgs}
    )


def revoke_current_token(world: World, call: Call) -> Reply:
    """Revoke the request's own access token (endpoints.yml: token_revoke_current)."""
    world.logins.revoke(call.token)
    return json_reply({"ok": True})


def revoke_token(world: World, call: Call) -> Reply:
    """Revoke the access token in the request path (endpoints.yml: token_revoke_one).

    The token in the path is the only credential of the request. Particle does not document whether the response for an
    unknown token has status 400 or 401. The simulator responds with 401, as for any invalid token.
    """
    token = world.logins.tokens.get(call.path["token"])
    if token is None:
        raise oauth_error("invalid_token", "The access token provided is invalid.")
    world.logins.revoke(token)
    return json_reply({"ok": True})


def revoke_all_tokens(world: World, call: Call) -> Reply:
    """Revoke all access tokens of the caller, including the request's own token (endpoints.yml: token_revoke_all)."""
    world.logins.revoke_account(call.account)
    return json_reply({"ok": True})


CURRENT = "/v1/access_tokens/current"
ONE = "/v1/access_tokens/:token"
ALL = "/v1/access_tokens"

ROUTES = [
    Route(GROUP, "token_introspect_current", "GET", CURRENT, introspect_token, scope=ANY_SCOPE),
    Route(
        GROUP, "token_revoke_current", "DELETE", CURRENT, revoke_current_token, kind=Kind.REVOCATION, scope=ANY_SCOPE
    ),
    Route(GROUP, "token_revoke_one", "DELETE", ONE, revoke_token, Auth.NONE, Kind.REVOCATION),
    Route(GROUP, "token_revoke_all", "DELETE", ALL, revoke_all_tokens, kind=Kind.REVOCATION),
]
