# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store access tokens in the file that the option ``token_file`` names. Private to this collection.

An entry of the file always contains a token that works, even during a rotation. A rotation has four steps. First, the
new token is stored in the entry as ``next``. Second, the new token is verified. Third, the new token becomes the
current token, and the old token is moved to ``previous``. Fourth, the old token is revoked and removed from
``previous``. If a run is killed during a rotation, the entry shows which steps the next run must finish.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import hash_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_entry import LABEL_FIELDS, find_problem
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_expiry,
    compute_fingerprint,
    compute_seconds_until,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY, format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import is_same_cloud
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

Entry = dict[str, Any]

_MAX_GROWTH = 16_384  # bytes; an access token with its refresh token is shorter
_SHOWN_FIELDS = ("fingerprint", "purpose", "account", "api_url", "client", "obtained_at", "expires_at")


@dataclass(frozen=True)
class Label:
    """The values that identify an access token in a token file."""

    api_url: str
    account: str
    client: str
    purpose: str

    def matches(self, entry: Entry) -> bool:
        """Return whether ``entry`` has this label. The URL of the cloud may be spelled differently."""
        return is_same_cloud(entry["api_url"], self.api_url) and all(
            entry[name] == getattr(self, name) for name in LABEL_FIELDS if name != "api_url"
        )


@dataclass
class LockedEntry:
    """The entry of one access token in a token file, while the file is locked."""

    _file: private_file.PrivateFile
    entry: Entry

    @property
    def token(self) -> str | None:
        """Return the current access token, or ``None`` if the entry has no current token yet."""
        return self.entry.get("access_token")

    def drop_next(self) -> None:
        """Remove ``next``, because the new access token does not work. Keep the new refresh token in the entry.

        The old refresh token cannot be used again, because a refresh token works only once.
        """
        dropped = self.entry.pop("next")
        if "refresh_token" in dropped:
            self.entry["refresh_token"] = dropped["refresh_token"]
        self.save()

    def check_space(self) -> None:
        """Check that the file can be written, even if the entry grows by another token.

        :raises ParticleError: ``unsafe_file`` when the file cannot be written.
        """
        self._file.check_space(_MAX_GROWTH)

    def remove(self) -> None:
        """Remove the entry from the file."""
        entries = self._file.data.get("tokens", [])
        if self.entry in entries:
            entries.remove(self.entry)
            self._file.save()

    def save(self) -> None:
        """Write the entry to the file."""
        entries = self._file.data.setdefault("tokens", [])
        if self.entry not in entries:
            entries.append(self.entry)
        self._file.save()


class TokenStore:
    """The access tokens that are stored in one token file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """Return the path of the token file."""
        return self._path

    @contextlib.contextmanager
    def lock_entry(self, label: Label) -> Iterator[LockedEntry]:
        """Lock the file and yield the entry with this label. If no entry has this label, yield a new entry.

        :raises ParticleError: ``unsafe_file`` when other users can read the file, or when the file is damaged or not
            writable; ``run_in_progress`` when another process holds the lock for minutes.
        """
        with private_file.lock_file(self._path) as file:
            found = next((entry for entry in self._read_entries(file.data) if label.matches(entry)), None)
            yield LockedEntry(
                file, found if found is not None else {name: getattr(label, name) for name in LABEL_FIELDS}
            )

    def find_entry(self, label: Label) -> Entry | None:
        """Return the entry with this label, or ``None`` if there is none. The file is not locked.

        :raises ParticleError: ``unsafe_file`` when other users can read the file, or when the file is damaged.
        """
        entries = self._read_entries(private_file.read_file(self._path))
        return next((entry for entry in entries if label.matches(entry)), None)

    def find_usable_token(self, api_url: str, username: str | None, now: float) -> str | None:
        """Return an unexpired access token for a cloud. If there are several, return the token that expires last.

        :param api_url: the URL of the cloud.
        :param username: the account of the token; ``None`` for any account.
        :param now: seconds since 1970.
        :returns: ``None`` if the file contains no unexpired token for this cloud and account.
        """
        candidates = [
            entry
            for entry in self._read_entries(private_file.read_file(self._path))
            if is_same_cloud(entry["api_url"], api_url)
            and username in (None, entry["account"])
            and entry.get("access_token")
            and compute_seconds_left(entry, now) > 0
        ]
        best = max(candidates, key=lambda entry: compute_seconds_left(entry, now), default=None)
        return None if best is None else str(best["access_token"])

    def list_entries(self, now: float) -> list[dict[str, Any]]:
        """Return a description of each stored access token, without the token itself.

        :param now: seconds since 1970.
        :returns: ``[{fingerprint, purpose, account, api_url, client, obtained_at, expires_at, days_left}]``.
            ``days_left`` is ``None`` if the token never expires or the expiry is not known.
        """
        rows = []
        for entry in self._read_entries(private_file.read_file(self._path)):
            if entry.get("access_token"):
                left = compute_seconds_left(entry, now)
                days = None if left == float("inf") else int(left // DAY)
                rows.append({**{name: entry.get(name) for name in _SHOWN_FIELDS}, "days_left": days})
        return rows

    def hash_tokens(self) -> set[str]:
        """Return the hashes of all stored access tokens, including the tokens of an unfinished rotation."""
        found: set[str] = set()
        for entry in self._read_entries(private_file.read_file(self._path)):
            begun = entry.get("next") or {}
            values = [entry.get("access_token"), begun.get("access_token"), *entry.get("previous", [])]
            found.update(hash_token(str(value)) for value in values if value)
        return found

    def forget_entries(self, is_gone: Callable[[Entry], bool]) -> list[Entry]:
        """Remove all entries for which ``is_gone`` returns true. Return the removed entries.

        If the file does not exist, the file is not created.
        """
        existing = private_file.open_file(self._path)
        if existing is None:
            return []
        existing.close()
        with private_file.lock_file(self._path) as file:
            entries = self._read_entries(file.data)
            dropped = [entry for entry in entries if is_gone(entry)]
            if dropped:
                file.data["tokens"] = [entry for entry in entries if entry not in dropped]
                file.save()
            return dropped

    def _read_entries(self, data: dict[str, Any]) -> list[Entry]:
        """Return the entries in ``data``, the parsed content of the token file.

        :raises DamagedFileError: when ``data`` is not the content of a token file.
        """
        problem = find_problem(data)
        if problem is not None:
            raise private_file.DamagedFileError(self._path, problem)
        return list(data.get("tokens", []))


def build_entry(grant: Grant, now: float) -> Entry:
    """Return the fields that an entry stores about a new access token.

    :param now: seconds since 1970.
    """
    refresh = {} if grant.refresh_token is None else {"refresh_token": grant.refresh_token}
    return {
        "access_token": grant.access_token,
        "token_type": grant.token_type,
        "fingerprint": compute_fingerprint(grant.access_token),
        "obtained_at": format_time(now),
        "expires_in": grant.expires_in,
        "expires_at": compute_expiry(grant.expires_in, now),
        **refresh,
    }


def compute_seconds_left(entry: Entry, now: float) -> float:
    """Return the number of seconds until a stored access token expires.

    :param now: seconds since 1970.
    :returns: infinity if the token never expires or the expiry is not known.
    """
    left = compute_seconds_until(entry.get("expires_at"), now)
    return float("inf") if left is None else left
