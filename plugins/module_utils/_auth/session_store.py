# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins that all processes of a user share. Private to this collection.

Ansible's workers share no memory. Fifty hosts with one account would make fifty logins, and with one wrong password
ten refusals in a row, after which the cloud locks the address out for half an hour. So whoever logs in does it under
a lock and leaves the outcome, good or bad, for the others: a token for an hour, a refusal for ten minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth import private_file
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.login import Login, Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Connection

SESSION_SECONDS = 3600
"""How long a shared token lives."""

REFUSAL_SECONDS = 600
"""How long a refusal is remembered: long enough for a play, short enough for a person who corrects a password."""

_MARGIN = 60
_LONGEST_LIFE = 90 * 86400  # of a token of check mode, on a cloud that ignores the wished life
Identity = tuple[str, ...]

_FINAL = frozenset(
    "invalid_credentials unknown_client invalid_client_secret mfa_required otp_refused sso_account locked_out".split()
)


def session_file(environment: Mapping[str, str]) -> Path:
    """Where the logins are kept: in the runtime folder where the system has one, else in the cache folder.

    :raises ParticleError: ``conflict`` when there is no folder that only this user can use.
    """
    base = environment.get("XDG_RUNTIME_DIR") or environment.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "meshfleet.particle"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
        usable = facts.st_uid == os.geteuid() and not facts.st_mode & 0o022 and os.access(folder, os.W_OK | os.X_OK)
        reason = "it is not yours alone to write to"
    except OSError as error:
        usable, reason = False, str(error.strerror)
    if not usable:
        raise ParticleError(
            "conflict",
            f"Logins are shared through {folder}, which cannot be used: {reason}.",
            hint="Name a folder of your own by XDG_CACHE_HOME, or give a ready access token.",
        )
    return folder / "sessions.json"


def identity_of(connection: Connection, login: Login) -> Identity:
    """What tells this login from all others: the cloud, and all that the login is made of."""
    return (connection.api_url, *login.identity())


Obtain = Callable[[Memory], Grant]
"""Makes the one request that leads to a grant; may read and change the memory of the login."""


class SessionStore:
    """The logins of one user on this machine.

    :param clock: seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def token(self, identity: Identity, obtain: Obtain, *, dead: str | None = None) -> str:
        """The token of this login: the one that is there, else a new one.

        :param identity: all that makes this login this login: cloud, account, client and their secrets.
        :param obtain: asks for a grant of :data:`SESSION_SECONDS`.
        :param dead: a token that the cloud no longer takes, and that must not be handed out again.
        :raises ParticleError: the refusal, be it fresh or remembered.
        """
        with self._memory(identity) as (file, memory):
            known = memory.get("token")
            if known is not None and known != dead and memory["ends"] > self._clock() + _MARGIN:
                return str(known)
            grant = self._ask(file, memory, obtain)
            life = min(grant.expires_in or SESSION_SECONDS, SESSION_SECONDS)
            memory.update(token=grant.access_token, ends=self._clock() + life)
            file.save()
            return grant.access_token

    def guard(self, identity: Identity, obtain: Obtain) -> Grant:
        """A grant of one's own, which nobody else gets; but a refusal is everybody's."""
        with self._memory(identity) as (file, memory):
            grant = self._ask(file, memory, obtain)
            file.save()
            return grant

    def shared(self, identity: Identity) -> str | None:
        """The token that others share already, ``None`` when there is none."""
        with self._memory(identity) as (_, memory):
            token = memory.get("token")
            return str(token) if token is not None and memory["ends"] > self._clock() else None

    def forget(self, token: str) -> None:
        """Hand out ``token`` no more: it is revoked."""
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
        notes: dict[str, float] = private_file.read(self._path).get("check_mode", {})
        return _hashed(token) in notes

    def _ask(self, file: private_file.PrivateFile, memory: Memory, obtain: Obtain) -> Grant:
        """Ask for a grant, unless the same was refused just now."""
        refusal = memory.get("refusal")
        if refusal is not None and refusal["until"] > self._clock():
            minutes = max(1, round((refusal["until"] - self._clock()) / 60))
            raise ParticleError(
                refusal["code"],
                refusal["message"],
                hint=f"{refusal['hint']} This login was refused just now; the same one is not tried again for "
                f"{minutes} minutes, unless you remove {self._path}.",
                status=refusal["status"],
                route=refusal["route"],
            )
        memory.pop("refusal", None)
        try:
            return obtain(memory)
        except ParticleError as error:
            if error.code in _FINAL:
                memory["refusal"] = {**error.as_result(), "until": self._clock() + REFUSAL_SECONDS}
            file.save()  # also what the login itself wants to remember, such as a code that is used up
            raise

    @contextlib.contextmanager
    def _memory(self, identity: Identity) -> Iterator[tuple[private_file.PrivateFile, Memory]]:
        """The memory of a login, under the lock of the file."""
        with private_file.locked(self._path) as file:
            # The key tells nobody the password, and is of no use in another file.
            salt = file.data.setdefault("salt", secrets.token_hex(16))
            message = "\0".join(identity).encode(errors="surrogatepass")
            key = hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()
            logins: dict[str, Memory] = file.data.setdefault("logins", {})
            for old in [name for name, memory in logins.items() if self._is_over(memory)]:
                del logins[old]
            yield file, logins.setdefault(key, {})

    def _is_over(self, memory: Memory) -> bool:
        ends = (memory.get("ends", 0), memory.get("refusal", {}).get("until", 0), memory.get("keep_until", 0))
        return bool(max(ends) <= self._clock())


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
