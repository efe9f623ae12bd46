# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "API user" (endpoints.yml: team_and_api_users). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.api_users import list_api_users
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import read_token_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.scopes import API_USER_SCOPES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.api_user_tokens import (
    NEXT,
    TokenPlace,
    TokenState,
    remove_user,
    replace_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.content_scopes import CONTENT_SCOPES
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

REPLACED = "! token will be replaced"
"""The value of ``token`` in the diff of a change that replaces the token."""

_BEGUN, _STATE = "second_users", "token_state"
"""Keys that this file adds to a row: whether a second API user exists, and the state of the token."""

_FILE = "user_token_file"
_TEXTS: Mapping[str, Any] = {"type": "list", "elements": "str"}


def _check_api_user(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    mistakes = []
    if not declared.key.strip():
        mistakes.append("name must not be empty")
    elif declared.key.endswith(NEXT):
        mistakes.append(f"names that end with {NEXT!r} are reserved for API users whose tokens are replaced")
    for option, known in (("scopes", API_USER_SCOPES), ("scopes_for", CONTENT_SCOPES)):
        given = declared.values.get(option)
        if given is not None and not given:
            mistakes.append(f"{option} must not be empty")
        for word in given or ():
            if word not in known:
                noun = "a scope of API users" if option == "scopes" else "content with known scopes"
                mistakes.append(f"{word!r} is not {noun}{suggest_similar(word, sorted(known))}")
    return mistakes


def _add_scopes(declared: Declared) -> Declared:
    """Add the scopes for the declared contents to the declared scopes."""
    contents = declared.values.get("scopes_for")
    if not contents:
        return declared
    scopes = {*(declared.values.get("scopes") or ()), *(scope for each in contents for scope in CONTENT_SCOPES[each])}
    return replace(declared, values={**declared.values, "scopes": sorted(scopes)})


def _list_rows(target: Target) -> list[Row]:
    """Return the API users of the product.

    A second API user, which an interrupted replacement of a token has left, has no row of its own. It is noted in the
    row of the API user whose token is replaced, or takes the place of this API user if it is already removed.
    """
    rows = list_api_users(target.http, target.required_product.id)
    begun = {str(row["friendly_name"]).removesuffix(NEXT): row for row in rows if row["friendly_name"].endswith(NEXT)}
    named = [row for row in rows if not row["friendly_name"].endswith(NEXT)]
    left = begun.keys() - {row["friendly_name"] for row in named}
    named += [{**begun[name], "friendly_name": name} for name in sorted(left)]
    return [{**row, _BEGUN: row["friendly_name"] in begun} for row in named]


def _find_place(target: Target, declared: Declared) -> TokenPlace:
    path = declared.values.get(_FILE)
    return TokenPlace(target, declared.key, None if path is None else Path(path).expanduser())


def _observe_token(target: Target, declared: Declared, row: Row) -> Row:
    """Add the state of the token to a row."""
    state = _find_place(target, declared).read_state(str(row["username"]), has_second=row[_BEGUN])
    return {**row, _STATE: state}


def _revise(change: Change, just_written: bool) -> Change:
    """Turn a change into one that replaces the token, if the declaration or the state of the token requires it.

    :raises ParticleError: ``conflict`` when a declared token file does not contain the token of an existing API user.
    """
    if change.row is None or change.declared.absent:
        return change
    rotates = bool(change.declared.values.get("rotate")) and not just_written
    state = change.row[_STATE]
    if change.action is Action.NONE and not rotates and state is TokenState.UNKNOWN:
        message = (
            f"API user {change.key} exists, but {_FILE} does not contain its token, and the cloud shows a "
            "token only once."
        )
        raise ParticleError("conflict", message, hint="Name the file that contains the token, or set rotate to true.")
    if change.action is Action.NONE and not rotates and state is TokenState.KEPT:
        return change
    before, after = {**change.before, "token": None}, {**change.after, "token": REPLACED}
    return replace(change, action=Action.UPDATE, before=before, after=after)


def _replace_token(target: Target, change: Change) -> Mapping[str, str]:
    scopes = change.body.get("scopes") or (change.row or {}).get("scopes", ())
    return replace_token(_find_place(target, change.declared), scopes)


def _refuse_own_user(target: Target, row: Row) -> None:
    """Refuse to change or remove the API user whose token the run uses. Its token would stop working during the run.

    The cloud shows only the scopes of a token, and not its username. The token of a person has no scopes.

    :raises ParticleError: ``conflict`` when the token of the run has the scopes of the API user.
    """
    scopes = (read_token_facts(target.http) or {}).get("scopes")
    if scopes and set(scopes) == set(row["scopes"]):
        name = row["friendly_name"]
        message = f"This task may use the token of API user {name}, because this token has the scopes of {name}."
        raise ParticleError("conflict", message, hint="Use the token of a person, or username and password.")


def _refuse_own_change(target: Target, change: Change) -> None:
    """Refuse a change of the API user whose token the run uses; see :func:`_refuse_own_user`."""
    if change.action is Action.UPDATE and change.row is not None:
        _refuse_own_user(target, change.row)


API_USERS = Kind(
    name="api_users",
    module="api_user",
    noun="API user",
    key=Field("name", "friendly_name", {"type": "str"}),
    fields=(
        Field("scopes", "scopes", _TEXTS, required=True, normalize=lambda scopes: sorted(set(scopes))),
        Field("scopes_for", "scopes_for", {**_TEXTS, "choices": sorted(CONTENT_SCOPES)}, local=True),
        Field(_FILE, _FILE, {"type": "path", "no_log": False}, local=True),
        Field("rotate", "rotate", {"type": "bool"}, local=True),
    ),
    list_rows=_list_rows,
    create_row=_replace_token,
    update_row=_replace_token,
    delete_row=lambda target, change: remove_user(_find_place(target, change.declared)),
    check=_check_api_user,
    complete=_add_scopes,
    observe=_observe_token,
    revise=_revise,
    refuse_existing=_refuse_own_change,
    refuse_removal=_refuse_own_user,
    secret_file=_FILE,
    id_key="username",
)
