# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The resources that an account, a product or an organization can have, such as a team and integrations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from particle_simulator.firmware_files import FirmwareFile

if TYPE_CHECKING:
    from particle_simulator.model import Account, Device, Token

RECENT = 10
"""The maximum number of log entries that are stored for an integration."""


@dataclass(slots=True, eq=False)
class Member:
    """A person in a team. `account` is None if the person was invited and has no account in the simulator."""

    id: str
    """The id of the person: the id of the account, or a made-up id."""
    username: str
    role: str
    account: Account | None


@dataclass(slots=True, eq=False)
class ApiUser:
    """An API user: an account for programs, with exactly one access token, which never expires."""

    username: str
    friendly_name: str
    scopes: tuple[str, ...]
    account: Account
    token: Token


@dataclass(slots=True, eq=False)
class Integration:
    """An integration. `settings` contains the fields of the integration type."""

    id: str
    kind: str
    event: str
    name: str
    created_at: float
    device_id: str | None
    disabled: bool
    settings: dict[str, Any]
    logs: list[dict[str, Any]] = field(default_factory=list)
    """The log entries of the latest runs, newest first."""
    succeeded: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class Secret:
    """A secret of an account or an organization, without its value."""

    name: str
    created_at: float
    updated_at: float
    last_accessed_at: float | None = None
    """The time at which an integration used the secret, or None."""


@dataclass(slots=True, eq=False)
class Snapshot:
    """The environment variables of one rollout."""

    own: dict[str, str]
    inherited: dict[str, tuple[str, str]]
    """(value, name of the parent scope), keyed by the name of the variable."""
    rollout_at: float
    rollout_by: str
    immediate: bool
    """Whether an online device applies the rollout at once.

    Otherwise the device applies the rollout in its next session.
    """
    previous: Snapshot | None
    """The previous rollout, or None. Devices that this rollout has not reached yet use the previous rollout."""


@dataclass(slots=True, eq=False)
class Environment:
    """The environment variables of one scope. `own` includes edits, which devices get only after the next rollout."""

    own: dict[str, str] = field(default_factory=dict)
    created_at: float | None = None
    updated_at: float | None = None
    created_by: str | None = None
    updated_by: str | None = None
    snapshot: Snapshot | None = None


MIN_VERSION, MAX_VERSION = 1, 65_535
"""The lowest and highest version number of a firmware (endpoints.yml: firmware_upload)."""


def is_version(number: int) -> bool:
    """Return whether a number can be the version of a firmware."""
    return MIN_VERSION <= number <= MAX_VERSION


@dataclass(slots=True, eq=False)
class Firmware:
    """One version of the firmware of a product."""

    id: str
    version: int
    title: str
    description: str
    name: str
    binary: bytes
    file: FirmwareFile
    """The contents of `binary`."""
    mandatory: bool
    uploaded_by: str
    uploaded_on: float
    updated_at: float
    intelligent: bool = False
    has_run: bool = False
    """Whether a device of the product has begun a session with this version after an update."""
    released: bool = False
    """Whether this version was ever released. A released version cannot be deleted."""


@dataclass(slots=True, eq=False)
class Sim:
    """A SIM card.

    If `owner` is set, the card belongs to this account. Otherwise the card belongs to the product of its device or, if
    the device is in no product, to the owner of its device. A released card belongs to no product and no account.
    """

    iccid: str
    device: Device | None
    owner: Account | None = None
    released: bool = False
    status: str | None = None
    """The stored status, or None. With None, `get_sim_status` derives the status from the product of the card."""
    activations: int = 0
    deactivations: int = 0
    first_activated_on: float | None = None
    last_activated_on: float | None = None
    last_action: str | None = None
    country: str = "US"
    mb_limit: int | None = None
    updated_at: float | None = None
    check_began_at: float | None = None
    """The time at which the last status check began, or None."""


@dataclass(slots=True, eq=False)
class DeviceConfiguration:
    """The configuration of one device of a product."""

    current: dict[str, Any] = field(default_factory=dict)
    """The configuration that the device has taken."""
    pending: dict[str, Any] | None = None
    """The configuration that the device takes in its next session, or None."""
    own: bool = False
    """Whether the configuration was set for this device, and not for the whole product."""
    schema: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Configuration:
    """The configuration of a product and of its devices. None means that nothing is set."""

    sections: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None
    devices: dict[str, DeviceConfiguration] = field(default_factory=dict)
    """The configurations of devices, keyed by device id. A device of the product can have no entry."""


@dataclass(slots=True, eq=False)
class Resources:
    """The resources of a product, of an organization, or of the sandbox of an account."""

    team: dict[str, Member] = field(default_factory=dict)
    api_users: dict[str, ApiUser] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment)
    firmware: dict[int, Firmware] = field(default_factory=dict)
    customers: dict[str, Account] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    configuration: Configuration = field(default_factory=Configuration)
