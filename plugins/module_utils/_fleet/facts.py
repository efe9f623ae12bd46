# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of devices: what the cloud says, in one shape for all clouds. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    get_product,
    list_product_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import membership_of

# errors-and-limits.md, section 7: the table of platform ids.
PLATFORMS: Mapping[int, str] = {
    0: "core",
    3: "gcc",
    6: "photon",
    8: "p1",
    10: "electron",
    11: "esp32",
    12: "argon",
    13: "boron",
    14: "xenon",
    15: "esomx",
    22: "asom",
    23: "bsom",
    24: "xsom",
    25: "b5som",
    26: "tracker",
    28: "trackerm",
    31: "raspi",
    32: "p2",
    35: "msom",
    37: "electron2",
    38: "sulu",
    42: "tachyon",
    43: "linux",
    82: "oak",
    88: "duo",
    103: "bluz",
    60000: "newhal",
}

# The setup secret of a device opens it to anybody near; the deprecated twins say what others say already.
_LEFT_OUT = ("mobile_secret", "connected", "last_iccid", "current_build_target")


def gather(http: Http, product: str | None) -> dict[str, Any]:
    """All devices of a product (id or slug) or, without one, of the account.

    :returns: the documented result of ``device_info``.
    """
    if product is None:
        listing = list_account_devices(http)
    else:
        listing = list_product_devices(http, get_product(http, product).id)
    # A list that shifts while it is read may show a device twice.
    devices = {str(row.get("id")): facts_of(row) for row in listing.rows}
    return {
        "changed": False,
        "devices": list(devices.values()),
        "count": len(devices),
        "pages": listing.pages,
        "complete": listing.complete,
    }


def facts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """One device's attributes as the cloud names them, completed by what every user asks for first."""
    facts = {key: value for key, value in row.items() if key not in _LEFT_OUT}
    platform = row.get("platform_id")
    membership = membership_of(frozenset(texts_of(row.get("groups"))))
    known = PLATFORMS.get(platform) if isinstance(platform, int) else None
    facts["platform"] = known or f"unknown ({platform})" if platform is not None else None
    facts["online"] = bool(row.get("online", row.get("connected", False)))
    facts["mac"] = row.get("mac_wifi")
    facts["mesh"] = membership.as_result() if membership else None
    return facts
