# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The REST API of border routers has the shapes that docs/facts/otbr-rest.md describes.

The tests only send GET requests. They always run against simulated border routers, and also against the real border
router at `OTBR_URL` if this environment variable is set. A failure shows the shape of a response and never its
values, because a response can contain the keys of a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from support.border_router_target import (
    HOW_TO_SET_NODES,
    HOW_TO_SET_URL,
    REAL_NODES,
    REAL_URL,
    read_nodes,
)
from support.otbr import running_border_routers
from support.otbr_client import Router

TIMEOUT_SECONDS = 30
JSON_API = "application/vnd.api+json"
STATES = {"disabled", "detached", "child", "router", "leader"}
ATTACHED = STATES - {"disabled", "detached"}

# The forms of values. Each is a pattern for texts, or a type.
HEX_16, HEX_32 = r"[0-9a-fA-F]{16}", r"[0-9a-fA-F]{32}"
RLOC16 = r"0x[0-9a-fA-F]{1,4}"
ANY_TEXT = r"(?s).*"
Form = Any
"""A type, a pattern, a function that returns a bool, a list with the form of its items, or a dict of forms."""


@dataclass(frozen=True)
class Target:
    """A border router under test."""

    url: str
    session: requests.Session

    def get(self, path: str, accept: str = "*/*") -> requests.Response:
        """Send a GET request."""
        return self.session.get(self.url + path, headers={"Accept": accept}, timeout=TIMEOUT_SECONDS)

    @property
    def has_items(self) -> bool:
        """Whether the border router has the JSON:API part, and keys in camelCase (otbr-rest.md, section 1)."""
        return self.get("/api/actions").status_code == 200

    def read(self, path: str) -> Any:
        """Return the JSON of a response with camelCase keys, or None if the response is 204."""
        answer = self.get(path)
        assert answer.status_code in (200, 204), f"{path} answers {answer.status_code}"
        return _to_camel(answer.json()) if answer.status_code == 200 else None


def _to_camel(content: Any) -> Any:
    """Return JSON data with the keys of the present API. Older border routers have keys in PascalCase."""
    if not isinstance(content, dict):
        return content
    renamed = {"PSKc": "pskc"}
    return {renamed.get(key, key[:1].lower() + key[1:]): _to_camel(value) for key, value in content.items()}


def find_faults(value: Any, form: Form, place: str = "") -> list[str]:
    """Return a sentence for each part of a value that does not have the expected form. It shows no value."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [f"{place} must be an object, got {type(value).__name__}"]
        missing = [f"{place}.{key} is missing" for key in form if key not in value and not key.endswith("?")]
        pairs = ((key.rstrip("?"), inner) for key, inner in form.items())
        return missing + [
            fault for key, inner in pairs if key in value for fault in find_faults(value[key], inner, f"{place}.{key}")
        ]
    if isinstance(form, list):
        if not isinstance(value, list):
            return [f"{place} must be a list, got {type(value).__name__}"]
        return [
            fault for number, item in enumerate(value) for fault in find_faults(item, form[0], f"{place}[{number}]")
        ]
    if isinstance(form, str):
        is_right = isinstance(value, str) and re.fullmatch(form, value) is not None
    elif isinstance(form, type):
        is_right = isinstance(value, form) and (form is bool or not isinstance(value, bool))
    else:
        is_right = form(value)
    return [] if is_right else [f"{place} has another form than the facts say ({type(value).__name__})"]


def is_text_or_list(value: Any) -> bool:
    """Return whether a value is a text, or a list of texts."""
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) for text in texts)


def is_state(value: Any) -> bool:
    """Return whether a value is a state of a border router."""
    return value in STATES


TIMESTAMP = {"seconds": int, "ticks": int, "authoritative": bool}
POLICY_FLAGS = (
    "obtainNetworkKey nativeCommissioning routers externalCommissioning commercialCommissioning "
    "autonomousEnrollment networkKeyProvisioning tobleLink nonCcmRouters"
).split()
DATASET = {
    "networkName": ANY_TEXT,
    "channel": int,
    "channelMask": int,
    "panId": int,
    "extPanId": HEX_16,
    "meshLocalPrefix": r"[0-9a-f:]+/64",
    "networkKey": HEX_32,
    "pskc": HEX_32,
    "activeTimestamp": TIMESTAMP,
    "securityPolicy": {"rotationTime": int, **dict.fromkeys(POLICY_FLAGS, bool)},
}
LEADER_DATA = dict.fromkeys("partitionId weighting dataVersion stableDataVersion leaderRouterId".split(), int)
NODE = {
    "state": is_state,
    "rlocAddress": r"[0-9a-f:]+",
    "extAddress": HEX_16,
    "networkName": ANY_TEXT,
    "extPanId": HEX_16,
    "leaderData": LEADER_DATA,
}
MODE = {"fullThreadDevice": bool, "rxOnWhenIdle": bool, "fullNetworkData": bool}
DEVICE = {
    "extAddress": HEX_16,
    "mlEidIid": HEX_16,
    "omrIpv6Address": is_text_or_list,
    "hostname": ANY_TEXT,
    "role": r"(router|child|)",
    "mode": MODE,
    "created": ANY_TEXT,
}
TASK_STATUS = r"pending|active|undiscovered|attempted|completed|stopped|failed"
COLLECTION = {"offset": int, "limit": int, "total": int}
TASKS = {
    "data": [{"id": r"[0-9a-f-]{36}", "type": ANY_TEXT, "attributes": {"status": TASK_STATUS, "created": ANY_TEXT}}],
    "meta": {"collection": {**COLLECTION, "pending": int}},
}
DEVICES = {
    "data": [{"id": HEX_16, "type": r"threadDevice|threadBorderRouter", "attributes": DEVICE}],
    "meta": {"collection": COLLECTION},
}
DIAGNOSTICS = {
    "data": [{"id": r"[0-9a-f-]{36}", "type": r"networkDiagnostics|energyScanReport", "attributes": dict}],
    "meta": {"collection": COLLECTION},
}
CHILD = {
    **MODE,
    "rloc16": RLOC16,
    "childId": int,
    "extAddress": HEX_16,
    "threadVersion": int,
    "timeout": int,
    "linkMargin": int,
    "averageRssi": int,
    "lastRssi": int,
}
ANSWERS = {"eui?": HEX_16, "rloc16?": RLOC16, "extAddress?": HEX_16, "children?": [CHILD], "mode?": MODE}


def set_up_network(router: Router) -> None:
    """Form a network with two nodes, and fill the caches of the border router."""
    router.form()
    router.join(0, 1)
    router.refresh()
    for address in router.devices():
        router.ask(address, "eui", "extAddress", "rloc16", "mode", "children")


def set_up_nothing(router: Router) -> None:
    """Leave the border router as it is at the start."""


WITHOUT_ITEMS = "simulated, old"
REAL = ["real"] if REAL_URL else []
SIMULATED: dict[str, tuple[Callable[[Router], None], tuple[str, ...]]] = {
    "simulated, without a network": (set_up_nothing, ()),
    "simulated, with a network": (set_up_network, ("--nodes=2",)),
    "simulated, newer": (set_up_network, ("--nodes=2", "--generation=newer")),
    WITHOUT_ITEMS: (set_up_nothing, ("--generation=old",)),
}


@pytest.fixture(scope="module")
def targets() -> Iterator[Callable[[str], Target]]:
    """Open a target by its name. Simulated ones start once, and run until the end of this file."""
    opened: dict[str, Target] = {}
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False

        def open_target(name: str) -> Target:
            if name not in opened:
                if name == "real":
                    opened[name] = Target(REAL_URL, session)
                else:
                    prepare, flags = SIMULATED[name]
                    otbr = stack.enter_context(running_border_routers(*flags))
                    prepare(Router(otbr, otbr.url))
                    opened[name] = Target(otbr.url, session)
            return opened[name]

        yield open_target


@pytest.fixture(params=[*SIMULATED, *REAL])
def target(request: pytest.FixtureRequest, targets: Callable[[str], Target]) -> Target:
    """Each border router in turn."""
    return targets(request.param)


@pytest.fixture(params=[*(name for name in SIMULATED if name != WITHOUT_ITEMS), *REAL])
def modern(request: pytest.FixtureRequest, targets: Callable[[str], Target]) -> Target:
    """Each border router that has the JSON:API part."""
    target = targets(request.param)
    if not target.has_items:
        pytest.skip("This border router has no JSON:API part.")
    return target


def test_real_border_router_answers(targets: Callable[[str], Target]) -> None:
    if not REAL_URL:
        pytest.skip(HOW_TO_SET_URL)
    assert is_state(targets("real").get("/node/state").json())


def test_node_has_the_documented_shape(target: Target) -> None:
    assert find_faults(target.read("/node"), NODE) == []


def test_state_is_the_one_of_the_summary(target: Target) -> None:
    state = target.get("/node/state").json()
    assert is_state(state)
    assert target.read("/node")["state"] == state


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("rloc16", int),
        ("num-of-router", int),
        ("ext-address", HEX_16),
        ("network-name", ANY_TEXT),
        ("ext-panid", HEX_16),
        ("rloc", ANY_TEXT),
    ],
)
def test_single_value_has_the_documented_form(target: Target, path: str, form: Form) -> None:
    assert find_faults(target.read(f"/node/{path}"), form, path) == []


def test_leader_data_exists_only_in_a_network(target: Target) -> None:
    answer = target.get("/node/leader-data")
    if target.read("/node")["state"] in ATTACHED:
        assert find_faults(_to_camel(answer.json()), LEADER_DATA) == []
    else:
        assert answer.status_code == 500


def test_active_dataset_has_the_documented_shape(target: Target) -> None:
    dataset = target.read("/node/dataset/active")
    if dataset is not None:
        assert find_faults(dataset, DATASET) == []
        assert dataset["channel"] in range(11, 27), "the channel is outside the band"
    else:
        assert target.read("/node")["state"] not in ATTACHED, "a network without a dataset"


def test_active_dataset_has_a_text_form(target: Target) -> None:
    answer = target.get("/node/dataset/active", "text/plain")
    if answer.status_code == 204:
        assert answer.content == b""
    else:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert re.fullmatch(r"([0-9A-Fa-f]{2})+", answer.text.strip()) is not None, "not hexadecimal digits"


def test_pending_dataset_has_the_documented_shape(target: Target) -> None:
    pending = target.read("/node/dataset/pending")
    form = {"activeDataset": DATASET, "pendingTimestamp": TIMESTAMP, "delay": int}
    assert pending is None or find_faults(pending, form) == []


def test_commissioner_has_a_state_and_a_list(target: Target) -> None:
    answer = target.get("/node/commissioner/state")
    if answer.status_code == 404:
        pytest.skip("This border router has no joiner list.")
    assert answer.json() in ("disabled", "petitioning", "active")
    joiner = {"pskd": ANY_TEXT, "eui?": HEX_16, "discerner?": ANY_TEXT, "timeout": int}
    assert find_faults(target.read("/node/commissioner/joiner"), [joiner]) == []


def test_discovery_document_has_the_documented_shape(modern: Target) -> None:
    answer = modern.get("/.well-known/thread/br-rest")
    if answer.status_code == 404:
        pytest.skip("This border router has no discovery document.")
    form = {"api": {"version": ANY_TEXT, "base": ANY_TEXT}, "links": [{"href": ANY_TEXT, "rel": ANY_TEXT}]}
    assert find_faults(answer.json(), form) == []


@pytest.mark.parametrize(
    ("path", "form"), [("/api/actions", TASKS), ("/api/devices", DEVICES), ("/api/diagnostics", DIAGNOSTICS)]
)
def test_collection_has_the_documented_shape(modern: Target, path: str, form: Form) -> None:
    assert find_faults(modern.read(path), form) == []


def test_diagnostic_results_have_the_documented_shape(modern: Target) -> None:
    for item in modern.read("/api/diagnostics")["data"]:
        if item["type"] == "networkDiagnostics":
            assert find_faults(item["attributes"], ANSWERS) == []


@pytest.mark.parametrize("path", ["/api/actions", "/api/devices", "/api/diagnostics"])
@pytest.mark.parametrize(("accept", "status"), [(JSON_API, 200), ("application/json", 200), ("application/*", 406)])
def test_accept_is_taken_literally(modern: Target, path: str, accept: str, status: int) -> None:
    assert modern.get(path, accept).status_code == status


@pytest.mark.parametrize("path", ["/api/actions", "/api/devices"])
def test_forbidden_character_in_a_header_is_refused(modern: Target, path: str) -> None:
    answer = modern.session.get(modern.url + path, headers={"X-Note": "a@b"}, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/nothing", "/node/nothing"])
def test_unknown_path_has_the_documented_error_body(target: Target, path: str) -> None:
    answer = target.get(path)
    assert answer.status_code == 404
    if target.has_items:
        assert find_faults(answer.json(), {"title": ANY_TEXT, "status": int, "detail": ANY_TEXT}) == []


def test_every_response_allows_other_web_pages(target: Target) -> None:
    assert target.get("/node").headers["Access-Control-Allow-Origin"] == "*"


class TestNodesFile:
    """The file of nodes, which tests that let real nodes join read."""

    def test_file_of_the_environment_is_valid(self) -> None:
        if not REAL_NODES:
            pytest.skip(HOW_TO_SET_NODES)
        assert read_nodes(REAL_NODES)

    def test_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "nodes.json"
        path.write_text(json.dumps([{"eui64": "18B4300000000001", "pskd": "J01NME"}]))
        (node,) = read_nodes(path)
        assert (node.eui64, node.pskd) == ("18b4300000000001", "J01NME")
        assert "J01NME" not in repr(node)

    @pytest.mark.parametrize(
        "content",
        [{}, [5], [{"eui64": "1"}], [{"eui64": "18b4300000000001", "pskd": "SECRET-0"}]],
    )
    def test_wrong_file_is_refused_without_its_secrets(self, tmp_path: Path, content: Any) -> None:
        path = tmp_path / "nodes.json"
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="must") as refused:
            read_nodes(path)
        assert "SECRET" not in str(refused.value)


class TestShapes:
    """The comparison finds each difference, and shows no value."""

    @pytest.mark.parametrize(
        ("value", "form"),
        [
            ({}, {"a": int}),
            ({"a": "secret"}, {"a": int}),
            ({"a": True}, {"a": int}),
            ([{"a": "secret"}], [{"a": HEX_16}]),
            ("secret", [int]),
            ("secret", {"a": int}),
            ("secret", is_state),
        ],
    )
    def test_difference_is_found(self, value: Any, form: Form) -> None:
        (fault,) = find_faults(value, form, "body")
        assert fault.startswith("body")
        assert "secret" not in fault
