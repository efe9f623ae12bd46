# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The whole way on a cloud that was not written for the collection, and what it says where that cloud cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from support.browser import observe_report
from support.inventories import write_inventory
from support.playbooks import PlaybookRun, run_playbook
from support.real_server import ADMIN_PASSWORD, ADMIN_USERNAME, RealServer

pytestmark = pytest.mark.real_server

PASSWORD = "correct horse"
DEVICES = [
    {"id": "e00fce68aabbccddeeff0101", "name": "greenhouse-01", "claimed": True},
    {"id": "e00fce68aabbccddeeff0102", "name": "greenhouse-02", "claimed": True},
]

WHOLE_WAY: list[dict[str, Any]] = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Obtain",
                "meshfleet.particle.access_token": {"username": "{{ user }}", "password": "{{ password }}"},
                "register": "token",
            },
            {
                "module_defaults": {
                    "group/meshfleet.particle.particle": {"access_token": "{{ token.access_token }}"},
                },
                "block": [
                    {"name": "Predict", "meshfleet.particle.fleet": {"devices": "{{ devices }}"}, "check_mode": True},
                    {"name": "Provision", "meshfleet.particle.fleet": {"devices": "{{ devices }}"}},
                    {"name": "Again", "meshfleet.particle.fleet": {"devices": "{{ devices }}"}},
                    {"name": "Look", "meshfleet.particle.device_info": None},
                ],
            },
            {
                "name": "Revoke",
                "meshfleet.particle.access_token": {
                    "state": "absent",
                    "access_token": "{{ token.access_token }}",
                    "username": "{{ user }}",
                    "password": "{{ password }}",
                },
            },
            {
                "name": "Revoke again",
                "meshfleet.particle.access_token": {
                    "state": "absent",
                    "access_token": "{{ token.access_token }}",
                    "username": "{{ user }}",
                    "password": "{{ password }}",
                },
            },
            {
                "name": "Look with the dead token",
                "meshfleet.particle.device_info": {"access_token": "{{ token.access_token }}"},
                "ignore_errors": True,
            },
        ],
    }
]


def play(task: str, options: dict[str, Any], server: RealServer, **env: str) -> PlaybookRun:
    """One task against the server, which may fail."""
    tasks = [{"name": "Task", f"meshfleet.particle.{task}": options}]
    return run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={"PARTICLE_API_URL": server.url, **env},
    )


@pytest.fixture(scope="module")
def whole_way(real_server: RealServer) -> PlaybookRun:
    """Two devices from unclaimed to claimed, named, listed; and the token's end."""
    real_server.create_user("whole-way@example.com", PASSWORD)
    return run_playbook(
        WHOLE_WAY,
        env={"PARTICLE_API_URL": real_server.url},
        extra_vars={"user": "whole-way@example.com", "password": PASSWORD, "devices": DEVICES},
    ).succeeded()


def test_two_devices_are_claimed_and_named(whole_way: PlaybookRun) -> None:
    result = whole_way.result("Provision")
    assert result["summary"] == {"total": 2, "ok": 0, "changed": 2, "failed": 0, "pending": 0}
    listed = whole_way.result("Look")["devices"]
    assert sorted((device["id"], device["name"]) for device in listed) == [
        (device["id"], device["name"]) for device in DEVICES
    ]


def test_check_mode_writes_nothing_and_predicts_what_then_happens(whole_way: PlaybookRun) -> None:
    predicted, done = whole_way.result("Predict"), whole_way.result("Provision")
    assert predicted["cloud"]["writes"] == 0
    assert predicted["changed"] is done["changed"] is True
    assert predicted["diff"] == done["diff"]


def test_a_second_run_changes_nothing(whole_way: PlaybookRun) -> None:
    again = whole_way.result("Again")
    assert again["changed"] is False
    assert again["cloud"]["writes"] == 0


def test_online_is_known_although_the_server_speaks_of_connected(whole_way: PlaybookRun) -> None:
    assert [device["online"] for device in whole_way.result("Look")["devices"]] == [False, False]


def test_the_token_is_revoked_by_the_account_and_dead(whole_way: PlaybookRun) -> None:
    assert whole_way.task("Revoke").status == "changed"
    assert whole_way.task("Revoke again").status == "ok"
    assert whole_way.result("Look with the dead token")["error"]["code"] == "token_invalid"


def test_a_wrong_password_is_a_refusal_although_the_server_calls_it_a_fault(real_server: RealServer) -> None:
    real_server.create_user("wrong-password@example.com", PASSWORD)
    credentials = {"username": "wrong-password@example.com", "password": "incorrect horse"}
    run = play("access_token", credentials, real_server)
    result = run.result("Task")
    assert result["error"]["code"] == "invalid_credentials"
    assert result["error"]["status"] == 503
    assert result["cloud"]["requests"] == 1
    assert "incorrect horse" not in run.output


def test_the_role_provisions_and_leaves_no_token(real_server: RealServer) -> None:
    real_server.create_user("role@example.com", PASSWORD)
    run = run_playbook(
        "meshfleet.particle.provision",
        env={"PARTICLE_API_URL": real_server.url},
        extra_vars={
            "provision_username": "role@example.com",
            "provision_password": PASSWORD,
            "provision_manifest": {"devices": [{"id": "e00fce68aabbccddeeff0103", "name": "role-01", "claimed": True}]},
        },
    ).succeeded()
    assert run.task("Bring the fleet to its declared state").status == "changed"
    assert run.task("Revoke the access token").status == "changed"
    listed = requests.get(f"{real_server.url}/v1/access_tokens", auth=("role@example.com", PASSWORD), timeout=30).json()
    assert listed == []


@pytest.mark.parametrize(
    ("declared", "place"),
    [
        ({"devices": [{**DEVICES[0], "groups": ["north"]}]}, "devices[0].groups"),
        (
            {
                "devices": [{**DEVICES[0], "mesh": {"network": "barn", "role": "gateway"}}],
                "networks": {"barn": {}},
            },
            "networks.barn: a network of backend ledger",
        ),
    ],
    ids=["groups", "mesh"],
)
def test_what_needs_a_product_is_refused_in_words_and_nothing_is_written(
    real_server: RealServer, declared: dict[str, Any], place: str
) -> None:
    result = play(
        "fleet", declared, real_server, PARTICLE_USERNAME="nobody@example.com", PARTICLE_PASSWORD=PASSWORD
    ).result("Task")
    assert result["error"]["code"] == "unsupported"
    assert place in result["msg"]
    assert "cloud" not in result


def test_a_server_without_groups_says_so_before_any_write(real_server: RealServer) -> None:
    token = requests.post(
        f"{real_server.url}/oauth/token",
        auth=("particle", "particle"),
        data={"grant_type": "password", "username": ADMIN_USERNAME, "password": ADMIN_PASSWORD},
        timeout=30,
    ).json()["access_token"]
    product = requests.post(
        f"{real_server.url}/v1/products",
        headers={"Authorization": f"Bearer {token}"},
        json={
            "product": {
                "name": "Field Logger",
                "description": "Logs the field",
                "hardware_version": "1",
                "platform_id": 13,
                "type": "Consumer",
            }
        },
        timeout=30,
    )
    assert product.status_code == 200, product.text
    found = product.json()["product"]
    found = found[0] if isinstance(found, list) else found
    result = play(
        "fleet",
        {
            "product": str(found["product_id"] if "product_id" in found else found["id"]),
            "networks": {"barn": {}},
            "devices": [{"id": DEVICES[0]["id"], "mesh": {"network": "barn", "role": "gateway"}}],
        },
        real_server,
        PARTICLE_ACCESS_TOKEN=token,
    ).result("Task")
    assert result["error"]["code"] == "unsupported", result
    assert result["cloud"]["writes"] == 0


@pytest.fixture(scope="module")
def seen(real_server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlaybookRun, Path]:
    """Two claimed devices as hosts, as facts and as a report; and the folder that the report is in."""
    account = {"username": "seeing@example.com", "password": PASSWORD}
    real_server.create_user(account["username"], PASSWORD)
    folder = tmp_path_factory.mktemp("seen")
    claimed = [{**DEVICES[0], "id": f"e00fce68aabbccddeeff020{n}", "name": f"seen-{n}"} for n in (1, 2)]
    env = {"PARTICLE_USERNAME": account["username"], "PARTICLE_PASSWORD": PASSWORD}
    play("fleet", {"devices": claimed}, real_server, **env).succeeded()
    hosts = write_inventory(folder, account_devices=True, group_by=["online", "platform", "network"])
    report = {"report_dest": str(folder / "report")}
    plays: list[dict[str, Any]] = [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [
                {"name": "Facts", "meshfleet.particle.device_facts": {"id": "{{ particle.id }}"}},
                {"name": "Groups", "ansible.builtin.debug": {"var": "group_names"}},
            ],
        },
        {
            "hosts": "localhost",
            "gather_facts": False,
            "roles": [{"role": "meshfleet.particle.report", "vars": report}],
            "tasks": [{"name": "Adopt", "meshfleet.particle.device_info": {"as_manifest": True}}],
        },
    ]
    run = run_playbook(plays, env={"PARTICLE_API_URL": real_server.url, **env}, args=["-i", str(hosts)]).succeeded()
    return run, folder / "report"


def test_devices_are_hosts_and_their_facts_show_what_is_missing_as_missing(seen: tuple[PlaybookRun, Path]) -> None:
    run, _unused = seen
    for host in ("seen-1", "seen-2"):
        facts = run.result("Facts", host)["ansible_facts"]["particle"]
        assert (facts["name"], facts["online"], facts["presence"]) == (host, False, "offline")
        assert (facts["mac"], facts["mesh"], facts["platform"]) == (None, None, None)
        assert (facts["serial_number"], facts["iccid"], facts["system_firmware_version"]) == (None, None, None)
        assert "online_false" in run.result("Groups", host)["group_names"]


def test_a_fleet_is_adopted_from_there_too(seen: tuple[PlaybookRun, Path]) -> None:
    manifest = seen[0].result("Adopt")["manifest"]
    assert {device["name"]: device["claimed"] for device in manifest["devices"]} == {"seen-1": True, "seen-2": True}


def test_a_report_shows_what_is_missing_as_missing(seen: tuple[PlaybookRun, Path]) -> None:
    devices = json.loads((seen[1] / "fleet.json").read_text())["devices"]
    assert {device["name"] for device in devices} == {"seen-1", "seen-2"}  # in an order of the server's own
    assert all(device["serial_number"] is None and device["mac"] is None for device in devices)
    look = observe_report(seen[1] / "fleet.html", "seen-2")
    assert look["found"]["names"] == ["seen-2"]
    assert (look["requests"], look["console"], look["networks"]) == ([], [], {})
    assert look["missing"] >= 4
