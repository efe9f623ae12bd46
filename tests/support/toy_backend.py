# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A mesh backend that only tests register. Its members are radio tags, which a hub outside the Particle cloud manages.

The backend differs from the backends of the collection as much as possible: its members are identified by tags instead
of device ids, it has secret options, each member has a secret pin, and the backend has its own HTTP session with the
hub.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BackendRow
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    LISTING,
    PENDING,
    RECONCILE,
    WRONG_NETWORK,
    Hardware,
    MemberPending,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    Option,
    Rules,
)

NAME = "hub"
_TAG = re.compile(r"T-[0-9]{4}\Z")
_FOR_ALL = frozenset({RECONCILE, LISTING})


class HubRules(Rules):
    """The part of the backend that sends no requests: it checks manifests, reads facts, and writes exports."""

    name = NAME
    needs_product = False
    needs_login = False
    needs_gateway = False
    options: ClassVar[Mapping[str, Option]] = {
        "hub_url": Option({"type": "str"}, _FOR_ALL),
        "hub_key": Option({"type": "str", "no_log": True}, _FOR_ALL),
    }
    identities = ("tag",)
    network_keys = ("band",)
    member_keys = ("pin",)

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        if not reader.read_text(name, place).isalpha():
            reader.add_mistake(place, "must be letters")

    def check_parameters(self, reader: ValueReader, parameters: Mapping[str, Any], place: Place) -> None:
        reader.add_mistake(place, "a hub has no parameters")

    def read_network(self, reader: ValueReader, network: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        return {"band": reader.read_choice(network.get("band", "low"), (*place, "band"), ("low", "high"))}

    def read_member(self, reader: ValueReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        if len(reader.read_text(mesh.get("pin"), (*place, "pin"))) < 6:
            reader.add_mistake((*place, "pin"), "must have 6 characters or more")
        return {"pin": mesh.get("pin")}

    def read_identity(self, reader: ValueReader, key: str, value: Any, place: Place) -> str | None:
        if isinstance(value, str) and _TAG.match(value):
            return value
        reader.add_mistake(place, f"{value!r} is not a tag (T- and 4 digits)")
        return None

    def is_identity(self, text: str) -> bool:
        return _TAG.match(text) is not None

    def read_gateway(self, reader: ValueReader, value: Any, place: Place) -> str | None:
        return self.read_identity(reader, "tag", value, place)

    def find_secrets(self, network: Network, members: Iterable[Membership]) -> Iterable[str]:
        return [member.extra["pin"] for member in members]

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        seen = row.get("hub")
        return Membership(seen["network"], seen["role"]) if seen else None

    def read_state(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        return JOINED if row["hub"]["heard"] else PENDING

    def can_list_members(self, options: Mapping[str, Any]) -> bool:
        return bool(options.get("hub_url"))

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        return True

    def export_network(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"band": rows[0]["hub"]["band"]}


@dataclass(frozen=True)
class Enrol:
    """A write that adds a tag to a network."""

    tag: str
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Release:
    """A write that removes a tag from its network."""

    tag: str


@dataclass(frozen=True)
class _Seen:
    """The tag of a declared device, and the data that the hub has for this tag."""

    tag: str
    hub: Mapping[str, Any]


class HubBackend:
    """The part of the backend that sends requests to the hub."""

    silent_tags: ClassVar[set[str]] = set()
    """The tags that do not join when they are enrolled."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._url, self._key = options.get("hub_url"), options.get("hub_key")
        self._session: requests.Session | None = None

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = False
        headers = {"X-Key": str(self._key)}
        answer = self._session.request(method, f"{self._url}{path}", headers=headers, timeout=10, **arguments)
        # The message contains secrets from the response, as if the author of the backend had been careless.
        if not answer.ok:
            raise ParticleError("forbidden", f"The hub refused: {answer.text}.", status=answer.status_code)
        return answer.json()

    def observe(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, _Seen]:
        seen = {row["tag"]: row.get("hub") or {} for row in self._call("GET", "/tags")}
        tags = {device: hardware.identities["tag"] for device, hardware in hardware_of.items()}
        return {device: _Seen(tag, seen.get(tag, {})) for device, tag in tags.items()}

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Mapping[str, _Seen],
    ) -> MeshPlan:
        return MeshPlan({device: self._plan_member(to, networks, observed[device]) for device, to in wanted.items()})

    def _plan_member(self, to: Membership | None, networks: Mapping[str, Network], observed: _Seen) -> MemberPlan:
        tag, seen = observed.tag, observed.hub
        before = Membership(seen["network"], seen["role"]) if seen else None
        if before == to:
            return MemberPlan(before=before)
        changes = {"mesh": (before.as_result() if before else None, to.as_result() if to else None)}
        if to is None:
            return MemberPlan(writes=(Release(tag),), changes=changes, before=before)
        body = {**to.as_result(), "band": networks[to.network].extra["band"], "pin": to.extra["pin"]}
        return MemberPlan(writes=(Enrol(tag, body),), changes=changes, before=before)

    def apply_write(self, target: Target, write: Enrol | Release) -> None:
        body = write.body if isinstance(write, Enrol) else None
        if write.tag in self.silent_tags:
            raise MemberPending("device_offline", f"Tag {write.tag} was not heard.", hint="Wake the tag.")
        self._call("PUT", f"/tags/{write.tag}", json=body)

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        seen = {row["tag"]: row.get("hub") or {} for row in self._call("GET", "/tags")}
        return {device: self._state(seen.get(to.extra["tag"]), to) for device, to in wanted.items()}

    def _state(self, seen: Mapping[str, Any] | None, to: Membership) -> str:
        if not seen or not seen["heard"]:
            return PENDING
        return JOINED if seen["network"] == to.network else WRONG_NETWORK

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        rows = self._call("GET", "/tags")
        return {row["tag"]: "tag" for row in rows if (row.get("hub") or {}).get("network") in networks}

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        return [row for row in self._call("GET", "/tags") if row.get("hub")] if self._url else []

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


ROW = BackendRow(HubRules(), lambda: HubBackend)
"""The entry for the table of backends. A test registers the backend with ``BACKENDS["hub"] = ROW``."""


class Hub:
    """A hub with three tags. As soon as a tag is in a network, the hub reports `heard: true` for the tag."""

    key = "hush-key-of-the-hub"

    def __init__(self) -> None:
        self.url = ""
        self.tags: dict[str, dict[str, Any]] = {f"T-000{number}": {} for number in (1, 2, 3)}
        self.writes: list[str] = []
        self.pins: dict[str, str] = {}
        self.refused_tags: set[str] = set()
        self.names: dict[str, str] = {}


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub as an HTTP server on a loopback port, until the end of the block."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            rows = [
                {"tag": tag, "name": hub.names.get(tag), "online": True, "hub": seen or None}
                for tag, seen in hub.tags.items()
            ]
            self._answer(rows)

        def do_PUT(self) -> None:
            tag = self.path.rpartition("/")[2]
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
            if tag in hub.refused_tags:
                self._answer({"error": f"cannot take {body}"}, 409)
                return
            hub.writes.append(tag)
            hub.pins[tag] = body["pin"] if body else ""
            of_it = {key: body[key] for key in ("network", "role", "band")} if body else {}
            hub.tags[tag] = {**of_it, "heard": True} if body else {}
            self._answer({})

        def _answer(self, body: Any, status: int = 200) -> None:
            if self.headers.get("X-Key") != hub.key:
                body, status = {"error": f"wrong key {self.headers.get('X-Key')}"}, 403
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Do not log to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
