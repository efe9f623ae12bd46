# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the login that Particle's official command line tool has stored. Private to this collection.

The tool stores a login for each profile in ``.particle/<profile>.config.json`` below the home folder, and the name of
the active profile in ``.particle/profile.json``. A profile without an ``apiUrl`` belongs to the Particle cloud.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PRIVATE_FILE_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import read_regular_file

DEFAULT_PROFILE = "particle"
"""The name of the profile that the official command line tool uses if no other profile is active."""

_FOLDER = ".particle"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True)
class Profile:
    """A login that the official command line tool has stored.

    :param path: the file that contains the login.
    :param api_url: the URL of the cloud; ``None`` for the Particle cloud.
    """

    access_token: str = field(repr=False)
    username: str | None
    api_url: str | None
    path: Path


def read_active_name(home: Path) -> str:
    """Return the name of the active profile, which the official command line tool uses too.

    :param home: the home folder of the user.
    :raises ParticleError: ``unsafe_file`` when the file with the name cannot be read, or contains no valid name.
    """
    path = home / _FOLDER / "profile.json"
    name = _read_text(_read_object(path), "name", path) or DEFAULT_PROFILE
    if not _PROFILE_NAME.match(name):
        raise _build_file_error(path, f"name must be a valid profile name, got {name!r}")
    return name


def read_profile(name: str, home: Path) -> Profile | None:
    """Return the login that is stored in ``.particle/<name>.config.json`` below the home folder.

    :param name: the name of the profile.
    :param home: the home folder of the user.
    :returns: ``None`` if the file does not exist or contains no access token.
    :raises ParticleError: ``invalid_option`` when ``name`` is not a valid name of a profile; ``unsafe_file`` when the
        file cannot be read or is not valid.
    """
    if not _PROFILE_NAME.match(name):
        raise ParticleError("invalid_option", f"{name!r} is not a valid profile name.", hint="Correct profile.")
    path = home / _FOLDER / f"{name}.config.json"
    data = _read_object(path)
    token = _read_text(data, "access_token", path)
    # The token must not be sent to the Particle cloud because the URL of its own cloud is damaged.
    url = _read_text(data, "apiUrl", path)
    username = data.get("username")
    return Profile(token, username if isinstance(username, str) else None, url, path) if token else None


def list_profile_tokens(home: Path) -> list[str]:
    """Return the access tokens of all profiles. A profile that cannot be read is left out: the tool cannot use it.

    :param home: the home folder of the user.
    """
    tokens = []
    for path in sorted((home / _FOLDER).glob("*.config.json")):
        with contextlib.suppress(ParticleError):
            profile = read_profile(path.name.removesuffix(".config.json"), home)
            tokens += [] if profile is None else [profile.access_token]
    return tokens


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty dictionary if the file does not exist or contains ``null``.

    :raises ParticleError: ``unsafe_file`` when the file cannot be read, or is not a JSON object in UTF-8. The message
        contains nothing of the file, because the file contains a token.
    """
    try:
        data = json.loads(read_regular_file(path, MAX_PRIVATE_FILE_BYTES).decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _build_file_error(path, str(error.strerror)) from None
    except UnicodeDecodeError:
        raise _build_file_error(path, "it is not encoded in UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _build_file_error(path, f"it is not valid JSON ({error.msg} at {place})") from None
    except (ValueError, RecursionError):  # a number with thousands of digits, or thousands of nested lists
        raise _build_file_error(path, "it is not valid JSON") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _build_file_error(path, f"it must contain a JSON object, got {describe_type(data)}")
    return data


def _read_text(data: dict[str, Any], key: str, path: Path) -> str | None:
    """Return a string from a profile; ``None`` if it is missing, ``null`` or empty.

    :raises ParticleError: ``unsafe_file`` when the value is not a string.
    """
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise _build_file_error(path, f"{key} must be a string, got {describe_type(value)}")
    return value or None


def _build_file_error(path: Path, reason: str) -> ParticleError:
    hint = "Log in again with the official command line tool, or give credentials in other options."
    return ParticleError("unsafe_file", f"The profile in {path} cannot be read: {reason}.", hint=hint)
