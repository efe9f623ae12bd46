# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create API users, and replace their tokens, so that an interrupted run can be continued. Private to this collection.

The cloud shows the token of an API user only once, and a change of its scopes revokes the old token at once
(endpoints.yml: api_user_update). A replacement therefore has six steps. First, a second API user is created under the
name with :data:`NEXT`. Second, its token is stored as ``next`` in the token file. Third, the token is verified. Fourth,
the token becomes the current token in the file. Fifth, the old API user is removed. Sixth, the second API user gets the
name without :data:`NEXT`. A run that finds a second API user continues with the first step that is missing. If the
token of the second API user is not stored, its token is lost, and the run begins again.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.api_users import (
    NewApiUser,
    create_api_user,
    list_api_users,
    remove_api_user,
    rename_api_user,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, get_current_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import (
    Entry,
    Label,
    LockedEntry,
    TokenStore,
    build_entry,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_in_doubt
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES

NEXT = " (next)"
"""The end of the name of the second API user, which exists only while a token is replaced."""

_CLIENT = "api user"
"""The client in the label of an entry. The token of an API user belongs to no OAuth client."""


class TokenState(enum.Enum):
    """The states of the token of an API user. Each value completes the sentence "The token is …"."""

    KEPT = "in the token file and valid, or no token file is declared"
    UNKNOWN = "not in the token file"
    LOST = "not in the token file, because the run that created the API user was interrupted"
    REFUSED = "in the token file, but not valid"
    UNFINISHED = "being replaced, because the run that replaced it was interrupted"


@dataclass(frozen=True)
class TokenPlace:
    """The API user whose token is stored, and the file in which it is stored.

    :param name: the friendly name of the API user.
    :param path: the path of the token file; ``None`` if the token is returned instead of stored.
    """

    target: Target
    name: str
    path: Path | None

    @property
    def label(self) -> Label:
        """The label of the entry in the token file. A task finds the token by the friendly name as its username."""
        product = self.target.required_product.id
        return Label(self.target.http.connection.api_url, self.name, _CLIENT, f"product {product}")

    def read_state(self, username: str, *, has_second: bool) -> TokenState:
        """Return what is known about the token of an API user. Nothing is changed, neither in the cloud nor in a file.

        :param username: the username of the API user that has the name.
        :param has_second: whether a second API user exists.
        :raises ParticleError: ``unsafe_file`` when other users can read the file, or when the file is damaged.
        """
        if has_second:
            return TokenState.UNFINISHED
        if self.path is None:
            return TokenState.KEPT
        entry = TokenStore(self.path).find_entry(self.label)
        if entry is None:
            return TokenState.UNKNOWN
        if entry.get("next", {}).get("username") == username:
            return TokenState.UNFINISHED
        if "access_token" not in entry:
            return TokenState.LOST
        if entry.get("username") != username:
            return TokenState.UNKNOWN
        return TokenState.KEPT if _is_accepted(self.target, entry["access_token"]) else TokenState.REFUSED

    def forget(self) -> None:
        """Remove the entry from the token file, if there is one."""
        if self.path is not None:
            TokenStore(self.path).forget_entries(self.label.matches)

    @contextlib.contextmanager
    def open_tokens(self) -> Iterator[_Tokens]:
        """Lock the token file, and yield its entry for the API user."""
        if self.path is None:
            yield _Tokens({name: getattr(self.label, name) for name in ("account", "purpose")})
            return
        with TokenStore(self.path).lock_entry(self.label) as locked:
            yield _Tokens(locked.entry, locked)


@dataclass
class _Tokens:
    """The current token and the next token of an API user, in memory and in the token file.

    :param entry: the entry of the token file. Its key ``username`` names the API user of the token.
    """

    entry: Entry = field(repr=False)
    _locked: LockedEntry | None = field(default=None, repr=False)

    @property
    def is_stored(self) -> bool:
        """Whether the tokens are stored in a file."""
        return self._locked is not None

    def save(self) -> None:
        """Write the entry to the file, if there is a file."""
        if self._locked is not None:
            self._locked.save()

    def prepare(self) -> None:
        """Note in the file that an API user is about to be created, and check that the file has room for its token."""
        if self._locked is not None:
            self._locked.check_space()
            self._locked.save()

    def cancel(self) -> None:
        """Remove the note of :meth:`prepare`, unless the entry contains a token."""
        if self._locked is not None and not {"access_token", "next"} & self.entry.keys():
            self._locked.remove()

    def store_next(self, user: NewApiUser, now: float) -> None:
        """Store the token of a new API user as the next token. The token of an API user never expires."""
        grant = Grant(user.token, "bearer", 0)
        self.entry["next"] = {**build_entry(grant, now), "username": user.username}
        self.save()

    def promote_next(self) -> None:
        """Make the next token the current token."""
        self.entry.update(self.entry.pop("next"))
        self.save()

    def drop_next(self) -> None:
        """Remove the next token."""
        self.entry.pop("next", None)
        self.save()


def replace_token(place: TokenPlace, scopes: Sequence[str]) -> dict[str, str]:
    """Give the API user of ``place`` these scopes and a new token. Create the API user if it does not exist.

    If an earlier run was interrupted after it stored a new token, this run only finishes its work.

    :returns: ``{"token": ...}`` if the token is not stored in a file, otherwise an empty mapping.
    :raises ParticleError: ``twins`` when several API users have the name; ``cloud_error`` when the cloud does not
        accept the new token; ``unsafe_file`` when the file cannot be used.
    """
    target = place.target
    with place.open_tokens() as tokens:
        users = _list_users(place)
        username = _find_begun_user(target, tokens, users, scopes)
        if username is None:
            username = _create_user(place, tokens, users, scopes)
        if "next" in tokens.entry:
            tokens.promote_next()
        for other in users:
            if other["username"] != username:
                _remove_user(place, str(other["username"]))
        if _needs_name(place, users, username):
            shown = _rename_user(place, username)
            if shown not in (None, tokens.entry["access_token"]):  # a new name may change the token
                tokens.store_next(NewApiUser(username, str(shown)), target.http.now())
                tokens.promote_next()
        return {} if tokens.is_stored else {"token": tokens.entry["access_token"]}


def remove_user(place: TokenPlace) -> None:
    """Remove an API user and the second API user of an interrupted run. Forget the stored token."""
    for user in _list_users(place):
        _remove_user(place, str(user["username"]))
    place.forget()


def _list_users(place: TokenPlace) -> list[dict[str, Any]]:
    """Return the API users that have the name, with or without :data:`NEXT`.

    :raises ParticleError: ``twins`` when several API users have the name.
    """
    rows = list_api_users(place.target.http, place.target.required_product.id)
    users = [row for row in rows if row["friendly_name"] in (place.name, place.name + NEXT)]
    named = sorted(str(row["username"]) for row in users if row["friendly_name"] == place.name)
    if len(named) > 1:
        raise ParticleError("twins", f"{len(named)} API users are called {place.name}: {' and '.join(named)}.")
    return users


def _needs_name(place: TokenPlace, users: Sequence[dict[str, Any]], username: str) -> bool:
    """Return whether an API user still has the name with :data:`NEXT`. A user that is not in the list is new."""
    found = next((row for row in users if row["username"] == username), None)
    if found is None:
        return any(row["friendly_name"] == place.name for row in users)
    return bool(found["friendly_name"] != place.name)


def _find_begun_user(
    target: Target, tokens: _Tokens, users: Sequence[dict[str, Any]], scopes: Sequence[str]
) -> str | None:
    """Return the username of an API user that an interrupted run created, and whose token is stored and works.

    A stored next token without such an API user is removed.
    """
    for stored, is_next in ((tokens.entry.get("next"), True), (tokens.entry, False)):
        username = (stored or {}).get("username")
        user = next((row for row in users if row["username"] == username), None)
        if stored is None or user is None or not (is_next or user["friendly_name"].endswith(NEXT)):
            continue
        if set(user["scopes"]) == set(scopes) and _is_accepted(target, stored["access_token"]):
            return str(username)
    if "next" in tokens.entry:
        tokens.drop_next()
    return None


def _create_user(place: TokenPlace, tokens: _Tokens, users: Sequence[dict[str, Any]], scopes: Sequence[str]) -> str:
    """Create an API user, store its token as the next token and verify it. Return the username.

    If a step fails before the token is stored, the new API user is removed again.
    """
    target, has_old = place.target, any(row["friendly_name"] == place.name for row in users)
    name = place.name + NEXT if has_old else place.name
    tokens.prepare()
    try:
        user = create_api_user(target.http, target.required_product.id, name, scopes)
    except ParticleError as error:
        if error.code == "ambiguous_write":
            _remove_lost_users(place, name, {str(row["username"]) for row in users})
        tokens.cancel()
        raise
    with _remove_user_on_failure(place, user.username):
        tokens.store_next(user, target.http.now())
    # With a file, the next run continues with the stored token.
    with contextlib.nullcontext() if tokens.is_stored else _remove_user_on_failure(place, user.username):
        is_accepted = _is_accepted(target, user.token)
    if not is_accepted:
        with _remove_user_on_failure(place, user.username):
            raise ParticleError("cloud_error", f"The cloud does not accept the token that it has issued for {name}.")
    return user.username


@contextlib.contextmanager
def _remove_user_on_failure(place: TokenPlace, username: str) -> Iterator[None]:
    """Remove a new API user if the ``with`` block fails, because its token would be lost.

    :raises ParticleError: the error of the block. If the API user cannot be removed, the error names it.
    """
    try:
        yield
    except BaseException as error:
        try:
            _remove_user(place, username)
        except ParticleError as left:
            cause = error.message if isinstance(error, ParticleError) else f"The run ended with {type(error).__name__}."
            message = f"{cause} The new API user {username} remains, but its token is lost. {left.message}"
            raise ParticleError(left.code, message, hint=f"Remove {username} in the console, and run again.") from None
        raise


def _remove_lost_users(place: TokenPlace, name: str, known: Collection[str]) -> None:
    """Remove API users that a request has created whose response was lost. Their tokens are not known.

    :param name: the name in the request.
    :param known: the usernames from the last list.
    """
    for row in list_api_users(place.target.http, place.target.required_product.id):
        if row["friendly_name"] == name and row["username"] not in known:
            _remove_user(place, str(row["username"]))


def _remove_user(place: TokenPlace, username: str) -> None:
    """Remove an API user. If the result is unknown, read the list of API users to find out."""
    http, product = place.target.http, place.target.required_product.id
    try:
        remove_api_user(http, product, username)
    except ParticleError as error:
        if not is_in_doubt(error) or any(row["username"] == username for row in list_api_users(http, product)):
            raise


def _rename_user(place: TokenPlace, username: str) -> str | None:
    """Give an API user its name without :data:`NEXT`. If the result is unknown, read the list to find out.

    :returns: the token in the response; ``None`` if the response contains no token.
    """
    http, product = place.target.http, place.target.required_product.id
    try:
        return rename_api_user(http, product, username, place.name)
    except ParticleError as error:
        if not is_in_doubt(error):
            raise
        rows = list_api_users(http, product)
        if not any(row["username"] == username and row["friendly_name"] == place.name for row in rows):
            raise
    return None


def _is_accepted(target: Target, token: str) -> bool:
    """Return whether the cloud accepts the access token of an API user."""
    target.http.redact.add_secret(token)
    try:
        get_current_token(target.http, token)
    except ParticleError as error:
        if error.code in REFUSED_TOKEN_CODES:
            return False
        if error.code != "missing_scope":  # the cloud checks the token before it checks the scopes
            raise
    return True
