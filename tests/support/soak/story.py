# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the story of a soak day by day, and check what must hold.

This file imports the collection, so it must be imported after the clock is replaced.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import secrets
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import requests

from support.declared import expect_state, normalize_state
from support.firmware import make_binary
from support.inventories import write_inventory
from support.simulator import PASSWORD, PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator
from support.soak.clock import TIMEOUT_SECONDS, Clock
from support.soak.controller import Controller, Options, Tasks
from support.soak.faults import build_all_faults, count_fired
from support.soak.fleet import PASSWORD_NAME, READER, READER_FILE, READER_SCOPES, TOKEN_NAME, Fleet, define_product
from support.soak.needed_writes import WriteRecord
from support.soak.watcher import Watcher

HOUR = 3600.0
KILL_SHARE = 0.4
"""The share of the runs before which a run of the same task is killed."""
MAX_ATTEMPTS = 6
RETRY_SECONDS = 900.0
"""The time after which a scheduler runs a failed task again. A login that the cloud has refused is not repeated for a
shorter time."""
SETTLE_SECONDS = 60.0
FIRST, GOOD, BAD = 1, 2, 3
"""The firmware version at the beginning, that of the first rollout, and that of the second one."""
ENDINGS = ("came_back_old", "refused", "crashes_online", "transfer_fails")
ROLLOUT = {"product": PRODUCT_SLUG, "wait": False, "waves": [{"count": 3}, {"percent": 30}, {"percent": 100}]}
TOKEN_SECONDS = 3 * 86400
REAL_PLAY_DAYS = 10
"""Every how many days the applies are made by a real ansible-playbook, after another one was killed."""
HELD_SUFFIXES = {".json", ".lock", ".ring"}


@dataclass
class Day:
    """The numbers of a day, and its mistakes.

    :ivar plays: the runs of a real ansible-playbook. `runs` counts only those in this process.
    :ivar uncertain: the writes that the cloud has carried out, and whose response was damaged or lost.
    :ivar leaked: the valid tokens that are in no file of the controller.
    :ivar bytes: the memory of this process. `blocks` is its number of Python's memory blocks.
    :ivar codes: the modules and the error codes of failed runs.
    """

    day: int
    runs: int = 0
    plays: int = 0
    kills: int = 0
    failures: int = 0
    recovered: int = 0
    gaps: int = 0
    events: int = 0
    requests: int = 0
    writes: int = 0
    faults: int = 0
    uncertain: int = 0
    leaked: int = 0
    bytes: int = 0
    blocks: int = 0
    codes: list[str] = field(default_factory=list)
    rollout: str = ""
    mistakes: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Return the day as JSON data."""
        return asdict(self)


class Story:
    """A fleet, the product that it belongs to, and the controller that applies them every day.

    :param folder: the home folder of the controller, and the folder of its files.
    :param days: the number of days, which determines the days of the rollouts.
    """

    def __init__(self, simulator: Simulator, clock: Clock, watcher: Watcher, folder: Path, days: int) -> None:
        self._cloud, self._clock, self._watcher, self._folder = simulator, clock, watcher, folder
        self._random = Random("kills and cuts")
        self._good_day, self._bad_day = max(1, days // 6), max(2, days // 2)
        ids = sorted(device["id"] for device in simulator.state()["devices"])
        self._fleet = Fleet(Random("fleet"), ids)
        self._record = WriteRecord()
        self._seen_writes = self._seen_requests = self._seen_faults = 0
        self._values = {TOKEN_NAME: secrets.token_hex(16), PASSWORD_NAME: secrets.token_hex(16)}
        self._reader_file, self._token_file = folder / READER_FILE, folder / "tokens.json"
        self._rollout: dict[str, Any] | None = None
        self._rollouts: list[str] = []
        self._started = clock()
        self.today = Day(0)
        for version in (GOOD, BAD):
            (folder / f"v{version}.bin").write_bytes(make_binary(version))
        simulator.add_firmware(FIRST)
        login = {"username": USERNAME, "token_file": str(self._token_file)}
        self._inventory = write_inventory(folder, **login, group_by=["device_group", "network"])
        self._temporary_files = self._list_temporary_files()
        self._controller = Controller(folder, clock)
        self._begin()

    # ------------------------------------------------------------------ the days

    def _begin(self) -> None:
        """Apply everything once without faults, so that the event source can connect."""
        self._rotate_token()
        self._apply_product(0)
        self._apply_fleet(0)

    def tell(self, days: int, report: Callable[[dict[str, Any]], None]) -> None:
        """Run the days, and report each of them."""
        with self._watcher:
            self._check_day()
            assert not self.today.mistakes, self.today.mistakes
            self._cloud.set_faults(build_all_faults())
            for number in range(1, days + 1):
                self.today = Day(number)
                self._run_day(number)
                report(self.today.as_data())
            self._cloud.clear_faults()
        self.today = Day(days + 1)
        self._check_end()
        report(self.today.as_data())

    def _run_day(self, day: int) -> None:
        morning = self._clock()
        for hour in range(24):
            self._read_inventory()
            if hour == 6:
                self._maintain(day)
            if hour == 8:
                self._apply_product(day)
            if hour == 9:
                self._apply_fleet(day)
            if hour == 10:
                self._begin_rollout(day)
            if self._rollout is not None:
                self._continue_rollout()
            if hour % 8 == 4:
                self._watch_events()
            self._clock.sleep_until(morning + (hour + 1) * HOUR)
        self._check_day()

    # ------------------------------------------------------------------ the jobs

    def _read_inventory(self) -> None:
        """Read the inventory. If that fails, read it again, as the next run of a scheduler does."""
        expected = sorted(place.name for place in self._fleet.places)
        for attempt in range(MAX_ATTEMPTS):
            self.today.runs += 1
            hosts = self._controller.read_inventory(self._inventory)
            if hosts:
                self.today.recovered += attempt > 0
                break
            self.today.failures += 1
            self.today.codes.append("inventory")
            self._clock.sleep(RETRY_SECONDS)
        if hosts != expected:
            self._note(f"the inventory has {sorted(set(hosts) ^ set(expected))} too much or too little")

    def _maintain(self, day: int) -> None:
        """Rotate tokens and secrets, and revoke the tokens that killed runs have left."""
        self._rotate_token()
        if day % 3 == 2:
            self._complete("api_user", lambda: self._describe_reader(rotate=True))
        self._complete("access_token", lambda: {**self._find_tokens(), "state": "absent", "which": "orphaned"})

    def _rotate_token(self) -> None:
        options = {**self._find_tokens(), "state": "rotated", "expires_in": TOKEN_SECONDS}
        self._complete("access_token", lambda: options)

    def _find_tokens(self) -> dict[str, Any]:
        return {"token_file": str(self._token_file), "username": USERNAME, "password": PASSWORD}

    def _describe_reader(self, **more: Any) -> dict[str, Any]:
        return {
            "product": PRODUCT_SLUG,
            "name": READER,
            "scopes": READER_SCOPES,
            "user_token_file": str(self._reader_file),
            **more,
        }

    def _apply_product(self, day: int) -> None:
        versions = [version for version, begin in ((GOOD, self._good_day), (BAD, self._bad_day)) if day >= begin]
        binaries = [self._folder / f"v{version}.bin" for version in versions]
        # In a task, the braces of the definition would be a template.
        file = self._folder / "product.json"
        file.write_text(json.dumps(define_product(day, self._reader_file, binaries)))
        options = {
            "product": PRODUCT_SLUG,
            "definition": str(file),
            "secrets": self._values,
            "prune": ["environment", "integrations"],
            "confirm": ["removals"],
        }
        if day % 5 == 3:
            self._complete("product", lambda: {**options, "secrets": self._renew_values(), "update_secrets": "always"})
            options["secrets"] = self._values
        self._apply(day, "product", options, options)

    def _renew_values(self) -> dict[str, str]:
        """Choose new values of the secrets for each attempt, because each attempt writes them."""
        self._values = {name: secrets.token_hex(16) for name in self._values}
        return self._values

    def _apply_fleet(self, day: int) -> None:
        if self._rollout is None:
            self._fleet.change(day)
        shared = {"confirm": ["removals", "replace_online"], "progress": False}
        today, evening = ({**shared, "manifest": self._fleet.declare(today=is_today)} for is_today in (True, False))
        self._apply(day, "fleet", today, evening)

    def _apply(self, day: int, module: str, options: Options, repeated: Options) -> None:
        """Apply a declaration, by a real playbook on some days, until another run has nothing more to do.

        :param repeated: the options of the other run, which declare the same state.
        """
        if day % REAL_PLAY_DAYS == 5:
            self._run_plays([(module, options)])
        for _unused in range(MAX_ATTEMPTS):
            self._complete(module, lambda: options)
            before = self._count_writes()
            result = self._complete(module, lambda: repeated, may_be_killed=False)
            # Devices that leave a network must report that first, and then another run completes the work.
            if self._count_writes() == before and not result["changed"] and not _count_pending(result):
                return
            self._clock.sleep(SETTLE_SECONDS)
        self._note(f"{module} does not come to an end: {result['msg']}")

    def _begin_rollout(self, day: int) -> None:
        if day == self._good_day:
            self._rollout = {**ROLLOUT, "version": GOOD}
        elif day == self._bad_day:
            for number, device in enumerate(self._fleet.devices):
                self._cloud.change_device(device, update=ENDINGS[number % len(ENDINGS)])
            self._rollout = {**ROLLOUT, "version": BAD}

    def _continue_rollout(self) -> None:
        assert self._rollout is not None
        options = self._rollout
        result = self._complete("rollout", lambda: options, ended=("braked",))
        state = result.get("state")
        if state == "braked":
            aborted = {**options, "state": "aborted", "rollback": "lock"}
            state = self._complete("rollout", lambda: aborted)["state"]
            self._rollouts.append(f"{options['version']} braked, {state}")
            self._cloud.change_device("*", update="ok")
            self._cloud.change_device("*", online=True)
        elif state == "done":
            self._rollouts.append(f"{options['version']} done")
        else:
            return
        self.today.rollout, self._rollout = self._rollouts[-1], None
        self._check_rollout(options["version"])

    def _check_rollout(self, version: int) -> None:
        devices = [device for device in self._cloud.state()["devices"] if device["product"] == PRODUCT_ID]
        counted = Counter((device["firmware_version"], device["desired_firmware_version"]) for device in devices)
        if version == GOOD and counted.keys() != {(GOOD, None)}:
            self._note(f"after the rollout, the devices run {dict(counted)}")
        if version == BAD and sum(number for (runs, _lock), number in counted.items() if runs == BAD) > 3:
            self._note(f"the brake came too late: {dict(counted)}")

    def _watch_events(self) -> None:
        account = self._watcher.watch(cuts=self._random.randrange(3))
        self.today.gaps += len(account.gaps)
        self.today.events += len(account.delivered)
        self.today.mistakes += account.find_mistakes()

    # ------------------------------------------------------------------ runs

    def _complete(
        self,
        module: str,
        build: Callable[[], Options],
        *,
        may_be_killed: bool = True,
        ended: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Run a task until it succeeds. Before some attempts, kill a run of the same task.

        :param build: returns the options of the next attempt.
        :param ended: error codes with which the task may end.
        """
        killed = failed = False
        for _unused in range(MAX_ATTEMPTS):
            if may_be_killed and self.today.day and self._random.random() < KILL_SHARE:
                killed |= self._kill(module, build())
            self.today.runs += 1
            result = self._controller.run_task(module, build())
            code = (result.get("error") or {}).get("code", "")
            if not result.get("failed") or code in ended:
                self.today.recovered += killed or failed
                return result
            failed = True
            self.today.failures += 1
            self.today.codes.append(f"{module}: {code}")
            if code in ("", "internal"):
                self._note(f"{module}: {result.get('msg')} {result.get('exception', '')}")
            self._clock.sleep(RETRY_SECONDS)
        self._note(f"{module} does not succeed: {result.get('msg')}")
        return {"changed": False, "msg": "", **result}

    def _kill(self, module: str, options: Options) -> bool:
        is_killed = self._controller.kill_task(module, options, self._random)
        self._wait_until_idle()
        self.today.kills += is_killed
        return is_killed

    def _run_plays(self, tasks: Tasks) -> None:
        """Kill a real ansible-playbook at a random request, and run another one to its end."""
        self.today.kills += self._controller.kill_play(tasks, lambda: self._cloud.stats()["requests"], self._random)
        self._wait_until_idle()
        self.today.plays += 2
        codes = self._controller.run_play(tasks)
        self.today.failures += len(codes)
        self.today.codes += [f"playbook: {code}" for code in codes]

    def _wait_until_idle(self) -> None:
        """Wait until the cloud has carried out the last requests of a killed process."""
        before, now = None, self._cloud.stats()
        while now != before:
            before, now = now, self._cloud.stats()

    # ------------------------------------------------------------------ the checks

    def _note(self, mistake: str) -> None:
        self.today.mistakes.append(f"{self._clock() - self._started:.0f} s: {mistake}")

    def _count_writes(self) -> int:
        return int(self._cloud.stats()["writes"])

    def _check_day(self) -> None:
        """Check the state, the tokens, the writes and the files of the evening."""
        today, stats, schedule = self.today, self._cloud.stats(), self._cloud.faults()
        requests_, faults = stats["requests"], count_fired(schedule)
        today.requests, self._seen_requests = requests_ - self._seen_requests, requests_
        today.faults, self._seen_faults = faults - self._seen_faults, faults
        self._check_writes(stats["writes"])
        if self._rollout is None:
            self._check_state()
        self._check_tokens()
        self._check_files()
        gc.collect()
        today.blocks = sys.getallocatedblocks()
        today.bytes = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _check_writes(self, count: int) -> None:
        writes = [write for write in self._cloud.writes() if "/events" not in write["route"]]
        new = writes[self._seen_writes :]
        self._seen_writes = len(writes)
        self.today.writes = len(new)
        self.today.uncertain = sum(write["fault"] is not None for write in new)
        for write in self._record.find_unneeded(new):
            self._note(f"this write changed nothing: {json.dumps(write)[:300]}")

    def _check_state(self) -> None:
        now, manifest = normalize_state(self._cloud.state()), self._fleet.declare(today=False)
        if expect_state(now, manifest) != now:
            self._note("the fleet is not as declared")
        members = {device["id"] for device in now["devices"].values() if device["product"] == PRODUCT_ID}
        if members != set(self._fleet.devices):
            self._note(f"the product has {sorted(members ^ set(self._fleet.devices))} too much or too little")

    def _get(self, path: str, **how: Any) -> Any:
        """Return the JSON in a response of the cloud. These requests fail as all others do."""
        for _unused in range(MAX_ATTEMPTS):
            with contextlib.suppress(requests.RequestException, ValueError):
                response = requests.get(self._cloud.url + path, timeout=TIMEOUT_SECONDS, **how)
                response.raise_for_status()
                return response.json()
        raise AssertionError(path)

    def _list_tokens(self) -> set[str]:
        """Return the valid tokens of the account."""
        return {row["token"] for row in self._get("/v1/access_tokens", auth=(USERNAME, PASSWORD))}

    def _list_api_users(self) -> list[str]:
        """Return the names of the API users of the product. Each of them has a token that never expires."""
        team = self._get(f"/v1/products/{PRODUCT_ID}/team", headers=self._watcher.authorization)["team"]
        return [member["friendly_name"] for member in team if member.get("friendly_name")]

    def _check_tokens(self) -> None:
        """Check that each valid token is in a file of the controller, or belongs to the soak itself."""
        stored = "".join(path.read_text() for path in (self._token_file, *self._list_files()) if path.suffix == ".json")
        unknown = [token for token in self._list_tokens() if token not in stored]
        self.today.leaked = len(unknown) - 1  # the token with which the soak itself publishes events
        if self.today.leaked:
            self._note(f"{self.today.leaked} tokens are valid and stored nowhere")
        if self._list_api_users() != [READER]:
            self._note(f"the product has the API users {self._list_api_users()}")

    def _list_files(self) -> list[Path]:
        return [path for path in (self._folder / "runtime" / "meshfleet.particle").rglob("*") if path.is_file()]

    def _check_files(self) -> None:
        """Check that the runs have left no other files, and that other users can read none of them."""
        for path in (*self._list_files(), self._token_file, self._reader_file):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                self._note(f"other users can read {path.name}")
            if path.suffix not in HELD_SUFFIXES:
                self._note(f"{path.name} was left behind")
        left = self._list_temporary_files() - self._temporary_files
        if left:
            self._note(f"temporary files were left behind: {sorted(left)}")

    def _list_temporary_files(self) -> set[str]:
        folders = self._folder / "tmp", Path(tempfile.gettempdir())
        return {path.name for folder in folders for path in folder.iterdir()}

    def _check_end(self) -> None:
        """Check, without faults, that nothing is left to do, and that the cloud has only tokens that are declared."""
        before = self._count_writes()
        self._complete("fleet", lambda: {"manifest": self._fleet.declare(today=False), "progress": False})
        self.today.writes = self._count_writes() - before
        self._complete("access_token", lambda: {**self._find_tokens(), "state": "absent", "which": "orphaned"})
        self._clock.sleep(2 * HOUR)  # until the logins that the tasks share have expired
        (entry,) = json.loads(self._token_file.read_text())["tokens"]
        declared = {entry["access_token"]}
        self.today.leaked = len(self._list_tokens() - declared) - 1
        self._check_files()
        if len(self._rollouts) != 2:
            self._note(f"the rollouts have not ended: {self._rollouts}")


def _count_pending(result: Options) -> int:
    """Return the number of devices that wait in a result of module `fleet`; 0 in a result of another module."""
    return int(result.get("summary", {}).get("pending", 0))
