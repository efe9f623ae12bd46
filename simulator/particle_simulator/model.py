# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The records of the cloud: devices, accounts, products, tokens, networks and ledgers."""

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
    """Format a time as the cloud does: in UTC, with milliseconds and a Z."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"


@dataclass(slots=True, eq=False)
class Device:
    """A device, claimed or not, in a product or not."""

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
    """The time at which the device lost its power; None if it has power or never had any."""
    offline_face: int | None = None
    """The status that calls to the device get while it is offline; with None the route decides."""
    network: Network | None = None
    gateway: bool = False

    @property
    def reachable(self) -> bool:
        """Whether the device responds. `online` is the state that the cloud shows, which may be out of date."""
        return self.online and self.powered


@dataclass(slots=True, eq=False)
class Account:
    """An account of the cloud, with the resources of its sandbox."""

    username: str
    password: str
    user_id: str
    otp_secret: str | None = None
    sso: bool = False
    recovery_codes: list[str] = field(default_factory=list)
    query_tokens: bool = True
    """Whether a token is allowed in the query; the cloud refuses that for accounts created after December 2024."""
    account_info: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    product: Product | None = None
    """The only product that an API user, a client of a product or a customer can access; None for people."""
    org: Organization | None = None
    """The only organisation that an API user of an organisation can access."""
    acts_for: Account | None = None
    """The account whose sandbox an API user or a client works on; None for people, who use their own."""
    sorted_devices: list[Device] | None = None
    """Cache of the claimed devices in the order of the account's list; None if they must be sorted again."""


@dataclass(slots=True, eq=False)
class Client:
    """An OAuth client; `owner` is None for the clients of Particle's own tools."""

    id: str
    secret: str
    owner: Account | None = None
    name: str = ""
    type: str = "installed"
    redirect_uri: str | None = None
    product: Product | None = None
    scope: str | None = None
    """Scopes separated by spaces; None means full permission."""


@dataclass(slots=True, eq=False)
class Token:
    """An access token; one with `expires_at` None never expires."""

    value: str
    account: Account
    client_id: str
    expires_at: float | None
    refresh_token: str | None = None
    lifetime: float = 0.0
    scopes: tuple[str, ...] | None = None
    """The scopes of the token; None means everything that its account is allowed to do."""


@dataclass(slots=True, eq=False)
class MfaLogin:
    """A login that waits for a one-time code, with the parameters of its first step."""

    account: Account
    client_id: str
    lifetime: float
    valid_until: float


@dataclass(slots=True, eq=False)
class Group:
    """A device group of a product. Membership is also stored on the devices, to count and filter fast."""

    name: str
    description: str
    color: str
    members: set[str] = field(default_factory=set)
    fw_version: int | None = None
    """The firmware version released to the group."""


@dataclass(slots=True, eq=False)
class Organization:
    """An organisation, whose members can all use its products and ledgers."""

    id: str
    slug: str
    name: str
    members: list[Account] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


Owner = Account | Organization
"""The owner of a product or a ledger."""


def owner_id(owner: Owner) -> str:
    """Return the scope value of the instance in a ledger with the scope Owner."""
    return owner.id if isinstance(owner, Organization) else owner.user_id


@dataclass(slots=True, eq=False)
class Network:
    """A mesh network of the legacy registry; its members store their network and role, too."""

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
        """The state of the network: confirmed once one of its gateways has connected."""
        return "confirmed" if self.confirmed else "pending"

    @property
    def gateways(self) -> list[Device]:
        """The members with the role gateway."""
        return [device for device in self.members.values() if device.gateway]


@dataclass(slots=True, eq=False)
class Product:
    """A product; `owner` is None if the owner has no account in this simulator."""

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
    """Cache of sorted lists by (attribute, descending), so that reading all pages of a list sorts it only once."""
    org: Organization | None = None
    quarantine: bool = True
    """Whether an unknown device that connects with the firmware of this product waits for approval."""

    @property
    def top_owner(self) -> Owner | None:
        """The owner of the product's ledgers: its organisation, else its owner."""
        return self.org or self.owner

    def drop_sorted_lists(self, attribute: str) -> None:
        """Drop the cached lists that are sorted by an attribute. Call this when the attribute of a device changes."""
        self.sorted_devices.pop((attribute, False), None)
        self.sorted_devices.pop((attribute, True), None)


@dataclass(slots=True, eq=False)
class Instance:
    """The data in a ledger for one device, product or owner."""

    scope_value: str
    data: dict[str, Any]
    size: int
    created_at: float
    updated_at: float
    replaced_at: float | None = None


@dataclass(slots=True, eq=False)
class Ledger:
    """A ledger with its instances by scope value; `direction` is None for a cloud-only ledger."""

    name: str
    scope: str
    direction: str | None
    description: str
    created_at: float
    updated_at: float
    archived_at: float | None = None
    instances: dict[str, Instance] = field(default_factory=dict)
    versions: dict[str, list[Instance]] = field(default_factory=dict)
    """Earlier versions of the instances, by scope value, newest last."""
