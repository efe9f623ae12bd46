# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test rollouts on a cloud that fails, refuses writes of single devices, or is used by other runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import Waiting
from support.rollouts import NEW, OLD, Driver, running_product
from support.simulator import ADMIN_TIMEOUT, PRODUCT_SLUG, Simulator

SIZE, FIRST_WAVE, SOAK = 6, 2, 120
READ_RECORD = "GET /v1/ledgers/:name/instances/:scopeValue"
WRITE_RECORD = "PUT /v1/ledgers/:name/instances/:scopeValue"
WRITE_DEVICE = "PUT /v1/products/:p/devices/:id"
RELEASE = "PUT /v1/products/:p/firmware/release"
LIST_DEVICES = "GET /v1/products/:p/devices"
ATTEMPTS = 5
"""How often a request is sent before it counts as failed."""


def nothing() -> None:
    """Let a wait or a request pass without an event."""


class RefusingHttp(Http):
    """A client for which the cloud refuses writes of some devices."""

    refused: frozenset[str] = frozenset()

    def send(self, request: Request) -> Response:
        if request.route == WRITE_DEVICE and request.path_params["id"] in self.refused:
            message = f"Could not {request.action}: the cloud does not allow it (HTTP 403)."
            raise ParticleError("forbidden", message, status=403, route=request.route)
        return super().send(request)


@dataclass
class FaultDriver(Driver):
    """Runs rollouts whose requests are repeated at once, one at a time.

    :ivar warnings: the warnings of all runs.
    :ivar refused: ids of the devices whose writes the cloud refuses.
    :ivar before_request: called before each request of a run.
    :ivar renew: returns a new token when the cloud does not accept the token any more.
    """

    options: Any = field(default_factory=lambda: {"waves": [{"count": FIRST_WAVE}, {"percent": 100}], "soak": SOAK})
    warnings: list[str] = field(default_factory=list)
    refused: frozenset[str] = frozenset()
    renew: Callable[[str], str] | None = None
    token: str = ""
    before_request: Callable[[], None] = nothing

    @contextmanager
    def _open(self) -> Iterator[Target]:
        connection = Connection(self.simulator.url, timeout=2, max_wait=60)
        http = RefusingHttp(connection, workers=1, clock=Clock(sleep=lambda seconds: None))
        http.refused, http.renew, http.before_request = self.refused, self.renew, self.before_request
        self.token = self.simulator.access_token()
        http.use_token(self.token)
        try:
            yield Target(http, get_product(http, PRODUCT_SLUG), self.warnings.append)
        finally:
            http.close()


class TurningClock(Clock):
    """A clock whose waits turn the clock of the simulator. Events happen during the first waits of a run."""

    def __init__(self, simulator: Simulator, *events: Callable[[], Any]) -> None:
        left, waited = list(events), [0.0]

        def sleep(seconds: float) -> None:
            simulator.advance(seconds)
            waited[0] += seconds
            if left:
                left.pop(0)()

        super().__init__(sleep, lambda: waited[0])


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_product(tmp_path_factory.mktemp("fleet"), SIZE) as simulator:
        yield simulator


@pytest.fixture
def product(simulator: Simulator) -> Simulator:
    simulator.reset()
    simulator.add_firmware(OLD, NEW)
    return simulator


@pytest.fixture
def driver(product: Simulator) -> FaultDriver:
    return FaultDriver(product)


def count_requests(product: Simulator, route: str) -> int:
    return int(product.stats()["by_route"].get(route, 0))


def fail(product: Simulator, route: str, times: int, **fault: Any) -> Callable[[], None]:
    """Return a function that lets requests to a route fail. Without more keys, the cloud answers with 503."""
    return lambda: product.set_faults([{"route": route, "times": times, **(fault or {"shape": "E1"})}])


def finish(driver: FaultDriver, checks: int = 60) -> dict[str, Any]:
    """Run the rollout once a minute until it is done, and return the last result."""
    result: dict[str, Any] = {}
    for _check in range(checks):
        result = driver.run()
        if result["state"] == "done":
            break
        driver.simulator.advance(60)
    return result


def list_versions(driver: FaultDriver) -> list[int]:
    return [device["firmware_version"] for device in driver.truth().values()]


def test_rollback_without_a_release_warns_that_devices_keep_the_version(driver: FaultDriver) -> None:
    driver.run()
    driver.simulator.advance(60)
    assert driver.run(state="aborted", rollback="lock")["state"] == "rolled_back"
    kept = "2 targeted devices keep the present version, because no release gives another one."
    assert [warning for warning in driver.warnings if "keep" in warning] == [kept]


# ---------------------------------------------------------------------- two controllers


def test_loser_of_two_controllers_stops_before_it_writes_a_device(driver: FaultDriver, product: Simulator) -> None:
    other = FaultDriver(product)
    results: list[dict[str, Any]] = []
    with pytest.raises(ParticleError, match="Another run has") as caught:
        driver.run(clock=TurningClock(product, lambda: results.append(other.run())))
    assert caught.value.code == "run_in_progress"
    assert results[0]["state"] == "running"
    assert count_requests(product, WRITE_DEVICE) == FIRST_WAVE
    assert finish(driver)["state"] == "done"


def test_end_of_writes_is_noted_only_in_the_waves_that_they_target(driver: FaultDriver, product: Simulator) -> None:
    product.change_device("*", update="refused")
    driver.run()
    (before,) = read_waves(product)
    product.advance(200)
    assert driver.run(state="aborted")["state"] == "aborted"
    (after,) = read_waves(product)
    assert after == before


def read_waves(product: Simulator) -> list[dict[str, Any]]:
    """Return the waves in the stored record."""
    (ledger,) = product.state()["ledgers"]
    (instance,) = ledger["instances"]
    waves: list[dict[str, Any]] = instance["data"]["waves"]
    return waves


def test_controllers_that_take_locks_back_notice_each_other(driver: FaultDriver, product: Simulator) -> None:
    last = max(driver.truth())
    while not count_requests(product, RELEASE):
        driver.refused = frozenset({last}) if list_versions(driver).count(NEW) == SIZE else frozenset()
        driver.run()
        product.advance(60)
    driver.refused = frozenset()
    other = FaultDriver(product)
    with pytest.raises(ParticleError, match="Another run has"):
        driver.run(clock=TurningClock(product, other.run))
    assert count_requests(product, WRITE_DEVICE) == 2 * SIZE  # each lock is written once and taken back once
    assert driver.run()["state"] == "done"


def run_beside(driver: FaultDriver, other: FaultDriver, sent: int) -> tuple[str, bool]:
    """Run a rollout, and let another run do its whole work before the request with the number `sent`.

    Returns `done` or the error code of the first run, and whether it sent so many requests.
    """
    left = [sent]

    def count_down() -> None:
        left[0] -= 1
        if left[0] == -1:
            other.run()

    driver.before_request = count_down
    try:
        driver.run()
    except ParticleError as error:
        return error.code, left[0] < 0
    return "done", left[0] < 0


@pytest.mark.parametrize(("checks", "reached"), [(0, 1), (3, 3)])
def test_two_runs_at_once_never_begin_two_waves(product: Simulator, checks: int, reached: int) -> None:
    waves = [{"count": 1}, {"count": 3}, {"percent": 100}]
    ends, is_beside = list[str](), True
    while is_beside:
        product.reset()
        product.add_firmware(OLD, NEW)
        driver, other = (FaultDriver(product, {"waves": waves, "soak": SOAK}) for _unused in range(2))
        for _check in range(checks):
            driver.run()
            product.advance(60)
        end, is_beside = run_beside(driver, other, len(ends))
        locked = [device["desired_firmware_version"] for device in driver.truth().values()].count(NEW)
        assert locked == reached, f"the other run ran before request {len(ends)}"
        ends.append(end)
    assert len(ends) > 8
    assert set(ends) == {"done", "run_in_progress"}
    driver.before_request = nothing
    assert finish(driver)["counts"]["updated"] == SIZE


def give_command_beside(driver: FaultDriver, other: FaultDriver, sent: int, state: str) -> tuple[str, bool]:
    """Run a rollout, and give a command in another run just before the request with the number `sent`.

    The other run has written its record by then, and reads it again after the first run has ended. Returns `done` or
    the error code of the other run, and whether the first run sent so many requests.
    """
    left, ends = [sent], list[str]()
    has_written, may_read = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        has_written.set()
        may_read.wait(ADMIN_TIMEOUT)

    def give_command() -> None:
        try:
            other.run(clock=Clock(sleep=wait), state=state)
            ends.append("done")
        except ParticleError as error:
            ends.append(error.code)
        has_written.set()

    thread = threading.Thread(target=give_command)

    def count_down() -> None:
        left[0] -= 1
        if left[0] == -1:
            thread.start()
            has_written.wait(ADMIN_TIMEOUT)

    driver.before_request = count_down
    with suppress(ParticleError):
        driver.run()
    may_read.set()
    if left[0] < 0:
        thread.join()
    return (ends or ["done"])[0], left[0] < 0


@pytest.mark.parametrize("state", ["paused", "aborted"])
def test_command_is_carried_out_or_fails_beside_another_run(product: Simulator, state: str) -> None:
    ends, is_beside = list[str](), True
    while is_beside:
        product.reset()
        product.add_firmware(OLD, NEW)
        driver, other = FaultDriver(product), FaultDriver(product)
        driver.run()
        product.advance(60)
        end, is_beside = give_command_beside(driver, other, len(ends), state)
        if is_beside:
            assert end == "run_in_progress" or driver.info()["state"] == state
        ends.append(end)
    assert set(ends) == {"done", "run_in_progress"}


@pytest.mark.parametrize("state", ["paused", "aborted"])
def test_waiting_run_stops_when_another_run_pauses_or_aborts(
    driver: FaultDriver, product: Simulator, state: str
) -> None:
    driver.run()
    product.advance(60)
    other = FaultDriver(product)
    clock = TurningClock(product, nothing, nothing, lambda: other.run(state=state))
    with pytest.raises(ParticleError, match="Another run has"):
        driver.run(waiting=Waiting(), clock=clock, supersede=True)
    assert driver.info()["state"] == state


# ---------------------------------------------------------------------- lost and damaged responses


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "silence", "truncated"])
def test_lost_response_to_the_record_repeats_no_write(driver: FaultDriver, product: Simulator, effect: str) -> None:
    driver.run(check_mode=True)
    fail(product, WRITE_RECORD, 1, effect=effect)()
    assert driver.run()["state"] == "running"
    assert finish(driver)["state"] == "done"
    assert count_requests(product, WRITE_DEVICE) == 2 * SIZE


def test_waiting_run_knows_its_own_record_after_lost_responses(driver: FaultDriver, product: Simulator) -> None:
    driver.run()
    fault = fail(product, WRITE_RECORD, ATTEMPTS, effect="reset_after")
    result = driver.run(waiting=Waiting(), clock=TurningClock(product, fault))
    assert result["state"] == "done"
    assert any("is checked again later" in warning for warning in driver.warnings)
    assert count_requests(product, WRITE_DEVICE) == 2 * SIZE


@pytest.mark.parametrize("body", [{}, {"instance": {}}, {"instance": {"data": None}}, []])
def test_response_without_data_does_not_begin_the_rollout_again(
    driver: FaultDriver, product: Simulator, body: Any
) -> None:
    before = driver.run()["began"]
    product.advance(60)
    fail(product, READ_RECORD, 1, effect="status", status=200, body=body)()
    with pytest.raises(ParticleError) as caught:
        driver.run()
    assert caught.value.code == "bad_response"
    assert "ledger rollouts" in caught.value.message
    assert finish(driver)["began"] == before


# ---------------------------------------------------------------------- refused writes


@pytest.mark.parametrize("fault", [{"shape": "E4"}, {"shape": "E9"}, {"status": 500, "effect": "status"}])
def test_refused_write_of_a_device_does_not_stop_the_others(
    driver: FaultDriver, product: Simulator, fault: dict[str, Any]
) -> None:
    driver.run(check_mode=True)
    fail(product, WRITE_DEVICE, ATTEMPTS if "status" in fault else 1, **fault)()
    result = driver.run()
    error = result["error"]
    assert "1 device was not written, and the others were" in error["message"] + result["msg"]
    assert [device["desired_firmware_version"] for device in driver.truth().values()].count(NEW) == FIRST_WAVE - 1
    product.advance(60)
    result = finish(driver)
    assert (result["state"], set(list_versions(driver))) == ("done", {NEW})


def test_device_whose_lock_is_always_refused_does_not_delay_the_rollout(driver: FaultDriver) -> None:
    refused = driver.run(check_mode=True)["waves"][0]["members"][0]
    driver.refused = frozenset({refused})
    began = driver.simulator.now()
    result = finish(driver)
    assert result["state"] == "done"
    assert driver.simulator.now() - began < 6 * SOAK
    others = {device: found for device, found in driver.truth().items() if device != refused}
    assert {found["firmware_version"] for found in others.values()} == {NEW}
    assert driver.truth()[refused]["desired_firmware_version"] is None


def test_write_with_damaged_responses_is_found_to_have_taken_effect(driver: FaultDriver, product: Simulator) -> None:
    driver.run(check_mode=True)
    fail(product, WRITE_DEVICE, ATTEMPTS, effect="truncated")()
    result = driver.run()
    assert (result["state"], result.get("error")) == ("running", None)
    assert len([device for device in driver.truth().values() if device["desired_firmware_version"] == NEW]) == 2


def test_lost_connection_ends_the_run_and_the_next_run_continues(driver: FaultDriver, product: Simulator) -> None:
    driver.run(check_mode=True)
    fail(product, WRITE_DEVICE, ATTEMPTS, effect="reset_after")()
    with pytest.raises(ParticleError) as caught:
        driver.run()
    assert caught.value.code == "unreachable"
    assert finish(driver)["counts"]["updated"] == SIZE


def test_waiting_run_ends_if_locks_cannot_be_taken_back(driver: FaultDriver, product: Simulator) -> None:
    [refused, _other] = driver.run()["waves"][0]["members"]
    driver.refused = frozenset({refused})
    began = product.now()
    result = driver.run(waiting=Waiting(), clock=TurningClock(product), state="aborted")
    assert (result["state"], result["error"]["code"], product.now() - began) == ("running", "forbidden", 2)
    driver.refused = frozenset()
    assert driver.run(state="aborted")["state"] == "aborted"


def test_waiting_run_ends_with_the_error_of_a_refused_device(driver: FaultDriver, product: Simulator) -> None:
    refused = driver.run(check_mode=True)["waves"][0]["members"][0]
    driver.refused = frozenset({refused})
    result = driver.run(waiting=Waiting(), clock=TurningClock(product))
    assert (result["state"], result["error"]["code"]) == ("done", "forbidden")
    assert refused in result["msg"]
    assert result["cloud"]["writes"] < 40


# ---------------------------------------------------------------------- permission, tokens, outages and rate limits


def test_forbidden_record_is_refused_with_the_option_that_helps(driver: FaultDriver, product: Simulator) -> None:
    for route in (READ_RECORD, WRITE_RECORD):
        fail(product, route, 1, status=403, effect="status", body={"ok": False, "error": "Permission denied"})()
        with pytest.raises(ParticleError) as caught:
            driver.run()
        assert caught.value.code == "forbidden"
        assert "state_file" in caught.value.hint
    assert count_requests(product, WRITE_DEVICE) == 0


def revoke(driver: FaultDriver) -> None:
    url = f"{driver.simulator.url}/v1/access_tokens/current"
    headers = {"Authorization": f"Bearer {driver.token}"}
    requests.delete(url, headers=headers, timeout=ADMIN_TIMEOUT).raise_for_status()


def test_token_that_ends_during_a_wait_is_renewed(driver: FaultDriver, product: Simulator) -> None:
    driver.renew = lambda token: product.access_token()
    clock = TurningClock(product, nothing, lambda: revoke(driver))
    assert driver.run(waiting=Waiting(), clock=clock)["state"] == "done"
    assert driver.warnings == []


def test_token_that_ends_during_a_wait_ends_the_run(driver: FaultDriver, product: Simulator) -> None:
    clock = TurningClock(product, nothing, lambda: revoke(driver))
    with pytest.raises(ParticleError) as caught:
        driver.run(waiting=Waiting(), clock=clock)
    assert caught.value.code == "token_invalid"
    assert finish(driver)["state"] == "done"
    assert count_requests(product, WRITE_DEVICE) == 2 * SIZE


def test_outage_during_a_wait_is_waited_for(driver: FaultDriver, product: Simulator) -> None:
    clock = TurningClock(product, nothing, fail(product, LIST_DEVICES, 3 * ATTEMPTS))
    assert driver.run(waiting=Waiting(), clock=clock)["state"] == "done"
    assert len(driver.warnings) == 3
    assert all(warning.startswith("The rollout is checked again later: ") for warning in driver.warnings)


def test_outage_that_does_not_end_ends_the_run(driver: FaultDriver, product: Simulator) -> None:
    clock = TurningClock(product, nothing, fail(product, "*", 1000))
    with pytest.raises(ParticleError) as caught:
        driver.run(waiting=Waiting(), clock=clock)
    assert caught.value.code == "cloud_error"
    assert count_requests(product, WRITE_DEVICE) == FIRST_WAVE
    product.clear_faults()
    assert finish(driver)["state"] == "done"


def test_rate_limit_during_a_run_is_waited_for(driver: FaultDriver, product: Simulator) -> None:
    throttled = {"status": 429, "effect": "status", "headers": {"Retry-After": "7"}}
    driver.run(check_mode=True)
    fail(product, WRITE_DEVICE, 3, **throttled)()
    result = driver.run()
    assert result["state"] == "running"
    assert result["cloud"]["retries"] == 3
    product.advance(60)
    asked_too_long = {**throttled, "headers": {"Retry-After": "600"}}
    clock = TurningClock(product, fail(product, LIST_DEVICES, 1, **asked_too_long))
    assert driver.run(waiting=Waiting(), clock=clock)["state"] == "done"
    assert "the cloud asks to wait 600 seconds" in driver.warnings[0]
