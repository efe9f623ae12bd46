# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens were obtained in check mode, so that check mode may end them for real. Private to this collection.

A grant is no write to the fleet, and a dry run cannot look at a fleet without one; but nobody else will ever end
it. Each is remembered as an empty file, named by the token's SHA-256, in a folder of the user's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError

_OLDEST = 90 * 86400  # the longest that a cloud keeps a token when it ignores the wished life


def folder(environment: Mapping[str, str]) -> Path:
    """The runtime folder where the system has one, else the cache folder."""
    base = environment.get("XDG_RUNTIME_DIR") or environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "meshfleet.particle" / "check_mode"


def prepare(place: Path) -> None:
    """Make the folder and forget notes long outdated. Call before a grant, so that none is made in vain.

    :raises ParticleError: ``conflict`` when nothing can be written there.
    """
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in place.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > _OLDEST:
                    old.unlink()
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError("it cannot be written to")
    except OSError as error:
        message = f"Check mode must remember its token to end it later, and cannot in {place}: {error}."
        hint = "Name a folder of your own by XDG_CACHE_HOME, or give a ready access token."
        raise ParticleError("conflict", message, hint=hint) from None


def remember(place: Path, token: str) -> None:
    """Note that ``token`` was obtained in check mode."""
    os.close(os.open(place / _name(token), os.O_CREAT | os.O_WRONLY, 0o600))


def knows(place: Path, token: str) -> bool:
    """Whether ``token`` was obtained in check mode."""
    return (place / _name(token)).exists()


def forget(place: Path, token: str) -> None:
    """Drop the note; nothing happens when there is none."""
    (place / _name(token)).unlink(missing_ok=True)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
