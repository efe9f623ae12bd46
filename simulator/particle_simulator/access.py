# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a token may do, once it is known to be good: scopes of API users and of clients."""

from __future__ import annotations

from particle_simulator.errors import closed_to_api_users, oauth_error
from particle_simulator.model import Token
from particle_simulator.routing import ANY_SCOPE, Route


def check_scope(token: Token, route: Route) -> None:
    """Whether a token may use a route."""
    if token.scopes is not None:
        check_scope_for(token, route.scope)


def check_scope_for(token: Token, scope: str | None) -> None:
    """Tokens with scopes reach only the routes that those open (endpoints.yml: scope_errors).

    The body for a missing scope is not established; the first of the two codes in that entry is used.
    """
    if token.scopes is None or scope == ANY_SCOPE:
        return
    if scope is None:
        raise closed_to_api_users()
    if scope not in token.scopes:
        raise oauth_error("invalid_scope", f"The access token does not have the scope {scope}")
