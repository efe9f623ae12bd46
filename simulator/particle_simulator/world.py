# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The state of the cloud and the few changes that must keep several records in step."""

from __future__ import annotations

from random import Random
from typing import Any

from particle_simulator.accounts import Accounts
from particle_simulator.agenda import Agenda
from particle_simulator.belongings import Sim
from particle_simulator.clock import Clock
from particle_simulator.devices import Devices
from particle_simulator.events import Events
from particle_simulator.logins import Logins
from particle_simulator.model import Network
from particle_simulator.organizations import Organizations
from particle_simulator.products import Products
from particle_simulator.settings import Settings


class World:
    """Everything the cloud knows. A new world has no accounts, products and devices yet."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.seed = settings.seed
        self.slow_joiners = settings.slow_joiners
        self.churn = settings.churn
        self.mesh = settings.mesh
        self.random = Random(f"world {settings.seed}")
        self.revision = 0
        """Grows with every request that may change something: a key for what is derived from the state."""
        self.accounts = Accounts()
        self.logins = Logins()
        self.products = Products()
        self.orgs = Organizations()
        self.devices = Devices()
        self.networks: dict[str, Network] = {}
        self.sims: dict[str, Sim] = {}
        """SIM cards that somebody has asked for, by ICCID."""
        self.sim_checks: dict[str, float] = {}
        """When the last status check of a card began, by ICCID."""
        self.binaries: dict[str, bytes] = {}
        """What the cloud's compiler made, by id."""
        self.events = Events()
        self.agenda = Agenda()
        self.usage_reports: dict[str, dict[str, Any]] = {}
        self.reporting: dict[str, tuple[int, list[str]]] = {}
        """Which devices report in a mesh status ledger, by owner id, as of which revision."""

    def now(self) -> float:
        """The cloud's clock."""
        return self.clock.now()
