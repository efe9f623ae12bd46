# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins that all processes of a user share. Private to this collection.

Ansible's workers share no memory. Fifty hosts with one account would make fifty logins, and with one wrong password
ten refusals in a row, after which the cloud locks the address out for half an hour. So whoever logs in does it under
a lock of this login and leaves the outcome, good or bad, for the others: a token for an hour, a refusal for ten
minutes, a cloud that cannot be reached for half a minute. The file of all logins is only locked to write it.
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
"""How long a shared token lives."""

REFUSAL_SECONDS = 600
"""How long a refusal is remembered: long enough for a play, short enough for a person who corrects a password."""

OUTAGE_SECONDS = 30
"""How long a cloud is taken to be out of reach: long enough for those who wait, so that each need not try itself."""

_LOGIN_SECONDS = 900.0  # for whoever comes second: a login may wait for the budget, and as long as the cloud asks for
_MARGIN = 60
_SLOTS = 64  # lock files, which are never removed: a login has one of them, and shares it by chance
_LONGEST_LIFE = 90 * 86400  # of a token of check mode, on a cloud that ignores the wished life
Identity = tuple[str, ...]
_T = TypeVar("_T")


def session_file(environment: Mapping[str, str]) -> Path:
    """Find the file of shared logins. :raises ParticleError: ``unsafe_file`` without a folder of this user's own."""
    folder = private_file.own_folder(environment, "Logins", "give a ready access token", of_login=True)
    return folder / "sessions.json"


def identity_of(connection: Connection, login: Login) -> Identity:
    """What tells this login from all others: the cloud, and all that the login is made of."""
    return (connection.api_url, *login.identity())


Obtain = Callable[[Memory], Grant]
"""Makes the one request that leads to a grant; may read and change the memory of the login."""


class SessionStore:
    """The logins of one user on this machine.

    :param place: the file, or how to find it once it is needed; not every task needs it.
    :param clock: seconds since 1970.
    """

    def __init__(self, place: Path | Callable[[], Path], clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock

    @functools.cached_property
    def _path(self) -> Path:
        return self._place if isinstance(self._place, Path) else self._place()

    def token(self, identity: Identity, obtain: Obtain, *, dead: str | None = None) -> str:
        """The token of this login: the one that is there, else a new one.

        :param identity: all that makes this login this login: cloud, account, client and their secrets.
        :param obtain: asks for a grant of :data:`SESSION_SECONDS`.
        :param dead: a token that the cloud no longer takes, and that must not be handed out again.
        :raises ParticleError: the refusal, be it fresh or remembered.
        """
        known = self._known(self._recall(self._key(identity)), dead)
        if known is not None:
            return known
        with self._memory(identity) as memory:
            known = self._known(memory, dead)  # somebody may just have obtained it
            if known is not None:
                return known
            grant = self._ask(memory, obtain)
            life = min(grant.expires_in or SESSION_SECONDS, SESSION_SECONDS)
            memory.update(token=grant.access_token, ends=self._clock() + life)
            return grant.access_token

    def guard(self, identity: Identity, obtain: Obtain) -> Grant:
        """A grant of one's own, which nobody else gets; but a refusal is everybody's."""
        with self._memory(identity) as memory:
            return self._ask(memory, obtain)

    def consult(self, identity: Identity, use: Callable[[Memory], _T]) -> _T:
        """Let ``use`` read and change what a login remembers, without asking for a grant."""
        with self._memory(identity) as memory:
            return use(memory)

    def shared(self, identity: Identity) -> str | None:
        """The token that others share already, ``None`` when there is none."""
        token = self._recall(self._key(identity)).get("token")
        return None if token is None else str(token)

    def forget(self, token: str) -> None:
        """Hand out ``token`` no more: it is revoked."""
        if not self._is_there():
            return
        with private_file.locked(self._path) as file:
            for memory in file.data.get("logins", {}).values():
                if memory.get("token") == token:
                    del memory["token"], memory["ends"]
            file.data.get("check_mode", {}).pop(_hashed(token), None)
            file.save()

    def note_check_mode(self, token: str) -> None:
        """Remember that check mode obtained ``token``, so that check mode may revoke it for real."""
        with private_file.locked(self._path) as file:
            notes = file.data.setdefault("check_mode", {})
            file.data["check_mode"] = {name: end for name, end in notes.items() if end > self._clock()}
            file.data["check_mode"][_hashed(token)] = self._clock() + _LONGEST_LIFE
            file.save()

    def is_of_check_mode(self, token: str) -> bool:
        """Whether check mode obtained ``token``."""
        if not self._is_there():
            return False
        notes: dict[str, float] = private_file.read(self._path).get("check_mode", {})
        return _hashed(token) in notes

    def _is_there(self) -> bool:
        """Whether there are logins to look at. Who has a ready token needs no place for them."""
        try:
            return self._path.exists()
        except ParticleError:
            return False

    def _known(self, memory: Memory, dead: str | None) -> str | None:
        """The token of a login, when it may be handed out."""
        token = memory.get("token")
        if token is None or token == dead or memory["ends"] <= self._clock() + _MARGIN:
            return None
        return str(token)

    def _ask(self, memory: Memory, obtain: Obtain) -> Grant:
        """Ask for a grant, unless the same was refused just now."""
        refusal = memory.get("refusal")
        if refusal is not None and refusal["until"] > self._clock():
            raise self._again(refusal)
        memory.pop("refusal", None)
        try:
            return obtain(memory)
        except ParticleError as error:
            seconds = OUTAGE_SECONDS if error.code == "unreachable" else REFUSAL_SECONDS
            if error.code in REFUSED_LOGIN or error.code == "unreachable":
                memory["refusal"] = {**error.as_result(), "until": self._clock() + seconds}
            raise

    def _again(self, refusal: Memory) -> ParticleError:
        """The error of a login that was made just now, for whoever comes after it."""
        left = refusal["until"] - self._clock()
        if refusal["code"] == "unreachable":
            why = f"That was found just now, and is not tried again for {max(1, round(left))} seconds"
        else:
            minutes = max(1, round(left / 60))
            why = f"This login was refused just now; the same one is not tried again for {minutes} minutes"
        return ParticleError(
            refusal["code"],
            refusal["message"],
            hint=f"{refusal['hint']} {why}, unless you remove {self._path}.",
            status=refusal["status"],
            route=refusal["route"],
        )

    @contextlib.contextmanager
    def _memory(self, identity: Identity) -> Iterator[Memory]:
        """The memory of a login, for one at a time; written back at the end, also after a failure.

        A login waits for the network. So its lock is not that of the file, which all logins need.
        """
        key = self._key(identity)
        slot = self._path.with_name(f"{self._path.name}.{int(key[:8], 16) % _SLOTS}.lock")
        with private_file.held(slot, f"a login to {identity[0]}", _LOGIN_SECONDS):
            before = self._recall(key)
            memory = dict(before)
            try:
                yield memory
            finally:
                if memory != before:
                    self._write_back(key, before, memory)

    def _key(self, identity: Identity) -> str:
        """The name of a login in the file: it shows no password, and is of no use in another file."""
        salt = private_file.read(self._path).get("salt")
        if salt is None:
            with private_file.locked(self._path) as file:
                salt = file.data.setdefault("salt", secrets.token_hex(16))
                file.save()
        message = "\0".join(identity).encode(errors="surrogatepass")
        return hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()

    def _recall(self, key: str) -> Memory:
        """What is remembered of a login and not over yet. The file is always whole, so looking needs no lock."""
        memory: Memory = private_file.read(self._path).get("logins", {}).get(key, {})
        return {} if self._is_over(memory) else memory

    def _write_back(self, key: str, before: Memory, memory: Memory) -> None:
        """Write what has changed, and that alone: somebody may have forgotten the token in the meantime."""
        with private_file.locked(self._path) as file:
            logins: dict[str, Memory] = file.data.setdefault("logins", {})
            for old in [name for name, login in logins.items() if self._is_over(login)]:
                del logins[old]
            login = logins.setdefault(key, {})
            for name in before.keys() - memory.keys():
                login.pop(name, None)
            login.update({name: value for name, value in memory.items() if before.get(name) != value})
            file.save()

    def _is_over(self, memory: Memory) -> bool:
        ends = (memory.get("ends", 0), memory.get("refusal", {}).get("until", 0), memory.get("keep_until", 0))
        return bool(max(ends) <= self._clock())


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
