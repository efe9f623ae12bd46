# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The HTTP client verifies certificates with validate_certs and ca_path, and ignores the environment."""

from __future__ import annotations

import datetime
import errno
import ipaddress
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.tunnel import Tunnel, running_tunnel
from support.turned_clock import TurnedClock, conversation

ROUTE = "GET /v1/devices"


@dataclass(frozen=True)
class TlsCloud:
    """A cloud with a self-signed certificate for 127.0.0.1.

    :param lost: the method of each request that was received and not answered.
    """

    port: int
    certificate: Path
    lost: list[str]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    lost: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that refuse the certificate."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def lose_answer(self) -> None:
        """Receive a write, and close the connection without an answer."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        lost: list[str] = self.server.lost  # type: ignore[attr-defined]
        lost.append(self.command)
        self.close_connection = True

    do_POST = do_PUT = lose_answer

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Create a certificate and its key, and return both PEM files."""
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
    """Run a cloud with a self-signed certificate."""
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    server = _QuietServer(("127.0.0.1", 0), _Handler)
    server.lost = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield TlsCloud(server.server_port, certificate, server.lost)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_client(clock: TurnedClock, no_proxies: None) -> Iterator[Callable[..., Http]]:
    """Return a function that creates clients, which are closed after the test."""
    clients: list[Http] = []

    def open_client(api_url: str, **options: Any) -> Http:
        clients.append(conversation(api_url, clock, **options))
        return clients[-1]

    yield open_client
    for http in clients:
        http.close()


def catch_error(http: Http) -> ParticleError:
    """Send a request and return its error."""
    with pytest.raises(ParticleError) as caught:
        http.send(Request(ROUTE, "list"))
    return caught.value


def test_untrusted_certificate_is_refused_without_retry(make_client: Callable[..., Http], tls_cloud: TlsCloud) -> None:
    http = make_client(tls_cloud.url)
    error = catch_error(http)
    assert error.code == "tls_untrusted"
    assert error.message == f"Could not list: the certificate of 127.0.0.1:{tls_cloud.port} is not trusted."
    assert "ca_path" in error.hint
    assert http.usage.requests == 1


def test_certificate_is_trusted_if_ca_path_has_its_authority(
    make_client: Callable[..., Http], tls_cloud: TlsCloud
) -> None:
    assert make_client(tls_cloud.url, ca_path=str(tls_cloud.certificate)).send(Request(ROUTE, "list")).data == []


def test_certificate_for_another_host_is_refused_without_ca_path(
    make_client: Callable[..., Http], tls_cloud: TlsCloud
) -> None:
    http = make_client(f"https://localhost:{tls_cloud.port}", ca_path=str(tls_cloud.certificate))
    error = catch_error(http)
    assert error.code == "tls_untrusted"
    assert "belongs to another host" in error.message
    assert "api_url" in error.hint
    assert "ca_path" not in error.hint


def test_disabled_validation_accepts_any_certificate_without_warning(
    make_client: Callable[..., Http], tls_cloud: TlsCloud
) -> None:
    assert make_client(tls_cloud.url, validate_certs=False).send(Request(ROUTE, "list")).data == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundle_of_the_environment_is_ignored(
    make_client: Callable[..., Http],
    tls_cloud: TlsCloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(tls_cloud.certificate))
    assert catch_error(make_client(tls_cloud.url)).code == "tls_untrusted"

    other, _unused = make_certificate(tmp_path)
    monkeypatch.setenv(variable, str(other))
    assert make_client(tls_cloud.url, ca_path=str(tls_cloud.certificate)).send(Request(ROUTE, "list")).data == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read"), ("", "contains no certificate"), ("no certificate at all\n", "contains no certificate")],
)
def test_unusable_ca_path_is_reported(
    make_client: Callable[..., Http], tls_cloud: TlsCloud, tmp_path: Path, content: str | None, reason: str
) -> None:
    ca_path = tmp_path / "ca.pem"
    if content is not None:
        ca_path.write_text(content)
    error = catch_error(make_client(tls_cloud.url, ca_path=str(ca_path)))
    assert error.code == "tls_untrusted"
    assert error.message == f"Could not list: ca_path {ca_path} {reason}."


def test_ca_path_that_the_user_may_not_read_is_reported(
    make_client: Callable[..., Http], tls_cloud: TlsCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_unused: object, **_also_unused: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    error = catch_error(make_client(tls_cloud.url, ca_path=str(tls_cloud.certificate)))
    assert error.code == "tls_untrusted"
    assert error.message == f"Could not list: ca_path {tls_cloud.certificate} cannot be read: Permission denied."


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), ("", "contains no certificate")])
def test_unusable_authorities_are_not_blamed_on_a_ca_path_that_is_not_set(
    make_client: Callable[..., Http],
    tls_cloud: TlsCloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    reason: str,
) -> None:
    authorities = tmp_path / "authorities.pem"
    if content is not None:
        authorities.write_text(content)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(authorities))
    error = catch_error(make_client(tls_cloud.url))
    name = "the file of certificate authorities in the Python library certifi"
    assert (error.code, error.message) == ("tls_untrusted", f"Could not list: {name} {reason}.")
    assert error.hint.startswith("Install certifi again")


# Through a proxy that only passes on encrypted connections


def send_through(proxy: Tunnel, make_client: Callable[..., Http], cloud: TlsCloud, method: str) -> Http:
    environment = {"https_proxy": proxy.url}
    http = make_client(cloud.url, ca_path=str(cloud.certificate), environment=environment)
    with pytest.raises(ParticleError) as caught:
        http.send(Request(f"{method} /v1/devices", "change the devices"))
    assert caught.value.code == ("ambiguous_write" if method == "POST" else "unreachable")
    return http


@pytest.mark.parametrize(("method", "attempts"), [("POST", 1), ("PUT", 5)])
def test_write_whose_answer_a_tunnel_loses_is_repeated_only_if_safe(
    make_client: Callable[..., Http], tls_cloud: TlsCloud, method: str, attempts: int
) -> None:
    tls_cloud.lost.clear()
    with running_tunnel() as proxy:
        http = send_through(proxy, make_client, tls_cloud, method)
    assert (proxy.connections, tls_cloud.lost) == (attempts, [method] * attempts)
    assert http.usage.writes == attempts


def test_plain_http_server_is_not_reported_as_a_bad_certificate(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud
) -> None:
    error = catch_error(make_client(scripted_cloud.url.replace("http:", "https:")))
    assert error.code == "tls_untrusted"
    assert error.message.endswith("and this machine have no TLS version in common.")
