# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `api_user` against the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

NAME = "nightly-report"
NO_CREDENTIALS = {"PARTICLE_USERNAME": "", "PARTICLE_PASSWORD": ""}
MODULE = "meshfleet.particle.api_user"


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "2") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud whose product has no API user."""
    _cloud.reset()
    return _cloud


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "nightly.json"


def task(title: str, /, *, more: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Build a task that calls the module for the API user."""
    return {"name": title, MODULE: {"product": PRODUCT_SLUG, "name": NAME, **options}, **(more or {})}


def keep(file: Path, name: str) -> dict[str, Any]:
    """Build a task that copies the token file, so that the test learns a token that is replaced later."""
    copy = {"src": str(file), "dest": str(file.with_name(name)), "mode": "0600"}
    return {"name": f"Keep {name}", "ansible.builtin.copy": copy, "diff": False}


def run(cloud: Simulator, *tasks: dict[str, Any], args: tuple[str, ...] = (), **env: str) -> PlaybookRun:
    """Run tasks, which may fail, and return their results."""
    play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": list(tasks)}
    return run_playbook([play], env={**cloud_environment(cloud.url), **env}, args=list(args))


def list_users(cloud: Simulator) -> list[tuple[str, list[str]]]:
    """Return the name and the scopes of each API user."""
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.get(f"{cloud.url}/v1/products/{PRODUCT_SLUG}/team", headers=headers, timeout=60)
    team = answer.json()["team"]
    return [(row["friendly_name"], sorted(row["scopes"])) for row in team if row.get("is_programmatic")]


def accepts(cloud: Simulator, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{cloud.url}/v1/access_tokens/current", headers=headers, timeout=60).ok


def read_token(file: Path) -> str:
    (entry,) = json.loads(file.read_text())["tokens"]
    return str(entry["access_token"])


def test_service_user_is_created_used_changed_and_removed(cloud: Simulator, file: Path) -> None:
    stored = {"user_token_file": str(file)}
    check = {"check_mode": True}
    done = run(
        cloud,
        task("Predict a new user", scopes_for=["device_facts"], more=check, **stored),
        task("Create", scopes_for=["device_facts"], **stored),
        keep(file, "first.json"),
        task("Create again", scopes=["products:get", "devices:list"], **stored),
        {
            "name": "Use the token",
            "meshfleet.particle.device_info": {
                "product": PRODUCT_SLUG,
                "token_file": str(file),
                "username": NAME,
            },
            "environment": NO_CREDENTIALS,
        },
        task("Predict a change", scopes_for=["device_facts", "rollout_info"], more=check, **stored),
        task("Change", scopes_for=["device_facts", "rollout_info"], **stored),
        keep(file, "second.json"),
        task("Rotate", rotate=True, **stored),
        keep(file, "third.json"),
        task("Remove", state="absent", **stored),
        task("Remove again", state="absent", **stored),
        args=("-vvvv", "--diff"),
    ).succeeded()
    results = {each.task: each.result for each in done.tasks}
    changed = [name for name, result in results.items() if result.get("changed") and not name.startswith("Keep")]
    assert changed == ["Predict a new user", "Create", "Predict a change", "Change", "Rotate", "Remove"]
    assert results["Create"]["api_user"]["scopes"] == ["devices:list", "products:get"]
    assert results["Create"]["api_user"]["username"].startswith(f"{NAME}+")
    assert results["Predict a new user"]["api_user"] == {**results["Create"]["api_user"], "username": None}
    assert results["Predict a change"]["diff"] == results["Change"]["diff"]
    assert "token null -> '! token will be replaced'" in results["Change"]["diff"]["prepared"]
    writes = {name: result["cloud"]["writes"] for name, result in results.items() if "cloud" in result}
    assert writes == {
        **{"Predict a new user": 0, "Create": 1, "Create again": 0, "Use the token": 0, "Predict a change": 0},
        **{"Change": 3, "Rotate": 3, "Remove": 1, "Remove again": 0},
    }
    tokens = [read_token(file.with_name(f"{name}.json")) for name in ("first", "second", "third")]
    assert len(set(tokens)) == 3
    assert not any(accepts(cloud, token) for token in tokens)
    assert not any(token in done.output for token in tokens)
    assert list_users(cloud) == []
    assert "access_token" not in file.read_text()


def test_returned_token_is_registered_but_not_shown(cloud: Simulator, tmp_path: Path) -> None:
    use = {"product": PRODUCT_SLUG, "access_token": "{{ created.api_user.token }}"}
    written = {"content": "{{ created.api_user.token }}", "dest": str(tmp_path / "token"), "mode": "0600"}
    done = run(
        cloud,
        task("Create", scopes=["products:get", "devices:list"], more={"register": "created"}),
        {"name": "Use the token", "meshfleet.particle.device_info": use, "no_log": True},
        {"name": "Write the token", "ansible.builtin.copy": written, "no_log": True},
        task("Create again", scopes=["products:get", "devices:list"]),
        args=("-vvvv", "--diff"),
    ).succeeded()
    token = (tmp_path / "token").read_text()
    assert accepts(cloud, token)
    assert token not in done.output
    assert not done.result("Create again")["changed"]
    assert "token" not in done.result("Create again")["api_user"]


def test_mistakes_are_refused_before_any_write(cloud: Simulator, file: Path) -> None:
    scopes = ["products:get", "teams.users:list"]
    done = run(
        cloud,
        task("Create", name="manager", scopes=scopes, user_token_file=str(file)),
        task("Typos", scopes=["device:list", "products:gett"]),
        task("Same file", scopes=["devices:list"], user_token_file=str(file), token_file=str(file)),
        task("No scopes"),
        {
            **task("As an API user", scopes=["devices:list"], token_file=str(file)),
            "environment": NO_CREDENTIALS,
        },
    )
    errors = {each.task: each.result["error"] for each in done.tasks if "error" in each.result}
    assert {name: error["code"] for name, error in errors.items()} == {
        **{"Typos": "invalid_option", "Same file": "invalid_option"},
        **{"No scopes": "conflict", "As an API user": "missing_scope"},
    }
    assert "(did you mean devices:list?)" in errors["Typos"]["message"]
    assert "(did you mean products:get?)" in errors["Typos"]["message"]
    assert "Name another user_token_file" in errors["Same file"]["hint"]
    assert "Use the token of a person" in errors["As an API user"]["hint"]
    assert list_users(cloud) == [("manager", scopes)]
    assert read_token(file) not in done.output


def test_definition_of_a_product_contains_service_users(cloud: Simulator, file: Path) -> None:
    def declare(name: str, **users: Any) -> dict[str, Any]:
        return {
            "name": name,
            "meshfleet.particle.product": {"product": PRODUCT_SLUG, "definition": {"api_users": users}},
        }

    info = {"product": PRODUCT_SLUG, "kinds": ["api_users"], "as_definition": True}
    exported = {"product": PRODUCT_SLUG, "definition": "{{ info.definition }}"}
    done = run(
        cloud,
        declare("Without a file", nightly={"scopes_for": ["device_facts"]}),
        declare("Create", nightly={"scopes_for": ["device_facts"], "user_token_file": str(file)}),
        {"name": "Export", "meshfleet.particle.product_info": info, "register": "info"},
        {"name": "Apply the export", "meshfleet.particle.product": exported},
        declare("Typo", nightly={"scopes_for": ["device_fact"]}),
        args=("-vvvv", "--diff"),
    )
    assert "user_token_file" in done.result("Without a file")["error"]["hint"]
    assert done.result("Without a file")["cloud"]["writes"] == 0
    assert done.result("Create")["changed"]
    assert done.result("Export")["definition"] == {
        "api_users": {"nightly": {"scopes": ["devices:list", "products:get"]}}
    }
    assert not done.result("Apply the export")["changed"]
    assert "did you mean device_facts" in done.result("Typo")["msg"]
    assert accepts(cloud, read_token(file))
    assert read_token(file) not in done.output
