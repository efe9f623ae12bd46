# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Define the jobs of `soak.py`, which imports this file after it has replaced the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from soak import PASSWORD, PRODUCT, TIMEOUT_SECONDS, USERNAME, build_manifest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import gather_facts, select_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.inventory_names import (
    GROUP_KEYS,
    build_host_groups,
    build_host_names,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters, read_sources
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, Work, carry_out_work
from support.declared import expect_state, normalize_state

LOGIN = PasswordLogin(USERNAME, PASSWORD)
TOKEN_SECONDS = 2 * 86400
FILTERS = Filters()


class Jobs:
    """The jobs of a controller, and the counts of their runs."""

    def __init__(self, url: str, folder: Path, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._environment = {
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "XDG_CACHE_HOME": str(folder / "runtime"),
            "HOME": str(folder),
        }
        (folder / "runtime").mkdir(exist_ok=True)
        self._token_file = folder / "tokens.json"
        self._ids = sorted(device["id"] for device in self._state()["devices"])
        self._reset_counts()

    def _reset_counts(self) -> None:
        self._done: Counter[str] = Counter()
        self._failed: list[str] = []
        self._retries = 0

    def take_counts(self) -> dict[str, Any]:
        """Return the counts since the last call, and reset them."""
        counts = {"done": dict(self._done), "failed": self._failed, "retries": self._retries}
        self._reset_counts()
        return counts

    def rotate_token(self) -> None:
        """Replace the token in the file and revoke the old one."""

        def work(task: Task) -> dict[str, Any]:
            tokens = self._tokens(task, TokenStore(self._token_file))
            label = Label(self._url, *LOGIN.display_names, "soak")
            return tokens.rotate(LOGIN, label, {"expires_in": str(TOKEN_SECONDS)}, check_mode=False)

        self._run_job("rotate", work)

    def build_inventory(self) -> None:
        """Build host names and groups for all devices, with the token in the file."""

        def work(task: Task) -> dict[str, Any]:
            with task.open_session() as http:
                gathered = gather_facts(http, read_sources({"products": [PRODUCT]}), FILTERS.build_queries())
            devices = select_devices(gathered, FILTERS, self._clock())
            groups = build_host_groups(devices, GROUP_KEYS)
            names = build_host_names(devices, ["name", "id"], dict.fromkeys(groups))
            return {"failed": len(set(names.values())) != len(self._ids) or not groups}

        self._run_job("inventory", work, token_file=str(self._token_file))

    def list_devices(self) -> None:
        """List the devices in three tasks, which share one login."""

        def work(task: Task) -> dict[str, Any]:
            with task.open_session() as http:
                return {"devices": http.send(Request("GET /v1/devices", "list the devices")).data}

        for _unused in range(3):
            self._run_job("look", work, username=USERNAME, password=PASSWORD)

    def provision(self, day: int) -> None:
        """Create a token, reconcile the fleet of the day three times and revoke the token, as the role does.

        The second run deletes the instructions of devices that have left their network.
        """
        data = build_manifest(self._ids, day)
        declared = expect_state(normalize_state(self._state()), data)

        def work(task: Task) -> dict[str, Any]:
            tokens = self._tokens(task, None)
            label = Label(self._url, *LOGIN.display_names, "")
            options = {"expires_in": "3600"}
            token = tokens.ensure_present(LOGIN, label, options, None, check_mode=False)["access_token"]
            try:
                tokens.http.use_token(token)
                runs = [
                    reconcile(
                        tokens.http,
                        read_manifest(data),
                        RunSettings(False, Verification("read")),
                        Callbacks(lambda text: None),
                    )
                    for _unused in range(3)
                ]
            finally:
                tokens.revoke_one(token, None, check_mode=False)
            mistakes = [result["msg"] for result in runs if result.get("failed")]
            if not mistakes and (not runs[0]["changed"] or runs[-1]["changed"]):
                mistakes = [f"changed: {runs[0]['changed']}, at last {runs[-1]['changed']}"]
            if not mistakes and normalize_state(self._state()) != declared:
                mistakes = ["the cloud is not as declared"]
            return {"failed": bool(mistakes), "msg": " ".join(mistakes)}

        self._run_job("provision", work)

    def _tokens(self, task: Task, store: TokenStore | None) -> Tokens:
        return Tokens(task.connect(task.read_settings(())), task.open_sessions(), store, task.warn)

    def _run_job(self, name: str, work: Work, **options: Any) -> None:
        task = Task({"api_url": self._url, **options}, False, lambda text: None, lambda text: None, self._environment)
        result = carry_out_work(task, work)
        self._done[name] += 1
        self._retries += int(result["cloud"]["retries"]) if "cloud" in result else 0
        if result.get("failed"):
            self._failed.append(f"{name}: {result.get('msg')} {result.get('exception', '')}")

    def _state(self) -> dict[str, Any]:
        return dict(requests.get(f"{self._url}/_simulator/state", timeout=TIMEOUT_SECONDS).json())
