# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share logins between all processes of a user. Private to this collection.

The worker processes of Ansible share no memory. Without this module, fifty hosts that use one account would log in
fifty times. With a wrong password, the cloud would refuse ten logins in a row, and then lock out the IP address for
half an hour. Therefore, a process locks the login before logging in. Afterwards, the process stores the outcome for the
other processes. An access token is stored for an hour, a refused login for ten minutes, and any other failure of the
cloud for half a minute. All outcomes are stored in one file. The file is locked only while a process writes the file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login, Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    FILE_NAME,
    MAX_LOGIN_SECONDS,
    RequestLog,
    hash_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session_file import SessionFile
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifetime import DEFAULT_LIFETIME
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import REFUSED_LOGIN
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

SESSION_SECONDS = 3600
"""The lifetime of a shared access token, in seconds."""

REFUSAL_SECONDS = 600
"""For how many seconds a login is not tried again after the cloud refused the login."""

OUTAGE_SECONDS = 30
"""For how many seconds a login is not tried again after the cloud was unreachable or failed."""

_MARGIN_SECONDS = 60
_TOLERANCE_SECONDS = 1.0  # for rounding, and for small corrections of the clock
_SLOTS = 64  # number of lock files, which are never removed; two logins may share a lock file by chance
Identity = tuple[str, ...]
_T = TypeVar("_T")


def locate_session_file(environment: Mapping[str, str]) -> Path:
    """Return the path of the file of shared logins. Create the folder of the file if the folder is missing.

    :raises ParticleError: ``unsafe_file`` when the folder cannot be used, or when other users can write to the folder.
    """
    folder = private_file.ensure_folder(environment, "Logins", "give an access_token", of_login=True)
    return folder / "sessions.json"


def identify_login(connection: Connection, login: Login) -> Identity:
    """Return the strings that identify a login: the URL of the cloud and the credentials."""
    return (connection.cloud, *login.get_identity())


ObtainGrant = Callable[[Memory], Grant]
"""A function that requests an access token once. The function takes the stored data of the login, and can change this
data."""


class SessionStore:
    """A store of the logins that the processes of one user share on this machine.

    :param place: the path of the file, or a function that returns the path. The function is called when the file is
        first needed.
    :param clock: a function that returns the seconds since 1970.
    :param warn: a function that shows a warning to the user.
    :param requests: the records of token requests. By default, their file is in the folder of the logins.
    """

    def __init__(
        self,
        place: Path | Callable[[], Path],
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None] = lambda warning: None,
        requests: RequestLog | None = None,
    ) -> None:
        self._place = place
        self._clock = clock
        self._warn = warn
        self.requests = requests or RequestLog(lambda: self._path.with_name(FILE_NAME), warn, clock)

    @functools.cached_property
    def _path(self) -> Path:
        return self._place if isinstance(self._place, Path) else self._place()

    @functools.cached_property
    def _file(self) -> SessionFile:
        return SessionFile(self._path, self._warn)

    def get_token(self, identity: Identity, obtain: ObtainGrant, *, refused_token: str | None = None) -> str:
        """Return the shared access token of a login. If no valid shared token exists, log in and share the new token.

        :param identity: the strings that identify the login, as returned by :func:`identify_login`.
        :param obtain: a function that requests an access token with a lifetime of :data:`SESSION_SECONDS`.
        :param refused_token: a shared token that the cloud no longer accepts. This token is not returned again.
        :raises ParticleError: when the login fails, or when the same login failed a short time ago.
        """
        known = self._get_valid_token(self._read_memory(self._hash_identity(identity)), refused_token)
        if known is not None:
            return known
        with self._lock_memory(identity) as memory:
            known = self._get_valid_token(memory, refused_token)  # another process may have logged in
            if known is not None:
                return known
            grant = self._request_grant(memory, obtain)
            life = min(grant.expires_in or SESSION_SECONDS, SESSION_SECONDS)
            memory.update(token=grant.access_token, ends=self._clock() + life)
            return grant.access_token

    def obtain_grant(self, identity: Identity, obtain: ObtainGrant) -> Grant:
        """Obtain an access token that is not shared with other processes.

        A failed login is recorded, because other processes must not try the same login.

        :param identity: the strings that identify the login, as returned by :func:`identify_login`.
        :param obtain: a function that requests the access token.
        :raises ParticleError: when the login fails, or when the same login failed a short time ago.
        """
        with self._lock_memory(identity) as memory:
            return self._request_grant(memory, obtain)

    def use_memory(self, identity: Identity, use: Callable[[Memory], _T]) -> _T:
        """Call ``use`` with the stored data of a login, and return the result of ``use``. This method never logs in.

        :param use: a function that takes the stored data of the login, and can change this data.
        """
        with self._lock_memory(identity) as memory:
            return use(memory)

    def find_token(self, identity: Identity) -> str | None:
        """Return the shared access token of a login, or ``None`` if no token is stored. This method never logs in."""
        token = self._read_memory(self._hash_identity(identity)).get("token")
        return None if token is None else str(token)

    def hash_tokens(self) -> set[str]:
        """Return the hashes of all shared access tokens."""
        if not self._has_file():
            return set()
        logins: dict[str, Memory] = self._file.read().get("logins", {})
        return {hash_token(str(memory["token"])) for memory in logins.values() if "token" in memory}

    def forget_token(self, token: str) -> None:
        """Remove the revoked access token ``token`` from the file, so that no process uses the token again."""
        if not self._has_file():
            return
        with self._file.lock() as file:
            for memory in file.data.get("logins", {}).values():
                if memory.get("token") == token:
                    del memory["token"], memory["ends"]
            file.data.get("check_mode", {}).pop(hash_token(token), None)
            file.save()

    def note_check_mode(self, token: str) -> None:
        """Record that check mode obtained ``token``. In check mode, only recorded tokens are revoked."""
        with self._file.lock() as file:
            notes = file.data.setdefault("check_mode", {})
            file.data["check_mode"] = {
                name: end for name, end in notes.items() if self._is_ahead(end, DEFAULT_LIFETIME)
            }
            file.data["check_mode"][hash_token(token)] = self._clock() + DEFAULT_LIFETIME
            file.save()

    def is_of_check_mode(self, token: str) -> bool:
        """Return whether check mode obtained ``token``."""
        if not self._has_file():
            return False
        notes: dict[str, float] = self._file.read().get("check_mode", {})
        return hash_token(token) in notes

    def _has_file(self) -> bool:
        """Return whether the file of shared logins exists. Return ``False`` if the folder of the file is not usable."""
        try:
            return self._path.exists()
        except ParticleError:
            return False

    def _get_valid_token(self, memory: Memory, refused_token: str | None) -> str | None:
        """Return the access token in ``memory``, the stored data of a login.

        :returns: ``None`` if the token is missing, refused or about to expire.
        """
        token = memory.get("token")
        if token is None or token == refused_token:
            return None
        if memory["ends"] <= self._clock() + _MARGIN_SECONDS or not self._is_ahead(memory["ends"], SESSION_SECONDS):
            return None
        return str(token)

    def _request_grant(self, memory: Memory, obtain: ObtainGrant) -> Grant:
        """Log in with ``obtain``, and return the grant. Record a failed login in ``memory``.

        :raises ParticleError: when the login fails, or when the same login failed a short time ago.
        """
        refusal = memory.get("refusal")
        if refusal is not None and self._is_ahead(refusal["until"], _compute_refusal_seconds(refusal["code"])):
            raise self._build_repeated_refusal(refusal)
        memory.pop("refusal", None)
        try:
            return obtain(memory)
        except ParticleError as error:
            # A server that closes the connection or does not send HTTP sends no status.
            if error.code in (*REFUSED_LOGIN, "unreachable", "bad_response") or error.status is not None:
                seconds = _compute_refusal_seconds(error.code)
                memory["refusal"] = {**error.as_result(), "until": self._clock() + seconds}
            raise

    def _build_repeated_refusal(self, refusal: Memory) -> ParticleError:
        """Return the error for a login that is not tried, because the same login failed a short time ago."""
        left = refusal["until"] - self._clock()
        if refusal["code"] not in REFUSED_LOGIN:
            period = format_count(max(1, round(left)), "second")
            why = f"The same login failed a moment ago, and is not tried again for {period}"
        else:
            period = format_count(max(1, round(left / 60)), "minute")
            why = f"The same login was refused a moment ago, and is not tried again for {period}"
        return ParticleError(
            refusal["code"],
            refusal["message"],
            hint=f"{refusal['hint']} {why}, unless you remove {self._path}.",
            status=refusal["status"],
            route=refusal["route"],
        )

    @contextlib.contextmanager
    def _lock_memory(self, identity: Identity) -> Iterator[Memory]:
        """Lock a login and yield the stored data of the login. At the end, save the changed data, even after an error.

        The lock of the login is separate from the lock of the file. During a login, a process can wait for the network
        for a long time. Meanwhile, other processes must be able to lock the file.
        """
        key = self._hash_identity(identity)
        slot = self._path.with_name(f"{self._path.name}.{int(key[:8], 16) % _SLOTS}.lock")
        with private_file.hold_lock(slot, f"the login to {identity[0]}", MAX_LOGIN_SECONDS):
            before = self._read_memory(key)
            memory = dict(before)
            try:
                yield memory
            finally:
                if memory != before:
                    self._write_memory(key, before, memory)

    def _hash_identity(self, identity: Identity) -> str:
        """Return the key under which the file stores a login. The key is a salted hash and reveals no secret."""
        salt = self._file.read().get("salt")
        if salt is None:
            with self._file.lock() as file:
                salt = file.data.setdefault("salt", secrets.token_hex(16))
                file.save()
        message = "\0".join(identity).encode(errors="surrogatepass")
        return hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()

    def _read_memory(self, key: str) -> Memory:
        """Return the stored data of a login, or an empty mapping if the data is missing or has expired."""
        # Reading needs no lock, because every write replaces the whole file in one step.
        memory: Memory = self._file.read().get("logins", {}).get(key, {})
        return {} if self._has_expired(memory) else memory

    def _write_memory(self, key: str, before: Memory, memory: Memory) -> None:
        """Save the stored data of a login, but only the values that differ between ``before`` and ``memory``.

        Unchanged values are not written to the file. Otherwise, an access token that another process has just removed
        from the file would be stored again.
        """
        with self._file.lock() as file:
            logins: dict[str, Memory] = file.data.setdefault("logins", {})
            for old in [name for name, login in logins.items() if self._has_expired(login)]:
                del logins[old]
            login = logins.setdefault(key, {})
            for name in before.keys() - memory.keys():
                login.pop(name, None)
            login.update({name: value for name, value in memory.items() if before.get(name) != value})
            file.save()

    def _has_expired(self, memory: Memory) -> bool:
        """Return whether nothing in the stored data of a login applies any more."""
        ends = (memory.get("ends", 0), memory.get("refusal", {}).get("until", 0), memory.get("keep_until", 0))
        return not any(self._is_ahead(end, SESSION_SECONDS) for end in ends)

    def _is_ahead(self, moment: float, seconds: float) -> bool:
        """Return whether a stored moment is in the future, but not by more than the longest possible time.

        A moment further ahead was stored when the clock was wrong.
        """
        return 0 < moment - self._clock() <= seconds + _TOLERANCE_SECONDS


def _compute_refusal_seconds(code: str) -> int:
    return REFUSAL_SECONDS if code in REFUSED_LOGIN else OUTAGE_SECONDS
