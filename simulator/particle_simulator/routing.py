# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The route table, and the search for the route of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from particle_simulator.messages import Call, Reply
from particle_simulator.world import World

Handler = Callable[[World, Call], Reply]

ANY_SCOPE = "*"
"""The scope of a route that every API user is allowed to call."""


class Auth(Enum):
    """The credentials that are checked before the handler runs."""

    NONE = "none"
    BEARER = "bearer"


class Kind(Enum):
    """The kind of a route. The statistics count requests by kind."""

    READ = "read"
    WRITE = "write"
    GRANT = "grant"
    LOGIN = "login"
    REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the cloud.

    - `group` and `id` name the endpoint in docs/facts/endpoints.yml. `path` is the path template of the endpoint.
    - `scope` is the scope that the token of an API user must have. If `scope` is None, API users are refused.
    - `also` lists further endpoints with the same method and path. The request body decides which endpoint is meant.
    """

    group: str
    id: str
    method: str
    path: str
    handler: Handler
    auth: Auth = Auth.BEARER
    kind: Kind = Kind.READ
    scope: str | None = None
    also: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all endpoints that this route serves."""
        return (self.id, *self.also)

    @property
    def key(self) -> str:
        """The name of the route in statistics and fault schedules: the method and the path template."""
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, tuple[Route, str, tuple[str, ...]]] = field(default_factory=dict)


class DuplicateRoute(ValueError):
    """An error: two routes have the same method and the same path."""


class RouteTable:
    """All routes, as a tree of path segments.

    Because of the tree, the time of a search does not depend on the number of routes.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self.routes = tuple(routes)
        for route in self.routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        names: list[str] = []
        for segment in route.path.split("/")[1:]:
            if segment.startswith(":"):
                names.append(segment[1:])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        if route.method in node.routes:
            raise DuplicateRoute(f"{route.key} is already used by another route")
        node.routes[route.method] = (route, route.key, tuple(names))

    def find(self, method: str, path: str) -> tuple[Route, str, dict[str, str]] | None:
        """Return (route, key of the route, parameters of the path) for a request, or None.

        A trailing slash is ignored.
        """
        segments = path.rstrip("/").split("/")[1:]
        found = self._search(self._root, method, segments, 0, ())
        if found is None:
            return None
        (route, key, names), values = found
        return route, key, {name: unquote(value) for name, value in zip(names, values, strict=True)}

    def _search(
        self, node: _Node, method: str, segments: list[str], depth: int, values: tuple[str, ...]
    ) -> tuple[tuple[Route, str, tuple[str, ...]], tuple[str, ...]] | None:
        if depth == len(segments):
            hit = node.routes.get(method)
            return (hit, values) if hit else None
        segment = segments[depth]
        # A literal segment has priority over a parameter. Otherwise the segment `current` would be read as a token.
        literal = node.literals.get(segment)
        if literal is not None:
            found = self._search(literal, method, segments, depth + 1, values)
            if found is not None:
                return found
        if node.parameter is not None and segment:
            return self._search(node.parameter, method, segments, depth + 1, (*values, segment))
        return None
