# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compute the state that the simulator must have after a run, from the manifest and the state before the run.

The computation uses no code of the collection. It uses the state that the simulator stores (`Simulator.state`), not
the responses that the collection reads. Devices, groups, fields and ledgers that the manifest does not declare must not
change.
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
    """Return the part of the state that a run can change, in a form in which two states can be compared.

    The data of the ledger `mesh-status` is left out, because devices write this data. An empty note becomes None.

    :returns: three mappings: `devices`, keyed by device id; `groups`, keyed by product slug; `ledgers`, keyed by name.
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
    """Compute the normalized state after a run with `manifest`.

    Every network in the manifest must declare `parameters`. Otherwise the state after the run depends on the earlier
    parameters of the network, which this function does not read.

    :param before: the normalized state before the run.
    :param absent: whether the run has the option `state: absent`.
    :param refused: the ids of declared devices that the account cannot get. These devices must not change.
    """
    after = copy.deepcopy(before)
    product = "product" in manifest
    networks = _expect_networks(before, manifest, refused)
    joins = any("network" in record.get("mesh", {}) for record in manifest["devices"])
    # The order to leave is only useful if the device can report that it has left.
    if not absent and (joins or _list_leaving(before, manifest, refused=())):
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
            data = {"contract": 1, **network, "role": mesh.get("role", "node"), **own}
            found = _get_instructions(after).get(device["id"])
            if found is None or {"contract": 1, **found} != data:
                _get_instructions(after)[device["id"]] = data
    for leaving in _list_leaving(before, manifest, refused) if not absent else ():
        # A device that is online leaves its network at once, and its instructions are deleted.
        if after["devices"][leaving]["online"]:
            del _get_instructions(after)[leaving]
        else:
            _get_instructions(after)[leaving] = {"contract": 1, "network": None}
    return after


def _list_leaving(before: State, manifest: Mapping[str, Any], refused: Collection[str]) -> list[str]:
    """List the declared devices that have instructions and must be in no network."""
    declared = (
        find_device_id(before, record)
        for record in manifest["devices"]
        if "mesh" in record and "network" not in record["mesh"]
    )
    return [
        device
        for device in declared
        if device is not None and device not in refused and device in _get_instructions(before)
    ]


def find_device_id(state: State, record: Record) -> str | None:
    """Return the id of a declared device, or None if the cloud does not have the device."""
    if "id" in record:
        return str(record["id"])
    kind = next(kind for kind in LABELS if kind in record)
    return next((str(id) for id, device in state["devices"].items() if device[kind] == record[kind]), None)


def get_key(record: Record) -> str:
    """Return the identifier of a device in the manifest: its id, serial number, ICCID or IMEI."""
    return next(str(record[kind]) for kind in ("id", *LABELS) if kind in record)


def list_groups(record: Record) -> set[str]:
    """Return the groups that a device entry of the manifest declares, including the groups for its mesh network."""
    mesh = record.get("mesh", {})
    if "network" not in mesh:
        return set(record.get("groups", ()))
    return {*record.get("groups", ()), RESERVED + mesh["network"], RESERVED + mesh.get("role", "node")}


def _expect_networks(before: State, manifest: Mapping[str, Any], refused: Collection[str]) -> dict[str, dict[str, Any]]:
    """Compute the instructions that are the same for all members of a network, keyed by network name."""
    return {
        name: {
            "network": name,
            "gateways": sorted({*network.get("gateways", ()), *_list_gateways(before, manifest, name, refused)}),
            "parameters": network["parameters"],
        }
        for name, network in manifest.get("networks", {}).items()
    }


def _list_gateways(before: State, manifest: Mapping[str, Any], network: str, refused: Collection[str]) -> Iterable[str]:
    """Yield the ids of the declared gateways of a network.

    A refused gateway is skipped if its manifest entry has no `id` and the gateway is not yet in the product, because
    the cloud does not show the id of this gateway.
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
    if "firmware_lock" in record:
        version = record["firmware_lock"]
        device["desired_firmware_version"] = None if version == "unlocked" else version


def _leave(device: State, record: Record, *, product: bool) -> None:
    """Remove a device from the product, and unclaim it if its entry says `claimed: false`.

    If the manifest has a product, a device outside the product or in quarantine does not change.
    """
    if product and (device["product"] != PRODUCT_ID or device["quarantined"]):
        return
    if product:
        device.update(product=None, groups=[], development=False, desired_firmware_version=None)
    if record.get("claimed") is False:
        _unclaim(device, product=product)


def _unclaim(device: State, *, product: bool) -> None:
    """Remove the owner of a device. Without a product, do nothing if the device belongs to another account."""
    if product or device["owner"] == USERNAME:
        device["owner"] = None


def _list_groups(record: Record, before: list[str], *, exact: bool) -> list[str]:
    own = {group for group in before if not group.startswith(RESERVED)}
    if "groups" in record and exact:
        own = set()
    mesh = set() if "mesh" in record else {group for group in before if group.startswith(RESERVED)}
    return sorted(own | mesh | list_groups(record))


def _get_instructions(state: State) -> dict[str, Any]:
    """Return the data of the ledger `mesh`, keyed by device id. The data is the instructions for mesh members.

    Return an empty mapping if the ledger does not exist.
    """
    instructions: dict[str, Any] = state["ledgers"].get(INSTRUCTIONS, {"data": {}})["data"]
    return instructions


def _add_ledgers(state: State) -> None:
    for name, direction in ((INSTRUCTIONS, "Downstream"), (REPORTS, "Upstream")):
        definition = {"account": USERNAME, "scope": "Device", "direction": direction, "data": {}}
        state["ledgers"].setdefault(name, definition)
