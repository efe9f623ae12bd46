# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login that the official command line tool left behind. Private to this collection."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

CUSTOMARY_PROFILE = "particle"
"""The tool's own name for the profile that it uses when none is chosen."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True)
class Profile:
    """A login of the tool. ``api_url`` is ``None`` for the Particle cloud itself."""

    access_token: str = field(repr=False)
    username: str | None
    api_url: str | None


def read_profile(name: str, home: Path) -> Profile | None:
    """The login in ``~/.particle/<name>.config.json``; ``None`` when the tool is logged out or was never here.

    :raises ParticleError: for a name that cannot be one, or a file that cannot be read.
    """
    if not _NAME.match(name):
        raise ParticleError("invalid_option", f"{name!r} is not a valid profile name.", hint="Correct profile.")
    path = home / ".particle" / f"{name}.config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        hint = "Log in with the tool again, or give credentials by other options."
        raise ParticleError("unsafe_file", f"The profile in {path} cannot be read.", hint=hint) from None
    token = data.get("access_token") if isinstance(data, dict) else None
    if not isinstance(token, str) or not token:
        return None
    url, username = data.get("apiUrl"), data.get("username")
    return Profile(token, username if isinstance(username, str) else None, url if isinstance(url, str) else None)
