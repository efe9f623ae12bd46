# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""From any state, by any manifest, through any faults: what is declared comes to be, and nothing else changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import pytest
from faulty_cloud import (
    ACCOUNT_WRITES,
    BODIES,
    CHANGES,
    CLAIM,
    CREATIONS,
    IMPORT,
    PAGES,
    PATIENCE_ASKED,
    READS,
    REMOVALS,
    SHAPES,
    STATUSES,
    assert_done,
    assert_told,
    fault,
    through,
)
from fleet_cloud import PRODUCT, RecordingHttp, device_id, log_in, run, user
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.declared import LABELS, expect_state, find_device_id, get_key, list_groups, normalize_state
from support.simulator import PASSWORD, PRODUCT_ID, USERNAME, Simulator, running_simulator

EXAMPLES = count(quick=50, full=300)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""No shrinking: an example takes a tenth of a second, and making one small takes thousands."""
SILENT_SECONDS = 0.3

SOMEBODY = "somebody@example.com"
OTHER_PRODUCT = 4711

BOXED = [device_id(number) for number in range(0x10, 0x13)]
INSIDE = [device_id(number) for number in range(0x20, 0x24)]
INSIDE_AND_OURS, INSIDE_AND_SOMEBODYS = device_id(0x2A), device_id(0x2B)
QUARANTINED = device_id(0x30)
OURS = [device_id(number) for number in range(0x40, 0x42)]
OFFLINE = device_id(0x50)
ELSEWHERE = device_id(0x60)
SOMEBODYS = device_id(0x70)
UNKNOWN = device_id(0x80)

MEMBERS = [*INSIDE, INSIDE_AND_OURS, INSIDE_AND_SOMEBODYS]
"""Devices whose state in the product an example may choose."""
EVERYBODY = [*BOXED, *MEMBERS, QUARANTINED, *OURS, OFFLINE, ELSEWHERE, SOMEBODYS, UNKNOWN]


def labels_of(device: str) -> dict[str, str]:
    """What stands on a device."""
    number = int(device, 16) & 0xFF
    return {
        "serial_number": f"P046{number:04}",
        "iccid": f"89014103{number:012}",
        "imei": f"352753{number:09}",
    }


def fleet() -> list[dict[str, Any]]:
    """All devices but the one that nobody knows."""
    known: dict[str, dict[str, Any]] = {device: {} for device in EVERYBODY if device != UNKNOWN}
    for device in (*MEMBERS, QUARANTINED):
        known[device]["product_id"] = PRODUCT_ID
    for device in (*OURS, INSIDE_AND_OURS):
        known[device]["owner"] = USERNAME
    for device in (SOMEBODYS, INSIDE_AND_SOMEBODYS):
        known[device]["owner"] = SOMEBODY
    known[QUARANTINED].update(quarantined=True, name="unit-1")
    known[OURS[0]]["notes"] = "ours"
    known[OFFLINE]["online"] = False
    known[ELSEWHERE].update(product_id=OTHER_PRODUCT, name="theirs", groups=["theirs"])
    known[SOMEBODYS]["notes"] = "theirs"
    return [{"id": device, **labels_of(device), **more} for device, more in known.items()]


GROUPS = ("north", "south", "beta")
NETWORKS = ("barn", "shed", "yard")
TEXTS = st.sampled_from(("", "a", "north wall", "ÜŸ — \u2028 {{ x }}", "<b>&amp;</b>"))
NAMES = st.sampled_from([f"unit-{number}" for number in range(len(EVERYBODY))])
GROUP_SETS = st.lists(st.sampled_from(GROUPS), unique=True, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "notes": TEXTS,
    "groups": GROUP_SETS,
    "development": st.booleans(),
    "firmware_version": st.sampled_from((7, "unlocked")),
    "claimed": st.booleans(),
}
PARAMETERS = st.dictionaries(
    st.sampled_from(("channel", "key", "peers")),
    st.none() | st.booleans() | st.integers(-1, 30) | st.floats(0, 1) | TEXTS | st.lists(st.integers(0, 3), max_size=2),
    max_size=2,
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "fleet.json").write_text(json.dumps(fleet()))
    accounts = [{"username": name, "password": PASSWORD} for name in (USERNAME, SOMEBODY)]
    (folder / "accounts.json").write_text(json.dumps(accounts))
    flags = ("--fleet", str(folder / "fleet.json"), "--accounts", str(folder / "accounts.json"))
    with running_simulator(*flags) as simulator:
        yield simulator


# --- where an example starts ---


@st.composite
def memberships(draw: st.DrawFn) -> dict[str, Any]:
    """How a device of the product stands before the run, also as no run would leave it."""
    mesh_groups = st.sampled_from([f"mesh-{name}" for name in (*NETWORKS, "gateway", "node")])
    orders = st.fixed_dictionaries(
        {},
        optional={
            "network": st.sampled_from(NETWORKS),
            "role": st.sampled_from(("gateway", "node", "captain")),
            "gateways": st.lists(st.sampled_from(MEMBERS), max_size=2),
            "parameters": PARAMETERS | st.just("none"),
            "firmware": st.just("somebody else's"),
        },
    )
    return {
        "name": draw(NAMES | st.none()),
        "notes": draw(TEXTS | st.none()),
        "groups": draw(GROUP_SETS) + draw(st.lists(mesh_groups, unique=True, max_size=3)),
        "orders": draw(orders | st.none()),
    }


LEDGERS = st.sampled_from(((), ("mesh",), ("mesh", "mesh-status"), ("mesh", "mesh-status", "weather")))
STARTS = st.fixed_dictionaries(
    {
        "members": st.fixed_dictionaries({device: memberships() for device in MEMBERS}),
        "imported": st.sets(st.sampled_from(BOXED)),
        "ledgers": LEDGERS,
    }
)


def set_up(http: RecordingHttp, start: Mapping[str, Any]) -> None:
    """Bring the cloud, which is fresh, to where an example starts."""
    for name in start["ledgers"]:
        direction = "Upstream" if name == "mesh-status" else "Downstream"
        definition = {"ledger": {"name": name, "scope": "Device", "direction": direction}}
        http.send(Request("POST /v1/ledgers", "set up", json=definition))
    if start["imported"]:
        file = "\n".join(start["imported"]).encode()
        http.send(Request(IMPORT, "set up", {"p": PRODUCT_ID}, file=file))
    for device, member in start["members"].items():
        fields = {key: member[key] for key in ("notes", "groups")}
        if member["name"] is not None:
            fields["name"] = member["name"]
        at: dict[str, object] = {"p": PRODUCT_ID, "id": device}
        http.send(Request("PUT /v1/products/:p/devices/:id", "set up", at, json=fields))
        if member["orders"] is not None and "mesh" in start["ledgers"]:
            body = {"instance": {"data": member["orders"]}}
            at = {"name": "mesh", "scopeValue": device}
            http.send(Request("PUT /v1/ledgers/:name/instances/:scopeValue", "set up", at, json=body))


# --- what it declares ---


NOT_OURS = {
    key
    for device in (ELSEWHERE, SOMEBODYS, INSIDE_AND_SOMEBODYS, UNKNOWN)
    for key in (device, *labels_of(device).values())
}
"""What those are called that may not be had."""


@st.composite
def records(draw: st.DrawFn, *optional: str) -> list[dict[str, Any]]:
    """Some of the devices, in any order, each by its id or by its label, with some of the `optional` keys."""
    chosen = draw(st.lists(st.sampled_from(EVERYBODY), unique=True, max_size=8))
    names = iter(draw(st.lists(NAMES, unique=True, min_size=len(chosen), max_size=len(chosen))))
    found = []
    for device in chosen:
        record: dict[str, Any] = {}
        for key in optional:
            if draw(st.booleans()):
                record[key] = next(names) if key == "name" else draw(VALUES[key])
        kind = draw(st.sampled_from(("id", "id", "id", *LABELS)))
        found.append({kind: {"id": device, **labels_of(device)}[kind], **record})
    return found


@st.composite
def product_manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A valid manifest for devices of the product and for such as are to come into it."""
    networks: dict[str, Any] = {
        name: {"parameters": draw(PARAMETERS)} for name in draw(st.sets(st.sampled_from(NETWORKS)))
    }
    devices = draw(records("name", "notes", "groups", "development", "firmware_version", "claimed"))
    role = st.sampled_from(("gateway", "node"))
    seats = {"network": st.sampled_from(sorted(networks)), "role": role}
    joining = [st.fixed_dictionaries(seats, optional={"parameters": PARAMETERS})] * bool(networks)
    for record in devices:
        if mesh := draw(st.one_of(st.none(), st.just({"state": "absent"}), *joining)):
            record["mesh"] = mesh
    for name, network in networks.items():
        members = [record["mesh"] for record in devices if record.get("mesh", {}).get("network") == name]
        if members and all(mesh["role"] == "node" for mesh in members):
            if draw(st.booleans()):
                members[0]["role"] = "gateway"
            else:  # one that another slice looks after
                network["gateways"] = [device_id(0xF0 + NETWORKS.index(name))]
        # Nodes whose gateways cannot be had wait for them, and so do gateways that are to leave, which other tests
        # tell: here one of them can be had, or nobody is declared to come.
        declared = [record for record in devices if record.get("mesh", {}).get("network") == name]
        to_be_had = [record["mesh"] for record in declared if get_key(record) not in NOT_OURS]
        gateways = [mesh for mesh in members if mesh["role"] == "gateway"]
        if gateways and to_be_had and not any(gateway is mesh for gateway in gateways for mesh in to_be_had):
            to_be_had[0]["role"] = "gateway"
        if gateways and not to_be_had:
            for record in declared:
                del record["mesh"]
    manifest: dict[str, Any] = {"product": PRODUCT, "networks": networks, "devices": devices}
    mode = draw(st.sampled_from((None, "add", "exact")))
    return manifest if mode is None else {**manifest, "groups_mode": mode}


@st.composite
def account_manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A valid manifest for the account's own devices and for such as are to become its own, or to cease to be."""
    devices = draw(records("name", "notes", "claimed"))
    for record in devices:
        if record.get("claimed") is False:  # a device of nobody has no name
            record.pop("name", None)
            record.pop("notes", None)
    return {"devices": devices}


def faults_on(*routes: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A schedule of up to three faults, each of which strikes up to six times in a row."""
    where = st.sampled_from((*routes, *READS, "PUT *", "*"))
    times = st.integers(1, 6)
    plain = st.sampled_from(("reset_before", "reset_after", "truncated", "empty"))
    one = st.one_of(
        st.builds(fault, where, plain, times=times),
        st.builds(fault, where, st.just("html"), times=times, status=st.sampled_from(PAGES)),
        st.builds(fault, where, st.just("status"), times=times, shape=st.sampled_from(SHAPES)),
        st.builds(
            fault,
            where,
            st.just("status"),
            times=times,
            status=st.sampled_from(STATUSES),
            body=st.sampled_from(BODIES),
            asked=st.sampled_from(PATIENCE_ASKED),
        ),
        st.builds(fault, where, st.just("silence"), times=st.just(1)),
        st.builds(fault, where, st.just("delay"), times=st.just(1), delay=st.just(SILENT_SECONDS + 0.05)),
    )
    return st.lists(one, max_size=3)


# --- what comes of it ---


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(
    start=STARTS,
    manifest=product_manifests(),
    absent=st.sampled_from((False, False, False, True)),
    faults=faults_on(*CREATIONS, *CHANGES, *REMOVALS, "POST /oauth/token"),
)
def test_a_product_comes_to_what_is_declared_and_nothing_else_changes(
    cloud: Simulator, start: dict[str, Any], manifest: dict[str, Any], absent: bool, faults: list[dict[str, Any]]
) -> None:
    not_to_be_had = set() if absent else {ELSEWHERE, SOMEBODYS, UNKNOWN}

    def refused(device: str, record: Mapping[str, Any]) -> bool:
        claimed = record.get("claimed")
        theirs = device == INSIDE_AND_SOMEBODYS and (claimed is False or (claimed is True and not absent))
        return device in not_to_be_had or theirs

    assert_comes_true(cloud, start, manifest, faults, absent=absent, refused=refused, asked_again=IMPORT)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(
    start=STARTS,
    manifest=account_manifests(),
    absent=st.sampled_from((False, False, False, True)),
    faults=faults_on(*ACCOUNT_WRITES, *ACCOUNT_WRITES, "POST /oauth/token"),
)
def test_an_account_comes_to_what_is_declared_and_nothing_else_changes(
    cloud: Simulator, start: dict[str, Any], manifest: dict[str, Any], absent: bool, faults: list[dict[str, Any]]
) -> None:
    if absent:
        kinds = ("id", *LABELS)
        gone = [
            {key: record[key] for key in kinds if key in record} | {"claimed": False} for record in manifest["devices"]
        ]
        manifest = {"devices": gone}

    def refused(device: str, record: Mapping[str, Any]) -> bool:
        if device in (*OURS, INSIDE_AND_OURS) or record.get("claimed") is False:
            return False
        found = "id" in record or "serial_number" in record
        return "claimed" not in record or not found or device in (OFFLINE, SOMEBODYS, INSIDE_AND_SOMEBODYS, UNKNOWN)

    assert_comes_true(cloud, start, manifest, faults, absent=absent, refused=refused, asked_again=CLAIM)


def assert_comes_true(
    cloud: Simulator,
    start: Mapping[str, Any],
    manifest: Mapping[str, Any],
    faults: Sequence[Mapping[str, Any]],
    *,
    absent: bool,
    refused: Callable[[str, Mapping[str, Any]], bool],
    asked_again: str,
) -> None:
    """A run through the faults, one without, and one more that finds nothing to do.

    A device that is `refused` fails in every run, and may be asked for again in each.
    """
    cloud.reset()
    with user(cloud) as http:
        set_up(http, start)
    before = normalize_state(cloud.state())
    ids = {get_key(record): find_device_id(before, record) or UNKNOWN for record in manifest["devices"]}
    failing = {get_key(record) for record in manifest["devices"] if refused(ids[get_key(record)], record)}
    declared = expect_state(before, manifest, absent=absent, refused={ids[key] for key in failing})
    of_nobody = unneeded_groups(manifest, failing) - before["groups"][PRODUCT]

    with user(cloud, timeout=SILENT_SECONDS) as http:
        http.renew = lambda dead: log_in(http)
        cloud.set_faults(faults)
        first = through(http, manifest, absent=absent, confirm=True)
        cloud.clear_faults()
    now = normalize_state(cloud.state())
    assert_told(first, list(ids), changed=now != before)
    if first is not None:
        assert_done(first, now, declared)
    if not faults:
        assert first is not None
        assert_finished(first, failing)

    with user(cloud) as http:
        second = run(http, manifest, absent=absent, confirm=True)
        assert_finished(second, failing)
        after = normalize_state(cloud.state())
        after["groups"][PRODUCT] -= of_nobody
        assert after == declared
        if all(entry["effect"] != "delay" for entry in faults):  # what comes late may come between the two runs
            assert second["changed"] is (normalize_state(cloud.state()) != now)

        by_route = Counter(cloud.stats()["by_route"])
        third = run(http, manifest, absent=absent, confirm=True)
        assert third["changed"] is False
        written = {route for route in Counter(cloud.stats()["by_route"]) - by_route if not route.startswith("GET ")}
        assert written <= ({asked_again} if failing else set())


def unneeded_groups(manifest: Mapping[str, Any], failing: Collection[str]) -> set[str]:
    """The groups that only devices ask for which cannot be had: whether they are made is left open."""
    wanted = {True: set[str](), False: set[str]()}
    for record in manifest["devices"]:
        wanted[get_key(record) in failing] |= list_groups(record)
    return wanted[True] - wanted[False]


def assert_finished(result: Mapping[str, Any], failing: Collection[str]) -> None:
    """All is done but what cannot be."""
    told = {device["identifier"]: device["status"] for device in result["devices"]}
    assert {key for key, status in told.items() if status == "failed"} == failing, result.get("msg")
    assert set(told.values()) <= {"ok", "changed", "failed"}
