# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the error that reports every failure of this collection. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS


class ParticleError(Exception):
    """A failure that is reported to the user with its cause and a remedy.

    :param code: one of the keys of :data:`HINTS`.
    :param message: one sentence that names the failed action, its object and the cause, without secrets.
    :param hint: one sentence with the remedy; by default the hint of the code.
    :param status: the HTTP status that caused the failure, if any.
    :param route: method and path template (never a URL with values) of the request that failed, if any.
    :ivar response: the response of the cloud for use by callers, if any. It may hold secrets and is never shown.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        route: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = HINTS[code] if hint is None else hint
        self.status = status
        self.route = route
        self.response: Mapping[str, Any] = {}

    def as_result(self) -> dict[str, Any]:
        """Return the documented return value ``error``."""
        return {
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "hint": self.hint,
            "route": self.route,
        }

    def as_failure(self) -> dict[str, Any]:
        """Return the documented result of a task that fails with this error."""
        separator = "\n" if "\n" in self.message else " "  # after a list, the hint begins a line
        message = f"{self.message}{separator}{self.hint}".strip()
        return {"failed": True, "msg": message, "error": self.as_result()}
