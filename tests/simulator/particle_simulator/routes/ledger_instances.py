# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The instances of ledgers: the data of one device, product or owner."""

from __future__ import annotations

from itertools import chain
from typing import Any

import orjson

from particle_simulator import mesh_firmware
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Account, Instance, Ledger, iso
from particle_simulator.routes.ledgers import asked_ledger, page_of
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "ledgers"
SYNCED_LIMIT = 16 * 1024
CLOUD_ONLY_LIMIT = 1024 * 1024


def instance_row(world: World, ledger: Ledger, instance: Instance) -> dict[str, Any]:
    """`ledger_instance`."""
    scope = {"type": ledger.scope, "value": instance.scope_value}
    device = world.devices.get(instance.scope_value) if ledger.scope == "Device" else None
    if device is not None and device.name:
        scope["name"] = device.name
    return {
        "name": ledger.name,
        "scope": scope,
        "size_bytes": instance.size,
        "data": instance.data,
        "created_at": iso(instance.created_at),
        "updated_at": iso(instance.updated_at),
    }


def _scope_value(world: World, account: Account, ledger: Ledger, value: str) -> str:
    """A scope value that the ledger can have data for. Only devices of a product take part in ledgers."""
    if ledger.scope == "Device":
        device = world.devices.get(value.lower())
        if device is not None and device.product is not None and device.product.owner is account:
            return device.id
    elif ledger.scope == "Product":
        product = world.find_product(value)
        if product is not None and product.owner is account:
            return str(product.id)
    elif value == account.user_id:
        return value
    raise plain_error(404, f"{ledger.scope} {value} not found.")


def _found(world: World, account: Account, ledger: Ledger, value: str) -> Instance | None:
    """The instance that counts: what a device reports goes before what somebody wrote in its place."""
    key = value.lower()
    return mesh_firmware.report(world, account, ledger, key) or ledger.instances.get(key)


def list_instances(world: World, call: Call) -> Reply:
    """ledger_instances."""
    ledger = asked_ledger(world, call)
    reporting = mesh_firmware.reporting_devices(world, call.account, ledger)
    if reporting:
        known = set(reporting)
        written = [value for value in ledger.instances if value not in known]
        values = list(chain(written, reporting)) if written else reporting
    else:
        values = list(ledger.instances)
    part, meta = page_of(call, len(values))
    found = [_found(world, call.account, ledger, value) for value in values[part]]
    rows = [instance_row(world, ledger, instance) for instance in found if instance is not None]
    return json_reply({"instances": rows, "meta": meta})


def get_instance(world: World, call: Call) -> Reply:
    """ledger_instance_get. Its 404 is inferred."""
    ledger = asked_ledger(world, call)
    instance = _found(world, call.account, ledger, call.path["scopeValue"])
    if instance is None:
        raise plain_error(404, "Ledger instance not found.")
    return json_reply({"instance": instance_row(world, ledger, instance)})


def set_instance(world: World, call: Call) -> Reply:
    """ledger_instance_set, with the 201 of the documentation; `Merge` works on the top-level keys."""
    ledger = asked_ledger(world, call)
    if ledger.archived_at is not None:
        raise bad_request("The ledger is archived")
    value = _scope_value(world, call.account, ledger, call.path["scopeValue"])
    wrapped = call.fields.get("instance")
    data = wrapped.get("data") if isinstance(wrapped, dict) else call.fields.get("data")
    if not isinstance(data, dict):
        raise bad_request("data must be an object")
    mode = call.query.get("set_mode", "Replace")
    if mode not in ("Replace", "Merge"):
        raise bad_request("set_mode must be Replace or Merge")
    old = ledger.instances.get(value)
    if mode == "Merge" and old is not None:
        data = old.data | data
    size = len(orjson.dumps(data))
    if size > (CLOUD_ONLY_LIMIT if ledger.direction is None else SYNCED_LIMIT):
        raise bad_request("The data of the ledger instance is too large")
    now = world.now()
    instance = Instance(value, data, size, old.created_at if old else now, now)
    ledger.instances[value] = instance
    return json_reply({"instance": instance_row(world, ledger, instance)}, 201)


def delete_instance(world: World, call: Call) -> Reply:
    """ledger_instance_delete."""
    ledger = asked_ledger(world, call)
    value = call.path["scopeValue"]
    if _found(world, call.account, ledger, value) is None:
        raise plain_error(404, "Ledger instance not found.")
    ledger.instances.pop(value.lower(), None)
    return no_content()


def describe_ledgers(world: World) -> list[dict[str, Any]]:
    """All ledgers of all accounts with their instances, reports included, for the admin routes."""
    return [
        {
            "name": ledger.name,
            "account": account.username,
            "scope": ledger.scope,
            "direction": ledger.direction,
            "archived": ledger.archived_at is not None,
            "instances": [
                {"scope_value": value, "data": instance.data}
                for value in dict.fromkeys(
                    [*ledger.instances, *mesh_firmware.reporting_devices(world, account, ledger)]
                )
                if (instance := _found(world, account, ledger, value)) is not None
            ],
        }
        for account in world.accounts.values()
        for ledger in account.ledgers.values()
    ]


LIST = "/v1/ledgers/:name/instances"
ONE = "/v1/ledgers/:name/instances/:scopeValue"

ROUTES = [
    Route(GROUP, "ledger_instances", "GET", LIST, list_instances),
    Route(GROUP, "ledger_instance_get", "GET", ONE, get_instance),
    Route(GROUP, "ledger_instance_set", "PUT", ONE, set_instance, kind=Kind.WRITE),
    Route(GROUP, "ledger_instance_delete", "DELETE", ONE, delete_instance, kind=Kind.WRITE),
]
