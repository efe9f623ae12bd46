# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a fleet to the manifest that declares it as it is: a pure function. Private to this collection.

What is as it would be anyway is left out, and so is what a manifest cannot say; join keys never leave the cloud.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import export_fields
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    RESERVED_GROUPS,
    Membership,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.membership import membership_of

Facts = Mapping[str, Any]

# What a manifest can hold, as its reader says it.
_DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z")
_GROUP_NAME = re.compile(r"[a-z0-9_-]+\Z")
_NETWORK_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z")


def manifest_of(
    product: str | None, devices: Mapping[str, Facts], adopted: Collection[str], warn: Callable[[str], None]
) -> dict[str, Any]:
    """The manifest of the devices ``adopted`` out of all ``devices`` of a product, or of the account.

    :param devices: facts by id; the gateways of a network are found here, also those that are not adopted.
    :returns: what ``read_manifest`` takes, and what a run of it finds nothing to write for.
    """
    waiting = {device for device in adopted if devices[device].get("quarantined") or devices[device].get("denied")}
    odd = {device for device in adopted if not _DEVICE_ID.match(device)}
    taken = [device for device in adopted if device not in waiting | odd]
    networks = _networks(devices, taken) if product is not None else {}
    records = [_record(device, devices[device], product, networks) for device in taken]
    of_product = taken if product is not None else []
    unsaid = {name for device in of_product for name in _groups(devices[device]) if not _GROUP_NAME.match(name)}
    members = (_membership(devices[device]) for device in of_product)
    lost = {member.network for member in members if member is not None} - networks.keys()
    for count, what in (
        (len(waiting), "devices are quarantined or denied, and to declare them would approve them"),
        (len(odd), "devices have ids that a manifest cannot hold"),
        (len(unsaid), "device groups have names that a manifest cannot hold"),
        (len(lost), "networks have no gateway, or a name that a manifest cannot hold"),
    ):
        if count:
            warn(f"Left out of the manifest: {count} {what}.")
    names = Counter(record["name"] for record in records if "name" in record)
    return {
        **({} if product is None else {"product": product}),
        **({"unique_names": False} if any(number > 1 for number in names.values()) else {}),
        **({"networks": networks} if networks else {}),
        "devices": records,
    }


def _membership(facts: Facts) -> Membership | None:
    """Only what groups tell is declared so; a registry of networks is another backend's."""
    return membership_of(frozenset(texts_of(facts.get("groups"))))


def _groups(facts: Facts) -> list[str]:
    return sorted(name for name in texts_of(facts.get("groups")) if not name.startswith(RESERVED_GROUPS))


def _networks(devices: Mapping[str, Facts], taken: Collection[str]) -> dict[str, dict[str, Any]]:
    """The networks of the devices taken, each with those of its gateways that are not among them."""
    gateways: dict[str, list[str]] = {}
    for device, facts in sorted(devices.items()):
        member = _membership(facts)
        if member is not None and member.role == GATEWAY and _DEVICE_ID.match(device):
            gateways.setdefault(member.network, []).append(device)
    inside = frozenset(taken)
    used = {member.network for device in taken if (member := _membership(devices[device])) is not None}
    networks: dict[str, dict[str, Any]] = {}
    for name in sorted(used & gateways.keys()):
        if _NETWORK_NAME.match(name):
            others = [device for device in gateways[name] if device not in inside]
            networks[name] = {"backend": "ledger", **({"gateways": others} if others else {})}
    return networks


def _record(device: str, facts: Facts, product: str | None, networks: Collection[str]) -> dict[str, Any]:
    """Return the record that declares a device as it is."""
    record: dict[str, Any] = {"id": device, **export_fields(facts, product_only=False)}
    if product is None:
        return {**record, "claimed": True}
    if groups := [name for name in _groups(facts) if _GROUP_NAME.match(name)]:
        record["groups"] = groups
    record.update(export_fields(facts, product_only=True))
    member = _membership(facts)
    if member is not None and member.network in networks:
        record["mesh"] = member.as_result()
    return record
