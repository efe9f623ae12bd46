# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out why a login or an access token does not work, and explain the cause. Private to this collection.

An examination logs in at most once, because the cloud locks out an IP address after ten refused logins in a row
(errors-and-limits.md, section 3).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product, probe_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import get_current_token
from ansible_collections.meshfleet.particle.plugins.module_utils._api.user import get_user
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.account_tokens import list_tokens_of_account
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.grants import GrantAttempt
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client, Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_seconds_until,
    read_expiry,
    read_token_facts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.scopes import FLEET_SCOPES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http

OK, WARN, FAIL, SKIPPED = "ok", "warn", "fail", "skipped"

CHECKS = ("credentials", "host", "tls", "clock", "login", "token", "scopes", "listing")
"""The names of all checks, in the order in which the checks run. After a failed check, all later checks are skipped."""

_SKIPPED_MESSAGE = "Not checked, because a previous check failed."
_WARNING_SKEW = 30.0
_FAILURE_SKEW = 300.0
_PROBE_LIFETIME = "300"


@dataclass(frozen=True)
class Credentials:
    """The credentials to examine.

    :param login: the way to obtain an access token; ``None`` if no credentials are given.
    :param account: the username and password, if given. The user can give an access token in addition.
    :param client: the OAuth client, if given.
    :param product: id or slug of a product. A check tries to read this product and its devices. If ``product`` is
        ``None``, the check is skipped.
    :param lists_tokens: whether to check that the cloud lists the tokens of the account.
    """

    login: Login | None
    account: PasswordLogin | None = field(default=None, repr=False)
    client: Client | None = None
    product: str | None = None
    lists_tokens: bool = False


class _Finding(Exception):
    """An exception that a check raises to report the status ``warn`` or ``skipped``."""

    def __init__(self, status: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint


def examine_credentials(http: Http, credentials: Credentials, store: SessionStore) -> dict[str, Any]:
    """Run all checks and return the diagnosis.

    :returns: ``{changed, checks, code, diagnosis}``. ``checks`` is a list of ``{name, status, message, hint}``.
        ``code`` and ``diagnosis`` describe the failed check. If no check failed, ``code`` and ``diagnosis`` describe
        the first warning. ``code`` is ``None`` if there is no failure and no warning.
    """
    return _Examination(http, credentials, store).run_checks()


def report_invalid_options(error: ParticleError) -> dict[str, Any]:
    """Return the diagnosis for invalid options: the check ``credentials`` fails, and all later checks are skipped."""
    check = {"name": "credentials", "status": FAIL, "message": error.message, "hint": error.hint}
    skipped = [{"name": name, "status": SKIPPED, "message": _SKIPPED_MESSAGE, "hint": ""} for name in CHECKS[1:]]
    diagnosis = f"{error.message} {error.hint}"
    return {"changed": False, "checks": [check, *skipped], "code": error.code, "diagnosis": diagnosis}


class _Examination:
    def __init__(self, http: Http, credentials: Credentials, store: SessionStore) -> None:
        self._http = http
        self._credentials = credentials
        self._store = store
        self._checks: list[dict[str, str]] = []
        self._error: ParticleError | None = None
        self._warning: ParticleError | None = None
        self._obtained: str | None = None
        self._attempts: list[GrantAttempt] = []
        self._scopes: list[str] = []

    def run_checks(self) -> dict[str, Any]:
        steps: dict[str, Callable[[], str]] = {
            "credentials": self._check_credentials,
            "host": self._check_host,
            "tls": self._check_tls,
            "clock": self._check_clock,
            "login": self._check_login,
            "token": self._check_token,
            "scopes": self._check_scopes,
            "listing": self._check_listing,
        }
        try:
            for name in CHECKS:
                self._run_check(name, steps[name])
        finally:
            self._revoke_probe()
        found = self._error or self._warning
        return {
            "changed": False,
            "checks": self._checks,
            "code": found.code if found else None,
            "diagnosis": f"{found.message} {found.hint}" if found else "Everything is in order.",
        }

    def _run_check(self, name: str, step: Callable[[], str]) -> None:
        if self._error is not None:
            self._add_check(name, SKIPPED, _SKIPPED_MESSAGE)
            return
        try:
            self._add_check(name, OK, step())
        except _Finding as finding:
            self._add_check(name, finding.status, finding.message, finding.hint)
        except ParticleError as error:
            # The first request reports an untrusted certificate. That is a failure of check "tls", not of "host".
            if name == "host" and error.code == "tls_untrusted":
                self._add_check("host", OK, f"{self._host} answers.")
                name = "tls"
            self._error = error
            self._add_check(name, FAIL, error.message, error.hint)

    def _add_check(self, name: str, status: str, message: str, hint: str = "") -> None:
        if all(check["name"] != name for check in self._checks):
            self._checks.append({"name": name, "status": status, "message": message, "hint": hint})

    def _build_warning(self, error: ParticleError) -> _Finding:
        """Record ``error`` as a warning, and return the exception that the check must raise.

        If no check fails, the first recorded warning becomes the diagnosis.
        """
        self._warning = self._warning or error
        return _Finding(WARN, error.message, error.hint)

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self._http.connection.api_url).netloc

    # --- the checks: each check returns its success message or raises an exception ---

    def _check_credentials(self) -> str:
        login = self._credentials.login
        if login is None:
            raise _Finding(SKIPPED, "No credentials are given, so only the cloud is checked.")
        problems = login.find_problems()
        if problems:
            raise problems[0]
        self._refuse_secret_as_token()
        return "The credentials have the right form."

    def _refuse_secret_as_token(self) -> None:
        login, client = self._credentials.login, self._credentials.client
        if isinstance(login, ReadyToken) and client is not None and login.access_token == client.secret:
            raise ParticleError("not_a_token", "The value of access_token is the secret of the OAuth client.")

    def _check_host(self) -> str:
        """Send a request without an access token. Check that the host refuses the request as a Particle cloud does."""
        try:
            get_current_token(self._http)
        except ParticleError as error:
            if error.code not in ("token_invalid", "token_expired") and error.status not in (400, 401, 404):
                raise
            if error.code == "not_a_cloud":
                raise
        return f"{self._host} answers as a Particle cloud does."

    def _check_tls(self) -> str:
        connection = self._http.connection
        if not connection.cloud.startswith("https:"):
            raise _Finding(SKIPPED, "The connection is not encrypted.")
        if not connection.validate_certs:
            message = f"The certificate of {self._host} is not checked."
            hint = "Set validate_certs to true, and ca_path if the cloud has its own certificate authority."
            raise self._build_warning(ParticleError("tls_untrusted", message, hint=hint))
        return "The certificate is trusted."

    def _check_clock(self) -> str:
        skew = self._http.clock_skew
        if skew is None:
            raise _Finding(SKIPPED, "The cloud does not send its time.")
        ahead = -skew
        if abs(ahead) <= _WARNING_SKEW:
            return f"The clocks of this machine and the cloud differ by {format_count(round(abs(ahead)), 'second')}."
        direction = "ahead of" if ahead > 0 else "behind"
        error = ParticleError(
            "clock_skew", f"The clock of this machine is {abs(ahead):.0f} seconds {direction} the clock of the cloud."
        )
        if abs(ahead) > _FAILURE_SKEW:
            raise error
        raise self._build_warning(error)

    def _check_login(self) -> str:
        login = self._credentials.login
        if login is None or isinstance(login, ReadyToken):
            raise _Finding(SKIPPED, "An access token is given." if login else "No credentials are given.")
        self._log_in(login)
        return "The cloud accepts the credentials."

    def _log_in(self, login: Login) -> None:
        """Obtain a token for the checks. The token is revoked after the last check."""
        attempt = GrantAttempt(self._http, login, {"expires_in": _PROBE_LIFETIME}, self._store)
        self._attempts.append(attempt)
        grant = self._store.obtain_grant(identify_login(self._http.connection, login), attempt.request)
        attempt.hold(is_temporary=True)
        self._obtained = grant.access_token

    def _check_token(self) -> str:
        login = self._credentials.login
        token = login.access_token if isinstance(login, ReadyToken) else self._obtained
        if token is None:
            raise _Finding(SKIPPED, "No credentials are given.")
        self._http.use_token(token)
        try:
            facts = read_token_facts(self._http)
        except ParticleError as error:
            if error.code == "token_invalid":
                self._refuse_secret_of_client(token)
            raise
        if facts is None:
            return "The cloud accepts the token, but shows no details of it."
        self._scopes = list(map(str, facts["scopes"])) if isinstance(facts.get("scopes"), list) else []
        return f"{self._describe_owner()}; {_describe_expiry(facts, self._http.now())}."

    def _refuse_secret_of_client(self, token: str) -> None:
        """Check that the user did not give the secret of the OAuth client as the access token.

        :raises ParticleError: ``not_a_token`` when the cloud accepts ``token`` as the secret of the OAuth client.
        """
        client = self._credentials.client
        if client is None or self._obtained is not None:
            return
        probe = ClientCredentials(Client(client.id, token))
        try:
            self._log_in(probe)
        except ParticleError:
            return
        raise ParticleError("not_a_token", f"The value of access_token is the secret of OAuth client {client.id}.")

    def _describe_owner(self) -> str:
        try:
            return f"A token of {get_user(self._http).get('username', 'an unnamed account')}"
        except ParticleError as error:
            if error.code in ("missing_scope", "forbidden"):
                return "A token of an API user, or one with limited scope"
            if error.status in (400, 404):
                return "A token of an account that the cloud does not name"
            raise

    def _check_scopes(self) -> str:
        product = self._credentials.product
        if self._credentials.login is None or product is None:
            raise _Finding(
                SKIPPED, "To check whether the token can read the devices of a product, set the option product."
            )
        # The calls with which fleet, device_info, the inventory and all other tasks for a product begin.
        probe_product_devices(self._http, product)
        get_product(self._http, product)
        return f"The token can read product {product} and its devices.{self._describe_missing_scopes()}"

    def _describe_missing_scopes(self) -> str:
        """Return a sentence about the scopes that only some tasks need. It is empty if the token has no limits."""
        missing = [scope for scope in FLEET_SCOPES if scope not in self._scopes]
        if not self._scopes or not missing:
            return ""
        return f" Tasks that need one of these scopes will fail: {', '.join(missing)}."

    def _check_listing(self) -> str:
        if not self._credentials.lists_tokens:
            raise _Finding(SKIPPED, "Set the option list to true to check whether the cloud lists tokens.")
        rows = list_tokens_of_account(self._http, self._credentials.account, self._store)
        return f"The account has {format_count(len(rows), 'token')}."

    def _revoke_probe(self) -> None:
        try:
            for attempt in self._attempts:
                attempt.revoke()
        except ParticleError as error:
            hint = "It expires within five minutes if the cloud accepted the requested lifetime."
            message = f"The token that this check obtained could not be revoked. {error.message}"
            finding = self._build_warning(ParticleError(error.code, message, hint=hint))
            (check,) = [check for check in self._checks if check["name"] == "login"]
            check.update(status=finding.status, message=finding.message, hint=finding.hint)


def _describe_expiry(facts: dict[str, Any], now: float) -> str:
    left = compute_seconds_until(read_expiry(facts, now), now)
    if left is None:
        return "it does not expire" if "expires_at" in facts or "expires_in" in facts else "its expiry is unknown"
    if left < 2 * 3600:
        return f"it expires in {format_count(round(left / 60), 'minute')}"
    return f"it expires in {left / DAY:.0f} days" if left > 2 * DAY else f"it expires in {left / 3600:.1f} hours"
