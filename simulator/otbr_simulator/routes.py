# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The routes of the REST API, and what each of them may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from otbr_simulator import item_api, node_api
from otbr_simulator.messages import Call
from otbr_simulator.settings import Generation, Settings
from simulator_base.messages import Reply

METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")
"""Every other method is refused with status 405."""


class Kind(Enum):
    """The effect of a request, by which the statistics count it."""

    READ = "read"
    WRITE = "write"
    """It may change the network or the border router."""
    UPKEEP = "upkeep"
    """It changes only the task list or a cache of the border router."""
    TASKS = "tasks"
    """The types of the tasks in the body decide between a write and upkeep."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route: method, path template, handler, and effect.

    :ivar is_checked: whether every character of the request is checked (otbr-rest.md, section 1.1).
    """

    method: str
    path: str
    handler: Callable[[Call], Reply]
    kind: Kind = Kind.READ
    is_checked: bool = False

    @property
    def key(self) -> str:
        """The name of the route in statistics and fault schedules."""
        return f"{self.method} {self.path}"

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the parameters of the path if the request belongs to this route, else None."""
        if method != self.method:
            return None
        if not self.path.endswith("/:id"):
            return {} if path == self.path else None
        folder, _unused, last = path.rpartition("/")
        return {"id": last} if folder == self.path.removesuffix("/:id") and last else None


def build_routes(settings: Settings) -> tuple[Route, ...]:
    """Return the routes of a generation of the API."""
    routes = _NODE_ROUTES + (_COMMISSIONER_ROUTES if settings.commissioner else ())
    if settings.generation is Generation.OLD:
        return routes
    return routes + _ITEM_ROUTES + (() if settings.generation is Generation.MIDDLE else _DISCOVERY_ROUTES)


def _read(path: str, handler: Callable[[Call], Reply]) -> Route:
    return Route("GET", path, handler)


_NODE_ROUTES = (
    _read("/node", node_api.get_node),
    Route("DELETE", "/node", node_api.delete_node, Kind.WRITE),
    _read("/node/state", node_api.get_state),
    Route("PUT", "/node/state", node_api.put_state, Kind.WRITE),
    Route("OPTIONS", "/node/state", node_api.answer_options),
    _read("/node/rloc16", node_api.get_rloc16),
    _read("/node/ba-id", node_api.make_reader("baId")),
    _read("/node/ext-address", node_api.make_reader("extAddress")),
    _read("/node/network-name", node_api.make_reader("networkName")),
    _read("/node/ext-panid", node_api.make_reader("extPanId")),
    _read("/node/rloc", node_api.make_reader("rlocAddress")),
    _read("/node/num-of-router", node_api.make_reader("routerCount")),
    _read("/node/leader-data", node_api.get_leader_data),
    _read("/node/coprocessor/version", node_api.get_radio_version),
    _read("/node/dataset/active", node_api.get_active),
    Route("PUT", "/node/dataset/active", node_api.put_active, Kind.WRITE),
    Route("OPTIONS", "/node/dataset/active", node_api.answer_options),
    _read("/node/dataset/pending", node_api.get_pending),
    Route("PUT", "/node/dataset/pending", node_api.put_pending, Kind.WRITE),
    Route("OPTIONS", "/node/dataset/pending", node_api.answer_options),
    _read("/node/ba-epskc/state", node_api.get_key_state),
    Route("PUT", "/node/ba-epskc/state", node_api.put_key_state, Kind.WRITE),
    _read("/node/ba-epskc/key", node_api.get_key),
    Route("POST", "/node/ba-epskc/key", node_api.post_key, Kind.WRITE),
    Route("DELETE", "/node/ba-epskc/key", node_api.delete_key, Kind.WRITE),
)

_COMMISSIONER_ROUTES = (
    _read("/node/commissioner/state", node_api.get_commissioner),
    Route("PUT", "/node/commissioner/state", node_api.put_commissioner, Kind.WRITE),
    Route("OPTIONS", "/node/commissioner/state", node_api.answer_options),
    _read("/node/commissioner/joiner", node_api.get_joiners),
    Route("POST", "/node/commissioner/joiner", node_api.post_joiner, Kind.WRITE),
    Route("DELETE", "/node/commissioner/joiner", node_api.delete_joiner, Kind.WRITE),
    Route("OPTIONS", "/node/commissioner/joiner", node_api.answer_options),
)

_ITEM_ROUTES = (
    Route("GET", "/api/node", item_api.get_own_item, is_checked=True),
    Route("GET", "/api/actions", item_api.get_tasks, is_checked=True),
    Route("POST", "/api/actions", item_api.post_tasks, Kind.TASKS, is_checked=True),
    Route("DELETE", "/api/actions", item_api.delete_tasks, Kind.UPKEEP, is_checked=True),
    Route("OPTIONS", "/api/actions", item_api.make_options_handler("GET, POST, DELETE, OPTIONS"), is_checked=True),
    Route("GET", "/api/actions/:id", item_api.get_task),
    Route("DELETE", "/api/actions/:id", item_api.delete_task, Kind.UPKEEP),
    Route("GET", "/api/devices", item_api.get_devices, is_checked=True),
    Route("DELETE", "/api/devices", item_api.delete_devices, Kind.UPKEEP, is_checked=True),
    Route("OPTIONS", "/api/devices", item_api.make_options_handler("GET, DELETE, OPTIONS"), is_checked=True),
    Route("GET", "/api/devices/:id", item_api.get_device),
    Route("DELETE", "/api/devices/:id", item_api.delete_device, Kind.UPKEEP),
    Route("GET", "/api/diagnostics", item_api.get_results, is_checked=True),
    Route("DELETE", "/api/diagnostics", item_api.delete_results, Kind.UPKEEP, is_checked=True),
    Route("OPTIONS", "/api/diagnostics", item_api.make_options_handler("GET, DELETE, OPTIONS"), is_checked=True),
    Route("GET", "/api/diagnostics/:id", item_api.get_result),
    Route("DELETE", "/api/diagnostics/:id", item_api.delete_result, Kind.UPKEEP),
)

_DISCOVERY_ROUTES = (
    Route("GET", "/.well-known/thread/br-rest", item_api.get_discovery, is_checked=True),
    Route("OPTIONS", "/.well-known/thread/br-rest", item_api.make_options_handler("GET, OPTIONS"), is_checked=True),
)
