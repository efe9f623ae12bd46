# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for service agreements and usage reports, with made-up content in the JSON:API format."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import format_offset_time
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "user_account"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
REPORT_LIFETIME = 7 * 86400.0
FREE_PLAN_DEVICES = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """The account or organization that holds a service agreement, and the number of its devices."""

    id: str
    type: str
    device_count: int


def _find_holder(world: World, call: Call) -> Holder:
    """Find the holder of the agreement: the organization in the request path, or the account of the sandbox."""
    if "org" in call.path:
        org = find_organization(world, call)
        return Holder(org.id, "Org", sum(len(product.devices) for product in world.products.list_in_org(org)))
    account = call.sandbox
    owned = sum(len(product.devices) for product in world.products.by_id.values() if product.top_owner is account)
    return Holder(account.user_id, "User", owned + len(account.devices))


def _build_agreement_id(holder: Holder) -> str:
    return str(int(holder.id[:8], 16))


def list_agreements(world: World, call: Call) -> Reply:
    """Respond with a list of one service agreement, the free plan (endpoints.yml: service_agreements)."""
    holder = _find_holder(world, call)
    devices = holder.device_count
    month = datetime.fromtimestamp(world.now(), UTC).strftime("%Y-%m")
    usage = {"owned_devices": devices, "billable_devices": devices, "device_data": 0, "device_messages": 0}
    attributes = {
        "owner_id": holder.id,
        "owner_type": holder.type,
        "name": "Free plan",
        "agreement_type": "self_service",
        "duration": None,
        "state": "active",
        "starts_on": "2024-01-01",
        "ends_on": None,
        "current_billing_period_start": f"{month}-01",
        "current_billing_period_end": f"{month}-28",
        "next_billing_period_start": f"{month}-28",
        "current_usage_summary": {
            "device_limit_reached": devices > FREE_PLAN_DEVICES,
            "connectivity": {"all": usage},
        },
        "pricing_terms": {},
    }
    row = {"id": _build_agreement_id(holder), "type": "service_agreement", "attributes": attributes}
    return json_reply({"data": [row]})


def _find_agreement(world: World, call: Call) -> Holder:
    """Find the holder of the agreement. Raise a 404 unless the id in the request path is the id of the agreement."""
    holder = _find_holder(world, call)
    if call.path["id"] != _build_agreement_id(holder):
        raise plain_error(404, "Service agreement not found.")
    return holder


def create_report(world: World, call: Call) -> Reply:
    """Create a usage report in the state `pending` (endpoints.yml: usage_report_create).

    The error responses are inferred, not documented.
    """
    holder = _find_agreement(world, call)
    fields = call.fields
    if fields.get("report_type") not in ("devices", "products"):
        raise bad_request("report_type must be devices or products")
    for name in ("date_period_start", "date_period_end"):
        if not DAY.fullmatch(str(fields.get(name, ""))):
            raise bad_request(f"{name} must be written as YYYY-MM-DD")
    for name in ("devices", "products"):
        if not isinstance(fields.get(name, []), list):
            raise bad_request(f"{name} must be a list of ids")
    attributes: dict[str, Any] = {
        "state": "pending",
        "report_type": fields["report_type"],
        "date_period_start": fields["date_period_start"],
        "date_period_end": fields["date_period_end"],
        "expires_at": format_offset_time(world.now() + REPORT_LIFETIME),
        "download_url": None,
    }
    report_id = secrets.token_hex(12)
    report = {"id": report_id, "type": "usage_report", "attributes": attributes}
    world.downloads.usage_reports[holder.id, report_id] = report
    return json_reply({"data": report}, 202)


def get_report(world: World, call: Call) -> Reply:
    """Respond with a usage report, always in the state `available` (endpoints.yml: usage_report_get)."""
    report = world.downloads.usage_reports.get((_find_holder(world, call).id, call.path["id"]))
    if report is None:
        raise plain_error(404, "Usage report not found.")
    ready = report["attributes"] | {"state": "available", "download_url": f"https://example.com/{report['id']}.csv"}
    return json_reply({"data": report | {"attributes": ready}})


def list_notifications(world: World, call: Call) -> Reply:
    """Respond with an empty list of notifications (endpoints.yml: agreement_notifications)."""
    _find_agreement(world, call)
    return json_reply({"data": []})


def _build_routes(base: str) -> list[Route]:
    agreements = f"{base}/service_agreements"
    scope = "service_agreements.usage_reports"
    notifications = f"{agreements}/:id/notifications"
    return [
        Route(GROUP, "service_agreements", "GET", agreements, list_agreements, scope="service_agreements:list"),
        Route(
            GROUP,
            "usage_report_create",
            "POST",
            f"{agreements}/:id/usage_reports",
            create_report,
            kind=Kind.WRITE,
            scope=f"{scope}:create",
        ),
        Route(GROUP, "usage_report_get", "GET", f"{base}/usage_reports/:id", get_report, scope=f"{scope}:create"),
        Route(
            GROUP,
            "agreement_notifications",
            "GET",
            notifications,
            list_notifications,
            scope="service_agreements.notifications:list",
        ),
    ]


ROUTES = [*_build_routes("/v1/user"), *_build_routes("/v1/orgs/:org")]
