# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the simulator in the process of the test, and answer the requests of an HTTP client without a network.

A test that needs thousands of runs takes a fraction of the time. Everything above the connection is as in other tests.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import urllib3

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from particle_simulator.messages import Call, parse_query
from particle_simulator.model import Token
from particle_simulator.settings import Settings
from particle_simulator.simulation import Simulation
from support.simulator import PASSWORD, USERNAME

URL = "http://simulator.invalid"
TOKEN = "token-of-the-owner"


class InProcessSimulator:
    """A simulator in this process, with the methods of :class:`support.simulator.Simulator` that tests of runs need.

    :param fleet: the devices, as in a fleet file.
    :param settings: more settings of the simulator, for example `safe_mode_version`.
    """

    def __init__(self, fleet: Sequence[Mapping[str, Any]], **settings: Any) -> None:
        accounts = ({"username": USERNAME, "password": PASSWORD},)
        self._simulation = Simulation(Settings(0, 0, tuple(map(dict, fleet)), accounts, clock="still", **settings))
        self._lock = threading.Lock()
        self._add_token()

    def _add_token(self) -> None:
        world = self._simulation.world
        world.logins.add_token(Token(TOKEN, world.accounts.by_username[USERNAME], "particle", None))

    def connect(self, clock: Clock, token: str = TOKEN) -> Http:
        """Return an HTTP client that is logged in, and whose requests this simulator answers."""
        http = Http(Connection(URL), clock=clock)
        http._session.mount(URL, _Adapter(self))
        http.use_token(token)
        return http

    def reset(self, **settings: float) -> None:
        """Reset everything to the start state; see :meth:`support.simulator.Simulator.reset`."""
        self._admin("POST", "reset", settings or None)
        self._add_token()

    def state(self) -> dict[str, Any]:
        """Return the state of the cloud."""
        return dict(self._admin("GET", "state"))

    def stats(self) -> dict[str, Any]:
        """Return the counters of the cloud."""
        return dict(self._admin("GET", "stats"))

    def writes(self) -> list[dict[str, Any]]:
        """Return the latest writes that the cloud accepted."""
        return list(self._admin("GET", "writes"))

    def now(self) -> float:
        """Return the time of the cloud's clock, in seconds since 1970."""
        return self._simulation.world.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._admin("POST", "clock", {"advance": seconds})

    def change_device(self, device_id: str, **changes: Any) -> None:
        """Change a device, for example with `powered=False`."""
        self._admin("POST", f"devices/{device_id}", changes)

    def add_firmware(self, *versions: int, product: str = "field-logger") -> None:
        """Give a product firmware versions."""
        self._admin("POST", f"products/{product}", {"firmware": list(versions)})

    def update_device(self, device: str, **fields: Any) -> None:
        """Change a device of the product as another person would, for example with `development=True`."""
        self._send("PUT", f"/v1/products/field-logger/devices/{device}", fields=fields)

    def release(self, version: int, *, default: bool = False, groups: Sequence[str] = ()) -> None:
        """Release a version as another person would."""
        fields = {"version": version, "product_default": default, "groups": list(groups), "intelligent": False}
        self._send("PUT", "/v1/products/field-logger/firmware/release", fields=fields)

    def import_devices(self, devices: Sequence[str]) -> None:
        """Import devices into the product as another person would."""
        self._send("POST", "/v1/products/field-logger/devices", files={"file": "\n".join(devices).encode()})

    def _send(self, method: str, path: str, **content: Any) -> None:
        status, body, _unused = self.answer(method, path, "", {"Authorization": f"Bearer {TOKEN}"}, **content)
        assert status < 300, body

    def _admin(self, method: str, name: str, content: Any = None) -> Any:
        with self._lock:
            reply = self._simulation.answer_admin(method, name, content)
        assert reply is not None, name
        assert reply.status == 200, reply.body
        return orjson.loads(reply.body)

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], **content: Any
    ) -> tuple[int, bytes, dict[str, str]]:
        """Answer a request to the cloud.

        :param content: the values of `fields`, `files` or `document` of the request.
        :returns: the status, the body and the headers of the response.
        """
        with self._lock:
            found = self._simulation.table.find(method, path)
            assert found is not None, path
            route, key, values = found
            self._simulation.stats.count_request(route, key, "127.0.0.1")
            assert self._simulation.admit(route, "127.0.0.1") is None
            call = Call(method, values, parse_query(query), headers, **content)
            call.filenames = {name: f"{name}.txt" for name in call.files}
            reply = self._simulation.answer(route, call)
            date = formatdate(self.now(), usegmt=True)
        kind = f"{reply.content_type or 'text/plain'}; charset=utf-8"
        return reply.status, reply.body, {"Content-Type": kind, "Date": date, **reply.headers}


def _read_body(request: requests.PreparedRequest) -> dict[str, Any]:
    """Return the values of `fields` and `files` of a request."""
    kind = str(request.headers["Content-Type"])
    if not kind.startswith("multipart/"):
        return {"fields": orjson.loads(request.body or b"")}
    content: dict[str, dict[str, Any]] = {"fields": {}, "files": {}}
    for part in b"".join(request.body or ()).split(f"--{kind.partition('boundary=')[2]}".encode())[1:-1]:  # type: ignore[arg-type]
        head, _empty, value = part.partition(b"\r\n\r\n")
        name = head.decode().partition('name="')[2].partition('"')[0]
        value = value.removesuffix(b"\r\n")
        if b"filename=" in head:
            content["files"][name] = value
        else:
            content["fields"][name] = value.decode()
    return content


class _Adapter(requests.adapters.BaseAdapter):
    """Answers the requests of a session of `requests`."""

    def __init__(self, simulator: InProcessSimulator) -> None:
        super().__init__()
        self._simulator = simulator

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        content = _read_body(request) if request.body else {}
        status, body, headers = self._simulator.answer(
            str(request.method), parts.path, parts.query, request.headers, **content
        )
        response = requests.Response()
        response.status_code = status
        response.headers = requests.structures.CaseInsensitiveDict(headers)
        response.raw = urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        """Do nothing: no connection is open."""
