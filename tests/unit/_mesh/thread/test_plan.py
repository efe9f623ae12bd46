# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The plan for Thread networks: what is written, and what is refused before the first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    NODE,
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import Dataset, Pending
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import (
    ChangeNetwork,
    Commission,
    ConfirmJoined,
    ExtendNetwork,
    FormNetwork,
    Joiner,
    Observed,
    ObservedNetwork,
    ObservedRouter,
    StartRouter,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.plan import plan
from support.thread_networks import EUI64, KEY, PSKD

ONE, TWO = "http://127.0.0.1:8081", "http://127.0.0.1:8082"
OTHER = "18b4300000000002"
DATASET = Dataset(
    {"networkName": "barn", "channel": 15, "panId": 1, "extPanId": "aabb112233445566", "networkKey": KEY, "pskc": KEY}
)
ELSEWHERE = Dataset({"networkName": "yard", "extPanId": "0000000000000001"})


def declare(*urls: str, name: str = "barn", **more: Any) -> Network:
    """Return a declared network with border routers."""
    extra = {"border_routers": [{"url": url} for url in urls], **more.pop("extra", {})}
    return Network(name, (), more.pop("parameters", None), "thread", extra=extra, **more)


def see(url: str, state: str = "leader", **more: Any) -> ObservedRouter:
    """Return an observed border router, which is in network barn unless ``dataset`` says otherwise."""
    return ObservedRouter(url, state, True, more.pop("has_joiners", True), more.pop("dataset", DATASET), **more)


def make_plan(
    network: Network,
    *routers: ObservedRouter,
    wanted: Mapping[str, Membership | None] | None = None,
    **seen: Any,
) -> MeshPlan:
    """Return the plan for one network. Each device in ``wanted`` has its id as EUI-64."""
    wanted = wanted or {}
    hardware = {device: Hardware(identities={"eui64": device}, is_outside_cloud=True) for device in wanted}
    observed = Observed({network.name: ObservedNetwork(routers, **seen)}, hardware)
    return plan({network.name: network}, wanted, observed)


def join(*euis: str, pskd: str | None = PSKD) -> dict[str, Membership | None]:
    """Return memberships in network barn."""
    return {eui64: Membership("barn", NODE, extra={"joiner": pskd} if pskd else {}) for eui64 in euis}


class TestWrites:
    """The writes lead from the observed state to the declaration, and nothing is written without a difference."""

    def test_fresh_border_routers_form_one_network(self) -> None:
        fresh = [see(url, "disabled", dataset=None) for url in (ONE, TWO)]
        made = make_plan(declare(ONE, TWO, parameters={"channel": 15}), *fresh, wanted=join(EUI64))
        form, extend, commission = (shared.write for shared in made.setup)
        assert form == FormNetwork("barn", ONE, {"channel": 15})
        assert extend == ExtendNetwork("barn", ONE, TWO)
        assert isinstance(commission, Commission)
        assert (commission.url, [joiner.eui64 for joiner in commission.joiners]) == (ONE, [EUI64])
        assert made.members[EUI64].writes == (ConfirmJoined("barn", EUI64),)
        assert made.created_names["thread networks"] == ("barn",)

    def test_running_network_without_differences_needs_no_write(self) -> None:
        network = declare(ONE, TWO, parameters={"channel": 15, "network_key": KEY.upper()})
        made = make_plan(network, see(ONE), see(TWO, "router"), wanted=join(EUI64), members={EUI64: "a1"})
        assert (made.setup, made.created_names, made.refusals) == ((), {}, ())
        assert not made.members[EUI64].changes

    def test_existing_network_is_adopted_and_extended(self) -> None:
        made = make_plan(declare(ONE, TWO), see(ONE, "disabled", dataset=None), see(TWO))
        assert [shared.write for shared in made.setup] == [ExtendNetwork("barn", TWO, ONE)]

    def test_stopped_border_router_is_started(self) -> None:
        made = make_plan(declare(ONE), see(ONE, "disabled"))
        assert [shared.write for shared in made.setup] == [StartRouter("barn", ONE)]

    def test_only_missing_members_are_commissioned(self) -> None:
        made = make_plan(declare(ONE), see(ONE), wanted=join(EUI64, OTHER), members={EUI64: "a1"})
        (shared,) = made.setup
        assert [joiner.eui64 for joiner in shared.write.joiners] == [OTHER]
        assert shared.members == {OTHER}

    def test_device_of_the_cloud_joins_with_its_eui64(self) -> None:
        device = "e00fce68aabbccddeeff0022"
        wanted = {device: Membership("barn", NODE, extra={"joiner": PSKD})}
        observed = Observed({"barn": ObservedNetwork((see(ONE),))}, {device: Hardware(identities={"eui64": EUI64})})
        made = plan({"barn": declare(ONE)}, wanted, observed)
        (shared,) = made.setup
        assert shared.write.joiners == (Joiner(device, EUI64, PSKD),)
        assert made.members[device].writes == (ConfirmJoined("barn", device),)

    def test_leftover_task_of_a_member_is_removed(self) -> None:
        left = ("0815",)
        made = make_plan(declare(ONE), see(ONE), wanted=join(EUI64), members={EUI64: "a1"}, leftovers=left)
        (shared,) = made.setup
        assert (shared.write.joiners, shared.write.leftovers) == ((), left)

    def test_member_without_joiner_key_is_only_confirmed(self) -> None:
        made = make_plan(declare(ONE), see(ONE), wanted=join(EUI64, pskd=None))
        assert made.setup == ()
        assert made.members[EUI64].writes == (ConfirmJoined("barn", EUI64, has_joiner=False),)

    def test_changed_parameters_are_shown_by_name_only(self) -> None:
        network = declare(ONE, parameters={"channel": 20, "network_name": "shed"}, extra={"change_delay": 60})
        made = make_plan(network, see(ONE))
        (shared,) = made.setup
        assert shared.write == ChangeNetwork("barn", ONE, {"channel": 20, "network_name": "shed"}, 60)
        assert made.changed_names == {"thread parameters": ("barn: channel, network_name",)}
        assert KEY not in repr(made)
        assert "shed" not in repr(made)


class TestRefusals:
    """What Thread or the border router cannot do is refused in words."""

    @pytest.mark.parametrize(
        ("network", "routers", "wanted", "seen", "sentence"),
        [
            (
                *(declare(ONE), [see(ONE)], {EUI64: None}, {"members": {EUI64: "a"}}),
                f"{EUI64}: is in network barn, and cannot leave it: Thread has no way to remove a member over the "
                "border router: reset the board to its factory settings",
            ),
            (
                *(declare(ONE, absent=True), [see(ONE)], {}, {}),
                "barn: cannot be dissolved over its border routers, because its members would go on without them; "
                "reset each board and each border router to its factory settings",
            ),
            (
                *(declare(ONE, TWO), [see(ONE), see(TWO, dataset=ELSEWHERE)], {}, {}),
                f"barn: its border routers are in different networks: {TWO} is in network 'yard' (0000000000000001), "
                "not in 'barn' (aabb112233445566); reset one of them to its factory settings, or declare it elsewhere",
            ),
            (
                *(declare(ONE, parameters={"network_key": "0" * 32, "channel": 20}), [see(ONE)], {}, {}),
                "barn: network_key of the running network differ from the declaration, and a change would lose every "
                "member that does not hear of it; remove them from parameters to adopt the network as it is",
            ),
            (
                *(declare(ONE, parameters={"channel": 20}), [see(ONE)], {}, {"unreachable": (TWO,)}),
                f"barn: {TWO} does not answer and would miss the change of channel; start this border router, or "
                "remove it from border_routers",
            ),
            (
                *(declare(ONE, parameters={"channel": 20}), [see(ONE, pending=Pending(DATASET, 9.4))], {}, {}),
                "barn: another change of this network takes effect in 9 seconds; wait for it, and run again",
            ),
            (
                *(declare(ONE), [see(ONE, has_joiners=False)], join(EUI64), {}),
                "barn: the software of its border routers cannot let devices join, or is too old to show members; "
                "update ot-br-posix, or declare the network without members",
            ),
            (
                *(declare(ONE), [see(ONE)], join(EUI64), {"is_commissioned_elsewhere": True}),
                f"barn: another program lets devices join at border router {ONE} at this moment; wait until it has "
                "ended, and run again",
            ),
            (
                declare(ONE, extra={"commissioning_timeout": 11}),
                [see(ONE)],
                join(*(f"{number:016x}" for number in range(6))),
                {},
                "barn: 6 devices must join, one after the other, which takes at least 12 seconds, but "
                "commissioning_timeout is 11",
            ),
            (
                declare(ONE),
                [see(ONE)],
                join(*(f"{number:016x}" for number in range(191))),
                {},
                "barn: 191 members are declared, but one border router can prove at most 190; declare a second network",
            ),
        ],
    )
    def test_impossible_declaration_is_refused(
        self,
        network: Network,
        routers: list[ObservedRouter],
        wanted: dict[str, Membership | None],
        seen: dict[str, Any],
        sentence: str,
    ) -> None:
        (refusal,) = make_plan(network, *routers, wanted=wanted, **seen).refusals
        assert refusal == sentence
        assert KEY not in refusal

    @pytest.mark.parametrize(
        ("network", "routers", "wanted", "seen"),
        [
            (declare(ONE), [see(ONE)], join(*(f"{number:016x}" for number in range(190))), {}),
            (declare(ONE, extra={"commissioning_timeout": 12}), [see(ONE)], join(*map("{:016x}".format, range(6))), {}),
            (declare(ONE), [see(ONE)], join(EUI64, pskd=None), {"is_commissioned_elsewhere": True}),
            (
                *(declare(ONE), [see(ONE)], join(EUI64)),
                {"is_commissioned_elsewhere": True, "members": {EUI64: "a1"}},
            ),
            (declare(ONE, parameters={"channel": 15}), [see(ONE)], {}, {"unreachable": (TWO,)}),
            (declare(ONE, parameters={"channel": 15}), [see(ONE, pending=Pending(ELSEWHERE, 9.0))], {}, {}),
            (
                declare(ONE, parameters={"channel": 20}),
                [see(ONE, pending=Pending(Dataset({**DATASET.values, "channel": 20}), 9.0))],
                *({}, {}),
            ),
            (declare(ONE), [see(ONE, has_joiners=False)], {}, {}),
        ],
    )
    def test_possible_declaration_is_not_refused(
        self,
        network: Network,
        routers: list[ObservedRouter],
        wanted: dict[str, Membership | None],
        seen: dict[str, Any],
    ) -> None:
        assert make_plan(network, *routers, wanted=wanted, **seen).refusals == ()

    def test_border_router_in_two_networks_is_refused(self) -> None:
        networks = {name: declare(ONE, name=name) for name in ("barn", "yard")}
        observed = Observed({name: ObservedNetwork((see(ONE),)) for name in networks})
        (refusal,) = plan(networks, {}, observed).refusals
        assert refusal == f"barn, yard: border router {ONE} can be in only one network; declare it in one of them"

    def test_member_of_another_network_cannot_move(self) -> None:
        networks = {"barn": declare(ONE), "yard": declare(TWO, name="yard")}
        seen = {"barn": ObservedNetwork((see(ONE),)), "yard": ObservedNetwork((see(TWO),), {EUI64: "a1"})}
        observed = Observed(seen, {EUI64: Hardware(identities={"eui64": EUI64})})
        (refusal,) = plan(networks, join(EUI64), observed).refusals
        assert refusal == (
            f"{EUI64}: is in network yard, and cannot move to network barn: Thread has no way to remove a member over "
            "the border router: reset the board to its factory settings, and run again"
        )

    @pytest.mark.parametrize("hardware_of", [{}, {"e00fce68aabbccddeeff0022": Hardware()}])
    def test_member_without_eui64_is_refused(self, hardware_of: dict[str, Hardware]) -> None:
        device = "e00fce68aabbccddeeff0022"
        wanted = {device: Membership("barn", NODE, extra={"joiner": PSKD})}
        observed = Observed({"barn": ObservedNetwork((see(ONE),))}, hardware_of)
        (refusal,) = plan({"barn": declare(ONE)}, wanted, observed).refusals
        assert refusal == f"barn: members have no eui64, which identifies them in a Thread network: {device}"

    def test_leaving_device_without_a_declared_network_is_refused(self) -> None:
        hardware = Hardware(identities={"eui64": EUI64}, is_outside_cloud=True)
        (refusal,) = plan({}, {EUI64: None}, Observed({}, {EUI64: hardware})).refusals
        assert refusal == (
            f"{EUI64}: no network of backend thread is declared, so it cannot be found out whether the device is in "
            "one; declare the network with its border_routers"
        )
        assert plan({}, {EUI64: None}, Observed({}, {EUI64: Hardware()})).refusals == ()

    def test_absent_network_of_empty_border_routers_is_fulfilled(self) -> None:
        made = make_plan(declare(ONE, absent=True), see(ONE, "disabled", dataset=None))
        assert (made.refusals, made.setup) == ((), ())


class TestOrder:
    """One border router forms, changes and extends a network and lets its members join."""

    @pytest.mark.parametrize(
        ("routers", "first"),
        [
            ([see(ONE, "disabled", dataset=None), see(TWO, "disabled", dataset=None)], ONE),
            ([see(ONE, "disabled", dataset=None), see(TWO, "disabled")], TWO),
            ([see(ONE, "disabled"), see(TWO, "child")], TWO),
            ([see(ONE, has_joiners=False), see(TWO, "disabled")], TWO),
            ([see(ONE, "disabled", has_joiners=False), see(TWO, has_joiners=False)], TWO),
        ],
    )
    def test_best_border_router_comes_first(self, routers: list[ObservedRouter], first: str) -> None:
        made = make_plan(declare(ONE, TWO), *routers, leftovers=("0815",))
        assert made.setup[-1].write.url == first

    def test_writes_are_named_and_concern_the_joining_devices(self) -> None:
        fresh, stopped = see(ONE, "disabled", dataset=None), see(TWO, "disabled")
        made = make_plan(declare(ONE, TWO, extra={"joiner_timeout": 60}), fresh, stopped, wanted=join(EUI64))
        extend, start, commission = made.setup
        assert [extend.write, start.write] == [ExtendNetwork("barn", TWO, ONE), StartRouter("barn", TWO)]
        assert {shared.members for shared in made.setup} == {frozenset({EUI64})}
        assert [shared.is_attempt for shared in made.setup] == [False, False, True]
        assert (commission.write.joiner_timeout, commission.write.time_limit) == (60, 3600)
        assert made.created_names == {"border routers": (f"barn: {ONE}",)}
        assert made.changed_names == {"border routers": (f"barn: {TWO} (start)",)}
        assert made.members[EUI64].changes == {"mesh": (None, {"network": "barn", "role": "node"})}

    def test_member_that_is_inside_or_must_be_in_no_network_has_no_writes(self) -> None:
        wanted = {**join(EUI64), OTHER: None}
        made = make_plan(declare(ONE), see(ONE), wanted=wanted, members={EUI64: "a1"})
        assert (made.members[EUI64].before, made.members[EUI64].writes) == (Membership("barn", NODE), ())
        assert made.members[OTHER] == MemberPlan()


@pytest.mark.parametrize("local", ["http://127.0.0.1:8081", "http://localhost:8081", "http://[::1]:8081"])
def test_keys_that_cross_a_network_openly_cause_a_warning(local: str) -> None:
    far, safe = "http://10.0.0.9:8081", "https://router.example"
    made = make_plan(declare(far, local, safe), see(far), see(local, "router"), see(safe, "router"))
    assert made.warnings == (
        f"barn: the keys of the network are sent without encryption to {far}; use a tunnel or a proxy with TLS",
    )


def test_border_router_that_does_not_answer_causes_a_warning() -> None:
    made = make_plan(declare(ONE, TWO), see(ONE), unreachable=(TWO,))
    assert made.warnings == (
        f"barn: border router {TWO} does not answer, so the other border routers of the network are used",
    )
