# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The records of the cloud: devices, accounts, products, tokens, networks and ledgers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from particle_simulator.resources import Resources

if TYPE_CHECKING:
    from particle_simulator.firmware_updates import RunningUpdate

CELLULAR_PLATFORMS = frozenset({10, 13, 15, 23, 25, 26, 28, 35, 37, 38, 42})
"""Platforms with a cellular modem. A record of a cellular device contains an ICCID and an IMEI, but no Wi-Fi MAC."""

WIFI_PLATFORMS = frozenset({0, 6, 8, 11, 12, 22, 31, 32, 43, 82, 88})
"""Platforms with Wi-Fi and without a modem. Only devices of these platforms have the field `mac_wifi`."""


def format_time(moment: float | None) -> str | None:
    """Return a time in the format of the cloud: in UTC, with milliseconds and a Z. Return None for None."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"


def format_offset_time(moment: float) -> str:
    """Return a time in UTC with `+00:00` at the end, as in the status of SIM cards and in usage reports."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def reports_product(device_os: str) -> bool:
    """Return whether a version of Device OS reports a product (firmware-and-events.md, section 4.6)."""
    major = device_os.partition(".")[0]
    return major.isdigit() and int(major) < 4


@dataclass(slots=True, eq=False)
class Device:
    """A device. `owner` is None if the device is not claimed. `product` is None if the device is in no product."""

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
    firmware_updates_enabled: bool = True
    firmware_updates_forced: bool = False
    update_ending: str | None = None
    """The ending of the next update: a word of `update_scripts.ENDINGS`. None means that the update succeeds."""
    last_ending: str | None = None
    """The ending of the latest update that was sent to the device."""
    update: RunningUpdate | None = None
    app_hash: str | None = None
    """The hash of the application that the device runs, or None if it is unknown."""
    known_app_hash: str | None = None
    """The hash that the device has reported last."""
    safe_mode: bool = False
    """Whether the device is connected without its application (firmware-and-events.md, section 4.2)."""
    needed_device_os: int | None = None
    """In safe mode, the module version of Device OS that the application needs."""
    waiting_version: int | None = None
    """In safe mode, the version of the application that waits for Device OS."""
    bootloader_version: int | None = None
    """In safe mode, the version of the bootloader after its update."""
    is_crashing: bool = False
    """Whether the firmware of the device crashes in each session."""
    is_stuck: bool = False
    """Whether the firmware of the device crashes before it can connect."""
    has_planned_session: bool = False
    """Whether the device will begin a new session by itself, because a version waits for it."""
    last_published_at: float = 0.0
    """The time of the latest event of the device."""
    protection: str = "disabled"
    powered: bool = True
    lost_at: float | None = None
    """The time at which the device lost its power or ended its session.

    None if the device is reachable, or if the device was offline from the start.
    """
    offline_face: int | None = None
    """The status of the response to variable reads, function calls and signals while the device is offline.

    None means that each route uses its default status.
    """
    network: Network | None = None
    gateway: bool = False
    mesh_firmware: str = "simulated"
    """One of `mesh_firmware.FIRMWARE_KINDS`: the kind of program that reports for the device in the ledger
    `mesh-status`.
    """

    @property
    def reachable(self) -> bool:
        """Whether the device responds.

        The field `online` is the state that the cloud shows. The shown state can be out of date.
        """
        return self.online and self.powered

    @property
    def reports_product(self) -> bool:
        """Whether the device tells the cloud to which product its firmware belongs."""
        return reports_product(self.system_firmware_version)


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
    """Whether the cloud accepts access tokens of the account in the query.

    For accounts that were created after December 2024, the cloud refuses tokens in the query.
    """
    account_info: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    product: Product | None = None
    """The product to which the access of this account is limited, or None.

    The access is limited if the account belongs to a customer, to an API user of a product, or to an OAuth client of a
    product.
    """
    org: Organization | None = None
    """The organization to which the access of this account is limited, or None.

    The access is limited if the account belongs to an API user of an organization.
    """
    acts_for: Account | None = None
    """The account whose sandbox this account uses. None if this account uses its own sandbox.

    API users and OAuth clients of products use the sandbox of another account.
    """
    sorted_devices: list[Device] | None = None
    """A cache of the claimed devices, in the order of the device list.

    None means that the cache must be filled again.
    """


@dataclass(slots=True, eq=False)
class Client:
    """An OAuth client. `owner` is None for the clients of Particle's own tools."""

    id: str
    secret: str
    owner: Account | None = None
    name: str = ""
    type: str = "installed"
    redirect_uri: str | None = None
    product: Product | None = None
    scope: str | None = None
    """Scopes, separated by spaces. None means all permissions."""


@dataclass(slots=True, eq=False)
class Token:
    """An access token. If `expires_at` is None, the token never expires."""

    value: str
    account: Account
    client_id: str
    expires_at: float | None
    refresh_token: str | None = None
    lifetime: float = 0.0
    scopes: tuple[str, ...] | None = None
    """The scopes of the token. None means everything that the account is allowed to do."""


@dataclass(slots=True, eq=False)
class MfaLogin:
    """A login that waits for a one-time code, with the values from the first step of the login."""

    account: Account
    client_id: str
    lifetime: float
    valid_until: float


@dataclass(slots=True, eq=False)
class Group:
    """A device group of a product.

    Each membership is also stored in the device, to make counting and filtering fast.
    """

    name: str
    description: str
    color: str
    members: set[str] = field(default_factory=set)
    fw_version: int | None = None
    """The firmware version that is released to the group, or None."""


@dataclass(slots=True, eq=False)
class Organization:
    """An organization. All members can use the products and the ledgers of the organization."""

    id: str
    slug: str
    name: str
    members: list[Account] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


Owner = Account | Organization
"""The Python type for the owner of a product or a ledger."""


def owner_id(owner: Owner) -> str:
    """Return the id of an owner.

    In a ledger with the scope Owner, the scope value of the ledger instance is the id of the owner.
    """
    return owner.id if isinstance(owner, Organization) else owner.user_id


@dataclass(slots=True, eq=False)
class Network:
    """A mesh network of the legacy registry. Each member also stores its network and its role."""

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
        """`pending` until a client reads the network while one of the gateways is online, then `confirmed`."""
        return "confirmed" if self.confirmed else "pending"

    @property
    def gateways(self) -> list[Device]:
        """The members with the role gateway."""
        return [device for device in self.members.values() if device.gateway]


@dataclass(slots=True, eq=False)
class Product:
    """A product. `owner` is None if the owner of the product has no account in the simulator."""

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
    """A cache of sorted device lists, keyed by (attribute, descending).

    With this cache, the devices are sorted only once when a client reads all pages of a list.
    """
    org: Organization | None = None
    location_opt_in: bool | None = None
    """The setting `location.opt_in` with which the product was created, or None."""
    default_version: int | None = None
    """The firmware version that is the default of the product, or None."""
    quarantine: bool = True
    """Whether a device that was not imported must wait for approval when it connects with firmware of this product."""
    removed: set[str] = field(default_factory=set)
    """The ids of the devices that were removed from the product and not imported again.

    Such a device is denied when it connects with firmware of this product (endpoints.yml: device_deny_quarantined).
    """

    @property
    def top_owner(self) -> Owner | None:
        """The owner of the product's ledgers: the organization of the product, or else the owner of the product."""
        return self.org or self.owner

    def drop_sorted_lists(self, attribute: str) -> None:
        """Drop the cached device lists that are sorted by an attribute.

        Call this method when a device has a new value of the attribute.
        """
        self.sorted_devices.pop((attribute, False), None)
        self.sorted_devices.pop((attribute, True), None)


@dataclass(slots=True, eq=False)
class Instance:
    """A ledger instance: the data in a ledger for one device, product or owner."""

    scope_value: str
    data: dict[str, Any]
    size: int
    created_at: float
    updated_at: float
    replaced_at: float | None = None


@dataclass(slots=True, eq=False)
class Ledger:
    """A ledger. `instances` is keyed by scope value. `direction` is None for a cloud-only ledger."""

    name: str
    scope: str
    direction: str | None
    description: str
    created_at: float
    updated_at: float
    archived_at: float | None = None
    instances: dict[str, Instance] = field(default_factory=dict)
    versions: dict[str, list[Instance]] = field(default_factory=dict)
    """Earlier versions of the ledger instances, keyed by scope value, newest last."""
