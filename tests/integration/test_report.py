# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the report that the role writes, in a real browser."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.browser import observe_report
from support.fleet_files import device_id, write_fleet_file
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment, manifest_for, run_task
from support.simulator import PASSWORD, PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

FILES = ("fleet.csv", "fleet.html", "fleet.json")
TITLE = "</title><script>alert(3)</script>"
WRITE = "Write the report"
TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
LABELS = [
    "Name", "Presence", "Last heard", "Device OS", "Advisories", "Advisories unclear", "Network", "Role", "State",
    "Groups", "Product", "Platform", "Notes", "Id", "Serial number", "SIM", "IMEI", "Last heard at",
]  # fmt: skip
CONSOLE = "https://console.particle.io/{product}/devices/{id}"
DAY = 86_400
EVIL_NOTICE = "</script><img src=x onerror=alert(4)>{{ 7 * 7 }}"
NOTICES = {
    "advisories": [
        {"id": "every", "title": EVIL_NOTICE, "url": "https://example.com/n", "affects": [{"platforms": ["boron"]}]},
        {"id": "abroad", "title": "Abroad", "affects": [{"mobile_country_codes": [310]}]},
        {"id": "core", "title": "The oldest", "affects": [{"platforms": ["core"]}]},
    ]
}


@dataclass(frozen=True)
class Report:
    """The files of a report, and the observations of a browser."""

    folder: Path
    seen: dict[str, Any]
    trap: Path
    evil: str
    token: str


def write(cloud: Simulator, folder: Path, *args: str, **variables: Any) -> PlaybookRun:
    variables = {"report_products": [PRODUCT_SLUG], "report_dest": str(folder), **variables}
    env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(folder.parent)}
    return run_playbook("meshfleet.particle.report", env=env, extra_vars=variables, args=args)


def read_data(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "fleet.json").read_text()))


def add_two_tokens(file: Path) -> None:
    """Add to the token file an expired token and one that expires in 36 hours."""
    content = json.loads(file.read_text())
    (token,) = content["tokens"]
    tomorrow = (datetime.now(UTC) + timedelta(hours=36)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for purpose, end in (("bygone", "2020-01-01T00:00:00Z"), ("hurried", tomorrow)):
        content["tokens"].append({**token, "purpose": purpose, "access_token": purpose[0] * 40, "expires_at": end})
    file.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of sixty devices in three networks, with an offline gateway and a hostile device name."""
    base = tmp_path_factory.mktemp("report")
    trap = base / "executed"
    evil = f"{{{{ lookup('pipe', 'touch {trap}') }}}}</script><img src=x onerror=alert(1)><script>alert(2)</script>"
    with running_simulator("--fleet", "60", "--slow-joiners", "0.4") as cloud:
        env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(base)}
        manifest = manifest_for(cloud, ("barn", "yard", "shed"), groups=["north"])
        manifest["devices"][-1]["name"] = evil
        manifest["devices"][-1]["notes"] = evil
        # The manifest is a file, because Ansible would evaluate the templates of a mapping.
        (base / "fleet.json").write_text(json.dumps(manifest))
        run_task("fleet", {"manifest": str(base / "fleet.json")}, env).succeeded()
        (gateway,) = [device["id"] for device in manifest["devices"] if device["name"] == "yard-0001"]
        cloud.advance(400)
        cloud.change_device(gateway, online=False)
        (base / "keys").mkdir(mode=0o700)
        token_options = {"token_file": str(base / "keys" / "tokens.json"), "purpose": "nightly"}
        run_task("access_token", token_options, env).succeeded()
        add_two_tokens(base / "keys" / "tokens.json")
        (base / "notices.yml").write_text(json.dumps(NOTICES))
        variables = {"report_token_file": token_options["token_file"], "report_title": TITLE}
        write(cloud, base / "out", report_advisories=[str(base / "notices.yml")], **variables).succeeded()
        token = json.loads((base / "keys" / "tokens.json").read_text())["tokens"][0]["access_token"]
        yield Report(base / "out", observe_report(base / "out" / "fleet.html", "barn-0003"), trap, evil, token)


class TestPage:
    """Tests of the page, which is opened from disk without a server."""

    def test_page_makes_no_request_and_logs_no_error(self, report: Report) -> None:
        assert report.seen["requests"] == []
        assert report.seen["console"] == []

    def test_table_has_every_device_and_every_column_with_a_value(self, report: Report) -> None:
        assert report.seen["status"].startswith("60 of 60 devices")
        assert report.seen["heads"] == LABELS
        assert report.seen["first"][:3] == [report.evil, "barn-0000", "barn-0003"]

    def test_unknown_values_are_shown_as_not_reported(self, report: Report) -> None:
        # Only the device with the hostile name has notes.
        assert report.seen["missing"] == 49
        assert re.fullmatch(r"\d+ (s|min|h) ago", report.seen["cells"]["last_heard_age"])

    def test_page_names_the_columns_that_it_does_not_show(self, report: Report) -> None:
        # These cellular devices have no MAC address, no product firmware and no owner.
        assert report.seen["notes"][0] == "Columns without a value are not shown: Firmware, MAC address, Owner."
        assert report.seen["notes"][1].startswith("The cloud does not know the MAC address of 60 devices. ")
        assert "report_mac_variable" in report.seen["notes"][1]

    def test_counts_add_up_to_the_number_of_devices(self, report: Report) -> None:
        counts = dict(reversed(line.split("\n")[:2]) for line in report.seen["counts"])
        assert counts["devices"] == "60"
        assert int(counts["offline"]) == 1
        assert sum(int(counts[kind]) for kind in ("confirmed", "probable", "stale", "offline")) == 60

    def test_count_button_filters_the_table(self, report: Report) -> None:
        offline = report.seen["offline"]
        assert (offline["status"], offline["pressed"], offline["names"]) == ("1 of 60 devices", "true", ["yard-0001"])
        assert offline["again"].startswith("60 of 60 devices")

    def test_search_filters_the_table(self, report: Report) -> None:
        assert report.seen["found"]["names"] == ["barn-0003"]
        assert report.seen["found"]["status"] == "1 of 60 devices"
        assert report.seen["shownAgain"].startswith("60 of 60 devices")

    def test_column_head_sorts_the_table_by_click_and_by_key(self, report: Report) -> None:
        order = report.seen["sorted"]
        assert order["down"]["way"] == "descending"
        assert order["down"]["names"][0].startswith("yard-")
        assert order["up"] == {"way": "ascending", "names": report.seen["first"]}
        assert order["byKeyboard"]["names"] == report.seen["first"]

    def test_product_without_a_rollout_has_no_section(self, report: Report) -> None:
        assert (report.seen["rollouts"], report.seen["otherRollouts"]) == ([], [])
        (rollout,) = read_data(report.folder)["rollouts"]
        assert (rollout["product"], rollout["state"], rollout["error"]) == (PRODUCT_SLUG, "none", None)

    def test_column_filter_filters_the_table(self, report: Report) -> None:
        assert report.seen["filtered"] == {"status": "3 of 60 devices", "roles": ["gateway"]}

    def test_next_button_shows_the_next_page(self, report: Report) -> None:
        assert report.seen["secondPage"]["status"] == "60 of 60 devices, 51 to 60 shown"

    def test_mesh_picture_shows_the_reported_states_of_members(self, report: Report) -> None:
        networks = report.seen["networks"]
        assert set(networks) == {"barn", "shed", "yard"}
        assert networks["barn"]["states"] == {"gateway joined": 1, "node joined": 19}
        lost = networks["yard"]["states"]
        assert lost["node lost"] > 0
        assert sum(lost.values()) == 20
        assert networks["barn"]["label"] == "Network barn: 1 gateway, 19 nodes: 20 joined"
        assert networks["barn"]["listed"].split("\n") == ["barn", "20 of 20 joined"]
        assert next(iter(networks)) == "yard", "networks with problems come first"

    def test_network_button_filters_the_table(self, report: Report) -> None:
        assert {found["status"] for found in report.seen["networks"].values()} == {"20 of 60 devices"}

    def test_advisory_shows_affected_and_unclear_devices(self, report: Report) -> None:
        every, abroad, core = report.seen["notices"]
        assert (every["hit"]["status"][:16], every["links"]) == ("60 of 60 devices", ["https://example.com/n"])
        assert abroad["cannot_tell"]["pressed"] == "true"
        assert "0 affected" in abroad["text"]
        assert "60 unclear" in abroad["text"]
        assert "unknown: Country of 60" in abroad["text"]
        assert "0 affected" in core["text"]
        assert not core.keys() & {"hit", "cannot_tell"}

    def test_elements_have_names_for_screen_readers(self, report: Report) -> None:
        tree = report.seen["tree"]
        for kind, name in (
            ("searchbox", "Search"),
            ("combobox", "Presence"),
            ("button", "barn 20 of 20 joined"),
            ("button", "abroad: 60 unclear"),
            ("list", "Advisories"),
            ("region", "Devices"),
            ("region", "Tokens"),
            ("table", "Devices"),
            ("cell", "not reported"),
            ("button", "Show all"),
            ("columnheader", "Serial number"),
            ("rowheader", "barn-0000"),
        ):
            assert f'{kind} "{name}"' in tree, f"{kind} {name}"
        assert 'img "Network yard: 1 gateway' in tree
        assert re.findall(r"- (?:button|combobox|searchbox|img|region|link)(?:$|:)", tree, re.MULTILINE) == []

    def test_tab_key_visits_the_controls_in_order(self, report: Report) -> None:
        stops = report.seen["stops"]
        order = [stops.index(stop) for stop in ("mesh-members", "every", "search", "Name")]
        assert order == sorted(order)

    def test_page_has_a_dark_mode_and_prints_all_rows(self, report: Report) -> None:
        assert report.seen["light"] != report.seen["dark"]
        assert report.seen["printed"] == {"rows": 60, "controls": False}

    def test_page_fits_a_narrow_window(self, report: Report) -> None:
        assert report.seen["narrow"] <= 390

    def test_tokens_are_shown_with_fingerprint_and_expiry(self, report: Report) -> None:
        shown = report.seen["tokens"]
        assert len(shown) == 4
        assert all(re.match(r"[0-9a-f]{8} (in use|kept)", text) for text in shown)
        assert "nightly" in shown[1]
        assert "days left" in shown[1]

    def test_expired_and_expiring_tokens_are_marked(self, report: Report) -> None:
        expired, expiring = report.seen["tokens"][2:]
        assert re.search(r"\(bygone, .*\): has expired, 2020-01-01 00:00:00 UTC$", expired)
        assert re.search(r"\(hurried, .*\): expires \S+ \S+ UTC, 1 day left$", expiring)

    def test_unnamed_gateway_and_invalid_token_are_labelled(self, report: Report, tmp_path: Path) -> None:
        text = (report.folder / "fleet.html").read_text()
        device = next(device["id"] for device in read_data(report.folder)["devices"] if device["name"] == "yard-0001")
        for old, new in ((f'["yard-0001","{device}"', f'[null,"{device}"'), ('"alive":true', '"alive":false')):
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / "fleet.html").write_text(text)
        seen = observe_report(tmp_path / "fleet.html", "barn-0003")
        assert seen["networks"]["yard"]["gateways"] == [f"…{device[-6:]}"]
        assert seen["networks"]["barn"]["gateways"] == ["barn-0000"]
        refused = "in use for this report (particle): is not valid, the cloud does not accept it"
        assert seen["tokens"][0].endswith(refused)


@pytest.fixture(scope="class")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The page of 500 devices without a mesh. Every tenth is offline, and device 10 * N for N and a half days.

    Devices are silent after 14 days. The last device was never heard.
    """
    folder = tmp_path_factory.mktemp("large")
    fleet = [
        {
            "id": device_id(number),
            "product_id": PRODUCT_ID,
            "name": None if number == 1 else f"field-logger-{number:06}",
            "groups": [f"site-{number % 7}"],
            **({"last_heard": None} if number == 499 else {"firmware_version": 40 + number % 3}),
        }
        for number in range(500)
    ]
    (folder / "fleet.json").write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(folder / "fleet.json")) as cloud:
        for number in reversed(range(0, 500, 10)):
            cloud.change_device(device_id(number), online=False)
            cloud.advance(DAY if number else DAY / 2)
        write(cloud, folder / "out", report_console_url=CONSOLE, report_silent_days=14).succeeded()
    screenshot = Path(os.environ.get("MESHFLEET_SCREENSHOT", folder / "page.png")).with_stem("large")
    return observe_report(folder / "out" / "fleet.html", "field-logger-000042", screenshot)


@pytest.mark.only_full
class TestLargePage:
    """Tests of the page of a fleet without a mesh, in a wide and in a narrow window."""

    def test_wide_window_shows_the_most_used_columns(self, large_page: dict[str, Any]) -> None:
        wide = large_page["widths"]["1400"]
        assert wide["page"] == 1400
        assert wide["columns"][:5] == [
            "name",
            "presence",
            "last_heard_age",
            "firmware_version",
            "system_firmware_version",
        ]

    def test_narrow_window_shows_name_presence_and_last_contact(self, large_page: dict[str, Any]) -> None:
        narrow = large_page["widths"]["500"]
        assert narrow["page"] == 500
        assert narrow["columns"][:3] == ["name", "presence", "last_heard_age"]

    def test_columns_of_a_mesh_are_not_shown(self, large_page: dict[str, Any]) -> None:
        assert not {"Network", "Role", "State", "Notes", "MAC address"} & set(large_page["heads"])

    def test_number_of_silent_devices_follows_the_chosen_days(self, large_page: dict[str, Any]) -> None:
        assert large_page["silent"]["status"] == "37 of 500 devices"
        days = ["more than 1 day", "more than 7 days", "more than 14 days", "more than 30 days"]
        assert large_page["silences"] == ["all", *days, "never heard"]
        assert large_page["counts"][-1].split("\n") == ["37", "silent", "more than 14 days, 1 never"]
        assert (large_page["silent"]["marked"], large_page["offline"]["marked"]) == (37, 36)

    def test_presence_is_explained_beside_its_counts(self, large_page: dict[str, Any]) -> None:
        said = {line.split("\n")[1]: line.split("\n")[2] for line in large_page["counts"]}
        assert said["confirmed"] == "heard within 1 min"
        assert said["probable"] == "heard within 46 min"

    def test_devices_link_to_their_page_in_the_console(self, large_page: dict[str, Any]) -> None:
        address = f"https://console.particle.io/{PRODUCT_SLUG}/devices/"
        # The first row is device 0. The device without a name is the last one of the fleet.
        assert large_page["pages"][0] == f"{address}{device_id(0)}"
        assert len(large_page["pages"]) == 50


class TestHostileNames:
    """Tests of device names and titles that contain templates and markup."""

    def test_template_in_a_name_is_not_evaluated_in_the_play(self, report: Report) -> None:
        assert not report.trap.exists()

    def test_markup_in_a_name_is_not_executed_in_the_page(self, report: Report) -> None:
        assert (report.seen["dialogs"], report.seen["images"], report.seen["scripts"]) == ([], 0, 1)

    def test_names_are_written_unchanged(self, report: Report) -> None:
        assert report.seen["title"] == TITLE
        assert EVIL_NOTICE in report.seen["notices"][0]["text"]
        assert report.evil in [device["name"] for device in read_data(report.folder)["devices"]]
        with open(report.folder / "fleet.csv", newline="", encoding="utf-8") as file:
            assert report.evil in [line["notes"] for line in csv.DictReader(file)]


class TestFiles:
    """Tests of the files of a report."""

    def test_folder_and_files_are_readable_only_by_their_owner(self, report: Report) -> None:
        assert stat.S_IMODE(report.folder.stat().st_mode) == 0o700
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in report.folder.iterdir()} == dict.fromkeys(
            FILES, 0o600
        )

    def test_files_contain_no_token_and_no_secret(self, report: Report) -> None:
        text = "\n".join((report.folder / name).read_text() for name in FILES)
        assert TOKEN.findall(text) == []
        for secret in (report.token, PASSWORD, "mobile_secret"):
            assert secret not in text

    def test_csv_and_json_files_contain_the_same_data(self, report: Report) -> None:
        devices = read_data(report.folder)["devices"]
        with open(report.folder / "fleet.csv", newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        assert [line["id"] for line in lines] == [device["id"] for device in devices]
        assert [line["network"] for line in lines] == [device["network"] for device in devices]
        assert {line["advisories"] for line in lines} == {"every"}
        assert {line["advisories_open"] for line in lines} == {"abroad"}
        assert all(device["advisories"] == ["every"] for device in devices)
        counts = {found["id"]: (found["hit"], found["cannot_tell"]) for found in read_data(report.folder)["advisories"]}
        assert counts == {"every": (60, 0), "abroad": (0, 60), "core": (0, 0)}


class TestAdvisories:
    """Tests of advisories and their conditions."""

    def test_example_of_the_guide_gives_the_documented_result(self, tmp_path: Path) -> None:
        guide = (ROOT / "docs" / "guide_report.md").read_text()
        (example,) = re.findall(r"```yaml\n(# advisories\.yml\n.*?)```", guide, re.DOTALL)
        (documented,) = re.findall(r"> \*\*TAN010\*\* (.*)\n> (.*)\n", guide)
        (tmp_path / "advisories.yml").write_text(example)
        fleet = [
            {
                "id": device_id(number),
                **({"iccid": f"890103{number:014d}"} if number % 4 == 0 else {}),
                "system_firmware_version": "3.3.1" if number % 3 else "3.3.0",
            }
            for number in range(59)
        ]
        fleet.append({"id": device_id(59), "iccid": None, "system_firmware_version": "3.3.0"})
        (tmp_path / "fleet.json").write_text(json.dumps(fleet))
        with running_simulator("--fleet", str(tmp_path / "fleet.json"), "--slow-joiners", "0.3") as cloud:
            manifest = manifest_for(cloud, ("barn", "yard", "shed"), groups=["north"])
            run_task("fleet", {"manifest": manifest, "verify": "none"}, cloud_environment(cloud.url)).succeeded()
            cloud.change_device(device_id(1), online=False)
            variables = {"report_advisories": [str(tmp_path / "advisories.yml")], "report_title": "Field loggers"}
            write(cloud, tmp_path / "out", **variables).succeeded()
        screenshot = Path(os.environ.get("MESHFLEET_SCREENSHOT", tmp_path / "page.png"))
        seen = observe_report(tmp_path / "out" / "fleet.html", "barn-0003", screenshot)
        assert seen["tableAt"] < 720, "the table must be visible without scrolling"
        (notice,) = seen["notices"]
        text = " ".join(notice["text"].split())
        assert text == f"TAN010 {documented[0]} {documented[1]}".replace(",", "", 2)
        assert notice["hit"]["status"] == "5 of 60 devices"
        assert notice["cannot_tell"]["status"] == "1 of 60 devices"
        with open(tmp_path / "out" / "fleet.csv", newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        hit = [device_id(number) for number in range(0, 59, 12)]
        assert sorted(line["id"] for line in lines if line["advisories"] == "TAN010") == hit
        assert [line["id"] for line in lines if line["advisories_open"]] == [device_id(59)]

    def test_advisories_that_have_no_end_are_refused_before_any_request(
        self, simulator: Simulator, tmp_path: Path
    ) -> None:
        os.mkfifo(tmp_path / "pipe.yml")
        run = write(simulator, tmp_path / "out", report_advisories=[str(tmp_path / "pipe.yml")])
        message = run.result("Validate the advisories before the first request")["msg"]
        assert f"The file {tmp_path / 'pipe.yml'} is not a regular file." in message
        assert simulator.stats()["requests"] == 0

    def test_country_condition_uses_the_vitals_of_the_devices(self, simulator: Simulator, tmp_path: Path) -> None:
        env = cloud_environment(simulator.url)
        run_task("fleet", {"manifest": manifest_for(simulator), "verify": "none"}, env).succeeded()
        offline = simulator.state()["devices"][0]["id"]
        simulator.change_device(offline, online=False)
        rule = {"mobile_country_codes": [901]}  # the code of international networks, which the simulated devices report
        notices = {"advisories": [{"id": "there", "title": "There", "affects": [rule]}]}
        (tmp_path / "notices.yml").write_text(json.dumps(notices))
        variables = {"report_advisories": [str(tmp_path / "notices.yml")], "report_vitals": True}
        write(simulator, tmp_path / "out", **variables).succeeded()
        (found,) = read_data(tmp_path / "out")["advisories"]
        assert (found["hit"], found["cannot_tell"], found["missing"]) == (19, 1, {"mobile_country_code": 1})
        devices = read_data(tmp_path / "out")["devices"]
        assert [device["id"] for device in devices if device["advisories_open"] == ["there"]] == [offline]

    def test_all_mistakes_are_listed_before_any_request(self, simulator: Simulator, tmp_path: Path) -> None:
        (tmp_path / "a.yml").write_text("advisories:\n  - id: a\n    affects: [{platforms: [borom]}]\n")
        (tmp_path / "b.yml").write_text("advisories: [{id: b, title: B, affects: [{}]}]\n")
        run = write(
            simulator, tmp_path / "out", report_advisories=[str(tmp_path / name) for name in ("a.yml", "b.yml")]
        )
        message = run.result("Validate the advisories before the first request")["msg"]
        assert "a.yml:2 advisories[0]: has no title" in message
        assert (
            "a.yml:3 advisories[0].affects[0].platforms[0]: 'borom' is not the name or number of a platform" in message
        )
        assert "b.yml:1 advisories[0].affects[0]: has no condition" in message
        assert simulator.stats()["requests"] == 0


def test_check_mode_writes_no_file_and_nothing_to_the_cloud(simulator: Simulator, tmp_path: Path) -> None:
    run = write(simulator, tmp_path / "out", "--check").succeeded()
    assert not (tmp_path / "out").exists()
    assert simulator.stats()["writes"] == 0
    assert run.task("Gather the devices").status == "ok"


def test_second_run_reports_no_change_while_only_times_change(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with running_simulator("--fleet", write_fleet_file(tmp_path, 20)) as cloud:

        def list_changes(*args: str, **variables: Any) -> list[str]:
            run = write(cloud, folder, *args, **variables).succeeded()
            return [task.task for task in run.tasks if task.status == "changed"]

        assert list_changes() == ["Create the folder of the report", WRITE]
        before = {path.name: path.read_text() for path in folder.iterdir()}
        cloud.advance(600)
        assert list_changes() == []
        assert [name for name, text in before.items() if (folder / name).read_text() == text] == []
        (folder / "fleet.csv").unlink()
        assert list_changes("--check", report_mode="0640") == [
            "Set the mode of the files of the previous report",
            WRITE,
        ]
        cloud.change_device("*", online=False)
        assert list_changes() == [WRITE]


def test_address_of_the_console_that_is_not_a_url_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    run = write(simulator, tmp_path / "out", report_console_url="javascript:alert(1)")
    message = run.result("Validate the address of the console")["msg"]
    assert "report_console_url must be an address that begins with https:// or http://" in message
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("days", [0, "soon"])
def test_number_of_silent_days_that_is_not_valid_is_refused(simulator: Simulator, tmp_path: Path, days: Any) -> None:
    run = write(simulator, tmp_path / "out", report_silent_days=days)
    assert "must be a number of days from 1" in run.result("Validate the number of silent days")["msg"]
    assert simulator.stats()["requests"] == 0


def test_existing_folder_in_the_home_keeps_its_mode(simulator: Simulator, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir(mode=0o755)
    env = {**cloud_environment(simulator.url), "HOME": str(tmp_path)}
    variables = {"report_products": [PRODUCT_SLUG], "report_dest": "~/reports", "report_mode": "0644"}
    run_playbook("meshfleet.particle.report", env=env, extra_vars=variables).succeeded()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys(FILES, 0o644)


def test_credentials_of_the_role_are_used_and_not_shown(simulator: Simulator, tmp_path: Path) -> None:
    variables = {"report_username": USERNAME, "report_password": PASSWORD, "report_api_url": simulator.url}
    run = run_playbook(
        "meshfleet.particle.report",
        env={"XDG_RUNTIME_DIR": str(tmp_path)},
        extra_vars={"report_products": [PRODUCT_SLUG], "report_dest": str(tmp_path / "out"), **variables},
        args=["-vvvv", "--diff"],
    ).succeeded()
    sessions = json.loads((tmp_path / "meshfleet.particle" / "sessions.json").read_text())
    (token,) = (login["token"] for login in sessions["logins"].values())
    assert token not in run.output
    assert PASSWORD not in run.output
    assert simulator.stats()["grants"] == 1


@pytest.mark.only_full
def test_mac_address_is_read_from_the_variable_of_the_firmware(simulator: Simulator, tmp_path: Path) -> None:
    run_task("fleet", {"manifest": manifest_for(simulator)}, cloud_environment(simulator.url)).succeeded()
    variables = {"report_mac_variable": "site", "report_filters": {"name": "barn-0000"}}
    write(simulator, tmp_path / "out", **variables).succeeded()
    (device,) = read_data(tmp_path / "out")["devices"]
    assert device["mac"].startswith("site-")


@pytest.mark.only_full
@pytest.mark.timeout(900)
def test_page_of_a_large_fleet_is_small_and_works(tmp_path: Path) -> None:
    size = 10_000
    with running_simulator("--fleet", write_fleet_file(tmp_path, size)) as cloud:
        run_playbook(
            "meshfleet.particle.report",
            env=cloud_environment(cloud.url),
            extra_vars={"report_products": [PRODUCT_SLUG], "report_dest": str(tmp_path / "out")},
            timeout=600,
        ).succeeded()
        requests = cloud.stats()["by_route"]
    page = tmp_path / "out" / "fleet.html"
    assert page.stat().st_size < 6_000_000
    assert TOKEN.findall(page.read_text()) == []
    assert requests["GET /v1/products/:p/devices"] == size // 100 + 1
    seen = observe_report(page, "unit-000042")
    assert seen["status"].startswith(f"{size} of {size} devices")
    assert seen["found"]["ids"] == [device_id(42)]
    assert (seen["requests"], seen["console"]) == ([], [])


@pytest.mark.parametrize("name", ["fleet.js", "rollouts.js"])
def test_page_script_never_parses_text_as_html(name: str) -> None:
    script = (ROOT / "roles" / "report" / "files" / name).read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in script
