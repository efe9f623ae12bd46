# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the option ``confirm``, with which users allow changes that do harm if they are a mistake. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import join_words, suggest_similar

REMOVALS = "removals"
"""The word that confirms any number of removals."""


def read_confirm(value: Any, words: Sequence[str], if_true: Sequence[str] = (REMOVALS,)) -> frozenset[str]:
    """Return the words that the option ``confirm`` contains.

    :param value: the value of the option: a boolean, a list of words, or words that are separated by commas.
    :param words: the words that the module knows.
    :param if_true: the words that ``true`` stands for. Each other kind of change must be named.
    :raises ParticleError: ``invalid_option`` when the value contains anything else.
    """
    items = value.split(",") if isinstance(value, str) else value
    given = [str(item).strip() for item in items] if isinstance(items, (list, tuple)) else [str(value)]
    unknown = [word for word in given if word not in words]
    if not unknown:
        return frozenset(given)
    try:
        return frozenset(if_true if boolean(value) else ())
    except TypeError:
        wrong = ", ".join(f"{word!r}{suggest_similar(word, words)}" for word in unknown)
        message = f"confirm must be true, false or a list of {join_words(words)}, got {wrong}."
        raise ParticleError("invalid_option", message, hint="Correct confirm.") from None
