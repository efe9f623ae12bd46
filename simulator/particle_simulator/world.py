# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The whole state of the cloud: clock, random numbers, event streams, and registries of accounts, devices and so on."""

from __future__ import annotations

from random import Random

from particle_simulator.accounts import Accounts
from particle_simulator.devices import Devices
from particle_simulator.downloads import Downloads
from particle_simulator.events import Events
from particle_simulator.logins import Logins
from particle_simulator.mesh import Mesh
from particle_simulator.organizations import Organizations
from particle_simulator.products import Products
from particle_simulator.settings import Settings
from particle_simulator.sim_cards import SimCards
from simulator_base.agenda import Agenda
from simulator_base.clock import CLOCKS


class World:
    """The state of the cloud. A new world is empty. The module `start_state` adds the accounts and devices."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = CLOCKS[settings.clock]()
        self.random = Random(f"world {settings.seed}")
        self.heard_at = self.clock.now()
        """The time until which the reachable devices were heard, see `power.hear_devices`."""
        self.agenda = Agenda()
        self.events = Events()
        self.revision = 0
        """A counter of all writes and of all changes to the connection of a device.

        A cached value is valid only until this counter changes.
        """
        self.accounts = Accounts()
        self.logins = Logins(self.events.end_streams_of if settings.close_streams else None)
        self.orgs = Organizations()
        self.products = Products()
        self.devices = Devices()
        self.sims = SimCards(self.devices)
        self.mesh = Mesh()
        self.downloads = Downloads()

    def now(self) -> float:
        """Return the time of the cloud's clock."""
        return self.clock.now()
