# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The pending dataset of a border router: the only way to change a running network (otbr-rest.md, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from otbr_simulator import datasets
from otbr_simulator import tlvs as tlv
from otbr_simulator.errors import Refusal
from otbr_simulator.nodes import Node
from otbr_simulator.settings import Generation
from otbr_simulator.tlvs import Tlvs

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter
    from otbr_simulator.world import World

MIN_DELAY_MS = 30_000
MIN_KEY_DELAY_MS = 300_000
"""The minimum delays that newer border routers enforce."""
MAX_DELAY_MS = 0xFFFFFFFF
EXTRA_SECONDS = 0.2
"""The time from the end of the delay until the network has changed."""


class PendingDataset:
    """The pending dataset of one border router. Border routers of one network share it."""

    def __init__(self, world: World, router: BorderRouter) -> None:
        self._world = world
        self._router = router
        self.clear()

    def clear(self) -> None:
        """Remove the pending dataset."""
        self.tlvs: Tlvs | None = None
        self._applies_at: float | None = None

    def put(self, read: Callable[[Tlvs], Tlvs]) -> int:
        """Store a pending dataset, and return the status: 201 for a new one, 200 if it replaces another one.

        Values that are not given come from the pending dataset in place, or else from a new random network. They do
        not come from the running network.
        """
        is_new = self.tlvs is None
        base = dict(self.tlvs) if self.tlvs is not None else datasets.build_random_dataset(self._world.random)
        given = read(base)
        tlvs = datasets.overlay_new_name(base, given) if is_new else base | given
        tlvs.setdefault(tlv.PENDING_TIMESTAMP, tlv.encode_timestamp(1))
        if self._world.settings.generation is Generation.NEWER:
            self._ask_leader(tlvs)
        for router in self._list_routers():
            router.pending.store(tlvs)
        return 201 if is_new else 200

    def store(self, tlvs: Tlvs) -> None:
        """Keep a pending dataset until its delay ends. Without a delay TLV, it stays for ever."""
        self.tlvs = dict(tlvs)
        self._applies_at = None
        if tlv.DELAY in tlvs:
            seconds = int.from_bytes(tlvs[tlv.DELAY], "big") / 1000 + EXTRA_SECONDS
            moment = self._applies_at = self._world.now() + seconds
            self._world.plan(seconds, lambda: self._apply() if self._applies_at == moment else None)

    def _ask_leader(self, tlvs: Tlvs) -> None:
        """Refuse a dataset that the leader of a network refuses in newer versions, and enforce the minimum delays."""
        active = self._router.dataset
        if not self._router.is_attached or active is None:
            raise Refusal(409)
        for kind, stored in ((tlv.PENDING_TIMESTAMP, self.tlvs), (tlv.ACTIVE_TIMESTAMP, active)):
            if stored is not None and kind in stored and tlvs[kind] <= stored[kind]:
                raise Refusal(409, "rejected by leader")
        minimum = MIN_KEY_DELAY_MS if tlvs[tlv.NETWORK_KEY] != active[tlv.NETWORK_KEY] else MIN_DELAY_MS
        given = int.from_bytes(tlvs.get(tlv.DELAY, bytes(4)), "big")
        tlvs[tlv.DELAY] = max(given, minimum).to_bytes(4, "big")

    def _list_routers(self) -> list[BorderRouter]:
        """Return the border routers of the same network."""
        partition = self._router.partition
        if partition is None:
            return [self._router]
        return [router for router in self._world.routers.values() if router.partition is partition]

    def _apply(self) -> None:
        """Make the pending dataset the active one, here and on all members of the network that hear of it."""
        tlvs, router = self.tlvs, self._router
        delay = int.from_bytes((tlvs or {}).get(tlv.DELAY, bytes(4)), "big") / 1000
        routers = self._list_routers()
        for each in routers:
            each.pending.clear()
        if tlvs is None:
            return
        active = {kind: value for kind, value in tlvs.items() if kind not in (tlv.PENDING_TIMESTAMP, tlv.DELAY)}
        if router.dataset is not None and not _is_change(active, router.dataset):
            return
        partition = router.partition
        for each in routers:
            each.dataset = dict(active)
        if partition is not None:
            partition.dataset = active
            for member in list(partition.members):
                if isinstance(member, Node):
                    _hand_over(self._world, member, active, delay)
            self._world.merge_partitions(partition)

    # ------------------------------------------------------------------ what the API shows

    def show(self) -> dict[str, Any]:
        """Return the pending dataset as a JSON object. `delay` is the number of milliseconds that are left."""
        assert self.tlvs is not None
        return {
            "activeDataset": datasets.show_active(self.tlvs),
            "pendingTimestamp": datasets.show_timestamp(self.tlvs[tlv.PENDING_TIMESTAMP]),
            "delay": self._get_delay_left(),
        }

    def get_tlvs(self) -> Tlvs:
        """Return the TLVs of the pending dataset, with the delay that is left."""
        assert self.tlvs is not None
        if self._applies_at is None:
            return self.tlvs
        return self.tlvs | {tlv.DELAY: self._get_delay_left().to_bytes(4, "big")}

    def _get_delay_left(self) -> int:
        if self._applies_at is None:
            return 0
        return max(0, int((self._applies_at - EXTRA_SECONDS - self._world.now()) * 1000))


def _is_change(new: Tlvs, old: Tlvs) -> bool:
    """Return whether the network accepts a dataset: with the same network key, its timestamp must be later."""
    if new.get(tlv.NETWORK_KEY) != old.get(tlv.NETWORK_KEY):
        return True
    return new.get(tlv.ACTIVE_TIMESTAMP, b"") > old.get(tlv.ACTIVE_TIMESTAMP, b"")


def _hand_over(world: World, node: Node, active: Tlvs, delay: float) -> None:
    """Give a member the new dataset. A sleepy member that does not poll within the delay misses it."""
    if node.response_seconds <= delay:
        node.dataset = dict(active)
    else:
        world.take_off(node, "detached")


def read_pending_json(content: Any, base: Tlvs) -> Tlvs:
    """Return the TLVs that the JSON body of a PUT request sets."""
    if not isinstance(content, dict):
        raise Refusal(400)
    active, delay = content.get("activeDataset"), content.get("delay")
    if isinstance(delay, bool) or not isinstance(delay, (int, float)) or not 0 <= delay <= MAX_DELAY_MS:
        raise Refusal(400)
    given = tlv.decode_tlvs(active) if isinstance(active, str) else datasets.read_active_fields(active, base)
    timestamp = content.get("pendingTimestamp")
    if timestamp is not None:
        given[tlv.PENDING_TIMESTAMP] = datasets.read_timestamp(timestamp)
    given[tlv.DELAY] = int(delay).to_bytes(4, "big")
    return given
