# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that runs at the highest verbosity show no secret in their output, results and files."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible.parsing.vault import VaultLib, VaultSecret

from support.playbooks import PlaybookRun, run_playbook
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

USERNAME = "canary@example.com"
PASSWORD = 'cana"ry pass+word/%41é'
CLIENT = ("canary-client-1", "c11ent-canary-s3cret")
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
JOIN_KEY = "join-key-canary-0f1e2d"
OUTCOMES = "outcomes.jsonl"
LOG = "ansible.log"
TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")

CREDENTIALS = {
    "provision_username": USERNAME,
    "provision_password": PASSWORD,
    "provision_client_id": CLIENT[0],
    "provision_client_secret": CLIENT[1],
}


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    client = {"id": CLIENT[0], "secret": CLIENT[1]}
    accounts.write_text(json.dumps([{"username": USERNAME, "password": PASSWORD, "clients": [client]}]))
    with running_simulator("--fleet", "6", "--accounts", str(accounts)) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


@pytest.fixture(scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture
def folder(_folder: Path) -> Path:
    """An empty folder with the same path in all tests, so that the fork server prepares itself for these settings once.

    The log is only emptied, because the fork server keeps it open.
    """
    for path in _folder.iterdir():
        if path.name == LOG:
            os.truncate(path, 0)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return _folder


def manifest_for(cloud: Simulator) -> dict[str, Any]:
    ids = sorted(device["id"] for device in cloud.state()["devices"])
    return {
        "product": PRODUCT_SLUG,
        "networks": {"barn": {"parameters": {"join_key": JOIN_KEY}}},
        "devices": [
            {
                "id": device,
                "name": f"canary-{index}",
                "mesh": {
                    "network": "barn",
                    "role": "node" if index else "gateway",
                    "parameters": {"join_key": f"{JOIN_KEY}-{index}"} if index < 2 else {},
                },
            }
            for index, device in enumerate(ids)
        ],
    }


def obtain_token(cloud: Simulator) -> str:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    answer = requests.post(f"{cloud.url}/oauth/token", data=form, auth=CLIENT, timeout=30)
    return str(answer.json()["access_token"])


def import_device(cloud: Simulator) -> str:
    """Add a device to the product, and return its id."""
    device = str(cloud.state()["devices"][0]["id"])
    headers = {"Authorization": f"Bearer {obtain_token(cloud)}"}
    address = f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices"
    requests.post(address, json={"id": device}, headers=headers, timeout=30).raise_for_status()
    return device


def collect_traces(run: PlaybookRun, folder: Path) -> str:
    """Return the output, the results and the files of a run as one text. The log must be one of the files."""
    assert (folder / LOG).stat().st_size > 0
    files = (path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())
    traces = "\n".join((run.output, json.dumps([task.result for task in run.tasks], ensure_ascii=False), *files))
    outcomes = folder / OUTCOMES
    # Ansible shows the checksum of a file that it writes, which looks like a token.
    checksum = hashlib.sha1(outcomes.read_bytes(), usedforsecurity=False).hexdigest() if outcomes.exists() else "none"
    return traces.replace(checksum, "checksum")


def find_leaks(text: str) -> list[str]:
    """Return the names of the secrets in `text`, in plain or encoded form."""
    found = []
    for name, secret, user in (
        ("password", PASSWORD, USERNAME),
        ("client secret", CLIENT[1], CLIENT[0]),
        ("join key", JOIN_KEY, None),
    ):
        forms = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1]}
        forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
        if user is not None:
            forms.add(base64.b64encode(f"{user}:{secret}".encode()).decode())
        found += [name for form in forms if form in text]
    found += [f"token {match[:4]}…" for match in TOKEN.findall(text)]
    return found


def provision(
    cloud: Simulator,
    folder: Path,
    extra_vars: dict[str, Any],
    *args: str,
    play: str | list[dict[str, Any]] = "meshfleet.particle.provision",
    **env: str,
) -> PlaybookRun:
    """Run a play at the highest verbosity; all its files go into `folder`."""
    return run_playbook(
        play,
        env={
            "PARTICLE_API_URL": cloud.url,
            "PARTICLE_MAX_WAIT": "0.1",  # retries without long pauses
            "ANSIBLE_LOG_PATH": str(folder / LOG),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
            "XDG_RUNTIME_DIR": str(folder),
            **env,
        },
        extra_vars={"provision_outcomes_file": str(folder / OUTCOMES), **extra_vars},
        args=["-vvvv", "--diff", *args],
    )


def test_leaks_are_detected_in_every_form() -> None:
    assert find_leaks(f"x {PASSWORD} y") == ["password"]
    assert find_leaks(f'{{"p": {json.dumps(PASSWORD)}}}') == ["password"]
    assert find_leaks("Basic " + base64.b64encode(f"{CLIENT[0]}:{CLIENT[1]}".encode()).decode()) == ["client secret"]
    assert find_leaks(f"token={'0f' * 20}&x") == ["token 0f0f…"]


def test_successful_run_shows_no_secret(cloud: Simulator, folder: Path) -> None:
    run = provision(cloud, folder, {**CREDENTIALS, "provision_manifest": manifest_for(cloud)}).succeeded()
    assert cloud.stats()["grants"] == cloud.stats()["revocations"] == 1
    assert find_leaks(collect_traces(run, folder)) == []


def test_changed_moved_or_invalid_join_key_is_not_shown(cloud: Simulator, folder: Path) -> None:
    manifest = manifest_for(cloud)
    other = {**manifest, "networks": {"barn": {"parameters": {"join_key": f"{JOIN_KEY}-2", "other": JOIN_KEY}}}}
    moved_to_shed = {
        "product": PRODUCT_SLUG,
        "networks": {"barn": {"state": "absent"}, "shed": {"parameters": {"join_key": JOIN_KEY}}},
        "devices": [{**device, "mesh": {**device["mesh"], "network": "shed"}} for device in manifest["devices"][:3]],
    }
    too_long = {**manifest, "networks": {"barn": {"parameters": {"join_key": JOIN_KEY * 1_000}}}}
    own_too_long = manifest_for(cloud)
    own_too_long["devices"][0]["mesh"]["parameters"] = {"join_key": JOIN_KEY * 1_000}
    malformed = manifest_for(cloud)
    malformed["devices"][0]["mesh"]["parameters"] = f"join_key={JOIN_KEY}"
    runs = (
        (manifest, True),
        (other, True),
        (moved_to_shed, True),
        (too_long, False),
        (own_too_long, False),
        (malformed, False),
    )
    for declared, succeeds in runs:
        options = {"provision_manifest": declared, "provision_verify": "online"}
        run = provision(cloud, folder, {**CREDENTIALS, **options})
        assert (run.rc == 0) is succeeds, run.output
        assert find_leaks(collect_traces(run, folder)) == []
        os.truncate(folder / LOG, 0)


def test_vaulted_join_keys_reach_only_their_devices(cloud: Simulator, folder: Path, tmp_path: Path) -> None:
    keys = {device: f"{JOIN_KEY}-{device[-4:]}" for device in sorted(row["id"] for row in cloud.state()["devices"])}
    hosts = [
        f"    host-{number}: {{particle_device: {{id: {device}, mesh: {{network: barn, role: "
        f"{'node' if number else 'gateway'}, parameters: {{join_key: {_encrypt_value(key)}}}}}}}}}"
        for number, (device, key) in enumerate(keys.items())
    ]
    inventory, password = tmp_path / "hosts.yml", tmp_path / "password"
    inventory.write_text("\n".join(["all:", "  hosts:", *hosts]) + "\n")
    password.write_text("vault-password")
    variables = {
        "provision_from_inventory": True,
        "provision_product": PRODUCT_SLUG,
        "provision_networks": {"barn": {"parameters": {"channel": 15}}},
        "provision_verify": "online",
    }
    play = [{"hosts": "all", "gather_facts": False, "roles": [{"role": "meshfleet.particle.provision"}]}]
    args = ("-i", str(inventory), "--vault-password-file", str(password))
    run = provision(cloud, folder, {**CREDENTIALS, **variables}, *args, play=play).succeeded()

    (instructions,) = (ledger for ledger in cloud.state()["ledgers"] if ledger["name"] == "mesh")
    parameters = {entry["scope_value"]: entry["data"]["parameters"] for entry in instructions["instances"]}
    assert parameters == {device: {"channel": 15, "join_key": key} for device, key in keys.items()}
    assert len((folder / OUTCOMES).read_text().splitlines()) == len(keys)
    assert find_leaks(collect_traces(run, folder)) == []


def _encrypt_value(text: str) -> str:
    """Return a text as an encrypted value of a YAML file."""
    secret = VaultSecret(b"vault-password")
    return '!vault "' + VaultLib().encrypt(text, secret).decode().strip().replace("\n", "\\n") + '"'


def test_credentials_in_the_environment_are_not_shown(cloud: Simulator, folder: Path) -> None:
    run = provision(
        cloud,
        folder,
        {"provision_manifest": manifest_for(cloud)},
        PARTICLE_USERNAME=USERNAME,
        PARTICLE_PASSWORD=PASSWORD,
        PARTICLE_CLIENT_ID=CLIENT[0],
        PARTICLE_CLIENT_SECRET=CLIENT[1],
    ).succeeded()
    assert find_leaks(collect_traces(run, folder)) == []


def test_check_mode_shows_no_secret_and_revokes_its_token(cloud: Simulator, folder: Path) -> None:
    extra = {**CREDENTIALS, "provision_manifest": manifest_for(cloud)}
    run = provision(cloud, folder, extra, "--check").succeeded()
    assert cloud.stats()["grants"] == cloud.stats()["revocations"] == 1
    assert cloud.stats()["writes"] == 0
    assert find_leaks(collect_traces(run, folder)) == []


KNOWN_TO_LOGIN = f"{PASSWORD} {CLIENT[1]} {base64.b64encode(f'{USERNAME}:{PASSWORD}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("route", "effect", "echo"),
    [
        ("PUT /v1/products/:p/devices/:id", {"effect": "html"}, ""),
        ("PUT /v1/products/:p/devices/:id", {"effect": "status", "status": 500}, ""),
        ("GET /v1/products/:p", {"effect": "status", "status": 403}, ""),
        ("PUT /v1/ledgers/:name/instances/:scopeValue", {"effect": "status", "status": 422}, JOIN_KEY),
        ("GET /v1/ledgers/:name/instances", {"effect": "status", "status": 403}, JOIN_KEY),
        ("DELETE /v1/access_tokens/current", {"effect": "status", "status": 403}, PASSWORD),
        ("POST /oauth/token", {"effect": "status", "status": 503}, KNOWN_TO_LOGIN),
        ("POST /oauth/token", {"effect": "status", "status": 400}, KNOWN_TO_LOGIN),
    ],
)
def test_failed_run_shows_no_secret_that_the_cloud_echoes(
    cloud: Simulator, folder: Path, route: str, effect: dict[str, Any], echo: str
) -> None:
    token = obtain_token(cloud)
    body = {"error": "x", "error_description": f"no {echo} try https://cloud.example/?access_token={token}"}
    manifest = manifest_for(cloud)
    cloud.set_faults([{"route": route, "times": 50, "body": body, **effect}])
    run = provision(cloud, folder, {**CREDENTIALS, "provision_manifest": manifest})
    assert run.rc != 0
    assert cloud.faults()[0]["fired"] > 0
    assert find_leaks(collect_traces(run, folder)) == []


def test_wrong_password_is_not_shown(cloud: Simulator, folder: Path) -> None:
    wrong = {**CREDENTIALS, "provision_password": "wr0ng-canary", "provision_manifest": manifest_for(cloud)}
    run = provision(cloud, folder, wrong)
    assert run.result("Obtain an access token")["error"]["code"] == "invalid_credentials"
    assert "wr0ng-canary" not in collect_traces(run, folder)
    assert find_leaks(collect_traces(run, folder)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"provision_manifest": {"devices": []}, "provision_workers": "many"},
        {"provision_verify": "perhaps"},
        {"provision_manifest": {"devices": [{"id": PASSWORD}]}, "provision_password": [PASSWORD]},
    ],
    ids=["wrong type", "missing and wrong choice", "wrong type of a secret"],
)
def test_invalid_options_show_no_secret(cloud: Simulator, folder: Path, wrong: dict[str, Any]) -> None:
    run = provision(cloud, folder, {**CREDENTIALS, **wrong})
    assert run.rc != 0
    stats = cloud.stats()
    assert (stats["writes"], stats["grants"]) == (0, stats["revocations"])
    assert find_leaks(collect_traces(run, folder).replace(json.dumps({"id": PASSWORD}), "")) == []


def test_given_token_is_in_no_result_of_a_module(cloud: Simulator, folder: Path) -> None:
    token = obtain_token(cloud)
    options = {"access_token": token}
    tasks: list[dict[str, Any]] = [
        {"name": "Info", "meshfleet.particle.device_info": {**options, "product": PRODUCT_SLUG}},
        {"name": "Fleet", "meshfleet.particle.fleet": {**options, "manifest": manifest_for(cloud)}},
        {"name": "Bad type", "meshfleet.particle.fleet": {**options, "workers": token}, "ignore_errors": True},
        {"name": "Bad info", "meshfleet.particle.device_info": {**options, "max_wait": token}, "ignore_errors": True},
        {"name": "Bad place", "meshfleet.particle.device_info": {**options, "product": token}, "ignore_errors": True},
        {"name": "Bad url", "meshfleet.particle.device_info": {**options, "api_url": f"http://{token}@127.0.0.1"},
         "ignore_errors": True},
        {"name": "Revoke", "meshfleet.particle.access_token": {**options, "state": "absent"}},
    ]  # fmt: skip
    run = run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={"PARTICLE_API_URL": cloud.url, "ANSIBLE_LOG_PATH": str(folder / LOG)},
        args=["-vvvv", "--diff"],
    )
    recorded = collect_traces(run, folder)
    # The play itself contains the token, and Ansible quotes lines of failed tasks, so only the results are checked.
    assert all(token not in json.dumps(task.result) for task in run.tasks)
    assert run.task("Revoke").status == "changed", recorded


def test_registered_token_is_complete_and_its_display_is_censored(cloud: Simulator, tmp_path: Path) -> None:
    token_file = tmp_path / "kept"
    run = run_playbook(
        [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [
                    {
                        "name": "Obtain",
                        "meshfleet.particle.access_token": {"username": USERNAME, "password": "{{ password }}"},
                        "register": "token",
                    },
                    {
                        "name": "Keep",
                        "ansible.builtin.copy": {
                            "content": "{{ token.access_token }}",
                            "dest": str(token_file),
                            "mode": "0600",
                        },
                        "no_log": True,
                    },
                ],
            }
        ],
        env={"PARTICLE_API_URL": cloud.url},
        extra_vars={"password": PASSWORD},
        args=["-vvvv"],
    ).succeeded()
    assert TOKEN.fullmatch(token_file.read_text())
    assert "censored" in run.result("Obtain")
    assert token_file.read_text() not in run.output


SHARED_FOLDERS = ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME")
"""The variables that set the folders of shared sessions and of shared budgets."""


def test_shared_files_are_private_and_contain_no_password(cloud: Simulator, tmp_path: Path) -> None:
    tasks = [
        {"name": "Obtain", "meshfleet.particle.access_token": {"username": USERNAME, "password": "{{ password }}"}},
        {"name": "Look", "meshfleet.particle.device_info": {"username": USERNAME, "password": "{{ password }}"}},
    ]
    run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={"PARTICLE_API_URL": cloud.url, **{name: str(tmp_path / name) for name in SHARED_FOLDERS}},
        extra_vars={"password": PASSWORD},
        args=["--check"],
    ).succeeded()
    folders = [tmp_path / name / "meshfleet.particle" for name in SHARED_FOLDERS]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    files = [file for folder in folders for file in sorted(folder.iterdir())]
    # One lock of a session is for the login, with a number in place of its name, and one for the file.
    names = [re.sub(r"\d+", "N", file.name) for file in files if file.suffix != ".ring"]
    sessions = ["sessions.json", "sessions.json.N.lock", "sessions.json.lock"]
    assert sorted(names) == [*sessions, "token_requests.json", "token_requests.json.lock"]
    # The other files are the request budgets: times of requests, in files named after a hash of the address.
    assert len(files) > len(names)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    # The only token is that of the session; the token of check mode is stored as a hash.
    leaked = find_leaks("\n".join(file.read_bytes().decode("latin-1") for file in files))
    assert [leak.split(" ")[0] for leak in leaked] == ["token"]


LOOKUP = """{{ lookup(
    'meshfleet.particle.access_token', api_url=api_url, username=username, password=password,
    client_id=client_id, client_secret=client_secret
) }}"""
JSON_OUTPUT = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_DISPLAY_FAILED_STDERR": "1"}


@pytest.mark.parametrize("password", [PASSWORD, "wr0ng-canary-pass"], ids=["right", "wrong"])
def test_no_plugin_shows_its_credentials(cloud: Simulator, folder: Path, tmp_path: Path, password: str) -> None:
    token_file = tmp_path / "kept" / "tokens.json"
    token_file.parent.mkdir()
    credentials = {
        "username": USERNAME,
        "password": "{{ password }}",
        "client_id": CLIENT[0],
        "client_secret": "{{ client_secret }}",
    }
    device = import_device(cloud)
    modules: dict[str, dict[str, Any]] = {
        "access_token": {"token_file": str(token_file), "otp_secret": "{{ otp_secret }}"},
        "access_token_info": {"token_file": str(token_file), "list": True},
        "auth_doctor": {"list": True, "product": PRODUCT_SLUG, "otp": "918273"},
        "device_info": {"product": PRODUCT_SLUG, "otp_secret": "{{ otp_secret }}"},
        "device_facts": {"product": PRODUCT_SLUG, "id": device, "otp_secret": "{{ otp_secret }}"},
        "fleet": {"manifest": manifest_for(cloud)},
    }
    tasks: list[dict[str, Any]] = [
        {"name": module, f"meshfleet.particle.{module}": {**credentials, **options}, "ignore_errors": True}
        for module, options in modules.items()
    ]
    rotate = {**credentials, "token_file": str(token_file), "state": "rotated"}
    tasks += [
        {"name": "rotate", "meshfleet.particle.access_token": rotate, "ignore_errors": True},
        {
            "name": "lookup",
            "meshfleet.particle.device_info": {
                "access_token": LOOKUP,
                "product": PRODUCT_SLUG,
            },
            "ignore_errors": True,
        },
    ]
    run = run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={"PARTICLE_API_URL": cloud.url, "ANSIBLE_LOG_PATH": str(folder / LOG), **JSON_OUTPUT},
        extra_vars={
            "password": password,
            "client_secret": CLIENT[1],
            "otp_secret": OTP_SECRET,
            "api_url": cloud.url,
            "username": USERNAME,
            "client_id": CLIENT[0],
        },
        args=["-vvvv", "--diff"],
    )
    assert [task.task for task in run.tasks] == [*modules, "rotate", "lookup"]
    traces = collect_traces(run, folder)
    assert find_leaks(traces) == []
    assert OTP_SECRET not in traces
    assert password not in traces
    if password == PASSWORD:
        assert all(task.status in ("ok", "changed") for task in run.tasks), run.output


LITERAL = "canary-in-the-playbook"
TASK_HEADER, EXCERPT, JUNIT = "task header", "excerpt", "junit"


def find_shown_literals(cloud: Simulator, folder: Path, password: str, **task: Any) -> set[str]:
    """Run a task that fails, and return which outputs of Ansible itself show the password.

    :param password: the text that the playbook contains as the password.
    :param task: more keywords of the task.
    """
    options = f"{{username: {USERNAME}, password: '{password}', api_url: '{cloud.url}'}}"
    keywords = "".join(f"\n      {name}: {json.dumps(value)}" for name, value in task.items())
    text = "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
    run = run_playbook(
        f"{text}    - meshfleet.particle.device_info: {options}{keywords}\n",
        env={
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "True",
            "JUNIT_OUTPUT_DIR": str(folder),
        },
        extra_vars={"particle_password": LITERAL},
    )
    assert run.rc != 0
    (junit,) = (file.read_text() for file in folder.glob("*.xml"))
    (header,) = re.findall(r"^TASK .*", run.output, re.MULTILINE)
    excerpts = re.findall(r"^\d+ .*", run.output, re.MULTILINE)
    assert excerpts, run.output
    shown = {TASK_HEADER: header, EXCERPT: "\n".join(excerpts), JUNIT: junit}
    return {name for name, output in shown.items() if LITERAL in output}


@pytest.mark.parametrize(
    ("password", "task", "shown"),
    [
        # The exceptions that the guide to security names, and its remedies.
        (LITERAL, {}, {TASK_HEADER, EXCERPT, JUNIT}),
        (LITERAL, {"no_log": True}, {EXCERPT}),
        ("{{ particle_password }}", {}, set()),
    ],
    ids=["literal", "literal with no_log", "variable"],
)
def test_ansible_itself_shows_only_secrets_written_into_a_playbook(
    cloud: Simulator, tmp_path: Path, password: str, task: dict[str, Any], shown: set[str]
) -> None:
    assert find_shown_literals(cloud, tmp_path, password, **task) == shown
