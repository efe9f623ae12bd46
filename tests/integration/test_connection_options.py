# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test a table: each connection option, in each place where it can stand, for each content of the collection.

Most probes are values that the collection refuses before it sends a request. The refusal shows that the option arrived,
and costs no time. The other probes are credentials that only one of two simulators accepts.

A short run tests each probe in one place of a play with one content, and changes both from probe to probe.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import build_shared_spec
from support.counts import FULL
from support.paths import ROOT
from support.playbooks import PlaybookRun, ansible_environment, run_playbook
from support.programs import program_path, run_program
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

OPTIONS, DEFAULTS, KEYWORD, PROCESS = "options", "module_defaults", "environment", "environment of the process"
PLACES: dict[str, tuple[str, ...]] = {
    # The options of a role are its variables.
    OPTIONS: ("device_info", "device_facts", "provision", "report", "audit", "lookup", "inventory"),
    # Ansible applies module_defaults to tasks only.
    DEFAULTS: ("device_info", "device_facts", "provision", "report", "audit"),
    # An inventory is read before any play.
    KEYWORD: ("device_info", "device_facts", "provision", "report", "audit", "lookup"),
    PROCESS: ("device_info", "device_facts", "provision", "report", "audit", "lookup", "inventory"),
}
"""The contents for which each place exists. The guide to tokens has the same table."""

PLACES_OF_A_PLAY = (OPTIONS, DEFAULTS, KEYWORD)

GUIDE_ROWS = {
    OPTIONS: "options of the task",
    DEFAULTS: "`module_defaults`",
    KEYWORD: "keyword `environment`",
    PROCESS: "environment of the process",
}

ACCOUNT = {"username": USERNAME, "password": PASSWORD}
TOKEN = {"access_token": "given-token"}
ACCEPTED = ""


@dataclass(frozen=True)
class Probe:
    """Values of connection options, and the text of the refusal that shows that they arrived.

    :param options: the names of the options that the probe is about.
    :param refusal: a part of the message, or `ACCEPTED` if the first simulator accepts the values.
    """

    options: tuple[str, ...]
    values: Mapping[str, Any]
    refusal: str

    def __str__(self) -> str:
        return f"{' and '.join(self.options)} {'refused' if self.refusal else 'accepted'}"


@dataclass(frozen=True)
class Table:
    """Two simulators, of which the environment names the second one, a home folder, and the probes."""

    asked: Simulator
    other: Simulator
    home: Path
    probes: tuple[Probe, ...]

    @property
    def env(self) -> dict[str, str]:
        """The environment of all runs."""
        return {"HOME": str(self.home), "PARTICLE_API_URL": self.other.url}


def build_probes(asked: Simulator, folder: Path) -> tuple[Probe, ...]:
    """Return the probes. Store a token in a file, and a login of the official command line tool."""
    token = asked.access_token()
    entry = {"access_token": token, "api_url": asked.url, "account": USERNAME, "client": "particle", "purpose": ""}
    write_private(folder / "tokens.json", {"version": 1, "tokens": [entry]})
    write_private(folder / ".particle" / "asked.config.json", {"access_token": token, "apiUrl": asked.url})
    readable = folder / "readable.json"
    readable.write_text("{}")
    readable.chmod(0o644)
    url = {"api_url": asked.url}
    return (
        Probe(("api_url", "username", "password"), {**url, **ACCOUNT}, ACCEPTED),
        Probe(("api_url", "access_token"), {**url, "access_token": token}, ACCEPTED),
        Probe(("token_file",), {**url, "token_file": str(folder / "tokens.json")}, ACCEPTED),
        Probe(("profile",), {**url, "profile": "asked"}, ACCEPTED),
        Probe(("api_url",), {"api_url": "nonsense"}, "api_url is not a valid http or https URL"),
        Probe(("access_token",), {"access_token": "two words"}, "contains spaces, line breaks"),
        Probe(("username",), {"username": USERNAME}, "Only one of username and password"),
        Probe(("password",), {"password": PASSWORD}, "Only one of username and password"),
        Probe(("otp",), {**ACCOUNT, "otp": "nonsense"}, "is not a code of 6 digits"),
        Probe(("otp_secret",), {**ACCOUNT, "otp_secret": "nonsense!"}, "the secret is not valid base32"),
        Probe(("client_id",), {**ACCOUNT, "client_id": "own"}, "client_id and client_secret must be given together"),
        Probe(("client_secret",), {**ACCOUNT, "client_secret": "own"}, "must be given together"),
        Probe(("token_file",), {"token_file": str(readable)}, "other users can access it"),
        Probe(("profile",), {"profile": "nonsense"}, "The profile nonsense contains no login"),
        Probe(("timeout",), {**TOKEN, "timeout": -1}, "timeout must be"),
        Probe(("max_wait",), {**TOKEN, "max_wait": -1}, "max_wait must be"),
        Probe(("validate_certs",), {**TOKEN, "validate_certs": "nonsense"}, "validate_certs"),
        Probe(
            ("ca_path",), {**ACCOUNT, "api_url": "https://127.0.0.1:9", "ca_path": "/nonsense/ca.pem"}, "/nonsense/ca"
        ),
        Probe(("budget_store",), {**TOKEN, "budget_store": "nonsense://host"}, "budget_store is not a valid Redis URL"),
    )


def write_private(path: Path, content: Any) -> None:
    """Write a JSON file with mode 0600."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    path.chmod(0o600)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    """Two simulators with different accounts, and the probes."""
    folder = tmp_path_factory.mktemp("table")
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps([{"username": "other@example.com", "password": PASSWORD}]))
    with running_simulator() as asked, running_simulator("--accounts", str(accounts)) as other:
        yield Table(asked, other, folder, build_probes(asked, folder))


def select_contents(table: Table, place: str) -> list[tuple[Probe, str]]:
    """Return the cells of a place of a play: all of them in a full run, else one content for each third probe."""
    contents, first = PLACES[place], PLACES_OF_A_PLAY.index(place)
    if FULL:
        return [(probe, content) for probe in table.probes for content in contents]
    probes = table.probes[first :: len(PLACES_OF_A_PLAY)]
    return [(probe, contents[number % len(contents)]) for number, probe in enumerate(probes)]


def build_task(content: str, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a task that runs a content of the collection with the values as its options."""
    if content == "lookup":
        found = "{{ lookup('meshfleet.particle.access_token', **given) }}"
        return {"ansible.builtin.set_fact": {"token": found}, "vars": {"given": dict(values)}}
    if content in ("device_info", "device_facts"):
        own = {"id": "e00fce68aabbccddeeff0022", "account_devices": True} if content == "device_facts" else {}
        return {f"meshfleet.particle.{content}": {**own, **values}}
    prefix = "report" if content == "report" else "provision"
    variables: dict[str, Any] = {f"{prefix}_{name}": value for name, value in values.items()}
    if content == "provision":
        variables["provision_manifest"] = {"product": PRODUCT_SLUG, "devices": []}
    if content == "report":
        variables["report_dest"] = str(folder / "report")
    # The files of the report take most of its time. In check mode, it sends the same requests and writes none.
    keywords: dict[str, dict[str, Any]] = {
        "audit": {"tasks_from": "mesh_audit"},
        "report": {"apply": {"check_mode": True}},
    }
    return {
        "ansible.builtin.include_role": {"name": f"meshfleet.particle.{prefix}", **keywords.get(content, {})},
        "vars": variables,
    }


def build_variables(values: Mapping[str, Any]) -> dict[str, str]:
    return {f"PARTICLE_{name.upper()}": str(value) for name, value in values.items()}


def build_play(place: str, probe: Probe, content: str, folder: Path) -> dict[str, Any]:
    """Return a play for one cell of the table. A failure of its content does not end the playbook."""
    task = build_task(content, probe.values if place == OPTIONS else {}, folder)
    keywords: dict[str, Any] = {}
    if place == DEFAULTS:
        keywords["module_defaults"] = {"group/meshfleet.particle.particle": dict(probe.values)}
    if place == KEYWORD:
        keywords["environment"] = build_variables(probe.values)
    steps = [{"block": [task], "rescue": [{"ansible.builtin.meta": "noop"}]}]
    return {"name": f"{probe}: {content}", "hosts": "localhost", "gather_facts": False, "tasks": steps, **keywords}


def find_wrong_cells(cells: list[tuple[Probe, str]], run: PlaybookRun) -> list[str]:
    """Return the cells whose play did not end as the probe says, each with the messages of its failures."""
    wrong = []
    for probe, content in cells:
        records = [record for record in run.tasks if record.play == f"{probe}: {content}"]
        failures = [json.dumps(record.result) for record in records if record.status == "failed"]
        # Neither the device nor the registry of Particle Mesh exists.
        failures = [text for text in failures if probe.refusal or not ("not_found" in text or "unsupported" in text)]
        is_right = any(probe.refusal in text for text in failures) if probe.refusal else records and not failures
        if not is_right:
            wrong.append(f"{probe}: {content}: {failures}")
    return wrong


@pytest.mark.parametrize("place", PLACES_OF_A_PLAY)
def test_every_option_holds_in_every_place_of_a_play(table: Table, place: str) -> None:
    before = table.other.stats()["requests"]
    cells = [(probe, content) for probe, content in select_contents(table, place) if content != "inventory"]
    run = run_playbook([build_play(place, *cell, table.home) for cell in cells], env=table.env, timeout=900)
    assert find_wrong_cells(cells, run) == []
    assert table.other.stats()["requests"] == before


def test_every_option_holds_in_the_environment_of_the_process(table: Table) -> None:
    before = table.other.stats()["requests"]
    # Each probe needs a run of its own, so a short run tests only some of them.
    for probe in table.probes if FULL else table.probes[:1]:
        cells = [(probe, content) for content in PLACES[PROCESS] if content != "inventory"]
        plays = [build_play(PROCESS, *cell, table.home) for cell in cells]
        run = run_playbook(plays, env={**table.env, **build_variables(probe.values)})
        assert find_wrong_cells(cells, run) == []
    assert table.other.stats()["requests"] == before


def test_every_option_holds_in_an_inventory_file(table: Table, tmp_path: Path) -> None:
    before = table.other.stats()["requests"]
    arguments = ["--list"]
    for number, probe in enumerate(table.probes):
        file = tmp_path / f"{number}.particle.yml"
        file.write_text(yaml.safe_dump({"plugin": "meshfleet.particle.devices", **probe.values}))
        arguments += ["-i", str(file)]
    errors = list_inventory(arguments, tmp_path, table.env)
    for number, probe in enumerate(table.probes):
        assert (f"/{number}.particle.yml as an inventory source" in errors) is bool(probe.refusal), f"{probe}: {errors}"
        assert probe.refusal in errors
    assert table.other.stats()["requests"] == before


def test_every_option_of_the_environment_holds_for_an_inventory(table: Table, tmp_path: Path) -> None:
    file = tmp_path / "fleet.particle.yml"
    file.write_text("plugin: meshfleet.particle.devices\n")
    for probe in table.probes if FULL else table.probes[:1]:
        errors = list_inventory(["--list", "-i", str(file)], tmp_path, {**table.env, **build_variables(probe.values)})
        assert ("Failed to parse" in errors) is bool(probe.refusal), f"{probe}: {errors}"
        assert probe.refusal in errors


def list_inventory(arguments: list[str], folder: Path, env: Mapping[str, str]) -> str:
    """Run `ansible-inventory`, and return its warnings without line breaks."""
    argv = [program_path("ansible-inventory"), *arguments]
    run = run_program(argv, env=ansible_environment(folder, env), cwd=folder, timeout=200)
    assert run.rc == 0, run.stderr
    return " ".join(run.stderr.split())


def test_probes_cover_every_connection_option(table: Table) -> None:
    assert {name for probe in table.probes for name in probe.options} == set(build_shared_spec())


def test_guide_says_in_which_places_options_can_stand() -> None:
    text = (ROOT / "docs" / "guide_tokens.md").read_text(encoding="utf-8")
    section = text.partition("## Where to set connection options")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    contents = ("device_info", "provision", "lookup", "inventory")
    for place, mark in GUIDE_ROWS.items():
        (row,) = [row for row in rows if mark in row[0]]
        expected = ["yes" if content in PLACES[place] else "no" for content in contents]
        if place == OPTIONS:  # the options of a role are its variables, which have a row of their own
            expected[contents.index("provision")] = "no"
        assert row[1:] == expected, place
