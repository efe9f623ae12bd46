# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Rollouts become data of the report, with the numbers that the page shows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import State
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import (
    compute_digest,
    format_json,
    format_page_data,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report_rollouts import (
    build_rollouts,
    summarize_rollout,
)
from support.paths import ROOT

STATES = ("crashing", "gone", "updating", "pending_offline", "updated", "updated")


def build_device(number: int, state: str, **changes: Any) -> dict[str, Any]:
    device = {"id": device_id(number), "name": f"unit-{number}", "state": state, "wave": 1, "firmware_version": 2}
    return {**device, "evidence": "was heard at 2026-01-01T00:00:00Z", **changes}


def build_result(**changes: Any) -> dict[str, Any]:
    """Return the result of `rollout_info` for a product with two waves of six and four devices."""
    counts = {state.value: STATES.count(state.value) for state in State}
    wave = {"number": 1, "state": "updating", "devices": 6, "total": 6, "groups": [], "began": "2026-01-01T00:00:00Z"}
    wave |= {"members": [], "decided": None, "approved_by": None, "approved_at": None, "counts": counts}
    later = {**wave, "number": 2, "state": "waiting", "devices": 4, "total": 10, "counts": dict.fromkeys(counts, 0)}
    brake = {"tripped": False, "devices": 5, "failed": 1, "offline": 1, "at_least": 2}
    return {
        "item": "field-logger",
        "changed": False,
        "cloud": {"requests": 3},
        "state": "running",
        "version": 2,
        "began": "2026-01-01T00:00:00Z",
        "waves": [wave, later],
        "devices": [build_device(number, state) for number, state in enumerate(STATES)],
        "counts": counts,
        "brake": {**brake, "failed_limit": "50%", "offline_limit": "4"},
        "next": {"when": "2026-01-01T00:01:00Z", "why": "1 device is updating."},
        **changes,
    }


def summarize(**changes: Any) -> dict[str, Any]:
    found = summarize_rollout(build_rollouts([build_result(**changes)])[0])
    assert found is not None
    return found


def read_digest(*results: dict[str, Any]) -> str:
    return compute_digest({"rollouts": list(results)}, [])


def test_data_file_has_the_result_of_the_module_for_each_product() -> None:
    (rollout,) = json.loads(format_json({"rollouts": [build_result()]}, []))["rollouts"]
    expected = {name: value for name, value in build_result().items() if name not in ("item", "changed", "cloud")}
    assert rollout == {"product": "field-logger", "error": None, **expected}


def test_kinds_of_devices_add_up_to_the_devices_in_waves() -> None:
    found = summarize()
    assert found["total"] == 10
    assert found["kinds"] == {"failed": 1, "gone": 1, "updating": 1, "pending": 1, "updated": 2, "waiting": 4}
    assert found["states"]["failed"] == {"crashing": 1}
    assert found["states"]["pending"] == {"pending_offline": 1}
    assert [wave["kinds"].get("waiting") for wave in found["waves"]] == [None, 4]


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_kind_with_a_colour_on_the_page(state: State) -> None:
    counts = {each.value: int(each is state) for each in State}
    (kind,) = (name for name in summarize(counts=counts)["kinds"] if name != "waiting")
    files = ROOT / "roles" / "report" / "files"
    (kinds,) = re.findall(r"const KINDS = (\[.*?\]);", (files / "rollouts.js").read_text())
    assert kind in json.loads(kinds)
    assert f".swatch.{kind} {{" in (files / "rollouts.css").read_text()


def test_page_lists_only_the_bad_devices() -> None:
    assert [(device["state"], device["kind"]) for device in summarize()["bad"]] == [
        ("crashing", "failed"),
        ("gone", "gone"),
    ]


@pytest.mark.parametrize(
    ("limit", "devices", "at_least", "stops_at"),
    [("5%", 100, 2, 5), ("5%", 101, 2, 6), ("5%", 10, 2, 2), ("0%", 10, 1, 1), ("3", 100, 2, 3), ("1", 100, 2, 2)],
)
def test_brake_limit_is_shown_as_a_number_of_devices(limit: str, devices: int, at_least: int, stops_at: int) -> None:
    brake = {**build_result()["brake"], "failed_limit": limit, "devices": devices, "at_least": at_least}
    assert summarize(brake=brake)["brake"]["failed_stops_at"] == stops_at


@pytest.mark.parametrize(("state", "is_over"), [("braked", False), ("done", True), ("aborted", True)])
def test_ended_rollouts_are_marked(state: str, is_over: bool) -> None:
    assert summarize(state=state)["is_over"] is is_over


def test_product_without_a_rollout_is_not_on_the_page() -> None:
    nothing = build_result(state="none", version=None, began=None, waves=[], devices=[], brake=None, next=None)
    assert json.loads(format_page_data({"rollouts": [nothing]}, []))["rollouts"] == []


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            {"msg": "a\nb", "error": {"code": "forbidden", "message": "The token lacks a scope."}},
            {"code": "forbidden", "message": "The token lacks a scope."},
        ),
        ({"msg": "It failed.\nTraceback"}, {"code": None, "message": "It failed."}),
        ({}, {"code": None, "message": "The task has returned no result."}),
    ],
)
def test_rollout_that_could_not_be_read_has_an_error(failure: dict[str, Any], expected: dict[str, Any]) -> None:
    (rollout,) = build_rollouts([{"item": "field-logger", **failure}])
    assert rollout["error"] == expected
    assert summarize_rollout(rollout) == {
        "product": "field-logger",
        "error": expected,
        **dict.fromkeys(("state", "version", "began")),
    }


def test_name_with_invalid_characters_can_be_written_to_a_file() -> None:
    text = format_json({"rollouts": [build_result(devices=[build_device(1, "gone", name="a\ud800b")])]}, [])
    assert json.loads(text)["rollouts"][0]["devices"][0]["name"] == "a?b"
    text.encode()


def test_text_of_a_rollout_cannot_end_the_script_element() -> None:
    hostile = build_result(devices=[build_device(1, "gone", name="</script>")], next={"when": None, "why": "</script>"})
    assert "</script>" not in format_page_data({"rollouts": [hostile]}, [])


DEVICES = build_result()["devices"]


@pytest.mark.parametrize(
    "later",
    [
        {"next": {"when": "2026-01-01T00:02:00Z", "why": "1 device is updating."}},
        {"devices": [{**device, "evidence": "was heard at 2026-01-01T00:00:59Z"} for device in DEVICES]},
        {"devices": [*DEVICES[:-2], DEVICES[-1], DEVICES[-2]]},
        {"cloud": {"requests": 4}},
    ],
)
def test_digest_stays_the_same_while_only_times_change(later: dict[str, Any]) -> None:
    assert read_digest(build_result(**later)) == read_digest(build_result())


@pytest.mark.parametrize(
    "later",
    [
        {"state": "soaking"},
        {"next": {"when": "2026-01-01T00:01:00Z", "why": "2 devices are updating."}},
        {"devices": [{**DEVICES[0], "state": "gone"}, *DEVICES[1:]]},
        {"version": 3},
    ],
)
def test_digest_changes_with_the_state_of_a_rollout(later: dict[str, Any]) -> None:
    assert read_digest(build_result(**later)) != read_digest(build_result())


def test_digest_of_an_error_does_not_depend_on_its_text() -> None:
    errors = [{"code": "cloud_error", "message": f"It failed at 00:0{minute}."} for minute in (1, 2)]
    first, second = (read_digest({"item": "field-logger", "error": error}) for error in errors)
    assert first == second
    assert first != read_digest({"item": "field-logger", "error": {**errors[0], "code": "forbidden"}})


@pytest.mark.parametrize("value", ["text", {"item": "field-logger"}, [7], [{"state": "none"}]])
def test_value_that_is_not_a_list_of_results_is_refused(value: object) -> None:
    with pytest.raises(AnsibleFilterError, match="must be the results of rollout_info"):
        build_rollouts(value)
