# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the collection against an independent Particle-compatible cloud, including what that cloud does not support."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from support.browser import observe_report
from support.firmware import make_binary
from support.inventories import write_inventory
from support.playbooks import PlaybookRun, run_playbook
from support.real_server import ADMIN_PASSWORD, ADMIN_USERNAME, RealServer

pytestmark = pytest.mark.real_server

PASSWORD = "correct horse"
DEVICES = [
    {"id": "e00fce68aabbccddeeff0101", "name": "greenhouse-01", "claimed": True},
    {"id": "e00fce68aabbccddeeff0102", "name": "greenhouse-02", "claimed": True},
]

CLAIM_PLAYS: list[dict[str, Any]] = [
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
                "name": "Look with the revoked token",
                "meshfleet.particle.device_info": {"access_token": "{{ token.access_token }}"},
                "ignore_errors": True,
            },
        ],
    }
]


def play(task: str, options: dict[str, Any], server: RealServer, **env: str) -> PlaybookRun:
    """Run one task against the server; it may fail."""
    tasks = [{"name": "Task", f"meshfleet.particle.{task}": options}]
    return run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={"PARTICLE_API_URL": server.url, **env},
    )


@pytest.fixture(scope="module")
def claim_run(real_server: RealServer) -> PlaybookRun:
    """A run that claims, names and lists two devices, and revokes its token."""
    real_server.create_user("whole-way@example.com", PASSWORD)
    return run_playbook(
        CLAIM_PLAYS,
        env={"PARTICLE_API_URL": real_server.url},
        extra_vars={"user": "whole-way@example.com", "password": PASSWORD, "devices": DEVICES},
        args=["--diff"],
    ).succeeded()


def test_two_devices_are_claimed_and_named(claim_run: PlaybookRun) -> None:
    result = claim_run.result("Provision")
    assert result["summary"] == {"total": 2, "ok": 0, "changed": 2, "failed": 0, "pending": 0}
    listed = claim_run.result("Look")["devices"]
    assert sorted((device["id"], device["name"]) for device in listed) == [
        (device["id"], device["name"]) for device in DEVICES
    ]


def test_check_mode_writes_nothing_and_predicts_the_diff(claim_run: PlaybookRun) -> None:
    predicted, done = claim_run.result("Predict"), claim_run.result("Provision")
    assert predicted["cloud"]["writes"] == 0
    assert predicted["changed"] is done["changed"] is True
    assert predicted["diff"]["prepared"].startswith(done["diff"]["prepared"])


def test_second_run_changes_nothing(claim_run: PlaybookRun) -> None:
    again = claim_run.result("Again")
    assert again["changed"] is False
    assert again["cloud"]["writes"] == 0


def test_field_connected_is_returned_as_online(claim_run: PlaybookRun) -> None:
    assert [device["online"] for device in claim_run.result("Look")["devices"]] == [False, False]


def test_notes_on_a_server_without_notes_are_called_unsupported(real_server: RealServer) -> None:
    real_server.create_user("notes@example.com", PASSWORD)
    account = {"PARTICLE_USERNAME": "notes@example.com", "PARTICLE_PASSWORD": PASSWORD}
    device = {"id": "e00fce68aabbccddeeff0301", "claimed": True, "notes": "north wall"}
    result = play("fleet", {"devices": [device]}, real_server, **account).result("Task")
    assert result["error"]["code"] == "unsupported", result
    assert "Firmware file not provided" in result["error"]["message"]
    assert result["error"]["hint"].startswith("Remove this from your declaration")


def test_revoked_token_is_invalid_and_second_revocation_changes_nothing(claim_run: PlaybookRun) -> None:
    assert claim_run.task("Revoke").status == "changed"
    assert claim_run.task("Revoke again").status == "ok"
    assert claim_run.result("Look with the revoked token")["error"]["code"] == "token_invalid"


@pytest.mark.parametrize(
    ("username", "sentence"),
    [("wrong-password@example.com", "Wrong password"), ("unknown@example.com", "User doesn't exist")],
)
def test_refused_login_is_recognized_in_a_server_error(real_server: RealServer, username: str, sentence: str) -> None:
    if username != "unknown@example.com":
        real_server.create_user(username, PASSWORD)
    credentials = {"username": username, "password": "incorrect horse"}
    run = play("access_token", credentials, real_server)
    result = run.result("Task")
    assert result["error"]["code"] == "invalid_credentials"
    assert result["error"]["status"] == 503
    assert sentence in result["msg"]
    assert result["cloud"]["requests"] == 1
    assert "incorrect horse" not in run.output


def test_all_modules_judge_a_dead_token_alike(real_server: RealServer) -> None:
    dead = {"access_token": "0" * 40}
    assert play("device_info", dead, real_server).result("Task")["error"]["code"] == "token_invalid"
    assert play("auth_doctor", dead, real_server).result("Task")["code"] == "token_invalid"
    assert play("access_token_info", dead, real_server).result("Task")["current"]["alive"] is False


def test_role_provisions_a_device_and_revokes_its_token(real_server: RealServer) -> None:
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
    # Nothing is left of the token of the role, so the revocation does not count as a change.
    assert run.task("Revoke the access token").status == "ok"
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
def test_settings_that_need_a_product_are_refused_before_any_request(
    real_server: RealServer, declared: dict[str, Any], place: str
) -> None:
    result = play(
        "fleet", declared, real_server, PARTICLE_USERNAME="no-product@example.com", PARTICLE_PASSWORD=PASSWORD
    ).result("Task")
    assert result["error"]["code"] == "unsupported"
    assert place in result["msg"]
    assert "cloud" not in result


def create_product(real_server: RealServer, name: str) -> tuple[str, str]:
    """Create a product for Borons, and return an access token of its owner and its id."""
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
                "name": name,
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
    return token, str(found["product_id"] if "product_id" in found else found["id"])


def test_firmware_is_uploaded_as_older_clouds_expect_it(real_server: RealServer, tmp_path: Path) -> None:
    token, product = create_product(real_server, "Pump Watch")
    file = tmp_path / "app.bin"
    file.write_bytes(make_binary(8, product_id=int(product)))
    options = {"product": product, "file": str(file), "description": "First"}
    first = play("firmware", options, real_server, PARTICLE_ACCESS_TOKEN=token).result("Task")
    assert "firmware" in first, first
    assert (first["changed"], first["firmware"]["version"], first["firmware"]["size"]) == (True, 8, file.stat().st_size)
    again = play("firmware", options, real_server, PARTICLE_ACCESS_TOKEN=token)
    assert again.result("Task")["changed"] is False
    assert "the bytes were not compared" in again.output.replace("\n", " ")
    removed = {"product": product, "version": 8, "state": "absent"}
    assert play("firmware", removed, real_server, PARTICLE_ACCESS_TOKEN=token).result("Task")["changed"]


def test_server_without_groups_is_reported_before_any_write(real_server: RealServer) -> None:
    token, product = create_product(real_server, "Field Logger")
    result = play(
        "fleet",
        {
            "product": product,
            "networks": {"barn": {}},
            "devices": [{"id": DEVICES[0]["id"], "mesh": {"network": "barn", "role": "gateway"}}],
        },
        real_server,
        PARTICLE_ACCESS_TOKEN=token,
    ).result("Task")
    assert result["error"]["code"] == "unsupported", result
    assert result["cloud"]["writes"] == 0


@pytest.fixture(scope="module")
def overview(real_server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlaybookRun, Path]:
    """A run over two claimed devices with an inventory, facts, a report and an export; and the folder of the report."""
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
            "tasks": [{"name": "Export", "meshfleet.particle.device_info": {"as_manifest": True}}],
        },
    ]
    run = run_playbook(plays, env={"PARTICLE_API_URL": real_server.url, **env}, args=["-i", str(hosts)]).succeeded()
    return run, folder / "report"


def test_fields_that_the_server_lacks_are_null_in_the_facts(overview: tuple[PlaybookRun, Path]) -> None:
    run, _unused = overview
    for host in ("seen-1", "seen-2"):
        facts = run.result("Facts", host)["ansible_facts"]["particle"]
        assert (facts["name"], facts["online"], facts["presence"]) == (host, False, "offline")
        assert (facts["mac"], facts["mesh"], facts["platform"]) == (None, None, None)
        assert (facts["serial_number"], facts["iccid"], facts["system_firmware_version"]) == (None, None, None)
        assert "online_false" in run.result("Groups", host)["group_names"]


def test_fleet_is_exported_as_a_manifest(overview: tuple[PlaybookRun, Path]) -> None:
    manifest = overview[0].result("Export")["manifest"]
    assert {device["name"]: device["claimed"] for device in manifest["devices"]} == {"seen-1": True, "seen-2": True}


def test_fields_that_the_server_lacks_are_missing_in_the_report(overview: tuple[PlaybookRun, Path]) -> None:
    devices = json.loads((overview[1] / "fleet.json").read_text())["devices"]
    assert {device["name"] for device in devices} == {"seen-1", "seen-2"}  # the order depends on the server
    assert all(device["serial_number"] is None and device["mac"] is None for device in devices)
    page = observe_report(overview[1] / "fleet.html", "seen-2")
    assert page["found"]["names"] == ["seen-2"]
    assert (page["requests"], page["console"], page["networks"]) == ([], [], {})
    assert (page["heads"], page["missing"]) == (["Name", "Presence", "Id"], 0)
    hidden, mac = page["notes"][:2]
    assert hidden.startswith("Columns without a value are not shown: ")
    assert all(label in hidden for label in ("Serial number", "MAC address", "Network", "Firmware", "Last heard"))
    assert mac.startswith("The cloud does not know the MAC address of 2 devices. ")
