# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the members of a Thread network with their parents and links. Private to this collection."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import JOINED, LOST
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.address_map import AddressMap
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import BorderRouter
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import Dataset
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.members import ask_devices, find_members

_NEIGHBORS = ("extAddress", "rloc16", "children", "childTable")
_CHILD_BITS = 0x1FF
"""The part of the address RLOC16 that numbers the children of one parent (otbr-rest.md, section 4.4)."""


def list_rows(
    name: str, router: BorderRouter, dataset: Dataset, known: AddressMap, urls: Sequence[str], routers: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row for each member of a network, and for each device that was a member in an earlier run.

    :param name: the name of the network in manifests.
    :param urls: the URLs of all border routers of the network.
    :param routers: the extended addresses of the border routers, which are not listed as members.
    """
    members = find_members(router, known, known.known)
    eui64_of = {address: eui64 for eui64, address in members.addresses.items()}
    parents = [address for address in eui64_of if eui64_of[address] not in members.asleep]
    links = _read_links(ask_devices(router, sorted({*parents, *routers}), _NEIGHBORS), eui64_of)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    shared = {**dataset.show(), "network": name, "border_routers": list(urls)}
    of_routers = {eui64 for address in routers if (eui64 := known.find_eui64(address)) is not None}
    for eui64 in sorted((known.known | members.addresses.keys()) - of_routers):
        address = members.addresses.get(eui64)
        is_member = address is not None and address not in routers
        link = links.get(address or "", {})
        own = {
            "address": address,
            "state": JOINED if is_member else LOST,
            "asleep": eui64 in members.asleep,
            **_NO_LINK,
        }
        yield {
            "eui64": eui64,
            "online": is_member,
            "last_heard": now if is_member else None,
            "thread": {**shared, **own, **link},
        }


_NO_LINK: Mapping[str, Any] = {"parent": None, "link_quality": None, "rssi": None, "rloc16": None, "is_router": None}


def _read_links(answers: Mapping[str, Mapping[str, Any]], eui64_of: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what parents and routers tell about the links of members, keyed by extended address.

    :param answers: the diagnostics of the devices that answered, keyed by extended address.
    """
    links: dict[str, dict[str, Any]] = {}
    for address, answer in answers.items():
        rloc16 = _read_number(answer.get("rloc16"))
        links.setdefault(address, {}).update(
            rloc16=answer.get("rloc16"), is_router=None if rloc16 is None else rloc16 & _CHILD_BITS == 0
        )
    for parent, answer in answers.items():
        qualities = {row.get("childId"): row.get("linkQuality") for row in answer.get("childTable") or []}
        for child in answer.get("children") or []:
            links.setdefault(str(child.get("extAddress", "")).lower(), {}).update(
                parent=eui64_of.get(parent, parent),
                link_quality=qualities.get(child.get("childId")),
                rssi=child.get("averageRssi"),
                rloc16=child.get("rloc16"),
                is_router=False,
            )
    return links


def _read_number(rloc16: Any) -> int | None:
    try:
        return int(str(rloc16), 16)
    except ValueError:
        return None
