# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Events are published once, on the route of the product or of the account."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.events import NewEvent, publish
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud

MINE, PRODUCT = "/v1/devices/events", "/v1/products/31337/events"


@pytest.mark.parametrize(("product", "path"), [(None, MINE), ("31337", PRODUCT)])
def test_only_given_fields_are_sent(http: Http, scripted_cloud: ScriptedCloud, product: str | None, path: str) -> None:
    scripted_cloud.answer("POST", path, json={"ok": True}, repeat=True)
    publish(http, product, NewEvent("alarm"))
    publish(http, product, NewEvent("alarm", "", ttl=30, private=False))
    assert [seen.json for seen in scripted_cloud.seen("POST", path)] == [
        {"name": "alarm"},
        {"name": "alarm", "data": "", "ttl": 30, "private": False},
    ]


@pytest.mark.parametrize("answer", [{"effect": "reset"}, {"effect": "truncate", "json": {"ok": True}}, {"status": 502}])
def test_event_is_not_repeated_after_silence(http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, Any]) -> None:
    scripted_cloud.answer("POST", MINE, **answer)
    with pytest.raises(ParticleError) as caught:
        publish(http, None, NewEvent("alarm"))
    assert (caught.value.code, len(scripted_cloud.requests)) == ("ambiguous_write", 1)
    assert "publishes the event a second time" in caught.value.hint


def test_data_is_masked_in_a_refusal(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", MINE, 400, json={"error": "data c4nary-data is too long"})
    with pytest.raises(ParticleError) as caught:
        publish(http, None, NewEvent("alarm", "c4nary-data"))
    assert caught.value.message.endswith(
        "publish event alarm: the cloud refused the request (HTTP 400: data ******** is too long)."
    )


@pytest.mark.parametrize("name", ["", "a" * 65, "ü" * 33, "two\nlines", "two\rlines", "\ud800" * 22])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ParticleError) as caught:
        NewEvent(name).check()
    assert caught.value.code == "invalid_option"
    assert "name must be one line of 1 to 64 bytes" in caught.value.message


@pytest.mark.parametrize("name", ["a", "a" * 64, "ü" * 32, "barn/temperature 1"])
def test_valid_name_is_accepted(name: str) -> None:
    NewEvent(name).check()
