# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the playbook `probe` against a simulator that has things of every kind, and against a compatible cloud."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.answers import Answer
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import READS
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.report import format_report
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.run import Probe, ProbeOptions
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.probed_cloud import CANARIES, ORG, PASSWORD, USERNAME, log_in, running_probed_cloud
from support.real_server import ADMIN_PASSWORD, ADMIN_USERNAME, RealServer
from support.simulator import PRODUCT_SLUG, Simulator

PLAYBOOK = "meshfleet.particle.probe"
WITHOUT_VALUES = {":logic_function", ":org_logic_function", ":network"}
"""Values that no simulator of these tests can give: it has no Logic functions, and by default no mesh networks."""
MIN_ANSWERS_WITH_CANARIES = 40


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_probed_cloud(tmp_path_factory.mktemp("probed"), "--org", ORG) as simulator:
        yield simulator


def play(cloud: Simulator, dest: Path, *args: str, **env: str) -> PlaybookRun:
    """Run the playbook with a verbosity that shows everything."""
    account = cloud_environment(cloud.url, USERNAME, PASSWORD)
    return run_playbook(PLAYBOOK, env={**account, **env}, args=["-e", f"probe_dest={dest}", "-vvvv", "--diff", *args])


def find_canaries(text: str) -> list[str]:
    """Return the canaries in a text. The user of the playbook gives the username, so it does not count."""
    lowered = text.replace(USERNAME, "").lower()
    return [canary for canary in CANARIES if canary.lower() in lowered]


def find_missing_values(not_tried: list[dict[str, Any]]) -> set[str]:
    """Return the placeholders for which the account has no value."""
    found = {row["reason"] for row in not_tried if row["reason"].startswith("no value for ")}
    return {reason.split()[3] for reason in found}


def test_playbook_finds_no_deviation_and_shows_no_canary(cloud: Simulator, tmp_path: Path) -> None:
    dest = tmp_path / "report.yml"
    before = cloud.stats()
    done = play(cloud, dest).succeeded()
    result, after = done.result("Send the documented GET requests"), cloud.stats()
    assert (result["deviations"], result["failures"]) == ([], [])
    assert find_missing_values(result["not_tried"]) == WITHOUT_VALUES
    assert result["compared"] >= 105
    report = dest.read_text(encoding="utf-8")
    assert (stat.S_IMODE(dest.stat().st_mode), yaml.safe_load(report)["deviations"]) == (0o600, [])
    shown = json.dumps([task.result for task in done.tasks if task.task != "Obtain an access token"])
    assert [find_canaries(text) for text in (report, shown, done.output)] == [[], [], []]
    counts = {name: after[name] - before[name] for name in ("writes", "grants", "revocations", "unknown_routes")}
    assert counts == {"writes": 0, "grants": 1, "revocations": 1, "unknown_routes": 0}


def test_responses_contain_canaries_but_the_report_does_not(cloud: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[str] = []
    observe = Answer.observe

    def record(answer: Answer, status: int, headers: Mapping[str, str], body: bytes) -> None:
        bodies.append(body.decode())
        observe(answer, status, headers, body)

    monkeypatch.setattr(Answer, "observe", record)
    http = Http(Connection(cloud.url))
    http.use_token(log_in(cloud))
    # The body of every response now deviates, so every field is in the report.
    reads = [type(read)(**{**read.__dict__, "body": {"row": "str"}}) for read in READS]
    report = format_report(Probe(http, ProbeOptions()).run(reads), date="2026-03-02", cloud="another cloud")
    http.close()
    assert sum(bool(find_canaries(body)) for body in bodies) >= MIN_ANSWERS_WITH_CANARIES
    assert find_canaries(report) == []
    assert report.count("no field") >= len(READS)


def test_report_is_not_written_in_check_mode_and_a_given_token_stays(cloud: Simulator, tmp_path: Path) -> None:
    token = log_in(cloud)
    dest = tmp_path / "report.yml"
    env = {"PARTICLE_API_URL": cloud.url, "PARTICLE_ACCESS_TOKEN": token}
    done = run_playbook(PLAYBOOK, env=env, args=["-e", f"probe_dest={dest}", "--check"]).succeeded()
    assert (dest.exists(), done.result("Send the documented GET requests")["deviations"]) == (False, [])
    answer = requests.get(f"{cloud.url}/v1/user", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert (answer.status_code, token in done.output) == (200, False)


def test_failing_requests_do_not_end_the_probe(cloud: Simulator) -> None:
    cloud.set_faults(
        [
            {"route": "GET /v1/user", "effect": "status", "status": 503, "times": 9},
            {"route": "GET /v1/products/:p/groups", "effect": "reset_before", "times": 9},
            {"route": "GET /v1/sims", "effect": "truncated", "times": 9},
        ]
    )
    try:
        result = run_task("api_probe", {}, cloud_environment(cloud.url, USERNAME, PASSWORD)).succeeded().result(TASK)
    finally:
        cloud.clear_faults()
    assert {each["request"] for each in result["failures"]} == {"GET /v1/user", "GET /v1/products/:product/groups"}
    assert {each["request"] for each in result["deviations"]} == {"GET /v1/sims"}
    assert result["compared"] >= 95


def test_login_is_revoked_after_an_invalid_option(cloud: Simulator, tmp_path: Path) -> None:
    before = cloud.stats()
    done = play(cloud, tmp_path / "report.yml", "-e", "probe_max_requests=0")
    result, after = done.result("Send the documented GET requests"), cloud.stats()
    assert (done.rc, result["error"]["code"]) == (2, "invalid_option")
    assert result["msg"].startswith("max_requests must be at least 1, got 0.")
    assert [after[name] - before[name] for name in ("grants", "revocations", "writes")] == [1, 1, 0]


def test_account_without_things_has_no_deviation(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    result = run_task("api_probe", {"product": PRODUCT_SLUG}, env).succeeded().result(TASK)
    assert (result["deviations"], result["failures"], result["cloud"]["writes"]) == ([], [], 0)
    assert {":group", ":firmware", ":org"} <= find_missing_values(result["not_tried"])


KNOWN_MISSING = {
    *("build_targets", "clients_list", "customers_list", "device_orders", "device_os_versions", "env_list"),
    *("env_render", "env_rollout_review", "fleet_metrics", "fleet_usage", "groups_list", "integrations_list"),
    *("ledgers_list", "locations_fleet", "locations_product", "logic_list", "orgs_list", "products_list"),
    *("secrets_list", "service_agreements", "sims_list", "team_list", "token_introspect_current", "user_get"),
    *("user_identify", "user_search", "vitals_history", "events_product"),
}
"""Endpoints of which the compatible cloud lacks at least one path (real-peers.md, section 1)."""

PRODUCT_FIELDS = ("groups", "settings", "organization", "type", "hardware_version", "config_id")

KNOWN_FIELDS = {
    "config_product_get": {"configuration", "product_configuration"},
    "device_get": {
        *("last_handshake_at", "online", "notes", "current_build_target", "product_firmware_version"),
    },
    "devices_list": {
        *("[].last_heard", "[].last_handshake_at", "[].online", "[].notes"),
        *("[].current_build_target", "[].product_firmware_version"),
    },
    "events_product": {"error_body.status"},
    "product_devices_list": {"customers", "accounts"},
    "product_get": {f"product[].{name}" for name in PRODUCT_FIELDS},
    "products_list": {f"products[].{name}" for name in PRODUCT_FIELDS},
}
"""Fields in which the compatible cloud deviates from the facts, keyed by the endpoint."""


@pytest.mark.real_server
def test_compatible_cloud_has_only_its_known_deviations(real_server: RealServer) -> None:
    form = {"grant_type": "password", "username": ADMIN_USERNAME, "password": ADMIN_PASSWORD}
    pair = ("particle", "particle")
    login = requests.post(f"{real_server.url}/oauth/token", data=form, auth=pair, timeout=60)
    token = str(login.json()["access_token"])
    headers = {"Authorization": f"Bearer {token}"}
    product = {"name": "probed", "platform_id": 6, "type": "Consumer", "hardware_version": "1", "description": "x"}
    for path, body in (
        ("/v1/products", {"product": {**product, "config_id": "x"}}),
        ("/v1/devices", {"id": "e00fce68aabbccddeeff0301"}),
    ):
        assert requests.post(f"{real_server.url}{path}", json=body, headers=headers, timeout=60).ok
    env = {"PARTICLE_API_URL": real_server.url, "PARTICLE_ACCESS_TOKEN": token}
    result = run_task("api_probe", {}, env).succeeded().result(TASK)
    statuses = {each["endpoint"] for each in result["deviations"] if each["place"] == "status"}
    fields: dict[str, set[str]] = {}
    for each in result["deviations"]:
        if each["place"] != "status":
            fields.setdefault(each["endpoint"], set()).add(each["place"])
    assert (statuses, fields, result["failures"]) == (KNOWN_MISSING, KNOWN_FIELDS, [])
