# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What belongs to an account, a product or an organisation alike, and what only products have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from particle_simulator.model import Account, Device, Token

RECENT = 10
"""How many log entries and errors an integration shows."""


@dataclass(slots=True, eq=False)
class Member:
    """A person in a team; `account` is None for an invited address without an account here."""

    username: str
    role: str
    account: Account | None


@dataclass(slots=True, eq=False)
class ApiUser:
    """A programmatic user: exactly one token, which never expires."""

    username: str
    friendly_name: str
    scopes: tuple[str, ...]
    account: Account
    token: Token


@dataclass(slots=True, eq=False)
class Integration:
    """An integration; `settings` are the fields that its type adds."""

    id: str
    kind: str
    event: str
    name: str
    created_at: float
    device_id: str | None
    disabled: bool
    settings: dict[str, Any]
    logs: list[dict[str, Any]] = field(default_factory=list)
    """The last runs, newest first."""
    succeeded: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class Snapshot:
    """The environment that the last rollout made valid."""

    own: dict[str, str]
    inherited: dict[str, tuple[str, str]]
    """Values and where they come from, by key."""
    rollout_at: float
    rollout_by: str
    immediate: bool
    """Whether devices that are there take it at once, and not with their next session."""
    previous: Snapshot | None
    """What devices run with that it has not reached yet."""


@dataclass(slots=True, eq=False)
class Environment:
    """The environment variables of one scope: edits wait in `own` for a rollout."""

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
    """Whether it ever was: a version that was released stays."""


@dataclass(slots=True, eq=False)
class Sim:
    """A SIM card. Whose it is follows its device until somebody activates or releases it by itself."""

    iccid: str
    device: Device | None
    owner: Account | None = None
    released: bool = False
    status: str | None = None
    """None: active in a product, and never activated elsewhere."""
    activations: int = 0
    deactivations: int = 0
    first_activated_on: float | None = None
    last_activated_on: float | None = None
    last_action: str | None = None
    country: str = "US"
    mb_limit: int | None = None
    updated_at: float | None = None
    check_began_at: float | None = None
    """When the last status check began."""


@dataclass(slots=True, eq=False)
class Resources:
    """What an account (its sandbox), a product or an organisation has of its own."""

    team: dict[str, Member] = field(default_factory=dict)
    api_users: dict[str, ApiUser] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment)
    firmware: dict[int, Firmware] = field(default_factory=dict)
    customers: dict[str, Account] = field(default_factory=dict)
