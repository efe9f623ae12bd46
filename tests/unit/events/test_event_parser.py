# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source reads event streams of every form, and every event can be passed to the rule engine."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.event_source import SOURCE

DEVICE = "e00fce68aabbccddeeff0022"


def encode(name: str, fields: Any, newline: str = "\n") -> bytes:
    """Return an event as the cloud sends it."""
    data = fields if isinstance(fields, str) else json.dumps(fields)
    return f"event: {name}{newline}data: {data}{newline}{newline}".encode(errors="surrogatepass")


def parse(*chunks: bytes) -> list[dict[str, Any]]:
    """Return the keys `particle` of all events in some chunks of a stream."""
    parser = SOURCE.StreamParser()
    return [event["particle"] for chunk in chunks for event in parser.feed(chunk)]


def parse_one(name: str = "reading", **fields: Any) -> dict[str, Any]:
    """Return the key `particle` of one event."""
    (event,) = parse(encode(name, {"published_at": "2026-03-01T10:20:30.456Z", "coreid": DEVICE, **fields}))
    return event


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=20)


@given(
    st.lists(st.tuples(TEXTS, st.none() | st.text(max_size=20)), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(1, 30), max_size=20),
)
def test_events_do_not_depend_on_how_the_stream_is_split(
    events: list[tuple[str, str | None]], newline: str, sizes: list[int]
) -> None:
    # given a stream with comments and keep-alives, in chunks of any size
    stream = f":ok{newline}{newline}".encode()
    for name, data in events:
        stream += encode(f"x{name}", {"data": data}, newline) + newline.encode()
    chunks = []
    for size in sizes:
        chunks.append(stream[:size])
        stream = stream[size:]
    # then all events arrive with their data
    found = parse(*chunks, stream)
    assert [(event["name"], event["data"]) for event in found] == [(f"x{name}", data) for name, data in events]


@given(TEXTS, st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_every_event_can_be_written_as_json(name: str, value: Any) -> None:
    # given any data, also numbers and characters that the rule engine cannot process
    for fields in (
        {"data": json.dumps(value)},
        {"data": value},
        {"published_at": value, "coreid": value, "productID": value, "version": value},
    ):
        for event in parse(encode(f"x{name}", fields)):
            json.dumps(event, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("data", ["NaN", "[Infinity]", "1e999", "[-1e999]", "[" * 100_000, "not JSON", ""])
def test_data_that_is_not_json_is_still_passed_on(data: str) -> None:
    event = parse_one(data=data)
    assert (event["json"], event["data"], event["raw"]) == (None, data, data)


@pytest.mark.parametrize("data", ['{"": 1}', '[{"a": {"": 1}}]', "[" * 101 + "]" * 101])
def test_json_that_stops_the_rule_engine_is_left_out(data: str) -> None:
    event = parse_one(data=data)
    assert (event["json"], event["data"], event["raw"]) == (None, data, data)


@pytest.mark.parametrize("data", ["[" * 100 + "]" * 100, '{" ": {"a.b": [{}, []]}}'])
def test_other_json_is_passed_on(data: str) -> None:
    assert parse_one(data=data)["json"] == json.loads(data)


def test_half_of_a_character_is_replaced() -> None:
    event = parse_one(data='{"name": "\ud800"}')
    assert event["data"] == '{"name": "?"}'
    assert parse_one(data='{"name": "\\ud800"}')["json"] is None


def test_event_without_data_has_null() -> None:
    event = parse_one(data=None)
    assert (event["data"], event["json"], event["raw"]) == (None, None, None)


def test_status_of_an_update_has_no_blanks() -> None:
    event = parse_one("spark/flash/status", data="failed ")
    assert (event["data"], event["raw"]) == ("failed", "failed ")
    assert parse_one("reading", data="failed ")["data"] == "failed "


def test_numbers_can_arrive_as_texts() -> None:
    event = parse_one(productID="31337", version="42", ttl="60")
    assert (event["product"], event["version"]) == (31337, 42)


@pytest.mark.parametrize("sender", ["api", "particle-internal", "", None, 5])
def test_events_of_the_cloud_itself_have_no_device(sender: Any) -> None:
    assert parse_one(coreid=sender)["device"] is None


def test_id_of_a_device_is_in_lower_case() -> None:
    assert parse_one(coreid=DEVICE.upper())["device"] == DEVICE


def test_fields_that_are_not_an_object_are_passed_on_as_text() -> None:
    (event,) = parse(encode("reading", "[1, 2]"))
    assert (event["name"], event["raw"], event["device"]) == ("reading", "[1, 2]", None)


def test_incomplete_event_is_not_passed_on() -> None:
    assert parse(encode("reading", {"data": "1"})[:-1]) == []
    assert parse(b"event: reading\n\ndata: {}\n\n") == []


@pytest.mark.parametrize("chunk", [b"x" * 65_536, b"data: x\n" * 8192, b"data:\n" * 8192])
def test_endless_event_ends_the_stream_and_needs_little_memory(chunk: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SOURCE.StreamLostError, match="an event of more than 1048576 bytes"):
            parse(*[chunk] * 1000)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_equal_events_have_equal_ids_and_others_have_not() -> None:
    def find_id(**fields: Any) -> str:
        (event,) = SOURCE.StreamParser().feed(encode("reading", {"coreid": DEVICE, "published_at": "t", **fields}))
        return str(event["meta"]["uuid"])

    assert find_id(data="1") == find_id(data="1", ttl=5)
    others = {find_id(data="1"), find_id(data="2"), find_id(data="1", published_at="u"), find_id(coreid="api")}
    assert len(others) == 4


def test_memory_of_repeats_is_bounded() -> None:
    repeats = SOURCE.Repeats()
    events = [{"meta": {"uuid": str(number)}} for number in range(SOURCE.REMEMBERED + 1)]
    assert not any(repeats.is_repeated(event) for event in events)
    assert all(repeats.is_repeated(event) for event in events[1:])
    assert not repeats.is_repeated(events[0])
