# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests to a cloud, with a connection pool, retries, a budget and redaction of secrets.

Private to this collection. Every request to a cloud is sent by :meth:`Http.send`.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import build_refusal, read_refusal
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import (
    build_ambiguous_write,
    build_network_error,
    withhold_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import find_proxies
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import (
    Retry,
    Retryable,
    RetryPolicy,
    parse_retry_after,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.usage import Stopwatch, Usage

try:
    import requests
    import requests.adapters
    import requests.auth
    import urllib3
    import urllib3.exceptions
except ImportError:  # reported by _module, which can fail the task
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

DEFAULT_WORKERS = 16
"""Default number of parallel requests. `requests` was measured to be fastest with 8 to 16 threads."""

MAX_WORKERS = 256
"""Maximum number of parallel requests. Each costs a thread and a connection, so a larger number is taken for a typo."""


_MAX_SLEEP_SECONDS = 1.0
REFUSED_TOKEN_CODES = ("token_invalid", "token_expired")
"""Error codes of a token that the cloud does not accept, or no longer accepts."""
_OK = 200
_RATE_LIMIT_STATUSES = (429, 529)
_TEMPORARY_STATUSES = (408, 500, 502, 503, 504)


@dataclass(frozen=True)
class Response:
    """A successful response.

    :param data: the parsed body; ``None`` if the body was empty.
    """

    status: int
    data: Any


class Http:
    """A client for one cloud. Safe to share between threads.

    :param workers: the number of parallel requests.
    :param clock: tells the time and waits; tests replace it.
    :ivar renew: returns a new token for one that the cloud no longer accepts. It is called at most once for each
        request; ``None`` to let the request fail.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        redact: Redactor | None = None,
        budget: Budget | None = None,
        workers: int = DEFAULT_WORKERS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.connection = connection
        self.redact = redact or Redactor()
        self.usage = Usage()
        self.workers = workers
        self.sleep = clock.sleep
        self.now = clock.now
        self.renew: Callable[[str], str] | None = None
        self.before_request: Callable[[], None] = lambda: None
        """Called before each request and while a request waits to be sent. It may raise an error to end the work."""
        self.last_date: tuple[str, float] | None = None
        """The Date header of the last response, and the time of this machine when the response came."""
        self._token: str | None = None
        self.budget = budget or Budget(clock=clock.monotonic)
        self._lock = threading.Lock()
        self._budget_wait = Stopwatch(self.usage, "budget_wait_seconds", clock.monotonic)
        self._throttled = Stopwatch(self.usage, "throttled_seconds", clock.monotonic)
        self._renewing = threading.Lock()
        self._session = requests.Session()
        # The environment is read here, once, and for proxies only. `requests` would read it for every request, let
        # REQUESTS_CA_BUNDLE override ca_path, and replace our Authorization header by an entry of ~/.netrc.
        self._session.trust_env = False
        environment = os.environ if connection.environment is None else connection.environment
        self._session.proxies = find_proxies(connection.api_url, environment)
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=workers, pool_block=True)
        self._session.mount(connection.api_url, adapter)
        if not connection.validate_certs:  # the user has been warned already, with the name of the cloud
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session.headers.update({"User-Agent": "meshfleet.particle", "Accept": "application/json"})

    def use_token(self, token: str | None) -> None:
        """Send ``token`` as Bearer token from now on; ``None`` sends no token."""
        self.redact.add_secret(token)
        self._token = token

    @property
    def token(self) -> str:
        """Return the token in use, or an empty text if there is none."""
        return self._token or ""

    def get_delay(self, route: str) -> float:
        """Return for how many seconds the limit for ``route`` alone would delay a request now."""
        return self.budget.get_delay(route)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(self, request: Request) -> Response:
        """Send a request, with retries where they are safe, and return the successful response.

        :raises ParticleError: when the request fails; ``ambiguous_write`` when it is not known whether a write took
            effect and it is not safe to repeat it.
        """
        policy = RetryPolicy(request.action, self.connection.max_wait)
        if request.basic is not None:
            return self._send_with_retries(request, _build_basic_auth(*request.basic), policy)
        return self._send_with_live_token(request, policy)

    # Each of the next four methods has one task and calls the following one.

    def _send_with_live_token(self, request: Request, policy: RetryPolicy) -> Response:
        """Send with the token in use. If the cloud no longer accepts it, renew it and send once more."""
        token = self._token
        try:
            return self._send_with_retries(request, _Bearer(token) if token else None, policy)
        except ParticleError as error:
            # The cloud refuses the token before it reads the request, so a repetition is safe for every method.
            if error.code not in REFUSED_TOKEN_CODES or not self._renew_token(token):
                raise
        return self._send_with_retries(request, _Bearer(self.token), policy)

    def _send_with_retries(self, request: Request, auth: Any, policy: RetryPolicy) -> Response:
        """Send, and repeat the request after a temporary failure if that is safe.

        :raises ParticleError: ``ambiguous_write`` when a write may have taken effect and it is not safe to repeat it.
        """
        while True:
            try:
                return self._send_within_budget(request, auth)
            except Retryable as failure:
                rule = request.retry_rule
                may_repeat = rule is Retry.SAFE or (rule is Retry.UNSENT and failure.unsent)
                if not may_repeat and not failure.unsent and request.is_write and rule is not Retry.NEVER:
                    raise build_ambiguous_write(failure.error, request.action) from None
                if not may_repeat:
                    raise failure.error from None
                self._wait_before_retry(failure, policy.compute_pause(failure))

    def _send_within_budget(self, request: Request, auth: Any) -> Response:
        """Wait until the budget allows the request, count it and send it."""
        self.before_request()
        self._wait_for_budget(request.route)
        with self._lock:
            self.usage.requests += 1
            self.usage.writes += request.is_write
        return self._send_once(request, auth)

    def _send_once(self, request: Request, auth: Any) -> Response:
        """Send one HTTP request and return its response.

        :param auth: the authentication for `requests`, if any.
        :raises Retryable: when another attempt may succeed.
        :raises ParticleError: when it cannot.
        """
        connection, route, action = self.connection, request.route, request.action
        try:
            response = self._session.request(
                request.method,
                connection.api_url + request.path,
                params=request.query,
                json=request.json,
                data=request.form,
                files=None if request.file is None else {"file": ("devices.txt", request.file, "text/plain")},
                auth=auth,
                timeout=connection.timeout,
                # trust_env is off (see above), so nothing in the environment can override this.
                verify=(connection.ca_path or True) if connection.validate_certs else False,
                allow_redirects=False,  # a redirect could carry the token to another host
            )
        except requests.RequestException as error:
            raise build_network_error(error, connection, route, action) from None
        except OSError:  # raised by `requests` before it sends anything if ca_path cannot be read
            message = f"Could not {action}: ca_path {connection.ca_path} cannot be read."
            raise ParticleError("tls_untrusted", message, route=route) from None
        if "Date" in response.headers:
            self.last_date = (response.headers["Date"], self.now())
        if response.status_code >= 300:
            raise self._build_refusal(response, request)
        return self._parse_response(response.status_code, response.content, request)

    def _build_refusal(self, response: requests.Response, request: Request) -> Exception:
        """Return the error for a refused request. It is a :class:`Retryable` if another attempt may succeed."""
        status = response.status_code
        redact = withhold_text if request.private else self.redact
        refusal = build_refusal(status, response.content, route=request.route, action=request.action, redact=redact)
        if refusal.code in ("invalid_credentials", "not_a_cloud", "unsupported"):
            return refusal
        if status in (*_RATE_LIMIT_STATUSES, *_TEMPORARY_STATUSES):
            wait = parse_retry_after(response.headers.get("Retry-After"), self.now())
            too_fast = status in _RATE_LIMIT_STATUSES
            return Retryable(refusal, unsent=too_fast, wait=wait, rate_limited=too_fast)
        return refusal

    def _wait_for_budget(self, route: str) -> None:
        """Wait until the budget has a place for the request, and take it."""
        delay, waited = self.budget.take_place(route), 0.0
        if delay == 0:
            return
        with self._budget_wait:
            while delay > 0:
                waited += self._sleep(delay)
                delay = self.budget.take_place(route, waited)

    def _renew_token(self, refused_token: str | None) -> bool:
        """Renew a token that the cloud no longer accepts, unless another thread has already done so.

        :returns: whether there is a new token.
        """
        if self.renew is None or refused_token is None:
            return False
        with self._renewing:
            if self._token == refused_token:
                self.use_token(self.renew(refused_token))
        return True

    def _parse_response(self, status: int, body: bytes, request: Request) -> Response:
        """Parse the body of a response with a success status.

        :raises Retryable: when the body is not complete JSON.
        :raises ParticleError: when the body reports a failure, or is a web page.
        """
        route, action = request.route, request.action
        if not body.strip() and not (status == _OK and route.startswith("GET ")):
            return Response(status, None)
        try:
            data = jsonlib.loads(body)  # fails for an empty body too, which a GET must not have
        except (ValueError, RecursionError):
            if read_refusal(body).form == "html":
                raise build_refusal(status, body, route=route, action=action, redact=self.redact) from None
            garbled = ParticleError(
                "bad_response",
                f"Could not {action}: the response is not complete JSON (HTTP {status}).",
                status=status,
                route=route,
            )
            raise Retryable(garbled, unsent=False) from None
        if isinstance(data, dict) and data.get("ok") is False:
            redact = withhold_text if request.private else self.redact
            raise build_refusal(status, body, route=route, action=action, redact=redact)
        return Response(status, data)

    def _wait_before_retry(self, failure: Retryable, wait: float) -> None:
        """Wait for ``wait`` seconds, and count the retry. A wait that the cloud asks for counts as throttling."""
        with self._lock:
            self.usage.retries += 1
        with self._throttled if failure.rate_limited or failure.wait is not None else contextlib.nullcontext():
            while wait > 0:
                wait -= self._sleep(wait)

    def _sleep(self, wait: float) -> float:
        """Sleep for a part of ``wait``, and return the seconds slept."""
        # Long waits are split, because before_request may end the work during a wait.
        self.before_request()
        nap = min(wait, _MAX_SLEEP_SECONDS)
        self.sleep(nap)
        return nap


def _build_basic_auth(username: str, password: str) -> Any:
    """Return HTTP Basic authentication."""
    # As bytes, because `requests` encodes text as Latin-1 and fails for other characters.
    return requests.auth.HTTPBasicAuth(username.encode(), password.encode())


class _Bearer:
    """Authentication for `requests` that sends a Bearer token in the Authorization header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
