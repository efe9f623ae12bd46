# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send HTTP requests to a cloud. Private to this collection.

The client pools connections, retries failed requests, keeps to the request budget and masks secrets. Every request to
a cloud is sent by :meth:`Http.send`.
"""

from __future__ import annotations

import contextlib
import email.utils
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    MAX_ANSWER_BYTES,
    MAX_REFUSAL_BYTES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.bounded import (
    ACCEPTED_ENCODING,
    BoundExceeded,
    Deadline,
    build_session,
    read_body,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import (
    PROXY_LOGIN_REQUIRED,
    build_ambiguous_write,
    build_network_error,
    build_proxy_login_error,
    build_setup_error,
    withhold_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import MultipartBody
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import find_proxy
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import MIN_MASKED_LENGTH, Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import (
    Response,
    build_oversized_response,
    build_refused_request,
    parse_response,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import (
    Retry,
    Retryable,
    RetryPolicy,
    parse_retry_after,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.token_form import find_token_mistake
from ansible_collections.meshfleet.particle.plugins.module_utils._http.usage import Stopwatch, Usage

try:
    import requests
    import requests.auth
    import urllib3
    import urllib3.exceptions
except ImportError:  # reported by _module, which can fail the task
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

DEFAULT_WORKERS = 16
"""The default number of parallel requests. In measurements, `requests` was fastest with 8 to 16 threads."""

MAX_WORKERS = 256
"""The maximum number of parallel requests. Each parallel request needs a thread and a connection.

A larger number is refused, because it is most likely a typing error.
"""


_MAX_SLEEP_SECONDS = 1.0
REFUSED_TOKEN_CODES = ("token_invalid", "token_expired")
"""The error codes for an access token that the cloud does not accept."""


class Http:
    """An HTTP client for one cloud. Several threads can use the same client.

    :param workers: the number of parallel requests.
    :param clock: the functions that tell the time and wait. Tests replace these functions.
    :ivar renew: a function that takes the refused access token, and returns a new access token. The function is called
        at most once for each request. If ``renew`` is ``None``, a request with a refused token fails.
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
        """A function that is called before each request and during each wait.

        The function can raise an error to end the work.
        """
        self.last_date: tuple[str, float] | None = None
        """The Date header of the last response, and the time at which the response arrived.

        The arrival time is in seconds since 1970, according to the clock of this machine.
        """
        self._token: str | None = None
        self.budget = budget or Budget(clock=clock.monotonic)
        self._monotonic = clock.monotonic
        self._lock = threading.Lock()
        self._budget_wait = Stopwatch(self.usage, "budget_wait_seconds", clock.monotonic)
        self._throttled = Stopwatch(self.usage, "throttled_seconds", clock.monotonic)
        self._renewing = threading.Lock()
        self._session = build_session(workers)
        # Do not let `requests` read the environment: for every request, it would let REQUESTS_CA_BUNDLE override
        # ca_path, and replace our Authorization header with an entry of ~/.netrc. Only the proxies are read, once.
        self._session.trust_env = False
        proxy = find_proxy(connection.api_url, connection.environment)
        self._session.proxies = {} if proxy is None else {"all": proxy.url}
        self._mistake = (proxy.find_mistake() if proxy is not None else None) or connection.find_mistake()
        if not connection.validate_certs:  # read_connection has already warned the user
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session.headers.update(
            {"User-Agent": "meshfleet.particle", "Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING}
        )

    def use_token(self, token: str | None) -> None:
        """Send ``token`` as Bearer token in all further requests. With ``None``, send no token."""
        self.redact.add_secret(token)
        self._token = token

    @property
    def token(self) -> str:
        """Return the access token in use, or an empty string if no token is in use."""
        return self._token or ""

    @property
    def clock_skew(self) -> float | None:
        """Return how many seconds the clock of the cloud is ahead of the clock of this machine.

        The time of the cloud is the Date header of the last response. If this header is missing or not valid, the
        result is ``None``.
        """
        if self.last_date is None:
            return None
        parsed = email.utils.parsedate_tz(self.last_date[0])
        try:
            return None if parsed is None else email.utils.mktime_tz(parsed) - self.last_date[1]
        except (ValueError, OverflowError):
            return None

    def get_delay(self, route: str) -> float:
        """Return the number of seconds that a request sent now would have to wait for the rate limit of ``route``.

        The rate limit for all routes together is ignored. The call is not counted as a request.
        """
        return self.budget.get_delay(route)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(self, request: Request) -> Response:
        """Send a request and return the successful response. Retry the request after a failure if a retry is safe.

        :raises ParticleError: when the request fails; ``ambiguous_write`` when a write has an unknown result and a
            retry is not safe; ``invalid_option`` when a variable for the proxy is not valid; ``tls_untrusted``
            when ``ca_path`` cannot be used.
        """
        try:
            return self._send_checked(request)
        except ParticleError as error:
            error.hint = error.hint.replace("api_url", self.connection.url_setting)
            raise

    # Each of the next five methods does one thing and calls the next method.

    def _send_checked(self, request: Request) -> Response:
        """Send a request if the connection can be used, and choose how it authenticates."""
        if self._mistake is not None:
            raise self._mistake
        deadline = Deadline(self.connection.timeout, self._monotonic)
        policy = RetryPolicy(request.action, self.connection.max_wait, deadline)
        if request.basic is not None:
            return self._send_with_retries(request, _build_basic_auth(*request.basic), policy)
        if request.bearer is not None:
            return self._send_with_retries(request, _Bearer(request.bearer), policy)
        return self._send_with_live_token(request, policy)

    def _send_with_live_token(self, request: Request, policy: RetryPolicy) -> Response:
        """Send a request. If the cloud no longer accepts the access token, renew the token and repeat the request."""
        token = self._token
        if token and (mistake := find_token_mistake(token)):
            raise mistake
        try:
            return self._send_with_retries(request, _Bearer(token) if token else None, policy)
        except ParticleError as error:
            # The cloud checks the token before it carries out the request, so a retry is safe for every HTTP method.
            if error.code not in REFUSED_TOKEN_CODES or not self._renew_token(token):
                raise
        return self._send_with_retries(request, _Bearer(self.token), policy)

    def _send_with_retries(self, request: Request, auth: Any, policy: RetryPolicy) -> Response:
        """Send a request. Retry the request after a temporary failure if a retry is safe.

        :raises ParticleError: when the request fails; ``ambiguous_write`` when a write has an unknown result and a
            retry is not safe.
        """
        while True:
            try:
                return self._send_within_budget(request, auth, policy.deadline)
            except Retryable as failure:
                rule = request.retry_rule
                may_repeat = rule is Retry.SAFE or (rule is Retry.UNSENT and failure.unsent)
                if not may_repeat and not failure.unsent and request.can_be_ambiguous:
                    raise build_ambiguous_write(failure.error, request.action) from None
                if not may_repeat:
                    raise failure.error from None
                self._wait_before_retry(failure, policy.compute_pause(failure))

    def _send_within_budget(self, request: Request, auth: Any, deadline: Deadline) -> Response:
        """Wait until the budget allows the request, then count and send the request."""
        self.before_request()
        self._wait_for_budget(request.route)
        with self._lock:
            self.usage.requests += 1
            self.usage.writes += request.is_write
        return self._send_once(request, auth, deadline)

    def _send_once(self, request: Request, auth: Any, deadline: Deadline) -> Response:
        """Send one HTTP request, without retries, and return the response.

        :param auth: the authentication object for `requests`; ``None`` for a request without authentication.
        :raises Retryable: when the request fails and a retry may succeed.
        :raises ParticleError: when the request fails and a retry cannot succeed.
        """
        connection, route, action = self.connection, request.route, request.action
        status: int | None = None
        try:
            with deadline.run_attempt(), self._open_response(request, auth) as response:
                status = response.status_code
                is_skipped = request.head_only and status < 300
                max_bytes = MAX_ANSWER_BYTES if status < 300 else MAX_REFUSAL_BYTES
                body = b"" if is_skipped else read_body(response, max_bytes)
        except BoundExceeded as error:
            raise build_oversized_response(error, request, status) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise build_network_error(error, connection, route, action, has_sent=deadline.has_sent) from None
        except OSError as error:  # `requests` raises it before it sends the request
            raise build_setup_error(error, connection, route, action) from None
        if "Date" in response.headers:
            self.last_date = (response.headers["Date"], self.now())
        if request.observe is not None:
            request.observe(status, response.headers, body)
        redact = self._choose_redactor(request)
        if status == PROXY_LOGIN_REQUIRED:
            raise build_proxy_login_error(connection, route, action)
        if status >= 300:
            waits = response.raw.headers.getlist("Retry-After")
            raise build_refused_request(status, body, request, redact, parse_retry_after(waits, self.now()))
        if request.binary or request.head_only:
            return Response(status, body)
        return parse_response(status, body, request, redact)

    def _choose_redactor(self, request: Request) -> Callable[[str], str]:
        """Return the function that masks secrets in the text of an error response to a request."""
        if request.private:
            return withhold_text
        if not request.masked:
            return self.redact
        own = Redactor()
        own.add_secrets(text for text in request.masked if len(text) >= MIN_MASKED_LENGTH)
        own.add_secrets(self.redact.secrets)
        return own

    def _open_response(self, request: Request, auth: Any) -> requests.Response:
        """Send one HTTP request, and return the response, whose body has not been read yet."""
        connection = self.connection
        multipart = None if request.file is None else MultipartBody(request.form or {}, request.file)
        headers = {"Accept": "*/*"} if request.binary else {}
        if multipart is not None:
            headers["Content-Type"] = multipart.content_type
        headers.update(request.headers)
        return self._session.request(
            request.method,
            connection.api_url + request.path,
            params=request.query,
            json=request.json,
            data=multipart or request.body or request.form,
            headers=headers,
            auth=auth,
            timeout=connection.timeout,
            # The environment cannot override ``verify``, because ``trust_env`` is off.
            verify=(connection.ca_path or True) if connection.validate_certs else False,
            allow_redirects=False,  # a redirect could send the token to another host
            stream=True,
        )

    def _wait_for_budget(self, route: str) -> None:
        """Wait until the budget allows a request to ``route``. The budget then counts the request."""
        delay, waited = self.budget.take_place(route), 0.0
        if delay == 0:
            return
        with self._budget_wait:
            while delay > 0:
                waited += self._sleep(delay)
                delay = self.budget.take_place(route, waited)

    def _renew_token(self, refused_token: str | None) -> bool:
        """Renew an access token that the cloud no longer accepts, unless another thread has already renewed the token.

        :returns: whether a new token is in use.
        """
        if self.renew is None or refused_token is None:
            return False
        with self._renewing:
            if self._token == refused_token:
                self.use_token(self.renew(refused_token))
        return True

    def _wait_before_retry(self, failure: Retryable, wait: float) -> None:
        """Wait for ``wait`` seconds before a retry, and count the retry.

        The wait counts as throttling if the cloud asked for the wait or refused too many requests.
        """
        with self._lock:
            self.usage.retries += 1
        with self._throttled if failure.rate_limited or failure.wait is not None else contextlib.nullcontext():
            while wait > 0:
                wait -= self._sleep(wait)

    def _sleep(self, wait: float) -> float:
        """Sleep for at most ``wait`` seconds, and return the seconds slept."""
        # A long wait is split into short sleeps, because before_request may end the work between two sleeps.
        self.before_request()
        nap = min(wait, _MAX_SLEEP_SECONDS)
        self.sleep(nap)
        return nap


def _build_basic_auth(username: str, password: str) -> Any:
    """Return the object with which `requests` sends HTTP Basic authentication."""
    # Pass bytes, because `requests` encodes a string as Latin-1 and fails for other characters.
    return requests.auth.HTTPBasicAuth(username.encode(), password.encode())


class _Bearer:
    """An authentication object for `requests`, which sends a Bearer token in the Authorization header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
