# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The account behind a token."""

from __future__ import annotations

from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import CELLULAR_PLATFORMS
from particle_simulator.routing import Route
from particle_simulator.world import World


def get_user(world: World, call: Call) -> Reply:
    """user_get."""
    account = call.account
    cellular = sum(1 for device in account.devices.values() if device.platform_id in CELLULAR_PLATFORMS)
    return json_reply(
        {
            "username": account.username,
            "subscription_ids": [],
            "account_info": {"first_name": "", "last_name": "", "business_account": False},
            "mfa": {"enabled": account.otp_secret is not None},
            "scim_provisioned": False,
            "no_password": account.sso,
            "memberships": [],
            "tos": 1,
            "wifi_device_count": len(account.devices) - cellular,
            "cellular_device_count": cellular,
        }
    )


ROUTES = [Route("user_account", "user_get", "GET", "/v1/user", get_user)]
