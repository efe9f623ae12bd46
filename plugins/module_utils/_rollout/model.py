# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the data of a rollout: what is declared, what is observed, and what is decided. Private to this collection."""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import show_text


class State(enum.Enum):
    """The state of a device in a rollout. Each value completes the sentence "The device is …"."""

    UPDATED = "updated"
    UPDATING = "updating"
    PENDING_OFFLINE = "pending_offline"
    PENDING_HANDSHAKE = "pending_handshake"
    PENDING_DISABLED = "pending_disabled"
    SAFE_MODE = "safe_mode"
    FAILED_TIMEOUT = "failed_timeout"
    FAILED_REFUSED = "failed_refused"
    CAME_BACK_OLD = "came_back_old"
    CRASHING = "crashing"
    GONE = "gone"
    SKIPPED_DEVELOPMENT = "skipped_development"
    SKIPPED_LOCKED = "skipped_locked"
    UNKNOWN = "unknown"

    @property
    def is_failed(self) -> bool:
        """Return whether the update of the device has failed, and the cloud still hears from the device."""
        return self in _FAILED

    @property
    def is_bad(self) -> bool:
        """Return whether the brake counts the device: the update has failed, or the device is gone."""
        return self in _FAILED or self is State.GONE

    @property
    def is_pending(self) -> bool:
        """Return whether the device gets the version later, so that it does not delay its wave."""
        return self in _PENDING


_FAILED = frozenset({State.SAFE_MODE, State.FAILED_TIMEOUT, State.FAILED_REFUSED, State.CAME_BACK_OLD, State.CRASHING})
_PENDING = frozenset({State.PENDING_OFFLINE, State.PENDING_HANDSHAKE, State.PENDING_DISABLED, State.UNKNOWN})


class Phase(enum.Enum):
    """The phase of a rollout in its record. Each value completes the sentence "The rollout is …"."""

    RUNNING = "running"
    PAUSED = "paused"
    RELEASING = "releasing"
    """All waves are complete. The version is released, and locks are taken back."""
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"

    @property
    def is_over(self) -> bool:
        """Return whether nothing is left to do."""
        return self in (Phase.DONE, Phase.ABORTED, Phase.ROLLED_BACK)


class Progress(enum.Enum):
    """The progress of a rollout, as a run has found it. Each value completes the sentence "The rollout is …"."""

    RUNNING = "running"
    """Devices are updating, or are still to be targeted."""
    SOAKING = "soaking"
    """All devices of a wave are decided, and must now stay healthy."""
    HELD = "held"
    """The rollout cannot continue now."""
    AWAITING_APPROVAL = "awaiting_approval"
    BRAKED = "braked"
    PAUSED = "paused"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled_back"
    DONE = "done"
    NONE = "none"
    """The product has no rollout."""


@dataclass(frozen=True)
class Share:
    """A number of devices, or a share of devices.

    :param percent: the share in percent; ``None`` if ``count`` is set.
    """

    percent: float | None = None
    count: int | None = None

    def is_reached(self, number: int, total: int) -> bool:
        """Return whether ``number`` devices out of ``total`` are at least this share."""
        if self.percent is None:
            return number >= (self.count or 0)
        # Multiplied rather than divided, so that 5 of 100 are 5 % exactly, and rounded, because 0.07 % has no exact
        # representation.
        return number * 100 >= round(self.percent * total, 6)

    def round_up(self, total: int) -> int:
        """Return this share of ``total`` devices, rounded up."""
        if self.percent is None:
            return min(self.count or 0, total)
        return min(total, math.ceil(round(self.percent * total / 100, 9)))

    def round_down(self, total: int) -> int:
        """Return this share of ``total`` devices, rounded down, but at least one device."""
        if self.percent is None:
            return max(1, self.count or 0)
        return max(1, math.floor(round(self.percent * total / 100, 9)))

    def __str__(self) -> str:
        return str(self.count) if self.percent is None else f"{self.percent:g}%"


@dataclass(frozen=True)
class DeclaredWave:
    """A wave as the user declares it.

    :param reach: the number of devices of the selection that are targeted after the wave; ``None`` for a wave that
        consists of device groups.
    :param groups: the names of device groups.
    """

    reach: Share | None = None
    groups: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the wave in the form in which it is declared."""
        if self.reach is None:
            return {"groups": list(self.groups)}
        return {"count": self.reach.count} if self.reach.percent is None else {"percent": self.reach.percent}


@dataclass(frozen=True)
class Brake:
    """The number of bad devices that stops a rollout. Failed and lost devices are counted separately.

    :param at_least: the number of bad devices below which the brake never stops the rollout.
    """

    failed: Share = Share(5)
    offline: Share = Share(10)
    at_least: int = 2

    def as_data(self) -> dict[str, Any]:
        """Return the brake in the form in which it is declared."""
        return {"failed": str(self.failed), "offline": str(self.offline), "at_least": self.at_least}


DEFAULT_WAVES = (
    DeclaredWave(Share(count=5)),
    DeclaredWave(Share(10)),
    DeclaredWave(Share(50)),
    DeclaredWave(Share(100)),
)
NO_RELEASE = "none"
"""The value of the option ``release`` for a rollout that releases nothing at its end."""
CELLULAR_SECONDS, WIFI_SECONDS = 3600.0, 600.0


@dataclass(frozen=True)
class Health:
    """The settings by which the health of devices is assessed.

    :param soak: seconds for which a wave must stay healthy.
    :param offline_after: seconds without being heard after which a device counts as gone; ``None`` for the default of
        the platform.
    """

    soak: float = 3600.0
    offline_after: float | None = None

    def get_silence(self, device: Device) -> float:
        """Return after how many seconds without being heard a device counts as gone."""
        if self.offline_after is not None:
            return self.offline_after
        return CELLULAR_SECONDS if device.is_cellular else WIFI_SECONDS


@dataclass(frozen=True)
class Rollout:
    """A rollout as the user declares it.

    :param release: the declared fields of the release at the end, keyed by name; ``None`` for no release.
    :param releases_to_all: whether the user has confirmed that the release also concerns devices outside the selection.
    :param needs_approval: whether each wave waits until it is approved.
    :param approved: the number of the last approved wave.
    :param unavailable: the disruption budget of each device group; ``None`` for no budget.
    :param is_rolled_back: whether the previous versions are restored after a failure.
    :param phase: the declared state: running, paused or aborted.
    :param accepted: ids of devices whose failure does not count.
    """

    version: int
    waves: tuple[DeclaredWave, ...] = DEFAULT_WAVES
    health: Health = Health()
    brake: Brake = Brake()
    release: Mapping[str, Any] | None = field(default_factory=lambda: {"default": True})
    needs_approval: bool = False
    approved: int = 0
    unavailable: Share | None = None
    is_rolled_back: bool = False
    phase: Phase = Phase.RUNNING
    accepted: frozenset[str] = frozenset()
    supersedes: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the product, as the device list shows it (firmware-and-events.md, section 4.4).

    :param version: the firmware version that the device reported in its last handshake; ``None`` if never.
    :param lock: the version to which the device is locked; ``None`` without a lock.
    :param heard: when the cloud last heard from the device, in seconds since 1970; ``None`` if never.
    :param handshake: when the last session of the device began, in seconds since 1970; ``None`` if unknown.
    :param accepts_updates: false if the device has updates switched off, and they are not forced.
    :param device_os: the version of Device OS; ``None`` if unknown.
    :param is_selected: whether the selection of the rollout contains the device.
    :param was_selected: whether the selection may have contained the device before its update: it runs the version of
        the rollout, and matches all filters but the one for firmware versions.
    """

    id: str
    name: str | None = None
    version: int | None = None
    lock: int | None = None
    groups: frozenset[str] = frozenset()
    online: bool = False
    heard: float | None = None
    handshake: float | None = None
    in_safe_mode: bool = False
    in_development: bool = False
    accepts_updates: bool = True
    is_cellular: bool = False
    device_os: str | None = None
    is_selected: bool = True
    was_selected: bool = False

    @property
    def title(self) -> str:
        """Return the name and the id for messages."""
        return f"{show_text(self.name)} ({self.id})" if self.name else self.id


def compute_rank(device: str) -> str:
    """Return the position of a device in the stable order, as a text of 16 digits that can be compared."""
    return hashlib.sha256(device.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Assessment:
    """The state of a device, with the evidence for it in one sentence."""

    state: State
    evidence: str


@dataclass(frozen=True)
class Next:
    """When to run again, and why.

    :param when: seconds since 1970; ``None`` if only a change by a person lets the rollout continue.
    """

    when: float | None
    why: str


@dataclass(frozen=True)
class Releases:
    """The firmware versions that the releases of a product give to its devices.

    :param default: the released default of the product; ``None`` if there is none.
    :param by_group: the version that is released to a device group, keyed by group.
    """

    default: int | None = None
    by_group: Mapping[str, int] = field(default_factory=dict)

    def find_version(self, device: Device) -> int | None:
        """Return the version that an unlocked device gets; ``None`` if the releases leave it alone.

        The highest version that is released to a group of the device has priority over the default of the product
        (firmware-and-events.md, section 1).
        """
        versions = [self.by_group[name] for name in device.groups if name in self.by_group]
        return max(versions, default=self.default)
