# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The JSON:API family of the REST API: discovery, tasks, devices and diagnostics (otbr-rest.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from otbr_simulator import datasets, rules
from otbr_simulator.errors import Refusal
from otbr_simulator.messages import Call, empty_reply
from otbr_simulator.task_list import MAX_TASKS
from simulator_base.messages import Reply, json_reply

API_VERSION = "0.5.0"
ALWAYS_SHOWN = {"created", "updated"}
_FIELDS = "fields["


def get_discovery(call: Call) -> Reply:
    """Return the discovery document."""
    types = [rules.JSON_API, rules.JSON]
    links = [
        {"href": "/.well-known/thread/br-rest", "rel": "self", "type": [rules.JSON]},
        {"href": "/api/node", "rel": "node", "type": types},
        {"href": "/api/actions", "rel": "task", "type": types},
        {"href": "/api/devices", "rel": "device", "type": types},
        {"href": "/api/diagnostics", "rel": "diagnostic", "type": types},
    ]
    return json_reply({"api": {"version": API_VERSION, "base": "/api/"}, "links": links})


def make_options_handler(allow: str) -> Callable[[Call], Reply]:
    """Build the handler of OPTIONS requests: 204 with the allowed methods."""
    return lambda call: empty_reply(204, {"Allow": allow})


# ---------------------------------------------------------------------- lists and items


def _reply_items(call: Call, items: list[dict[str, Any]], **meta: int) -> Reply:
    form = rules.choose_json_form(call.headers)
    chosen = _choose_fields(call, items)
    if form == rules.JSON:
        # Without the ids and the types, which makes this form useless for clients.
        return json_reply([item["attributes"] for item in chosen])
    total = {"offset": 0, "limit": MAX_TASKS, "total": len(items), **meta}
    return _with_type(json_reply({"data": chosen, "meta": {"collection": total}}))


def _reply_item(call: Call, item: dict[str, Any]) -> Reply:
    if rules.choose_json_form(call.headers) == rules.JSON:
        return json_reply(item["attributes"])
    return _with_type(json_reply({"data": item}))


def _with_type(reply: Reply) -> Reply:
    reply.content_type = rules.JSON_API
    return reply


def _choose_fields(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Apply `fields[TYPE]=a,b`, which filters the types and the attributes. Other parameters are ignored."""
    wanted = {
        name.removeprefix(_FIELDS).rstrip("]"): {*value.split(","), *ALWAYS_SHOWN}
        for name, value in call.query.items()
        if name.startswith(_FIELDS)
    }
    if not wanted:
        return items
    return [
        {**item, "attributes": {key: value for key, value in item["attributes"].items() if key in wanted[item["type"]]}}
        for item in items
        if item["type"] in wanted
    ]


# ---------------------------------------------------------------------- tasks


def get_tasks(call: Call) -> Reply:
    """Return all tasks."""
    now, tasks = call.world.now(), call.router.tasks
    return _reply_items(call, [task.show(now) for task in tasks.show()], pending=tasks.pending_count)


def post_tasks(call: Call) -> Reply:
    """Add tasks: all of them, or none if the form of one is wrong."""
    rules.check_content_type(call.headers)
    rules.choose_json_form(call.headers)
    added = call.router.tasks.add(datasets.parse_json(call.body))
    now = call.world.now()
    items = [{"id": task.id, "type": task.type, "attributes": task.show_attributes(now)} for task in added]
    total = {"offset": 0, "limit": MAX_TASKS, "total": len(items)}
    return _with_type(json_reply({"data": items, "meta": {"collection": total}}))


def delete_tasks(call: Call) -> Reply:
    """Cancel and remove all tasks, including those of other clients."""
    call.router.tasks.remove_all()
    return empty_reply(204)


def get_task(call: Call) -> Reply:
    """Return one task."""
    return _reply_item(call, call.router.tasks.find(call.values["id"]).show(call.world.now()))


def delete_task(call: Call) -> Reply:
    """Cancel and remove one task."""
    call.router.tasks.remove(call.values["id"])
    return empty_reply(204)


# ---------------------------------------------------------------------- devices


def get_own_item(call: Call) -> Reply:
    """Return the cached item of the border router itself. Here the header `Accept` may be missing."""
    item = call.router.devices.find_own()
    if call.headers.get("Accept") == rules.JSON:
        return json_reply(item["attributes"])
    return _with_type(json_reply({"data": item}))


def get_devices(call: Call) -> Reply:
    """Return the device cache."""
    return _reply_items(call, list(call.router.devices.items.values()))


def delete_devices(call: Call) -> Reply:
    """Empty the device cache. This takes no device out of the network."""
    call.router.devices.clear()
    return empty_reply(204)


def get_device(call: Call) -> Reply:
    """Return one device of the cache."""
    return _reply_item(call, call.router.devices.find(call.values["id"]))


def delete_device(call: Call) -> Reply:
    """Remove one device from the cache. The statuses of success and failure are interchanged."""
    call.router.devices.remove(call.values["id"])
    return empty_reply(204)


# ---------------------------------------------------------------------- diagnostics


def get_results(call: Call) -> Reply:
    """Return all results of diagnostics."""
    return _reply_items(call, list(call.router.diagnostics.items.values()))


def delete_results(call: Call) -> Reply:
    """Remove all results of diagnostics."""
    call.router.diagnostics.items.clear()
    return empty_reply(204)


def get_result(call: Call) -> Reply:
    """Return one result."""
    return _reply_item(call, call.router.diagnostics.find(_check_uuid(call.values["id"])))


def delete_result(call: Call) -> Reply:
    """Remove one result."""
    call.router.diagnostics.remove(_check_uuid(call.values["id"]))
    return empty_reply(204)


def _check_uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        raise Refusal(404) from error
