# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Responses of border routers are read, and any other JSON is an error instead of a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.responses import (
    Task,
    read_attributes,
    read_items,
    read_objects,
    read_tasks,
    read_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "attributes", "id", "result"]), inner),
    max_leaves=8,
)


@given(JSON)
@pytest.mark.parametrize("read", [read_text, read_objects, read_items, read_attributes, read_tasks])
def test_unexpected_json_causes_no_crash(read: Callable[[Any], Any], data: Any) -> None:
    with suppress(ParticleError):  # any other exception would fail the test
        read(data)


@pytest.mark.parametrize("data", [None, 5, "text", [5], {"data": 5}, {"data": [5]}, {"data": [{"attributes": 5}]}])
def test_other_form_of_json_is_reported(data: Any) -> None:
    with pytest.raises(ParticleError) as caught:
        read_tasks(data)
    assert (caught.value.code, caught.value.message) == ("bad_response", "The response has an unexpected form.")


def test_tasks_are_read_with_their_state_and_result() -> None:
    attributes = {"status": "completed", "eui": "18b4300000000001"}
    done = {"id": 1, "type": "joiner", "attributes": attributes, "relationships": {"result": {"data": {"id": 7}}}}
    waiting = {"id": "2", "type": "joiner", "attributes": {"status": "undiscovered"}, "relationships": None}
    first, second, third = read_tasks({"data": [done, waiting, {"id": "3", "type": "x"}]})
    assert first == Task("1", "joiner", "completed", attributes, "7")
    assert (second.id, second.status, second.has_ended, second.result) == ("2", "undiscovered", False, None)
    assert (third.kind, third.status, third.attributes) == ("x", "", {})


@pytest.mark.parametrize("status", ["completed", "stopped", "failed", "attempted", "pending"])
def test_task_has_ended_in_its_last_states(status: str) -> None:
    assert Task("1", "joiner", status, {}).has_ended is (status in ("completed", "stopped", "failed"))


def test_attributes_of_the_only_item_are_read() -> None:
    assert read_attributes({"data": {"attributes": {"a": 1}}}) == {"a": 1}
    assert read_attributes({"data": {}}) == {}
    assert read_items({"data": [{"id": "1"}]}) == [{"id": "1", "attributes": {}}]
    assert (read_text("leader"), read_objects([{}])) == ("leader", [{}])
