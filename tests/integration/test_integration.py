# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `integration` against clouds that show secrets, mask secrets, and lose answers."""

from __future__ import annotations

import json
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from support.killing import running_play
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

LIST = "GET /v1/products/:p/integrations"
READ = "GET /v1/products/:p/integrations/:id"
CREATE = "POST /v1/products/:p/integrations"
EDIT = "PUT /v1/products/:p/integrations/:id"
REMOVE = "DELETE /v1/products/:p/integrations/:id"
VALUE = "{{ '{{{PARTICLE_EVENT_VALUE}}}' }}"
HEADER, PASSWORD, QUERY, FORM = "hdr-c4nary-1", 'p4ss "c4nary" 2%', "qry-c4nary-3", "form-c4nary-4"
POLICY, API = "pol-c4nary-5/+=", "api-c4nary-6"
CANARIES = {
    "header": HEADER,
    "password": PASSWORD,
    "parameter": QUERY,
    "form": FORM,
    "policy": POLICY,
    "api": API,
}
HOOK: dict[str, Any] = {
    "name": "readings",
    "event": "reading",
    "url": "https://hooks.example.net/in",
    "json": {"value": VALUE, "site": "barn"},
    "headers": {"Authorization": f"Bearer {HEADER}", "X-Site": "barn"},
    "auth": {"username": "hook", "password": PASSWORD},
    "query": {"token": QUERY},
}
AZURE: dict[str, Any] = {
    "name": "to Azure",
    "type": "azure_iot_hub",
    "event": "reading",
    "hub_name": "barn",
    "policy_name": "device",
    "policy_key": POLICY,
    "json": {"value": VALUE},
}
PUBSUB = {"name": "to Google", "type": "google_pubsub", "event": "reading", "topic": "projects/barn/topics/readings"}
MAPS = {"name": "positions", "type": "google_maps", "event": "position", "api_key": API}


@pytest.fixture(scope="module")
def _masking() -> Iterator[Simulator]:
    with running_simulator("--mask-secrets") as simulator:
        yield simulator


@pytest.fixture
def masking(_masking: Simulator) -> Simulator:
    """A cloud that masks authorization headers and passwords in its answers."""
    _masking.reset()
    return _masking


def run(cloud: Simulator, options: Mapping[str, Any], *args: str) -> PlaybookRun:
    return run_task("integration", {"product": PRODUCT_SLUG, **options}, cloud_environment(cloud.url), *args)


def run_successfully(cloud: Simulator, options: Mapping[str, Any], *args: str) -> dict[str, Any]:
    """Run a task that must succeed, and return its result."""
    return run(cloud, options, *args).succeeded().result(TASK)


def run_and_fail(cloud: Simulator, options: Mapping[str, Any], *args: str) -> dict[str, Any]:
    """Run a task that must fail, and return its result."""
    done = run(cloud, options, *args)
    assert done.rc != 0, done.output
    return done.result(TASK)


def run_tasks(cloud: Simulator, *tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run several tasks in one playbook, and return their results. A task that fails does not end the playbook."""
    steps = [
        {
            "name": f"Task {number}",
            "meshfleet.particle.integration": {"product": PRODUCT_SLUG, **options},
            "ignore_errors": True,
        }
        for number, options in enumerate(tasks)
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": steps}
    done = run_playbook([play], env=cloud_environment(cloud.url), args=["--diff"]).succeeded()
    return [done.result(step["name"]) for step in steps]


def call(cloud: Simulator, method: str, path: str = "", **fields: Any) -> Any:
    """Send a request for integrations without this collection."""
    answer = requests.request(
        method,
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/integrations{path}",
        json=fields or None,
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def list_hooks(cloud: Simulator) -> list[dict[str, Any]]:
    """List all integrations of the product with all their settings."""
    return [call(cloud, "GET", f"/{row['id']}")["integration"] for row in call(cloud, "GET")]


def create_webhook(cloud: Simulator, **fields: Any) -> str:
    """Create a webhook without this collection, and return its id."""
    usual = {"integration_type": "Webhook", "name": "readings", "event": "reading", "url": HOOK["url"]}
    return str(call(cloud, "POST", **{**usual, **fields})["id"])


def count_writes(cloud: Simulator) -> dict[str, int]:
    """Return how often each write was sent."""
    routes = cloud.stats()["by_route"]
    return {route: number for route, number in routes.items() if route in (CREATE, EDIT, REMOVE)}


def test_webhook_is_created_and_its_secrets_are_masked_in_the_result(simulator: Simulator) -> None:
    result = run_successfully(simulator, HOOK)
    (hook,) = list_hooks(simulator)
    assert hook["json"] == {"value": "{{{PARTICLE_EVENT_VALUE}}}", "site": "barn"}
    secret = ("headers", "auth", "query")
    assert [hook[key] for key in secret] == [HOOK[key] for key in secret]
    assert (result["integration"]["id"], result["integration"]["method"]) == (hook["id"], "POST")
    assert result["integration"]["headers"] == {"authorization": "********", "x-site": "********"}
    assert result["integration"]["json"] == {"value": "{{{PARTICLE_EVENT_VALUE}}}", "site": "********"}


def test_date_in_a_setting_is_sent_as_a_text(simulator: Simulator) -> None:
    options = "{product: %s, name: n, event: e, url: %s, json: {since: 2026-03-01}, headers: {X-Since: 2026-03-01}}"
    task = f"meshfleet.particle.integration: {options % (PRODUCT_SLUG, HOOK['url'])}"
    play = f"[{{hosts: localhost, gather_facts: false, tasks: [{{{task}}}]}}]"
    run_playbook(play, env=cloud_environment(simulator.url), args=["--diff"]).succeeded()
    (hook,) = list_hooks(simulator)
    assert (hook["json"], hook["headers"]) == ({"since": "2026-03-01"}, {"X-Since": "2026-03-01"})


def test_second_identical_task_writes_nothing(simulator: Simulator) -> None:
    run_successfully(simulator, HOOK)
    before = simulator.stats()["writes"]
    for again in (HOOK, {**HOOK, "json": json.dumps(HOOK["json"]), "method": "POST", "disabled": False}):
        result = run_successfully(simulator, again)
        assert (result["changed"], result["changes"], result["cloud"]["writes"]) == (False, {}, 0)
    assert simulator.stats()["writes"] == before


def test_change_of_one_field_keeps_undeclared_settings(simulator: Simulator) -> None:
    webhook_id = create_webhook(
        simulator, headers=HOOK["headers"], auth=HOOK["auth"], template="webhook", unchunked=True
    )
    (before,) = list_hooks(simulator)
    result = run_successfully(simulator, {"name": "readings", "event": "other"}, "--diff")
    assert result["changes"] == {"event": {"before": "reading", "after": "other"}}
    assert result["diff"] == {"prepared": "readings: event 'reading' -> 'other'\n"}
    assert list_hooks(simulator) == [{**before, "event": "other", "id": webhook_id}]
    assert count_writes(simulator)[EDIT] == 1


def test_change_is_refused_when_it_would_lose_a_masked_secret(masking: Simulator) -> None:
    create_webhook(masking, headers=HOOK["headers"], auth=HOOK["auth"])
    result = run_and_fail(masking, {"name": "readings", "event": "other"})
    assert result["error"]["code"] == "conflict"
    assert "would lose headers.authorization and auth.password" in result["msg"]
    assert "Declare auth and headers too" in result["msg"]
    assert EDIT not in count_writes(masking)
    run_successfully(masking, {"name": "readings", "event": "other", "headers": HOOK["headers"], "auth": HOOK["auth"]})
    assert count_writes(masking)[EDIT] == 1


@pytest.mark.parametrize(("update_secrets", "edits"), [("on_create", 0), ("always", 2)])
def test_masked_secrets_are_written_as_update_secrets_demands(
    masking: Simulator, update_secrets: str, edits: int
) -> None:
    results = [run_successfully(masking, {**HOOK, "update_secrets": update_secrets}) for _unused in range(3)]
    assert [result["changed"] for result in results] == [True, edits > 0, edits > 0]
    assert results[-1]["not_compared"] == ["headers.authorization", "auth.password"]
    assert "cannot be compared: headers.authorization, auth.password." in results[-1]["msg"]
    assert count_writes(masking) == {CREATE: 1, **({EDIT: edits} if edits else {})}


def test_duplicate_webhook_name_is_refused_with_both_ids(simulator: Simulator) -> None:
    ids = [create_webhook(simulator), create_webhook(simulator)]
    before = simulator.stats()["writes"]
    for options in (HOOK, {"name": "readings", "state": "absent"}):
        result = run_and_fail(simulator, options)
        assert result["error"]["code"] == "twins"
        assert all(id in result["msg"] for id in ids)
    assert simulator.stats()["writes"] == before


def test_integrations_of_all_types_are_created_changed_and_removed(simulator: Simulator) -> None:
    new = (AZURE, PUBSUB, MAPS)
    changed = (
        {**AZURE, "json": {"value": VALUE, "site": "barn"}, "policy_key": "other"},
        {"name": "to Google", "topic": "projects/barn/topics/other"},
        {"name": "positions", "disabled": True},
    )
    results = run_tasks(simulator, *new, *new, *changed, *changed)
    assert [result["changed"] for result in results] == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    assert [result["cloud"]["writes"] for result in results] == [1] * 3 + [0] * 3 + [1] * 3 + [0] * 3
    assert [list(result["changes"]) for result in results[6:9]] == [["json", "policy_key"], ["topic"], ["disabled"]]
    azure, pubsub, maps = list_hooks(simulator)
    assert (azure["policy_key"], azure["json"]["site"], azure["hub_name"]) == ("other", "barn", "barn")
    assert (pubsub["topic"], pubsub["event"]) == ("projects/barn/topics/other", "reading")
    assert (maps["api_key"], maps["disabled"]) == (API, True)
    shown = {name: value for name, value in results[0]["integration"].items() if value is not None}
    assert shown == {**AZURE, "id": azure["id"], "policy_key": "********", "disabled": False, "json": shown["json"]}
    removed = run_tasks(simulator, *({"name": each["name"], "state": "absent"} for each in new))
    assert ([result["changed"] for result in removed], list_hooks(simulator)) == ([True] * 3, [])


def test_masked_keys_are_written_as_update_secrets_demands(masking: Simulator) -> None:
    run_tasks(masking, AZURE, MAPS)
    tasks = [{**each, "update_secrets": when} for each in (AZURE, MAPS) for when in ("on_create", "always")]
    refused = [{"name": each["name"], "disabled": True} for each in (AZURE, MAPS)]
    results = run_tasks(masking, *tasks, *refused)
    assert [result["changed"] for result in results] == [False, True, False, True, False, False]
    assert [result["not_compared"] for result in results[:4]] == [["policy_key"]] * 2 + [["api_key"]] * 2
    assert "would lose policy_key" in results[4]["msg"]
    assert "would lose api_key" in results[5]["msg"]
    assert count_writes(masking) == {CREATE: 2, EDIT: 2}


def test_options_of_another_type_are_refused_without_any_write(simulator: Simulator) -> None:
    run_tasks(simulator, AZURE, MAPS)
    before = simulator.stats()["writes"]
    results = run_tasks(
        simulator,
        {**AZURE, "url": HOOK["url"]},
        {"name": "to Azure", "method": "PUT"},
        {"name": "positions", "type": "webhook", "event": "position", "url": HOOK["url"]},
        {"name": "positions", "type": "webhook", "state": "absent"},
        {"name": "readings", "event": "reading", "topic": "projects/barn/topics/readings"},
    )
    words = (
        "url belongs to type webhook, not to azure_iot_hub",
        "exists, but method belongs to type webhook, not to azure_iot_hub",
        "type is google_maps, not webhook",
        "type is google_maps, not webhook",
        "does not exist yet, but topic belongs to type google_pubsub, not to webhook",
    )
    assert [word in result["msg"] for result, word in zip(results, words, strict=True)] == [True] * 5
    codes = [result["error"]["code"] for result in results]
    assert codes == ["invalid_option", "conflict", "conflict", "conflict", "conflict"]
    assert simulator.stats()["writes"] == before


def test_lost_answers_to_creations_of_other_types_make_no_duplicate(simulator: Simulator) -> None:
    simulator.set_faults([{"route": CREATE, "effect": effect} for effect in ("reset_after", "truncated", "empty")])
    results = run_tasks(simulator, AZURE, PUBSUB, MAPS, AZURE)
    assert [result["changed"] for result in results] == [True, True, True, False]
    assert [hook["name"] for hook in list_hooks(simulator)] == ["to Azure", "to Google", "positions"]
    assert count_writes(simulator) == {CREATE: 3}


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated", "empty"])
def test_lost_answer_to_a_creation_makes_no_duplicate(simulator: Simulator, effect: str) -> None:
    simulator.set_faults([{"route": CREATE, "effect": effect}])
    assert run_successfully(simulator, HOOK)["changed"]
    assert [hook["name"] for hook in list_hooks(simulator)] == ["readings"]
    assert count_writes(simulator)[CREATE] == (2 if effect == "reset_before" else 1)


def test_ambiguous_creation_is_not_repeated_if_the_list_fails(simulator: Simulator) -> None:
    simulator.set_faults([
        {"route": CREATE, "effect": "reset_after"},
        {"route": LIST, "effect": "delay"},  # the list that is read before the creation
        {"route": LIST, "effect": "status", "status": 403, "times": 1},
    ])  # fmt: skip
    result = run_and_fail(simulator, HOOK)
    assert (result["error"]["code"], count_writes(simulator)) == ("ambiguous_write", {CREATE: 1})
    assert run_successfully(simulator, HOOK)["changed"] is False
    assert len(list_hooks(simulator)) == 1


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated"])
def test_lost_answer_to_an_edit_or_a_removal_is_resolved(simulator: Simulator, effect: str) -> None:
    create_webhook(simulator)
    simulator.set_faults([{"route": route, "effect": effect} for route in (EDIT, REMOVE)])
    assert run_successfully(simulator, {"name": "readings", "disabled": True})["changed"]
    assert list_hooks(simulator)[0]["disabled"] is True
    assert run_successfully(simulator, {"name": "readings", "state": "absent"})["changed"]
    assert list_hooks(simulator) == []


def test_run_after_a_killed_creation_makes_no_duplicate(simulator: Simulator, tmp_path: Path) -> None:
    task = {"name": TASK, "meshfleet.particle.integration": {"product": PRODUCT_SLUG, **HOOK}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    simulator.set_faults([{"route": CREATE, "effect": "delay", "delay": 30}])
    with running_play([play], tmp_path, cloud_environment(simulator.url)) as running:
        running.wait_until(lambda: bool(simulator.writes()))
        running.kill()
    simulator.clear_faults()
    assert run_successfully(simulator, HOOK)["changed"] is False
    assert len(list_hooks(simulator)) == 1


def test_check_mode_returns_the_id_of_an_existing_webhook(simulator: Simulator) -> None:
    assert run_successfully(simulator, HOOK, "--check")["integration"]["id"] is None
    webhook_id = create_webhook(simulator)
    predicted = run_successfully(simulator, {"name": "readings", "disabled": True}, "--check")["integration"]
    assert (predicted["id"], predicted["disabled"], predicted["event"]) == (webhook_id, True, "reading")
    assert run_successfully(simulator, {"name": "readings", "state": "absent"}, "--check")["integration"] is None
    assert len(list_hooks(simulator)) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "readings", "json": {"a": 1}, "form": {"a": "1"}}, "json and form cannot be combined"),
        ({"name": "readings", "auth": {"username": "u"}}, "required together: username, password found in auth"),
        ({"name": "readings", "type": "azure"}, "value of type must be one of: webhook"),
        ({"event": "reading"}, "missing required arguments: name"),
    ],
)
def test_invalid_options_are_refused_without_any_write(
    simulator: Simulator, options: dict[str, Any], words: str
) -> None:
    assert words in run_and_fail(simulator, options)["msg"]
    assert simulator.stats()["writes"] == 0


def test_new_webhook_without_event_is_refused_in_check_mode_too(simulator: Simulator) -> None:
    for args in ((), ("--check",)):
        result = run_and_fail(simulator, {"name": "readings", "url": HOOK["url"]}, *args)
        assert "it cannot be created without event" in result["msg"]
    assert simulator.stats()["writes"] == 0


def test_unknown_product_is_named(simulator: Simulator) -> None:
    result = run_and_fail(simulator, {**HOOK, "product": "no-such"})
    assert (result["error"]["code"], "product no-such" in result["msg"]) == ("not_found", True)


class TestSecrets:
    """Tests that no output, file or result of a run contains a secret, at the highest verbosity."""

    SECRET: ClassVar[dict[str, Any]] = {
        "headers": {"Authorization": "Bearer {{ header }}"},
        "auth": {"username": "hook", "password": "{{ password }}"},
        "query": {"token": "{{ parameter }}"},
        "form": {"key": "{{ form }}", "value": VALUE},
    }

    KEYS: ClassVar[tuple[dict[str, Any], ...]] = (
        {**AZURE, "policy_key": "{{ policy }}", "json": {"key": "{{ form }}"}},
        {**MAPS, "api_key": "{{ api }}"},
    )

    def play(self, cloud: Simulator, folder: Path, *tasks: Mapping[str, Any], **more: Any) -> PlaybookRun:
        """Run tasks that take their secrets from variables, because a failure quotes the lines of the task."""
        folder.mkdir(exist_ok=True)
        named = [
            {
                "name": f"Task {number}",
                "meshfleet.particle.integration": {"product": PRODUCT_SLUG, "name": "readings", **options},
                "register": "done",
                "ignore_errors": True,
                **more,
            }
            for number, options in enumerate(tasks)
        ]
        show = {"name": "Show", "ansible.builtin.debug": {"var": "done"}}
        junit = folder / "junit"
        run = run_playbook(
            [{"hosts": "localhost", "gather_facts": False, "tasks": [*named, show]}],
            env={
                **cloud_environment(cloud.url),
                "PARTICLE_MAX_WAIT": "0.1",
                "ANSIBLE_CALLBACKS_ENABLED": "record,ansible.builtin.junit",
                "ANSIBLE_ASYNC_DIR": str(folder / "async"),
                "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
                "JUNIT_OUTPUT_DIR": str(junit),
                "XDG_RUNTIME_DIR": str(folder),
            },
            extra_vars=CANARIES,
            args=["-vvvv", "--diff"],
        )
        assert list(junit.glob("*.xml")), run.output
        return run

    def find_leaks(self, run: PlaybookRun, folder: Path) -> list[str]:
        """Return the names of the secrets in the output, results and files of a run, in plain or encoded form."""
        files = (path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())
        results = json.dumps([task.result for task in run.tasks], ensure_ascii=False)
        text = "\n".join((run.output, results, *files))
        quoted = {name: urllib.parse.quote(secret) for name, secret in CANARIES.items()}
        escaped = {name: json.dumps(secret)[1:-1] for name, secret in CANARIES.items()}
        forms = [(name, form) for kind in (CANARIES, quoted, escaped) for name, form in kind.items()]
        return [name for name, form in forms if form in text]

    def test_leaks_are_detected_in_every_form(self, simulator: Simulator, tmp_path: Path) -> None:
        run = PlaybookRun(0, f"{HEADER} {json.dumps(PASSWORD)} {POLICY} {API}", urllib.parse.quote(QUERY), [])
        (tmp_path / "log").write_text(FORM)
        assert set(CANARIES) == set(self.find_leaks(run, tmp_path))

    def test_successful_run_shows_no_secret(self, simulator: Simulator, tmp_path: Path) -> None:
        other = {"headers": {"Authorization": "{{ header }}", "X-More": "{{ parameter }}"}, "form": {"key": "other"}}
        new = {"event": "reading", "url": "https://hook:{{ password | urlencode }}@hooks.example.net/in"}
        run = self.play(
            simulator,
            tmp_path,
            {**new, **self.SECRET},
            {**new, **self.SECRET},
            other,
            {"json": {"key": "{{ form }}"}, "auth": {}, "query": {}},
            {"body": "key={{ form }}"},
            {"state": "absent"},
            *self.KEYS,
            *self.KEYS,
            *({"name": each["name"], "state": "absent"} for each in self.KEYS),
        )
        statuses = [task.status for task in run.tasks[:-1]]
        assert statuses == ["changed", "ok", *["changed"] * 6, "ok", "ok", "changed", "changed"], run.output
        assert self.find_leaks(run, tmp_path) == []

    def test_run_against_a_masking_cloud_shows_no_secret(self, masking: Simulator, tmp_path: Path) -> None:
        new = {"event": "reading", "url": HOOK["url"], **self.SECRET}
        azure = self.KEYS[0]
        run = self.play(
            masking,
            tmp_path,
            new,
            {**new, "update_secrets": "always"},
            {"event": "other"},
            azure,
            {**azure, "update_secrets": "always", "event": "other"},
            {"name": azure["name"], "event": "more"},
        )
        assert [task.status for task in run.tasks[:-1]] == ["changed", "changed", "failed"] * 2, run.output
        assert self.find_leaks(run, tmp_path) == []

    @pytest.mark.parametrize("route", [CREATE, EDIT, READ, LIST])
    @pytest.mark.parametrize("shape", ["error_description", "error"])
    def test_error_that_echoes_secrets_shows_no_secret(
        self, simulator: Simulator, tmp_path: Path, route: str, shape: str
    ) -> None:
        if route != CREATE:
            create_webhook(
                simulator, headers={"Authorization": f"Bearer {HEADER}"}, form={"key": FORM}, query={"token": QUERY}
            )
        body = {"error": "invalid", shape: f"No: Bearer {HEADER}, {PASSWORD}, {json.dumps(QUERY)}, {FORM}"}
        simulator.set_faults([{"route": route, "effect": "status", "status": 400, "body": body, "times": 9}])
        run = self.play(simulator, tmp_path, {"event": "other", "url": HOOK["url"], **self.SECRET})
        assert run.tasks[0].status == "failed", run.output
        assert self.find_leaks(run, tmp_path) == []

    def test_error_that_echoes_keys_shows_no_key(self, simulator: Simulator, tmp_path: Path) -> None:
        azure, maps = self.KEYS
        call(simulator, "POST", integration_type="GoogleMaps", name=maps["name"], event="position", api_key=API)
        texts = {CREATE: f"No: {POLICY}, {json.dumps(POLICY)}, {FORM}", EDIT: f"No: {API}", READ: f"{POLICY} {API}"}
        echoes = [
            {"route": route, "effect": "status", "status": 400, "times": 9, "body": {"error_description": text}}
            for route, text in texts.items()
        ]
        simulator.set_faults(echoes[:2])
        write = self.play(simulator, tmp_path / "write", azure, {"name": maps["name"], "disabled": True})
        simulator.set_faults(echoes[2:])
        read = self.play(simulator, tmp_path / "read", {"name": maps["name"], "disabled": True})
        assert [task.status for task in (*write.tasks[:-1], *read.tasks[:-1])] == ["failed"] * 3, write.output
        assert self.find_leaks(write, tmp_path) + self.find_leaks(read, tmp_path) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"headers": "{{ header }}"},
            {"auth": {"username": "hook", "password": ["{{ password }}"]}},
            {"auth": {"username": "hook", "secret": "{{ password }}"}},
            {"query": ["{{ parameter }}"]},
            {"json": {"key": "{{ form }}"}, "form": {"key": "{{ form }}"}},
            {"type": "azure_iot_hub", "policy_key": {"key": "{{ policy }}"}, "api_key": "{{ api }}"},
        ],
    )
    def test_invalid_options_show_no_secret(self, simulator: Simulator, tmp_path: Path, wrong: dict[str, Any]) -> None:
        run = self.play(simulator, tmp_path, wrong)
        assert run.tasks[0].status == "failed", run.output
        assert self.find_leaks(run, tmp_path) == []

    def test_background_task_shows_no_secret(self, simulator: Simulator, tmp_path: Path) -> None:
        secret = {name: value for name, value in self.SECRET.items() if name != "form"}
        new = {"event": "reading", "url": HOOK["url"], **secret}
        background = {"async": 60, "poll": 1, "vars": {"ansible_python_interpreter": sys.executable}}
        run = self.play(simulator, tmp_path / "run", new, {**new, "event": "other"}, **background)
        assert [task.status for task in run.tasks[:-1]] == ["changed", "changed"], run.output
        assert self.find_leaks(run, tmp_path / "run") == []
