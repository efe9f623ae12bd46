# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an access token into the declared state: present, rotated or absent. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, revoke_all
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import (
    SESSION_SECONDS,
    SessionStore,
    identity_of,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import fingerprint, is_alive, revoke
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import (
    Entry,
    Kept,
    Label,
    TokenStore,
    record,
    seconds_left,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http

CHECK_MODE_SECONDS = 15 * 60
"""The maximum lifetime of a token that check mode obtains."""

DAY = 86400.0
_RENEW_BEFORE = 7 * DAY
_RENEW_SHARE = 0.10


@dataclass
class Tokens:
    """Holds the cloud and the stores with which tokens are obtained, rotated and revoked.

    :param sessions: shared logins and remembered refusals.
    :param kept: the file named by ``token_file``, or ``None`` if tokens are not stored.
    :param warn: shows a sentence to the user.
    :param step: called with the name of each step of a rotation after it.
    """

    http: Http
    sessions: SessionStore
    kept: TokenStore | None
    warn: Callable[[str], None]
    step: Callable[[str], None] = lambda name: None

    # --- present and rotated ---

    def present(
        self, login: Login, label: Label, wish: Mapping[str, str], renew_before: float | None, *, check_mode: bool
    ) -> dict[str, Any]:
        """Return the stored token if it is valid for long enough, else a new one.

        :param wish: the requested lifetime of a new token, as fields of the request.
        :param renew_before: a stored token is replaced if it expires within this many seconds; by default 7 days, or a
            tenth of its lifetime if that is less.
        :returns: the documented result of ``access_token``, which holds the token.
        """
        if self.kept is None:
            return self._unkept(self._complete(login, {}), wish, check_mode=check_mode)
        with self.kept.open(label) as kept:
            settled = self._settle(kept, login, check_mode=check_mode)
            if self._is_good(kept.entry, renew_before):
                return _result(kept.entry, changed=settled, reused=True)
            login = self._complete(login, kept.entry)
            if check_mode:
                return self._unkept(login, wish, check_mode=True)
            return self._replace(kept, login, wish)

    def rotated(self, login: Login, label: Label, wish: Mapping[str, str], *, check_mode: bool) -> dict[str, Any]:
        """Replace the stored token with a new one, and revoke the old one after the new one has been verified.

        :param wish: the requested lifetime of the new token, as fields of the request.
        :returns: the documented result of ``access_token``, which holds the token.
        :raises ParticleError: ``invalid_option`` when tokens are not stored.
        """
        if self.kept is None:
            message = "A token can only be rotated in a token file."
            raise ParticleError("invalid_option", message, hint="Name the file of the token as token_file.")
        with self.kept.open(label) as kept:
            self._settle(kept, login, check_mode=check_mode)
            login = self._complete(login, kept.entry)
            if not check_mode:
                return self._replace(kept, login, wish)
            if kept.token is not None:
                return _result(kept.entry, changed=True, reused=True)
            return self._unkept(login, wish, check_mode=True)

    def _complete(self, login: Login, entry: Entry) -> Login:
        """Return the login, with the stored refresh token if the login needs one and has none.

        :raises ParticleError: ``invalid_credentials`` when no refresh token is stored.
        """
        if not isinstance(login, RefreshToken) or login.refresh_token is not None:
            return login
        kept = {**entry, **entry.get("next", {})}.get("refresh_token")
        if kept is None:
            message = "grant refresh_token requires refresh_token, and none is stored."
            raise ParticleError("invalid_credentials", message, hint="Give refresh_token.")
        login = replace(login, refresh_token=str(kept))
        login.teach(self.http.redact)
        return login

    def _unkept(self, login: Login, wish: Mapping[str, str], *, check_mode: bool) -> dict[str, Any]:
        if check_mode and isinstance(login, RefreshToken):
            return _result({}, changed=True, reused=False)  # a grant would use up the refresh token of the real run
        if check_mode:
            wished = int(wish.get("expires_in", 0)) or CHECK_MODE_SECONDS
            wish = {"expires_in": str(min(wished, CHECK_MODE_SECONDS))}
        grant = self._grant(login, wish)
        if check_mode:
            self.sessions.note_check_mode(grant.access_token)
        return _result(record(grant, self.http.now()), changed=True, reused=False)

    def _grant(self, login: Login, wish: Mapping[str, str]) -> Grant:
        identity = identity_of(self.http.connection, login)
        grant = self.sessions.guard(identity, lambda memory: login.obtain(self.http, wish, memory))
        # Clouds send a refresh token with every grant. Store it only for logins that use it.
        return grant if isinstance(login, RefreshToken) else replace(grant, refresh_token=None)

    def _is_good(self, entry: Entry, renew_before: float | None) -> bool:
        """Return whether a stored token is valid for long enough and the cloud still accepts it."""
        token = entry.get("access_token")
        if token is None:
            return False
        if renew_before is None:
            life = entry.get("expires_in")
            renew_before = min(_RENEW_BEFORE, life * _RENEW_SHARE) if life else _RENEW_BEFORE
        if seconds_left(entry, self.http.now()) <= renew_before:
            return False
        self.http.authorize(token)
        return is_alive(self.http)

    def _replace(self, kept: Kept, login: Login, wish: Mapping[str, str]) -> dict[str, Any]:
        """Obtain a token, verify it, store it and revoke the old one. The entry records the steps done so far."""
        kept.entry["next"] = record(self._grant(login, wish), self.http.now())
        kept.entry.pop("refresh_token", None)  # the grant has used it up
        kept.save()
        self.step("obtained")
        self.http.authorize(kept.entry["next"]["access_token"])
        if not is_alive(self.http):
            kept.drop_next()
            raise ParticleError("cloud_error", "The cloud does not accept the token that it has just issued.")
        self.step("proved")
        self._promote(kept)
        self.step("stored")
        self._end_previous(kept, login)
        return _result(kept.entry, changed=True, reused=False)

    def _promote(self, kept: Kept) -> None:
        if kept.token is not None:
            kept.entry.setdefault("previous", []).append(kept.token)
        kept.entry.update(kept.entry.pop("next"))
        kept.save()

    def _end_previous(self, kept: Kept, login: Login) -> None:
        for previous in list(kept.entry.get("previous", [])):
            # A token that cannot be revoked stays in the entry, so the next run tries again.
            if self._end(previous, login.account):
                self.step("revoked")
                kept.entry["previous"].remove(previous)
                kept.save()

    def _end(self, token: str, account: tuple[str, str] | None) -> bool:
        """Revoke an old token, and return whether it is revoked. A failure is only a warning."""
        try:
            revoke(self.http, token, account)
        except ParticleError as error:
            self.warn(f"The old token {fingerprint(token)} is not revoked yet. {error.message}")
            return False
        return True

    def _settle(self, kept: Kept, login: Login, *, check_mode: bool) -> bool:
        """Finish the rotation of an earlier run that was killed.

        :returns: whether anything was finished, or in check mode whether there is anything to finish.
        """
        begun, left = "next" in kept.entry, len(kept.entry.get("previous", []))
        if check_mode:
            return begun or left > 0
        if begun:
            self.http.authorize(kept.entry["next"]["access_token"])
            if is_alive(self.http):
                self._promote(kept)
            else:
                kept.drop_next()
        self._end_previous(kept, login)
        return begun or len(kept.entry.get("previous", [])) < left

    # --- absent ---

    def log_in(self, login: Login) -> str:
        """Return the shared token of a login, and log in first if there is none."""
        wish = {"expires_in": str(SESSION_SECONDS)}
        identity = identity_of(self.http.connection, login)
        return self.sessions.token(identity, lambda memory: login.obtain(self.http, wish, memory))

    def revoke_one(self, token: str, account: tuple[str, str] | None, *, check_mode: bool) -> dict[str, Any]:
        """Revoke ``token``. Check mode revokes only a token that check mode has obtained.

        :param account: username and password, which self-hosted clouds need to revoke a token.
        :returns: the documented result of ``access_token``.
        """
        if check_mode and not self.sessions.is_of_check_mode(token):
            self.http.authorize(token)
            return {"changed": is_alive(self.http), "fingerprint": fingerprint(token)}
        changed = revoke(self.http, token, account)
        self.sessions.forget(token)
        if self.kept is not None:
            for entry in self.kept.forget(lambda entry: entry.get("access_token") == token):
                # Revoke also what a rotation has left in the entry: it is stored nowhere else.
                begun = [entry["next"]["access_token"]] if "next" in entry else []
                for old in (*entry.get("previous", []), *begun):
                    self._end(old, account)
        return {"changed": changed, "fingerprint": fingerprint(token)}

    def revoke_every(self, token: str, account: str | None, *, check_mode: bool) -> dict[str, Any]:
        """Revoke all tokens of the account that ``token`` belongs to, including ``token``.

        :param account: the username, whose stored tokens are removed from the file; ``None`` if it is not known.
        :returns: the documented result of ``access_token``.
        """
        self.http.authorize(token)
        alive = is_alive(self.http)
        if alive and not check_mode:
            revoke_all(self.http)
            self.sessions.forget(token)
            if self.kept is not None:
                url = self.http.connection.api_url
                self.kept.forget(
                    lambda entry: (
                        entry.get("access_token") == token
                        or (entry["api_url"] == url and account is not None and entry["account"] == account)
                    )
                )
        return {"changed": alive, "fingerprint": fingerprint(token)}


def _result(entry: Entry, *, changed: bool, reused: bool) -> dict[str, Any]:
    names = ("access_token", "token_type", "expires_in", "expires_at", "fingerprint")
    refresh = {name: entry[name] for name in ("refresh_token",) if name in entry}
    return {"changed": changed, **{name: entry.get(name) for name in names}, **refresh, "reused": reused}
