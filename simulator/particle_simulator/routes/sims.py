# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the SIM cards of an account or a product.

The response to a `PUT` request has status 200 and no body.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from particle_simulator.digits import parse_number
from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Product, format_offset_time
from particle_simulator.ownership import add_to_product
from particle_simulator.permissions import can_access
from particle_simulator.resources import Sim
from particle_simulator.routes.owners import PathOwner, find_owner
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.sim_cards import (
    ACTIVE,
    INACTIVE,
    NEW,
    build_sim_row,
    build_usage_rows,
    change_status,
    get_sim_owner,
    get_sim_product,
    get_sim_status,
    list_daily_usage,
)
from particle_simulator.world import World

GROUP = "sims"
DIAGNOSTICS = "diagnostics_and_fleet_health"
PAGE_SIZE = 25
MAX_DATA_LIMIT_MB = 500
CHECK_SECONDS = 5.0
"""Seconds until a status check is complete.

The number is inferred, not documented.
"""
CHECK_LIFETIME = 300.0
IMPORT_DELAY = 5.0
"""Seconds from the request for an import to the import.

The cloud queues imports. The number is inferred, not documented.
"""


def _empty_reply(status: int = 200) -> Reply:
    return Reply(status, b"", {}, None)


def _has_owner(sim: Sim, owner: PathOwner) -> bool:
    if owner.product is not None:
        return get_sim_product(sim) is owner.product
    return get_sim_owner(sim) is owner.account


def _find_sim(world: World, call: Call) -> tuple[PathOwner, Sim]:
    """Find the owner and the SIM card in the request path.

    If the card is unknown, respond with status 404. If the card belongs to another owner, respond with status 403. The
    error bodies are inferred, not documented.
    """
    owner = find_owner(world, call)
    sim = world.sims.find(call.path["iccid"])
    if sim is None:
        raise plain_error(404, "SIM not found.")
    if not _has_owner(sim, owner):
        raise plain_error(403, "Permission denied")
    return owner, sim


# ---------------------------------------------------------------------- reading


def _list_owned_sims(world: World, owner: PathOwner) -> Iterable[Sim]:
    devices = owner.product.devices if owner.product is not None else owner.account.devices
    numbers = {device.iccid: None for device in devices.values() if device.iccid}
    # An activated SIM card can have another owner than its device. Therefore all cards with an owner are added.
    numbers |= {sim.iccid: None for sim in world.sims.by_iccid.values() if sim.owner is not None}
    for number in numbers:
        sim = world.sims.find(number)
        if sim is not None and _has_owner(sim, owner):
            yield sim


def _matches(sim: Sim, query: dict[str, str]) -> bool:
    device_id = sim.device.id if sim.device else ""
    name = (sim.device.name or "") if sim.device else ""
    return (
        query.get("iccid", "") in sim.iccid
        and query.get("deviceId", "").lower() in device_id
        and query.get("deviceName", "").lower() in name.lower()
    )


def list_sims(world: World, call: Call) -> Reply:
    """List one page of SIM cards (endpoints.yml: sims_list). Only the product route adds the key `meta`."""
    owner = find_owner(world, call)
    found = [sim for sim in _list_owned_sims(world, owner) if _matches(sim, call.query)]
    page, size = call.read_number("page", default=1), call.read_number("perPage", "per_page", default=PAGE_SIZE)
    answer: dict[str, Any] = {"sims": [build_sim_row(sim) for sim in found[(page - 1) * size : page * size]]}
    if owner.product is not None:
        answer["meta"] = {"total_pages": max(1, -(-len(found) // size))}
    return json_reply(answer)


def get_sim(world: World, call: Call) -> Reply:
    """Respond with one SIM card (endpoints.yml: sim_get). The response body is the object of the SIM card itself.

    On the account route, the response also contains the username of the owner.
    """
    owner, sim = _find_sim(world, call)
    row = build_sim_row(sim)
    if owner.product is None:
        row["owner"] = owner.account.username
    return json_reply(row)


def check_sim(world: World, call: Call) -> Reply:
    """Respond with a status that tells whether the caller can activate a SIM card (endpoints.yml: sim_check).

    The status is 200 if the card is ready, 205 if the card is active already, 403 if the card belongs to another owner,
    or 404 if the card is unknown. The response has no body.
    """
    sim = world.sims.find(call.path["iccid"])
    if sim is None:
        return _empty_reply(404)
    owner, product = get_sim_owner(sim), get_sim_product(sim)
    if owner not in (None, call.sandbox) or (product is not None and not can_access(call.account, product)):
        return _empty_reply(403)
    return _empty_reply(205 if get_sim_status(sim) == ACTIVE else 200)


def get_sim_usage(world: World, call: Call) -> Reply:
    """Respond with the data usage of one SIM card (endpoints.yml: sim_usage)."""
    _unused, sim = _find_sim(world, call)
    days = list_daily_usage(sim, world.settings.seed, world.now())
    return json_reply({"iccid": sim.iccid, "usage_by_day": build_usage_rows(days)})


def get_fleet_usage(world: World, call: Call) -> Reply:
    """Respond with the data usage of all SIM cards of a product (endpoints.yml: fleet_usage)."""
    owner = find_owner(world, call)
    days: defaultdict[str, float] = defaultdict(float)
    active = 0
    for sim in _list_owned_sims(world, owner):
        active += get_sim_status(sim) == ACTIVE
        for day, used in list_daily_usage(sim, world.settings.seed, world.now()):
            days[day] += used
    rows = build_usage_rows(sorted(days.items()))
    total = round(sum(days.values()), 3)
    return json_reply({"total_mbs_used": total, "total_active_sim_cards": active, "usage_by_day": rows})


def get_cellular_status(world: World, call: Call) -> Reply:
    """Respond with the status check of a SIM card (endpoints.yml: cellular_status).

    Start a new check if no check exists, or if the last check is at least 300 seconds old. A new check is pending for 5
    seconds, and complete afterwards.
    """
    _unused, sim = _find_sim(world, call)
    now = world.now()
    started_at = sim.check_began_at
    if started_at is None or started_at + CHECK_LIFETIME <= now:
        started_at = sim.check_began_at = now
    complete = now >= started_at + CHECK_SECONDS
    is_connected = bool(sim.device and sim.device.reachable and get_sim_status(sim) == ACTIVE) if complete else None
    meta = {
        "created_at": format_offset_time(started_at),
        "expires_at": format_offset_time(started_at + CHECK_LIFETIME),
        "check_again_after": format_offset_time(started_at + CHECK_SECONDS),
        "state": "complete" if complete else "pending",
        "method": "async",
        "task_id": f"{sim.iccid}-{int(started_at)}",
    }
    states = {"connected": is_connected, "gsm_connection": is_connected, "data_connection": is_connected}
    return json_reply({"ok": True, "meta": meta, "sim_status": states}, 202)


# ---------------------------------------------------------------------- changing


def _read_limit(value: Any) -> int:
    limit = parse_number(value)
    if limit is None or not 1 <= limit <= MAX_DATA_LIMIT_MB:
        raise bad_request(f"mb_limit must be a number from 1 to {MAX_DATA_LIMIT_MB}")
    return limit


def _read_country(call: Call) -> str | None:
    """Return the country in the body in upper case, or None if the body has no country."""
    country = call.fields.get("country")
    if country is None:
        return None
    if not isinstance(country, str) or len(country) != 2:
        raise bad_request("country must be a code of two letters")
    return country.upper()


def _activate_sim(world: World, call: Call) -> Reply:
    """Activate a SIM card for the caller's account (endpoints.yml: sim_activate).

    There is no product route for activation, because the import into a product also activates the card.
    """
    sim = world.sims.find(call.path["iccid"])
    if sim is None:
        raise plain_error(404, "SIM not found.")
    if get_sim_owner(sim) not in (None, call.sandbox) or get_sim_product(sim) is not None:
        raise plain_error(403, "Permission denied")
    if get_sim_status(sim) != NEW and not sim.released:
        raise bad_request("The SIM has been activated before")
    sim.owner, sim.released, sim.country = call.sandbox, False, _read_country(call) or "US"
    change_status(sim, "activate", ACTIVE, world.now())
    return _empty_reply()


def change_sim(world: World, call: Call) -> Reply:
    """Activate, deactivate or reactivate a SIM card, or set the data limit of the card.

    One route serves four endpoints (endpoints.yml: sim_activate, sim_deactivate, sim_reactivate,
    sim_data_limit_legacy).
    """
    action = call.fields.get("action")
    if action == "activate" and "p" not in call.path:
        return _activate_sim(world, call)
    _unused, sim = _find_sim(world, call)
    if action is not None and action not in ("deactivate", "reactivate"):
        raise bad_request("action must be activate, deactivate or reactivate")
    if action is None and "mb_limit" not in call.fields:
        raise bad_request("action is required")
    if "mb_limit" in call.fields:
        sim.mb_limit = _read_limit(call.fields["mb_limit"])
    # The request succeeds even if the action does not change the status. This behaviour is inferred, not documented.
    if action == "deactivate" and get_sim_status(sim) == ACTIVE:
        change_status(sim, action, INACTIVE, world.now())
    elif action == "reactivate" and get_sim_status(sim) != ACTIVE:
        change_status(sim, action, ACTIVE, world.now())
    return _empty_reply()


def release_sim(world: World, call: Call) -> Reply:
    """Deactivate a SIM card, and remove the card from its account or product (endpoints.yml: sim_release)."""
    _unused, sim = _find_sim(world, call)
    if get_sim_status(sim) == ACTIVE:
        change_status(sim, "deactivate", INACTIVE, world.now())
    sim.owner, sim.released, sim.status = None, True, None
    return _empty_reply(204)


def import_sims(world: World, call: Call) -> Reply:
    """Plan the import of SIM cards into a product (endpoints.yml: sims_import).

    The response does not contain the result for each card, because the real cloud imports the cards later.
    """
    product = find_product(world, call)
    if "file" in call.files:
        lines = call.files["file"].decode("utf-8-sig", "replace").splitlines()
        numbers = [line.strip() for line in lines if line.strip()]
    else:
        numbers = call.fields.get("sims", [])
    if not isinstance(numbers, list) or not numbers or not all(isinstance(number, str) for number in numbers):
        raise Refusal(400, {"ok": False, "error": "sims or file is required"})
    country = _read_country(call)
    world.agenda.add(world.now() + IMPORT_DELAY, lambda: _carry_out_import(world, product, numbers, country))
    return json_reply({"ok": True})


def _carry_out_import(world: World, product: Product, numbers: list[str], country: str | None) -> None:
    """Import SIM cards and their devices into a product, and activate the cards.

    A card that cannot be imported is skipped.
    """
    for number in numbers:
        sim = world.sims.find(number)
        if sim is None or sim.device is None or sim.device.platform_id != product.platform_id:
            continue
        if sim.device.product not in (None, product) or get_sim_owner(sim) not in (None, product.owner):
            continue
        if sim.device.product is None:
            add_to_product(sim.device, product)
        sim.owner, sim.released, sim.country = None, False, country or sim.country
        if sim.status != ACTIVE:
            change_status(sim, "activate", ACTIVE, world.now())


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:iccid"
    more = ("sim_reactivate", "sim_data_limit_legacy", *(() if ":p" in base else ("sim_activate",)))
    return [
        Route(GROUP, "sims_list", "GET", base, list_sims, scope="sims:list"),
        Route(GROUP, "sim_get", "GET", one, get_sim, scope="sims:get"),
        Route(GROUP, "sim_deactivate", "PUT", one, change_sim, kind=Kind.WRITE, scope="sims:update", also=more),
        Route(GROUP, "sim_release", "DELETE", one, release_sim, kind=Kind.WRITE, scope="sims:remove"),
        Route(GROUP, "sim_usage", "GET", f"{one}/data_usage", get_sim_usage),
        Route(DIAGNOSTICS, "cellular_status", "GET", f"{one}/status", get_cellular_status, scope="sims.status:get"),
    ]


PRODUCT = "/v1/products/:p/sims"

ROUTES = [
    *_build_routes("/v1/sims"),
    *_build_routes(PRODUCT),
    Route(GROUP, "sim_check", "HEAD", "/v1/sims/:iccid", check_sim),
    Route(GROUP, "sims_import", "POST", PRODUCT, import_sims, kind=Kind.WRITE, scope="sims:import"),
    Route(GROUP, "fleet_usage", "GET", f"{PRODUCT}/data_usage", get_fleet_usage, scope="sims.usage:get"),
]
