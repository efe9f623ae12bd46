# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A simulated border router: its states, its datasets and its restarts (otbr-rest.md, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

from otbr_simulator import datasets
from otbr_simulator import tlvs as tlv
from otbr_simulator.commissioner import Commissioner
from otbr_simulator.devices import DeviceCache
from otbr_simulator.diagnostics import DiagnosticResults
from otbr_simulator.ephemeral_key import EphemeralKey
from otbr_simulator.errors import Refusal
from otbr_simulator.mesh import CHILD, DETACHED, DISABLED, LEADER, Member, get_credentials
from otbr_simulator.pending import PendingDataset
from otbr_simulator.task_list import TaskList, format_time
from otbr_simulator.tlvs import Tlvs
from otbr_simulator.world import World

CHILD_SECONDS = 1.5
ROUTER_SECONDS = 19.0
LEADER_AGAIN_SECONDS = 0.8
RESTART_ALONE_SECONDS = 14.4


class BorderRouter(Member):
    """A border router with a REST API of its own."""

    is_border_router = True

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world.random)
        self._world = world
        self.name = name
        self.ba_id = world.random.randbytes(16).hex()
        self.eui64 = world.random.randbytes(8).hex()
        self.running = True
        """Whether the program runs. If not, its port refuses connections."""
        self.booted_at = world.now()
        self.restarts = 0
        self._led: tuple[bytes | None, ...] | None = None
        """The credentials of the network that this border router led when it was disabled."""
        self.pending = PendingDataset(world, self)
        self._forget_all()

    def _forget_all(self) -> None:
        """Empty everything that a border router keeps in its memory only."""
        self.commissioner = Commissioner(self._world, self, self._world.settings.joiners)
        self.tasks = TaskList(self._world, self)
        self.devices = DeviceCache(self)
        self.diagnostics = DiagnosticResults()
        self.ephemeral_key = EphemeralKey(self._world)

    # ------------------------------------------------------------------ state

    def enable(self) -> None:
        """Start Thread. Without a dataset, the border router stays detached for ever."""
        if self.role == DISABLED:
            self.attach()

    def disable(self) -> None:
        """Stop Thread. The other members keep the network."""
        if self.role == LEADER and self.dataset is not None:
            self._led = get_credentials(self.dataset)
        self._world.take_off(self, DISABLED)

    def detach(self, role: str) -> None:
        """Leave the partition. Without a network, there is no commissioner either."""
        super().detach(role)
        self.commissioner.stop()

    def attach(self, *, restarted: bool = False) -> None:
        """Attach to the network of the dataset, or form it if no other member is there. Both take seconds."""
        self.role = DETACHED
        if self.dataset is None:
            return
        partition = self._world.find_partition(self.dataset)
        led = self._led == get_credentials(self.dataset)
        leads_again = partition is not None and partition.leader is None and partition.former_leader is self
        if restarted and leads_again:
            self._lead()
        elif restarted and partition is None:
            self._plan(RESTART_ALONE_SECONDS, self._lead)
        elif leads_again or (led and partition is None):
            self._plan(LEADER_AGAIN_SECONDS, self._lead)
        elif partition is not None and partition.routers:
            self._plan(CHILD_SECONDS, self._become_child)
        else:
            self._plan(self._world.settings.form_seconds * self._random.uniform(0.97, 1.1), self._lead)

    def _lead(self) -> None:
        """Lead the network of the dataset, or attach to it if another member leads it by now."""
        assert self.dataset is not None
        partition = self._world.find_partition(self.dataset)
        if partition is None:
            self._world.form_partition(self)
        elif partition.leader is None and (partition.former_leader is self or not partition.routers):
            partition.add_leader(self)
        else:
            self._plan(CHILD_SECONDS, self._become_child)

    def _become_child(self) -> None:
        assert self.dataset is not None
        partition = self._world.find_partition(self.dataset)
        if partition is None or not partition.add_child(self):
            self.attach()
        else:
            self._plan(ROUTER_SECONDS - CHILD_SECONDS, self._become_router)

    def _become_router(self) -> None:
        if self.role == CHILD and self.partition is not None:
            self.partition.promote(self)

    def _plan(self, seconds: float, action: Callable[[], object]) -> None:
        epoch = self.epoch
        self._world.plan(seconds, lambda: action() if self.epoch == epoch else None)

    # ------------------------------------------------------------------ the program

    def stop_program(self) -> None:
        """Stop the program, or cut its power: only the datasets and the identity survive."""
        if self.running:
            self.running = False
            self._world.take_off(self, DISABLED)
            self._led = None
            self._forget_all()

    def start_program(self) -> None:
        """Start the program. It attaches by itself if it has a dataset."""
        if not self.running:
            self.running = True
            self.restarts += 1
            self.booted_at = self._world.now()
            if self.dataset is not None:
                self.attach(restarted=True)

    def reset_to_factory(self) -> None:
        """Forget the network and the identity at once. The other members keep the network."""
        self._world.take_off(self, DISABLED)
        self.dataset = None
        self._led = None
        self.pending.clear()
        self.renew_address()
        self.ba_id = self._random.randbytes(16).hex()
        self._forget_all()
        self.devices.clear()

    # ------------------------------------------------------------------ datasets

    def put_active(self, read: Callable[[Tlvs], Tlvs]) -> int:
        """Change the active dataset, and return the status: 201 for a new one, 200 for a changed one.

        :param read: returns the TLVs of the request; its argument is the dataset over which they are laid.
        """
        if self.role != DISABLED:
            raise Refusal(409)
        if self.dataset is not None:
            self.dataset = self.dataset | read(self.dataset)
            return 200
        base = datasets.build_random_dataset(self._random)
        self.dataset = datasets.overlay_new_name(base, read(base))
        return 201

    # ------------------------------------------------------------------ what the API shows

    def show_node(self) -> dict[str, Any]:
        """Return the object of `GET /node`. Before any network, it has factory values."""
        known = self.dataset or {}
        return {
            "baId": self.ba_id,
            "baState": "",
            "state": self.role,
            "routerCount": self.count_routers(),
            "rlocAddress": self.rloc_address,
            "extAddress": self.ext_address,
            "networkName": datasets.show_name(known) or "OpenThread",
            "rloc16": f"0x{self.rloc16:04x}",
            **({} if self.router_id is None else {"routerId": self.router_id}),
            "leaderData": self.show_leader_data() or dict.fromkeys(LEADER_DATA, 0),
            "extPanId": known[tlv.EXTENDED_PAN_ID].hex() if known else "dead00beef00cafe",
        }

    def count_routers(self) -> int:
        """Return the number of routers of the network, 0 without a network."""
        return len(self.partition.routers) if self.partition is not None else 0

    def show_leader_data(self) -> dict[str, int] | None:
        """Return the leader data, or None while the border router is not in a network."""
        partition = self.partition
        if partition is None:
            return None
        numbers = (partition.id, 64, partition.data_version, partition.stable_version, partition.leader_router_id)
        return dict(zip(LEADER_DATA, numbers, strict=True))

    def format_now(self) -> str:
        """Return the simulated time as the API shows times."""
        return format_time(self._world.now())

    @property
    def rloc_address(self) -> str:
        """The IPv6 address that belongs to the RLOC16."""
        prefix = (self.dataset or {}).get(tlv.MESH_LOCAL_PREFIX, b"\xfd" + bytes(7))
        return str(IPv6Address(prefix + bytes.fromhex("000000fffe00") + self.rloc16.to_bytes(2, "big")))


LEADER_DATA = ("partitionId", "weighting", "dataVersion", "stableDataVersion", "leaderRouterId")
