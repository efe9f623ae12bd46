# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that runs reach the declared state, and change nothing else, from any state and through any faults."""

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
    READS,
    REMOVALS,
    RETRY_AFTER_VALUES,
    SHAPES,
    STATUSES,
    assert_done_as_declared,
    assert_finished,
    assert_outcomes_complete,
    fault,
    run_unless_refused,
)
from fleet_cloud import PRODUCT, RecordingHttp, device_id, log_in, run, user
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.declared import LABELS, expect_state, find_device_id, get_key, list_groups, normalize_state
from support.simulator import PASSWORD, PRODUCT_ID, USERNAME, Simulator, running_simulator

EXAMPLES = count(quick=12, full=300)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Examples are not shrunk: one takes a tenth of a second, and shrinking runs thousands."""
SILENT_SECONDS = 0.3

OTHER_USER = "somebody@example.com"
OTHER_PRODUCT = 4711

NEW = [device_id(number) for number in range(0x10, 0x13)]
IN_PRODUCT = [device_id(number) for number in range(0x20, 0x24)]
IN_PRODUCT_AND_CLAIMED, IN_PRODUCT_AND_FOREIGN = device_id(0x2A), device_id(0x2B)
QUARANTINED = device_id(0x30)
CLAIMED = [device_id(number) for number in range(0x40, 0x42)]
OFFLINE = device_id(0x50)
IN_OTHER_PRODUCT = device_id(0x60)
FOREIGN = device_id(0x70)
UNKNOWN = device_id(0x80)

PRODUCT_DEVICES = [*IN_PRODUCT, IN_PRODUCT_AND_CLAIMED, IN_PRODUCT_AND_FOREIGN]
"""Devices whose state in the product an example may choose."""
ALL_DEVICES = [*NEW, *PRODUCT_DEVICES, QUARANTINED, *CLAIMED, OFFLINE, IN_OTHER_PRODUCT, FOREIGN, UNKNOWN]


def build_labels(device: str) -> dict[str, str]:
    """Build the identifiers that are printed on a device."""
    number = int(device, 16) & 0xFF
    return {
        "serial_number": f"P046{number:04}",
        "iccid": f"89014103{number:012}",
        "imei": f"352753{number:09}",
    }


def build_fleet() -> list[dict[str, Any]]:
    """Build the fleet of the simulator: all devices except the unknown one."""
    known: dict[str, dict[str, Any]] = {device: {} for device in ALL_DEVICES if device != UNKNOWN}
    for device in (*PRODUCT_DEVICES, QUARANTINED):
        known[device]["product_id"] = PRODUCT_ID
    for device in (*CLAIMED, IN_PRODUCT_AND_CLAIMED):
        known[device]["owner"] = USERNAME
    for device in (FOREIGN, IN_PRODUCT_AND_FOREIGN):
        known[device]["owner"] = OTHER_USER
    known[QUARANTINED].update(quarantined=True, name="unit-1")
    known[CLAIMED[0]]["notes"] = "ours"
    known[OFFLINE]["online"] = False
    known[IN_OTHER_PRODUCT].update(product_id=OTHER_PRODUCT, name="theirs", groups=["theirs"])
    known[FOREIGN]["notes"] = "theirs"
    return [{"id": device, **build_labels(device), **more} for device, more in known.items()]


GROUPS = ("north", "south", "beta")
NETWORKS = ("barn", "shed", "yard")
TEXTS = st.sampled_from(("", "a", "north wall", "ÜŸ — \u2028 {{ x }}", "<b>&amp;</b>"))
NAMES = st.sampled_from([f"unit-{number}" for number in range(len(ALL_DEVICES))])
GROUP_SETS = st.lists(st.sampled_from(GROUPS), unique=True, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "notes": TEXTS,
    "groups": GROUP_SETS,
    "development": st.booleans(),
    "firmware_lock": st.sampled_from((7, "unlocked")),
    "claimed": st.booleans(),
    "approval": st.just("approved"),
}
PARAMETERS = st.dictionaries(
    st.sampled_from(("channel", "key", "peers")),
    st.none() | st.booleans() | st.integers(-1, 30) | st.floats(0, 1) | TEXTS | st.lists(st.integers(0, 3), max_size=2),
    max_size=2,
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "fleet.json").write_text(json.dumps(build_fleet()))
    accounts = [{"username": name, "password": PASSWORD} for name in (USERNAME, OTHER_USER)]
    (folder / "accounts.json").write_text(json.dumps(accounts))
    flags = ("--fleet", str(folder / "fleet.json"), "--accounts", str(folder / "accounts.json"))
    with running_simulator(*flags) as simulator:
        yield simulator


# --- the state in which an example starts ---


@st.composite
def device_states(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the state of a product's device before the run, including states that no run leaves behind."""
    mesh_groups = st.sampled_from([f"mesh-{name}" for name in (*NETWORKS, "gateway", "node")])
    instructions = st.fixed_dictionaries(
        {},
        optional={
            "network": st.sampled_from(NETWORKS),
            "role": st.sampled_from(("gateway", "node", "captain")),
            "gateways": st.lists(st.sampled_from(PRODUCT_DEVICES), max_size=2),
            "parameters": PARAMETERS | st.just("none"),
            "firmware": st.just("somebody else's"),
        },
    )
    return {
        "name": draw(NAMES | st.none()),
        "notes": draw(TEXTS | st.none()),
        "groups": draw(GROUP_SETS) + draw(st.lists(mesh_groups, unique=True, max_size=3)),
        "instructions": draw(instructions | st.none()),
    }


LEDGERS = st.sampled_from(((), ("mesh",), ("mesh", "mesh-status"), ("mesh", "mesh-status", "weather")))
START_STATES = st.fixed_dictionaries(
    {
        "devices": st.fixed_dictionaries({device: device_states() for device in PRODUCT_DEVICES}),
        "imported": st.sets(st.sampled_from(NEW)),
        "ledgers": LEDGERS,
    }
)


def write_start_state(http: RecordingHttp, start: Mapping[str, Any]) -> None:
    """Write the state in which an example starts to a fresh cloud."""
    for name in start["ledgers"]:
        direction = "Upstream" if name == "mesh-status" else "Downstream"
        definition = {"ledger": {"name": name, "scope": "Device", "direction": direction}}
        http.send(Request("POST /v1/ledgers", "set up", json=definition))
    if start["imported"]:
        file = FilePart("devices.txt", "\n".join(start["imported"]).encode(), "text/plain")
        http.send(Request(IMPORT, "set up", {"p": PRODUCT_ID}, file=file))
    for device, state in start["devices"].items():
        fields = {key: state[key] for key in ("notes", "groups")}
        if state["name"] is not None:
            fields["name"] = state["name"]
        at: dict[str, object] = {"p": PRODUCT_ID, "id": device}
        http.send(Request("PUT /v1/products/:p/devices/:id", "set up", at, json=fields))
        if state["instructions"] is not None and "mesh" in start["ledgers"]:
            body = {"instance": {"data": state["instructions"]}}
            at = {"name": "mesh", "scopeValue": device}
            http.send(Request("PUT /v1/ledgers/:name/instances/:scopeValue", "set up", at, json=body))


# --- the manifest of an example ---


UNAVAILABLE = {
    key
    for device in (IN_OTHER_PRODUCT, FOREIGN, IN_PRODUCT_AND_FOREIGN, UNKNOWN, QUARANTINED)
    for key in (device, *build_labels(device).values())
}
"""Identifiers of the devices that the account cannot get, or only with a declared approval."""


@st.composite
def records(draw: st.DrawFn, *optional: str) -> list[dict[str, Any]]:
    """Draw records of some devices, each declared by its id or a label, with some of the `optional` keys."""
    chosen = draw(st.lists(st.sampled_from(ALL_DEVICES), unique=True, max_size=8))
    names = iter(draw(st.lists(NAMES, unique=True, min_size=len(chosen), max_size=len(chosen))))
    drawn = []
    for device in chosen:
        record: dict[str, Any] = {}
        for key in optional:
            if draw(st.booleans()):
                record[key] = next(names) if key == "name" else draw(VALUES[key])
        kind = draw(st.sampled_from(("id", "id", "id", *LABELS)))
        drawn.append({kind: {"id": device, **build_labels(device)}[kind], **record})
    return drawn


@st.composite
def product_manifests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid manifest for devices that are in the product or must be imported into it."""
    networks: dict[str, Any] = {
        name: {"parameters": draw(PARAMETERS)} for name in draw(st.sets(st.sampled_from(NETWORKS)))
    }
    devices = draw(records("name", "notes", "groups", "development", "firmware_lock", "claimed", "approval"))
    role = st.sampled_from(("gateway", "node"))
    membership = {"network": st.sampled_from(sorted(networks)), "role": role}
    joining = [st.fixed_dictionaries(membership, optional={"parameters": PARAMETERS})] * bool(networks)
    for record in devices:
        if mesh := draw(st.one_of(st.none(), st.just({"state": "absent"}), *joining)):
            record["mesh"] = mesh
    for name, network in networks.items():
        members = [record["mesh"] for record in devices if record.get("mesh", {}).get("network") == name]
        if members and all(mesh["role"] == "node" for mesh in members):
            if draw(st.booleans()):
                members[0]["role"] = "gateway"
            else:  # a gateway in the manifest of another run
                network["gateways"] = [device_id(0xF0 + NETWORKS.index(name))]
        # If no declared gateway is available, nodes wait for it and old gateways do not leave. Other tests cover that:
        # here each network has an available gateway or no declared members.
        declared = [record for record in devices if record.get("mesh", {}).get("network") == name]
        available = [record["mesh"] for record in declared if get_key(record) not in UNAVAILABLE]
        gateways = [mesh for mesh in members if mesh["role"] == "gateway"]
        if gateways and available and not any(gateway is mesh for gateway in gateways for mesh in available):
            available[0]["role"] = "gateway"
        if gateways and not available:
            for record in declared:
                del record["mesh"]
    manifest: dict[str, Any] = {"product": PRODUCT, "networks": networks, "devices": devices}
    mode = draw(st.sampled_from((None, "add", "exact")))
    return manifest if mode is None else {**manifest, "groups_mode": mode}


@st.composite
def account_manifests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid manifest for devices that the account has claimed, must claim or must unclaim."""
    devices = draw(records("name", "notes", "claimed"))
    for record in devices:
        if record.get("claimed") is False:  # an unclaimed device cannot have a name
            record.pop("name", None)
            record.pop("notes", None)
    return {"devices": devices}


def faults_on(*routes: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw a schedule of up to three faults, each of which occurs up to six times in a row."""
    where = st.sampled_from((*routes, *READS, "PUT *", "*"))
    times = st.integers(1, 6)
    plain = st.sampled_from(("reset_before", "reset_after", "truncated", "empty"))
    any_fault = st.one_of(
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
            retry_after=st.sampled_from(RETRY_AFTER_VALUES),
        ),
        st.builds(fault, where, st.just("silence"), times=st.just(1)),
        st.builds(fault, where, st.just("delay"), times=st.just(1), delay=st.just(SILENT_SECONDS + 0.05)),
    )
    return st.lists(any_fault, max_size=3)


# --- the runs of an example ---


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(
    start=START_STATES,
    manifest=product_manifests(),
    absent=st.sampled_from((False, False, False, True)),
    faults=faults_on(*CREATIONS, *CHANGES, *REMOVALS, "POST /oauth/token"),
)
def test_product_reaches_the_declared_state_and_nothing_else_changes(
    cloud: Simulator, start: dict[str, Any], manifest: dict[str, Any], absent: bool, faults: list[dict[str, Any]]
) -> None:
    unavailable = set() if absent else {IN_OTHER_PRODUCT, FOREIGN, UNKNOWN}

    def is_refused(device: str, record: Mapping[str, Any]) -> bool:
        claimed = record.get("claimed")
        foreign = device == IN_PRODUCT_AND_FOREIGN and (claimed is False or (claimed is True and not absent))
        unapproved = device == QUARANTINED and not absent and "approval" not in record
        return device in unavailable or foreign or unapproved

    assert_declared_state_is_reached(
        cloud, start, manifest, faults, absent=absent, is_refused=is_refused, repeated_route=IMPORT
    )


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(
    start=START_STATES,
    manifest=account_manifests(),
    absent=st.sampled_from((False, False, False, True)),
    faults=faults_on(*ACCOUNT_WRITES, *ACCOUNT_WRITES, "POST /oauth/token"),
)
def test_account_reaches_the_declared_state_and_nothing_else_changes(
    cloud: Simulator, start: dict[str, Any], manifest: dict[str, Any], absent: bool, faults: list[dict[str, Any]]
) -> None:
    if absent:
        kinds = ("id", *LABELS)
        unclaimed = [
            {key: record[key] for key in kinds if key in record} | {"claimed": False} for record in manifest["devices"]
        ]
        manifest = {"devices": unclaimed}

    def is_refused(device: str, record: Mapping[str, Any]) -> bool:
        if device in (*CLAIMED, IN_PRODUCT_AND_CLAIMED) or record.get("claimed") is False:
            return False
        found = "id" in record or "serial_number" in record
        return "claimed" not in record or not found or device in (OFFLINE, FOREIGN, IN_PRODUCT_AND_FOREIGN, UNKNOWN)

    assert_declared_state_is_reached(
        cloud, start, manifest, faults, absent=absent, is_refused=is_refused, repeated_route=CLAIM
    )


def assert_declared_state_is_reached(
    cloud: Simulator,
    start: Mapping[str, Any],
    manifest: Mapping[str, Any],
    faults: Sequence[Mapping[str, Any]],
    *,
    absent: bool,
    is_refused: Callable[[str, Mapping[str, Any]], bool],
    repeated_route: str,
) -> None:
    """Run a manifest with the faults, twice without them, and a last time, which changes nothing.

    The second run without faults deletes the instructions of devices that the first one has ordered to leave.

    :param is_refused: whether the account cannot get a device; such a device fails in every run.
    :param repeated_route: the only write that the last run may send, for refused devices.
    """
    cloud.reset()
    cloud.add_firmware(7)
    with user(cloud) as http:
        write_start_state(http, start)
    before = normalize_state(cloud.state())
    ids = {get_key(record): find_device_id(before, record) or UNKNOWN for record in manifest["devices"]}
    failing = {get_key(record) for record in manifest["devices"] if is_refused(ids[get_key(record)], record)}
    declared = expect_state(before, manifest, absent=absent, refused={ids[key] for key in failing})
    optional_groups = find_optional_groups(manifest, failing) - before["groups"][PRODUCT]

    with user(cloud, timeout=SILENT_SECONDS) as http:
        http.renew = lambda expired: log_in(http)
        cloud.set_faults(faults)
        first = run_unless_refused(http, manifest, absent=absent, confirm=True)
        cloud.clear_faults()
    now = normalize_state(cloud.state())
    assert_outcomes_complete(first, list(ids), changed=now != before)
    if first is not None:
        assert_done_as_declared(first, now, declared)
    if not faults:
        assert first is not None
        assert_finished(first, failing)

    with user(cloud) as http:
        second = run(http, manifest, absent=absent, confirm=True)
        assert_finished(second, failing)
        if all(entry["effect"] != "delay" for entry in faults):  # a delayed write may take effect between the two runs
            assert second["changed"] is (normalize_state(cloud.state()) != now)
        assert_finished(run(http, manifest, absent=absent, confirm=True), failing)
        after = normalize_state(cloud.state())
        after["groups"][PRODUCT] -= optional_groups
        assert after == declared

        by_route = Counter(cloud.stats()["by_route"])
        last = run(http, manifest, absent=absent, confirm=True)
        assert last["changed"] is False
        written = {route for route in Counter(cloud.stats()["by_route"]) - by_route if not route.startswith("GET ")}
        assert written <= ({repeated_route} if failing else set())


def find_optional_groups(manifest: Mapping[str, Any], failing: Collection[str]) -> set[str]:
    """Find the groups that only refused devices declare: a run may create them or not."""
    wanted = {True: set[str](), False: set[str]()}
    for record in manifest["devices"]:
        wanted[get_key(record) in failing] |= list_groups(record)
    return wanted[True] - wanted[False]
