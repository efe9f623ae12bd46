# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection and credential options: one adapter for everything that talks to a cloud. Private to this collection.

Sources of credentials are compared whole: what the task says beats the environment, and nothing is completed from
another source. Inside one source an access token beats username and password. Other options fall back one by one.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Connection

DEFAULT_API_URL = "https://api.particle.io"

TOKEN = ("access_token",)
ACCOUNT = ("username", "password", "client_id", "client_secret")
CREDENTIALS = (*TOKEN, *ACCOUNT)
SECRETS = ("access_token", "password", "client_secret")

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
        "client_id": {"type": "str"},
        "client_secret": {"type": "str", "no_log": True},
        "timeout": {"type": "float"},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
        "max_wait": {"type": "float"},
    }


@dataclass(frozen=True)
class Settings:
    """What the options say. ``warnings`` are for the user."""

    connection: Connection
    login: Login | None
    warnings: tuple[str, ...]

    def require_login(self) -> Login:
        """The way to a token. :raises ParticleError: when there is none, or when it cannot work."""
        if self.login is None:
            message = "Neither an access token nor username and password are given."
            hint = "Set access_token, or username and password, as options or as PARTICLE_… in the environment."
            raise ParticleError("invalid_credentials", message, hint=hint)
        raise_all(self.login.problems())
        return self.login


def raise_all(problems: list[ParticleError]) -> None:
    """Raise one error that names every problem; nothing when there is none."""
    if problems:
        first = problems[0]
        hints = dict.fromkeys(problem.hint for problem in problems)
        message = " ".join(problem.message for problem in problems)
        raise ParticleError(first.code, message, hint=" ".join(hints))


def settings_from(
    options: Mapping[str, Any], environment: Mapping[str, str], *, credentials: tuple[str, ...] = CREDENTIALS
) -> Settings:
    """Settle the shared options.

    :param options: from the task, with ``None`` for what is not given.
    :param credentials: the credential options to look at; fewer where a token makes no sense.
    :raises ParticleError: for an address that is none, or numbers that cannot be meant.
    """
    connection, warnings = _connection_from(options, environment)
    sources = {
        "the task's options": {name: options.get(name) for name in credentials},
        "the environment": {name: environment.get(f"PARTICLE_{name.upper()}") or None for name in credentials},
    }
    for source, values in sources.items():
        login = _login_from(values, source)
        if login is not None:
            return Settings(connection, login, warnings)
    return Settings(connection, None, warnings)


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
    return PasswordLogin(username, password, values.get("client_id"), values.get("client_secret"))


def _connection_from(options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Connection, tuple[str, ...]]:
    def value(name: str, default: Any) -> Any:
        given = options.get(name)
        if given is not None:
            return given
        return environment.get(f"PARTICLE_{name.upper()}") or default

    url = str(value("api_url", DEFAULT_API_URL)).strip().rstrip("/")
    parts = _address(url)
    if parts is None:
        raise ParticleError("not_a_cloud", "api_url is no http or https address of a cloud.")
    if "@" in parts.netloc:
        hint = "Give credentials by their own options: an address ends up in logs."
        raise ParticleError("not_a_cloud", "api_url holds a user name or a password.", hint=hint)
    validate_certs = _truth("validate_certs", value("validate_certs", True))
    warnings = []
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        warnings.append(f"{url} is not encrypted: everybody on the way can read credentials and token.")
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


def _address(url: str) -> urllib.parse.SplitResult | None:
    """The parts of an address to which a path can be added; ``None`` when it is none."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    odd = any(character in "?#\\" or character.isspace() or not character.isprintable() for character in url)
    return parts if parts.scheme in ("http", "https") and parts.hostname and not odd else None


def _seconds(name: str, value: Any) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        message = f"{name} is {value!r}: it must be a number of seconds above 0."
        raise ParticleError("conflict", message, hint=f"Correct {name}.")
    return seconds


def _truth(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise ParticleError("conflict", f"{name} is {value!r}: it must be true or false.", hint=f"Correct {name}.")
    return word in ("true", "yes", "on", "1")
