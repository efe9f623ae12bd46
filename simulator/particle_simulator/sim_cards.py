# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""SIM cards of cellular devices: their owners, status and data usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from particle_simulator.devices import Devices
from particle_simulator.model import Account, Product, format_time
from particle_simulator.resources import Sim

ACTIVE = "active"
NEW = "never_before_activated"
INACTIVE = "inactive_user_deactivated"

CARRIER = "kore"
BASE_RATE = 299
OVERAGE_RATE = 40
PERIOD_DAYS = 30


class SimCards:
    """The registry of SIM cards. A card is added when a request asks for the card for the first time."""

    __slots__ = ("_devices", "by_iccid")

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self.by_iccid: dict[str, Sim] = {}

    def find(self, iccid: str) -> Sim | None:
        """Return the SIM card with this ICCID, or None. Letters must have the same case as on the device."""
        sim = self.by_iccid.get(iccid)
        if sim is None:
            device = self._devices.by_label.get(iccid.upper())
            if device is None or device.iccid != iccid:
                return None
            sim = self.by_iccid[iccid] = Sim(iccid, device)
        return sim


def get_sim_product(sim: Sim) -> Product | None:
    """Return the product to which a card belongs, or None."""
    if sim.released or sim.owner is not None or sim.device is None:
        return None
    return sim.device.product


def get_sim_owner(sim: Sim) -> Account | None:
    """Return the account to which a card belongs.

    Return None for a card in a product and for a card without an owner.
    """
    if sim.owner is not None:
        return sim.owner
    if sim.released or sim.device is None or sim.device.product is not None:
        return None
    return sim.device.owner


def get_sim_status(sim: Sim) -> str:
    """Return the status of a card.

    If no status is stored, the status is `active` for a card in a product, otherwise `never_before_activated`.
    """
    return sim.status or (ACTIVE if get_sim_product(sim) is not None else NEW)


def change_status(sim: Sim, action: str, status: str, now: float) -> None:
    """Record that a card was activated or deactivated."""
    sim.status, sim.last_action, sim.updated_at = status, action, now
    if status == ACTIVE:
        sim.activations += 1
        sim.last_activated_on = now
        sim.first_activated_on = sim.first_activated_on or now
    else:
        sim.deactivations += 1


def build_sim_row(sim: Sim) -> dict[str, Any]:
    """Build the JSON object of a SIM card."""
    product, owner = get_sim_product(sim), get_sim_owner(sim)
    row: dict[str, Any] = {
        "_id": sim.iccid,
        "activations_count": sim.activations,
        "deactivations_count": sim.deactivations,
        "base_country_code": sim.country,
        "base_monthly_rate": BASE_RATE,
        "overage_monthly_rate": OVERAGE_RATE,
        "first_activated_on": format_time(sim.first_activated_on),
        "last_activated_on": format_time(sim.last_activated_on),
        "last_status_change_action": sim.last_action,
        "last_status_change_action_error": "no",
        "msisdn": f"88{crc32(sim.iccid.encode()):010d}",
        "status": get_sim_status(sim),
        "updated_at": format_time(sim.updated_at),
        "carrier": CARRIER,
    }
    if owner is not None:
        row["user_id"] = owner.user_id
    if product is not None:
        row["product_id"] = product.id
    if sim.mb_limit is not None:
        row["mb_limit"] = sim.mb_limit
    if sim.device is not None:
        row["last_device_id"] = sim.device.id
        row["last_device_name"] = sim.device.name
    return row


def list_daily_usage(sim: Sim, seed: int, now: float) -> list[tuple[str, float]]:
    """Return (date, megabytes) for each day of the current billing period.

    For an inactive card, return an empty list.
    """
    if get_sim_status(sim) != ACTIVE:
        return []
    today = datetime.fromtimestamp(now, UTC).date()
    days = [today - timedelta(days=back) for back in range(PERIOD_DAYS - 1, -1, -1)]
    days = [day for day in days if (day.year, day.month) == (today.year, today.month)]
    return [(day.isoformat(), crc32(f"{seed} {sim.iccid} {day}".encode()) % 400 / 1000) for day in days]


def build_usage_rows(days: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Build the entries of `usage_by_day`. Each entry has the usage of a day and the running total."""
    rows = []
    total = 0.0
    for day, used in days:
        total += used
        rows.append({"date": day, "mbs_used": round(used, 3), "mbs_used_cumulative": round(total, 3)})
    return rows
