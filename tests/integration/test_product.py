# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Declare a product as one file with the modules `product` and `product_info`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.firmware import make_binary
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CREATE_HOOK = "POST /v1/products/:p/integrations"
TOKEN, PASSWORD, PARAMETER = "hdr-c4nary-0001", "p4ss-c4nary-0002", "qry-c4nary-0003"
CANARIES = (TOKEN, PASSWORD, PARAMETER)
DEFINITION: dict[str, Any] = {
    "groups": {"canary": {"description": "On our roof", "color": "#ff8800"}, "north": None},
    "integrations": {
        "readings": {
            "event": "reading",
            "url": f"https://hooks.example.net/in?key={PARAMETER}",
            "headers": {"Authorization": {"secret": "READINGS_TOKEN"}, "Content-Type": "application/json"},
            "auth": {"username": "hook", "password": {"secret": "READINGS_PASSWORD"}},
            "json": {"value": "{{{PARTICLE_EVENT_VALUE}}}", "site": "barn"},
        },
        "alarms": {"event": "alarm", "url": "https://hooks.example.net/alarm", "disabled": True},
    },
    "firmware": {"7": {"file": "v7.bin", "title": "Winter", "description": "Less power at night"}},
}
SECRETS = {"READINGS_TOKEN": f"Bearer {TOKEN}", "READINGS_PASSWORD": PASSWORD}
MODULE = "meshfleet.particle.product"
EXPORT = {"kinds": ["groups", "integrations"], "as_definition": True}
FILLED = {
    "READINGS_HEADERS_AUTHORIZATION": f"Bearer {TOKEN}",
    "READINGS_AUTH_PASSWORD": PASSWORD,
    "READINGS_URL": DEFINITION["integrations"]["readings"]["url"],
}


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "2") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with an empty product."""
    _cloud.reset()
    return _cloud


def write_definition(folder: Path, definition: dict[str, Any]) -> Path:
    """Write a definition and the firmware file that it names."""
    (folder / "v7.bin").write_bytes(make_binary(7))
    path = folder / "product.yml"
    path.write_text(yaml.safe_dump(definition))
    return path


def add_product(cloud: Simulator) -> str:
    """Add another product to the account, and return its slug."""
    answer = requests.post(
        f"{cloud.url}/v1/user/products",
        json={"product": {"name": "production", "platform_id": 13}},
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=60,
    )
    return str(answer.json()["product"]["slug"])


@pytest.fixture(scope="module")
def story(_cloud: Simulator, tmp_path_factory: pytest.TempPathFactory) -> PlaybookRun:
    """The run of a playbook that declares a product, exports it, and copies it to another product."""
    _cloud.reset()
    other = add_product(_cloud)
    path = write_definition(tmp_path_factory.mktemp("product"), DEFINITION)
    apply = {"product": PRODUCT_SLUG, "definition": str(path), "secrets": SECRETS}
    exported = "{{ exported.definition }}"
    tasks = [
        {"name": "Predict", MODULE: apply, "check_mode": True},
        {"name": "Apply", MODULE: apply},
        {"name": "Apply again", MODULE: {**apply, "secrets": {}}},
        {"name": "Export", f"{MODULE}_info": {"product": PRODUCT_SLUG, **EXPORT}, "register": "exported"},
        {"name": "Without secrets", MODULE: {"product": other, "definition": exported}, "ignore_errors": True},
        {"name": "Copy", MODULE: {"product": other, "definition": exported, "secrets": FILLED}},
        {"name": "Compare", MODULE: {"product": other, "definition": exported}, "check_mode": True},
        {"name": "Export the copy", f"{MODULE}_info": {"product": other, **EXPORT}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    return run_playbook([play], env=cloud_environment(_cloud.url), args=["-vvvv", "--diff"]).succeeded()


class TestStory:
    """A product is declared, exported, and copied to another product."""

    def test_check_mode_predicts_the_run(self, story: PlaybookRun) -> None:
        predicted, done = story.result("Predict"), story.result("Apply")
        assert predicted["resources"] == done["resources"]
        assert (predicted["cloud"]["writes"], done["cloud"]["writes"]) == (0, 5)
        assert done["summary"] == {**dict.fromkeys(done["summary"], 0), "total": 5, "created": 5}
        assert predicted["msg"] == "5 resources: would be 5 created."

    def test_second_run_writes_nothing(self, story: PlaybookRun) -> None:
        again = story.result("Apply again")
        assert not again["changed"]
        assert again["cloud"]["writes"] == 0
        assert again["msg"] == "5 resources: 5 unchanged."

    def test_export_names_its_secrets(self, story: PlaybookRun) -> None:
        exported = story.result("Export")
        assert exported["secrets"].keys() == FILLED.keys()
        readings = exported["definition"]["integrations"]["readings"]
        assert readings["headers"]["authorization"] == {"secret": "READINGS_HEADERS_AUTHORIZATION"}
        assert readings["json"] == DEFINITION["integrations"]["readings"]["json"]
        assert exported["definition"]["groups"]["canary"] == DEFINITION["groups"]["canary"]

    def test_copy_without_secrets_is_refused_with_all_names(self, story: PlaybookRun) -> None:
        refused = story.result("Without secrets")
        assert refused["error"]["code"] == "invalid_option"
        assert all(name in refused["msg"] for name in FILLED)
        assert refused["cloud"]["writes"] == 0

    def test_copy_equals_the_original(self, story: PlaybookRun) -> None:
        assert story.result("Copy")["summary"]["created"] == 4
        assert not story.result("Compare")["changed"]
        assert story.result("Export the copy")["definition"] == story.result("Export")["definition"]

    @pytest.mark.parametrize("canary", CANARIES)
    def test_no_secret_is_shown(self, story: PlaybookRun, canary: str) -> None:
        assert canary not in story.output
        assert canary not in json.dumps([task.result for task in story.tasks])


def test_export_shows_words_that_a_template_repeats(cloud: Simulator) -> None:
    name = "temperature-reading"
    words = {"event": name, "product": PRODUCT_SLUG, "topic": "barn/temperatures"}
    hook = {"event": name, "url": "https://hooks.example.net/in", "json": words}
    definition = {"environment": {"TOPIC": "barn/temperatures"}, "integrations": {name: hook}}
    info = {"product": PRODUCT_SLUG, "kinds": ["environment", "integrations"], "as_definition": True}
    tasks = [
        {"name": "Apply", MODULE: {"product": PRODUCT_SLUG, "definition": definition}},
        {"name": "Export", f"{MODULE}_info": info, "register": "exported"},
        {"name": "Apply again", MODULE: {"product": PRODUCT_SLUG, "definition": "{{ exported.definition }}"}},
        {
            "name": "Repeat a header",
            MODULE: {
                "product": PRODUCT_SLUG,
                "definition": {"integrations": {name: {"headers": {"X-Key": "barn/temperatures"}}}},
            },
        },
        {"name": "Export again", f"{MODULE}_info": info, "ignore_errors": True},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = run_playbook([play], env=cloud_environment(cloud.url)).succeeded()
    exported = run.result("Export")["definition"]
    assert exported["environment"] == {"TOPIC": "barn/temperatures"}
    assert exported["integrations"][name]["event"] == name
    assert not run.result("Apply again")["changed"]
    refused = run.result("Export again")
    assert refused["error"]["code"] == "conflict"
    assert "environment.TOPIC" in refused["msg"]


def test_failed_resource_is_named_and_nothing_is_removed(cloud: Simulator, tmp_path: Path) -> None:
    # Given a product with a group that the definition does not declare
    env = cloud_environment(cloud.url)
    run_task("device_group", {"product": PRODUCT_SLUG, "name": "old"}, env).succeeded()
    definition = {kind: DEFINITION[kind] for kind in ("groups", "integrations")}
    options = {
        "product": PRODUCT_SLUG,
        "definition": str(write_definition(tmp_path, definition)),
        "secrets": SECRETS,
        "prune": ["groups"],
    }
    # When the cloud refuses an integration
    cloud.set_faults([{"route": CREATE_HOOK, "effect": "status", "status": 400, "times": 1}])
    failed = run_task("product", options, env)
    # Then only this integration is missing, and the next run completes the product
    assert failed.rc != 0
    result = failed.result(TASK)
    assert result["summary"]["failed"] == 2  # the integration, and the removal that had to wait
    assert result["summary"]["created"] == 3
    first, second = result["msg"].split("\n")[1:3]
    assert first.startswith("  Could not create integration ")
    assert second.startswith("  Device group old was left alone, because integration ")
    done = run_task("product", options, env).succeeded().result(TASK)
    assert done["summary"] == {
        **dict.fromkeys(done["summary"], 0),
        "total": 5,
        "unchanged": 3,
        "created": 1,
        "removed": 1,
    }


def test_many_removals_need_a_confirmation(cloud: Simulator) -> None:
    env = cloud_environment(cloud.url)
    groups = {f"group-{number}": {} for number in range(3)}
    run_task("product", {"product": PRODUCT_SLUG, "definition": {"groups": groups}}, env).succeeded()
    options = {"product": PRODUCT_SLUG, "definition": {"groups": {"group-0": {}}}, "prune": ["groups"]}
    refused = run_task("product", options, env).result(TASK)
    assert refused["error"]["code"] == "too_many_removals"
    assert (
        "2 resources would be removed, but at most 1 may: device group group-1, device group group-2" in refused["msg"]
    )
    assert run_task("product", {**options, "confirm": True}, env).succeeded().result(TASK)["summary"]["removed"] == 2


MISTAKES = """\
groups:
  Canary: {}
  north: {colour: "#ff8800"}
environment:
  poll-seconds: "60"
  PARTICLE_X: "1"
secrets:
  auth_key: {secret: AUTH}
  OTHER_KEY: 42
ledgers:
  Settings: {scope: device}
  readings: {scope: planet}
integrations:
  readings: {evnt: reading}
  alarms: {event: alarm, topic: x, url: https://hooks.example.net}
sims:
  "12": {state: active}
  "8934070000000000001": {state: on}
"""
PLACES = (
    *("2 groups.Canary", "3 groups.north.colour", "5 environment.poll-seconds", "6 environment.PARTICLE_X"),
    *("8 secrets.auth_key", "9 secrets.OTHER_KEY", "11 ledgers.Settings", "12 ledgers.readings.scope"),
    *("14 integrations.readings.evnt", "15 integrations.alarms", "17 sims.12", "18 sims.8934070000000000001.state"),
)


def test_all_mistakes_are_named_with_their_lines_before_any_request(cloud: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "product.yml"
    path.write_text(MISTAKES)
    requests_before = cloud.stats()["requests"]
    options = {"product": PRODUCT_SLUG, "definition": str(path)}
    refused = run_task("product", options, cloud_environment(cloud.url)).result(TASK)
    assert refused["msg"].startswith("The definition has 12 mistakes")
    assert [place for place in PLACES if f"product.yml:{place}: " not in refused["msg"]] == []
    assert cloud.stats()["requests"] == requests_before


def test_missing_firmware_file_is_named(cloud: Simulator) -> None:
    definition = {"firmware": {"7": {"file": "nowhere.bin"}}}
    options = {"product": PRODUCT_SLUG, "definition": definition}
    refused = run_task("product", options, cloud_environment(cloud.url)).result(TASK)
    assert refused["error"]["code"] == "wrong_binary"
    assert "nowhere.bin" in refused["msg"]


def test_token_of_an_api_user_is_not_stored_among_the_own_tokens(cloud: Simulator, tmp_path: Path) -> None:
    file = str(tmp_path / "tokens.json")
    users = {"nightly": {"scopes_for": ["report"], "user_token_file": file}}
    options = {"product": PRODUCT_SLUG, "definition": {"api_users": users}}
    environment = {**cloud_environment(cloud.url), "PARTICLE_TOKEN_FILE": file}
    refused = run_task("product", options, environment).result(TASK)
    assert refused["error"]["code"] == "invalid_option"
    assert "user_token_file and token_file name the same file." in refused["msg"]


def test_definition_must_name_a_file_for_a_new_token(cloud: Simulator) -> None:
    options = {"product": PRODUCT_SLUG, "definition": {"api_users": {"nightly": {"scopes_for": ["report"]}}}}
    refused = run_task("product", options, cloud_environment(cloud.url)).result(TASK)
    assert refused["error"]["code"] == "invalid_manifest"
    assert "does not say where to store it: nightly." in refused["msg"]
    assert refused["cloud"]["writes"] == 0


def test_kind_that_must_not_be_pruned_is_refused_in_words(cloud: Simulator) -> None:
    options = {"product": PRODUCT_SLUG, "definition": {}, "prune": ["firmware"]}
    refused = run_task("product", options, cloud_environment(cloud.url)).result(TASK)
    assert refused["error"]["code"] == "invalid_option"
    assert "firmware: A firmware version may be on devices" in refused["msg"]
