# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Start the simulator in a process, and send requests to it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

COMMAND = (sys.executable, "-m", "particle_simulator")
TIMEOUT_SECONDS = 240.0

DEMO = ("demo@example.com", "demo-password")
OTHER = ("other@example.com", "other-password")
CODED = ("coded@example.com", "coded-password")
SINGLE_SIGN_ON = ("sso@example.com", "sso-password")
RECENT = ("recent@example.com", "recent-password")
OTP_SECRET = "JBSWY3DPEHPK3PXP"
ACCOUNTS: list[dict[str, Any]] = [
    {
        "username": DEMO[0],
        "password": DEMO[1],
        "clients": [{"id": "fleet-bot-1", "secret": "bot-secret"}],
    },
    {"username": OTHER[0], "password": OTHER[1]},
    {"username": CODED[0], "password": CODED[1], "otp_secret": OTP_SECRET, "recovery_codes": ["rescue-1"]},
    {"username": SINGLE_SIGN_ON[0], "password": SINGLE_SIGN_ON[1], "sso": True},
    {"username": RECENT[0], "password": RECENT[1], "query_tokens": False, "org": True},
]


def device_id(number: int) -> str:
    """Build the id of a device in the fleet below."""
    return f"e00fce68{number:016x}"


FREE = [device_id(number) for number in range(1, 7)]
OFFLINE, WIFI, FOREIGN, ELSEWHERE, PROTECTED, QUARANTINED, OLD = (device_id(number) for number in range(20, 27))
OLD_OS = FREE[5]
"""A device with Device OS 3, which reports a product."""
UNKNOWN = "e00fce68ffffffffffffffff"
PRODUCT = "/v1/products/31337"
DEVICES = f"{PRODUCT}/devices"
GROUPS = f"{PRODUCT}/groups"
EVENTS = "/v1/devices/events"
PRODUCT_EVENTS = f"{PRODUCT}/events"

FLEET: list[dict[str, Any]] = [
    *(
        {
            "id": free,
            "serial_number": f"B40HAB00000010{number}",
            "imei": f"35275300000010{number}",
            "iccid": f"8901410300000000010{number}",
            **({"system_firmware_version": "3.0.0"} if free == OLD_OS else {}),
        }
        for number, free in enumerate(FREE)
    ),
    {"id": OFFLINE, "online": False},
    {"id": WIFI, "platform_id": 12, "system_firmware_version": "3.0.0"},
    {"id": OLD, "platform_id": 0},
    {"id": FOREIGN, "owner": OTHER[0]},
    {"id": ELSEWHERE, "product_id": 40000},
    {"id": PROTECTED, "device_protection": {"status": "active"}},
    {"id": QUARANTINED, "product_id": 31337, "quarantined": True},
]


class Cloud:
    """A client of a running simulator."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = requests.Session()
        self.http.trust_env = False

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with a timeout."""
        options.setdefault("timeout", TIMEOUT_SECONDS)
        return self.http.request(method, self.base + path, **options)

    def ask_token(self, who: tuple[str, str] = DEMO, **form: Any) -> requests.Response:
        """Request a token by password with the default client; `form` adds fields, or removes them with None."""
        fields = {"grant_type": "password", "username": who[0], "password": who[1]}
        fields |= {"client_id": "particle", "client_secret": "particle"} | form
        return self.call("POST", "/oauth/token", data=fields)

    def token(self, who: tuple[str, str] = DEMO, **form: Any) -> str:
        """Get a new token."""
        answer = self.ask_token(who, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def user(self, who: tuple[str, str] = DEMO) -> User:
        """Log in a user with a new token."""
        return User(self, self.token(who))

    def state(self) -> dict[str, Any]:
        """Return the state of the cloud."""
        return dict(self.call("GET", "/_simulator/state").json())

    def device(self, asked: str) -> dict[str, Any]:
        """Return a device from the state of the cloud."""
        return next(dict(row) for row in self.state()["devices"] if row["id"] == asked)

    def stats(self) -> dict[str, Any]:
        """Return the counters of the cloud."""
        return dict(self.call("GET", "/_simulator/stats").json())

    def now(self) -> float:
        """Return the time of the cloud's clock in seconds since the epoch."""
        return float(self.call("GET", "/_simulator/clock").json()["now"])

    def advance(self, seconds: float) -> None:
        """Advance the cloud's clock."""
        answer = self.call("POST", "/_simulator/clock", json={"advance": seconds})
        assert answer.status_code == 200, answer.text

    def change_device(self, asked: str, **changes: Any) -> dict[str, Any]:
        """Change a device, or all devices with `*`, by the admin route."""
        answer = self.call("POST", f"/_simulator/devices/{asked}", json=changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def break_route(self, route: str, effect: str, **more: Any) -> None:
        """Add a fault to the schedule."""
        answer = self.call("POST", "/_simulator/faults", json=[{"route": route, "effect": effect, **more}])
        assert answer.status_code == 200, answer.text


class User:
    """A logged-in user of a cloud."""

    def __init__(self, cloud: Cloud, token: str) -> None:
        self.cloud = cloud
        self.token = token

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the user's token."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.cloud.call(method, path, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of a successful GET."""
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, content: Any) -> requests.Response:
        """Send a PUT with a JSON body."""
        return self.call("PUT", path, json=content)

    def post(self, path: str, content: Any) -> requests.Response:
        """Send a POST with a JSON body."""
        return self.call("POST", path, json=content)

    def bring_in(self, *devices: str) -> None:
        """Import devices into the product."""
        answer = self.post(DEVICES, {"ids": list(devices)})
        assert answer.json()["updated"] == len(devices), answer.text


class EventStream:
    """An open stream of events."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.answer = answer
        self.lines = answer.iter_lines(chunk_size=1)
        assert next(self.lines) == b":ok"
        assert next(self.lines) == b""

    def read_event(self) -> tuple[str, dict[str, Any]]:
        """Return the name and the data of the next event."""
        name = ""
        for line in self.lines:
            field, _unused, value = line.decode().partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, json.loads(value)
        raise AssertionError("the stream has ended")

    def read_names(self, count: int) -> list[str]:
        """Return the names of the next events."""
        return [self.read_event()[0] for _unused in range(count)]

    def read_names_to_the_end(self) -> list[str]:
        """Return the names of all further events, when the stream has ended."""
        lines = [line.decode().partition(": ") for line in self.lines]
        return [value for field, _unused, value in lines if field == "event"]


OpenStream = Callable[[User, str], EventStream]


def open_stream(user: User, path: str = EVENTS) -> requests.Response:
    """Request a stream on a new connection; the caller must close the answer."""
    return requests.get(
        user.cloud.base + path,
        headers={"Authorization": f"Bearer {user.token}"},
        stream=True,
        timeout=TIMEOUT_SECONDS,
        proxies={"http": "", "https": ""},
    )


def publish(user: User, name: str, data: str = "", **more: Any) -> None:
    """Publish an event for the account of the user, or on another `path`."""
    answer = user.post(more.pop("path", EVENTS), {"name": name, "data": data, **more})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    """Return status, code and description of a refusal by the OAuth layer."""
    body = answer.json()
    return answer.status_code, body["error"], body["error_description"]


def one_time_code(cloud: Cloud, secret: str = OTP_SECRET, *, later: float = 0) -> str:
    """Compute the one-time code (RFC 6238) for the cloud's own time, or for `later` seconds after it."""
    step = struct.pack(">Q", int(cloud.now() + later) // 30)
    digest = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def ask_with_code(cloud: Cloud, mfa_token: str, code: str) -> requests.Response:
    """Send the second step of a login with a one-time code."""
    return cloud.ask_token(grant_type="urn:custom:mfa-otp", mfa_token=mfa_token, otp=code)


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a simulator that ends by itself."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)


@contextlib.contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a simulator process until the end of the block, and yield it and its port.

    Its clock only moves when a test advances it, unless `arguments` set another clock.
    """
    port_file = folder / "port"
    command = [*COMMAND, "--port-file", str(port_file), "--clock", "still", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not port_file.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the simulator wrote no port file"
            time.sleep(0.01)
        yield process, int(port_file.read_text(encoding="ascii"))
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT_SECONDS)


def write_json(path: Path, content: Any) -> str:
    """Write a JSON file and return its path."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
