# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a request to a route that the user names. Private to this collection."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import DOCUMENTED_LIMITS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import SECRET_NAME, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_FORBIDDEN_CHARACTERS = re.compile("[/\\\\%?#\x00-\x1f\x7f\ufffd\ud800-\udfff]")

# The cloud ignores the case of a path.
_REFUSED = (
    (
        re.compile(r"[A-Z]+ (?:/oauth/token|/v1/access_tokens)(?:/|\Z)", re.IGNORECASE),
        "is a route for access tokens; use module access_token or access_token_info instead",
    ),
    (
        re.compile(r"GET /v1/(?:(?:products|orgs)/[^/]+/)?(?:devices/(?:[^/]+/)?)?events(?:/|\Z)", re.IGNORECASE),
        "is a stream of events, which never ends; use the event source of this collection instead",
    ),
    (
        re.compile(r"GET /v1/(?:binaries/[^/]+|products/[^/]+/firmware/[^/]+/binary)\Z", re.IGNORECASE),
        "responds with a file, which this module cannot return",
    ),
)
"""Routes that are refused, each with a reason that follows "path".

The facts are in endpoints.yml: token_password, token_revoke_one, events_all, events_mine, events_device,
events_product, firmware_download, compile_download.
"""


@dataclass(frozen=True)
class AnyCall:
    """A request to any route of the cloud.

    :param segments: the decoded parts of the path between the slashes: ``("v1", "devices", "barn")``.
    :param query: the parameters of the query string.
    :param body: the body, which is sent as JSON: a mapping, a list, or ``None`` for no body.
    """

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)

    @property
    def route(self) -> str:
        """Return the method and the path, without the query: ``GET /v1/devices/barn``."""
        return f"{self.method} /{'/'.join(urllib.parse.quote(segment, safe='') for segment in self.segments)}"

    @property
    def secrets(self) -> list[str]:
        """Return the values of the query and the body whose keys say that they are secret."""
        return [*_find_values([self.query, self.body], is_wanted=False)]

    def is_free_of(self, mask_values: Callable[[Any], Any]) -> bool:
        """Return whether neither the path nor the query contains a secret.

        :param mask_values: a function that masks secrets.
        """
        shown = [*self.segments, *self.query.values()]
        return bool(mask_values(shown) == shown)


def read_call(method: str, path: str, query: Mapping[str, Any] | None, body: Any) -> AnyCall:
    """Return the request that the options of a task describe.

    :raises ParticleError: ``invalid_option`` with all mistakes, when the path could leave the cloud or belongs to a
        refused route, when a value of the query is not a text, a number or a boolean, or when the body cannot be sent.
    """
    segments = tuple(map(urllib.parse.unquote, path.removeprefix("/").split("/")))
    call = AnyCall(method, segments, {key: _format_value(value) for key, value in (query or {}).items()}, body)
    mistakes = [*_find_path_mistakes(path, call), *_find_query_mistakes(query or {}), *_find_body_mistakes(call)]
    if mistakes:
        hint = "Give the path of a documented route, such as /v1/devices, and its parameters as query or body."
        raise ParticleError("invalid_option", " ".join(mistakes), hint=hint)
    return call


def send_call(http: Http, call: AnyCall) -> Response:
    """Send a request, and return the response. The route of an error has no query.

    :raises ParticleError: when the cloud refuses the request; ``ambiguous_write`` when it is not known whether a POST
        or PATCH request took effect.
    """
    route, path_params = _find_limited_route(call)
    request = Request(
        route,
        f"send {call.route}",
        path_params,
        query=call.query,
        json=call.body,
        private=bool(call.secrets),
        masked=tuple(_find_values([call.query, call.body], is_wanted=True)),
    )
    try:
        return http.send(request)
    except ParticleError as error:
        if error.code == "ambiguous_write":
            error.hint = "Check with a GET request before you run again: another run sends the request a second time."
        raise


def can_be_json(data: Any) -> bool:
    """Return whether data can be sent as JSON."""
    try:
        json.dumps(data, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def has_secret(data: Any) -> bool:
    """Return whether a response contains text that looks like a token, or a value whose key says that it is secret."""
    return bool(Redactor().mask_values(data) != data) or any(_find_values(data, is_wanted=False))


def _find_path_mistakes(path: str, call: AnyCall) -> Iterator[str]:
    """Yield the mistakes of a path. The path itself is not quoted, because it may contain a password."""
    if not path.startswith("/"):
        yield "path must begin with /, and must not contain the address of a cloud."
        return
    if "?" in path or "#" in path:
        yield "path must not contain ? or #; set the parameters of the query string in query."
        return
    if any(segment in ("", ".", "..") for segment in call.segments):
        yield "path must not contain empty parts, such as // or a / at the end, and no . or .. as a part."
    if any(_FORBIDDEN_CHARACTERS.search(segment) for segment in call.segments):
        yield "path must not contain a backslash, a line break or a percent code of /, %, ?, # or a backslash."
        return
    placeholders = [segment for segment in call.segments if segment.startswith(":")]
    if placeholders:
        yield f"path contains the placeholder {placeholders[0]}; replace it by a value."
    yield from (f"path {reason}." for pattern, reason in _REFUSED if pattern.match(call.route))


def _find_query_mistakes(query: Mapping[str, Any]) -> Iterator[str]:
    for key, value in query.items():
        if str(key).lower() == "access_token":
            yield "query must not contain access_token, because URLs are logged; the task sends its own token."
        elif not isinstance(value, (str, int, float)):
            yield f"query.{key} must be a text, a number or a boolean."


def _find_body_mistakes(call: AnyCall) -> Iterator[str]:
    if call.body is None:
        return
    if call.method == "GET":
        yield "body cannot be combined with method GET."
    elif not isinstance(call.body, (Mapping, list)):
        yield "body must be a mapping or a list, which is sent as JSON."
    elif not can_be_json(call.body):
        yield "body contains a value that JSON does not have, such as .nan or .inf."


def _format_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find_limited_route(call: AnyCall) -> tuple[str, dict[str, str]]:
    """Return the route of a request, and the values for its placeholders.

    A route with a rate limit of its own is returned as in :data:`DOCUMENTED_LIMITS`, so that the budget counts it.
    """
    for route in DOCUMENTED_LIMITS:
        method, _space, path = route.partition(" ")
        parts = path.split("/")[1:]
        pairs = (
            [*zip(parts, call.segments, strict=False)]
            if (method, len(parts)) == (call.method, len(call.segments))
            else []
        )
        if pairs and all(part.startswith(":") or part == segment.lower() for part, segment in pairs):
            return route, {part[1:]: segment for part, segment in pairs if part.startswith(":")}
    return call.route, {}


def _find_values(data: Any, *, is_wanted: bool) -> Iterator[str]:
    """Yield the texts and numbers in data.

    :param is_wanted: whether to yield all values; else only the values below a key that says that they are secret.
    """
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _find_values(value, is_wanted=is_wanted or bool(SECRET_NAME.search(str(key))))
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from _find_values(value, is_wanted=is_wanted)
    elif is_wanted and isinstance(data, (str, int, float)) and not isinstance(data, bool) and str(data):
        yield str(data)
