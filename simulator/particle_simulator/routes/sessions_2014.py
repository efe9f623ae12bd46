# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The two-step login of early 2014, on paths that the command line sets because the real ones are not known."""

from __future__ import annotations

import hmac
import secrets

from particle_simulator.errors import listed_errors, oauth_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import format_time
from particle_simulator.routes.token_grants import DEFAULT_LIFETIME, create_token
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.world import World

SESSION_LIFETIME = 86_400.0
"""Seconds until a session expires. Inferred: the recorded session expired weeks before its access token."""
CLIENT = "spark-ide"
"""The client of tokens of the Web IDE."""


def log_in(world: World, call: Call) -> Reply:
    """Log in with username and password (endpoints.yml: spark_2014_login).

    The refusals are inferred from those of the list of tokens, which is a little younger.
    """
    username, password = call.fields.get("username"), call.fields.get("password")
    account = world.accounts.find(username) if isinstance(username, str) else None
    if account is None:
        raise listed_errors(400, "Unknown user")
    given = password if isinstance(password, str) else ""
    if account.sso or account.otp_secret or not hmac.compare_digest(account.password.encode(), given.encode()):
        # One-time codes and single sign-on did not exist in 2014, so such accounts cannot log in here.
        raise listed_errors(401, "Bad password")
    value = secrets.token_urlsafe(15)
    until = world.now() + SESSION_LIFETIME
    world.logins.sessions_2014[value] = (account, until)
    return json_reply({"username": account.username, "auth_token": {"token": value, "expires_at": format_time(until)}})


def get_access_token(world: World, call: Call) -> Reply:
    """Create an access token for a session (endpoints.yml: spark_2014_access_token).

    The response writes the time of expiry with an offset instead of a Z.
    """
    scheme, _unused, value = call.headers.get("Authorization", "").partition(" ")
    account, until = world.logins.sessions_2014.get(value.strip(), (None, 0.0))
    if scheme.lower() != "bearer" or account is None:
        raise oauth_error("invalid_token", "The access token provided is invalid.")
    if until <= world.now():
        raise oauth_error("invalid_token", "The access token provided has expired.")
    token = create_token(world, account, CLIENT, DEFAULT_LIFETIME)
    token.refresh_token = None
    world.logins.add_token(token)
    moment = (format_time(token.expires_at) or "").replace("Z", "+00:00")
    return json_reply({"access_token": token.value, "access_token_expires_at": moment})


def build_routes(login_path: str, token_path: str) -> list[Route]:
    """Build the routes of both steps, on the paths that the command line sets."""
    group = "authentication_and_tokens"
    return [
        Route(group, "spark_2014_login", "POST", login_path, log_in, Auth.NONE, Kind.LOGIN),
        Route(group, "spark_2014_access_token", "GET", token_path, get_access_token, Auth.NONE, Kind.GRANT),
    ]
