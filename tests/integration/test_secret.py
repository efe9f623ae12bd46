# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `secret` against the simulator."""

from __future__ import annotations

import json
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

PUT = "PUT /v1/secrets/:name"
REMOVE = "DELETE /v1/secrets/:name"
ORGANIZATION = "acme"
VALUE, SECOND = 'v4lue "c4nary" 2%', "s3cond\nc4nary-value"
CANARIES = {"value": VALUE, "second": SECOND}
LOST = ("reset_after", "empty", "truncated")[: count(quick=1, full=3)]


@pytest.fixture(scope="module")
def _organization() -> Iterator[Simulator]:
    with running_simulator("--org", ORGANIZATION) as simulator:
        yield simulator


@pytest.fixture
def organization(_organization: Simulator) -> Simulator:
    """A cloud whose product belongs to an organization."""
    _organization.reset()
    return _organization


def build_task(number: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Build a task for the secret `API_KEY`. Keys that begin with `_` are keys of the task, not options."""
    of_task = {name[1:]: value for name, value in options.items() if name.startswith("_")}
    given = {name: value for name, value in options.items() if not name.startswith("_")}
    return {
        "name": f"Task {number}",
        "meshfleet.particle.secret": {"product": PRODUCT_SLUG, "name": "API_KEY", **given},
        "ignore_errors": True,
        **of_task,
    }


def play(cloud: Simulator, *tasks: Mapping[str, Any], args: Sequence[str] = (), **more: Any) -> PlaybookRun:
    """Run one task for each mapping of options, even after a failure."""
    named = [build_task(number, options) for number, options in enumerate(tasks)]
    env = {**cloud_environment(cloud.url), **more.pop("env", {})}
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": named}], env=env, args=args, **more)


def run(cloud: Simulator, *tasks: Mapping[str, Any], args: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run one task for each mapping of options, and return their results."""
    done = play(cloud, *tasks, args=args)
    assert len(done.tasks) == len(tasks), done.output
    return [done.result(f"Task {number}") for number in range(len(tasks))]


def call(cloud: Simulator, method: str, path: str, **fields: Any) -> Any:
    """Send a request without this collection."""
    answer = requests.request(
        method,
        f"{cloud.url}/v1{path}",
        json=fields or None,
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def list_secrets(cloud: Simulator, base: str = "") -> list[str]:
    return [row["name"] for row in call(cloud, "GET", f"{base}/secrets")["secrets"]]


def create_hook(cloud: Simulator) -> None:
    """Create a webhook that uses the secret `API_KEY`."""
    hook = {"integration_type": "Webhook", "name": "readings", "event": "reading", "url": "https://hooks.example.net"}
    call(cloud, "POST", f"/products/{PRODUCT_SLUG}/integrations", **hook, secrets=[{"name": "API_KEY"}])


def test_secret_is_created_kept_replaced_and_removed(simulator: Simulator) -> None:
    new, again = {"value": "first-value"}, {"value": "other-value", "update_secrets": "always"}
    absent = {"state": "absent"}
    states = (new, new, {"value": "ignored-value"}, again, again, absent, absent)
    results = run(simulator, *states, args=["--diff"])
    assert [result["changed"] for result in results] == [True, False, False, True, True, True, False]
    assert [result["cloud"]["writes"] for result in results] == [1, 0, 0, 1, 1, 1, 0]
    assert [result["diff"]["prepared"] for result in results] == [
        *("API_KEY: value null -> '********'\n", "", ""),
        *["API_KEY: value '********' -> '******** (not compared)'\n"] * 2,
        *("API_KEY: removed\n", ""),
    ]
    assert [result["secret"] is None for result in results] == [False] * 5 + [True] * 2
    assert [write["fields"]["secret"]["value"] for write in simulator.writes()[:3]] == [
        *("first-value", "other-value", "other-value")
    ]


def test_check_mode_predicts_each_state_without_a_write(simulator: Simulator) -> None:
    new, absent = {"value": "first-value"}, {"state": "absent"}
    always = {"value": "other-value", "update_secrets": "always"}
    checked = [{**options, "_check_mode": True} for options in (new, absent)]
    first = run(simulator, *checked, new, *({**options, "_check_mode": True} for options in (new, always, absent)))
    assert [result["changed"] for result in first] == [True, False, True, False, True, True]
    assert [result["cloud"]["writes"] for result in first] == [0, 0, 1, 0, 0, 0]
    assert list_secrets(simulator) == ["API_KEY"]


def test_used_secret_is_not_removed(simulator: Simulator) -> None:
    call(simulator, "POST", "/secrets", name="API_KEY", value="first-value")
    create_hook(simulator)
    absent = {"state": "absent"}
    shown, *refused = run(simulator, {}, {**absent, "_check_mode": True}, absent)
    assert shown["secret"]["integrations"] == ["readings"]
    for result in refused:
        assert result["error"]["code"] == "conflict"
        assert result["error"]["message"] == "Cloud secret API_KEY is in use: integration readings."
        assert result["cloud"]["writes"] == 0


def test_secret_of_an_organization_serves_all_its_products(organization: Simulator) -> None:
    results = run(organization, {"value": "first-value"}, {"state": "absent"}, {"value": "first-value"})
    assert [result["changed"] for result in results] == [True, True, True]
    assert list_secrets(organization, f"/orgs/{ORGANIZATION}") == ["API_KEY"]
    assert list_secrets(organization) == []


def test_export_by_an_api_user_leaves_secrets_out(simulator: Simulator) -> None:
    scopes = ["products:get", "groups:list", "integrations:list", "integrations:get"]
    made = call(simulator, "POST", f"/products/{PRODUCT_SLUG}/team", friendly_name="bot", scopes=scopes)
    defaults = {"product": PRODUCT_SLUG, "access_token": made["created"]["tokens"][0]["token"]}
    tasks = [
        {"name": "All", "meshfleet.particle.product_info": {**defaults, "as_definition": True}},
        {"name": "Named", "meshfleet.particle.product_info": {**defaults, "kinds": ["secrets"]}, "ignore_errors": True},
    ]
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    done = run_playbook(plays, env={"PARTICLE_API_URL": simulator.url}).succeeded()
    assert {"groups", "integrations"} <= done.result("All")["definition"].keys()
    assert "secrets" not in done.result("All")["definition"]
    assert "does not contain secrets. Could not list the cloud secrets" in " ".join(done.output.split())
    assert "Could not list the cloud secrets" in done.result("Named")["msg"]


@pytest.mark.parametrize("effect", LOST)
def test_lost_responses_end_in_the_declared_state(simulator: Simulator, effect: str) -> None:
    simulator.set_faults([{"route": route, "effect": effect} for route in (PUT, REMOVE)])
    results = run(simulator, {"value": "first-value"}, {"state": "absent"})
    assert [(result["changed"], "error" in result) for result in results] == [(True, False)] * 2
    assert list_secrets(simulator) == []
    assert [fault["fired"] for fault in simulator.faults()] == [1, 1]


def test_mistakes_are_named_before_any_request(simulator: Simulator) -> None:
    before = simulator.stats()["requests"]
    number, missing = run(simulator, {"name": "api-key", "value": 4711_0815}, {"value": ""})
    assert "'api-key' is not a valid name" in number["msg"]
    assert "value must be a string, got a number; put it in quotes" in number["msg"]
    assert "value cannot be empty" in missing["msg"]
    assert {number["error"]["code"], missing["error"]["code"]} == {"invalid_option"}
    assert simulator.stats()["requests"] == before


class TestCanaries:
    """No output, file or result of a run contains the value of a secret, at the highest verbosity."""

    def find_leaks(self, run: PlaybookRun, folder: Path) -> list[str]:
        """Return the names of the values in the output, results and files of a run, in plain or encoded form."""
        files = (path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())
        results = json.dumps([task.result for task in run.tasks], ensure_ascii=False)
        text = "\n".join((run.output, results, *files))
        forms = {
            name: (value, urllib.parse.quote(value), json.dumps(value)[1:-1], value.split()[1])
            for name, value in CANARIES.items()
        }
        return [name for name, found in forms.items() if any(form in text for form in found)]

    def play(self, cloud: Simulator, folder: Path, *tasks: Mapping[str, Any]) -> PlaybookRun:
        """Run tasks that take their values from variables, because a failure quotes the lines of the task."""
        folder.mkdir(exist_ok=True)
        done = play(
            cloud,
            *tasks,
            args=["-vvvv", "--diff"],
            extra_vars=CANARIES,
            env={
                "PARTICLE_MAX_WAIT": "0.1",
                "ANSIBLE_CALLBACKS_ENABLED": "record,ansible.builtin.junit",
                "ANSIBLE_ASYNC_DIR": str(folder / "async"),
                "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
                "JUNIT_OUTPUT_DIR": str(folder / "junit"),
                "XDG_RUNTIME_DIR": str(folder),
            },
        )
        assert list((folder / "junit").glob("*.xml")), done.output
        return done

    def test_leaks_are_detected_in_every_form(self, tmp_path: Path) -> None:
        done = PlaybookRun(0, json.dumps(VALUE), "", [])
        (tmp_path / "log").write_text(SECOND)
        assert self.find_leaks(done, tmp_path) == ["value", "second"]

    def test_no_run_shows_a_value(self, simulator: Simulator, tmp_path: Path) -> None:
        background = {"_async": 60, "_poll": 1, "_vars": {"ansible_python_interpreter": sys.executable}}
        done = self.play(
            simulator,
            tmp_path / "run",
            {"value": "{{ value }}", "_check_mode": True},
            {"value": "{{ value }}"},
            {"value": "{{ second }}"},
            {"value": "{{ second }}", "update_secrets": "always"},
            {"value": "{{ value }}", "update_secrets": "always", **background},
            {"value": ["{{ value }}"]},
            {"value": "{{ value }}", "updates": "{{ second }}"},
            {"state": "absent", "value": "{{ value }}"},
        )
        statuses = [task.status for task in done.tasks]
        assert statuses == [*["changed"] * 2, "ok", *["changed"] * 2, *["failed"] * 2, "changed"], done.output
        assert self.find_leaks(done, tmp_path / "run") == []

    def test_error_that_echoes_a_value_shows_nothing(self, simulator: Simulator, tmp_path: Path) -> None:
        body = {"error": "invalid", "error_description": f"No: {VALUE}, {json.dumps(SECOND)}, {SECOND.split()[1]}"}
        simulator.set_faults([{"route": PUT, "effect": "status", "status": 400, "body": body, "times": 9}])
        done = self.play(simulator, tmp_path, {"value": "{{ value }}"}, {"value": "{{ second }}"})
        assert [task.status for task in done.tasks] == ["failed", "failed"], done.output
        assert self.find_leaks(done, tmp_path) == []
