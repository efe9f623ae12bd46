# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "cloud secret" (endpoints.yml: secret_put, secrets_list). Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.secrets import (
    delete_secret,
    list_secrets,
    put_secret,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import advise_quotes, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names, show_text
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Change,
    Declared,
    Placeholder,
    Row,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

CLOUD_SECRET_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}\Z")
_USERS = {"integrations": "integration", "logic_functions": "Logic function"}
"""The words for the users of a secret, keyed by the key in a row."""


def _list_secrets(target: Target) -> list[dict[str, Any]]:
    """Return the rows of all cloud secrets, with the names of their users."""
    rows = list_secrets(target.http, target.required_product.org)
    return [{**row, **{key: _list_names(row.get(key)) for key in _USERS}} for row in rows]


def _list_names(users: Any) -> list[str]:
    """Return the names of the users of a secret. The cloud shows a user as a mapping with id and name, or as text."""
    found = users if isinstance(users, list) else []
    return [str((user.get("name") or user.get("id")) if isinstance(user, Mapping) else user) for user in found]


def _write_secret(target: Target, change: Change) -> None:
    put_secret(target.http, target.required_product.org, change.key, change.body["value"])


def _check_secret(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration, without the value."""
    mistakes = []
    if not CLOUD_SECRET_NAME.match(declared.key):
        form = "use up to 128 upper-case letters, digits and underscores, and do not begin with a digit"
        mistakes.append(f"{declared.key!r} is not a valid name: {form}")
    value = declared.values.get("value", Placeholder(""))
    if not isinstance(value, (str, Placeholder)):
        mistakes.append(f"value must be a string, got {describe_type(value)}{advise_quotes(value)}")
    return mistakes


def _refuse_removal(target: Target, row: Row) -> None:
    """Refuse to remove a cloud secret that is in use.

    :raises ParticleError: ``conflict`` when an integration or a Logic function uses the secret.
    """
    users = [f"{word} {show_text(name)}" for key, word in _USERS.items() for name in row[key]]
    if users:
        message = f"Cloud secret {row['name']} is in use: {list_names(users)}."
        raise ParticleError("conflict", message, hint="Remove the secret from them first, or keep it.")


SECRETS = Kind(
    name="secrets",
    module="secret",
    noun="cloud secret",
    key=Field("name", "name", {"type": "str"}),
    # The type of an option "str" would silently convert a number, and lose the zeros at its beginning.
    fields=(Field("value", "value", {"type": "raw", "no_log": True}, secret=True, write_only=True, required=True),),
    list_rows=_list_secrets,
    create_row=_write_secret,
    update_row=_write_secret,
    delete_row=lambda target, change: delete_secret(target.http, target.required_product.org, change.key),
    short="value",
    check=_check_secret,
    refuse_removal=_refuse_removal,
    not_prunable="Cloud secrets belong to the owner of the product, and all products of the owner share them.",
    id_key="name",
    shown=("created_at", "updated_at", "last_accessed_at", *_USERS),
)
