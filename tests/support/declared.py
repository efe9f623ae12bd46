# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compute the state that a cloud must have after a run, from the manifest and the earlier state.

The code of the collection is not used.

It works on the simulator's state (`Simulator.state`), so that a test checks what the cloud stores and not what the
collection reads. Everything that is not declared must stay as it was: other devices, groups, fields and ledgers.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from support.simulator import PRODUCT_ID, PRODUCT_SLUG, USERNAME

INSTRUCTIONS = "mesh"
REPORTS = "mesh-status"
RESERVED = "mesh-"
LABELS = ("serial_number", "iccid", "imei")

State = dict[str, Any]
Record = Mapping[str, Any]


def normalize_state(state: Mapping[str, Any]) -> State:
    """Return the part of the state that a run can change, as mappings by name instead of lists.

    The data of the status ledger is left out, because it follows from the instructions of the members. Missing and
    empty notes are equal.
    """
    return {
        "devices": {
            device["id"]: {**device, "groups": sorted(device["groups"]), "notes": device["notes"] or None}
            for device in state["devices"]
        },
        "groups": {product["slug"]: set(product["groups"]) for product in state["products"]},
        "ledgers": {
            ledger["name"]: {
                "account": ledger["account"],
                "scope": ledger["scope"],
                "direction": ledger["direction"],
                "data": {}
                if ledger["name"] == REPORTS
                else {instance["scope_value"]: instance["data"] for instance in ledger["instances"]},
            }
            for ledger in state["ledgers"]
        },
    }


def expect_state(
    before: State, manifest: Mapping[str, Any], *, absent: bool = False, refused: Collection[str] = ()
) -> State:
    """Compute the normalized state after a run of `manifest`, or after a run with `state: absent`.

    Every network must declare its parameters, because without them the result depends on the earlier ones.

    :param before: the normalized state before the run.
    :param refused: ids of declared devices that the account cannot get, and that must stay as they are.
    """
    after = copy.deepcopy(before)
    product = "product" in manifest
    networks = _expect_networks(before, manifest, refused)
    if not absent and any("network" in record.get("mesh", {}) for record in manifest["devices"]):
        _add_ledgers(after)
    for record in manifest["devices"]:
        device = after["devices"].get(find_device_id(before, record) or "")
        if device is None or device["id"] in refused:
            continue
        if absent:
            _leave(device, record, product=product)
            if product:
                _get_instructions(after).pop(device["id"], None)
            continue
        _join(device, record, product=product)
        device["groups"] = _list_groups(record, device["groups"], exact=manifest.get("groups_mode") == "exact")
        after["groups"][PRODUCT_SLUG] |= list_groups(record)
        if "network" in record.get("mesh", {}):
            mesh, network = record["mesh"], networks[record["mesh"]["network"]]
            own = {"parameters": {**network["parameters"], **mesh.get("parameters", {})}}
            _get_instructions(after)[device["id"]] = {**network, "role": mesh.get("role", "node"), **own}
        elif "mesh" in record:
            _get_instructions(after).pop(device["id"], None)
    return after


def find_device_id(state: State, record: Record) -> str | None:
    """Find the id of a declared device, or `None` if the cloud does not have it."""
    if "id" in record:
        return str(record["id"])
    kind = next(kind for kind in LABELS if kind in record)
    return next((str(id) for id, device in state["devices"].items() if device[kind] == record[kind]), None)


def get_key(record: Record) -> str:
    """Return the identifier that the manifest has for a device."""
    return next(str(record[kind]) for kind in ("id", *LABELS) if kind in record)


def list_groups(record: Record) -> set[str]:
    """List the device groups that a record declares, including those for its mesh."""
    mesh = record.get("mesh", {})
    if "network" not in mesh:
        return set(record.get("groups", ()))
    return {*record.get("groups", ()), RESERVED + mesh["network"], RESERVED + mesh.get("role", "node")}


def _expect_networks(before: State, manifest: Mapping[str, Any], refused: Collection[str]) -> dict[str, dict[str, Any]]:
    """Compute the instructions that all members of a network have in common."""
    return {
        name: {
            "network": name,
            "gateways": sorted({*network.get("gateways", ()), *_list_gateways(before, manifest, name, refused)}),
            "parameters": network["parameters"],
        }
        for name, network in manifest.get("networks", {}).items()
    }


def _list_gateways(before: State, manifest: Mapping[str, Any], network: str, refused: Collection[str]) -> Iterable[str]:
    """List the ids of the declared gateways of a network.

    The cloud does not show the id of a refused device, so it is left out unless the device is already in the product.
    """
    for record in manifest["devices"]:
        mesh = record.get("mesh", {})
        if (mesh.get("network"), mesh.get("role")) == (network, "gateway"):
            device = find_device_id(before, record)
            if device is None:
                continue
            if "id" in record or device not in refused or before["devices"][device]["product"] == PRODUCT_ID:
                yield device


def _join(device: State, record: Record, *, product: bool) -> None:
    if product:
        device.update(product=PRODUCT_ID, quarantined=False)
    if record.get("claimed"):
        device["owner"] = USERNAME
    elif "claimed" in record:
        _unclaim(device, product=product)
    device.update({field: record[field] or None for field in ("name", "notes") if field in record})
    if "development" in record:
        device["development"] = record["development"]
    if "firmware_version" in record:
        version = record["firmware_version"]
        device["desired_firmware_version"] = None if version == "unlocked" else version


def _leave(device: State, record: Record, *, product: bool) -> None:
    """Apply the removal of a device; a device in quarantine is not in the product and so stays."""
    if product and (device["product"] != PRODUCT_ID or device["quarantined"]):
        return
    if product:
        device.update(product=None, groups=[], development=False, desired_firmware_version=None)
    if record.get("claimed") is False:
        _unclaim(device, product=product)


def _unclaim(device: State, *, product: bool) -> None:
    """Remove the claim to a device; without a product an account can remove only its own."""
    if product or device["owner"] == USERNAME:
        device["owner"] = None


def _list_groups(record: Record, before: list[str], *, exact: bool) -> list[str]:
    own = {group for group in before if not group.startswith(RESERVED)}
    if "groups" in record and exact:
        own = set()
    mesh = set() if "mesh" in record else {group for group in before if group.startswith(RESERVED)}
    return sorted(own | mesh | list_groups(record))


def _get_instructions(state: State) -> dict[str, Any]:
    """Return the instances of the ledger that members read, or a new mapping without a ledger."""
    instructions: dict[str, Any] = state["ledgers"].get(INSTRUCTIONS, {"data": {}})["data"]
    return instructions


def _add_ledgers(state: State) -> None:
    for name, direction in ((INSTRUCTIONS, "Downstream"), (REPORTS, "Upstream")):
        definition = {"account": USERNAME, "scope": "Device", "direction": direction, "data": {}}
        state["ledgers"].setdefault(name, definition)
