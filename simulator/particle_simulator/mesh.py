# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The records of both kinds of mesh: legacy networks, and meshes that ledgers describe."""

from __future__ import annotations

from particle_simulator.model import Account, Network


class Mesh:
    """The legacy networks (see `mesh_registry`) and a cache for mesh ledgers (see `mesh_firmware`)."""

    __slots__ = ("networks", "reporting")

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        """Legacy networks by id."""
        self.reporting: dict[str, tuple[int, list[str]]] = {}
        """A cache by owner id: the revision of the world, and the devices that reported in a mesh status ledger."""

    def list_networks(self, account: Account) -> list[Network]:
        """List the legacy networks of an account."""
        return [network for network in self.networks.values() if network.owner is account]
