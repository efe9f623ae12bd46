# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The records of both kinds of mesh: legacy networks, and meshes that are described in ledgers."""

from __future__ import annotations

from particle_simulator.model import Account, Network


class Mesh:
    """The legacy networks (see `mesh_registry`), and a cache for meshes in ledgers (see `mesh_firmware`)."""

    __slots__ = ("networks", "reporting")

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        """Legacy networks, keyed by network id."""
        self.reporting: dict[str, tuple[int, list[str]]] = {}
        """A cache for the ledger `mesh-status`, keyed by owner id: (`World.revision`, ids of reporting devices)."""

    def list_networks(self, account: Account) -> list[Network]:
        """Return the legacy networks of an account."""
        return [network for network in self.networks.values() if network.owner is account]
