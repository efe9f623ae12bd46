# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source opens the right stream, through TLS and proxies, and can be tried without the rule engine."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import create_certificate
from support.event_source import PLUGINS, SOURCE, TurnedClock, run_async, running_source, wait_until
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator
from support.tunnel import running_tunnel

TOKEN = "0123456789abcdef0123456789abcdef01234567"
DEVICE = "e00fce68aabbccddeeff0022"
INVALID_TOKEN = {"error": "invalid_token", "error_description": "The access token provided is invalid."}
STREAM_TYPE = {"Content-Type": "text/event-stream"}


def fail(api_url: str, **args: Any) -> str:
    """Run the source until it ends, and return its message."""

    async def story() -> str:
        async with running_source(api_url=api_url, **args) as source:
            (failure,) = await asyncio.gather(source.task, return_exceptions=True)
            return str(failure)

    return run_async(story())


# ---------------------------------------------------------------------- routes


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ({}, "/v1/devices/events"),
        ({"prefix": "spark/status"}, "/v1/devices/events/spark%2Fstatus"),
        ({"prefix": ["a", "b"]}, "/v1/devices/events"),
        ({"product": "field-logger"}, "/v1/products/field-logger/events"),
        ({"product": "a/b?c", "prefix": ["x y"]}, "/v1/products/a%2Fb%3Fc/events/x%20y"),
        ({"device": DEVICE}, f"/v1/devices/{DEVICE}/events"),
        ({"device": DEVICE, "product": "31337"}, f"/v1/products/31337/devices/{DEVICE}/events"),
        ({"organization": "acme"}, "/v1/orgs/acme/events"),
        ({"organization": "acme", "prefix": "a"}, "/v1/orgs/acme/events"),
        ({"organization": "acme", "device": DEVICE}, f"/v1/orgs/acme/devices/{DEVICE}/events"),
    ],
)
def test_stream_has_the_route_of_its_owner(scripted_cloud: ScriptedCloud, args: dict[str, Any], path: str) -> None:
    scripted_cloud.answer("GET", path, 401, json=INVALID_TOKEN)
    assert "does not accept this access token" in fail(scripted_cloud.url, access_token=TOKEN, **args)


@pytest.mark.parametrize(
    ("args", "path", "rows"),
    [
        ({}, "/v1/devices", [{"id": DEVICE, "online": True, "last_ip_address": "203.0.113.7"}]),
        ({"device": DEVICE}, f"/v1/devices/{DEVICE}", {"id": DEVICE, "online": True, "variables": {"a": "int32"}}),
        ({"product": "p"}, "/v1/products/p/devices", {"devices": [{"id": DEVICE, "online": True}], "meta": {}}),
    ],
)
def test_device_list_of_a_gap_has_the_route_of_its_owner(
    scripted_cloud: ScriptedCloud, args: dict[str, Any], path: str, rows: Any
) -> None:
    stream = {"/v1/devices": "/v1/devices/events"}.get(path, f"{path.removesuffix('/devices')}/events")
    for _unused in range(2):
        scripted_cloud.answer("GET", stream, body=":ok\n\n", headers=STREAM_TYPE)
    scripted_cloud.answer("GET", stream, effect="hang")
    scripted_cloud.answer("GET", path, json=rows, repeat=True)

    async def story() -> dict[str, Any]:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN, catch_up=True, **args) as source:
            await source.clock.turn_to_end_of_pause()
            (gap,) = await source.take()
            return dict(gap["json"])

    assert run_async(story())["devices"] == [{"id": DEVICE, "online": True}]


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, '{"error": "insufficient_scope"}'), (200, "not JSON"), (200, '{"ok": true}'), (200, '[{"id": NaN}]')],
)
def test_device_list_that_cannot_be_read_does_not_keep_the_gap(
    scripted_cloud: ScriptedCloud, caplog: pytest.LogCaptureFixture, status: int, body: str
) -> None:
    for _unused in range(2):
        scripted_cloud.answer("GET", "/v1/devices/events", body=":ok\n\n", headers=STREAM_TYPE)
    scripted_cloud.answer("GET", "/v1/devices/events", effect="hang")
    scripted_cloud.answer("GET", "/v1/devices", status, body=body)

    async def story() -> dict[str, Any]:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN, catch_up=True) as source:
            await source.clock.turn_to_end_of_pause()
            (gap,) = await source.take()
            return dict(gap["json"])

    assert run_async(story())["devices"] is None
    assert "The device list after a gap could not be read" in caplog.text


def test_all_pages_of_a_device_list_are_read(scripted_cloud: ScriptedCloud) -> None:
    for _unused in range(2):
        scripted_cloud.answer("GET", "/v1/products/p/events", body=":ok\n\n", headers=STREAM_TYPE)
    scripted_cloud.answer("GET", "/v1/products/p/events", effect="hang")
    for page in (1, 2, 3):
        rows = {"devices": [{"id": f"{page:024x}"}], "meta": {"total_pages": 3}}
        scripted_cloud.answer("GET", "/v1/products/p/devices", json=rows)

    async def story() -> list[dict[str, Any]]:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN, catch_up=True, product="p") as source:
            await source.clock.turn_to_end_of_pause()
            (gap,) = await source.take()
            return list(gap["json"]["devices"])

    assert [int(device["id"], 16) for device in run_async(story())] == [1, 2, 3]
    assert [seen.query["page"] for seen in scripted_cloud.seen("GET", "/v1/products/p/devices")] == ["1", "2", "3"]


def test_compressed_stream_is_read(scripted_cloud: ScriptedCloud) -> None:
    # given a proxy that compresses responses although the source does not want it
    body = gzip.compress(b':ok\n\nevent: greeting\ndata: {"data": "hello"}\n\n')
    headers = {**STREAM_TYPE, "Content-Encoding": "gzip"}
    scripted_cloud.answer("GET", "/v1/devices/events", body=body, headers=headers)

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN) as source:
            (event,) = await source.take()
            assert (event["name"], event["data"]) == ("greeting", "hello")

    run_async(story())


def test_response_of_another_program_ends_the_source_at_first(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/devices/events", body="<html>Welcome to the hotel</html>")
    message = fail(scripted_cloud.url, access_token=TOKEN)
    assert "the server that answered is not a Particle cloud (HTTP 200 with a web page instead of data)" in message


def test_response_of_another_program_is_an_outage_later(scripted_cloud: ScriptedCloud) -> None:
    # given a cloud that has opened a stream before
    scripted_cloud.answer("GET", "/v1/devices/events", body=":ok\n\n", headers=STREAM_TYPE)
    scripted_cloud.answer("GET", "/v1/devices/events", 404, body="<html>No backend</html>")
    scripted_cloud.answer("GET", "/v1/devices/events", 404, body="404 page not found")
    scripted_cloud.answer("GET", "/v1/devices/events", 401, json=INVALID_TOKEN)

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN) as source:
            for _unused in range(3):
                await source.clock.turn_to_end_of_pause()
            with pytest.raises(SOURCE.EventsError, match="does not accept this access token"):
                await source.take()

    run_async(story())


def test_cloud_that_does_not_answer_is_asked_again(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/devices/events", effect="hang")
    scripted_cloud.answer("GET", "/v1/devices/events", 401, json=INVALID_TOKEN)

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN) as source:
            await wait_until(lambda: len(scripted_cloud.requests) == 1)
            source.clock.turn(30)
            await source.clock.turn_to_end_of_pause()
            with pytest.raises(SOURCE.EventsError, match="Events are missing since"):
                await source.take()

    run_async(story())


# ---------------------------------------------------------------------- TLS and proxies


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate and of its key."""
    return create_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(certificate: tuple[Path, Path]) -> Iterator[Simulator]:
    """A simulator with TLS."""
    path, key = certificate
    with running_simulator("--fleet", "1", "--tls-cert", str(path), "--tls-key", str(key)) as simulator:
        yield simulator


def open_one_stream(simulator: Simulator, **args: Any) -> None:
    """Run the source until it has opened a stream."""

    async def story() -> None:
        async with running_source(
            TurnedClock(), api_url=simulator.url, username=USERNAME, password=PASSWORD, **args
        ) as source:
            await wait_until(lambda: simulator.stats()["streams"] > 0 or source.task.done())
            assert not source.task.done()

    run_async(story())


def test_certificate_that_is_not_trusted_ends_the_source(encrypted: Simulator) -> None:
    message = fail(encrypted.url, access_token=TOKEN)
    assert "is not trusted. Set ca_path to the certificate of the authority" in message


def test_certificate_of_the_users_own_authority_is_trusted(
    encrypted: Simulator, certificate: tuple[Path, Path]
) -> None:
    open_one_stream(encrypted, ca_path=str(certificate[0]))


def test_certificate_is_not_verified_if_the_user_says_so(encrypted: Simulator) -> None:
    open_one_stream(encrypted, validate_certs="false")


@pytest.mark.parametrize(("name", "reason"), [("absent.pem", "No such file"), ("empty.pem", "no certificate")])
def test_unusable_ca_path_is_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty.pem").touch()
    message = fail("https://127.0.0.1:1", access_token=TOKEN, ca_path=str(tmp_path / name))
    assert f"ca_path {tmp_path / name} cannot be read: " in message
    assert reason.lower() in message.lower()


def test_stream_is_opened_through_the_proxy_of_the_environment(
    encrypted: Simulator, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_tunnel() as tunnel:
        monkeypatch.setenv("https_proxy", tunnel.url)
        monkeypatch.setenv("no_proxy", "")
        open_one_stream(encrypted, ca_path=str(certificate[0]))
        assert tunnel.connections > 0


def test_proxy_that_requires_a_login_is_named(
    encrypted: Simulator, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", scripted_cloud.url)
    monkeypatch.setenv("no_proxy", "")
    scripted_cloud.answer("CONNECT", encrypted.url.removeprefix("https://"), 407, repeat=True)
    message = fail(encrypted.url, access_token=TOKEN)
    assert "the proxy requires a username and a password (HTTP 407)" in message


@pytest.mark.parametrize("url", ["socks5://user:canary@127.0.0.1:1080", "http://:8080", "http://user:canary@host:port"])
def test_proxy_that_cannot_be_used_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("all_proxy", url)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    message = fail("https://127.0.0.1:1", access_token=TOKEN)
    assert message.startswith("The environment variable all_proxy does not contain the URL of an HTTP proxy.")
    assert "canary" not in message


# ---------------------------------------------------------------------- without the rule engine


def run_alone(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the file of the source as a program."""
    argv = [sys.executable, str(PLUGINS / "event_source" / "events.py"), *arguments]
    return subprocess.run(
        argv, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def test_source_run_alone_says_in_one_line_why_it_ends(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/products/field-logger/events", 401, json=INVALID_TOKEN)
    done = run_alone({"PARTICLE_ACCESS_TOKEN": TOKEN}, f"api_url={scripted_cloud.url}", "product=field-logger")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Could not open the event stream of product field-logger: ")
    assert len(done.stderr.splitlines()) == 1
    assert TOKEN not in done.stderr


@pytest.mark.parametrize("argument", ["--help", "field-logger"])
def test_source_run_alone_explains_its_arguments(argument: str) -> None:
    done = run_alone({"PARTICLE_ACCESS_TOKEN": TOKEN}, argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Usage: events.py [OPTION=VALUE ...], for example: events.py product=field-logger\n"


def test_source_run_alone_prints_events_as_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    event = SOURCE.build_event("reading", '{"data": "1"}')
    asyncio.run(SOURCE.PrintingQueue().put(event))
    assert json.loads(capsys.readouterr().out) == event
