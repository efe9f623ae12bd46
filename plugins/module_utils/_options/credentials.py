# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection and credential options: one adapter for everything that talks to a cloud. Private to this collection.

Sources of credentials are compared whole: the task's options beat the environment, that beats ``token_file``, and
that the official tool's profile; nothing is completed from another source. Inside one source an access token beats
username and password. A username alone beside ``token_file`` chooses among the kept tokens. Other options fall back one
by one.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cli_profile import (
    CUSTOMARY_PROFILE,
    Profile,
    read_profile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.login import CUSTOMARY_CLIENT, Client, Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_store import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DOCUMENTED,
    EVERY_ROUTE,
    SHARE,
    Limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Connection

DEFAULT_API_URL = "https://api.particle.io"

ACCOUNT = ("username", "password", "otp", "otp_secret", "client_id", "client_secret")
CREDENTIALS = ("access_token", "token_file", *ACCOUNT, "profile")
SECRETS = ("access_token", "password", "otp", "otp_secret", "client_secret", "budget_store")

_NAMES = ("username", "token_file", "profile")

TASK, ENVIRONMENT, NOWHERE = "the task's options", "the environment", "nowhere"
"""Where credentials may come from, in words; besides the path of a file."""

MOST_REQUESTS = 1_000_000
"""In five minutes; whoever is allowed more than this is as good as not limited."""

_BESIDE_ACCOUNT = ("client_id", "client_secret", "otp", "otp_secret")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def shared_argument_spec() -> dict[str, dict[str, Any]]:
    """The options that every module has; documented by the fragment ``meshfleet.particle.connection``.

    No defaults and no ``fallback``: the environment is read by :func:`settings_from`, source by source. A default
    for ``client_secret`` would besides make Ansible mask the word "particle" in every output.
    """
    return {
        "api_url": {"type": "str"},
        "access_token": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "otp": {"type": "str", "no_log": True},
        "otp_secret": {"type": "str", "no_log": True},
        "client_id": {"type": "str"},
        "client_secret": {"type": "str", "no_log": True},
        "token_file": {"type": "path", "no_log": False},
        "profile": {"type": "str"},
        "timeout": {"type": "float"},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
        "max_wait": {"type": "float"},
        "budget_store": {"type": "str", "no_log": True},
    }


@dataclass(frozen=True)
class Settings:
    """What the options say.

    :param source: where the credentials come from, in words.
    :param token_file: where tokens are kept, if anywhere.
    :param warnings: for the user.
    :param problems: why no login may be made with what is given.
    """

    connection: Connection
    login: Login | None
    source: str
    token_file: Path | None
    warnings: tuple[str, ...]
    problems: tuple[ParticleError, ...] = ()

    def require_login(self) -> Login:
        """The way to a token. :raises ParticleError: when there is none, or when it cannot work."""
        raise_all(self.problems)
        if self.login is None:
            message = "Neither an access token nor username and password are given."
            hint = "Set access_token, or username and password, as options or as PARTICLE_… in the environment."
            raise ParticleError("invalid_credentials", message, hint=hint)
        raise_all(self.login.problems())
        return self.login


def raise_all(problems: Iterable[ParticleError]) -> None:
    """Raise one error that names every problem; nothing when there is none."""
    problems = list(problems)
    if problems:
        first = problems[0]
        hints = dict.fromkeys(problem.hint for problem in problems)
        message = " ".join(problem.message for problem in problems)
        raise ParticleError(first.code, message, hint=" ".join(hints))


def settings_from(
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    credentials: tuple[str, ...] = CREDENTIALS,
    now: float,
) -> Settings:
    """Settle the shared options.

    :param options: from the task, with ``None`` for what is not given.
    :param credentials: the credential options to look at.
    :param now: seconds since 1970.
    :raises ParticleError: for an address that is none, or numbers that cannot be meant.
    """
    connection, warnings = _connection_from(options, environment)
    token_file = _path(_value(options, environment, "token_file"), environment)
    chooses, chosen = token_file is not None and "token_file" in credentials, None
    for source, values in _sources(options, environment, credentials).items():
        if chooses and _is_choice(values):
            chosen = values["username"]
            break
        login = _login_from(values, source)
        if login is not None:
            problems = _strays(options, login) if source == ENVIRONMENT else ()
            return Settings(connection, login, source, token_file, warnings, problems)
    if chooses and token_file is not None:
        token = TokenStore(token_file).usable(connection.api_url, chosen, now)
        if token is not None:
            return Settings(connection, ReadyToken(token), str(token_file), token_file, warnings)
    if chosen is not None:
        message = f"No password is given, and {token_file} keeps no living token of {chosen} for this cloud."
        hint = "Obtain one by meshfleet.particle.access_token, or give the password beside the username."
        missing = ParticleError("malformed_password", message, hint=hint)
        return Settings(connection, None, NOWHERE, token_file, warnings, (missing,))
    if "profile" in credentials:
        profile = _profile(options, environment, connection)
        if profile is not None:
            if _value(options, environment, "api_url") is None:
                own = {**options, "api_url": profile.api_url or DEFAULT_API_URL}
                connection, warnings = _connection_from(own, environment)
            source = "the login of the official command line tool"
            return Settings(connection, ReadyToken(profile.access_token), source, token_file, warnings)
    return Settings(connection, None, NOWHERE, token_file, warnings)


def cloud_meant(options: Mapping[str, Any], environment: Mapping[str, str], *, now: float) -> str:
    """The address of the cloud that would be asked; known also where nothing is left to log in with.

    :raises ParticleError: for an address that is none, or numbers that cannot be meant.
    """
    try:
        return settings_from(options, environment, now=now).connection.api_url
    except ParticleError:
        return _connection_from(options, environment)[0].api_url


def named_by(environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says of whose the fleet is: of the options that are no secrets, those that it gives."""
    return {name: environment[_variable(name)] for name in _NAMES if environment.get(_variable(name))}


def account_given(options: Mapping[str, Any], environment: Mapping[str, str]) -> PasswordLogin | None:
    """Username and password of the task, else of the environment, also beside a token; ``None`` without both.

    :raises ParticleError: for half a pair, and for half a client.
    """
    kept = _value(options, environment, "token_file")
    for source, values in _sources(options, environment, ACCOUNT).items():
        if kept and _is_choice(values):
            return None
        login = _login_from(values, source)
        if isinstance(login, PasswordLogin):
            return login
    return None


def budget_from(
    options: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Mapping[str, Limit], float, str | None]:
    """What the cloud allows, the part of it that may be used, and the URL of the Redis where it is kept, if any.

    :raises ParticleError: for what cannot be meant, all of it at once.
    """
    problems = []
    share, requests = _value(options, environment, "budget_share"), _value(options, environment, "budget_requests")
    try:
        part = SHARE if share is None else float(share)
    except ValueError:
        part = 0.0
    if not 0 < part <= 1:
        problems.append(_mistaken("budget_share", share, "a number above 0, and at most 1"))
    try:
        most = DOCUMENTED[EVERY_ROUTE].requests if requests is None else int(requests)
    except ValueError:
        most = -1
    if not 0 <= most <= MOST_REQUESTS:
        what = f"a whole number of requests in five minutes, at most {MOST_REQUESTS}, or 0 for no limit"
        problems.append(_mistaken("budget_requests", requests, what))
    store = _value(options, environment, "budget_store")
    if store is not None and not _is_store(str(store)):
        # Not shown: it may hold a password.
        message = "budget_store is no address of a Redis, such as redis://host:6379/0 or unix:///run/redis/redis.sock."
        problems.append(ParticleError("conflict", message, hint="Correct budget_store."))
    raise_all(problems)
    limits = {**DOCUMENTED, EVERY_ROUTE: Limit(most, DOCUMENTED[EVERY_ROUTE].seconds)} if most else {}
    return limits, part, store


def source_of(options: Mapping[str, Any], environment: Mapping[str, str], names: Iterable[str]) -> str:
    """Where the first of the sources is that gives any of the options ``names``."""
    for source, values in _sources(options, environment, names).items():
        if any(value is not None for value in values.values()):
            return source
    return NOWHERE


def secrets_in(options: Mapping[str, Any], names: Iterable[str] = SECRETS) -> list[str]:
    """What must not be shown of the options ``names``. The secret of the customary client is none: it is a word."""
    found = [(name, str(options[name])) for name in names if options.get(name)]
    secrets = [value for name, value in found if (name, value) != ("client_secret", CUSTOMARY_CLIENT.secret)]
    return secrets + [part for name, value in found if name == "budget_store" for part in secrets_of_store(value)]


def secrets_of_store(url: str) -> list[str]:
    """The password in the URL of a Redis, as it is written there and as it is meant."""
    try:
        password = urllib.parse.urlsplit(url).password or ""
    except ValueError:  # no address at all, and refused as such
        return []
    return [part for part in dict.fromkeys((password, urllib.parse.unquote(password))) if part]


def _sources(
    options: Mapping[str, Any], environment: Mapping[str, str], names: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The options ``names`` as each source gives them, the one that counts most first."""
    names = list(names)
    return {
        TASK: {name: options.get(name) for name in names},
        ENVIRONMENT: {name: environment.get(_variable(name)) or None for name in names},
    }


def _is_choice(values: Mapping[str, Any]) -> bool:
    """Whether a source names an account and nothing to log in with."""
    given = values.get("username") is not None
    return given and values.get("password") is None and values.get("access_token") is None


def _strays(options: Mapping[str, Any], login: Login) -> tuple[ParticleError, ...]:
    """What the task gives for a login, when the account comes from the environment."""
    stray = [name for name in _BESIDE_ACCOUNT if options.get(name) is not None]
    if isinstance(login, ReadyToken) or not stray:
        return ()
    message = f"{' and '.join(stray)} come from {TASK}, but username and password from {ENVIRONMENT}."
    hint = "Give all of them in one place: sources are not mixed, so that no login is made by accident."
    return (ParticleError("malformed_username", message, hint=hint),)


def _variable(name: str) -> str:
    return f"PARTICLE_{name.upper()}"


def _value(options: Mapping[str, Any], environment: Mapping[str, str], name: str) -> Any:
    """One option by itself: from the task, else from the environment."""
    given = options.get(name)
    return given if given is not None else environment.get(_variable(name)) or None


def _path(value: Any, environment: Mapping[str, str]) -> Path | None:
    if not value:
        return None
    text = str(value)
    try:
        return Path(environment.get("HOME", "~") + text[1:] if text.startswith("~/") else text).expanduser()
    except RuntimeError:
        message = f"{text} cannot be found: the system knows no such home."
        raise ParticleError("conflict", message, hint="Set HOME, or name the whole path.") from None


def _profile(options: Mapping[str, Any], environment: Mapping[str, str], connection: Connection) -> Profile | None:
    """The tool's login, when it is one for this cloud; where no cloud is named, the profile's own is meant."""
    chosen = _value(options, environment, "profile")
    try:
        home = _path("~/", environment) or Path()
    except ParticleError:
        if chosen:
            raise
        return None
    profile = read_profile(str(chosen or CUSTOMARY_PROFILE), home)
    if profile is None:
        if chosen:
            message = f"The profile {chosen} holds no login of the official command line tool."
            raise ParticleError("invalid_credentials", message, hint="Log in with the tool, or correct profile.")
        return None
    own = (profile.api_url or DEFAULT_API_URL).rstrip("/")
    # A token must never travel to a cloud that it was not made for.
    return profile if _value(options, environment, "api_url") is None or own == connection.api_url else None


def _login_from(values: Mapping[str, str | None], source: str) -> Login | None:
    if values.get("access_token") is not None:
        return ReadyToken(str(values["access_token"]))
    username, password = values.get("username"), values.get("password")
    if username is None and password is None:
        return None
    if username is None or password is None:
        missing = "password" if password is None else "username"
        raise ParticleError(
            f"malformed_{missing}",
            f"Only one of username and password comes from {source}.",
            hint=f"Give {missing} there too: sources are not mixed, so that no login is made by accident.",
        )
    return PasswordLogin(username, password, client_from(values), values.get("otp"), values.get("otp_secret"))


def client_given(options: Mapping[str, Any], environment: Mapping[str, str]) -> Client | None:
    """The OAuth client of the task, else of the environment, if any. :raises ParticleError: for half a client."""
    for values in _sources(options, environment, ("client_id", "client_secret")).values():
        if any(value is not None for value in values.values()):
            return client_from(values)
    return None


def client_from(values: Mapping[str, str | None]) -> Client:
    """The OAuth client, which is the customary one where none is given. :raises ParticleError: for half a client."""
    name, secret = values.get("client_id"), values.get("client_secret")
    if name is None and secret is None:
        return CUSTOMARY_CLIENT
    if name is None or secret is None:
        message = "client_id and client_secret belong together, and only one of them is given."
        raise ParticleError("invalid_client_secret", message)
    return Client(name, secret)


def _connection_from(options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Connection, tuple[str, ...]]:
    def value(name: str, default: Any) -> Any:
        given = _value(options, environment, name)
        return default if given is None else given

    url = str(value("api_url", DEFAULT_API_URL)).strip().rstrip("/")
    parts = _address(url)
    if parts is None:
        raise ParticleError("not_a_cloud", "api_url is no http or https address of a cloud.")
    if "@" in parts.netloc:
        hint = "Give credentials by their own options: an address ends up in logs."
        raise ParticleError("not_a_cloud", "api_url holds a user name or a password.", hint=hint)
    validate_certs = _truth("validate_certs", value("validate_certs", True))
    warnings = []
    warnings += unencrypted(url)
    if parts.scheme == "https" and not validate_certs:
        warnings.append(f"The certificate of {parts.netloc} is not checked: anybody may pose as this cloud.")
    connection = Connection(
        api_url=url,
        timeout=_seconds("timeout", value("timeout", 30)),
        validate_certs=validate_certs,
        ca_path=os.path.expanduser(ca_path) if (ca_path := value("ca_path", None)) else None,
        max_wait=_seconds("max_wait", value("max_wait", 300)),
    )
    return connection, tuple(warnings)


def unencrypted(*urls: str) -> list[str]:
    """Warnings about those of ``urls`` that lead over a network without encryption. What is but a path is none."""
    warnings = []
    for parts in map(urllib.parse.urlsplit, urls):
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            url = f"{parts.scheme}://{parts.netloc}{parts.path}"
            warnings.append(f"{url} is not encrypted: everybody on the way can read credentials and token.")
    return warnings


def _address(url: str) -> urllib.parse.SplitResult | None:
    """The parts of an address to which a path can be added; ``None`` when it is none."""
    try:
        parts = urllib.parse.urlsplit(url)
        _unused = parts.port  # raises for a port that is none
    except ValueError:
        return None
    odd = any(character in "?#\\" or character.isspace() or not character.isprintable() for character in url)
    return parts if parts.scheme in ("http", "https") and parts.hostname and not odd else None


def _is_store(url: str) -> bool:
    """Whether this is the address of a Redis."""
    try:
        parts = urllib.parse.urlsplit(url)
        _unused = parts.port  # raises for a port that is none
    except ValueError:
        return False
    if parts.scheme == "unix":
        return parts.path.startswith("/")
    number = parts.path.strip("/")
    return parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (not number or number.isdecimal())


def _seconds(name: str, value: Any) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise _mistaken(name, value, "a number of seconds above 0")
    return seconds


def _truth(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise _mistaken(name, value, "true or false")
    return word in ("true", "yes", "on", "1")


def _mistaken(name: str, value: Any, what: str) -> ParticleError:
    return ParticleError("conflict", f"{name} is {value!r}: it must be {what}.", hint=f"Correct {name}.")
