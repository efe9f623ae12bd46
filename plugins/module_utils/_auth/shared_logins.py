# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share logins between all processes of a user. Private to this collection.

Ansible's workers share no memory. Without this module fifty hosts with one account would log in fifty times, and a
wrong password would cause ten refusals in a row, after which the cloud locks the address out for half an hour. So a
process logs in while it holds a lock of this login, and stores the outcome for the other processes: a token for an
hour, a refusal for ten minutes, an unreachable cloud for half a minute. The file of all logins is locked only to
write it.
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
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import REFUSED_LOGIN
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

SESSION_SECONDS = 3600
"""Lifetime of a shared token in seconds."""

REFUSAL_SECONDS = 600
"""Seconds for which a refusal is remembered: long enough for a play, short enough for correcting a password."""

OUTAGE_SECONDS = 30
"""Seconds for which an unreachable cloud is remembered, so that waiting processes need not all try it again."""

_MAX_LOGIN_SECONDS = 900.0  # maximum wait for another process, whose login may wait for the budget or the cloud
_MARGIN_SECONDS = 60
_SLOTS = 64  # lock files, which are never removed; two logins may share one by chance
_MAX_LIFETIME = 90 * 86400  # of a check mode token, on a cloud that ignores the requested lifetime
Identity = tuple[str, ...]
_T = TypeVar("_T")


def locate_session_file(environment: Mapping[str, str]) -> Path:
    """Return the path of the file of shared logins, and create its folder if it is missing.

    :raises ParticleError: ``unsafe_file`` when there is no folder that only this user can write to.
    """
    folder = private_file.ensure_folder(environment, "Logins", "give an access_token", of_login=True)
    return folder / "sessions.json"


def identify_login(connection: Connection, login: Login) -> Identity:
    """Return the values that identify a login: the cloud and the credentials."""
    return (connection.api_url, *login.get_identity())


ObtainGrant = Callable[[Memory], Grant]
"""Function that requests a grant once. It may read and change the memory of the login."""


class SessionStore:
    """The logins that the processes of one user share on this machine.

    :param place: the file, or a function that returns it; the function is called only when the file is needed.
    :param clock: returns the seconds since 1970.
    """

    def __init__(self, place: Path | Callable[[], Path], clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock

    @functools.cached_property
    def _path(self) -> Path:
        return self._place if isinstance(self._place, Path) else self._place()

    def get_token(self, identity: Identity, obtain: ObtainGrant, *, refused_token: str | None = None) -> str:
        """Return the shared token of a login, and obtain one if there is none.

        :param identity: the values that identify the login: cloud, account, client and their secrets.
        :param obtain: requests a grant of :data:`SESSION_SECONDS`.
        :param refused_token: a token that the cloud no longer accepts, and that must not be returned again.
        :raises ParticleError: when the cloud refuses the login, or has refused it a short time ago.
        """
        known = self._get_valid_token(self._read_memory(self._hash_identity(identity)), refused_token)
        if known is not None:
            return known
        with self._lock_memory(identity) as memory:
            known = self._get_valid_token(memory, refused_token)  # another process may have obtained it meanwhile
            if known is not None:
                return known
            grant = self._request_grant(memory, obtain)
            life = min(grant.expires_in or SESSION_SECONDS, SESSION_SECONDS)
            memory.update(token=grant.access_token, ends=self._clock() + life)
            return grant.access_token

    def obtain_grant(self, identity: Identity, obtain: ObtainGrant) -> Grant:
        """Obtain a grant that is not shared. A refusal is shared with the other processes.

        :param identity: the values that identify the login.
        :param obtain: requests the grant.
        :raises ParticleError: when the cloud refuses the login, or has refused it a short time ago.
        """
        with self._lock_memory(identity) as memory:
            return self._request_grant(memory, obtain)

    def use_memory(self, identity: Identity, use: Callable[[Memory], _T]) -> _T:
        """Return the result of ``use``, which may read and change the memory of a login. No grant is requested."""
        with self._lock_memory(identity) as memory:
            return use(memory)

    def find_token(self, identity: Identity) -> str | None:
        """Return the shared token of a login, or ``None`` if there is none. No grant is requested."""
        token = self._read_memory(self._hash_identity(identity)).get("token")
        return None if token is None else str(token)

    def forget_token(self, token: str) -> None:
        """Remove a revoked ``token``, so that it is not returned again."""
        if not self._has_file():
            return
        with private_file.lock_file(self._path) as file:
            for memory in file.data.get("logins", {}).values():
                if memory.get("token") == token:
                    del memory["token"], memory["ends"]
            file.data.get("check_mode", {}).pop(_hash_token(token), None)
            file.save()

    def note_check_mode(self, token: str) -> None:
        """Record that check mode obtained ``token``, so that check mode may revoke it."""
        with private_file.lock_file(self._path) as file:
            notes = file.data.setdefault("check_mode", {})
            file.data["check_mode"] = {name: end for name, end in notes.items() if end > self._clock()}
            file.data["check_mode"][_hash_token(token)] = self._clock() + _MAX_LIFETIME
            file.save()

    def is_of_check_mode(self, token: str) -> bool:
        """Return whether check mode obtained ``token``."""
        if not self._has_file():
            return False
        notes: dict[str, float] = private_file.read_file(self._path).get("check_mode", {})
        return _hash_token(token) in notes

    def _has_file(self) -> bool:
        """Return whether the file of logins exists. A missing folder is not an error here."""
        try:
            return self._path.exists()
        except ParticleError:
            return False

    def _get_valid_token(self, memory: Memory, refused_token: str | None) -> str | None:
        """Return the token in the memory of a login, or ``None`` if it is missing, refused or about to expire."""
        token = memory.get("token")
        if token is None or token == refused_token or memory["ends"] <= self._clock() + _MARGIN_SECONDS:
            return None
        return str(token)

    def _request_grant(self, memory: Memory, obtain: ObtainGrant) -> Grant:
        """Request a grant.

        :raises ParticleError: when the cloud refuses the login, or has refused it a short time ago.
        """
        refusal = memory.get("refusal")
        if refusal is not None and refusal["until"] > self._clock():
            raise self._build_repeated_refusal(refusal)
        memory.pop("refusal", None)
        try:
            return obtain(memory)
        except ParticleError as error:
            seconds = OUTAGE_SECONDS if error.code == "unreachable" else REFUSAL_SECONDS
            if error.code in REFUSED_LOGIN or error.code == "unreachable":
                memory["refusal"] = {**error.as_result(), "until": self._clock() + seconds}
            raise

    def _build_repeated_refusal(self, refusal: Memory) -> ParticleError:
        """Return the error for a login that is not tried because the same login has just failed."""
        left = refusal["until"] - self._clock()
        if refusal["code"] == "unreachable":
            why = f"The same login failed a moment ago, and is not tried again for {max(1, round(left))} seconds"
        else:
            minutes = max(1, round(left / 60))
            why = f"The same login was refused a moment ago, and is not tried again for {minutes} minutes"
        return ParticleError(
            refusal["code"],
            refusal["message"],
            hint=f"{refusal['hint']} {why}, unless you remove {self._path}.",
            status=refusal["status"],
            route=refusal["route"],
        )

    @contextlib.contextmanager
    def _lock_memory(self, identity: Identity) -> Iterator[Memory]:
        """Lock a login and yield its memory, which is written back at the end, also after a failure.

        A login waits for the network, so it has a lock of its own: the lock of the file is needed by all logins.
        """
        key = self._hash_identity(identity)
        slot = self._path.with_name(f"{self._path.name}.{int(key[:8], 16) % _SLOTS}.lock")
        with private_file.hold_lock(slot, f"the login to {identity[0]}", _MAX_LOGIN_SECONDS):
            before = self._read_memory(key)
            memory = dict(before)
            try:
                yield memory
            finally:
                if memory != before:
                    self._write_memory(key, before, memory)

    def _hash_identity(self, identity: Identity) -> str:
        """Return the key of a login in the file: a salted hash that reveals no secret."""
        salt = private_file.read_file(self._path).get("salt")
        if salt is None:
            with private_file.lock_file(self._path) as file:
                salt = file.data.setdefault("salt", secrets.token_hex(16))
                file.save()
        message = "\0".join(identity).encode(errors="surrogatepass")
        return hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()

    def _read_memory(self, key: str) -> Memory:
        """Return the memory of a login, or an empty one if it has expired."""
        # The file is replaced in one step and so is always complete: reading it needs no lock.
        memory: Memory = private_file.read_file(self._path).get("logins", {}).get(key, {})
        return {} if self._has_expired(memory) else memory

    def _write_memory(self, key: str, before: Memory, memory: Memory) -> None:
        """Write only the changes to the memory of a login: another process may have removed its token meanwhile."""
        with private_file.lock_file(self._path) as file:
            logins: dict[str, Memory] = file.data.setdefault("logins", {})
            for old in [name for name, login in logins.items() if self._has_expired(login)]:
                del logins[old]
            login = logins.setdefault(key, {})
            for name in before.keys() - memory.keys():
                login.pop(name, None)
            login.update({name: value for name, value in memory.items() if before.get(name) != value})
            file.save()

    def _has_expired(self, memory: Memory) -> bool:
        ends = (memory.get("ends", 0), memory.get("refusal", {}).get("until", 0), memory.get("keep_until", 0))
        return bool(max(ends) <= self._clock())


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
