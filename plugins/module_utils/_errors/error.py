# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this collection, which a user can act on. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS


class ParticleError(Exception):
    """A failure that a user can act on.

    :param code: one of the keys of :data:`HINTS`.
    :param message: one sentence about what failed, on what, and why; free of secrets.
    :param hint: one sentence about what to do; the one of the code when not given.
    :param status: the HTTP status behind it, if any.
    :param route: method and path template (never a URL with values), if a request was behind it.
    :param answer: what the cloud said, for the code to go on from; it may hold secrets and is never shown.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        route: str | None = None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = HINTS[code] if hint is None else hint
        self.status = status
        self.route = route
        self.answer: Mapping[str, Any] = answer or {}

    def as_result(self) -> dict[str, Any]:
        """The documented return value ``error``."""
        return {
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "hint": self.hint,
            "route": self.route,
        }

    def as_failure(self) -> dict[str, Any]:
        """The documented result of a task that fails with this."""
        return {"failed": True, "msg": f"{self.message} {self.hint}".strip(), "error": self.as_result()}
