# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Helpers for the tests of logins and tokens: an account, its tokens, a cloud that grants them, child processes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from support.paths import COLLECTIONS, TESTS
from support.scripted import ScriptedCloud

USERNAME, PASSWORD = "demo@example.com", "demo-password"
LOGIN = PasswordLogin(USERNAME, PASSWORD)
GRANT = "/oauth/token"
CURRENT = "/v1/access_tokens/current"
DEVICES = "/v1/devices"
DAY = 86400.0

INVALID = {"error": "invalid_token", "error_description": "The access token provided is invalid."}
EXPIRED = {"error": "invalid_token", "error_description": "The access token provided has expired."}
REFUSED = {"error": "invalid_grant", "error_description": "User credentials are invalid"}

CHILD_SECONDS = 60.0


def token(number: int) -> str:
    """Return a value that looks like an access token, and differs for each number."""
    return f"{number:x}f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"[:40]


def script_grants(cloud: ScriptedCloud, *tokens: str, expires_in: int | None = 3600) -> ScriptedCloud:
    """Script the cloud to grant `tokens` in sequence, and return it."""
    life = {} if expires_in is None else {"expires_in": expires_in}
    for one in tokens:
        cloud.answer("POST", GRANT, json={"access_token": one, "token_type": "bearer", **life})
    return cloud


def list_requests(cloud: ScriptedCloud) -> list[str]:
    """Return the method and path of each request to a scripted cloud, in order."""
    return [f"{request.method} {request.path}" for request in cloud.requests]


def list_bearers(cloud: ScriptedCloud) -> list[str]:
    """Return the bearer token of each request that carried one, in order."""
    headers = [request.headers.get("Authorization", "") for request in cloud.requests]
    return [header.removeprefix("Bearer ") for header in headers if header.startswith("Bearer ")]


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def write_private(path: Path, content: Any) -> Path:
    """Write JSON to a file that only this user can read, and return its path."""
    path.touch(0o600)
    path.write_text(json.dumps(content))
    return path


def child_environment() -> dict[str, str]:
    """Return the environment of this process without proxies, with the paths of the collection and the tests."""
    return {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "PYTHONPATH": os.pathsep.join(map(str, (COLLECTIONS, TESTS, TESTS / "unit"))),
    }


def run_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new Python process, with `arguments` in `sys.argv`."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
