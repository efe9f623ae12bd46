# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `sim` against the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

IMPORT = "POST /v1/products/:p/sims"
CHANGE = "PUT /v1/products/:p/sims/:iccid"
RELEASE = "DELETE /v1/products/:p/sims/:iccid"
CONFIRMED = {"state": "released", "confirm": ["sim_release"]}
IMPORT_SECONDS = 10
LOST = ("empty", "reset_after", "truncated")[: count(quick=2, full=3)]


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "3") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with a product of two devices, and a third device that is in no product."""
    _cloud.reset()
    for device in list_devices(_cloud)[:2]:
        call(_cloud, "POST", "/devices", json={"id": device["id"]})
    return _cloud


def list_devices(cloud: Simulator) -> list[dict[str, Any]]:
    return sorted(cloud.state()["devices"], key=lambda device: str(device["id"]))


def call(cloud: Simulator, method: str, path: str, **request: Any) -> Any:
    """Send a request for the product without this collection."""
    url, headers = f"{cloud.url}/v1/products/{PRODUCT_SLUG}{path}", {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.request(method, url, headers=headers, timeout=60, **request)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def read_statuses(cloud: Simulator) -> dict[str, str]:
    """Return the status of each SIM of the product, keyed by ICCID."""
    return {row["_id"]: row["status"] for row in call(cloud, "GET", "/sims")["sims"]}


def run(cloud: Simulator, *tasks: Mapping[str, Any], args: tuple[str, ...] = ()) -> PlaybookRun:
    """Run a play with one task `sim` for each of `tasks`. Failed tasks do not end the play."""
    listed = [
        {
            "name": f"{TASK} {number}",
            "meshfleet.particle.sim": {"product": PRODUCT_SLUG, **options},
            "ignore_errors": True,
        }
        for number, options in enumerate(tasks)
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": listed}
    return run_playbook([play], env=cloud_environment(cloud.url), args=args).succeeded()


def read_results(done: PlaybookRun, number: int) -> list[dict[str, Any]]:
    return [done.result(f"{TASK} {index}") for index in range(number)]


def test_sim_is_deactivated_and_activated_with_one_write_each(cloud: Simulator) -> None:
    device = list_devices(cloud)[0]
    by_iccid, by_device = {"iccid": device["iccid"]}, {"device": device["id"]}
    writes = cloud.stats()["writes"]
    inactive = {**by_iccid, "state": "inactive"}
    done = run(cloud, inactive, inactive, by_device, by_device, args=("--diff",))
    first, second, third, fourth = read_results(done, 4)
    assert [result["changed"] for result in (first, second, third, fourth)] == [True, False, True, False]
    assert first["changes"] == {"state": {"before": "active", "after": "inactive"}}
    assert "state 'active' -> 'inactive'" in first["diff"]["prepared"]
    assert (third["sim"]["iccid"], third["sim"]["state"]) == (device["iccid"], "active")
    assert third["sim"]["last_device_id"] == device["id"]
    assert cloud.stats()["writes"] == writes + 2
    assert fourth["cloud"]["requests"] == 3  # the product, the SIM of the device, and the SIM


def test_import_is_pending_until_the_cloud_has_carried_it_out(cloud: Simulator) -> None:
    device = list_devices(cloud)[2]
    options = {"iccid": device["iccid"], "country": "de"}
    (predicted,) = read_results(run(cloud, options, args=("--check",)), 1)
    assert (predicted["changed"], predicted["sim"]["state"]) == (True, "active")
    assert predicted["msg"] == "1 SIM would be activated, and active SIMs are billed."
    assert device["iccid"] not in read_statuses(cloud)
    (queued,) = read_results(run(cloud, options), 1)
    assert (queued["changed"], queued["sim"]) == (True, None)
    assert f"queued the import of SIM {device['iccid']}" in queued["msg"]
    cloud.advance(IMPORT_SECONDS)
    writes = cloud.stats()["writes"]
    (later,) = read_results(run(cloud, options), 1)
    assert (later["changed"], later["sim"]["state"], later["sim"]["base_country_code"]) == (False, "active", "DE")
    assert cloud.stats()["writes"] == writes


def test_release_must_be_confirmed_and_is_done_once(cloud: Simulator) -> None:
    one, two, _unused = list_devices(cloud)
    released = {"iccid": one["iccid"], "state": "released"}
    (unconfirmed, predicted) = read_results(run(cloud, released, {**released, **CONFIRMED}, args=("--check",)), 2)
    assert unconfirmed["error"]["code"] == "invalid_option"
    assert "Set confirm to [sim_release]" in unconfirmed["msg"]
    assert predicted["msg"] == "1 SIM would be released: deactivated, and no longer owned by you."
    assert set(read_statuses(cloud)) == {one["iccid"], two["iccid"]}
    by_device = {"device": two["id"], **CONFIRMED}
    done = run(cloud, released, {**released, **CONFIRMED}, {**released, **CONFIRMED}, by_device, by_device)
    refused, *others = read_results(done, 5)
    assert refused["error"] == unconfirmed["error"]
    assert [(result["changed"], result["sim"]) for result in others] == [(True, None), (False, None)] * 2
    assert read_statuses(cloud) == {}


def test_mistakes_are_named_before_any_request(cloud: Simulator) -> None:
    iccid = list_devices(cloud)[0]["iccid"]
    wrong: dict[str, dict[str, Any]] = {
        "Neither iccid nor device is set": {},
        "iccid and device cannot be combined": {"iccid": iccid, "device": "e00fce68aabbccddeeff0022"},
        "country and device cannot be combined": {"device": "e00fce68aabbccddeeff0022", "country": "US"},
        "'barn' is not a device id": {"device": "barn"},
        "a number that a spreadsheet such as Excel has shortened": {"iccid": 8.9e18, "country": "Germany"},
        "'Germany' is not a valid country": {"iccid": 8.9e18, "country": "Germany"},
    }
    before = cloud.stats()["requests"]
    results = read_results(run(cloud, *wrong.values()), len(wrong))
    for words, result in zip(wrong, results, strict=True):
        assert result["error"]["code"] == "invalid_option"
        assert words in result["msg"]
    assert cloud.stats()["requests"] == before


def test_sims_that_the_product_does_not_have_are_refused(cloud: Simulator) -> None:
    free = list_devices(cloud)[2]
    tasks = [{"iccid": free["iccid"], "state": "inactive"}, {"device": free["id"]}]
    not_here, unknown = read_results(run(cloud, *tasks), 2)
    assert "is not in product field-logger, so it cannot be deactivated" in not_here["msg"]
    assert (unknown["error"]["code"], f"no SIM that device {free['id']}" in unknown["msg"]) == ("not_found", True)


@pytest.mark.parametrize("effect", LOST)
def test_lost_responses_end_in_the_declared_state(cloud: Simulator, effect: str) -> None:
    one, two, free = list_devices(cloud)
    cloud.set_faults([{"route": route, "effect": effect} for route in (IMPORT, CHANGE, RELEASE)])
    tasks = [
        {"iccid": free["iccid"]},
        {"iccid": one["iccid"], "state": "inactive"},
        {"iccid": two["iccid"], **CONFIRMED},
    ]
    results = read_results(run(cloud, *tasks), 3)
    assert [("error" in result, result["changed"]) for result in results] == [(False, True)] * 3
    assert [fault["fired"] for fault in cloud.faults()] == [1, 1, 1]
    cloud.advance(IMPORT_SECONDS)
    assert read_statuses(cloud) == {one["iccid"]: "inactive_user_deactivated", free["iccid"]: "active"}


def test_token_is_not_shown_when_an_import_is_refused(cloud: Simulator) -> None:
    token = cloud.access_token()
    body = {"error": "invalid_request", "error_description": f"refused for {token}"}
    cloud.set_faults([{"route": IMPORT, "effect": "status", "status": 400, "body": body}])
    done = run(cloud, {"iccid": list_devices(cloud)[2]["iccid"], "access_token": token}, args=("-vvvv", "--diff"))
    assert "refused for" in read_results(done, 1)[0]["msg"]
    assert token not in done.output
