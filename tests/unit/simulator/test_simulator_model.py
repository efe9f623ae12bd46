# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Any sequence of calls leaves the cloud in the state that a small model of it predicts."""

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

THOSE = [*FREE[:2], OFFLINE, WIFI, FOREIGN, ELSEWHERE, PROTECTED, UNKNOWN]
NAMES = ["north", "south"]
MINE = 31337

# The ordinary case comes most often, so that sequences get somewhere.
device = st.sampled_from([*FREE[:2]] * 3 + THOSE)
user = st.sampled_from([DEMO[0]] * 4 + [OTHER[0]])
names = st.lists(st.sampled_from(NAMES), unique=True)
CALL = st.one_of(
    st.tuples(st.just("claim"), user, device),
    st.tuples(st.just("unclaim"), user, device),
    st.tuples(st.just("release"), user, device),
    st.tuples(st.just("import"), user, st.lists(device, min_size=1, max_size=4, unique=True), st.booleans()),
    st.tuples(st.just("remove"), user, device),
    st.tuples(st.just("groups"), user, device, names),
    st.tuples(st.just("batch"), user, st.lists(device, min_size=1, max_size=3, unique=True), names, names),
    st.tuples(st.just("make_group"), user, st.sampled_from(NAMES)),
    st.tuples(st.just("drop_group"), user, st.sampled_from(NAMES)),
    st.tuples(st.just("plug"), user, device, st.booleans()),
)
BEGINNING: list[tuple[Any, ...]] = [
    ("import", DEMO[0], FREE[:2], False),
    ("groups", DEMO[0], FREE[0], ["north"]),
]


@dataclass
class Model:
    """Who owns what, what is in the product, and in which groups. Each method says which status is due."""

    owner: dict[str, str] = field(default_factory=lambda: {FOREIGN: OTHER[0]})
    product: dict[str, int] = field(default_factory=lambda: {ELSEWHERE: 40000})
    groups: dict[str, list[str]] = field(default_factory=dict)
    existing: list[str] = field(default_factory=list)
    offline: set[str] = field(default_factory=lambda: {OFFLINE})

    def claim(self, who: str, it: str) -> int:
        if it == UNKNOWN:
            return 404
        if it in self.owner:
            return 200 if self.owner[it] == who else 403
        if it in self.offline:
            return 404
        self.owner[it] = who
        return 200

    def unclaim(self, who: str, it: str) -> int:
        if self.owner.get(it) != who:
            return 403
        del self.owner[it]
        return 200

    def release(self, who: str, it: str) -> int:
        if not self._member(who, it):
            return 403
        self.owner.pop(it, None)
        return 200

    def import_(self, who: str, those: list[str], claims: bool) -> int:
        if who != DEMO[0]:
            return 403
        for it in those:
            free = it not in (UNKNOWN, WIFI, PROTECTED) and self.owner.get(it, who) == who and it not in self.product
            if free:
                self.product[it] = MINE
            if claims and self.product.get(it) == MINE:
                self.owner.setdefault(it, who)
        return 200

    def remove(self, who: str, it: str) -> int:
        if not self._member(who, it):
            return 403
        del self.product[it]
        self.groups.pop(it, None)
        return 204

    def set_groups(self, who: str, it: str, wanted: list[str]) -> int:
        if not self._member(who, it):
            return 403
        self.groups[it] = wanted
        self.existing += [name for name in wanted if name not in self.existing]
        return 200

    def batch(self, who: str, those: list[str], add: list[str], remove: list[str]) -> int:
        if who != DEMO[0]:
            return 403
        if not all(self._member(who, it) for it in those) or not {*add, *remove} <= set(self.existing):
            return 400
        for it in those:
            merged = dict.fromkeys([*self.groups.get(it, []), *add])
            self.groups[it] = [name for name in merged if name not in remove]
        return 200

    def make_group(self, who: str, name: str) -> int:
        if who != DEMO[0] or name in self.existing:
            return 403 if who != DEMO[0] else 400
        self.existing.append(name)
        return 201

    def drop_group(self, who: str, name: str) -> int:
        if who != DEMO[0] or name not in self.existing:
            return 403 if who != DEMO[0] else 404
        self.existing.remove(name)
        self.groups = {it: [kept for kept in names if kept != name] for it, names in self.groups.items()}
        return 204

    def _member(self, who: str, it: str) -> bool:
        return who == DEMO[0] and self.product.get(it) == MINE


def carry_out(cloud: Cloud, tokens: dict[str, str], model: Model, call: tuple[Any, ...]) -> tuple[int, int]:
    """One call to both: the status that came, and the one that was due."""
    what, who, *rest = call

    def ask(method: str, path: str, content: Any = None) -> int:
        headers = {"Authorization": f"Bearer {tokens[who]}"}
        return cloud.call(method, path, json=content, headers=headers).status_code

    it = rest[0]
    if what == "claim":
        return ask("POST", "/v1/devices", {"id": it}), model.claim(who, it)
    if what == "unclaim":
        return ask("DELETE", f"/v1/devices/{it}"), model.unclaim(who, it)
    if what == "release":
        return ask("DELETE", f"{DEVICES}/{it}/owner"), model.release(who, it)
    if what == "import":
        claimer = {"claim_user": who} if rest[1] else {}
        return ask("POST", DEVICES, {"ids": it} | claimer), model.import_(who, it, rest[1])
    if what == "remove":
        return ask("DELETE", f"{DEVICES}/{it}"), model.remove(who, it)
    if what == "groups":
        return ask("PUT", f"{DEVICES}/{it}", {"groups": rest[1]}), model.set_groups(who, it, rest[1])
    if what == "batch":
        content = {"action": "groups", "devices": it, "metadata": {"add": rest[1], "remove": rest[2]}}
        return ask("PUT", DEVICES, content), model.batch(who, *rest)
    if what == "make_group":
        return ask("POST", GROUPS, {"name": it}), model.make_group(who, it)
    if what == "drop_group":
        return ask("DELETE", f"{GROUPS}/{it}"), model.drop_group(who, it)
    if it != UNKNOWN:
        cloud.change_device(it, online=rest[1])
        (model.offline.discard if rest[1] else model.offline.add)(it)
    return 200, 200


def seen(cloud: Cloud) -> dict[str, tuple[Any, ...]]:
    """Owner, product and groups of every device of interest, and the groups that there are."""
    state = cloud.state()
    rows = {row["id"]: (row["owner"], row["product"], row["groups"]) for row in state["devices"] if row["id"] in THOSE}
    (own,) = (product for product in state["products"] if product["id"] == MINE)
    return rows | {"groups": (sorted(own["groups"]),)}


def predicted(model: Model, devices: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """The same, as the model has it."""
    rows = {it: (model.owner.get(it), model.product.get(it), model.groups.get(it, [])) for it in devices}
    return rows | {"groups": (sorted(model.existing),)}


@settings(
    max_examples=count(quick=50, full=500),
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would repeat a sequence thousands of times over HTTP
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=st.lists(CALL, min_size=25, max_size=40))
def test_given_any_sequence_of_calls_then_the_cloud_does_what_the_model_says(
    cloud: Cloud, calls: list[tuple[Any, ...]]
) -> None:
    assert cloud.call("POST", "/_simulator/reset").status_code == 200
    tokens = {who[0]: cloud.token(who) for who in (DEMO, OTHER)}
    model = Model()
    for call in [*BEGINNING, *calls]:
        answered, due = carry_out(cloud, tokens, model, call)
        assert answered == due, call
    assert seen(cloud) == predicted(model, [it for it in THOSE if it != UNKNOWN])
