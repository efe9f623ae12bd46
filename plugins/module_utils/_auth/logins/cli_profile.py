# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the login that Particle's official command line tool has stored. Private to this collection."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

DEFAULT_PROFILE = "particle"
"""The name of the profile that the official command line tool uses by default."""

_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True)
class Profile:
    """A login that the official command line tool has stored.

    :param api_url: the URL of the cloud; ``None`` for the Particle cloud.
    """

    access_token: str = field(repr=False)
    username: str | None
    api_url: str | None


def read_profile(name: str, home: Path) -> Profile | None:
    """Return the login that is stored in ``.particle/<name>.config.json`` below the home folder.

    :param name: the name of the profile.
    :param home: the home folder of the user.
    :returns: ``None`` if the file does not exist or contains no access token.
    :raises ParticleError: ``invalid_option`` when ``name`` is not a valid name of a profile; ``unsafe_file`` when the
        file cannot be read or is not JSON.
    """
    if not _PROFILE_NAME.match(name):
        raise ParticleError("invalid_option", f"{name!r} is not a valid profile name.", hint="Correct profile.")
    path = home / ".particle" / f"{name}.config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        hint = "Log in again with the official command line tool, or give credentials in other options."
        raise ParticleError("unsafe_file", f"The profile in {path} cannot be read.", hint=hint) from None
    token = data.get("access_token") if isinstance(data, dict) else None
    if not isinstance(token, str) or not token:
        return None
    url, username = data.get("apiUrl"), data.get("username")
    return Profile(token, username if isinstance(username, str) else None, url if isinstance(url, str) else None)
