# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for ledger instances. Each instance contains the data of one device, product or owner."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import Any

import orjson

from particle_simulator import mesh_firmware
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Instance, Ledger, Owner, format_time, owner_id
from particle_simulator.routes.ledgers import find_ledger, find_ledger_owner, select_page
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "ledgers"
MAX_SYNCED_BYTES = 16 * 1024
MAX_VERSIONS = 100
"""The maximum number of old versions that are stored for each ledger instance. Inferred, not documented."""
VERSIONS_PAGE_SIZE = 20
MAX_CLOUD_ONLY_BYTES = 1024 * 1024


def build_instance_row(world: World, ledger: Ledger, instance: Instance) -> dict[str, Any]:
    """Build the JSON object for a ledger instance (endpoints.yml: ledger_instance)."""
    scope = {"type": ledger.scope, "value": instance.scope_value}
    device = world.devices.by_id.get(instance.scope_value) if ledger.scope == "Device" else None
    if device is not None and device.name:
        scope["name"] = device.name
    row = {
        "name": ledger.name,
        "scope": scope,
        "size_bytes": instance.size,
        "data": instance.data,
        "created_at": format_time(instance.created_at),
        "updated_at": format_time(instance.updated_at),
    }
    if instance.replaced_at is not None:
        row["replaced_at"] = format_time(instance.replaced_at)
    return row


def _check_scope_value(world: World, owner: Owner, ledger: Ledger, value: str) -> str:
    """Check the scope value of a ledger instance, and return the scope value in its normal form.

    The scope value identifies a device, a product or an owner. A device must be in a product of the ledger's owner. A
    product must belong to the ledger's owner. All other values raise a 404.
    """
    if ledger.scope == "Device":
        device = world.devices.by_id.get(value.lower())
        if device is not None and device.product is not None and device.product.top_owner is owner:
            return device.id
    elif ledger.scope == "Product":
        product = world.products.find(value)
        if product is not None and product.top_owner is owner:
            return str(product.id)
    elif value == owner_id(owner):
        return value
    raise plain_error(404, f"{ledger.scope} {value} not found.")


def _find_instance(world: World, owner: Owner, ledger: Ledger, value: str) -> Instance | None:
    """Find a ledger instance. If the device reports in the ledger, return the report instead of stored data."""
    key = value.lower()
    return mesh_firmware.build_report(world, owner, ledger, key) or ledger.instances.get(key)


def list_instances(world: World, call: Call) -> Reply:
    """List one page of the instances of a ledger (endpoints.yml: ledger_instances)."""
    ledger = find_ledger(world, call)
    reporting = mesh_firmware.list_reporting_devices(world, find_ledger_owner(world, call), ledger)
    if reporting:
        known = set(reporting)
        stored = [value for value in ledger.instances if value not in known]
        values = list(chain(stored, reporting)) if stored else reporting
    else:
        values = list(ledger.instances)
    part, meta = select_page(call, len(values))
    found = [_find_instance(world, find_ledger_owner(world, call), ledger, value) for value in values[part]]
    rows = [build_instance_row(world, ledger, instance) for instance in found if instance is not None]
    return json_reply({"instances": rows, "meta": meta})


def get_instance(world: World, call: Call) -> Reply:
    """Respond with one ledger instance (endpoints.yml: ledger_instance_get).

    The 404 response is inferred, not documented.
    """
    ledger = find_ledger(world, call)
    instance = _find_instance(world, find_ledger_owner(world, call), ledger, call.path["scopeValue"])
    if instance is None:
        raise plain_error(404, "Ledger instance not found.")
    return json_reply({"instance": build_instance_row(world, ledger, instance)})


def set_instance(world: World, call: Call) -> Reply:
    """Write the data of a ledger instance (endpoints.yml: ledger_instance_set).

    With `set_mode=Replace`, the default, the new data replaces the old data. With `set_mode=Merge`, each top-level key
    of the new data replaces the same key of the old data.
    """
    ledger = find_ledger(world, call)
    if ledger.archived_at is not None:
        raise bad_request("The ledger is archived")
    value = _check_scope_value(world, find_ledger_owner(world, call), ledger, call.path["scopeValue"])
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
    instance = store_instance(world, ledger, value, data)
    return json_reply({"instance": build_instance_row(world, ledger, instance)}, 201)


def store_instance(world: World, ledger: Ledger, value: str, data: dict[str, Any]) -> Instance:
    """Replace the data of a ledger instance, keep the old data as a version, and return the new instance.

    :raises Refusal: with status 400, when the data is too large.
    """
    size = len(orjson.dumps(data))
    if size > (MAX_CLOUD_ONLY_BYTES if ledger.direction is None else MAX_SYNCED_BYTES):
        raise bad_request("The data of the ledger instance is too large")
    now = world.now()
    old = ledger.instances.get(value)
    if old is not None:
        store_version(ledger, old, now)
    instance = ledger.instances[value] = Instance(value, data, size, old.created_at if old else now, now)
    return instance


def delete_instance(world: World, call: Call) -> Reply:
    """Delete a ledger instance (endpoints.yml: ledger_instance_delete)."""
    ledger = find_ledger(world, call)
    value = call.path["scopeValue"]
    if _find_instance(world, find_ledger_owner(world, call), ledger, value) is None:
        raise plain_error(404, "Ledger instance not found.")
    mesh_firmware.keep_last_report(world, find_ledger_owner(world, call), ledger, value.lower())
    old = ledger.instances.pop(value.lower(), None)
    if old is not None:
        store_version(ledger, old, world.now())
    return no_content()


# ---------------------------------------------------------------------- versions


def store_version(ledger: Ledger, old: Instance, now: float) -> None:
    """Store the old version of a ledger instance that was replaced or deleted.

    Clients identify a version by the time `replaced_at`. Therefore each version of an instance gets a different
    time, at least one millisecond later than the previous version.
    """
    versions = ledger.versions.setdefault(old.scope_value, [])
    moment = round(now, 3)
    if versions and versions[-1].replaced_at is not None:
        moment = max(moment, round(versions[-1].replaced_at + 0.001, 3))
    old.replaced_at = moment
    versions.append(old)
    del versions[:-MAX_VERSIONS]


def list_versions(world: World, call: Call) -> Reply:
    """List the old versions of a ledger instance, newest first (endpoints.yml: ledger_versions).

    The page size is inferred, not documented.
    """
    ledger = find_ledger(world, call)
    before, after = (_read_time(call, name) for name in ("replaced_before", "replaced_after"))
    found = [
        version
        for version in reversed(ledger.versions.get(call.path["scopeValue"].lower(), []))
        if version.replaced_at is not None
        and (before is None or version.replaced_at < before)
        and (after is None or version.replaced_at > after)
    ]
    rows = [build_instance_row(world, ledger, version) for version in found[:VERSIONS_PAGE_SIZE]]
    return json_reply({"versions": rows, "meta": {"has_more": len(found) > VERSIONS_PAGE_SIZE}})


def get_version(world: World, call: Call) -> Reply:
    """Respond with one old version of a ledger instance (endpoints.yml: ledger_versions).

    The request path identifies the version by the time `replaced_at`. This rule is inferred, not documented.
    """
    ledger = find_ledger(world, call)
    for version in ledger.versions.get(call.path["scopeValue"].lower(), []):
        if format_time(version.replaced_at) == call.path["version"]:
            return json_reply({"instance": build_instance_row(world, ledger, version)})
    raise plain_error(404, "Ledger instance version not found.")


def _read_time(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise bad_request(f"{name} must be an ISO 8601 time") from error
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


# ---------------------------------------------------------------------- the admin routes


def _list_scope_values(world: World, owner: Owner, ledger: Ledger) -> list[str]:
    """List the scope values of all instances of a ledger: stored instances first, then devices that report."""
    return list(dict.fromkeys([*ledger.instances, *mesh_firmware.list_reporting_devices(world, owner, ledger)]))


def describe_ledgers(world: World) -> list[dict[str, Any]]:
    """Describe all ledgers of all owners as plain data, with all instances, including reports of devices."""
    owners: list[tuple[str | None, str | None, Owner]] = [
        *((account.username, None, account) for account in world.accounts.by_username.values()),
        *((None, org.slug, org) for org in world.orgs.by_id.values()),
    ]
    return [
        {
            "name": ledger.name,
            "account": username,
            "org": slug,
            "scope": ledger.scope,
            "direction": ledger.direction,
            "archived": ledger.archived_at is not None,
            "instances": [
                {"scope_value": value, "data": instance.data}
                for value in _list_scope_values(world, owner, ledger)
                if (instance := _find_instance(world, owner, ledger, value)) is not None
            ],
        }
        for username, slug, owner in owners
        for ledger in owner.ledgers.values()
    ]


def _build_routes(base: str) -> list[Route]:
    several = f"{base}/:name/instances"
    one = f"{several}/:scopeValue"
    versions = f"{one}/versions"
    scope = "ledger.instances"
    return [
        Route(GROUP, "ledger_instances", "GET", several, list_instances, scope=f"{scope}:list"),
        Route(GROUP, "ledger_instance_get", "GET", one, get_instance, scope=f"{scope}:get"),
        Route(GROUP, "ledger_instance_set", "PUT", one, set_instance, kind=Kind.WRITE, scope=f"{scope}:set"),
        Route(
            GROUP, "ledger_instance_delete", "DELETE", one, delete_instance, kind=Kind.WRITE, scope=f"{scope}:remove"
        ),
        Route(GROUP, "ledger_versions", "GET", versions, list_versions, scope=f"{scope}.versions:list"),
        Route(GROUP, "ledger_versions", "GET", f"{versions}/:version", get_version, scope=f"{scope}.versions:get"),
    ]


ROUTES = [*_build_routes("/v1/ledgers"), *_build_routes("/v1/orgs/:org/ledgers")]
