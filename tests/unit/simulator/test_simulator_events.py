# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test event streams and the events that they send."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulator_client import (
    DEVICES,
    EVENTS,
    FREE,
    OTHER,
    PRODUCT_EVENTS,
    QUARANTINED,
    RECENT,
    TIMEOUT_SECONDS,
    Cloud,
    OpenStream,
    User,
    publish,
    started,
)

from particle_simulator.events import Event
from particle_simulator.model import Device

PRODUCT_FIELDS = {"data", "ttl", "published_at", "coreid", "userid", "version", "public", "productID"}
ORG = "/v1/orgs/green-acres"
ORG_EVENTS = f"{ORG}/events"


@pytest.fixture
def org_cloud(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud whose product belongs to an organization."""
    return cloud_with("--org", "green-acres")


def test_stream_has_the_event_stream_type_and_counts_as_one_request(demo: User, listen: OpenStream) -> None:
    before = demo.cloud.stats()["requests"]
    stream = listen(demo, EVENTS)
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    assert demo.cloud.stats()["requests"] == before + 1
    assert demo.cloud.stats()["by_route"]["GET /v1/devices/events"] == 1


def test_stream_shows_the_time_of_the_clock(demo: User, listen: OpenStream) -> None:
    demo.cloud.advance(86400)
    stream = listen(demo, EVENTS)
    assert stream.answer.headers["Date"] == demo.call("GET", "/v1/user").headers["Date"]


def test_event_arrives_with_its_data(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "soil/reading", '{"pct": 41}', ttl=30, private=True)
    name, content = stream.read_event()
    assert name == "soil/reading"
    assert set(content) == {"data", "ttl", "published_at", "coreid"}
    assert (content["data"], content["ttl"], content["published_at"][-1]) == ('{"pct": 41}', 30, "Z")


def test_stream_with_a_prefix_receives_only_matching_events(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, f"{EVENTS}/soil%2Frea")
    publish(demo, "soil/other")
    publish(demo, "soil/reading")
    assert stream.read_event()[0] == "soil/reading"


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/"])
def test_public_stream_without_a_prefix_is_refused(demo: User, path: str) -> None:
    answer = demo.call("GET", path)
    assert (answer.status_code, answer.json()) == (400, {"ok": False, "error": "event prefix filter is required"})


def test_other_users_receive_only_public_events(demo: User, other: User, listen: OpenStream) -> None:
    stream = listen(other, "/v1/events/soil")
    publish(demo, "soil/private", private=True)
    publish(demo, "soil/public", private=False)
    assert stream.read_event()[0] == "soil/public"
    own = listen(demo, "/v1/events/soil")
    publish(demo, "soil/private", private=True)
    assert own.read_event()[0] == "soil/private"


def test_stream_without_a_token_is_refused(cloud: Cloud) -> None:
    answer = cloud.call("GET", EVENTS)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_claimed_device_publishes_that_it_is_online(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    demo.post("/v1/devices", {"id": FREE[0]})
    name, content = stream.read_event()
    assert (name, content["data"], content["coreid"]) == ("spark/status", "online", FREE[0])


@pytest.mark.parametrize("base", ["/v1/devices", DEVICES])
def test_stream_of_a_device_has_only_its_events(demo: User, listen: OpenStream, base: str) -> None:
    demo.bring_in(FREE[0], FREE[1])
    stream = listen(demo, f"{base}/{FREE[0]}/events")
    for device in (FREE[1], FREE[0]):
        publish(demo, "hello", path=PRODUCT_EVENTS, as_device_id=device)
    assert stream.read_event()[1]["coreid"] == FREE[0]


def test_events_of_a_product_stream_carry_the_product_id(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT_EVENTS}/hel")
    publish(demo, "hello", "you", path=PRODUCT_EVENTS)
    name, content = stream.read_event()
    assert (name, content["data"], content["productID"]) == ("hello", "you", 31337)


def test_event_of_an_unclaimed_device_carries_its_origin(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, PRODUCT_EVENTS)
    publish(demo, "hello", "you", path=PRODUCT_EVENTS, as_device_id=FREE[0])
    _unused, content = stream.read_event()
    assert set(content) == PRODUCT_FIELDS
    origin = {"coreid": FREE[0], "userid": "", "version": 0, "public": False, "productID": 31337, "ttl": 60}
    assert {key: content[key] for key in origin} == origin


def test_event_of_a_claimed_device_carries_its_owner(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[0]})
    stream = listen(demo, PRODUCT_EVENTS)
    publish(demo, "hello", path=PRODUCT_EVENTS, as_device_id=FREE[0])
    assert len(stream.read_event()[1]["userid"]) == 24


def test_event_of_the_api_has_the_version_0(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, PRODUCT_EVENTS)
    publish(demo, "hello", path=PRODUCT_EVENTS)
    _unused, content = stream.read_event()
    assert set(content) == PRODUCT_FIELDS
    assert (content["coreid"], content["version"]) == ("api", 0)


@pytest.mark.parametrize(("reported", "given", "shown"), [(None, None, 0), (7, None, 7), (7, 0, 0)])
def test_version_of_an_event_is_the_given_or_the_reported_one(
    reported: int | None, given: int | None, shown: int
) -> None:
    device = Device(id=FREE[0], platform_id=13, firmware_version=reported)
    chunk = Event("hello", "", 0.0, device=device, version=given).encode(for_product=True)
    assert json.loads(chunk.split(b"data: ")[1])["version"] == shown


def test_streams_and_events_of_another_user_are_forbidden(demo: User, other: User) -> None:
    demo.bring_in(FREE[0])
    assert other.call("GET", PRODUCT_EVENTS).status_code == 403
    assert other.call("GET", f"/v1/devices/{FREE[0]}/events").status_code == 403
    assert other.post(PRODUCT_EVENTS, {"name": "x"}).status_code == 403
    assert demo.post(PRODUCT_EVENTS, {"name": "x", "as_device_id": FREE[1]}).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": "x" * 65},
        {"name": "\u00e9" * 33},
        {"name": "x", "data": 1},
        {"name": "x", "data": "x" * 16_385},
        {"name": "x", "ttl": "soon"},
    ],
)
def test_malformed_event_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(EVENTS, fields).status_code == 400


def test_line_break_in_an_event_name_does_not_break_the_stream(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "one\ntwo", "a\nb")
    name, content = stream.read_event()
    assert (name, content["data"]) == ("one two", "a\nb")


@pytest.mark.parametrize("name", ["a: b", " led by a blank", "\x00\x1b", "\u2028\x85\x0b", "caf\u00e9", "data: {}"])
def test_odd_event_name_arrives_unchanged(demo: User, listen: OpenStream, name: str) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, name, "\x00\u2028\r\n\U0001f30d")
    publish(demo, "next")
    found, content = stream.read_event()
    assert (found, content["data"]) == (name, "\x00\u2028\r\n\U0001f30d")
    assert stream.read_event()[0] == "next"


def test_largest_event_arrives_whole(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    publish(demo, "n" * 64, "\u00e9" * 8_192)
    name, content = stream.read_event()
    assert (name, content["data"]) == ("n" * 64, "\u00e9" * 8_192)


def test_event_without_data_has_null_data(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    assert demo.post(EVENTS, {"name": "hello"}).status_code == 200
    assert stream.read_event()[1]["data"] is None


def test_each_of_many_streams_receives_the_event(demo: User, listen: OpenStream) -> None:
    streams = [listen(demo, EVENTS) for _unused in range(60)]
    publish(demo, "hello")
    assert {stream.read_event()[0] for stream in streams} == {"hello"}


def test_reset_ends_open_streams(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, EVENTS)
    demo.cloud.call("POST", "/_simulator/reset")
    assert list(stream.lines) == []


def test_simulator_stops_cleanly_with_an_open_stream(tmp_path: Path, listen: OpenStream) -> None:
    with started(tmp_path) as (process, port):
        stream = listen(Cloud(f"http://127.0.0.1:{port}").user(), EVENTS)
        process.terminate()
        assert process.wait(timeout=TIMEOUT_SECONDS) == 0
        assert list(stream.lines) == []
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_streams_of_an_unknown_organization_are_not_found(demo: User) -> None:
    assert demo.call("GET", "/v1/orgs/nobody/events").status_code == 404
    assert demo.call("GET", f"/v1/orgs/nobody/devices/{FREE[0]}/events").status_code == 404


def test_product_stream_reports_a_device_offline_and_online_again(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT_EVENTS}/spark%2Fstatus")
    for online in (False, True):
        assert demo.cloud.call("POST", f"/_simulator/devices/{FREE[0]}", json={"online": online}).status_code == 200
        _unused, content = stream.read_event()
        assert (content["coreid"], content["data"]) == (FREE[0], "online" if online else "offline")


# ---------------------------------------------------------------------- which stream shows what


def test_only_the_product_stream_shows_unclaimed_devices(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0], FREE[1])
    demo.post("/v1/devices", {"id": FREE[1]})
    mine, product = listen(demo, f"{EVENTS}/spark"), listen(demo, f"{PRODUCT_EVENTS}/spark")
    for device in FREE[:2]:
        demo.cloud.change_device(device, online=False)
    assert [product.read_event()[1]["coreid"] for _unused in range(2)] == FREE[:2]
    assert mine.read_event()[1]["coreid"] == FREE[1]


def test_account_stream_omits_events_published_for_a_product(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[0]})
    stream = listen(demo, EVENTS)
    publish(demo, "by/product", path=PRODUCT_EVENTS)
    publish(demo, "by/device", path=PRODUCT_EVENTS, as_device_id=FREE[0])
    publish(demo, "by/account")
    assert stream.read_event()[0] == "by/account"


def test_product_stream_omits_events_published_for_an_account(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, PRODUCT_EVENTS)
    publish(demo, "by/account")
    publish(demo, "by/product", path=PRODUCT_EVENTS)
    assert stream.read_event()[0] == "by/product"


@pytest.mark.parametrize("path", [PRODUCT_EVENTS, f"{DEVICES}/{QUARANTINED}/events"])
def test_events_of_a_quarantined_device_appear_after_its_approval(demo: User, listen: OpenStream, path: str) -> None:
    stream = listen(demo, path)
    demo.cloud.change_device(QUARANTINED, online=False)
    demo.bring_in(QUARANTINED)
    demo.cloud.change_device(QUARANTINED, online=True)
    assert stream.read_event()[1]["data"] == "online"


def test_events_of_a_denied_device_do_not_appear(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0], FREE[1])
    stream = listen(demo, PRODUCT_EVENTS)
    assert demo.call("DELETE", f"{DEVICES}/{FREE[0]}", json={"deny": True}).status_code == 204
    for device in FREE[:2]:
        demo.cloud.change_device(device, online=False)
    assert stream.read_event()[1]["coreid"] == FREE[1]


def test_product_device_stream_omits_the_events_of_a_removed_device(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{DEVICES}/{FREE[0]}/events")
    demo.call("DELETE", f"{DEVICES}/{FREE[0]}")
    demo.cloud.change_device(FREE[0], online=False)
    demo.bring_in(FREE[0])
    demo.cloud.change_device(FREE[0], online=True)
    assert stream.read_event()[1]["data"] == "online"


def test_organization_stream_shows_its_products_and_its_own_events(org_cloud: Cloud, listen: OpenStream) -> None:
    user = org_cloud.user()
    stream = listen(user, ORG_EVENTS)
    publish(user, "by/product", path=PRODUCT_EVENTS)
    publish(user, "by/account")
    publish(user, "by/org", "hi", path=ORG_EVENTS)
    name, content = stream.read_event()
    assert (name, content["productID"]) == ("by/product", 31337)
    name, content = stream.read_event()
    assert (name, content["data"], content["coreid"], content["version"]) == ("by/org", "hi", "api", 0)
    assert set(content) == PRODUCT_FIELDS - {"productID"}


@pytest.mark.parametrize("path", [EVENTS, PRODUCT_EVENTS])
def test_only_the_organization_stream_shows_events_of_the_organization(
    org_cloud: Cloud, listen: OpenStream, path: str
) -> None:
    user = org_cloud.user()
    stream = listen(user, path)
    publish(user, "by/org", path=ORG_EVENTS)
    publish(user, "last", path=path)
    assert stream.read_event()[0] == "last"


def test_only_members_publish_for_an_organization(org_cloud: Cloud) -> None:
    assert org_cloud.user(OTHER).post(ORG_EVENTS, {"name": "x"}).status_code == 403
    assert org_cloud.user(RECENT).post("/v1/orgs/nope/events", {"name": "x"}).status_code == 404
    assert org_cloud.user(RECENT).post(ORG_EVENTS, {"name": ""}).status_code == 400
    publish(org_cloud.user(RECENT), "x", path=ORG_EVENTS)
    assert org_cloud.stats()["by_route"]["POST /v1/orgs/:org/events"] == 4
    assert org_cloud.stats()["writes"] == 4


STREAMS_OF_A_DEVICE = [
    "/v1/events",
    EVENTS,
    f"/v1/devices/{FREE[0]}/events",
    PRODUCT_EVENTS,
    f"{DEVICES}/{FREE[0]}/events",
    ORG_EVENTS,
    f"{ORG}/devices/{FREE[0]}/events",
]


@pytest.mark.parametrize("base", STREAMS_OF_A_DEVICE)
def test_each_kind_of_stream_takes_a_prefix_with_a_slash(org_cloud: Cloud, listen: OpenStream, base: str) -> None:
    user = org_cloud.user()
    user.bring_in(FREE[0])
    stream = listen(user, f"{base}/spark%2Fdevice%2Fd")
    user.post("/v1/devices", {"id": FREE[0]})
    user.call("POST", f"/v1/diagnostics/{FREE[0]}/update")
    assert stream.read_event()[0] == "spark/device/diagnostics/update"


def test_refreshed_vitals_are_published_by_the_device(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"/v1/devices/{FREE[0]}/events")
    demo.call("POST", f"/v1/diagnostics/{FREE[0]}/update")
    name, content = stream.read_event()
    assert name == "spark/device/diagnostics/update"
    assert set(json.loads(content["data"])) == {"device", "service"}
