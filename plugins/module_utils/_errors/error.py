# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the exception that reports every failure of this collection. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS


class ParticleError(Exception):
    """A failure, with a message and a hint for the user.

    :param code: the error code, a key of :data:`HINTS`.
    :param message: the failed action and the cause of the failure, without secrets.
    :param hint: one sentence that tells the user what to do. The default is the hint of the error code.
    :param status: the HTTP status that caused the failure, if any.
    :param route: the HTTP method and the path template of the failed request, if any. The path template contains no
        values, such as device ids.
    :ivar response: the JSON object in the body of the HTTP response, for the caller; empty if there is no JSON object.
        The JSON object may contain secrets, and is never shown to the user.
    :ivar words: the sentence with which the cloud has refused the request, without secrets; empty if there is none.
    :ivar unsent: whether the failed request certainly had no effect.
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
        self.words = ""
        self.unsent = False

    @property
    def quoted(self) -> str:
        """Return a colon and :attr:`words`, to append to the HTTP status in a message; empty if there are no words.

        Each message about a refusal quotes the words of the cloud, whatever the collection concludes from them.
        """
        return f": {self.words}" if self.words else ""

    def as_result(self) -> dict[str, Any]:
        """Return the error as a mapping, for the key ``error`` in the result of a task.

        Only ``msg`` contains all lines of a longer message, because Ansible prints the whole result of a failed task.
        """
        headline, _newline, details = self.message.partition("\n")
        return {
            "code": self.code,
            "status": self.status,
            "message": f"{headline.removesuffix(':')}." if details and headline.endswith(":") else headline,
            "hint": self.hint,
            "route": self.route,
        }

    def as_failure(self) -> dict[str, Any]:
        """Return the result of a task that fails with this error, with the keys ``failed``, ``msg`` and ``error``."""
        separator = "\n" if "\n" in self.message else " "  # the hint gets its own line after a longer message
        message = f"{self.message}{separator}{self.hint}".strip()
        return {"failed": True, "msg": message, "error": self.as_result()}


def build_difference_error(subject: str, differences: str, *, or_else: str = "run again") -> ParticleError:
    """Return the error about a resource that differs from its declaration, although the cloud accepted the writes.

    :param subject: the resource, such as ``secret TOKEN``.
    :param differences: the fields that differ.
    :param or_else: what else the user can do, as an instruction.
    """
    message = f"The cloud accepted the writes, but {subject} still differs: {differences}."
    return ParticleError("conflict", message, hint=f"Check whether another run or person changes it, or {or_else}.")
