# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests to one OpenThread border router. Private to this collection.

The REST API has two parts (otbr-rest.md, section 1). The routes below ``/node`` exist on all border routers. The routes
below ``/api``, with which devices join and members are found, exist on newer border routers only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import Allowance
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import (
    Dataset,
    Pending,
    check_complete,
    convert_to_old_keys,
    list_tlv_secrets,
    normalize_keys,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import ATTACHED
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.responses import (
    Task,
    read_attributes,
    read_items,
    read_object,
    read_objects,
    read_tasks,
    read_text,
)

_TIMEOUT_SECONDS = 35
"""The timeout of a request. A newer border router may take 30 seconds for a pending dataset (section 3.3)."""
_MAX_WAIT_SECONDS = 30
ATTACH_SECONDS = 120
"""Maximum time, in seconds, in which a border router starts and finds its network."""
LOST_CODES = ("unreachable", "ambiguous_write")
"""The codes of the errors that occur while a border router restarts: no connection, or a write without a response."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0

# The API accepts exactly these values, without parameters or lists (otbr-rest.md, section 1.1).
_TASKS = "application/vnd.api+json"
_JSON = "application/json"
_TLVS = "text/plain"
_NO_CONTENT, _FIRST_FAILURE = 204, 300
_NOT_REACHED = (502, 504)
"""The statuses of a proxy whose border router does not answer (otbr-rest.md, section 7)."""
_NULL = object()
"""The content of a response that consists of the JSON value ``null``, which is never a valid answer."""

T = TypeVar("T")


@dataclass(frozen=True)
class Access:
    """The declared address of a border router.

    :param username: the username for a proxy before the border router, which has no login itself.
    """

    url: str
    ca_path: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


class BorderRouter:
    """A client for one border router.

    :param redact: masks the secrets in messages. All keys that the border router shows are added to it.
    :param before_request: called before each request and during each wait; may raise an error to end the work.
    """

    def __init__(
        self,
        access: Access,
        redact: Redactor,
        before_request: Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.url = access.url
        redact.add_secret(access.password, username=access.username)
        connection = Connection(
            access.url, _TIMEOUT_SECONDS, ca_path=access.ca_path, max_wait=_MAX_WAIT_SECONDS, url_setting="url"
        )
        # A border router has no rate limit.
        self._http = Http(connection, redact=redact, budget=Budget(Allowance({})), workers=1, clock=clock)
        self._http.before_request = before_request
        self._login = (access.username, access.password) if access.username and access.password else None
        self._monotonic = clock.monotonic
        self._has_tasks: bool | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # --- what the border router can do, and its state ---

    def has_tasks(self) -> bool:
        """Return whether the border router has the routes below ``/api``. The answer is read once."""
        if self._has_tasks is None:
            self._has_tasks = self._probe()
        return self._has_tasks

    def _probe(self) -> bool:
        try:
            self._get("/.well-known/thread/br-rest", "find out which API is offered", _JSON, read_object)
        except ParticleError as error:
            if error.status != 404:
                raise
        else:
            return True
        try:
            self._get("/api/actions", "find out which API is offered", "*/*", read_items)
        except ParticleError as error:
            if error.status != 404:
                raise
            return False
        return True

    def read_node(self) -> Mapping[str, Any]:
        """Return the state of the border router, with the key ``state`` (otbr-rest.md, section 2)."""
        node = normalize_keys(self._get("/node", "read the state", _JSON, _return_unchanged))
        if not isinstance(node, dict) or "state" not in node:
            message = f"The server at {self.url} is not an OpenThread border router."
            raise ParticleError("not_a_cloud", message, hint="Correct the url of the border router.")
        return node

    def read_state(self) -> str:
        """Return ``disabled``, ``detached``, ``child``, ``router`` or ``leader``."""
        return self._get("/node/state", "read the state", _JSON, read_text)

    def wait_for_state(self) -> str:
        """Return the state. If the border router is restarting, wait until it answers."""
        states: list[str] = []

        def has_answered() -> bool:
            try:
                states.append(self.read_state())
            except ParticleError as error:
                if error.code != "unreachable":
                    raise
            return bool(states)

        self.wait_until(has_answered, ATTACH_SECONDS)
        return states[0] if states else self.read_state()

    def wait_until_attached(self, seconds: float) -> bool:
        """Wait until the border router is in its network, and return whether it is. Stop after a number of seconds."""
        return self.wait_until(lambda: self.wait_for_state() in ATTACHED, seconds)

    def set_enabled(self, *, is_enabled: bool) -> None:
        """Start or stop the radio network of the border router."""
        word = "enable" if is_enabled else "disable"
        self._put("/node/state", f"{word} Thread", json.dumps(word).encode(), _JSON)

    # --- the dataset ---

    def read_dataset(self) -> Dataset | None:
        """Return the dataset, or ``None`` if the border router has none."""
        dataset = self._get("/node/dataset/active", "read the dataset", _JSON, _read_dataset)
        if dataset is not None:
            self._http.redact.add_secrets(dataset.list_secrets())
        return dataset

    def read_tlvs(self) -> str:
        """Return the dataset in its binary form, in hexadecimal digits. The whole text is secret.

        :raises ParticleError: ``bad_response`` when a field is missing that every network has.
        """
        text = self._get("/node/dataset/active", "read the dataset", _TLVS, _read_tlvs, binary=True)
        self._http.redact.add_secrets(list_tlv_secrets(text))
        return text

    def create_dataset(self, values: Mapping[str, Any]) -> None:
        """Store a new dataset. The border router generates the missing values."""
        body = values if self.has_tasks() else convert_to_old_keys(values)
        self._put("/node/dataset/active", "store the dataset", _encode(body), _JSON, {"If-None-Match": "*"})

    def store_tlvs(self, text: str) -> None:
        """Store the dataset of an existing network, in its binary form."""
        headers = {"If-None-Match": "*"}
        self._put("/node/dataset/active", "store the dataset", text.encode(), _TLVS, headers)

    def read_pending(self) -> Pending | None:
        """Return the changed dataset that has not taken effect yet, or ``None`` if there is none."""
        pending = self._get("/node/dataset/pending", "read the pending dataset", _JSON, _read_pending)
        if pending is not None:
            self._http.redact.add_secrets(pending.dataset.list_secrets())
        return pending

    def store_pending(self, tlvs: str, seconds: int, delay: float) -> None:
        """Let a changed dataset take effect on all members after a delay.

        :param tlvs: the whole dataset in its binary form. A border router fills in missing values at random.
        :param seconds: the timestamp of the change.
        :param delay: the delay in seconds.
        """
        stamp = {"seconds": seconds, "ticks": 0, "authoritative": False}
        body: Any = {"activeDataset": tlvs, "delay": int(delay * 1000), "pendingTimestamp": stamp}
        self._http.redact.add_secrets(list_tlv_secrets(tlvs))
        body = body if self.has_tasks() else convert_to_old_keys(body)
        headers = {"If-None-Match": "*"}
        self._put("/node/dataset/pending", "change the dataset", _encode(body), _JSON, headers)

    # --- tasks: joining, the list of devices, and diagnostics ---

    def post_tasks(self, kind: str, items: Sequence[Mapping[str, Any]], action: str) -> list[Task]:
        """Start one task for each of ``items``, and return the tasks, in any order.

        :raises ParticleError: ``ambiguous_write`` when it is unknown whether the tasks were started.
        """
        body = {"data": [{"type": kind, "attributes": dict(attributes)} for attributes in items]}
        headers = {"Accept": _TASKS, "Content-Type": _TASKS}
        data = self._send("POST", "/api/actions", action, headers=headers, body=_encode(body))
        try:
            tasks = read_tasks(data)
        except ParticleError:
            tasks = []
        if len(tasks) != len(items):
            message = f"Could not {action} at border router {self.url}: the response does not tell the tasks."
            raise ParticleError("ambiguous_write", message, hint="Run again.")
        return tasks

    def list_tasks(self) -> dict[str, Task]:
        """Return all tasks of the border router, keyed by id."""
        tasks = {task.id: task for task in self._get("/api/actions", "list the tasks", _TASKS, read_tasks)}
        self._http.redact.add_secrets(str(task.attributes.get("pskd") or "") for task in tasks.values())
        return tasks

    def delete_task(self, task: str) -> None:
        """Delete a task. A task that does not exist any more counts as deleted."""
        self._delete(f"/api/actions/{task}", "delete a task")

    def delete_diagnostic(self, result: str) -> None:
        """Delete the result of a diagnostic task."""
        self._delete(f"/api/diagnostics/{result}", "delete a diagnostic result")

    def clear_device_list(self) -> None:
        """Empty the cached list of devices. All devices stay in the network."""
        # A list that was not emptied shows devices that have left long ago, so a 404 is an error here.
        self._send("DELETE", "/api/devices", "empty the list of devices", headers={"Accept": _TASKS})

    def list_devices(self) -> list[Mapping[str, Any]]:
        """Return the cached list of devices, one mapping of attributes for each device."""
        rows = self._get("/api/devices", "list the devices", _TASKS, read_items)
        return [{"type": row.get("type"), "id": row.get("id"), **row["attributes"]} for row in rows]

    def read_diagnostic(self, result: str) -> Mapping[str, Any]:
        """Return the attributes of a diagnostic result; empty if the result does not exist any more."""
        try:
            return self._get(f"/api/diagnostics/{result}", "read a diagnostic result", _TASKS, read_attributes)
        except ParticleError as error:
            if error.status != 404:
                raise
            return {}

    def list_joiners(self) -> set[str]:
        """Return the EUI-64s of the devices that the border router waits for."""
        joiners = self._get("/node/commissioner/joiner", "list the joiners", _JSON, read_objects)
        self._http.redact.add_secrets(str(row.get("pskd") or "") for row in joiners)
        return {str(row.get("eui") or row.get("discerner") or "").lower() for row in joiners}

    def read_commissioner_state(self) -> str | None:
        """Return ``disabled``, ``petitioning`` or ``active``; ``None`` if no device can join at the border router."""
        try:
            return self._get("/node/commissioner/state", "read the state of the commissioner", _JSON, read_text)
        except ParticleError as error:
            if error.status != 404:
                raise
            return None

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> bool:
        """Call a function repeatedly until it returns true or the time has passed. Return its last result."""
        end, pause = self._monotonic() + seconds, _FIRST_PAUSE_SECONDS
        while not is_ready():
            if self._monotonic() >= end:
                return False
            self.pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        return True

    def pause(self, seconds: float) -> None:
        """Wait for at most a second."""
        self._http.before_request()
        self._http.sleep(min(seconds, _LONGEST_PAUSE_SECONDS))

    def now(self) -> float:
        """Return the seconds of a monotonic clock."""
        return self._monotonic()

    # --- requests ---

    def _get(self, path: str, action: str, accept: str, read: Callable[[Any], T], *, binary: bool = False) -> T:
        """Read a resource, and return the result of ``read`` for its data.

        The data is ``None`` if there is no content.
        """
        data = self._send("GET", path, action, headers={"Accept": accept}, binary=binary)
        try:
            return read(data)
        except ParticleError as error:
            raise self._explain(error, action) from None

    def _put(
        self, path: str, action: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(
            "PUT", path, action, headers={"Accept": _JSON, "Content-Type": content_type, **(headers or {})}, body=body
        )

    def _delete(self, path: str, action: str) -> None:
        # In this API, a DELETE can answer 404 for an item that it has deleted (otbr-rest.md, section 5).
        try:
            self._send("DELETE", path, action, headers={"Accept": _TASKS})
        except ParticleError as error:
            if error.status != 404:
                raise

    def _send(
        self,
        method: str,
        path: str,
        action: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        binary: bool = False,
    ) -> Any:
        """Send a request and return the data of the response.

        A PUT or POST is never repeated blindly: the caller reads the state first (otbr-rest.md, section 13, number 7).
        A DELETE of a known id, or of the list of devices, can be repeated.
        """
        request = Request(
            f"{method} {path}",
            action,
            basic=self._login,
            headers=headers,
            body=body,
            binary=binary,
            private=True,
            retry=Retry.UNSENT if method in ("PUT", "POST") else Retry.SAFE,
        )
        try:
            response = self._http.send(request)
        except ParticleError as error:
            raise self._explain(error, action) from None
        if response.data is None and method == "GET" and response.status != _NO_CONTENT:
            return _NULL
        return response.data

    def _explain(self, error: ParticleError, action: str) -> ParticleError:
        """Return an error in words about a border router, instead of words about a cloud."""
        code, status = error.code, error.status
        hint = "Check whether the border router runs and whether its url is right, and run again."
        if status in (401, 403):
            code = "forbidden"
            cause = f"the proxy before the border router does not accept the login (HTTP {status})"
            hint = "Correct username and password of the border router."
        elif status in _NOT_REACHED and code != "ambiguous_write":
            code = "unreachable"
            cause = f"the proxy before the border router does not reach it (HTTP {status})"
        elif status is not None and (status >= _FIRST_FAILURE or code == "not_a_cloud") and code != "ambiguous_write":
            code = "conflict" if status in (409, 412) else code
            cause = f"the border router refused the request (HTTP {status})"
            if code == "not_a_cloud":
                cause = f"the server is not an OpenThread border router (HTTP {status})"
        else:
            cause = error.message.partition(": ")[2].rstrip(".") or error.message.rstrip(".")
            cause = cause[:1].lower() + cause[1:]
            hint = error.hint if code in ("tls_untrusted", "ambiguous_write") else hint
        message = f"Could not {action} at border router {self.url}: {cause}."
        explained = ParticleError(code, message, hint=hint, status=status, route=error.route)
        explained.unsent = error.unsent
        return explained


def _encode(body: Any) -> bytes:
    """Return JSON without characters that the border router refuses, such as tabs (otbr-rest.md, section 1.1)."""
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def _return_unchanged(data: Any) -> Any:
    return data


def _read_dataset(data: Any) -> Dataset | None:
    if data is None:
        return None
    dataset = Dataset(normalize_keys(read_object(data)))
    if not dataset.extended_pan_id:
        raise ParticleError("bad_response", "The dataset has no extended PAN id.")
    return dataset


def _read_tlvs(data: Any) -> str:
    text = bytes(data or b"").decode("ascii", errors="replace").strip()
    check_complete(text)
    return text


def _read_pending(data: Any) -> Pending | None:
    if data is None:
        return None
    values = normalize_keys(read_object(data))
    delay = values.get("delay")
    seconds = delay / 1000 if isinstance(delay, int | float) else 0.0
    return Pending(Dataset(read_object(values.get("activeDataset") or {})), seconds)
