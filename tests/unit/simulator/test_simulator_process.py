# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the process of the simulator: its flags, its port file and its end."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from simulator_client import FREE, TIMEOUT_SECONDS, Cloud, run, started, write_json

from particle_simulator.cli import main


def build_url(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}"


def test_fleet_flag_with_a_number_creates_unclaimed_borons(tmp_path: Path) -> None:
    with started(tmp_path, "--fleet", "12") as (_unused, port):
        devices = Cloud(build_url(port)).state()["devices"]
    assert len({device["id"] for device in devices}) == 12
    assert {device["platform_id"] for device in devices} == {13}
    assert {(device["product"], device["owner"], device["online"]) for device in devices} == {(None, None, True)}


def test_claimed_flag_gives_the_manufactured_devices_to_the_first_account(tmp_path: Path) -> None:
    with started(tmp_path, "--fleet", "3", "--claimed") as (_unused, port):
        devices = Cloud(build_url(port)).user(("demo@example.com", "demo-password")).get("/v1/devices")
    assert len(devices) == 3


def test_default_account_owns_the_documented_product(tmp_path: Path) -> None:
    with started(tmp_path) as (_unused, port):
        cloud = Cloud(build_url(port))
        (product,) = cloud.user(("demo@example.com", "demo-password")).get("/v1/user/products")["products"]
    assert (product["id"], product["slug"], product["platform_id"]) == (31337, "field-logger", 13)


@pytest.mark.parametrize(("seed", "same_fleet"), [("0", True), ("1", False)])
def test_device_ids_of_the_fleet_depend_on_the_seed(tmp_path: Path, seed: str, same_fleet: bool) -> None:
    fleets = []
    for number, used_seed in enumerate(("0", seed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with started(folder, "--fleet", "3", "--seed", used_seed) as (_unused, port):
            fleets.append([device["id"] for device in Cloud(build_url(port)).state()["devices"]])
    assert (fleets[0] == fleets[1]) is same_fleet


def test_simulator_listens_only_on_loopback(tmp_path: Path) -> None:
    with started(tmp_path) as (process, port):
        listening = {
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
            if line.split()[3] == "0A"
        }
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_simulator_stops_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path) as (process, port):
        requests.get(build_url(port) + "/v1/user", timeout=TIMEOUT_SECONDS)
        process.send_signal(number)
        assert process.wait(timeout=TIMEOUT_SECONDS) == 0
        assert process.communicate(timeout=TIMEOUT_SECONDS)[1] == ""


def test_simulator_stops_while_a_client_waits_for_an_answer(tmp_path: Path) -> None:
    with started(tmp_path) as (process, port):
        Cloud(build_url(port)).break_route("*", "silence")
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(b"GET /v1/user HTTP/1.1\r\nHost: x\r\n\r\n")
            while not Cloud(build_url(port)).stats()["requests"]:
                assert process.poll() is None
            process.terminate()
            assert process.wait(timeout=TIMEOUT_SECONDS) == 0


def test_port_file_is_the_only_file_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with started(folder) as (_unused, port):
        assert os.listdir(folder) == ["port"]
        assert (folder / "port").read_text(encoding="ascii") == f"{port}\n"


def test_used_port_is_reported(tmp_path: Path) -> None:
    with started(tmp_path) as (_unused, port):
        completed = run(["--port", str(port)])
    assert completed.returncode == 1
    assert "cannot listen" in completed.stderr
    assert "Choose another port with --port." in completed.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--limits", "some"], "invalid choice"),
        (["--mesh", "some"], "invalid choice"),
        (["--slow-joiners", "2"], "--slow-joiners must be a number from 0 to 1"),
        (["--bad-updates", "1.1"], "--bad-updates must be a number from 0 to 1"),
        (["--bad-updates", "-0.1"], "--bad-updates must be a number from 0 to 1"),
        (["--churn", "-1"], "--churn must be at least 0"),
        (["--org", "A B"], "--org must consist of"),
        (["--session-login", "/login"], "--session-login and --session-token must be set together"),
        (["--session-login", "/v1/users", "--session-token", "/x"], "POST /v1/users is already used by another route"),
        (["--latency", "-1"], "--latency must be at least 0"),
        (["--port", "70000"], "--port must be between 0 and 65535"),
        (["--tls-cert", "cert.pem"], "--tls-cert and --tls-key must be set together"),
        (["--fleet", "/nonexistent.json"], "cannot read the fleet file"),
        (["--accounts", "/nonexistent.json"], "cannot read the accounts file"),
    ],
)
def test_invalid_flag_is_refused_with_a_message(
    capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_refused_command_line_ends_the_process_without_a_traceback() -> None:
    completed = run(["--seed", "x"])
    assert completed.returncode == 2
    assert "invalid int value" in completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize(
    ("flag", "content", "message"),
    [
        ("--fleet", {}, "must contain a JSON list of objects"),
        ("--fleet", [{"name": "x"}], "id must consist of 24 hexadecimal digits"),
        ("--fleet", [{"id": FREE[0]}, {"id": FREE[0].upper()}], "has a duplicate id"),
        (
            "--fleet",
            [{"id": FREE[0], "quarantined": True, "system_firmware_version": "4.0.0"}],
            "a device with Device OS 4.0.0 cannot be quarantined",
        ),
        ("--fleet", [{"id": FREE[0], "colour": "red"}], "'colour' is not a valid key"),
        ("--fleet", [{"id": FREE[0], "online": "yes"}], "online must be bool, got str"),
        (
            "--fleet",
            [{"id": FREE[0], "product_id": 31337, "groups": ["A B"]}],
            "'A B' is not a valid group name",
        ),
        ("--fleet", [{"id": FREE[0], "groups": ["north"]}], "groups require a product_id"),
        ("--fleet", [{"id": FREE[0], "platform_id": True}], "platform_id must be int, got bool"),
        ("--fleet", [{"id": FREE[0], "last_heard": ""}], "last_heard must be null or an ISO 8601 time"),
        (
            "--fleet",
            [{"id": FREE[0], "last_heard": None, "online": True}],
            "a device that was never heard cannot have online",
        ),
        (
            "--fleet",
            [{"id": FREE[0], "last_handshake_at": None, "firmware_version": 3}],
            "a device that was never heard cannot have firmware_version",
        ),
        (
            "--fleet",
            [{"id": FREE[0], "last_handshake_at": None, "last_heard": "2026-01-01"}],
            "a device that was never heard cannot have last_heard",
        ),
        (
            "--fleet",
            [{"id": FREE[0], "position": {"latitude": 1}}],
            "position must have the keys longitude and latitude",
        ),
        (
            "--fleet",
            [{"id": FREE[0], "position": {"longitude": 181, "latitude": 1}}],
            "longitude of position must be a number from -180 to 180",
        ),
        ("--accounts", [], "must contain an account"),
        ("--accounts", [{"username": "x", "password": "y", "otp_secret": "1!"}], "otp_secret must be in base32"),
        (
            "--accounts",
            [{"username": "x", "password": "y", "clients": [{"id": "z"}]}],
            "each client must have an id and a secret",
        ),
        ("--accounts", [{"username": "x"}], "username and password must be strings"),
        ("--accounts", [{"username": "x", "password": "y", "role": "z"}], "'role' is not a valid key"),
    ],
)
def test_malformed_file_is_refused_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, content: object, message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([flag, write_json(tmp_path / "file.json", content)])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_latency_delays_each_answer_except_admin_answers(tmp_path: Path) -> None:
    with started(tmp_path, "--latency", str(2 * TIMEOUT_SECONDS * 1000)) as (_unused, port):
        cloud = Cloud(build_url(port))
        cloud.stats()
        with pytest.raises(requests.Timeout):
            cloud.call("GET", "/v1/user", timeout=0.3)


def test_simulator_serves_tls_with_a_certificate(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    with started(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as (_unused, port):
        answer = requests.get(build_url(port, "https") + "/_simulator/stats", timeout=TIMEOUT_SECONDS, verify=str(cert))
    assert json.loads(answer.text)["requests"] == 0


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for loopback that is valid for an hour, and its key."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(private_key, hashes.SHA256())
    )
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, key
