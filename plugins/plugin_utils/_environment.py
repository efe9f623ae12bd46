# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the environment variables that a play, a block or a task sets. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_IS_EVALUATED: ContextVar[bool] = ContextVar("_IS_EVALUATED", default=False)
"""Whether the keyword ``environment`` is being evaluated."""


def build_environment(layers: Any, template: Callable[[Any], Any]) -> Mapping[str, str]:
    """Return the environment variables of this process, overridden by those of the keyword ``environment``.

    If a variable of the keyword contains a lookup of this collection, the lookup sees only the environment of this
    process. Otherwise, the evaluation would never end.

    :param layers: the values of the keyword, from the play to the task. Other values are ignored, because a user can
        define a variable of this name.
    :param template: a function that evaluates the templates in a value.
    """
    merged = dict(os.environ)
    if _IS_EVALUATED.get() or not isinstance(layers, list):
        return merged
    with _mark_evaluation():
        for layer in layers:
            given = template(layer)
            if isinstance(given, Mapping):
                merged.update({name: str(value) for name, value in given.items()})
    return merged


@contextmanager
def _mark_evaluation() -> Iterator[None]:
    token = _IS_EVALUATED.set(True)
    try:
        yield
    finally:
        _IS_EVALUATED.reset(token)
