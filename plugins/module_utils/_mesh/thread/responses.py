# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the JSON in responses of a border router. Private to this collection.

Each function raises :class:`ParticleError` with code ``bad_response`` when the JSON has another form, because a
proxy or another program on the same port can answer anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_ENDED = ("completed", "stopped", "failed")


@dataclass(frozen=True)
class Task:
    """A task of a border router.

    :param status: the state, such as ``undiscovered`` or ``completed``.
    :param result: the id of the diagnostic result; ``None`` if the task has none.
    """

    id: str
    kind: str
    status: str
    attributes: Mapping[str, Any] = field(repr=False)
    result: str | None = None

    @property
    def has_ended(self) -> bool:
        """Return whether the state of the task does not change any more."""
        return self.status in _ENDED


def read_text(data: Any) -> str:
    """Return a text."""
    return str(_check(data, str))


def read_object(data: Any) -> Mapping[str, Any]:
    """Return an object."""
    found: Mapping[str, Any] = _check(data, dict)
    return found


def read_objects(data: Any) -> list[Mapping[str, Any]]:
    """Return a list of objects."""
    return [read_object(row) for row in _check(data, list)]


def read_items(data: Any) -> list[Mapping[str, Any]]:
    """Return the items of a collection, each with an ``id``, a ``type`` and an object ``attributes``."""
    rows = read_objects(read_object(data).get("data"))
    return [{**row, "attributes": read_object(row.get("attributes") or {})} for row in rows]


def read_attributes(data: Any) -> Mapping[str, Any]:
    """Return the attributes of the only item of a response."""
    return read_object(read_object(read_object(data).get("data")).get("attributes") or {})


def read_tasks(data: Any) -> list[Task]:
    """Return the tasks of a collection."""
    return [_read_task(row) for row in read_items(data)]


def _read_task(row: Mapping[str, Any]) -> Task:
    attributes = row["attributes"]
    result: Mapping[str, Any] = row
    for key in ("relationships", "result", "data"):
        result = read_object(result.get(key) or {})
    found = str(result["id"]) if result.get("id") else None
    return Task(str(row.get("id")), str(row.get("type")), str(attributes.get("status", "")), attributes, found)


def _check(data: Any, form: type) -> Any:
    if not isinstance(data, form):
        raise ParticleError("bad_response", "The response has an unexpected form.")
    return data
