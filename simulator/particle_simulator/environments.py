# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables: the edits, the latest rollout, and the values that a device uses.

Some behaviour is not documented. The simulator uses these inferred rules:

- A scope inherits the values that its parents have rolled out.
- A rollout with `Connect` reaches a device when the device starts its next session.
- A rollout with `Immediate` reaches an online device at once.
- A rollout for a single device is always immediate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.errors import Refusal, bad_request
from particle_simulator.model import Account, Device, Organization, Product, format_time
from particle_simulator.resources import Environment, Snapshot
from particle_simulator.world import World

KEY = re.compile(r"[A-Z_][A-Z0-9_]*")
MAX_KEY_LENGTH = 128
MAX_KEYS = 100
MAX_SNAPSHOT_BYTES = 16_384
RESERVED_PREFIX = "PARTICLE_"
KEY_RULE = "Must only contain uppercase letters, numbers, and underscores. Must not start with a number."


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope of environment variables: an owner (an account or an organization), a product or a device.

    `environment` contains the variables of the scope itself. `parents` contains (name, environment) for each parent
    from which the scope inherits values, the farthest parent first.
    """

    environment: Environment
    parents: tuple[tuple[str, Environment], ...] = ()
    device: Device | None = None


def build_product_scope(product: Product) -> Scope:
    """Build the scope of a product. A product inherits from its owner: an organization or an account."""
    return Scope(product.resources.environment, _list_roots(product.top_owner))


def build_device_scope(world: World, device: Device, product: Product) -> Scope:
    """Build the scope of a device. A device inherits from its product and from the owner of its product."""
    own = world.devices.environments.setdefault(device.id, Environment())
    return Scope(own, (*_list_roots(product.top_owner), ("Product", product.resources.environment)), device)


def _list_roots(top_owner: Account | Organization | None) -> tuple[tuple[str, Environment], ...]:
    return (("Owner", top_owner.resources.environment),) if top_owner is not None else ()


# ---------------------------------------------------------------------- values


def collect_inherited(scope: Scope) -> dict[str, tuple[str, str]]:
    """Return the values that a scope inherits: {key: (value, name of the parent)}. The nearest parent has priority."""
    values: dict[str, tuple[str, str]] = {}
    for origin, environment in scope.parents:
        if environment.snapshot is not None:
            values |= {key: (value, origin) for key, value in environment.snapshot.own.items()}
    return values


def collect_latest(scope: Scope) -> dict[str, str]:
    """Return the inherited values and the own values of a scope, including edits that are not rolled out yet."""
    return {key: value for key, (value, _unused) in collect_inherited(scope).items()} | scope.environment.own


def collect_rolled_out(scope: Scope) -> dict[str, str]:
    """Return the inherited values of a scope, and the own values as they were in the latest rollout of the scope."""
    own = scope.environment.snapshot.own if scope.environment.snapshot else {}
    return {key: value for key, (value, _unused) in collect_inherited(scope).items()} | own


def collect_on_device(scope: Scope, device: Device) -> dict[str, str]:
    """Return the values that a device uses.

    From each scope, the device uses the latest rollout that has reached the device.
    """
    values: dict[str, str] = {}
    for _unused, environment in (*scope.parents, ("Device", scope.environment)):
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


def _validation_error(text: str, where: str) -> Refusal:
    return bad_request(f'Validation error: : {text} at "{where}"')


def check_key(key: Any, where: str) -> str:
    """Return the key of an environment variable. Raise a `Refusal` if the key is not valid.

    Particle documents only the first error message. The other error messages are modelled on the first error message.
    """
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise _validation_error(KEY_RULE, where)
    if len(key) > MAX_KEY_LENGTH:
        raise _validation_error(f"Must be at most {MAX_KEY_LENGTH} characters long.", where)
    if key.startswith(RESERVED_PREFIX):
        raise _validation_error(f"Must not start with {RESERVED_PREFIX}.", where)
    return key


def check_value(value: Any, where: str) -> str:
    """Return the value of an environment variable. Raise a `Refusal` if the value is not a string."""
    if not isinstance(value, str):
        raise _validation_error("Must be a string.", where)
    return value


def change_variables(world: World, scope: Scope, changes: Iterable[tuple[str, str | None]], username: str) -> None:
    """Set variables. The value None removes a variable. Devices get the changes only after a rollout.

    If the result has too many variables or is too large, raise a `Refusal` and change nothing.
    """
    environment = scope.environment
    latest = dict(environment.own)
    for key, value in changes:
        if value is None:
            latest.pop(key, None)
        else:
            latest[key] = value
    if len(latest) > MAX_KEYS:
        raise bad_request(f"An environment has at most {MAX_KEYS} variables")
    combined = {key: value for key, (value, _unused) in collect_inherited(scope).items()} | latest
    if len(orjson.dumps(combined)) > MAX_SNAPSHOT_BYTES:
        raise bad_request("An environment has at most 16 KB")
    now = world.now()
    if environment.created_at is None:
        environment.created_at, environment.created_by = now, username
    environment.own = latest
    environment.updated_at, environment.updated_by = now, username


def roll_out(world: World, scope: Scope, username: str, *, immediate: bool) -> None:
    """Roll out the edits of a scope.

    The previous rollout stays stored, because devices that the new rollout has not reached still use the previous
    rollout. Older rollouts are dropped.
    """
    previous = scope.environment.snapshot
    if previous is not None:
        previous.previous = None
    now = world.clock.next_moment()
    scope.environment.snapshot = Snapshot(
        own=dict(scope.environment.own),
        inherited=collect_inherited(scope),
        rollout_at=now,
        rollout_by=username,
        immediate=immediate or scope.device is not None,
        previous=previous,
    )


# ---------------------------------------------------------------------- the shapes


def _wrap_values(values: dict[str, str]) -> dict[str, Any]:
    return {key: {"value": value} for key, value in values.items()}


def _wrap_origins(values: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {key: {"from": origin, "value": value} for key, (value, origin) in values.items()}


def build_scope_row(scope: Scope) -> dict[str, Any]:
    """Build the JSON object of a scope (endpoints.yml: env_level)."""
    environment, snapshot = scope.environment, scope.environment.snapshot
    row: dict[str, Any] = {
        "last_snapshot": snapshot
        and {
            "own": _wrap_values(snapshot.own),
            "inherited": _wrap_origins(snapshot.inherited),
            "rollout_at": format_time(snapshot.rollout_at),
            "rollout_by": snapshot.rollout_by,
        },
        "latest": {
            "own": _wrap_values(environment.own),
            "inherited": _wrap_origins(collect_inherited(scope)),
            "created_at": format_time(environment.created_at),
            "updated_at": format_time(environment.updated_at),
            "created_by": environment.created_by,
            "updated_by": environment.updated_by,
        },
    }
    if scope.device is not None:
        reported = format_time(scope.device.last_heard)
        row["on_device"] = {"rendered": collect_on_device(scope, scope.device), "last_reported_at": reported}
    return row


def compare_values(before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    """Return the keys that a rollout would add, remove or change, and the values that a rollout would not change."""
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
