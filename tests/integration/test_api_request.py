# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `api_request` against the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment, manifest_for
from support.simulator import PRODUCT_SLUG, Simulator

PRODUCT = f"/v1/products/{PRODUCT_SLUG}"
GROUPS = f"{PRODUCT}/groups"
ALLOWED_REQUESTS = 9500  # the share 0.95 of the documented limit
SECRET = "s3cret-c4nary %/1"


def play(cloud: Simulator, *tasks: Mapping[str, Any], args: Sequence[str] = (), **env: str) -> PlaybookRun:
    """Run one task for each mapping of options, even after a failure. Keys that begin with `_` are keys of the task."""
    named = [
        {
            "name": f"Task {number}",
            "meshfleet.particle.api_request": {name: value for name, value in task.items() if name[0] != "_"},
            "ignore_errors": True,
            **{name[1:]: value for name, value in task.items() if name[0] == "_"},
        }
        for number, task in enumerate(tasks)
    ]
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": named}]
    return run_playbook(plays, env={**cloud_environment(cloud.url), **env}, args=args)


def run(cloud: Simulator, *tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one task for each mapping of options, and return their results."""
    done = play(cloud, *tasks)
    assert len(done.tasks) == len(tasks), done.output
    return [done.result(f"Task {number}") for number in range(len(tasks))]


def test_each_method_is_sent_and_only_get_in_check_mode(simulator: Simulator) -> None:
    create = {"method": "POST", "path": GROUPS, "body": {"name": "canary"}}
    change = {"method": "PUT", "path": f"{GROUPS}/canary", "body": {"description": "On our roof"}}
    remove = {"method": "DELETE", "path": f"{GROUPS}/canary"}
    read = {"path": GROUPS, "query": {"perPage": 100}}
    checked = [{**task, "_check_mode": True} for task in (create, read)]
    results = run(simulator, *checked, create, change, read, remove, read)
    assert [result["changed"] for result in results] == [True, False, True, True, False, True, False]
    assert [result["cloud"]["writes"] for result in results] == [0, 0, 1, 1, 0, 1, 0]
    assert (results[0]["status"], results[0]["json"], results[0]["cloud"]["requests"]) == (None, None, 0)
    assert [result["status"] for result in results[1:]] == [200, 201, 200, 200, 204, 200]
    assert [result["json"]["groups"] for result in (results[1], results[6])] == [[], []]
    assert [group["description"] for group in results[4]["json"]["groups"]] == ["On our roof"]
    assert results[5]["json"] is None


def test_failures_name_the_request_the_cause_and_the_remedy(simulator: Simulator) -> None:
    simulator.set_faults([{"route": "POST /v1/products/:p/groups", "effect": "reset_after"}])
    lost, missing, elsewhere, revoke = run(
        simulator,
        {"method": "POST", "path": GROUPS, "body": {"name": "canary"}},
        {"path": f"{GROUPS}/unknown", "query": {"note": "q4nary"}},
        {"path": "https://other.example.com/v1/devices", "query": {"a": ["b"]}, "body": "x"},
        {"method": "DELETE", "path": "/v1/access_tokens/current"},
    )
    assert lost["error"]["code"] == "ambiguous_write"
    assert f"the attempt to send POST {GROUPS} took effect" in lost["msg"]
    assert lost["error"]["hint"].startswith("Check with a GET request before you run again")
    assert (missing["error"]["code"], missing["error"]["status"]) == ("not_found", 404)
    assert missing["error"]["route"] == f"GET {GROUPS}/unknown"
    assert "q4nary" not in str(missing)
    assert elsewhere["error"]["code"] == revoke["error"]["code"] == "invalid_option"
    for words in ("path must begin with /", "query.a must be", "body cannot be combined"):
        assert words in elsewhere["msg"]
    assert "use module access_token" in revoke["msg"]
    assert len(simulator.writes()) == 1


def test_secrets_are_never_shown(simulator: Simulator, tmp_path: Path) -> None:
    """Secrets of the request are masked, and a response with a new token is hidden but registered whole."""
    token = simulator.access_token()
    store = {"method": "PUT", "path": "/v1/secrets/API_KEY", "body": {"secret": {"value": SECRET}}}
    bot = {"method": "POST", "path": f"{PRODUCT}/team", "body": {"friendly_name": "bot", "scopes": ["devices:list"]}}
    in_url = {"path": f"/v1/devices/{token}", "query": {"access_token": token}}
    in_query = {"path": "/v1/devices", "query": {"deviceName": token}, "access_token": token}
    use_bot = {
        "path": f"{PRODUCT}/devices",
        "access_token": "{{ made.json.created.tokens[0].token }}",
        "_name": "Use the new token",
    }
    log = tmp_path / "ansible.log"
    tasks = (store, {**store, "path": "/v1/unknown"}, {**bot, "_register": "made"}, in_url, in_query, use_bot)
    done = play(simulator, *tasks, args=["-vvvv", "--diff"], ANSIBLE_LOG_PATH=str(log))
    assert [task.status for task in done.tasks] == ["changed", "failed", "changed", "failed", "failed", "ok"]
    (made,) = (write["answer"] for write in simulator.writes() if write["route"].endswith("/team"))
    new_token = made["created"]["tokens"][0]["token"]
    assert new_token
    traces = done.output + log.read_text() + str([task.result for task in done.tasks])
    shown = [secret for secret in (SECRET, SECRET.replace("%", "%25"), token, new_token) if secret in traces]
    assert shown == []


def test_requests_share_the_budget_with_a_fleet(simulator: Simulator, tmp_path: Path) -> None:
    read = {"path": f"{PRODUCT}/devices", "query": {"perPage": 25}}
    tasks = [
        {"name": "Fleet", "meshfleet.particle.fleet": {"manifest": manifest_for(simulator)}},
        {"name": "Request", "meshfleet.particle.api_request": read, "loop": [1, 2, 3]},
    ]
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=env).succeeded()
    costs = [done.result("Fleet")["cloud"], *(item["cloud"] for item in done.result("Request")["results"])]
    total = sum(cost["requests"] for cost in costs)
    budget = Budget(folder=tmp_path / "meshfleet.particle", cloud=Connection(simulator.url).cloud)
    assert budget.get_used_share() == total / ALLOWED_REQUESTS
    assert total == simulator.stats()["requests"]
    assert [cost["requests"] for cost in costs[1:]] == [1, 1, 1]  # the login of the fleet is shared
