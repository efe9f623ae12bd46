# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables: what is edited, what a rollout made valid, and what a device runs with.

Inferred where the facts are short: what a scope inherits is what its parents have rolled out; a rollout
with `Connect` reaches a device with its next session, one with `Immediate` at once when it is there; and a
device's own rollout always applies at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.belongings import Environment, Snapshot
from particle_simulator.errors import Refusal, bad_request
from particle_simulator.model import Account, Device, Organization, Product, iso
from particle_simulator.world import World

KEY = re.compile(r"[A-Z_][A-Z0-9_]*")
LONGEST_KEY = 128
MOST_KEYS = 100
LARGEST_SNAPSHOT = 16_384
RESERVED = "PARTICLE_"
BAD_KEY = "Must only contain uppercase letters, numbers, and underscores. Must not start with a number."


@dataclass(frozen=True, slots=True)
class Scope:
    """One level: its own environment and those it inherits from, the farthest first, with their names."""

    own: Environment
    parents: tuple[tuple[str, Environment], ...] = ()
    device: Device | None = None


def scope_of_product(product: Product) -> Scope:
    """A product inherits from its organisation, else from the sandbox of its owner."""
    return Scope(product.own.environment, _roots(product.home))


def scope_of_device(world: World, device: Device, product: Product) -> Scope:
    """Build the scope of a device, which inherits from its product and from the owner of the product."""
    own = world.devices.environments.setdefault(device.id, Environment())
    return Scope(own, (*_roots(product.home), ("Product", product.own.environment)), device)


def _roots(home: Account | Organization | None) -> tuple[tuple[str, Environment], ...]:
    return (("Owner", home.own.environment),) if home is not None else ()


# ---------------------------------------------------------------------- values


def inherited(scope: Scope) -> dict[str, tuple[str, str]]:
    """What the parents give: value and origin by key, the nearest one wins."""
    values: dict[str, tuple[str, str]] = {}
    for origin, environment in scope.parents:
        if environment.snapshot is not None:
            values |= {key: (value, origin) for key, value in environment.snapshot.own.items()}
    return values


def rendered(scope: Scope) -> dict[str, str]:
    """All values that hold in a scope, with the edits that still wait for a rollout."""
    return {key: value for key, (value, _unused) in inherited(scope).items()} | scope.own.own


def valid(scope: Scope) -> dict[str, str]:
    """The same as of the last rollout."""
    own = scope.own.snapshot.own if scope.own.snapshot else {}
    return {key: value for key, (value, _unused) in inherited(scope).items()} | own


def on_device(scope: Scope, device: Device) -> dict[str, str]:
    """What a device runs with: of each level, the last rollout that has reached it."""
    values: dict[str, str] = {}
    for _unused, environment in (*scope.parents, ("Device", scope.own)):
        snapshot = environment.snapshot
        while snapshot is not None and not _has_reached(snapshot, device):
            snapshot = snapshot.previous
        if snapshot is not None:
            values |= snapshot.own
    return values


def _has_reached(snapshot: Snapshot, device: Device) -> bool:
    if snapshot.immediate and device.reachable:
        return True
    return (device.last_handshake_at or 0.0) >= snapshot.rollout_at


# ---------------------------------------------------------------------- changes


def _invalid(text: str, where: str) -> Refusal:
    return bad_request(f'Validation error: : {text} at "{where}"')


def check_key(key: Any, where: str) -> str:
    """A well-formed name. Only the first text is the cloud's own; the others follow it."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise _invalid(BAD_KEY, where)
    if len(key) > LONGEST_KEY:
        raise _invalid(f"Must be at most {LONGEST_KEY} characters long.", where)
    if key.startswith(RESERVED):
        raise _invalid(f"Must not start with {RESERVED}.", where)
    return key


def check_value(value: Any, where: str) -> str:
    """A value, which is always a text."""
    if not isinstance(value, str):
        raise _invalid("Must be a string.", where)
    return value


def change(world: World, scope: Scope, changes: Iterable[tuple[str, str | None]], username: str) -> None:
    """Sets and (with None) unsets variables, all or none. They wait for a rollout."""
    environment = scope.own
    wanted = dict(environment.own)
    for key, value in changes:
        if value is None:
            wanted.pop(key, None)
        else:
            wanted[key] = value
    if len(wanted) > MOST_KEYS:
        raise bad_request(f"An environment has at most {MOST_KEYS} variables")
    together = {key: value for key, (value, _unused) in inherited(scope).items()} | wanted
    if len(orjson.dumps(together)) > LARGEST_SNAPSHOT:
        raise bad_request("An environment has at most 16 KB")
    now = world.now()
    if environment.created_at is None:
        environment.created_at, environment.created_by = now, username
    environment.own = wanted
    environment.updated_at, environment.updated_by = now, username


def roll_out(world: World, scope: Scope, username: str, *, immediate: bool) -> None:
    """Makes the edits valid. Of earlier rollouts one is kept, for the devices that still run with it."""
    previous = scope.own.snapshot
    if previous is not None:
        previous.previous = None
    now = world.clock.next_moment()
    scope.own.snapshot = Snapshot(
        own=dict(scope.own.own),
        inherited=inherited(scope),
        rollout_at=now,
        rollout_by=username,
        immediate=immediate or scope.device is not None,
        previous=previous,
    )


# ---------------------------------------------------------------------- the shapes


def _values(values: dict[str, str]) -> dict[str, Any]:
    return {key: {"value": value} for key, value in values.items()}


def _origins(values: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {key: {"from": origin, "value": value} for key, (value, origin) in values.items()}


def level_row(scope: Scope) -> dict[str, Any]:
    """One scope as the cloud shows it (endpoints.yml: env_level)."""
    environment, snapshot = scope.own, scope.own.snapshot
    row: dict[str, Any] = {
        "last_snapshot": snapshot
        and {
            "own": _values(snapshot.own),
            "inherited": _origins(snapshot.inherited),
            "rollout_at": iso(snapshot.rollout_at),
            "rollout_by": snapshot.rollout_by,
        },
        "latest": {
            "own": _values(environment.own),
            "inherited": _origins(inherited(scope)),
            "created_at": iso(environment.created_at),
            "updated_at": iso(environment.updated_at),
            "created_by": environment.created_by,
            "updated_by": environment.updated_by,
        },
    }
    if scope.device is not None:
        reported = iso(scope.device.last_heard)
        row["on_device"] = {"rendered": on_device(scope, scope.device), "last_reported_at": reported}
    return row


def difference(before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    """What a rollout would change."""
    changes: list[dict[str, str]] = []
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            changes.append({"op": "Added", "key": key, "after": after[key]})
        elif key not in after:
            changes.append({"op": "Removed", "key": key, "before": before[key]})
        elif before[key] != after[key]:
            changes.append({"op": "Changed", "key": key, "before": before[key], "after": after[key]})
    same = {key: value for key, value in after.items() if before.get(key) == value}
    return {"changes": changes, "unchanged": same}
