# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define a declaration of a resource, and the change that a declaration requires. Private to this collection."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
"""One resource, with the keys and values that the cloud uses."""

Body = Mapping[str, Any]
"""The body of a request that creates or changes a resource. The body may hold secrets."""


@dataclass(frozen=True)
class Placeholder:
    """A secret that a declaration names but does not contain, such as ``{secret: DATABASE_TOKEN}``.

    An existing resource keeps the secret that it has. A new resource cannot be created without the secret.

    :param name: the name under which the user gives the secret.
    """

    name: str


@dataclass(frozen=True)
class Staged:
    """The value of a field that was edited, but not rolled out. It differs from every declared value.

    :param edited: the edited value; ``None`` if the edit removes the resource.
    :param rolled_out: the value of the last rollout, which is in use; ``None`` if the resource was not part of that
        rollout.
    """

    edited: str | None
    rolled_out: str | None

    def __str__(self) -> str:
        """Return both values as text."""
        edited = "removed" if self.edited is None else repr(self.edited)
        rolled_out = "not rolled out before" if self.rolled_out is None else f"rolled out: {self.rolled_out!r}"
        return f"{edited} (staged; {rolled_out})"


@dataclass(frozen=True)
class Declared:
    """The declaration of one resource.

    :param key: the value of the field ``Kind.key``.
    :param values: the declared settings, keyed by field name. A value may contain a :class:`Placeholder`.
    :param absent: whether the resource must be removed.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    absent: bool = False


class Action(enum.Enum):
    """The kinds of changes. Each value completes the sentence "The resource is …"."""

    NONE = "as declared"
    CREATE = "created"
    UPDATE = "changed"
    DELETE = "removed"


@dataclass(frozen=True)
class Change:
    """The change that brings one resource to its declared state.

    :param row: the observed resource; ``None`` if the resource does not exist.
    :param body: the body of the request to send.
    :param before: the changing fields with their values before the change, without secrets.
    :param after: the changing fields with their values after the change, without secrets.
    :param not_compared: paths of secrets that cannot be compared, because the cloud does not show them. An example is
        ``headers.authorization``.
    """

    declared: Declared
    action: Action
    row: Row | None = field(default=None, repr=False)
    body: Body = field(default_factory=dict, repr=False)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    not_compared: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the key of the resource."""
        return self.declared.key
