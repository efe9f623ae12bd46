# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source shows no secret, and leaves no access token behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from support.event_source import SOURCE, TurnedClock, run_async, running_source, wait_until
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

TOKEN = "canaryToken0123456789abcdef0123456789abcdef"
CANARY_PASSWORD = "canary pass/word&4711"
OTP_SECRET = "GEZDGNBVGY3TQOJQ"
MFA_TOKEN = "canary-mfa-token"
SECRETS = (TOKEN, CANARY_PASSWORD, "canary+pass%2Fword%264711", "canary%20pass%2Fword%264711", OTP_SECRET, MFA_TOKEN)

STREAM = "/v1/devices/events"
OAUTH = "/oauth/token"
REVOKE = "/v1/access_tokens/current"
LOGIN = {"username": "demo@example.com", "password": CANARY_PASSWORD, "otp_secret": OTP_SECRET}
GIVEN = {"access_token": TOKEN}


def echo(secret: str) -> dict[str, str]:
    """Return an error body that repeats a secret."""
    return {"error": "bad_request", "error_description": f"Value {secret} and header Bearer {secret} are wrong"}


def collect_output(
    caplog: pytest.LogCaptureFixture, cloud: ScriptedCloud, args: dict[str, str], pauses: int = 0
) -> str:
    """Run the source until it ends, and return its exception and everything that any library has logged."""
    caplog.set_level(logging.DEBUG)

    async def story() -> Exception:
        async with running_source(api_url=cloud.url, **args) as source:
            for _unused in range(pauses):
                await source.clock.turn_to_end_of_pause()
            (failure,) = await asyncio.gather(source.task, return_exceptions=True)
            assert isinstance(failure, Exception)
            return failure

    failure = run_async(story())
    chain = [failure, failure.__cause__, None if failure.__suppress_context__ else failure.__context__]
    logged = [record.getMessage() + str(record.exc_text) for record in caplog.records]
    return "\n".join([*map(repr, chain), *logged])


def check(output: str) -> None:
    """Check that a text contains no secret."""
    assert [secret for secret in SECRETS if secret in output] == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_echoed_token_is_masked(caplog: pytest.LogCaptureFixture, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("GET", STREAM, status, json=echo(TOKEN))
    output = collect_output(caplog, scripted_cloud, GIVEN)
    assert "********" in output
    check(output)


@pytest.mark.parametrize("secret", [CANARY_PASSWORD, "canary+pass%2Fword%264711", OTP_SECRET])
def test_echoed_credentials_are_masked(
    caplog: pytest.LogCaptureFixture, scripted_cloud: ScriptedCloud, secret: str
) -> None:
    scripted_cloud.answer("POST", OAUTH, 400, json=echo(secret))
    output = collect_output(caplog, scripted_cloud, LOGIN)
    assert "********" in output
    check(output)


def test_echoed_token_of_the_second_step_is_masked(
    caplog: pytest.LogCaptureFixture, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("POST", OAUTH, 403, json={"error": "mfa_required", "mfa_token": MFA_TOKEN})
    scripted_cloud.answer("POST", OAUTH, 400, json=echo(MFA_TOKEN))
    check(collect_output(caplog, scripted_cloud, LOGIN))


def test_broken_connections_show_no_secret(caplog: pytest.LogCaptureFixture, scripted_cloud: ScriptedCloud) -> None:
    for _unused in range(2):  # aiohttp sends the request again by itself
        scripted_cloud.answer("GET", STREAM, effect="reset")
    scripted_cloud.answer("GET", STREAM, body="x" * 100, effect="truncate")
    scripted_cloud.answer("GET", STREAM, 401, json=echo(TOKEN))
    check(collect_output(caplog, scripted_cloud, GIVEN, pauses=2))


def test_wrong_arguments_show_no_secret() -> None:
    args = {"access_token": f"{TOKEN}\n", "password": f"{CANARY_PASSWORD}\n", "otp_secret": f"{OTP_SECRET}!", "a": "b"}
    with pytest.raises(ValueError, match="access_token must be one access token") as caught:
        SOURCE.read_settings(args)
    check(str(caught.value))


def test_settings_show_no_secret() -> None:
    check(repr(SOURCE.read_settings(LOGIN)))
    check(repr(SOURCE.read_settings(GIVEN)))


def test_secrets_are_in_no_url(scripted_cloud: ScriptedCloud) -> None:
    # given a cloud that lets a token revoke itself
    scripted_cloud.answer("POST", OAUTH, json={"access_token": TOKEN, "expires_in": 3600})
    scripted_cloud.answer("GET", STREAM, 404, json={"ok": False, "error": "not found"})
    scripted_cloud.answer("DELETE", REVOKE, json={"ok": True})

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, **LOGIN) as source:
            await asyncio.gather(source.task, return_exceptions=True)

    run_async(story())
    for seen in scripted_cloud.requests:
        check(seen.path + json.dumps(seen.query))
    assert len(scripted_cloud.requests) == 3


# ---------------------------------------------------------------------- tokens that the source has obtained


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    """A simulator of its own, whose grants and revocations are counted."""
    with running_simulator("--fleet", "1") as simulator:
        yield simulator


def count_tokens(cloud: Simulator) -> tuple[int, int]:
    """Return how many access tokens were granted, and how many were revoked."""
    stats = cloud.stats()
    return stats["grants"], stats["revocations"]


def has_opened(cloud: Simulator) -> bool:
    """Return whether a stream is open."""
    return int(cloud.stats()["streams"]) > 0


def has_logged_in(cloud: Simulator) -> bool:
    """Return whether an access token has been granted."""
    return int(cloud.stats()["grants"]) > 0


@pytest.mark.parametrize("moment", [has_logged_in, has_opened])
def test_cancelled_source_revokes_its_token(cloud: Simulator, moment: Callable[[Simulator], bool]) -> None:
    cloud.reset()

    async def story() -> None:
        async with running_source(api_url=cloud.url, username=USERNAME, password=PASSWORD) as source:
            await wait_until(lambda: moment(cloud))
            await source.stop()
            assert source.task.cancelled()

    run_async(story())
    assert count_tokens(cloud) == (1, 1)


def test_login_that_is_cancelled_is_completed_and_revoked(scripted_cloud: ScriptedCloud) -> None:
    # given a cloud that has granted an access token, but not yet answered
    scripted_cloud.answer("POST", OAUTH, json={"access_token": TOKEN, "expires_in": 3600})
    scripted_cloud.answer("DELETE", REVOKE, json={"ok": True})

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, **LOGIN) as source:
            while not scripted_cloud.requests:
                await asyncio.sleep(0)
            await source.stop()

    run_async(story())
    trail = [f"{seen.method} {seen.path}" for seen in scripted_cloud.requests]
    assert trail[0] == f"POST {OAUTH}"
    assert trail[-1] == f"DELETE {REVOKE}"


def test_refused_stream_leaves_no_token(cloud: Simulator) -> None:
    cloud.reset()

    async def story() -> None:
        async with running_source(
            api_url=cloud.url, username=USERNAME, password=PASSWORD, product="no-such-product"
        ) as source:
            with pytest.raises(SOURCE.EventsError, match="Could not open the event stream of product no-such-product"):
                await source.take()

    run_async(story())
    assert count_tokens(cloud) == (1, 1)


def test_cloud_without_that_route_is_asked_by_the_value_of_the_token(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", OAUTH, json={"access_token": TOKEN})
    scripted_cloud.answer("GET", STREAM, 404, json={"ok": False, "error": "not found"})
    scripted_cloud.answer("DELETE", REVOKE, 404, body="Not Found")
    scripted_cloud.answer("DELETE", f"/v1/access_tokens/{TOKEN}", json={"ok": True})

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, **LOGIN) as source:
            await asyncio.gather(source.task, return_exceptions=True)

    run_async(story())
    assert scripted_cloud.requests[-1].headers["Authorization"].startswith("Basic ")


def test_given_token_is_not_revoked(cloud: Simulator) -> None:
    cloud.reset()
    token = cloud.access_token()

    async def story() -> None:
        async with running_source(TurnedClock(), api_url=cloud.url, access_token=token):
            await wait_until(lambda: has_opened(cloud))

    run_async(story())
    assert count_tokens(cloud) == (1, 0)


def test_silent_cloud_does_not_keep_the_source_from_ending(scripted_cloud: ScriptedCloud) -> None:
    # given a cloud that does not answer the revocation
    scripted_cloud.answer("POST", OAUTH, json={"access_token": TOKEN, "expires_in": 3600})
    scripted_cloud.answer("GET", STREAM, 404, json={"ok": False, "error": "not found"})
    scripted_cloud.answer("DELETE", REVOKE, effect="hang")

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, **LOGIN) as source:
            await wait_until(lambda: bool(scripted_cloud.seen("DELETE", REVOKE)))
            source.clock.turn(30)
            with pytest.raises(SOURCE.EventsError, match="not find it"):
                await source.take()

    run_async(story())
