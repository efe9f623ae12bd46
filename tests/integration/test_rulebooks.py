# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the rulebooks of the collection with the real rule engine, against the simulator."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.examples import list_examples
from support.fleet_files import device_id
from support.plays import cloud_environment, run_task
from support.processes import wait_until
from support.rollouts import NEW, OLD, running_product
from support.rulebooks import (
    Publisher,
    RulebookRun,
    end_after,
    load_rulebook,
    needs_java,
    read_command_lines,
    running_rulebook,
    wait_for_stream,
)
from support.scripted import ScriptedCloud, scripted_cloud
from support.simulator import PASSWORD, PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

pytestmark = [needs_java, pytest.mark.timeout(900)]

CREDENTIALS = "PARTICLE_API_URL,PARTICLE_ACCESS_TOKEN"
CALL = "POST /v1/products/:p/devices/:id/:functionName"
VITALS = "spark/device/diagnostics/update"
LOOK = "Devices have connected, updates have failed, or five minutes have passed"
SIZE, FIRST = 12, 4
STORM = 30
EVENTS, SENDERS = 10_000, 100
POWER_CUT = 500
NOTICED = 3600.0
"""Seconds after which the cloud has noticed that a device without power is offline."""


@dataclass(frozen=True)
class Desk:
    """The cloud, an access token for it, and the receiver of messages."""

    cloud: Simulator
    token: str
    receiver: ScriptedCloud
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PARTICLE_API_URL": self.cloud.url,
            "PARTICLE_ACCESS_TOKEN": self.token,
            "MESSAGE_URL": f"{self.receiver.url}/message",
        }

    def run(
        self, rulebook: str | list[dict[str, Any]], *args: str, **variables: Any
    ) -> AbstractContextManager[RulebookRun]:
        """Run a rulebook with the product and the credentials of this desk."""
        given: Mapping[str, Any] = {"product": PRODUCT_SLUG, **variables}
        arguments = ("--env-vars", CREDENTIALS, *args)
        return running_rulebook(rulebook, self.folder / "home", *arguments, variables=given, env=self.environment)

    def publisher(self) -> Publisher:
        return Publisher(self.cloud, self.token)

    def messages(self) -> list[str]:
        """Return the texts of the messages that were sent."""
        return [request.json["text"] for request in self.receiver.seen("POST", "/message")]


def open_desk(cloud: Simulator, receiver: ScriptedCloud, folder: Path) -> Desk:
    receiver.answer("POST", "/message", repeat=True)
    return Desk(cloud, cloud.access_token(), receiver, folder)


@pytest.fixture(scope="module")
def _product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_product(tmp_path_factory.mktemp("product"), SIZE) as cloud:
        yield cloud


@pytest.fixture
def desk(_product: Simulator, scripted_cloud: ScriptedCloud, tmp_path: Path) -> Desk:
    """A cloud whose product has twelve devices that run the version OLD."""
    _product.reset()
    _product.add_firmware(OLD, NEW)
    return open_desk(_product, scripted_cloud, tmp_path)


def name_device(number: int) -> str:
    return f"unit-{number:06}"


def list_locked(cloud: Simulator) -> set[str]:
    """Return the ids of the devices that are locked to a version."""
    return {each["id"] for each in cloud.state()["devices"] if each["desired_firmware_version"] is not None}


# ---------------------------------------------------------------------- errors of webhooks


@dataclass(frozen=True)
class Storm:
    """What a run of the rulebook `webhook_errors` has left behind."""

    output: str
    command_lines: str
    messages: list[str]
    token: str
    harm: list[Path]


@pytest.fixture(scope="module")
def storm(_product: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A run with a storm of errors, whose names and data contain templates that would create the file `harm`."""
    folder = tmp_path_factory.mktemp("storm")
    template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {folder / 'harm'}') }}}}"
    _product.reset()
    with scripted_cloud() as receiver:
        desk = open_desk(_product, receiver, folder)
        rulebook = end_after(load_rulebook("webhook_errors"), "A webhook with another name has failed")
        with desk.run(rulebook, "-vv", "--print-events") as run:
            wait_for_stream(_product, run)
            publisher = desk.publisher()
            for number in range(STORM):
                publisher.publish(f"hook-error/reading/{number}", template)
            command_lines: set[str] = set()

            def is_message_sent() -> bool:
                command_lines.update(read_command_lines())
                return bool(desk.messages())

            wait_until(is_message_sent)
            publisher.publish("hook-error/{{ lookup('pipe', 'touch harm') }}", template)
            output = run.wait_for_end()
        harm = list(folder.rglob("harm"))
        yield Storm(output, "\n".join(command_lines), desk.messages(), desk.token, harm)


def test_storm_of_webhook_errors_becomes_one_message(storm: Storm) -> None:
    first, other = storm.messages
    assert first.startswith(f"A webhook of {PRODUCT_SLUG} has failed: hook-error/reading/0. ")
    assert other.startswith(f"A webhook of {PRODUCT_SLUG} has failed: hook-error/ and a name with special characters. ")


def test_text_of_an_event_is_never_a_template(storm: Storm) -> None:
    assert "touch" in storm.output
    assert storm.harm == []


def test_rulebook_shows_no_secret(storm: Storm) -> None:
    assert "bin/ansible-rulebook" in storm.command_lines
    assert "bin/ansible-playbook" in storm.command_lines
    for secret in (storm.token, PASSWORD):
        assert secret not in storm.output
        assert secret not in storm.command_lines


# ---------------------------------------------------------------------- the other rulebooks


@pytest.mark.only_full
def test_service_user_of_the_guide_watches_events(desk: Desk) -> None:
    (user,) = [example for example in list_examples() if "name: rulebooks" in example.text]
    (task,) = yaml.safe_load(user.text)
    token_file = desk.folder / "token.json"
    options = {**task["meshfleet.particle.api_user"], "user_token_file": str(token_file)}
    run_task("api_user", options, cloud_environment(desk.cloud.url)).succeeded()
    env = {"PARTICLE_API_URL": desk.cloud.url, "PARTICLE_TOKEN_FILE": str(token_file)}
    args = ("--env-vars", "PARTICLE_API_URL,PARTICLE_TOKEN_FILE")
    variables = {"product": PRODUCT_SLUG}
    with running_rulebook("meshfleet.particle.watch", desk.folder / "home", *args, variables=variables, env=env) as run:
        wait_for_stream(desk.cloud, run)
        desk.publisher().publish("greeting", "hello")
        run.wait_for_text("'data': 'hello'")


def run_offline(desk: Desk, known: Path, source: str = "events") -> AbstractContextManager[RulebookRun]:
    """Run the rulebook `offline` with one of its sources."""
    rulebook = end_after(load_rulebook("offline"), "The devices had time to come back")
    rulebook[0]["sources"] = [each for each in rulebook[0]["sources"] if each["name"] == source]
    return desk.run(rulebook, known_file=str(known))


@pytest.mark.only_full
def test_devices_that_stay_offline_are_named_once(desk: Desk, tmp_path: Path) -> None:
    known = tmp_path / "offline.json"
    desk.cloud.change_device(device_id(0), powered=False)
    desk.cloud.change_device(device_id(2), powered=False)
    with run_offline(desk, known) as run:
        wait_for_stream(desk.cloud, run)
        desk.cloud.advance(NOTICED)
        desk.cloud.change_device(device_id(3), online=False)
        run.wait_for_end()
    again = replace(desk, folder=tmp_path / "again")
    again.folder.mkdir()
    desk.cloud.change_device(device_id(4), powered=False)
    with run_offline(again, known) as run:
        wait_for_stream(desk.cloud, run)
        desk.cloud.advance(NOTICED)
        run.wait_for_end()
    assert desk.messages() == [
        f"2 devices of {PRODUCT_SLUG} stayed offline: {name_device(0)}, {name_device(2)}",
        f"2 devices of {PRODUCT_SLUG} stayed offline: {name_device(3)}, {name_device(4)}",
    ]
    assert json.loads(known.read_text()) == [device_id(number) for number in (0, 2, 3, 4)]
    assert known.stat().st_mode & 0o777 == 0o600


@pytest.mark.only_full
def test_devices_that_went_offline_in_a_gap_are_named(desk: Desk, tmp_path: Path) -> None:
    desk.cloud.change_device(device_id(5), powered=False)
    desk.cloud.advance(NOTICED)
    with run_offline(desk, tmp_path / "offline.json") as run:
        wait_for_stream(desk.cloud, run)
        requests.post(f"{desk.cloud.url}/_simulator/streams", json={"cut": True}, timeout=60).raise_for_status()
        run.wait_for_end()
    assert desk.messages() == [f"1 device of {PRODUCT_SLUG} stayed offline: {name_device(5)}"]


@pytest.mark.only_full
def test_devices_that_went_offline_before_the_start_are_named(desk: Desk, tmp_path: Path) -> None:
    desk.cloud.change_device(device_id(6), powered=False)
    desk.cloud.advance(NOTICED)
    with run_offline(desk, tmp_path / "offline.json", "timer") as run:
        run.wait_for_end()
    assert desk.messages() == [f"1 device of {PRODUCT_SLUG} stayed offline: {name_device(6)}"]


@pytest.mark.only_full
def test_power_cut_of_a_site_becomes_one_message(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    with running_product(tmp_path, POWER_CUT) as cloud:
        desk = open_desk(cloud, scripted_cloud, tmp_path)
        cloud.change_device("*", powered=False)
        with run_offline(desk, tmp_path / "offline.json") as run:
            wait_for_stream(cloud, run)
            cloud.advance(NOTICED)
            run.wait_for_end()
    (message,) = desk.messages()
    assert message.startswith(f"{POWER_CUT} devices of {PRODUCT_SLUG} stayed offline: ")
    assert message.endswith(f" and {POWER_CUT - 10} more")


@pytest.mark.only_full
def test_failed_updates_stop_the_rollout(desk: Desk) -> None:
    waves = [{"count": FIRST}, {"percent": 100}]
    desk.cloud.change_device("*", update="refused")
    rulebook = load_rulebook("rollout")
    rulebook[0]["rules"][0]["action"]["run_playbook"]["extra_vars"]["rollout_waves"] = waves
    with desk.run(rulebook, rollout_version=NEW) as run:
        wait_for_stream(desk.cloud, run)
        wait_until(lambda: len(list_locked(desk.cloud)) == FIRST)
        desk.cloud.advance(1200)
        run.wait_for_text(f"The brake has stopped the rollout of version {NEW}")
    assert len(list_locked(desk.cloud)) == FIRST


@pytest.mark.only_full
def test_quarantined_devices_of_the_allow_list_are_approved(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    by_id, by_serial, denied, unknown = (device_id(number) for number in range(4))
    devices: dict[str, dict[str, Any]] = {
        by_id: {},
        by_serial: {"serial_number": "P046AB00000001X"},
        denied: {"denied": True},
        unknown: {},
    }
    fleet = [{"id": each, "product_id": PRODUCT_ID, "quarantined": True, **more} for each, more in devices.items()]
    (tmp_path / "fleet.json").write_text(json.dumps(fleet))
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(f"# first delivery\n{by_id.upper()}\np046ab00000001x # box 2\n{denied}\n")
    with running_simulator("--fleet", str(tmp_path / "fleet.json")) as cloud:
        desk = open_desk(cloud, scripted_cloud, tmp_path)
        rulebook = end_after(load_rulebook("quarantine"), "Ten minutes have passed")
        with desk.run(rulebook, allow_list=str(allowed)) as run:
            run.wait_for_end()
        waiting = {each["id"] for each in cloud.state()["devices"] if each["quarantined"]}
    assert waiting == {denied, unknown}


@pytest.mark.only_full
def test_function_is_called_once_on_each_device_with_a_low_battery(desk: Desk) -> None:
    devices = [device_id(number) for number in range(3)]
    last = device_id(4)
    with desk.run(load_rulebook("low_battery"), low_battery=20, function="led", argument="dim") as run:
        wait_for_stream(desk.cloud, run)
        publisher = desk.publisher()
        for device, charge in (*((each, charge) for charge in (12.5, 12) for each in devices), (last, 20), (last, 19)):
            vitals = {"device": {"power": {"battery": {"charge": charge, "state": "discharging"}}}}
            publisher.publish(VITALS, json.dumps(vitals), device)
        wait_until(lambda: desk.cloud.stats()["by_route"].get(CALL, 0) > len(devices) or "ERROR" in run.output)
        assert "ERROR" not in run.output
    calls = [write for write in desk.cloud.writes() if write["route"] == CALL]
    assert [call["path"]["id"] for call in calls] == [*devices, last]
    assert {call["fields"]["arg"] for call in calls} == {"dim"}


# ---------------------------------------------------------------------- push


@pytest.mark.only_full
def test_webhook_of_the_cloud_carries_the_rollout_forward(desk: Desk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rulebook = end_after(load_rulebook("rollout_push"), LOOK)
    # Without the timer, only the webhook can start the playbook.
    rulebook[0]["sources"] = [each for each in rulebook[0]["sources"] if each["name"] == "events"]
    rulebook[0]["sources"][0]["eda.builtin.webhook"]["port"] = port
    body = {"event": "spark/flash/status", "data": "failed ", "device": device_id(0)}
    with desk.run(rulebook, rollout_version=NEW, RECEIVER_TOKEN="receiver-canary") as run:
        wait_until(lambda: is_listening(port))
        url = f"http://127.0.0.1:{port}/endpoint"
        for token, status in (("wrong", 401), ("receiver-canary", 200)):
            answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)
            assert answer.status_code == status
        output = run.wait_for_end()
    assert len(list_locked(desk.cloud)) > 0
    assert "receiver-canary" not in output


def is_listening(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


# ---------------------------------------------------------------------- volume


@pytest.mark.only_full
def test_ten_thousand_events_reach_an_action_once_and_in_order(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    rulebook: list[dict[str, Any]] = [
        {
            "name": "Count",
            "hosts": "localhost",
            "sources": load_rulebook("rollout")[0]["sources"][:1],
            "rules": [
                {
                    "name": "An event",
                    "condition": 'event.particle.name == "reading"',
                    "action": {"debug": {"msg": "SEEN {{ event.particle.device }} {{ event.particle.data }}."}},
                },
                {
                    "name": "The last event",
                    "condition": 'event.particle.name == "reading-end"',
                    "action": {"shutdown": {"kind": "now"}},
                },
            ],
        }
    ]
    rulebook[0]["sources"][0]["meshfleet.particle.events"]["prefix"] = "reading"
    with running_product(tmp_path, SENDERS) as cloud:
        desk = open_desk(cloud, scripted_cloud, tmp_path)
        with desk.run(rulebook) as run:
            wait_for_stream(cloud, run)
            publisher = desk.publisher()
            for number in range(EVENTS):
                publisher.publish("reading", str(number), device_id(number % SENDERS))
            publisher.publish("reading-end", "")
            output = run.wait_for_end()
    seen: dict[str, list[int]] = {}
    for device, number in re.findall(r"^SEEN (\w+) (\d+)\.$", output, re.MULTILINE):
        seen.setdefault(device, []).append(int(number))
    assert seen == {device_id(number): list(range(number, EVENTS, SENDERS)) for number in range(SENDERS)}
