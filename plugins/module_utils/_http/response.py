# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the status and the body of an HTTP response into data or an error. Private to this collection."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    MAX_ANSWER_MEMORY,
    MAX_REFUSAL_BYTES,
    MEMORY_PER_VALUE,
    format_size,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import build_refusal, read_refusal
from ansible_collections.meshfleet.particle.plugins.module_utils._http.bounded import BoundExceeded
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import (
    REQUEST_TIMEOUT,
    build_ambiguous_write,
    build_bound_error,
    describe_bound,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retryable

_OK = 200
_RATE_LIMIT_STATUSES = (429, 529)
_FIRST_SERVER_ERROR = 500
_FINAL_SERVER_ERRORS = (501, 505)  # the cloud does not know the HTTP method or the version of HTTP


@dataclass(frozen=True)
class Response:
    """A successful HTTP response.

    :param data: the parsed JSON body; ``None`` if the body was empty. For ``Request.binary``, the bytes of the body.
    """

    status: int
    data: Any


def parse_response(status: int, body: bytes, request: Request, redact: Callable[[str], str]) -> Response:
    """Parse the body of an HTTP response with a success status.

    :param redact: a function that masks the secrets in the error message of the cloud.
    :raises Retryable: when the body is not complete JSON.
    :raises ParticleError: when the body reports an error, is a web page or contains too many values.
    """
    route, action = request.route, request.action
    _check_memory(status, body, request)
    if (not body or body.isspace()) and not (status == _OK and route.startswith("GET ")):
        return Response(status, None)
    try:
        # This also fails for an empty body, which is an error after a GET.
        data = jsonlib.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        start = body[:MAX_REFUSAL_BYTES]
        if read_refusal(start).form == "html":
            page = build_refusal(status, start, route=route, action=action, redact=redact)
            raise _doubt_web_page(page, request) from None
        garbled = ParticleError(
            "bad_response",
            f"Could not {action}: the response is not complete JSON (HTTP {status}).",
            status=status,
            route=route,
        )
        raise Retryable(garbled, unsent=False) from None
    if isinstance(data, dict) and data.get("ok") is False:
        if len(body) > MAX_REFUSAL_BYTES:
            cause = f"the response reports an error in more than {format_size(MAX_REFUSAL_BYTES)}"
            raise build_bound_error(BoundExceeded("bad_response", cause), request, status)
        raise build_refusal(status, body, route=route, action=action, redact=redact)
    return Response(status, data)


def _refuse_constant(name: str) -> None:
    """Refuse ``NaN`` and ``Infinity``, which Python accepts, but which are not JSON.

    :raises ValueError: always.
    """
    raise ValueError(name)


def _check_memory(status: int, body: bytes, request: Request) -> None:
    """Check that the JSON in a body does not need too much memory.

    :raises ParticleError: ``bad_response`` when the body may need more than :data:`MAX_ANSWER_MEMORY`.
    """
    # The parser decodes the body, and copies each string into a value.
    text = 2 * len(body) * _find_character_size(body)
    # Every value of JSON follows one of these characters. Text that contains commas is counted, too.
    values = MEMORY_PER_VALUE * sum(map(body.count, (b",", b"[", b"{")))
    if len(body) + text + values > MAX_ANSWER_MEMORY:
        cause = f"the response needs more than {format_size(MAX_ANSWER_MEMORY)} of memory, the most that is used"
        raise build_bound_error(BoundExceeded("bad_response", cause), request, status)


def _find_character_size(body: bytes) -> int:
    """Return how many bytes each character of the decoded body needs in memory. The widest character decides."""
    if body.isascii():
        return 1
    # In UTF-8, only characters beyond U+FFFF begin with one of these bytes.
    return 4 if any(bytes([first]) in body for first in range(0xF0, 0xF5)) else 2


def _doubt_web_page(refusal: ParticleError, request: Request) -> ParticleError:
    """Return the error for a web page. After a write, a proxy may have replaced the response of the cloud by the page.

    The next request shows whether the cloud can be reached.
    """
    is_doubtful = refusal.code == "not_a_cloud" and request.can_be_ambiguous
    return build_ambiguous_write(refusal, request.action) if is_doubtful else refusal


def build_refused_request(
    status: int, body: bytes, request: Request, redact: Callable[[str], str], wait: float | None
) -> Exception:
    """Return the error for a refused request.

    :param redact: a function that masks the secrets in the error message of the cloud.
    :param wait: for how many seconds the cloud asks to wait; ``None`` if the cloud names no time.
    :returns: a :class:`Retryable` if a retry may succeed, else a :class:`ParticleError`.
    """
    refusal = build_refusal(status, body, route=request.route, action=request.action, redact=redact)
    if refusal.code in ("invalid_credentials", "not_a_cloud", "unsupported"):
        return _doubt_web_page(refusal, request) if status >= 400 else refusal
    return _make_retryable(refusal, status, wait) if _is_temporary(status) else refusal


def build_oversized_response(error: BoundExceeded, request: Request, status: int | None) -> Exception:
    """Return the error for a response that exceeds a bound.

    Whether a retry may succeed depends on the status, and not on the size of the body.

    :param status: the HTTP status of the response, if it has arrived.
    :returns: a :class:`Retryable` if a retry may succeed, else a :class:`ParticleError`.
    """
    if status is not None and _is_temporary(status) and error.code == "bad_response":
        return _make_retryable(describe_bound(error, request, status), status, None)
    return build_bound_error(error, request, status)


def _is_temporary(status: int) -> bool:
    # Proxies between the cloud and its users have statuses of their own, such as 524 for a cloud that does not answer.
    is_server_error = status >= _FIRST_SERVER_ERROR and status not in _FINAL_SERVER_ERRORS
    return is_server_error or status in (*_RATE_LIMIT_STATUSES, REQUEST_TIMEOUT)


def _make_retryable(error: ParticleError, status: int, wait: float | None) -> Retryable:
    too_fast = status in _RATE_LIMIT_STATUSES
    return Retryable(error, unsent=too_fast, wait=wait, rate_limited=too_fast)
