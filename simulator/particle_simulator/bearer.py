# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check the access token of a request. Errors are detected in the same order as in Particle's OAuth library."""

from __future__ import annotations

from particle_simulator.errors import oauth_error
from particle_simulator.messages import FORM, Call
from particle_simulator.model import Token
from particle_simulator.world import World

PARAMETER = "access_token"


def check_bearer(world: World, call: Call) -> Token:
    """Return the access token of a request, from the Authorization header, the form body or the query.

    Particle has deprecated tokens in the form body and in the query. Raise a `Refusal` if the request has no token or
    several tokens, or if the token is invalid, expired, or not allowed in the body or the query.
    """
    value, in_query = _read_token(call)
    token = world.logins.tokens.get(value)
    if token is None:
        raise oauth_error("invalid_token", "The access token provided is invalid.")
    if in_query and not token.account.query_tokens:
        # It is documented that the cloud refuses this request. The error message is not documented.
        raise oauth_error("invalid_request", "This account may not send the access token in the query")
    if token.expires_at is not None and token.expires_at <= world.now():
        raise oauth_error("invalid_token", "The access token provided has expired.")
    return token


def _read_token(call: Call) -> tuple[str, bool]:
    """Return the value of the access token, and whether the value is from the query."""
    header = call.headers.get("Authorization")
    # Remove the token from the body fields, because the endpoint must not see the token as a field.
    in_body = call.fields.pop(PARAMETER, None)
    in_query = call.query.get(PARAMETER)
    if sum(value is not None for value in (header, in_body, in_query)) > 1:
        raise oauth_error(
            "invalid_request",
            "Only one method may be used to authenticate at a time (Auth header,  GET or POST).",
        )
    if header is not None:
        scheme, _unused, value = header.strip().partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise oauth_error("invalid_request", "Malformed auth header")
        return value.strip(), False
    if in_body is not None:
        return _check_body_token(call, str(in_body)), False
    if in_query is not None and call.method == "GET":
        return in_query, True
    raise oauth_error("invalid_request", "The access token was not found")


def _check_body_token(call: Call, value: str) -> str:
    """Return the token in a request body. Raise a `Refusal` for a GET request, and for a body that is not a form."""
    if call.method == "GET":
        raise oauth_error("invalid_request", "Method cannot be GET When putting the token in the body.")
    if call.content_type != FORM:
        raise oauth_error(
            "invalid_request",
            "When putting the token in the body, content type must be application/x-www-form-urlencoded.",
        )
    return value
