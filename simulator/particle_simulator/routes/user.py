# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that read, change, create and delete the account of the caller.

Undocumented error responses use the error body E6 (errors-and-limits.md, section 1) or the body of a validation error.
"""

from __future__ import annotations

import hmac
import secrets

from particle_simulator.errors import bad_request, listed_errors, permission_denied
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import CELLULAR_PLATFORMS, Account
from particle_simulator.ownership import unclaim
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.world import World

GROUP = "user_account"


def get_user(world: World, call: Call) -> Reply:
    """Respond with the account of the caller (endpoints.yml: user_get)."""
    account = call.account
    cellular = sum(1 for device in account.devices.values() if device.platform_id in CELLULAR_PLATFORMS)
    return json_reply(
        {
            "username": account.username,
            "subscription_ids": [],
            "account_info": {"first_name": "", "last_name": "", "business_account": False} | account.account_info,
            "mfa": {"enabled": account.otp_secret is not None},
            "scim_provisioned": False,
            "no_password": account.sso,
            "memberships": [],
            "tos": 1,
            "wifi_device_count": len(account.devices) - cellular,
            "cellular_device_count": cellular,
        }
    )


def identify_user(world: World, call: Call) -> Reply:
    """Respond with the user id and the email address of the caller (endpoints.yml: user_identify)."""
    return json_reply({"id": call.account.user_id, "email": call.account.username})


def check_password(account: Account, password: object) -> None:
    """Raise an error with status 400 if the password is not the password of the account."""
    text = password if isinstance(password, str) else ""
    if not hmac.compare_digest(account.password.encode(), text.encode()):
        raise listed_errors(400, "Bad password")


def update_user(world: World, call: Call) -> Reply:
    """Change the account of the caller (endpoints.yml: user_update).

    A change of the username or the password requires the current password. The access tokens stay valid unless the
    field `invalidate_tokens` is true.
    """
    account, fields = call.account, call.fields
    username, password = fields.get("username"), fields.get("password")
    info = fields.get("account_info", {})
    if not isinstance(info, dict):
        raise bad_request("account_info must be an object")
    for name, value in (("username", username), ("password", password)):
        if value is not None and (not isinstance(value, str) or not value):
            raise bad_request(f"{name} must be a string")
    if username is not None or password is not None:
        check_password(account, fields.get("current_password"))
    if username is not None:
        _rename(world, account, username)
    account.password = password or account.password
    account.account_info |= info
    if fields.get("invalidate_tokens") in (True, "true"):
        world.logins.revoke_account(account)
    return json_reply({"ok": True, "message": "User updated"})


def _find_register(world: World, account: Account) -> dict[str, Account]:
    """Return the accounts among which a username must be unique: the customers of a product, or all other accounts.

    Raise an error if the token belongs to neither, for example to the OAuth client of a product.
    """
    customers = account.product.resources.customers if account.product else {}
    for register in (customers, world.accounts.by_username):
        if register.get(account.username.lower()) is account:
            return register
    raise permission_denied()


def _rename(world: World, account: Account, username: str) -> None:
    register = _find_register(world, account)
    if register.get(username.lower()) not in (None, account):
        raise listed_errors(400, "username must be unique")
    del register[account.username.lower()]
    account.username = username
    register[username.lower()] = account


def create_user(world: World, call: Call) -> Reply:
    """Create an account (endpoints.yml: user_create). No access token is created."""
    username, password = call.fields.get("username"), call.fields.get("password")
    if not isinstance(username, str) or "@" not in username or not isinstance(password, str) or not password:
        raise listed_errors(400, "username and password are required")
    if world.accounts.find(username) is not None:
        raise listed_errors(400, "username must be unique")
    account = Account(username, password, secrets.token_hex(12))
    info = call.fields.get("account_info")
    account.account_info = dict(info) if isinstance(info, dict) else {}
    world.accounts.add(account)
    return json_reply({"ok": True})


def delete_user(world: World, call: Call) -> Reply:
    """Delete the account of the caller (endpoints.yml: user_delete).

    The account's devices are unclaimed, and the account's access tokens are revoked. The password is required.
    """
    account = call.account
    check_password(account, call.fields.get("password"))
    register = _find_register(world, account)
    for device in list(account.devices.values()):
        unclaim(device)
    for product in world.products.by_id.values():
        if product.owner is account:
            product.owner = None
    for org in world.orgs.by_id.values():
        org.members = [member for member in org.members if member is not account]
    world.logins.revoke_account(account)
    del register[account.username.lower()]
    return json_reply({"ok": True, "message": "User deleted"})


def request_password_reset(world: World, call: Call) -> Reply:
    """Respond that an e-mail for a password reset was sent (endpoints.yml: user_password_reset).

    The simulator sends no e-mail. The response does not reveal whether the account exists.
    """
    if not isinstance(call.fields.get("username"), str):
        raise listed_errors(400, "username is required")
    return json_reply({"ok": True, "message": "Password reset email sent"})


ROUTES = [
    Route(GROUP, "user_get", "GET", "/v1/user", get_user),
    Route(GROUP, "user_update", "PUT", "/v1/user", update_user, kind=Kind.WRITE),
    Route(GROUP, "user_create", "POST", "/v1/users", create_user, Auth.NONE, Kind.WRITE),
    Route(GROUP, "user_delete", "DELETE", "/v1/user", delete_user, kind=Kind.WRITE),
    Route(GROUP, "user_password_reset", "POST", "/v1/user/password-reset", request_password_reset, Auth.NONE),
    Route(GROUP, "user_identify", "GET", "/v1/user/identify", identify_user),
]
