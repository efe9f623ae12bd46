# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection pool to one cloud: keep-alive, retries by method safety, budget, redaction.

Private to this collection. Everything that reaches a cloud passes :meth:`Http.call`.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import threading
import time
import traceback
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import read_refusal, refused
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import (
    ambiguous_write,
    network_failure,
    withhold_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import proxies_for
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import (
    Retry,
    Retryable,
    RetryPolicy,
    retry_after,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.usage import Stopwatch, Usage

try:
    import requests
    import requests.adapters
    import requests.auth
    import urllib3
    import urllib3.exceptions
except ImportError:  # reported by _module, where there is a way to say it
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

WORKERS = 16
"""Requests in flight at once: with 8 to 16 threads `requests` is fastest, more are slower (measured)."""

MOST_WORKERS = 256
"""What is above this is a slip of the pen, and would cost a thread and a connection each."""


_RETRY_OF_METHOD = {"GET": Retry.SAFE, "PUT": Retry.SAFE, "DELETE": Retry.SAFE, "POST": Retry.UNSENT}
_NAP = 1.0
DEAD_TOKEN = ("token_invalid", "token_expired")
_FOUND = 200
_TOO_FAST = (429, 529)
_PASSING = (408, 500, 502, 503, 504)


@dataclass(frozen=True)
class Answer:
    """A success. ``data`` is the parsed body, ``None`` when the body was empty."""

    status: int
    data: Any


@dataclass(frozen=True)
class _Request:
    """A request on its way: ``arguments`` are those of :meth:`requests.Session.request`, the rest as in ``call``."""

    route: str
    doing: str
    arguments: dict[str, Any] = field(repr=False)
    retry: Retry
    writes: bool
    private: bool


class Http:
    """A conversation with one cloud.

    Safe to share between threads. ``clock`` (seconds, monotonic), ``now`` (seconds since 1970) and ``sleep`` can be
    turned by tests. With ``renew`` a token that the cloud no longer takes is replaced, once for each request: it is
    given the dead token and gives back another one.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        redact: Redactor | None = None,
        budget: Budget | None = None,
        workers: int = WORKERS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.connection = connection
        self.redact = redact or Redactor()
        self.usage = Usage()
        self.workers = workers
        self.sleep = sleep
        self.now = now
        self.renew: Callable[[str], str] | None = None
        self.before_request: Callable[[], None] = lambda: None
        """Called before each request is sent, and while it waits to be; what it raises ends the work."""
        self.dated: tuple[str, float] | None = None
        """The Date header of the last answer, and the time of this machine when it came."""
        self._token: str | None = None
        self.budget = budget or Budget(clock=clock)
        self._lock = threading.Lock()
        self._budget_wait = Stopwatch(self.usage, "budget_wait_seconds", clock)
        self._throttled = Stopwatch(self.usage, "throttled_seconds", clock)
        self._renewing = threading.Lock()
        self._session = requests.Session()
        # The environment is read here, once, and for proxies only. Left to `requests` it would be read at every
        # request, would let REQUESTS_CA_BUNDLE beat ca_path, and ~/.netrc replace our Authorization header.
        self._session.trust_env = False
        environment = os.environ if connection.environment is None else connection.environment
        self._session.proxies = proxies_for(connection.api_url, environment)
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=workers, pool_block=True)
        self._session.mount(connection.api_url, adapter)
        if not connection.validate_certs:  # the user has been warned, once and in words that name the cloud
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session.headers.update({"User-Agent": "meshfleet.particle", "Accept": "application/json"})

    def authorize(self, token: str | None) -> None:
        """Send ``token`` as Bearer from now on."""
        self.redact.learn(token)
        self._token = token

    @property
    def token(self) -> str:
        """The token in use, empty when there is none."""
        return self._token or ""

    def seconds_until_allowed(self, route: str) -> float:
        """How long a request to ``route`` would wait now for the budget."""
        return self.budget.seconds_until_free(route)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def call(
        self,
        route: str,
        *,
        doing: str,
        at: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        file: bytes | None = None,
        basic: tuple[str, str] | None = None,
        retry: Retry | None = None,
        writes: bool | None = None,
        private: bool = False,
    ) -> Answer:
        """Send one request and give back its success.

        :param route: method and path template as in docs/facts/endpoints.yml: ``PUT /v1/devices/:id``.
        :param doing: what this attempts, to follow "Could not": ``rename device e00f…``.
        :param at: values for the template's ``:names``.
        :param file: content of a multipart part named ``file``.
        :param basic: username and password (or client id and secret) instead of the Bearer token.
        :param retry: other than what the method implies.
        :param writes: whether this may change the fleet; what is no GET does, unless said otherwise.
        :param private: what is sent or asked for holds secrets that a refusal may echo, so its words are not passed on.
        :raises ParticleError: for everything that is not a success; ``ambiguous_write`` when a write that must
            not be repeated blindly may or may not have taken effect.
        """
        method, template = route.split(" ", 1)
        request = _Request(
            route,
            doing,
            {
                "method": method,
                "url": self.connection.api_url + _fill(template, at or {}),
                "params": query,
                "json": json,
                "data": form,
                "files": None if file is None else {"file": ("devices.txt", file, "text/plain")},
                "auth": None if basic is None else _basic(*basic),
            },
            retry=retry or _RETRY_OF_METHOD[method],
            writes=method != "GET" if writes is None else writes,
            private=private,
        )
        policy = RetryPolicy(doing, self.connection.max_wait)
        if basic is not None:
            return self._send_with_retries(request, policy)
        return self._send_with_live_token(request, policy)

    # The ladder: each rung has one worry, and calls the next.

    def _send_with_live_token(self, request: _Request, policy: RetryPolicy) -> Answer:
        """Send with the token in use; when the cloud refuses that, send once more with another one."""
        token = self._token
        request.arguments["auth"] = _Bearer(token) if token else None
        try:
            return self._send_with_retries(request, policy)
        except ParticleError as error:
            # Refused before it was looked at, so sending it again is safe for every method.
            if error.code not in DEAD_TOKEN or not self._replace(token):
                raise
        request.arguments["auth"] = _Bearer(self.token)
        return self._send_with_retries(request, policy)

    def _send_with_retries(self, request: _Request, policy: RetryPolicy) -> Answer:
        """Send again after a failure that another attempt may not meet, where that is safe.

        :raises ParticleError: ``ambiguous_write`` when a write may have taken effect and must not be repeated.
        """
        while True:
            try:
                return self._send_within_budget(request)
            except Retryable as failure:
                may_repeat = request.retry is Retry.SAFE or (request.retry is Retry.UNSENT and failure.unsent)
                if not may_repeat and not failure.unsent and request.writes and request.retry is not Retry.NEVER:
                    raise ambiguous_write(failure.error, request.doing) from None
                if not may_repeat:
                    raise failure.error from None
                self._wait_before_retry(failure, policy.pause_after(failure))

    def _send_within_budget(self, request: _Request) -> Answer:
        """Send as soon as the budget has a place, and count the request."""
        self.before_request()
        self._wait_for_budget(request.route)
        with self._lock:
            self.usage.requests += 1
            self.usage.writes += request.writes
        return self._send_once(request)

    def _send_once(self, request: _Request) -> Answer:
        """Send one HTTP request and read its answer.

        :raises Retryable: when another attempt may succeed.
        """
        connection, route, doing = self.connection, request.route, request.doing
        try:
            response = self._session.request(
                **request.arguments,
                timeout=connection.timeout,
                # Verified by what is said here alone, see trust_env above.
                verify=(connection.ca_path or True) if connection.validate_certs else False,
                allow_redirects=False,  # a redirect could carry the token to another host
            )
        except requests.RequestException as error:
            raise network_failure(error, connection, route, doing) from None
        except OSError:  # `requests` raises it, before it sends anything, for a ca_path that cannot be read
            message = f"Could not {doing}: ca_path {connection.ca_path} cannot be read."
            raise ParticleError("tls_untrusted", message, route=route) from None
        if "Date" in response.headers:
            self.dated = (response.headers["Date"], self.now())
        if response.status_code >= 300:
            raise self._refusal(response, request)
        return self._read(response.status_code, response.content, request)

    def _refusal(self, response: requests.Response, request: _Request) -> Exception:
        """Return the error for a refused request, as one that may be retried where that may help."""
        status = response.status_code
        redact = withhold_text if request.private else self.redact
        refusal = refused(status, response.content, route=request.route, doing=request.doing, redact=redact)
        if refusal.code in ("invalid_credentials", "not_a_cloud", "unsupported"):
            return refusal
        if status in (*_TOO_FAST, *_PASSING):
            wait = retry_after(response.headers.get("Retry-After"), self.now())
            too_fast = status in _TOO_FAST
            return Retryable(refusal, unsent=too_fast, wait=wait, too_fast=too_fast)
        return refusal

    def _wait_for_budget(self, route: str) -> None:
        """Take a place in the budget, and wait until there is one, in naps: the work may have been ended meanwhile."""
        delay, waited = self.budget.take(route), 0.0
        if delay == 0:
            return
        with self._budget_wait:
            while delay > 0:
                waited += self._nap(delay)
                delay = self.budget.take(route, waited)

    def _replace(self, dead: str | None) -> bool:
        """Replace a token that the cloud refuses, unless another thread has done so; return whether there is one."""
        if self.renew is None or dead is None:
            return False
        with self._renewing:
            if self._token == dead:
                self.authorize(self.renew(dead))
        return True

    def _read(self, status: int, body: bytes, request: _Request) -> Answer:
        """Read the body of a success, which may yet say that it is none."""
        route, doing = request.route, request.doing
        if not body.strip() and not (status == _FOUND and route.startswith("GET ")):
            return Answer(status, None)
        try:
            data = jsonlib.loads(body)  # nothing at all is no answer to a question either
        except (ValueError, RecursionError):
            if read_refusal(body).form == "html":
                raise refused(status, body, route=route, doing=doing, redact=self.redact) from None
            garbled = ParticleError(
                "bad_response",
                f"Could not {doing}: the answer {status} is not complete JSON.",
                status=status,
                route=route,
            )
            raise Retryable(garbled, unsent=False) from None
        if isinstance(data, dict) and data.get("ok") is False:
            redact = withhold_text if request.private else self.redact
            raise refused(status, body, route=route, doing=doing, redact=redact)
        return Answer(status, data)

    def _wait_before_retry(self, failure: Retryable, wait: float) -> None:
        with self._lock:
            self.usage.retries += 1
        with self._throttled if failure.too_fast or failure.wait is not None else contextlib.nullcontext():
            while wait > 0:
                wait -= self._nap(wait)

    def _nap(self, wait: float) -> float:
        """Sleep for a part of ``wait``, which is given back: the work may be ended meanwhile."""
        self.before_request()
        nap = min(wait, _NAP)
        self.sleep(nap)
        return nap


def _basic(username: str, password: str) -> Any:
    """Return HTTP Basic authentication."""
    # As bytes: given text, `requests` encodes it as Latin-1 and fails on other scripts.
    return requests.auth.HTTPBasicAuth(username.encode(), password.encode())


class _Bearer:
    """Puts the token into the Authorization header, and nowhere else."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _fill(template: str, values: Mapping[str, object]) -> str:
    """``/v1/devices/:id`` with its values, each encoded so that it stays one segment of the path.

    :raises ParticleError: for a value that would lead to another path, for no encoding hides it from a server.
    """
    parts = []
    for part in template.split("/"):
        if not part.startswith(":"):
            parts.append(part)
            continue
        value = str(values[part[1:]])
        if value in ("", ".", ".."):
            raise ParticleError("not_found", f"{value!r} cannot stand for {part} in {template}; nothing was sent.")
        parts.append(urllib.parse.quote(value, safe=""))
    return "/".join(parts)
