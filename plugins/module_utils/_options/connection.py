# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options for the connection to a cloud. Private to this collection."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import DEFAULT_API_URL

_MAX_HOST_LENGTH = 253
_MAX_LABEL_LENGTH = 63
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def get_variable_name(name: str) -> str:
    """Return the name of the environment variable for an option."""
    return f"PARTICLE_{name.upper()}"


def read_option(options: Mapping[str, Any], environment: Mapping[str, str], name: str) -> Any:
    """Return the value of an option from the task, else from the environment variable of the option, else ``None``."""
    given = options.get(name)
    return given if given is not None else environment.get(get_variable_name(name)) or None


def read_connection(options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Connection, tuple[str, ...]]:
    """Return the settings of the connection that the options describe, and warnings for the user.

    :raises ParticleError: ``not_a_cloud`` when ``api_url`` is not a valid URL or contains a username or a password;
        ``invalid_option`` when another option is not valid.
    """

    def read_value(name: str, default: Any) -> Any:
        given = read_option(options, environment, name)
        return default if given is None else given

    url = str(read_value("api_url", DEFAULT_API_URL)).strip().rstrip("/")
    parts = check_api_url(url)
    validate_certs = _to_boolean("validate_certs", read_value("validate_certs", True))
    warnings = []
    warnings += build_encryption_warnings(url)
    if parts.scheme == "https" and not validate_certs:
        warnings.append(f"The certificate of {parts.netloc} is not checked: any server can pretend to be this cloud.")
    connection = Connection(
        api_url=url,
        timeout=_to_seconds("timeout", read_value("timeout", 30)),
        validate_certs=validate_certs,
        ca_path=os.path.expanduser(check_path("ca_path", ca_path))
        if (ca_path := read_value("ca_path", None))
        else None,
        max_wait=_to_seconds("max_wait", read_value("max_wait", 300)),
    )
    return connection, tuple(warnings)


def check_api_url(url: str) -> urllib.parse.SplitResult:
    """Return the parts of the URL of a cloud.

    :raises ParticleError: ``not_a_cloud`` when ``url`` is not a valid URL or contains a username or a password;
        ``invalid_option`` when no host can have the name in ``url``.
    """
    parts = _split_address(url.strip())
    if parts is None:
        raise ParticleError("not_a_cloud", "api_url is not a valid http or https URL.")
    if mistake := _find_host_mistake(parts.hostname or ""):
        raise ParticleError("invalid_option", f"The host in api_url {mistake}.", hint="Correct api_url.")
    if "@" in parts.netloc:
        hint = "Give credentials in their own options, because URLs are written to logs."
        raise ParticleError("not_a_cloud", "api_url contains a username or a password.", hint=hint)
    return parts


def build_encryption_warnings(*urls: str) -> list[str]:
    """Return a warning for each http URL in ``urls``, because connections to http URLs are not encrypted.

    URLs whose host is this machine and paths without a host cause no warning.
    """
    warnings = []
    for parts in map(urllib.parse.urlsplit, urls):
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            url = f"{parts.scheme}://{parts.netloc}{parts.path}"
            warnings.append(f"The connection to {url} is not encrypted: others can read credentials and tokens.")
    return warnings


def _split_address(url: str) -> urllib.parse.SplitResult | None:
    """Return the parts of an http or https URL, or ``None`` if ``url`` is not valid.

    A URL with ``?`` or ``#`` is not valid, because no path can be appended to the URL.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        _unused = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return None
    is_invalid = any(character in "?#\\" or character.isspace() or not character.isprintable() for character in url)
    return parts if parts.scheme in ("http", "https") and parts.hostname and not is_invalid else None


def _find_host_mistake(host: str) -> str | None:
    """Return the reason why no host can have this name, in words that follow it; ``None`` for a possible name.

    Only lengths are checked: the system that looks up the name fails in many ways if the name is too long.
    """
    try:
        labels = [label if label.isascii() else label.encode("idna").decode() for label in host.split(".")]
    except UnicodeError:
        return "is not a valid host name"
    length, longest = sum(map(len, labels)) + len(labels) - 1, max(map(len, labels))
    if length > _MAX_HOST_LENGTH:
        return f"has {length} characters, and a host name has at most {_MAX_HOST_LENGTH}"
    if longest > _MAX_LABEL_LENGTH:
        return f"has {longest} characters between two dots, and a host name has at most {_MAX_LABEL_LENGTH}"
    return None


def check_path(name: str, value: Any) -> str:
    """Return the value of an option that is a path.

    :raises ParticleError: ``invalid_option`` when no path can have this value.
    """
    text = str(value)
    if "\0" in text:
        raise build_option_error(name, text, "a path without the character 0x00")
    return text


def _to_seconds(name: str, value: Any) -> float:
    """Convert the value of an option to a number of seconds.

    :raises ParticleError: ``invalid_option`` when the value is not a positive number.
    """
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise build_option_error(name, value, "a number of seconds above 0")
    return seconds


def _to_boolean(name: str, value: Any) -> bool:
    """Convert the value of an option to a boolean.

    :raises ParticleError: ``invalid_option`` when the value is not a word for true or false, such as ``yes`` or ``0``.
    """
    word = str(value).lower()
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise build_option_error(name, value, "true or false")
    return word in ("true", "yes", "on", "1")


def build_option_error(name: str, value: Any, what: str) -> ParticleError:
    """Return the error for an option with an invalid value.

    :param what: a description of the valid values, which follows "must be" in the message.
    """
    return ParticleError("invalid_option", f"{name} must be {what}, got {value!r}.", hint=f"Correct {name}.")
