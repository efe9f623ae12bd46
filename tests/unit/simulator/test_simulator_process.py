# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The process: its flags, its port file, its end."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from simulator_client import FREE, TIMEOUT_SECONDS, Cloud, run, started, write_json


def base(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}"


def test_given_a_number_then_that_many_free_borons_are_known_to_the_cloud(tmp_path: Path) -> None:
    with started(tmp_path, "--fleet", "12") as (_unused, port):
        devices = Cloud(base(port)).state()["devices"]
    assert len({device["id"] for device in devices}) == 12
    assert {device["platform_id"] for device in devices} == {13}
    assert {(device["product"], device["owner"], device["online"]) for device in devices} == {(None, None, True)}


def test_given_no_flags_then_the_documented_account_owns_the_product(tmp_path: Path) -> None:
    with started(tmp_path) as (_unused, port):
        cloud = Cloud(base(port))
        (product,) = cloud.user(("demo@example.com", "demo-password")).get("/v1/user/products")["products"]
    assert (product["id"], product["slug"], product["platform_id"]) == (31337, "field-logger", 13)


@pytest.mark.parametrize(("seed", "same"), [("0", True), ("1", False)])
def test_given_a_seed_then_the_fleet_depends_on_nothing_else(tmp_path: Path, seed: str, same: bool) -> None:
    fleets = []
    for number, chosen in enumerate(("0", seed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with started(folder, "--fleet", "3", "--seed", chosen) as (_unused, port):
            fleets.append([device["id"] for device in Cloud(base(port)).state()["devices"]])
    assert (fleets[0] == fleets[1]) is same


def test_given_a_running_simulator_then_it_listens_on_loopback_only(tmp_path: Path) -> None:
    with started(tmp_path) as (process, port):
        listening = {
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
            if line.split()[3] == "0A"
        }
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_given_a_signal_then_the_simulator_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path) as (process, port):
        requests.get(base(port) + "/v1/user", timeout=TIMEOUT_SECONDS)
        process.send_signal(number)
        assert process.wait(timeout=TIMEOUT_SECONDS) == 0
        assert process.communicate(timeout=TIMEOUT_SECONDS)[1] == ""


def test_given_a_client_that_is_kept_waiting_then_the_simulator_ends_all_the_same(tmp_path: Path) -> None:
    with started(tmp_path) as (process, port):
        Cloud(base(port)).break_route("*", "silence")
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as line:
            line.sendall(b"GET /v1/user HTTP/1.1\r\nHost: x\r\n\r\n")
            while not Cloud(base(port)).stats()["requests"]:
                assert process.poll() is None
            process.terminate()
            assert process.wait(timeout=TIMEOUT_SECONDS) == 0


def test_given_a_port_file_then_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with started(folder) as (_unused, port):
        assert os.listdir(folder) == ["port"]
        assert (folder / "port").read_text(encoding="ascii") == f"{port}\n"


def test_given_a_taken_port_then_the_simulator_says_that_it_cannot_listen(tmp_path: Path) -> None:
    with started(tmp_path) as (_unused, port):
        ended = run(["--port", str(port)])
    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--limits", "some"], "invalid choice"),
        (["--mesh", "some"], "invalid choice"),
        (["--slow-joiners", "2"], "--slow-joiners must be a number from 0 to 1"),
        (["--churn", "-1"], "--churn must be at least 0"),
        (["--org", "A B"], "--org must consist of"),
        (["--session-login", "/login"], "--session-login and --session-token must be set together"),
        (["--session-login", "/v1/users", "--session-token", "/x"], "POST /v1/users is already used by another route"),
        (["--latency", "-1"], "--latency must be at least 0"),
        (["--port", "70000"], "--port must be between 0 and 65535"),
        (["--tls-cert", "cert.pem"], "--tls-cert and --tls-key must be set together"),
        (["--fleet", "/nonexistent.json"], "cannot read the fleet file"),
        (["--accounts", "/nonexistent.json"], "cannot read the accounts file"),
        (["--seed", "x"], "invalid int value"),
    ],
)
def test_given_a_flag_that_cannot_be_heeded_then_it_is_refused_with_a_sentence(flags: list[str], sentence: str) -> None:
    ended = run(flags)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flag", "content", "sentence"),
    [
        ("--fleet", {}, "must contain a JSON list of objects"),
        ("--fleet", [{"name": "x"}], "id must consist of 24 hexadecimal digits"),
        ("--fleet", [{"id": FREE[0]}, {"id": FREE[0].upper()}], "has a duplicate id"),
        ("--fleet", [{"id": FREE[0], "colour": "red"}], "'colour' is not a valid key"),
        ("--fleet", [{"id": FREE[0], "online": "yes"}], "online must be bool, got str"),
        (
            "--fleet",
            [{"id": FREE[0], "product_id": 31337, "groups": ["A B"]}],
            "'A B' is not a valid group name",
        ),
        ("--fleet", [{"id": FREE[0], "groups": ["north"]}], "groups require a product_id"),
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
def test_given_a_malformed_file_then_it_is_refused_with_a_sentence(
    tmp_path: Path, flag: str, content: object, sentence: str
) -> None:
    ended = run([flag, write_json(tmp_path / "file.json", content)])
    assert ended.returncode == 2
    assert sentence in ended.stderr


def test_given_a_latency_then_every_answer_takes_that_long_but_the_admin_ones(tmp_path: Path) -> None:
    with started(tmp_path, "--latency", "300") as (_unused, port):
        cloud = Cloud(base(port))
        cloud.stats()
        began = time.monotonic()
        cloud.stats()
        admin = time.monotonic() - began
        cloud.call("GET", "/v1/user")
        assert time.monotonic() - began - admin >= 0.3
        assert admin < 0.3


def test_given_a_certificate_then_the_simulator_speaks_tls(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    with started(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as (_unused, port):
        answer = requests.get(base(port, "https") + "/_simulator/stats", timeout=TIMEOUT_SECONDS, verify=str(cert))
    assert json.loads(answer.text)["requests"] == 0


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback, valid for an hour, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(private, hashes.SHA256())
    )
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, key
