# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test faults of open event streams, the end of their tokens, and changes that become due while they are open."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from simulator_client import (
    DEMO,
    EVENTS,
    OTHER,
    TIMEOUT_SECONDS,
    WIFI,
    Cloud,
    OpenStream,
    User,
    open_stream,
    publish,
    refusal,
)

from particle_simulator import stream_faults
from particle_simulator.stream_faults import Delivery, StreamFaults

STREAMS = "/_simulator/streams"


def disturb(cloud: Cloud, **faults: Any) -> int:
    """Set faults on all open streams, and return their number."""
    answer = cloud.call("POST", STREAMS, json=faults)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["streams"])


def publish_all(user: User, names: str) -> None:
    """Publish an event for each letter."""
    for name in names:
        publish(user, name)


def wait_for_streams(cloud: Cloud, count: int) -> bool:
    """Return whether the number of open streams becomes `count` before the timeout."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while cloud.stats()["streams"] != count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ---------------------------------------------------------------------- the number of open streams


def test_stats_count_the_open_streams(demo: User, listen: OpenStream) -> None:
    assert demo.cloud.stats()["streams"] == 0
    streams = [listen(demo, EVENTS) for _unused in range(2)]
    assert demo.cloud.stats()["streams"] == 2
    streams[0].answer.close()
    assert wait_for_streams(demo.cloud, 1)


def test_refused_stream_is_not_open(demo: User) -> None:
    assert demo.call("GET", "/v1/events").status_code == 400
    assert demo.cloud.stats()["streams"] == 0


# ---------------------------------------------------------------------- cut


def test_cut_ends_all_open_streams_after_their_events(demo: User, listen: OpenStream) -> None:
    streams = [listen(demo, EVENTS) for _unused in range(3)]
    publish(demo, "before")
    assert disturb(demo.cloud, cut=True) == 3
    assert demo.cloud.stats()["streams"] == 0
    assert [stream.read_names_to_the_end() for stream in streams] == [["before"]] * 3


def test_stream_opens_again_after_a_cut_without_the_missed_events(demo: User, listen: OpenStream) -> None:
    first = listen(demo, EVENTS)
    disturb(demo.cloud, cut=True)
    assert first.read_names_to_the_end() == []
    publish(demo, "missed")
    second = listen(demo, EVENTS)
    publish(demo, "seen")
    assert second.read_names(1) == ["seen"]


def test_cut_ends_the_chunked_body_and_the_connection(demo: User) -> None:
    host, _unused, port = demo.cloud.base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as connection:
        request = f"GET {EVENTS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {demo.token}\r\n\r\n"
        connection.sendall(request.encode())
        received = b""
        while b":ok" not in received:
            received += connection.recv(4096)
        disturb(demo.cloud, cut=True)
        while chunk := connection.recv(4096):
            received += chunk
    assert received.endswith(b"\r\n0\r\n\r\n")


# ---------------------------------------------------------------------- repeat and reorder


def test_repeat_sends_the_next_events_twice(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    assert disturb(demo.cloud, repeat=2) == 1
    publish_all(demo, "abc")
    assert "".join(stream.read_names(5)) == "aabbc"


def test_repeat_counts_only_events_of_the_stream(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, f"{EVENTS}/x")
    disturb(demo.cloud, repeat=1)
    publish_all(demo, "axy")
    publish(demo, "x/last")
    assert stream.read_names(3) == ["x", "x", "x/last"]


def test_reorder_sends_the_next_events_in_reversed_order(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    disturb(demo.cloud, reorder=3)
    publish_all(demo, "abcde")
    assert "".join(stream.read_names(5)) == "cbade"


def test_end_of_a_stream_releases_the_events_held_for_reordering(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    disturb(demo.cloud, reorder=5)
    publish_all(demo, "ab")
    disturb(demo.cloud, cut=True)
    assert stream.read_names_to_the_end() == ["b", "a"]


def test_several_faults_apply_together(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    disturb(demo.cloud, repeat=1, reorder=2)
    publish_all(demo, "abc")
    assert "".join(stream.read_names(4)) == "baac"


def test_second_reorder_releases_the_events_of_the_first(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    disturb(demo.cloud, reorder=5)
    publish_all(demo, "ab")
    disturb(demo.cloud, reorder=2)
    publish_all(demo, "cd")
    assert "".join(stream.read_names(4)) == "badc"


def test_fault_does_not_affect_later_streams(demo: User, listen: OpenStream) -> None:
    earlier = listen(demo, EVENTS)
    assert disturb(demo.cloud, mute=3600, repeat=5, reorder=5) == 1
    later = listen(demo, EVENTS)
    publish_all(demo, "ab")
    assert "".join(later.read_names(2)) == "ab"
    disturb(demo.cloud, cut=True)
    assert earlier.read_names_to_the_end() == []


# ---------------------------------------------------------------------- mute


def test_events_during_a_mute_are_lost(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "before")
    assert stream.read_names(1) == ["before"]
    disturb(demo.cloud, mute=3600)
    publish(demo, "lost")
    demo.cloud.advance(7200)
    publish(demo, "also lost")
    assert demo.cloud.stats()["streams"] == 1
    disturb(demo.cloud, cut=True)
    assert stream.read_names_to_the_end() == []


def test_stream_works_again_after_a_mute(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    disturb(demo.cloud, mute=0.01)
    time.sleep(0.02)
    publish(demo, "after")
    assert stream.read_names(1) == ["after"]


def test_mute_ends_after_its_real_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stream_faults, "time", SimpleNamespace(monotonic=lambda: now))
    delivery = Delivery()
    delivery.set_faults(StreamFaults(mute=10.0))
    now = 109.9
    assert (delivery.is_muted, delivery.deliver(b"a")) == (True, [])
    now = 110.0
    assert (delivery.is_muted, delivery.deliver(b"b")) == (False, [b"b"])


def test_mute_does_not_use_up_repeats_and_reorders(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stream_faults, "time", SimpleNamespace(monotonic=lambda: now))
    delivery = Delivery()
    delivery.set_faults(StreamFaults(mute=10.0, repeat=1, reorder=2))
    assert delivery.deliver(b"a") == []
    now = 110.0
    assert (delivery.deliver(b"b"), delivery.deliver(b"c")) == ([], [b"c", b"bb"])


@pytest.mark.only_full
def test_keep_alive_is_a_bare_line_break_and_a_muted_stream_sends_none(demo: User, listen: OpenStream) -> None:
    deaf = listen(demo, EVENTS)
    disturb(demo.cloud, mute=3600)
    healthy = listen(demo, EVENTS)
    assert [next(healthy.lines) for _unused in range(2)] == [b"", b""]
    disturb(demo.cloud, cut=True)
    assert list(deaf.lines) == []


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "faults",
    [
        None,
        [],
        {},
        {"cut": False},
        {"cut": 1},
        {"mute": 0},
        {"mute": -1},
        {"mute": True},
        {"mute": "5"},
        {"mute": 86_401},
        {"repeat": 0},
        {"repeat": 1.5},
        {"repeat": True},
        {"repeat": 10_001},
        {"reorder": -1},
        {"reorder": None},
        {"cut": True, "drop": 1},
    ],
)
def test_invalid_fault_is_refused_and_changes_no_stream(demo: User, listen: OpenStream, faults: Any) -> None:
    stream = listen(demo, EVENTS)
    assert demo.cloud.call("POST", STREAMS, json=faults).status_code == 400
    publish(demo, "still here")
    assert stream.read_names(1) == ["still here"]


# ---------------------------------------------------------------------- the end of an access token

CLOSE = ("--streams-at-token-end", "close")
REVOCATIONS = {
    "itself": lambda user: user.call("DELETE", "/v1/access_tokens/current"),
    "by value": lambda user: user.cloud.call("DELETE", f"/v1/access_tokens/{user.token}"),
    "all": lambda user: user.cloud.user().call("DELETE", "/v1/access_tokens"),
}
"""Requests that revoke the token of a user."""


@pytest.fixture
def closing(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud that closes the streams of a token when the token ends."""
    return cloud_with(*CLOSE)


@pytest.mark.parametrize("how", REVOCATIONS)
def test_stream_continues_after_the_revocation_of_its_token(cloud: Cloud, listen: OpenStream, how: str) -> None:
    user = cloud.user()
    stream = listen(user, EVENTS)
    assert REVOCATIONS[how](user).status_code == 200
    publish(cloud.user(), "hello")
    assert stream.read_names(1) == ["hello"]
    with open_stream(user) as again:
        assert refusal(again) == (401, "invalid_token", "The access token provided is invalid.")


def test_stream_continues_after_its_token_has_expired(cloud: Cloud, listen: OpenStream) -> None:
    user = User(cloud, cloud.token(expires_in=60))
    stream = listen(user, EVENTS)
    cloud.advance(61)
    publish(cloud.user(), "hello")
    assert stream.read_names(1) == ["hello"]


@pytest.mark.parametrize("how", REVOCATIONS)
def test_revocation_of_a_token_closes_its_streams(closing: Cloud, listen: OpenStream, how: str) -> None:
    user, other = closing.user(), closing.user(OTHER)
    stream, unaffected = listen(user, EVENTS), listen(other, EVENTS)
    publish(user, "before")
    assert REVOCATIONS[how](user).status_code == 200
    assert stream.read_names_to_the_end() == ["before"]
    publish(other, "hello")
    assert unaffected.read_names(1) == ["hello"]


def test_password_reset_closes_the_streams_of_the_account(closing: Cloud, listen: OpenStream) -> None:
    user = closing.user()
    stream = listen(user, EVENTS)
    change = {"current_password": DEMO[1], "password": "a-new-password", "invalidate_tokens": True}
    assert user.put("/v1/user", change).status_code == 200
    assert stream.read_names_to_the_end() == []


def test_stream_closes_at_the_moment_its_token_expires(closing: Cloud, listen: OpenStream) -> None:
    user = User(closing, closing.token(expires_in=60))
    stream = listen(user, EVENTS)
    closing.advance(59)
    publish(closing.user(), "in time")
    assert closing.stats()["streams"] == 1
    closing.advance(1)
    assert closing.stats()["streams"] == 0
    assert stream.read_names_to_the_end() == ["in time"]
    with open_stream(user) as again:
        assert refusal(again) == (401, "invalid_token", "The access token provided has expired.")


def test_stream_closes_when_its_token_expires_in_real_time(
    cloud_with: Callable[..., Cloud], listen: OpenStream
) -> None:
    cloud = cloud_with(*CLOSE, "--clock", "real")
    stream = listen(User(cloud, cloud.token(expires_in=3600)), EVENTS)
    cloud.advance(3599)
    assert list(stream.lines) == []


# ---------------------------------------------------------------------- due changes


def test_due_change_is_sent_at_once_and_not_at_the_next_keep_alive(
    cloud_with: Callable[..., Cloud], listen: OpenStream
) -> None:
    user = cloud_with("--clock", "real").user()
    user.post("/v1/devices", {"id": WIFI})
    stream = listen(user, EVENTS)
    user.cloud.change_device(WIFI, powered=False)
    user.cloud.advance(49)
    assert next(stream.lines) == b"event: spark/status"
    assert b'"offline"' in next(stream.lines)
