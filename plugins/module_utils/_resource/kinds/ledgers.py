# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "ledger" (endpoints.yml: ledger_create, ledger_update). Private to this collection.

A resource of this kind is only the definition of a ledger, not the data in the instances of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledger_names import LEDGER_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import (
    archive_ledger,
    create_ledger,
    list_ledgers,
    update_ledger,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import DEFAULT_LEDGERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Body, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import LEDGER as ROLLOUTS

_RESERVED = frozenset({DEFAULT_LEDGERS.instructions, DEFAULT_LEDGERS.reports, ROLLOUTS})
"""The names of the ledgers that networks and rollouts create and use, unless an option names others."""
_FIXED = ("scope", "direction")


def _list_ledgers(target: Target) -> list[dict[str, Any]]:
    """Return the definitions of all ledgers that are not archived."""
    rows = list_ledgers(target.http, target.required_product.org).rows
    return [row for row in rows if not row.get("archived_at")]


def _spell_for_cloud(body: Body) -> dict[str, str]:
    """Return the body of a request with the spellings of the cloud, such as ``Device``."""
    return {key: value.capitalize() if key in _FIXED else value for key, value in body.items()}


def _update_ledger(target: Target, change: Change) -> None:
    """Send the whole definition: only the description can differ, and the other keys are sent as they are."""
    known = change.row or {}
    kept = {key: known[key] for key in ("name", *_FIXED) if known.get(key) is not None}
    update_ledger(target.http, target.required_product.org, change.key, {**kept, **change.body})


def _check_ledger(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    if not LEDGER_NAME.match(declared.key):
        return [f"{declared.key!r} is not a valid name: use up to 32 lower-case letters, digits and -"]
    if declared.key in _RESERVED:
        return [f"the name {declared.key} is reserved for a ledger that networks or rollouts create and use"]
    return []


def _refuse_creation(target: Target, change: Change) -> None:
    """Refuse to create a ledger whose name belongs to an archived ledger.

    :raises ParticleError: ``conflict`` when there is such an archived ledger.
    """
    rows = list_ledgers(target.http, target.required_product.org, archived=True).rows
    if any(row["name"] == change.key for row in rows):
        message = f"Ledger {change.key} cannot be created: a ledger of this name is archived, and keeps its name."
        raise ParticleError("conflict", message, hint="Declare the ledger under another name.")


_SCOPE: Mapping[str, Any] = {"type": "str", "choices": ["device", "owner", "product"]}
_DIRECTION: Mapping[str, Any] = {"type": "str", "choices": ["downstream", "upstream"]}

LEDGERS = Kind(
    name="ledgers",
    module="ledger",
    noun="ledger",
    key=Field("name", "name", {"type": "str"}),
    fields=(
        Field("scope", "scope", _SCOPE, fixed=True, required=True, normalize=str.lower),
        Field("direction", "direction", _DIRECTION, fixed=True, normalize=str.lower),
        Field("description", "description", {"type": "str"}),
    ),
    list_rows=_list_ledgers,
    create_row=lambda target, change: create_ledger(
        target.http, target.required_product.org, _spell_for_cloud(change.body)
    ),
    update_row=_update_ledger,
    delete_row=lambda target, change: archive_ledger(target.http, target.required_product.org, change.key),
    check=_check_ledger,
    refuse_creation=_refuse_creation,
    is_reserved=lambda row: row["name"] in _RESERVED,
    not_prunable="Ledgers belong to the owner of the product, and all products of the owner share them.",
    id_key="name",
)
