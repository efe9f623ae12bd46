# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Users confirm removals by a boolean, and each other kind of change by its name."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm

WORDS = ("removals", "sim_release")


@pytest.mark.parametrize(
    ("value", "confirmed"),
    [
        ([], set()),
        (False, set()),
        ("no", set()),
        (True, {"removals"}),
        ("true", {"removals"}),
        ("sim_release", {"sim_release"}),
        ("removals, sim_release", {"removals", "sim_release"}),
        (["removals", "sim_release"], {"removals", "sim_release"}),
    ],
)
def test_confirmation_is_a_boolean_or_a_list_of_words(value: Any, confirmed: set[str]) -> None:
    assert read_confirm(value, WORDS) == confirmed


def test_module_decides_which_words_true_stands_for() -> None:
    assert read_confirm(True, WORDS, WORDS) == set(WORDS)
    assert read_confirm(False, WORDS, WORDS) == set()


@pytest.mark.parametrize("value", ["sim_releases", ["sim_releases"], ["removals", "sim_releases"], [True], {"a": 1}, 7])
def test_unknown_confirmation_is_refused(value: Any) -> None:
    with pytest.raises(
        ParticleError, match="confirm must be true, false or a list of removals or sim_release"
    ) as caught:
        read_confirm(value, WORDS)
    assert caught.value.code == "invalid_option"


def test_similar_word_is_suggested() -> None:
    with pytest.raises(ParticleError, match="'sim_releases' \\(did you mean sim_release\\?\\)"):
        read_confirm(["sim_releases"], WORDS)
