# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of devices: what the cloud says, in one shape for all clouds. Private to this collection."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import platform_of
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import membership_in

# The setup secret of a device opens it to anybody near; the deprecated twins say what others say, or stand in for them.
_LEFT_OUT = ("mobile_secret", "connected", "last_iccid", "current_build_target")

# A play asks for these of any device; what nobody has told of one is null, and no reason to fail.
_ALWAYS = (
    "name",
    "owner",
    "serial_number",
    "iccid",
    "firmware_version",
    "system_firmware_version",
    "last_heard",
    "notes",
)

CONFIRMED, PROBABLE, STALE, OFFLINE = "confirmed", "probable", "stale", "offline"
PRESENCE = (CONFIRMED, PROBABLE, STALE, OFFLINE)

_CONFIRMED_SECONDS = 60
_LAG_SECONDS = 46 * 60
"""The longest that the cloud goes on to show a lost device as online (errors-and-limits.md, section 7). That is so of
cellular ones; it counts for all."""


def facts_of(row: Mapping[str, Any], product: str | None = None) -> dict[str, Any]:
    """One device's attributes as the cloud names them, completed by what every user asks for first.

    :param product: the slug of the product whose list showed it; ``None`` for the list of the account.
    """
    facts = dict.fromkeys(_ALWAYS) | {key: value for key, value in row.items() if key not in _LEFT_OUT}
    online, sim, device_os = row.get("online"), row.get("last_iccid"), row.get("current_build_target")
    if not facts["iccid"]:
        facts["iccid"] = sim if isinstance(sim, str) and sim else None
    if not facts["system_firmware_version"]:
        # Elsewhere it is a number, which is no version (errors-and-limits.md, section 7).
        facts["system_firmware_version"] = device_os if isinstance(device_os, str) and "." in device_os else None
    facts["platform"] = platform_of(row.get("platform_id"))
    facts["online"] = bool(row.get("connected") if online is None else online)
    facts["mac"] = row.get("mac_wifi") or None
    facts["mesh"] = _mesh(row)
    facts["product"] = product or _product(row)
    return facts


def _product(row: Mapping[str, Any]) -> str | None:
    """Of a device in no product, the cloud says that its platform is its product."""
    number = row.get("product_id")
    return None if number is None or number == row.get("platform_id") else str(number)


def _mesh(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return network and role as the first backend that sees the device in one of its networks."""
    found = membership_in(row)
    return None if found is None else dict(found[1].as_result())


def with_presence(facts: Mapping[str, Any], now: float) -> dict[str, Any]:
    """``facts`` and how sure it is that the device is there.

    :param now: the time of the cloud, in seconds since 1970.
    """
    age = _age(facts.get("last_heard"), now)
    if age is None:
        age = _age(facts.get("last_handshake_at"), now)  # a session begins with a sign of life
    if not facts["online"]:
        presence = OFFLINE
    elif age is None or age > _LAG_SECONDS:
        presence = STALE
    else:
        presence = CONFIRMED if age <= _CONFIRMED_SECONDS else PROBABLE
    return {**facts, "presence": presence, "last_heard_age": age}


def _age(moment: Any, now: float) -> int | None:
    """Whole seconds since an ISO 8601 moment; ``None`` when it is none."""
    try:
        heard = datetime.datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return None
    return max(0, int(now - (heard if heard.tzinfo else heard.replace(tzinfo=datetime.UTC)).timestamp()))
