# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a small model predicts the answers and the state of the cloud for any sequence of calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from simulator_client import (
    DEMO,
    DEVICES,
    ELSEWHERE,
    FOREIGN,
    FREE,
    GROUPS,
    OFFLINE,
    OTHER,
    PROTECTED,
    UNKNOWN,
    WIFI,
    Cloud,
)

from support.counts import count

MODELLED_DEVICES = [*FREE[:2], OFFLINE, WIFI, FOREIGN, ELSEWHERE, PROTECTED, UNKNOWN]
GROUP_NAMES = ["north", "south"]
PRODUCT_ID = 31337

# The ordinary devices and the owner of the product are drawn most often, so that most calls succeed.
device_ids = st.sampled_from([*FREE[:2]] * 3 + MODELLED_DEVICES)
usernames = st.sampled_from([DEMO[0]] * 4 + [OTHER[0]])
group_lists = st.lists(st.sampled_from(GROUP_NAMES), unique=True)
CALL = st.one_of(
    st.tuples(st.just("claim"), usernames, device_ids),
    st.tuples(st.just("unclaim"), usernames, device_ids),
    st.tuples(st.just("release"), usernames, device_ids),
    st.tuples(st.just("import"), usernames, st.lists(device_ids, min_size=1, max_size=4, unique=True), st.booleans()),
    st.tuples(st.just("remove"), usernames, device_ids),
    st.tuples(st.just("groups"), usernames, device_ids, group_lists),
    st.tuples(
        st.just("batch"),
        usernames,
        st.lists(device_ids, min_size=1, max_size=3, unique=True),
        group_lists,
        group_lists,
    ),
    st.tuples(st.just("make_group"), usernames, st.sampled_from(GROUP_NAMES)),
    st.tuples(st.just("drop_group"), usernames, st.sampled_from(GROUP_NAMES)),
    st.tuples(st.just("plug"), usernames, device_ids, st.booleans()),
)
FIRST_CALLS: list[tuple[Any, ...]] = [
    ("import", DEMO[0], FREE[:2], False),
    ("groups", DEMO[0], FREE[0], ["north"]),
]


@dataclass
class Model:
    """A model of owners, products and groups; each method carries out a call and returns its expected status."""

    owners: dict[str, str] = field(default_factory=lambda: {FOREIGN: OTHER[0]})
    products: dict[str, int] = field(default_factory=lambda: {ELSEWHERE: 40000})
    groups: dict[str, list[str]] = field(default_factory=dict)
    existing_groups: list[str] = field(default_factory=list)
    offline: set[str] = field(default_factory=lambda: {OFFLINE})

    def claim(self, username: str, device: str) -> int:
        if device == UNKNOWN:
            return 404
        if device in self.owners:
            return 200 if self.owners[device] == username else 403
        if device in self.offline:
            return 404
        self.owners[device] = username
        return 200

    def unclaim(self, username: str, device: str) -> int:
        if self.owners.get(device) != username:
            return 403
        del self.owners[device]
        return 200

    def release(self, username: str, device: str) -> int:
        if not self._can_change(username, device):
            return 403
        self.owners.pop(device, None)
        return 200

    def import_devices(self, username: str, devices: list[str], claims: bool) -> int:
        if username != DEMO[0]:
            return 403
        for device in devices:
            if self._can_import(username, device):
                self.products[device] = PRODUCT_ID
            if claims and self.products.get(device) == PRODUCT_ID:
                self.owners.setdefault(device, username)
        return 200

    def remove(self, username: str, device: str) -> int:
        if not self._can_change(username, device):
            return 403
        del self.products[device]
        self.groups.pop(device, None)
        return 204

    def set_groups(self, username: str, device: str, groups: list[str]) -> int:
        if not self._can_change(username, device):
            return 403
        self.groups[device] = groups
        self.existing_groups += [name for name in groups if name not in self.existing_groups]
        return 200

    def change_groups(self, username: str, devices: list[str], add: list[str], remove: list[str]) -> int:
        if username != DEMO[0]:
            return 403
        if not all(self._can_change(username, device) for device in devices):
            return 400
        if not {*add, *remove} <= set(self.existing_groups):
            return 400
        for device in devices:
            merged = dict.fromkeys([*self.groups.get(device, []), *add])
            self.groups[device] = [name for name in merged if name not in remove]
        return 200

    def make_group(self, username: str, name: str) -> int:
        if username != DEMO[0] or name in self.existing_groups:
            return 403 if username != DEMO[0] else 400
        self.existing_groups.append(name)
        return 201

    def drop_group(self, username: str, name: str) -> int:
        if username != DEMO[0] or name not in self.existing_groups:
            return 403 if username != DEMO[0] else 404
        self.existing_groups.remove(name)
        self.groups = {device: [other for other in names if other != name] for device, names in self.groups.items()}
        return 204

    def _can_import(self, username: str, device: str) -> bool:
        """Return whether the import adds a device to the product."""
        if device in (UNKNOWN, WIFI, PROTECTED) or device in self.products:
            return False
        return self.owners.get(device, username) == username

    def _can_change(self, username: str, device: str) -> bool:
        """Return whether a user may change a device of the product."""
        return username == DEMO[0] and self.products.get(device) == PRODUCT_ID


def carry_out_call(cloud: Cloud, tokens: dict[str, str], model: Model, call: tuple[Any, ...]) -> tuple[int, int]:
    """Carry out a call on the cloud and on the model, and return the actual and the expected status."""
    action, username, *rest = call

    def send(method: str, path: str, content: Any = None) -> int:
        headers = {"Authorization": f"Bearer {tokens[username]}"}
        return cloud.call(method, path, json=content, headers=headers).status_code

    target = rest[0]  # a device, a list of devices or the name of a group
    if action == "claim":
        return send("POST", "/v1/devices", {"id": target}), model.claim(username, target)
    if action == "unclaim":
        return send("DELETE", f"/v1/devices/{target}"), model.unclaim(username, target)
    if action == "release":
        return send("DELETE", f"{DEVICES}/{target}/owner"), model.release(username, target)
    if action == "import":
        claim = {"claim_user": username} if rest[1] else {}
        return send("POST", DEVICES, {"ids": target} | claim), model.import_devices(username, target, rest[1])
    if action == "remove":
        return send("DELETE", f"{DEVICES}/{target}"), model.remove(username, target)
    if action == "groups":
        return send("PUT", f"{DEVICES}/{target}", {"groups": rest[1]}), model.set_groups(username, target, rest[1])
    if action == "batch":
        content = {"action": "groups", "devices": target, "metadata": {"add": rest[1], "remove": rest[2]}}
        return send("PUT", DEVICES, content), model.change_groups(username, *rest)
    if action == "make_group":
        return send("POST", GROUPS, {"name": target}), model.make_group(username, target)
    if action == "drop_group":
        return send("DELETE", f"{GROUPS}/{target}"), model.drop_group(username, target)
    if target != UNKNOWN:
        cloud.change_device(target, online=rest[1])
        (model.offline.discard if rest[1] else model.offline.add)(target)
    return 200, 200


def read_state(cloud: Cloud) -> dict[str, tuple[Any, ...]]:
    """Return owner, product and groups of each modelled device, and the groups of the product."""
    state = cloud.state()
    rows = {
        row["id"]: (row["owner"], row["product"], row["groups"])
        for row in state["devices"]
        if row["id"] in MODELLED_DEVICES
    }
    (product,) = (product for product in state["products"] if product["id"] == PRODUCT_ID)
    return rows | {"groups": (sorted(product["groups"]),)}


def predict_state(model: Model, devices: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return the state that the model predicts, in the form of `read_state`."""
    rows = {
        device: (model.owners.get(device), model.products.get(device), model.groups.get(device, []))
        for device in devices
    }
    return rows | {"groups": (sorted(model.existing_groups),)}


@settings(
    max_examples=count(quick=20, full=500),
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would repeat a sequence thousands of times over HTTP
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=st.lists(CALL, min_size=25, max_size=40))
def test_cloud_agrees_with_the_model_after_any_sequence_of_calls(cloud: Cloud, calls: list[tuple[Any, ...]]) -> None:
    assert cloud.call("POST", "/_simulator/reset").status_code == 200
    tokens = {account[0]: cloud.token(account) for account in (DEMO, OTHER)}
    model = Model()
    for call in [*FIRST_CALLS, *calls]:
        status, expected = carry_out_call(cloud, tokens, model, call)
        assert status == expected, call
    assert read_state(cloud) == predict_state(model, [device for device in MODELLED_DEVICES if device != UNKNOWN])
