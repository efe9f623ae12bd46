# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that every token of a killed run is either stored, or listed as orphaned and then revoked."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    FILE_NAME,
    Record,
    RequestLog,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_fingerprint
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import identify_process
from support.counts import count
from support.killing import running_play
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

KILLS = count(quick=1, full=25)
"""The number of kills for each kind of run, with and without a list of tokens: with full counts, 100 kills."""
LATENCY_MS = "20"
LONGEST_DELAY = 0.25
TIMEOUT = 30
LOGINS: list[dict[str, Any]] = [
    {"private": True, "expires_in": 1800},
    {"token_file": "tokens.json"},
    {"token_file": "tokens.json", "state": "rotated"},
    {"expires_in": 1800},
]


@pytest.fixture(scope="module", params=["enabled", pytest.param("retired", marks=pytest.mark.only_full)])
def _cloud(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with running_simulator("--fleet", "20", "--token-listing", request.param, "--latency", LATENCY_MS) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home folder of a user without a runtime folder."""
    return tmp_path


def user_environment(cloud: Simulator, home: Path) -> dict[str, str]:
    return {**cloud_environment(cloud.url), "HOME": str(home)}


def grant_token(cloud: Simulator) -> str:
    """Obtain a token as a program on another machine does."""
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD, "expires_in": "7200"}
    response = requests.post(f"{cloud.url}/oauth/token", data=form, auth=("particle", "particle"), timeout=TIMEOUT)
    return str(response.json()["access_token"])


def list_tokens(cloud: Simulator) -> list[str] | None:
    """Return the valid tokens of the account, or `None` if the cloud does not list them."""
    response = requests.get(f"{cloud.url}/v1/access_tokens", auth=(USERNAME, PASSWORD), timeout=TIMEOUT)
    return [row["token"] for row in response.json()] if response.ok else None


def count_tokens(cloud: Simulator) -> int:
    return int(cloud.state()["accounts"][0]["tokens"])


def read_stored_tokens(home: Path) -> set[str]:
    file = home / "tokens.json"
    entries = json.loads(file.read_text())["tokens"] if file.exists() else []
    found = {entry.get("access_token") for entry in entries} | {
        (entry.get("next") or {}).get("access_token") for entry in entries
    }
    return {*filter(None, found), *(token for entry in entries for token in entry.get("previous", []))}


def is_alive(cloud: Simulator, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{cloud.url}/v1/access_tokens/current", headers=headers, timeout=TIMEOUT).ok


def wait_until_idle(cloud: Simulator) -> None:
    """Wait until the cloud has answered the last requests of the killed processes."""
    end = time.monotonic() + TIMEOUT
    before, now = None, cloud.stats()
    while now != before:
        assert time.monotonic() < end, "the cloud still receives requests"
        time.sleep(3 * float(LATENCY_MS) / 1000)
        before, now = now, cloud.stats()


def kill_at_random(plays: list[dict[str, Any]], cloud: Simulator, home: Path, random: Random, requests: int) -> None:
    """Run plays, and kill them some time after the request log was begun and the cloud got a number of requests."""
    log = home / ".cache" / "meshfleet.particle" / "token_requests.json"
    with running_play(plays, home, user_environment(cloud, home)) as play:
        play.wait_until(lambda: log.exists() and cloud.stats()["requests"] >= requests)
        time.sleep(random.uniform(0, LONGEST_DELAY))
        play.kill()
    wait_until_idle(cloud)


def check_every_token_is_known(cloud: Simulator, home: Path, other: str) -> None:
    """Check that each valid token is stored or listed as orphaned, except `other`. Revoke the orphaned tokens."""
    env = user_environment(cloud, home)
    options = {"token_file": str(home / "tokens.json")}
    orphaned = run_task("access_token_info", options, env).succeeded().result(TASK)["orphaned"]
    fingerprints = {orphan["fingerprint"] for orphan in orphaned}
    stored, listed = read_stored_tokens(home), list_tokens(cloud)
    if listed is None:
        assert count_tokens(cloud) <= len(stored) + 1 + len(orphaned)
    else:
        unknown = {token for token in {*listed} - stored - {other} if compute_fingerprint(token) not in fingerprints}
        assert len(unknown) <= sum(orphan["fingerprint"] is None for orphan in orphaned)

    revoked = run_task("access_token", {**options, "state": "absent", "which": "orphaned"}, env).succeeded()
    left = revoked.result(TASK)["orphaned"]
    if listed is None:
        assert left == orphaned
        assert all(orphan["expires_at"] is not None for orphan in left)
    else:
        returned = {orphan["fingerprint"] for orphan in orphaned if orphan["reason"] == "returned"}
        rest = {token for token in list_tokens(cloud) or [] if compute_fingerprint(token) not in returned}
        assert rest <= stored | {other}
    assert is_alive(cloud, other)
    assert all(is_alive(cloud, token) for token in stored if listed is None or token in listed)


@pytest.mark.full
@pytest.mark.parametrize("kill", range(KILLS))
def test_no_token_of_a_killed_access_token_task_is_unknown(cloud: Simulator, home: Path, kill: int) -> None:
    random = Random(f"access_token {kill}")
    other = grant_token(cloud)
    tasks = []
    for number, options in enumerate(random.sample(LOGINS, k=len(LOGINS))):
        file = {"token_file": str(home / "tokens.json")} if "token_file" in options else {}
        tasks.append({"name": f"Task {number}", "meshfleet.particle.access_token": {**options, **file}})
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    kill_at_random(plays, cloud, home, random, requests=random.randint(1, 7))
    check_every_token_is_known(cloud, home, other)


@pytest.mark.full
@pytest.mark.parametrize("kill", range(KILLS))
def test_no_token_of_a_killed_provision_role_is_unknown(cloud: Simulator, home: Path, kill: int) -> None:
    random = Random(f"provision {kill}")
    other = grant_token(cloud)
    role = {"role": "meshfleet.particle.provision", "vars": {"provision_manifest": manifest_for(cloud)}}
    plays = [{"hosts": "localhost", "gather_facts": False, "roles": [role]}]
    kill_at_random(plays, cloud, home, random, requests=random.randint(1, 60))
    check_every_token_is_known(cloud, home, other)


@contextmanager
def holding_lock(file: Path) -> Iterator[None]:
    """Hold the lock of a file of the collection, so that processes wait before they change the file."""
    file.parent.mkdir(parents=True, mode=0o700)
    with open(file.with_name(f"{file.name}.lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("private", [True, False])
def test_token_is_revoked_if_the_play_is_killed_during_the_login(
    scripted_cloud: ScriptedCloud, home: Path, private: bool
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": "a" * 40, "expires_in": 3600})
    scripted_cloud.answer("DELETE", "/v1/access_tokens/current", json={"ok": True})
    folder = home / ".cache" / "meshfleet.particle"
    task = {"name": "Log in", "meshfleet.particle.access_token": {"private": private}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    log = folder / "token_requests.json"
    env = {**cloud_environment(scripted_cloud.url), "HOME": str(home)}
    with contextlib.ExitStack() as lock:
        lock.enter_context(holding_lock(log))
        with running_play(plays, home, env) as play:
            play.wait_until((folder / "sessions.json").exists)
            with play.orphaned():
                lock.close()
    assert [request.method for request in scripted_cloud.requests] == ["POST", "DELETE"]
    assert json.loads(log.read_text()) == {"requests": []}


@pytest.mark.parametrize("has_profile", [True, False])
def test_token_of_the_official_tool_is_not_taken_for_a_lost_one(
    cloud: Simulator, home: Path, has_profile: bool
) -> None:
    now, ended = time.time(), {**identify_process(os.getpid()), "started": "1"}
    folder = home / ".cache" / "meshfleet.particle"
    folder.mkdir(parents=True, mode=0o700)
    lost = Record(cloud.url, USERNAME, "particle", now, now + 7200, ended)
    RequestLog(lambda: folder / FILE_NAME).add(lost)
    other = grant_token(cloud)
    profile = home / ".particle" / "particle.config.json"
    profile.parent.mkdir()
    profile.write_text(json.dumps({"access_token": other if has_profile else None, "apiUrl": cloud.url}))
    env = user_environment(cloud, home)
    run = run_task("access_token", {"state": "absent", "which": "orphaned"}, env).succeeded()
    assert is_alive(cloud, other) is (has_profile or list_tokens(cloud) is None)
    assert other not in f"{run.output}{run.result(TASK)}"
