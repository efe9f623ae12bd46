# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The resources that accounts, products and organisations have in common, such as teams and integrations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from particle_simulator.model import Account, Device, Token

RECENT = 10
"""The number of log entries and errors that an integration shows."""


@dataclass(slots=True, eq=False)
class Member:
    """A person in a team; `account` is None for an invited address without an account in this cloud."""

    username: str
    role: str
    account: Account | None


@dataclass(slots=True, eq=False)
class ApiUser:
    """A user for programs, with exactly one token, which never expires."""

    username: str
    friendly_name: str
    scopes: tuple[str, ...]
    account: Account
    token: Token


@dataclass(slots=True, eq=False)
class Integration:
    """An integration; `settings` has the fields that its type adds."""

    id: str
    kind: str
    event: str
    name: str
    created_at: float
    device_id: str | None
    disabled: bool
    settings: dict[str, Any]
    logs: list[dict[str, Any]] = field(default_factory=list)
    """The latest runs, newest first."""
    succeeded: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class Snapshot:
    """The environment of a rollout."""

    own: dict[str, str]
    inherited: dict[str, tuple[str, str]]
    """Values and their origins, by key."""
    rollout_at: float
    rollout_by: str
    immediate: bool
    """Whether online devices apply the rollout at once instead of in their next session."""
    previous: Snapshot | None
    """The previous rollout, which applies to devices that this one has not reached yet."""


@dataclass(slots=True, eq=False)
class Environment:
    """The environment variables of one scope; edits in `own` apply after the next rollout."""

    own: dict[str, str] = field(default_factory=dict)
    created_at: float | None = None
    updated_at: float | None = None
    created_by: str | None = None
    updated_by: str | None = None
    snapshot: Snapshot | None = None


@dataclass(slots=True, eq=False)
class Firmware:
    """One version of a product's firmware."""

    id: str
    version: int
    title: str
    description: str
    name: str
    binary: bytes
    mandatory: bool
    uploaded_by: str
    uploaded_on: float
    updated_at: float
    product_default: bool = False
    intelligent: bool = False
    released: bool = False
    """Whether it was ever released: a released version cannot be deleted."""


@dataclass(slots=True, eq=False)
class Sim:
    """A SIM card, which belongs to the owner of its device until the card itself is activated or released."""

    iccid: str
    device: Device | None
    owner: Account | None = None
    released: bool = False
    status: str | None = None
    """None for a card that follows its device: active in a product, else never activated."""
    activations: int = 0
    deactivations: int = 0
    first_activated_on: float | None = None
    last_activated_on: float | None = None
    last_action: str | None = None
    country: str = "US"
    mb_limit: int | None = None
    updated_at: float | None = None
    check_began_at: float | None = None
    """The time at which the last status check began."""


@dataclass(slots=True, eq=False)
class Resources:
    """The resources of an account (its sandbox), a product or an organisation."""

    team: dict[str, Member] = field(default_factory=dict)
    api_users: dict[str, ApiUser] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment)
    firmware: dict[int, Firmware] = field(default_factory=dict)
    customers: dict[str, Account] = field(default_factory=dict)
