# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the file of shared logins. Private to this collection.

The file is only a cache: without it, tasks log in again. Content that is damaged or cannot be true is therefore removed
with a warning, and never stops a task.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import is_token
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

_SALT = re.compile(r"[0-9a-f]{32}\Z")
_LATEST = 1e12  # seconds since 1970; no moment and no number in the file is larger


class SessionFile:
    """The file of shared logins: ``{salt, logins: {key: memory}, check_mode: {hash: end}}``. All keys can be missing.

    :param path: the path of the file.
    :param warn: a function that shows a warning to the user.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._has_warned = False

    def read(self) -> dict[str, Any]:
        """Return the valid content of the file, or an empty mapping if the file does not exist. It is not locked.

        :raises ParticleError: ``unsafe_file`` when the file belongs to another user or is not a regular file.
        """
        try:
            data = private_file.read_own_file(self._path, self._warn)
        except private_file.DamagedFileError:
            self._warn_about_damage()
            return {}
        valid = _select_valid(data)
        if valid != data:
            self._warn_about_damage()
        return valid

    @contextlib.contextmanager
    def lock(self) -> Iterator[private_file.PrivateFile]:
        """Lock the file, and yield its valid content.

        :raises ParticleError: ``unsafe_file`` when the file belongs to another user, is not a regular file or is not
            writable; ``run_in_progress`` when another process holds the lock for minutes.
        """
        with private_file.lock_file(self._path, lambda path: self.read()) as file:
            yield file

    def _warn_about_damage(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            self._warn(f"The stored logins in {self._path} are damaged. The damaged ones are ignored, and replaced.")


def _select_valid(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the valid part of the content of the file. Without a valid salt, no stored login can be found again."""
    known = ("salt", "logins", "check_mode")
    valid = {key: value for key, value in data.items() if key not in known}  # a later release may add keys
    salt = data.get("salt")
    if isinstance(salt, str) and _SALT.match(salt):
        valid["salt"] = salt
        if isinstance(data.get("logins"), dict):
            valid["logins"] = {key: memory for key, memory in data["logins"].items() if _is_memory(memory)}
    if isinstance(data.get("check_mode"), dict):
        valid["check_mode"] = {token: end for token, end in data["check_mode"].items() if _is_number(end)}
    return valid


def _is_memory(memory: Any) -> bool:
    """Return whether a value has the form of the stored data of a login."""
    if not isinstance(memory, dict):
        return False
    if ("token" in memory) != ("ends" in memory) or not is_token(memory.get("token", "x")):
        return False
    if "refusal" in memory and not _is_refusal(memory["refusal"]):
        return False
    return all(_is_number(memory[name]) for name in ("ends", "keep_until", "otp_period") if name in memory)


def _is_refusal(refusal: Any) -> bool:
    if not isinstance(refusal, dict) or not {"status", "route"} <= refusal.keys():
        return False
    if not _is_number(refusal.get("until")):
        return False
    if not isinstance(refusal.get("code"), str) or refusal["code"] not in HINTS:
        return False
    status, route = refusal.get("status"), refusal.get("route")
    return (
        _is_text(refusal.get("message"))
        and _is_text(refusal.get("hint"))
        and (status is None or isinstance(status, int))
        and (route is None or _is_text(route))
    )


def _is_text(value: Any) -> bool:
    """Return whether a value is a string that can be printed, without halves of surrogate pairs."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= _LATEST
