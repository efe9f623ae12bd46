# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the cloud remembers: plain records, no behaviour beyond their own fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

CELLULAR_PLATFORMS = frozenset({10, 13, 15, 23, 25, 26, 28, 35, 37, 38, 42})
"""Platforms with a modem: they have an ICCID and an IMEI, and no Wi-Fi MAC in their record."""

WIFI_PLATFORMS = frozenset({0, 6, 8, 11, 12, 22, 31, 32, 43, 82, 88})
"""Platforms with Wi-Fi and no modem: the only ones whose record has `mac_wifi`."""


def iso(moment: float | None) -> str | None:
    """A time in the spelling of the cloud: UTC, milliseconds, Z."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"


@dataclass(slots=True, eq=False)
class Device:
    """One device, whoever owns it and whether or not it is in a product."""

    id: str
    platform_id: int
    serial_number: str | None = None
    imei: str | None = None
    iccid: str | None = None
    mac_wifi: str | None = None
    mobile_secret: str | None = None
    name: str | None = None
    notes: str | None = None
    owner: Account | None = None
    product: Product | None = None
    groups: tuple[str, ...] = ()
    online: bool = True
    last_heard: float | None = None
    last_handshake_at: float | None = None
    last_ip_address: str | None = None
    system_firmware_version: str = "6.3.4"
    firmware_version: int | None = None
    desired_firmware_version: int | None = None
    development: bool = False
    quarantined: bool = False
    denied: bool = False
    firmware_updates_forced: bool = False
    protection: str = "disabled"


@dataclass(slots=True, eq=False)
class Account:
    """One user of the cloud, with what belongs to the user and to no product."""

    username: str
    password: str
    user_id: str
    otp_secret: str | None = None
    sso: bool = False
    devices: dict[str, Device] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    order: list[Device] | None = None
    """The claimed devices as the account's list shows them; None when that must be worked out again."""


@dataclass(slots=True, eq=False)
class Client:
    """An OAuth client; `owner` is None for the ones Particle's own tools use."""

    id: str
    secret: str
    owner: Account | None = None


@dataclass(slots=True, eq=False)
class Token:
    """An access token; `expires_at` None means never."""

    value: str
    account: Account
    client_id: str
    expires_at: float | None
    refresh_token: str | None = None
    life: float = 0.0


@dataclass(slots=True, eq=False)
class MfaLogin:
    """The first half of a login with a one-time code; it remembers what that half asked for."""

    account: Account
    client_id: str
    life: float
    valid_until: float


@dataclass(slots=True, eq=False)
class Group:
    """A device group of a product; members are kept both here and on the device, to count and filter fast."""

    name: str
    description: str
    color: str
    members: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Product:
    """A product; `owner` None stands for somebody who has no account in this simulator."""

    id: int
    slug: str
    name: str
    platform_id: int
    owner: Account | None
    description: str = ""
    devices: dict[str, Device] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    orders: dict[tuple[str, bool], list[Device]] = field(default_factory=dict)
    """Sorted device lists by (attribute, descending): a sweep over all pages must not sort at every page."""


@dataclass(slots=True, eq=False)
class Instance:
    """The data of a ledger for one device, product or owner."""

    scope_value: str
    data: dict[str, Any]
    size: int
    created_at: float
    updated_at: float


@dataclass(slots=True, eq=False)
class Ledger:
    """A ledger definition and its instances by scope value; `direction` None is a cloud-only ledger."""

    name: str
    scope: str
    direction: str | None
    description: str
    created_at: float
    updated_at: float
    archived_at: float | None = None
    instances: dict[str, Instance] = field(default_factory=dict)
