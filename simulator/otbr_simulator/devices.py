# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The device cache of a border router. Only update tasks fill it, and they never empty it.

See otbr-rest.md, section 5.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from otbr_simulator import tlvs as tlv
from otbr_simulator.errors import Refusal
from otbr_simulator.mesh import ROUTING, Member

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter

MAX_DEVICES = 200
OWN, OTHER = "threadBorderRouter", "threadDevice"
NO_ADDRESS = "0" * 16


class DeviceCache:
    """The devices that one border router lists, keyed by extended address."""

    def __init__(self, router: BorderRouter) -> None:
        self._router = router
        self.items: dict[str, dict[str, Any]] = {NO_ADDRESS: _make_empty_item(router)}
        """Items with the keys `id`, `type` and `attributes`. At the start: the border router itself, with zeros."""

    def collect(self, seconds: float, *, share: float = 1.0) -> None:
        """Add the devices that answer within some seconds. Items of devices that have left stay as they are."""
        router = self._router
        assert router.partition is not None
        others = [
            member for member in router.partition.members if member is not router and member.response_seconds <= seconds
        ]
        self.items.pop(NO_ADDRESS, None)
        self._put(router, OWN)
        for member in others[: round(len(others) * share)]:
            self._put(member, OTHER)

    def _put(self, member: Member, kind: str) -> None:
        now = self._router.format_now()
        known = self.items.get(member.ext_address)
        attributes = _describe(member, self._router)
        if known is not None and attributes["role"] == "child":
            # The mode of a child is wrong from the second update on.
            attributes["mode"] = dict.fromkeys(attributes["mode"], False)
        times = {"created": known["attributes"]["created"], "updated": now} if known else {"created": now}
        while known is None and len(self.items) >= MAX_DEVICES:
            del self.items[next(iter(self.items))]
        if kind == OWN:
            attributes |= self._router.show_node()
        self.items[member.ext_address] = {"id": member.ext_address, "type": kind, "attributes": attributes | times}

    def find_own(self) -> dict[str, Any]:
        """Return the item of the border router itself, or raise a `Refusal` with status 404 if it is not listed."""
        own = next((item for item in self.items.values() if item["type"] == OWN), None)
        if own is None:
            raise Refusal(404)
        return own

    def find(self, address: str) -> dict[str, Any]:
        """Return an item, or raise a `Refusal` with status 404."""
        item = self.items.get(address.lower())
        if item is None:
            raise Refusal(404)
        return item

    def find_member(self, address: str) -> Member | None:
        """Return the member that has an address at present and can be reached, or None."""
        partition = self._router.partition
        members = partition.members if partition is not None else []
        return next((member for member in members if member.ext_address == address), None)

    def remove(self, address: str) -> None:
        """Remove an item. The statuses are interchanged: 404 after a removal, success for an unknown address."""
        if self.items.pop(address.lower(), None) is not None:
            raise Refusal(404)

    def clear(self) -> None:
        """Remove all items, including that of the border router itself."""
        self.items.clear()


def describe_mode(member: Member) -> dict[str, bool]:
    """Return the mode flags of a member."""
    is_full = member.kind == "ftd"
    return {"fullThreadDevice": is_full, "rxOnWhenIdle": member.kind != "sleepy", "fullNetworkData": is_full}


def _describe(member: Member, router: BorderRouter) -> dict[str, Any]:
    prefix = (router.dataset or {}).get(tlv.EXTENDED_PAN_ID, bytes(8))
    address = IPv6Address(b"\xfd" + prefix[1:] + bytes.fromhex(member.iid))
    return {
        "extAddress": member.ext_address,
        "mlEidIid": member.iid,
        "omrIpv6Address": str(address),
        "hostname": "",
        "role": "router" if member.role in ROUTING else "child",
        "mode": describe_mode(member),
    }


def _make_empty_item(router: BorderRouter) -> dict[str, Any]:
    attributes = {
        "extAddress": NO_ADDRESS,
        "mlEidIid": NO_ADDRESS,
        "omrIpv6Address": "::",
        "hostname": "",
        "role": "",
        "mode": dict.fromkeys(("fullThreadDevice", "rxOnWhenIdle", "fullNetworkData"), False),
        "networkName": "",
        "created": router.format_now(),
    }
    return {"id": NO_ADDRESS, "type": OWN, "attributes": attributes}
