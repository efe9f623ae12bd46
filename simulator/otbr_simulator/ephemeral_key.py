# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The ephemeral key: a one-time code for the commissioning app of a phone (otbr-rest.md, section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otbr_simulator.errors import Refusal

if TYPE_CHECKING:
    from otbr_simulator.world import World

MAX_LIFETIME_MS = 600_000
DEFAULT_LIFETIME_MS = 120_000
DEFAULT_PORT = 49152


class EphemeralKey:
    """The ephemeral key of one border router. It is off at the start."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.enabled = False
        self._ends_at = 0.0
        self._port = 0

    def set_enabled(self, enabled: bool) -> None:
        """Allow or forbid ephemeral keys."""
        self.enabled = enabled
        if not enabled:
            self.stop()

    @property
    def state(self) -> str:
        """The state of the key: `disabled`, `stopped` or `started`. No simulated app ever connects."""
        if not self.enabled:
            return "disabled"
        return "started" if self._ends_at > self._world.now() else "stopped"

    def show(self) -> dict[str, Any]:
        """Return the object of `GET /node/ba-epskc/key`."""
        return {"state": self.state, "port": self._port if self.state == "started" else 0}

    def start(self, content: Any) -> dict[str, Any]:
        """Start a key, and return the code of nine digits. The last digit is a check digit."""
        if not isinstance(content, dict):
            raise Refusal(400)
        lifetime, port = content.get("lifetime", 0), content.get("port", 0)
        if not _is_count(lifetime, MAX_LIFETIME_MS) or not _is_count(port, 65535):
            raise Refusal(400)
        if self.state != "stopped":
            raise Refusal(409)
        self._ends_at = self._world.now() + (lifetime or DEFAULT_LIFETIME_MS) / 1000
        self._port = port or DEFAULT_PORT
        digits = f"{self._world.random.randrange(10**8):08d}"
        return {"tap": digits + str(-sum(map(int, digits)) % 10), "port": self._port}

    def stop(self) -> None:
        """End the key at once."""
        self._ends_at = 0.0


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
