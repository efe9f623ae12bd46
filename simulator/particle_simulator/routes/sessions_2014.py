# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the two-step login of early 2014.

The real paths of the routes are not known. Therefore the command line sets the paths.
"""

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
"""Seconds until a session expires.

Inferred: in a recorded login, the session expired weeks before the access token.
"""
CLIENT = "spark-ide"
"""The client id in the access tokens of Particle's Web IDE."""


def log_in(world: World, call: Call) -> Reply:
    """Create a session for a username and a password (endpoints.yml: spark_2014_login).

    The error responses are inferred from the error responses of a slightly newer route, the list of access tokens.
    """
    username, password = call.fields.get("username"), call.fields.get("password")
    account = world.accounts.find(username) if isinstance(username, str) else None
    if account is None:
        raise listed_errors(400, "Unknown user")
    given = password if isinstance(password, str) else ""
    if account.sso or account.otp_secret or not hmac.compare_digest(account.password.encode(), given.encode()):
        # One-time codes and single sign-on did not exist in 2014. Accounts with these features cannot log in here.
        raise listed_errors(401, "Bad password")
    value = secrets.token_urlsafe(15)
    until = world.now() + SESSION_LIFETIME
    world.logins.sessions_2014[value] = (account, until)
    return json_reply({"username": account.username, "auth_token": {"token": value, "expires_at": format_time(until)}})


def get_access_token(world: World, call: Call) -> Reply:
    """Create an access token for a session (endpoints.yml: spark_2014_access_token).

    The time of expiry in the response ends with `+00:00` instead of `Z`.
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
    """Build the routes of the two login steps.

    :param login_path: The path of the first step, which creates a session.
    :param token_path: The path of the second step, which creates an access token for a session.
    """
    group = "authentication_and_tokens"
    return [
        Route(group, "spark_2014_login", "POST", login_path, log_in, Auth.NONE, Kind.LOGIN),
        Route(group, "spark_2014_access_token", "GET", token_path, get_access_token, Auth.NONE, Kind.GRANT),
    ]
