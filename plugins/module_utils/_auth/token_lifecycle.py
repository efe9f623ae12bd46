# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an access token into the declared state: present, rotated or absent. Private to this collection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, revoke_all
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.grants import (
    GrantAttempt,
    get_shared_token,
    open_attempt,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import is_of_account
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import hash_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    is_token_valid,
    revoke_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import (
    Entry,
    Label,
    LockedEntry,
    TokenStore,
    build_entry,
    compute_seconds_left,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifetime import (
    describe_other_lifetime,
    fits_request,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import is_same_cloud

CHECK_MODE_SECONDS = 15 * 60
"""The maximum lifetime of an access token that check mode obtains, in seconds."""

_RENEW_BEFORE = 7 * DAY
_RENEW_SHARE = 0.10


@dataclass
class Tokens:
    """The operations that obtain, rotate and revoke access tokens.

    :param http: the HTTP client for the cloud.
    :param sessions: the store of shared logins and of failed logins.
    :param store: the tokens in the file that the option ``token_file`` names; ``None`` if tokens are not stored.
    :param warn: a function that shows a warning to the user.
    :param note_step: a function that is called after each step of a rotation, with the name of the step.
    :param is_temporary: whether the play is expected to revoke the tokens that are not stored.
    """

    http: Http
    sessions: SessionStore
    store: TokenStore | None
    warn: Callable[[str], None]
    note_step: Callable[[str], None] = lambda name: None
    is_temporary: bool = False
    _held: list[GrantAttempt] = field(default_factory=list, init=False, repr=False)

    # --- present and rotated ---

    def ensure_present(
        self, login: Login, label: Label, lifetime: Mapping[str, str], renew_before: float | None, *, check_mode: bool
    ) -> dict[str, Any]:
        """Return the stored access token if it stays valid for long enough. Otherwise return a new access token.

        :param lifetime: the form fields that request a lifetime for a new token, such as ``{"expires_in": "3600"}``. A
            stored token is replaced if its lifetime is far from the requested one.
        :param renew_before: a stored token is replaced if the token expires within this many seconds. The default is 7
            days or a tenth of the lifetime of the token, whichever is shorter.
        :returns: the documented result of module ``access_token``, including the token.
        """
        if self.store is None:
            return self._obtain_unstored(self._add_refresh_token(login, {}), lifetime, check_mode=check_mode)
        with self.store.lock_entry(label) as kept:
            settled = self._finish_rotation(kept, login, check_mode=check_mode)
            fits = fits_request(kept.entry, lifetime, self.http.now())
            if fits and self._is_usable(kept.entry, renew_before):
                return _build_result(kept.entry, changed=settled, reused=True)
            if kept.token is not None and not fits and compute_seconds_left(kept.entry, self.http.now()) > 0:
                self._warn_about_other_lifetime(kept.token, label)
            login = self._add_refresh_token(login, kept.entry)
            if check_mode:
                return self._obtain_unstored(login, lifetime, check_mode=True)
            return self._replace_token(self.store, kept, login, lifetime)

    def _warn_about_other_lifetime(self, token: str, label: Label) -> None:
        """Warn that a stored token is replaced because of its lifetime. Another task may have obtained the token."""
        self.warn(
            f"The stored token {compute_fingerprint(token)} with purpose {label.purpose!r} is replaced and revoked, "
            "because the task requests another lifetime. If another task uses that token, give each of the tasks a "
            "purpose of its own."
        )

    def rotate(self, login: Login, label: Label, lifetime: Mapping[str, str], *, check_mode: bool) -> dict[str, Any]:
        """Replace the stored access token with a new token. Verify the new token, then revoke the old token.

        :param lifetime: the form fields that request a lifetime for the new token, such as ``{"expires_in": "3600"}``.
        :returns: the documented result of module ``access_token``, including the token.
        :raises ParticleError: ``invalid_option`` when tokens are not stored in a file.
        """
        if self.store is None:
            message = "State rotated requires token_file."
            raise ParticleError("invalid_option", message, hint="Set token_file to the file that stores the token.")
        with self.store.lock_entry(label) as kept:
            self._finish_rotation(kept, login, check_mode=check_mode)
            login = self._add_refresh_token(login, kept.entry)
            if not check_mode:
                return self._replace_token(self.store, kept, login, lifetime)
            if kept.token is not None:
                return _build_result(kept.entry, changed=True, reused=True)
            return self._obtain_unstored(login, lifetime, check_mode=True)

    def _add_refresh_token(self, login: Login, entry: Entry) -> Login:
        """Return ``login``. If ``login`` lacks a required refresh token, add the refresh token from ``entry``.

        :raises ParticleError: ``invalid_option`` when ``login`` lacks a required refresh token, and ``entry`` contains
            no refresh token.
        """
        if not isinstance(login, RefreshToken) or login.refresh_token is not None:
            return login
        kept = {**entry, **entry.get("next", {})}.get("refresh_token")
        if kept is None:
            message = "The grant refresh_token requires refresh_token, because token_file contains no refresh token."
            raise ParticleError("invalid_option", message, hint="Give refresh_token.")
        login = replace(login, refresh_token=str(kept))
        login.mask_secrets(self.http.redact)
        return login

    def _obtain_unstored(self, login: Login, lifetime: Mapping[str, str], *, check_mode: bool) -> dict[str, Any]:
        """Obtain a token that no file stores. If a later step fails, :meth:`hand_over` revokes the token."""
        if check_mode and isinstance(login, RefreshToken):
            return _build_result(
                {}, changed=True, reused=False
            )  # a request would use up the refresh token that the real run needs
        if check_mode:
            seconds = int(lifetime.get("expires_in", 0)) or CHECK_MODE_SECONDS
            lifetime = {"expires_in": str(min(seconds, CHECK_MODE_SECONDS))}
        with open_attempt(self.http, login, lifetime, self.sessions) as attempt:
            grant = self._obtain_grant(login, attempt)
            attempt.hold(is_temporary=self.is_temporary or check_mode)
            if check_mode:
                self.sessions.note_check_mode(grant.access_token)
            result = _build_result(build_entry(grant, self.http.now()), changed=True, reused=False)
            self._held.append(attempt)
        return result

    def _obtain_grant(self, login: Login, attempt: GrantAttempt) -> Grant:
        identity = identify_login(self.http.connection, login)
        grant = self.sessions.obtain_grant(identity, attempt.request)
        warning = describe_other_lifetime(grant.expires_in, attempt.lifetime, self.http.now())
        if warning is not None:
            self.warn(warning)
        # Clouds send a refresh token with every access token. Keep the refresh token only for logins that use one.
        return grant if isinstance(login, RefreshToken) else replace(grant, refresh_token=None)

    @contextlib.contextmanager
    def hand_over(self) -> Iterator[None]:
        """Return the tokens that the ``with`` block obtains to the play. If the block fails, revoke them."""
        try:
            yield
            for attempt in self._held:
                attempt.hand_over()
        except BaseException:
            for attempt in self._held:
                with contextlib.suppress(ParticleError):  # the record lists the token as orphaned
                    attempt.revoke()
            raise

    def _is_usable(self, entry: Entry, renew_before: float | None) -> bool:
        """Return whether a stored access token stays valid for long enough and the cloud still accepts the token."""
        token = entry.get("access_token")
        if token is None:
            return False
        if renew_before is None:
            life = entry.get("expires_in")
            renew_before = min(_RENEW_BEFORE, life * _RENEW_SHARE) if life else _RENEW_BEFORE
        if compute_seconds_left(entry, self.http.now()) <= renew_before:
            return False
        self.http.use_token(token)
        return is_token_valid(self.http)

    def _replace_token(
        self, store: TokenStore, locked: LockedEntry, login: Login, lifetime: Mapping[str, str]
    ) -> dict[str, Any]:
        """Obtain a new access token, verify it, store it, and revoke the old token.

        The entry records which of these steps are done.
        """
        locked.check_space()  # before the request, because a token that cannot be stored must not be obtained
        with open_attempt(self.http, login, lifetime, self.sessions, store.path) as attempt:
            entry = build_entry(self._obtain_grant(login, attempt), self.http.now())
            locked.entry["next"] = {**entry, "requested": dict(lifetime)}
            locked.entry.pop("refresh_token", None)  # the request has used up the old refresh token
            locked.save()
            attempt.settle()
        self.note_step("obtained")
        self.http.use_token(locked.entry["next"]["access_token"])
        if not is_token_valid(self.http):
            locked.drop_next()
            raise ParticleError("cloud_error", "The cloud does not accept the token that it has just issued.")
        self.note_step("proved")
        self._promote_next(locked)
        self.note_step("stored")
        self._revoke_previous(locked, login)
        return _build_result(locked.entry, changed=True, reused=False)

    def _promote_next(self, locked: LockedEntry) -> None:
        if locked.token is not None:
            locked.entry.setdefault("previous", []).append(locked.token)
        locked.entry.update(locked.entry.pop("next"))
        locked.save()

    def _revoke_previous(self, locked: LockedEntry, login: Login) -> None:
        for previous in list(locked.entry.get("previous", [])):
            # If a token cannot be revoked, the token stays in the entry, and the next run tries again.
            if self._try_to_revoke(previous, login.account):
                self.note_step("revoked")
                locked.entry["previous"].remove(previous)
                locked.save()

    def _try_to_revoke(self, token: str, account: tuple[str, str] | None) -> bool:
        """Revoke an old access token. Return whether the revocation succeeded. A failure causes only a warning."""
        try:
            self._revoke(token, account)
        except ParticleError as error:
            self.warn(f"The old token {compute_fingerprint(token)} could not be revoked. {error.message}")
            return False
        return True

    def _revoke(self, token: str, account: tuple[str, str] | None) -> bool:
        """Revoke an access token, and remove the record of its request. Return whether the token was valid before."""
        was_valid = revoke_token(self.http, token, account)
        self.sessions.requests.remove(lambda record: record.token_hash == hash_token(token))
        return was_valid

    def _finish_rotation(self, locked: LockedEntry, login: Login, *, check_mode: bool) -> bool:
        """Finish a rotation that an earlier run began but did not finish. In check mode, change nothing.

        :returns: whether steps of the rotation were finished; in check mode, whether steps are left to finish.
        """
        begun, left = "next" in locked.entry, len(locked.entry.get("previous", []))
        if check_mode:
            return begun or left > 0
        if begun:
            self.http.use_token(locked.entry["next"]["access_token"])
            if is_token_valid(self.http):
                self._promote_next(locked)
            else:
                locked.drop_next()
        self._revoke_previous(locked, login)
        return begun or len(locked.entry.get("previous", [])) < left

    # --- absent ---

    def log_in(self, login: Login) -> str:
        """Return the shared access token of a login. If no shared token exists, log in first."""
        return get_shared_token(self.http, login, self.sessions)

    def revoke_one(self, token: str, account: tuple[str, str] | None, *, check_mode: bool) -> dict[str, Any]:
        """Revoke the access token ``token``. In check mode, revoke only tokens that check mode obtained.

        :param account: username and password. Self-hosted clouds require both to revoke a token.
        :returns: the documented result of module ``access_token``.
        """
        if check_mode and not self.sessions.is_of_check_mode(token):
            self.http.use_token(token)
            return {"changed": is_token_valid(self.http), "fingerprint": compute_fingerprint(token)}
        changed = self._revoke(token, account)
        self.sessions.forget_token(token)
        if self.store is not None:
            for entry in self.store.forget_entries(lambda entry: entry.get("access_token") == token):
                # Also revoke the tokens that an unfinished rotation left in the entry. They are stored nowhere else.
                begun = [entry["next"]["access_token"]] if "next" in entry else []
                for old in (*entry.get("previous", []), *begun):
                    self._try_to_revoke(old, account)
        return {"changed": changed, "fingerprint": compute_fingerprint(token)}

    def revoke_all_tokens(self, token: str, account: str | None, *, check_mode: bool) -> dict[str, Any]:
        """Revoke all access tokens of an account. In check mode, revoke nothing.

        :param token: an access token of the account. This token is revoked too.
        :param account: the username of the account; ``None`` if not known. The tokens that are stored for this
            username are removed from the token file.
        :returns: the documented result of module ``access_token``.
        """
        self.http.use_token(token)
        alive = is_token_valid(self.http)
        if alive and not check_mode:
            revoke_all(self.http)
            self.sessions.forget_token(token)
            self._forget_records(token, account)
            if self.store is not None:
                url = self.http.connection.api_url
                self.store.forget_entries(
                    lambda entry: (
                        entry.get("access_token") == token
                        or (
                            account is not None and entry["account"] == account and is_same_cloud(entry["api_url"], url)
                        )
                    )
                )
        return {"changed": alive, "fingerprint": compute_fingerprint(token)}

    def _forget_records(self, token: str, account: str | None) -> None:
        """Remove the records of ``token`` and of all tokens of ``account`` on this cloud."""
        self.sessions.requests.remove(
            lambda record: (
                record.token_hash == hash_token(token)
                or (bool(account) and record.account == account and is_of_account(record, self.http, account))
            )
        )


def _build_result(entry: Entry, *, changed: bool, reused: bool) -> dict[str, Any]:
    names = ("access_token", "token_type", "expires_in", "expires_at", "fingerprint")
    refresh = {name: entry[name] for name in ("refresh_token",) if name in entry}
    return {"changed": changed, **{name: entry.get(name) for name in names}, **refresh, "reused": reused}
