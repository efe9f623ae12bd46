# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The route `POST /oauth/token`, which grants access tokens.

The checks of a request have the same order as in Particle's OAuth library.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from particle_simulator import one_time_codes
from particle_simulator.errors import NO_STORE, Refusal, oauth_error
from particle_simulator.messages import FORM, Call, Reply, json_reply
from particle_simulator.model import Account, Client, MfaLogin, Token
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.world import World

DEFAULT_LIFETIME = 7_776_000.0
REFRESH_EXTRA_SECONDS = 14 * 86400.0
"""Seconds for which a refresh token stays valid after its access token has expired: 14 days."""
MFA_LOGIN_LIFETIME = 300.0
"""Seconds until an mfa_token expires. The value is not documented by Particle, but suggested in docs/facts."""
NEVER = 0.0
MAX_DIGITS = 10
"""The maximum number of digits in `expires_in`, a number of seconds.

Ten digits allow about three centuries. With more digits, the time of expiry might not be a valid date.
"""

CUSTOMER_PREFIX = "customer="
FULL_SCOPE = "*:*"

CLIENT_ID = re.compile(r"[a-z0-9_-]{3,40}", re.IGNORECASE)


def grant_token(world: World, call: Call) -> Reply:
    """Grant an access token. The field `grant_type` selects the kind of grant (endpoints.yml: token_password)."""
    if call.content_type != FORM:
        raise oauth_error("invalid_request", "Method must be POST with application/x-www-form-urlencoded encoding")
    grant = GRANTS.get(_read_field(call, "grant_type"))
    if grant is None:
        raise oauth_error("invalid_request", "Invalid or missing grant_type parameter")
    token = grant(world, call, _authenticate_client(world, call))
    return json_reply(activate_token(world, token), 200, dict(NO_STORE))


def activate_token(world: World, token: Token) -> dict[str, str | int]:
    """Make a new access token valid, and return the response body with the token (endpoints.yml: token_grant)."""
    world.logins.add_token(token)
    answer: dict[str, str | int] = {
        "token_type": "bearer",
        "access_token": token.value,
        "expires_in": round(token.lifetime),
    }
    if token.refresh_token:
        answer["refresh_token"] = token.refresh_token
    return answer


def _read_field(call: Call, name: str) -> str:
    value = call.fields.get(name, "")
    return value if isinstance(value, str) else ""


# ---------------------------------------------------------------------- the client


def _authenticate_client(world: World, call: Call) -> Client:
    """Find the OAuth client of a request, and check the client secret.

    The credentials are read from the Basic header. Without a Basic header, the credentials are read from the form.
    """
    client_id, secret = read_basic_credentials(call.headers.get("Authorization", "")) or (
        _read_field(call, "client_id"),
        _read_field(call, "client_secret"),
    )
    if not CLIENT_ID.fullmatch(client_id):
        raise oauth_error("invalid_client", "Invalid or missing client_id parameter")
    if not secret:
        raise oauth_error("invalid_client", "Missing client_secret parameter")
    client = world.accounts.clients.get(client_id)
    if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
        raise oauth_error("invalid_client", "Client credentials are invalid")
    return client


def read_basic_credentials(header: str) -> tuple[str, str] | None:
    """Return the name and the secret in a Basic header, or None if the header is not a valid Basic header."""
    scheme, _unused, packed = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(packed.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if colon else None


# ---------------------------------------------------------------------- the lifetime of a token


def _read_lifetime(world: World, call: Call) -> float:
    """Return the requested lifetime of a token in seconds. 0 means that the token never expires.

    An invalid value is ignored. This behaviour is inferred, not documented.
    """
    text = _read_field(call, "expires_in")
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return float(text)
    moment = _read_field(call, "expires_at")
    if moment:
        try:
            parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        except ValueError:
            return DEFAULT_LIFETIME
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return aware.timestamp() - world.now()
    return DEFAULT_LIFETIME


def create_token(world: World, account: Account, client_id: str, lifetime: float) -> Token:
    """Create an access token.

    The value of the token is random and does not depend on the seed. Otherwise an old token could become valid again
    after a reset of the simulator.
    """
    for_ever = lifetime == NEVER
    return Token(
        value=secrets.token_hex(20),
        account=account,
        client_id=client_id,
        expires_at=None if for_ever else world.now() + lifetime,
        refresh_token=None if for_ever else secrets.token_hex(20),
        lifetime=lifetime,
    )


# ---------------------------------------------------------------------- the grants


def _grant_by_password(world: World, call: Call, client: Client) -> Token:
    """Grant an access token for a username and a password (endpoints.yml: token_password)."""
    username, password = _read_field(call, "username"), _read_field(call, "password")
    if not username or not password:
        raise oauth_error("invalid_client", 'Missing parameters. "username" and "password" are required')
    if client.product is not None:
        # Only customers of a product can log in with an OAuth client of the product. This rule is inferred.
        account = client.product.resources.customers.get(username.lower())
    else:
        account = world.accounts.find(username)
    if account is not None and account.sso:
        raise oauth_error("sso_user", "This account signs in with single sign-on and has no password")
    if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
        raise oauth_error("invalid_grant", "User credentials are invalid")
    lifetime = _read_lifetime(world, call)
    if account.otp_secret is not None:
        raise _ask_for_one_time_code(world, account, client, lifetime)
    return create_token(world, account, client.id, lifetime)


def _ask_for_one_time_code(world: World, account: Account, client: Client, lifetime: float) -> Refusal:
    mfa_token = secrets.token_urlsafe(40)
    world.logins.mfa_logins[mfa_token] = MfaLogin(account, client.id, lifetime, world.now() + MFA_LOGIN_LIFETIME)
    return oauth_error("mfa_required", "Multi-factor authentication required", mfa_token=mfa_token)


def _grant_by_one_time_code(world: World, call: Call, client: Client) -> Token:
    """Grant an access token for a one-time code, the second step of a login (endpoints.yml: token_mfa_otp).

    The lifetime of the token was requested in the first step of the login.
    """
    mfa_token, code = _read_field(call, "mfa_token"), _read_field(call, "otp")
    if not mfa_token or not code:
        raise oauth_error("invalid_request", "You must provide otp and mfa token.")
    login = world.logins.mfa_logins.get(mfa_token)
    refused = oauth_error("invalid_grant", "Could not validate OTP.")
    if login is None or login.client_id != client.id or login.valid_until < world.now():
        raise refused
    if not one_time_codes.is_valid(login.account.otp_secret or "", code, world.now()):
        raise refused
    del world.logins.mfa_logins[mfa_token]
    return create_token(world, login.account, client.id, login.lifetime)


def _grant_by_recovery_code(world: World, call: Call, client: Client) -> Token:
    """Grant an access token for a recovery code (endpoints.yml: token_recovery_code).

    Each recovery code works only once.
    """
    mfa_token, code = _read_field(call, "mfa_token"), _read_field(call, "recovery_code")
    if not mfa_token or not code:
        raise oauth_error("invalid_request", "You must provide recovery code and mfa token.")
    login = world.logins.mfa_logins.get(mfa_token)
    if login is None or login.client_id != client.id or login.valid_until < world.now():
        raise oauth_error("invalid_grant", "Could not validate recovery code.")
    if code not in login.account.recovery_codes:
        raise oauth_error("invalid_grant", "Could not validate recovery code.")
    login.account.recovery_codes.remove(code)
    del world.logins.mfa_logins[mfa_token]
    return create_token(world, login.account, client.id, login.lifetime)


def _grant_by_client_credentials(world: World, call: Call, client: Client) -> Token:
    """Grant an access token for the id and secret of an OAuth client (endpoints.yml: token_client_credentials).

    The token acts for the owner of the client. With the scope `customer=<email>`, the token acts for that customer.
    """
    if client.owner is None:
        # The OAuth clients of Particle's own tools have no owner.
        raise oauth_error("invalid_grant", "Client credentials are invalid")
    lifetime = _read_lifetime(world, call)
    scope = _read_field(call, "scope")
    if scope.startswith(CUSTOMER_PREFIX):
        return create_token(world, _find_customer(client, scope.removeprefix(CUSTOMER_PREFIX)), client.id, lifetime)
    account = client.owner
    if client.product is not None:
        # If the OAuth client belongs to a product, the token can access only that product.
        account = Account(client.id, "", client.owner.user_id, product=client.product, acts_for=client.owner)
    token = create_token(world, account, client.id, lifetime)
    if client.scope and client.scope != FULL_SCOPE:
        token.scopes = tuple(client.scope.split())
    return token


def _find_customer(client: Client, email: str) -> Account:
    """Find a customer of the client's product. The error message is inferred, not documented."""
    customers = client.product.resources.customers if client.product else {}
    found = customers.get(email) or customers.get(email.lower())
    if found is None:
        raise oauth_error("invalid_scope", "The customer does not exist")
    return found


def _grant_by_refresh_token(world: World, call: Call, client: Client) -> Token:
    """Grant an access token for a refresh token (endpoints.yml: token_refresh).

    A refresh token works only once, and only for the OAuth client that got the refresh token.
    """
    value = _read_field(call, "refresh_token")
    if not value:
        raise oauth_error("invalid_request", 'No "refresh_token" parameter')
    old = world.logins.refresh_tokens.get(value)
    if old is None or old.client_id != client.id:
        raise oauth_error("invalid_grant", "Invalid refresh token")
    if old.expires_at is not None and old.expires_at + REFRESH_EXTRA_SECONDS < world.now():
        raise oauth_error("invalid_grant", "Refresh token has expired")
    del world.logins.refresh_tokens[value]
    return create_token(world, old.account, client.id, _read_lifetime(world, call))


def _refuse_authorization_code(world: World, call: Call, client: Client) -> Token:
    """Refuse the grant by authorization code, because this grant needs a browser.

    (endpoints.yml: token_authorization_code)
    """
    raise oauth_error("invalid_client", "The grant type is unauthorised for this client_id")


GRANTS: dict[str, Callable[[World, Call, Client], Token]] = {
    "password": _grant_by_password,
    "urn:custom:mfa-otp": _grant_by_one_time_code,
    "client_credentials": _grant_by_client_credentials,
    "refresh_token": _grant_by_refresh_token,
    "urn:custom:recovery-code": _grant_by_recovery_code,
    "authorization_code": _refuse_authorization_code,
}

ROUTES = [
    Route(
        "authentication_and_tokens",
        "token_password",
        "POST",
        "/oauth/token",
        grant_token,
        Auth.NONE,
        Kind.GRANT,
        also=("token_mfa_otp", "token_recovery_code", "token_client_credentials", "token_refresh"),
    ),
]
