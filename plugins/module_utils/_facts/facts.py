# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the facts of devices from rows of the cloud's lists. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import get_platform_name
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY, parse_time
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import observe_fields
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_membership

# Keys of a row that do not become facts. With mobile_secret, any person near the device could take it over. The other
# keys are deprecated copies of current keys. A deprecated copy is used only if the current key is missing.
_OMITTED_KEYS = ("mobile_secret", "connected", "last_iccid", "current_build_target")

# Facts that every device has, so that a play can use them without a check. An unknown fact is null.
_DEFAULT_KEYS = (
    "name",
    "owner",
    "serial_number",
    "iccid",
    "firmware_version",
    "firmware_lock",
    "system_firmware_version",
    "last_heard",
    "notes",
)

CONFIRMED, PROBABLE, STALE, OFFLINE = "confirmed", "probable", "stale", "offline"

_CONFIRMED_SECONDS = 60
_LAG_SECONDS = 46 * 60
"""For how many seconds the cloud can still show a device as online after the device has lost its connection
(errors-and-limits.md, section 7). The value for cellular devices is used for all devices."""


def build_facts(row: Mapping[str, Any], product: str | None = None) -> dict[str, Any]:
    """Return the facts of a device.

    Most facts are attributes of the device, under the names that the cloud uses. Derived facts, such as ``platform``,
    are computed from these attributes.

    :param row: the row of the device in a device list of the cloud.
    :param product: the slug of the product if ``row`` comes from the list of a product; ``None`` if ``row`` comes from
        the list of the account.
    """
    facts = dict.fromkeys(_DEFAULT_KEYS) | {key: value for key, value in row.items() if key not in _OMITTED_KEYS}
    online, sim, device_os = row.get("online"), row.get("last_iccid"), row.get("current_build_target")
    if not facts["iccid"]:
        facts["iccid"] = sim if isinstance(sim, str) and sim else None
    if not facts["system_firmware_version"]:
        # In some lists the value is a number that is not a version (errors-and-limits.md, section 7).
        facts["system_firmware_version"] = device_os if isinstance(device_os, str) and "." in device_os else None
    facts["firmware_lock"] = _read_lock(row)
    facts["platform"] = get_platform_name(row.get("platform_id"))
    facts["online"] = bool(row.get("connected") if online is None else online)
    facts["mac"] = row.get("mac_wifi") or None
    facts["mesh"] = _read_mesh(row)
    facts["product"] = product or _read_product(row)
    return facts


def _read_lock(row: Mapping[str, Any]) -> Any:
    """Return the firmware lock in the form in which a manifest declares the lock, or ``None`` if the row shows none.

    Only the lists of products show the lock.
    """
    return observe_fields(row).get("firmware_lock")


def _read_product(row: Mapping[str, Any]) -> str | None:
    """Return the product id that the row of a device shows, or ``None`` if the device is not in a product."""
    # For a device without a product, the cloud shows the platform id as the product id.
    number = row.get("product_id")
    return None if number is None or number == row.get("platform_id") else str(number)


def _read_mesh(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the network and role that the row of a device shows, or ``None`` if the row shows no membership."""
    found = find_membership(row)
    return None if found is None else dict(found[1].as_result())


def add_presence(facts: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a copy of ``facts`` with two more keys: ``presence`` and ``last_heard_age``.

    ``presence`` is ``confirmed``, ``probable``, ``stale`` or ``offline``: how certain it is that the device is online.
    ``last_heard_age`` is in whole seconds, or ``None`` if it is unknown.

    :param now: the current time of the cloud, in seconds since 1970.
    """
    age = _compute_age(facts.get("last_heard"), now)
    if age is None:
        age = _compute_age(facts.get("last_handshake_at"), now)  # a handshake also shows that the device was online
    if not facts["online"]:
        presence = OFFLINE
    elif age is None or age > _LAG_SECONDS:
        presence = STALE
    else:
        presence = CONFIRMED if age <= _CONFIRMED_SECONDS else PROBABLE
    return {**facts, "presence": presence, "last_heard_age": age}


def is_silent(facts: Mapping[str, Any], days: int) -> bool:
    """Return whether the cloud last heard from a device more than ``days`` days ago, or never.

    :param facts: the facts with the key ``last_heard_age``, see :func:`add_presence`.
    """
    return was_never_heard(facts) or facts["last_heard_age"] > days * DAY


def was_never_heard(facts: Mapping[str, Any]) -> bool:
    """Return whether the cloud knows neither a last message nor a last handshake of a device.

    :param facts: the facts with the key ``last_heard_age``, see :func:`add_presence`.
    """
    return facts.get("last_heard_age") is None


def _compute_age(moment: Any, now: float) -> int | None:
    """Return the whole seconds from ``moment`` to ``now``, or ``None`` if ``moment`` is not an ISO 8601 timestamp."""
    heard = parse_time(moment)
    return None if heard is None else max(0, int(now - heard))
