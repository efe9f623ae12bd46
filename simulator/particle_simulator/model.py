# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the cloud remembers: plain records, no behaviour beyond their own fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from particle_simulator.resources import Resources

CELLULAR_PLATFORMS = frozenset({10, 13, 15, 23, 25, 26, 28, 35, 37, 38, 42})
"""Platforms with a modem: they have an ICCID and an IMEI, and no Wi-Fi MAC in their record."""

WIFI_PLATFORMS = frozenset({0, 6, 8, 11, 12, 22, 31, 32, 43, 82, 88})
"""Platforms with Wi-Fi and no modem: the only ones whose record has `mac_wifi`."""


def format_time(moment: float | None) -> str | None:
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
    powered: bool = True
    lost_at: float | None = None
    """When it lost its power; None for one that is up and for one that has never been."""
    offline_face: int | None = None
    """The status that calls to it get while it is not there; None leaves the choice to the route."""
    network: Network | None = None
    gateway: bool = False

    @property
    def reachable(self) -> bool:
        """Whether it answers. `online` is only what the cloud believes, and may be out of date."""
        return self.online and self.powered


@dataclass(slots=True, eq=False)
class Account:
    """One user of the cloud, with what belongs to the user and to no product."""

    username: str
    password: str
    user_id: str
    otp_secret: str | None = None
    sso: bool = False
    recovery_codes: list[str] = field(default_factory=list)
    query_tokens: bool = True
    """Whether a token may come in the query; the cloud refuses it for accounts made after December 2024."""
    account_info: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    product: Product | None = None
    """The one product that API users, product clients and customers can reach; None for people."""
    org: Organization | None = None
    """The one organisation that its API users can reach."""
    acts_for: Account | None = None
    """Whose sandbox an API user or a client works on; None for people, who work on their own."""
    sorted_devices: list[Device] | None = None
    """A cache: the claimed devices in the order of the account's list; None when they must be sorted again."""


@dataclass(slots=True, eq=False)
class Client:
    """An OAuth client; `owner` is None for the ones Particle's own tools use."""

    id: str
    secret: str
    owner: Account | None = None
    name: str = ""
    type: str = "installed"
    redirect_uri: str | None = None
    product: Product | None = None
    scope: str | None = None
    """Space-separated; None is full permission."""


@dataclass(slots=True, eq=False)
class Token:
    """An access token; `expires_at` None means never."""

    value: str
    account: Account
    client_id: str
    expires_at: float | None
    refresh_token: str | None = None
    lifetime: float = 0.0
    scopes: tuple[str, ...] | None = None
    """What the token may do; None is everything that its account may."""


@dataclass(slots=True, eq=False)
class MfaLogin:
    """The first half of a login with a one-time code; it remembers what that half asked for."""

    account: Account
    client_id: str
    lifetime: float
    valid_until: float


@dataclass(slots=True, eq=False)
class Group:
    """A device group of a product; members are kept both here and on the device, to count and filter fast."""

    name: str
    description: str
    color: str
    members: set[str] = field(default_factory=set)
    fw_version: int | None = None
    """The firmware version that is released to the group."""


@dataclass(slots=True, eq=False)
class Organization:
    """An organisation: products and ledgers belong to it, and all its members may use them."""

    id: str
    slug: str
    name: str
    members: list[Account] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


Owner = Account | Organization
"""Whom a product or a ledger can belong to."""


def owner_id(owner: Owner) -> str:
    """The scope value of a ledger that has one instance for its owner."""
    return owner.id if isinstance(owner, Organization) else owner.user_id


@dataclass(slots=True, eq=False)
class Network:
    """A mesh of the legacy registry; each member device knows its network and its role."""

    id: str
    name: str
    type: str
    owner: Account
    created_at: float
    confirmed: bool = False
    notes: str | None = None
    members: dict[str, Device] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """A network becomes real when a gateway of it connects."""
        return "confirmed" if self.confirmed else "pending"

    @property
    def gateways(self) -> list[Device]:
        """The members that lead out of the mesh."""
        return [device for device in self.members.values() if device.gateway]


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
    resources: Resources = field(default_factory=Resources)
    sorted_devices: dict[tuple[str, bool], list[Device]] = field(default_factory=dict)
    """A cache by (attribute, descending): a sweep over all pages must not sort at every page."""
    org: Organization | None = None
    quarantine: bool = True
    """Whether a device that turns up with this product's firmware waits for approval."""

    @property
    def top_owner(self) -> Owner | None:
        """Where its ledgers are: with its organisation, else with its owner."""
        return self.org or self.owner

    def drop_sorted_lists(self, attribute: str) -> None:
        """Drop the cached lists that are sorted by an attribute, which has changed on a device."""
        self.sorted_devices.pop((attribute, False), None)
        self.sorted_devices.pop((attribute, True), None)


@dataclass(slots=True, eq=False)
class Instance:
    """The data of a ledger for one device, product or owner."""

    scope_value: str
    data: dict[str, Any]
    size: int
    created_at: float
    updated_at: float
    replaced_at: float | None = None


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
    versions: dict[str, list[Instance]] = field(default_factory=dict)
    """What instances were before, by scope value, newest last."""
