# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the call of a function on many devices, and its outcome. Private to this collection."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


class Status(enum.Enum):
    """The state of the call of one device."""

    OK = "ok"
    """The function has returned an expected value."""
    UNEXPECTED = "unexpected"
    """The function has returned another value than the expected values."""
    UNKNOWN = "unknown"
    """The function may have run: the call was sent, and no response arrived."""
    FAILED = "failed"
    """The cloud has refused the call, so the function has not run."""
    OFFLINE = "offline"
    """The device is offline, so the function has not run."""
    NOT_CALLED = "not_called"
    """No call was sent, because the run ended early or runs in check mode."""


MAY_HAVE_RUN = frozenset({Status.OK, Status.UNEXPECTED, Status.UNKNOWN})
"""The statuses of devices on which the function has run, or may have run."""


@dataclass(frozen=True)
class Call:
    """A function to call on many devices.

    :param argument: the argument, which may be a secret; ``None`` to send no argument.
    :param expected: the values that the function may return; ``None`` for any value.
    :param max_failures: the maximum number of devices that may fail. One more failure ends the run. ``None`` means no
        limit.
    :param fails_offline: whether a device that is offline makes the task fail.
    """

    function: str
    argument: str | None = None
    expected: frozenset[int] | None = None
    max_failures: int | None = None
    fails_offline: bool = True

    def is_failure(self, status: Status) -> bool:
        """Return whether a device with this status makes the task fail."""
        return status in (Status.FAILED, Status.UNKNOWN, Status.UNEXPECTED) or (
            status is Status.OFFLINE and self.fails_offline
        )


@dataclass(frozen=True)
class Outcome:
    """The outcome of the call of one device.

    :param error: why the status is not ``ok``; ``None`` for the statuses ``ok`` and ``not_called``.
    :param seconds: how long the call took, including waits before a retry; ``None`` if no call was sent.
    """

    id: str
    name: str | None
    status: Status
    return_value: int | None = None
    error: ParticleError | None = None
    seconds: float | None = None

    @property
    def title(self) -> str:
        """Return the name and the id of the device, as shown to the user."""
        return f"{self.name} ({self.id})" if self.name else self.id

    def as_result(self) -> dict[str, Any]:
        """Return one item of the documented return value ``devices``."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status.value,
            "return_value": self.return_value,
            "error": self.error.as_result() if self.error else None,
            "seconds": self.seconds,
        }
