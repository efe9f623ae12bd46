# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the rollouts in the report that the role writes, in a real browser."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import compute_rank
from support.browser import observe_report
from support.counts import count
from support.fleet_files import device_id
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.rollouts import NEW, OLD, Driver, write_rollout_fleet
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

READ = "Read the rollout of each product"
LEDGER_ROUTE = "GET /v1/ledgers/:name/instances/:scopeValue"
HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
SIZE = count(quick=60, full=240)
RANKED = sorted(map(device_id, range(SIZE)), key=compute_rank)
SECOND = SIZE // 2 - 5
"""The number of devices in the second wave."""
FAILING = RANKED[5:17]
ASLEEP = RANKED[17:20]
DISABLED = RANKED[20:22]
OPTIONS: Mapping[str, Any] = {
    "waves": [{"count": 5}, {"percent": 50.0}, {"percent": 100.0}],
    "soak": 300,
    "brake": {"failed": "10%", "offline": "50%", "at_least": 2},
}


def write(cloud: Simulator, folder: Path, **variables: Any) -> PlaybookRun:
    variables = {"report_products": [PRODUCT_SLUG], "report_dest": str(folder), **variables}
    env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(folder.parent)}
    return run_playbook("meshfleet.particle.report", env=env, extra_vars=variables).succeeded()


def read_rollout(folder: Path) -> dict[str, Any]:
    """Return the only rollout in the data file of a report."""
    (rollout,) = json.loads((folder / "fleet.json").read_text())["rollouts"]
    return dict(rollout)


def observe(folder: Path, name: str) -> dict[str, Any]:
    """Open the report, and take screenshots if the environment names a file for them."""
    screenshot = os.environ.get("MESHFLEET_SCREENSHOT")
    return observe_report(
        folder / "fleet.html", "unit-000002", Path(screenshot).with_stem(name) if screenshot else None
    )


@contextmanager
def running_fleet(folder: Path) -> Iterator[Simulator]:
    """Run a simulator with devices whose updates fail, that are offline, or that have updates switched off.

    A device of the first wave fails, too. One that fails in the second wave has a hostile name.
    """
    others = {FAILING[0]: {"name": HOSTILE}, **{device: {"online": False} for device in ASLEEP}}
    with running_simulator("--fleet", write_rollout_fleet(folder, SIZE, others=others)) as cloud:
        cloud.add_firmware(OLD, NEW)
        for device in (RANKED[0], *FAILING):
            cloud.change_device(device, update="came_back_old" if device in FAILING[::3] else "refused")
        for device in DISABLED:
            cloud.change_device(device, update="disabled")
        yield cloud


def add_other_rollouts(page: Path) -> None:
    """Add to a page a rollout that has ended, and a rollout that could not be read."""
    text = page.read_text()
    (embedded,) = re.findall(r'(?<=id="data">).*?(?=</script>)', text, re.DOTALL)
    data = json.loads(embedded)
    ended = {
        "product": "soil-probe",
        "state": "rolled_back",
        "is_over": True,
        "kinds": {"updated": SIZE - 1, "gone": 1},
    }
    unread = {"product": HOSTILE, "error": {"code": "missing_scope", "message": "The token lacks a scope."}}
    data["rollouts"] += [{**data["rollouts"][0], **ended}, unread]
    page.write_text(text.replace(embedded, json.dumps(data).replace("<", "\\u003c")))


@dataclass(frozen=True)
class Story:
    """Reports about a rollout: in its second wave, ten seconds later, and after the brake has stopped it."""

    running: dict[str, Any]
    running_rollout: dict[str, Any]
    later: PlaybookRun
    braked: dict[str, Any]
    braked_rollout: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A rollout whose brake stops it in the second wave. The last page also has the rollouts of other products."""
    base = tmp_path_factory.mktemp("rollouts")
    with running_fleet(base) as cloud:
        driver = Driver(cloud, OPTIONS)
        while len([wave for wave in driver.run()["waves"] if wave["began"]]) < 2:
            cloud.advance(120)
        cloud.advance(45)
        write(cloud, base / "out")
        running, rollout = observe(base / "out", "running"), read_rollout(base / "out")
        cloud.advance(10)
        later = write(cloud, base / "out")
        cloud.advance(1000)
        assert driver.run()["state"] == "braked"
        write(cloud, base / "out", report_console_url="https://console.example/{product}/{id}")
    add_other_rollouts(base / "out" / "fleet.html")
    return Story(running, rollout, later, observe(base / "out", "braked"), read_rollout(base / "out"))


class TestRunningRollout:
    """Tests of the section about a rollout in its second wave."""

    def test_section_names_version_product_state_and_next_check(self, story: Story) -> None:
        (shown,) = story.running["rollouts"]
        assert shown["title"] == f"Rollout of version {NEW} {PRODUCT_SLUG}"
        assert shown["state"] == "running"
        found = story.running_rollout["next"]
        assert shown["lead"].startswith(f"{found['why']} Run again at {found['when'][:10]}")

    def test_states_are_shown_as_counts(self, story: Story) -> None:
        (shown,) = story.running["rollouts"]
        counts = {name: number for name, number in story.running_rollout["counts"].items() if number}
        assert set(counts) == {"updated", "updating", "pending_offline", "pending_disabled", "failed_refused"}
        assert shown["sum"].startswith(f"{counts['updated']} of {SIZE} devices updated")
        assert shown["states"] == [
            f"{counts['updated']} updated",
            f"{counts['updating']} updating",
            "5 pending 3 offline, 2 disabled",
            "1 failed refused",
            f"{SIZE // 2} waiting",
        ]

    def test_each_wave_has_a_bar_with_its_numbers_beside_it(self, story: Story) -> None:
        (shown,) = story.running["rollouts"]
        first, second, third = shown["waves"]
        assert first.startswith("Wave 1 complete 4 of 5 updated, 1 failed began ")
        assert re.match(rf"Wave 2 updating \d+ of {SECOND} updated, \d+ updating, 5 pending began ", second)
        assert third == f"Wave 3 waiting 0 of {SIZE // 2} updated, {SIZE // 2} waiting"
        assert [[kind for kind, _unused in parts] for parts in shown["bars"]] == [
            ["updated", "failed"],
            ["updated", "updating", "pending"],
            ["waiting"],
        ]
        (_unused, updated), (_unused, failed) = shown["bars"][0]
        assert updated / failed == pytest.approx(4, rel=0.1)

    def test_brake_is_shown_with_its_limits(self, story: Story) -> None:
        (shown,) = story.running["rollouts"]
        targeted = story.running_rollout["brake"]["devices"]
        assert shown["brake"] == [
            f"1 failed, the limit is {max(2, -(-targeted // 10))} 10% of {targeted} targeted devices, but at least 2",
            f"0 gone, the limit is {-(-targeted // 2)} 50% of {targeted} targeted devices, but at least 2",
        ]

    def test_failed_device_is_shown_with_its_state_and_evidence(self, story: Story) -> None:
        (shown,) = story.running["rollouts"]
        (bad,) = shown["bad"]
        pattern = rf"unit-\d+ {RANKED[0]} failed \(refused\) wave 1 is online, .* UTC, and still has version 1"
        assert re.fullmatch(pattern, bad)

    def test_section_can_be_read_by_a_screen_reader(self, story: Story) -> None:
        for kind, name in (
            ("region", f"Rollout of version {NEW} {PRODUCT_SLUG}"),
            ("list", "Devices by state"),
            ("list", "Waves"),
            ("list", "Brake"),
            ("list", "Failed and gone devices"),
        ):
            assert f'{kind} "{name}"' in story.running["tree"], f"{kind} {name}"

    def test_page_fits_its_window_and_needs_no_network(self, story: Story) -> None:
        for seen in (story.running, story.braked):
            assert {width: found["page"] for width, found in seen["widths"].items()} == {"1400": 1400, "500": 500}
            assert seen["narrow"] <= 390
            assert (seen["requests"], seen["console"]) == ([], [])

    def test_passing_of_time_is_not_a_change(self, story: Story) -> None:
        assert [task.task for task in story.later.tasks if task.status == "changed"] == []


class TestBrakedRollout:
    """Tests of the section about a rollout that the brake has stopped."""

    def test_state_and_limit_of_the_brake_are_shown(self, story: Story) -> None:
        (shown,) = story.braked["rollouts"]
        assert shown["state"] == "stopped by the brake"
        assert shown["lead"].startswith("The brake has stopped the rollout.")
        assert re.match(r"13 failed, the limit is \d+ 10% of \d+ targeted devices", shown["brake"][0])

    def test_first_ten_bad_devices_are_open_and_all_are_printed(self, story: Story) -> None:
        (shown,) = story.braked["rollouts"]
        assert (shown["open"], len(shown["bad"])) == (10, 13)
        assert shown["more"] == ["Show 3 more devices"]
        assert shown["closed"] == 3
        assert story.braked["printedDetails"] == 3

    def test_hostile_name_of_a_failed_device_is_shown_as_text(self, story: Story) -> None:
        (shown,) = story.braked["rollouts"]
        (hostile,) = (text for text in shown["bad"] if FAILING[0] in text)
        assert hostile.startswith(f"{HOSTILE} {FAILING[0]} came back old wave 2 has begun a session at ")
        assert (story.braked["dialogs"], story.braked["images"], story.braked["scripts"]) == ([], 0, 1)

    def test_data_file_contains_the_rollout(self, story: Story) -> None:
        rollout = story.braked_rollout
        assert (rollout["product"], rollout["error"], rollout["version"]) == (PRODUCT_SLUG, None, NEW)
        assert rollout["brake"]["tripped"] is True
        assert sum(rollout["counts"].values()) == 5 + SECOND
        bad = {device["id"] for device in rollout["devices"][:13]}
        assert bad == {RANKED[0], *FAILING}

    def test_bad_devices_link_to_their_page_in_the_console(self, story: Story) -> None:
        (shown,) = story.braked["rollouts"]
        assert len(shown["links"]) == 13
        assert f"https://console.example/{PRODUCT_SLUG}/{RANKED[0]}" in shown["links"]


class TestOtherRollouts:
    """Tests of rollouts that have ended, that cannot be read, or that are in a file."""

    def test_ended_rollout_is_one_line(self, story: Story) -> None:
        numbers = f"{SIZE - 1} of {SIZE} updated, 1 gone"
        pattern = rf"soil-probe Version {NEW}: rolled back\. Began \S+ \S+ UTC, {numbers}\."
        assert re.fullmatch(pattern, story.braked["otherRollouts"][0])

    def test_rollout_that_could_not_be_read_is_one_line(self, story: Story) -> None:
        line = f"{HOSTILE} The rollout of this product could not be read. The token lacks a scope."
        assert story.braked["otherRollouts"][1] == line
        assert (story.braked["dialogs"], story.braked["images"]) == ([], 0)

    @pytest.mark.only_full
    def test_account_that_may_not_read_a_rollout_gets_a_report(self, tmp_path: Path) -> None:
        with running_fleet(tmp_path) as cloud:
            refusal = {"status": 403, "body": {"ok": False, "error": "Forbidden"}}
            cloud.set_faults([{"route": LEDGER_ROUTE, "effect": "status", "probability": 1, **refusal}])
            assert write(cloud, tmp_path / "out").task(READ).status == "ok"
        rollout = read_rollout(tmp_path / "out")
        assert (rollout["state"], rollout["error"]["code"]) == (None, "forbidden")
        assert "HTTP 403" in rollout["error"]["message"]

    @pytest.mark.only_full
    def test_rollout_on_a_cloud_without_ledgers_is_read_from_its_file(self, tmp_path: Path) -> None:
        file = tmp_path / "keys" / "rollouts.json"
        file.parent.mkdir(mode=0o700)
        with running_fleet(tmp_path) as cloud:
            cloud.set_faults([{"route": LEDGER_ROUTE, "effect": "status", "status": 404, "probability": 1}])
            Driver(cloud, OPTIONS, state_file=file).run()
            write(cloud, tmp_path / "out", report_state_file=str(file))
            assert read_rollout(tmp_path / "out")["state"] == "running"
