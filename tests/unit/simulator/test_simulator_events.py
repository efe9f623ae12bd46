# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Event streams and what comes through them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, PRODUCT, TIMEOUT_SECONDS, Cloud, User, started

EVENTS = "/v1/devices/events"
PRODUCT_EVENTS = f"{PRODUCT}/events"


class Open:
    """One open stream."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.answer = answer
        self.lines = answer.iter_lines(chunk_size=1)
        assert next(self.lines) == b":ok"
        assert next(self.lines) == b""

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event: name and data."""
        name = ""
        for line in self.lines:
            field, _unused, value = line.decode().partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, json.loads(value)
        raise AssertionError("the stream has ended")


Opener = Callable[[User, str], Open]


@pytest.fixture
def listen() -> Iterator[Opener]:
    """Opens streams, each on a connection of its own, and closes them with the test."""
    with ExitStack() as stack:

        def listen(user: User, path: str) -> Open:
            answer = requests.get(
                user.cloud.base + path,
                headers={"Authorization": f"Bearer {user.token}"},
                stream=True,
                timeout=TIMEOUT_SECONDS,
                proxies={"http": "", "https": ""},
            )
            stack.callback(answer.close)
            return Open(answer)

        yield listen


def publish(user: User, name: str, data: str = "", **more: Any) -> None:
    answer = user.post(more.pop("path", EVENTS), {"name": name, "data": data, **more})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


def test_given_a_stream_then_it_is_an_event_stream_and_counts_as_one_request(demo: User, listen: Opener) -> None:
    before = demo.cloud.stats()["requests"]
    stream = listen(demo, EVENTS)
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    assert demo.cloud.stats()["requests"] == before + 1
    assert demo.cloud.stats()["by_route"]["GET /v1/devices/events"] == 1


def test_given_an_event_then_it_comes_with_its_data(demo: User, listen: Opener) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "soil/reading", '{"pct": 41}', ttl=30, private=True)
    name, content = stream.next()
    assert name == "soil/reading"
    assert set(content) == {"data", "ttl", "published_at", "coreid"}
    assert (content["data"], content["ttl"], content["published_at"][-1]) == ('{"pct": 41}', 30, "Z")


def test_given_a_prefix_then_only_events_with_it_come(demo: User, listen: Opener) -> None:
    stream = listen(demo, f"{EVENTS}/soil%2Frea")
    publish(demo, "soil/other")
    publish(demo, "soil/reading")
    assert stream.next()[0] == "soil/reading"


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/"])
def test_given_no_prefix_then_the_stream_of_everything_is_refused(demo: User, path: str) -> None:
    answer = demo.call("GET", path)
    assert (answer.status_code, answer.json()) == (400, {"ok": False, "error": "event prefix filter is required"})


def test_given_somebody_else_then_only_public_events_come(demo: User, other: User, listen: Opener) -> None:
    stream = listen(other, "/v1/events/soil")
    publish(demo, "soil/private", private=True)
    publish(demo, "soil/public", private=False)
    assert stream.next()[0] == "soil/public"
    own = listen(demo, "/v1/events/soil")
    publish(demo, "soil/private", private=True)
    assert own.next()[0] == "soil/private"


def test_given_no_token_then_there_is_no_stream(cloud: Cloud) -> None:
    answer = cloud.call("GET", EVENTS)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_given_a_claim_then_the_device_tells_that_it_is_online(demo: User, listen: Opener) -> None:
    stream = listen(demo, EVENTS)
    demo.post("/v1/devices", {"id": FREE[0]})
    name, content = stream.next()
    assert (name, content["data"], content["coreid"]) == ("spark/status", "online", FREE[0])


@pytest.mark.parametrize("base", ["/v1/devices", DEVICES])
def test_given_one_device_then_its_stream_has_nothing_of_others(demo: User, listen: Opener, base: str) -> None:
    demo.bring_in(FREE[0], FREE[1])
    stream = listen(demo, f"{base}/{FREE[0]}/events")
    for device in (FREE[1], FREE[0]):
        publish(demo, "hello", path=PRODUCT_EVENTS, as_device_id=device)
    assert stream.next()[1]["coreid"] == FREE[0]


def test_given_a_product_then_its_stream_tells_the_product(demo: User, listen: Opener) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT_EVENTS}/hel")
    publish(demo, "hello", "you", path=PRODUCT_EVENTS)
    name, content = stream.next()
    assert (name, content["data"], content["productID"]) == ("hello", "you", 31337)


def test_given_the_product_or_device_of_somebody_else_then_there_is_no_stream(demo: User, other: User) -> None:
    demo.bring_in(FREE[0])
    assert other.call("GET", PRODUCT_EVENTS).status_code == 403
    assert other.call("GET", f"/v1/devices/{FREE[0]}/events").status_code == 403
    assert other.post(PRODUCT_EVENTS, {"name": "x"}).status_code == 403
    assert demo.post(PRODUCT_EVENTS, {"name": "x", "as_device_id": FREE[1]}).status_code == 403


@pytest.mark.parametrize(
    "fields", [{}, {"name": ""}, {"name": "x" * 65}, {"name": "x", "data": 1}, {"name": "x", "ttl": "soon"}]
)
def test_given_a_malformed_event_then_it_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(EVENTS, fields).status_code == 400


def test_given_a_line_break_in_a_name_then_the_stream_stays_whole(demo: User, listen: Opener) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "one\ntwo", "a\nb")
    name, content = stream.next()
    assert (name, content["data"]) == ("one two", "a\nb")


def test_given_many_streams_then_each_gets_the_event(demo: User, listen: Opener) -> None:
    streams = [listen(demo, EVENTS) for _unused in range(60)]
    publish(demo, "hello")
    assert {stream.next()[0] for stream in streams} == {"hello"}


def test_given_a_reset_then_open_streams_end(demo: User, listen: Opener) -> None:
    stream = listen(demo, EVENTS)
    demo.cloud.call("POST", "/_simulator/reset")
    assert list(stream.lines) == []


def test_given_an_open_stream_then_the_simulator_ends_cleanly(tmp_path: Path, listen: Opener) -> None:
    with started(tmp_path) as (process, port):
        stream = listen(Cloud(f"http://127.0.0.1:{port}").user(), EVENTS)
        process.terminate()
        assert process.wait(timeout=TIMEOUT_SECONDS) == 0
        assert list(stream.lines) == []
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_given_an_org_less_cloud_then_it_has_no_organisation_to_listen_to(demo: User) -> None:
    assert demo.call("GET", "/v1/orgs/nobody/events").status_code == 404
    assert demo.call("GET", f"/v1/orgs/nobody/devices/{FREE[0]}/events").status_code == 404


def test_given_a_device_that_goes_and_comes_back_then_the_stream_tells_both(demo: User, listen: Opener) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT_EVENTS}/spark%2Fstatus")
    for online in (False, True):
        assert demo.cloud.call("POST", f"/_simulator/devices/{FREE[0]}", json={"online": online}).status_code == 200
        _unused, content = stream.next()
        assert (content["coreid"], content["data"]) == (FREE[0], "online" if online else "offline")


def test_given_an_update_then_its_steps_come_before_the_new_session(demo: User, listen: Opener) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT_EVENTS}/spark")
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7, "flash": True})
    found = [stream.next() for _unused in range(3)]
    assert [(name, content["data"]) for name, content in found] == [
        ("spark/flash/status", "started"),
        ("spark/flash/status", "success"),
        ("spark/status", "online"),
    ]
    assert found[-1][1]["version"] == 7


def test_given_a_refresh_of_vitals_then_the_device_publishes_them(demo: User, listen: Opener) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"/v1/devices/{FREE[0]}/events")
    demo.call("POST", f"/v1/diagnostics/{FREE[0]}/update")
    name, content = stream.next()
    assert name == "spark/device/diagnostics/update"
    assert set(json.loads(content["data"])) == {"device", "service"}
