# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that enable and disable login with one-time codes for an account.

Two requests are needed to enable one-time codes. The password is needed to disable one-time codes.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import quote

from particle_simulator import one_time_codes
from particle_simulator.errors import oauth_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.routes.user import check_password
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "user_account"
ENABLE = "/v1/user/mfa-enable"


def start_mfa(world: World, call: Call) -> Reply:
    """Create a secret for one-time codes (endpoints.yml: mfa_enable_start).

    A second request must confirm the secret with a valid one-time code.
    """
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    mfa_token = secrets.token_urlsafe(40)
    world.logins.mfa_setups[mfa_token] = (call.account, secret)
    label = quote(f"Particle:{call.account.username}")
    return json_reply({"mfa_token": mfa_token, "qr_url": f"otpauth://totp/{label}?secret={secret}", "secret": secret})


def confirm_mfa(world: World, call: Call) -> Reply:
    """Enable one-time codes for the account after a first valid code (endpoints.yml: mfa_enable_confirm).

    The error responses are inferred from the login with a one-time code.
    """
    mfa_token, code = call.fields.get("mfa_token"), call.fields.get("otp")
    if not isinstance(mfa_token, str) or not isinstance(code, str):
        raise oauth_error("invalid_request", "You must provide otp and mfa token.")
    account, secret = world.logins.mfa_setups.get(mfa_token, (None, ""))
    if account is not call.account or not one_time_codes.is_valid(secret, code, world.now()):
        raise oauth_error("invalid_grant", "Could not validate OTP.")
    del world.logins.mfa_setups[mfa_token]
    account.otp_secret = secret
    if call.fields.get("invalidate_tokens") in (True, "true"):
        world.logins.revoke_account(account)
    return json_reply({"enrolled": True})


def disable_mfa(world: World, call: Call) -> Reply:
    """Disable one-time codes for the account (endpoints.yml: mfa_disable). The request needs the current password."""
    check_password(call.account, call.fields.get("current_password"))
    call.account.otp_secret = None
    return json_reply({"ok": True})


ROUTES = [
    Route(GROUP, "mfa_enable_start", "GET", ENABLE, start_mfa),
    Route(GROUP, "mfa_enable_confirm", "POST", ENABLE, confirm_mfa, kind=Kind.WRITE),
    Route(GROUP, "mfa_disable", "PUT", "/v1/user/mfa-disable", disable_mfa, kind=Kind.WRITE),
]
