# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whom a conversation trusts: what it is told, and nothing that merely stands in the environment."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from turned_clock import TurnedClock, conversation

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud

ROUTE = "GET /v1/devices"


@dataclass(frozen=True)
class TlsCloud:
    """A cloud with a certificate that it has signed itself, for 127.0.0.1 alone."""

    port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not like our certificate goes away."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cloud")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cloud.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.fixture(scope="module")
def tls_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCloud]:
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    server = _Quiet(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield TlsCloud(server.server_port, certificate)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def talk(clock: TurnedClock, no_proxies: None) -> Iterator[Callable[..., Http]]:
    """Makes conversations, and ends them with the test."""
    made: list[Http] = []

    def make(api_url: str, **options: Any) -> Http:
        made.append(conversation(api_url, clock, **options))
        return made[-1]

    yield make
    for http in made:
        http.close()


def failure_of(http: Http) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        http.send(Request(ROUTE, "list"))
    return caught.value


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(
    talk: Callable[..., Http], tls_cloud: TlsCloud
) -> None:
    http = talk(tls_cloud.url)
    error = failure_of(http)
    assert error.code == "tls_untrusted"
    assert error.message == f"Could not list: the certificate of 127.0.0.1:{tls_cloud.port} is not trusted."
    assert "ca_path" in error.hint
    assert http.usage.requests == 1


def test_a_certificate_is_trusted_when_its_authority_is_given(talk: Callable[..., Http], tls_cloud: TlsCloud) -> None:
    assert talk(tls_cloud.url, ca_path=str(tls_cloud.certificate)).send(Request(ROUTE, "list")).data == []


def test_a_certificate_for_another_host_is_refused(talk: Callable[..., Http], tls_cloud: TlsCloud) -> None:
    http = talk(f"https://localhost:{tls_cloud.port}", ca_path=str(tls_cloud.certificate))
    assert failure_of(http).code == "tls_untrusted"


def test_a_user_may_choose_not_to_check_and_is_not_nagged(talk: Callable[..., Http], tls_cloud: TlsCloud) -> None:
    assert talk(tls_cloud.url, validate_certs=False).send(Request(ROUTE, "list")).data == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_neither_widens_nor_narrows_trust(
    talk: Callable[..., Http],
    tls_cloud: TlsCloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(tls_cloud.certificate))
    assert failure_of(talk(tls_cloud.url)).code == "tls_untrusted"

    another, _unused = make_certificate(tmp_path)
    monkeypatch.setenv(variable, str(another))
    assert talk(tls_cloud.url, ca_path=str(tls_cloud.certificate)).send(Request(ROUTE, "list")).data == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("", "contains no certificate"), ("no certificate at all\n", "contains no certificate")],
)
def test_an_authority_that_cannot_be_read_is_told_as_such(
    talk: Callable[..., Http], tls_cloud: TlsCloud, tmp_path: Path, content: str | None, words: str
) -> None:
    ca_path = tmp_path / "ca.pem"
    if content is not None:
        ca_path.write_text(content)
    error = failure_of(talk(tls_cloud.url, ca_path=str(ca_path)))
    assert error.code == "tls_untrusted"
    assert error.message == f"Could not list: ca_path {ca_path} {words}."


def test_a_cloud_that_speaks_plain_http_is_not_accused_of_its_certificate(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud
) -> None:
    error = failure_of(talk(scripted_cloud.url.replace("http:", "https:")))
    assert error.code == "tls_untrusted"
    assert error.message.endswith("and this machine have no TLS version in common.")
