# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Random sequences of requests never give a state that the facts forbid (otbr-rest.md, section 12)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from otbr_simulator import tlvs as tlv
from otbr_simulator.border_router import BorderRouter
from otbr_simulator.mesh import CHILD, LEADER, get_credentials
from otbr_simulator.settings import Generation, Settings, make_nodes
from otbr_simulator.simulation import Simulation
from support.counts import count

JSON_API = "application/vnd.api+json"
PLACES = 3
NODES = make_nodes(5)
EUIS = [node.eui64 for node in NODES]
PSKDS = [*(node.pskd for node in NODES), "WR0NGKEY", "j01nme", "J0INME"]
STATUSES = {200, 201, 204, 400, 404, 406, 409, 412, 415, 422, 503, 507}
MAY_FAIL = ("/node/leader-data", "/node/dataset/active", "/node/dataset/pending")
"""The only paths that may answer with status 500."""

routers = st.sampled_from(["router1", "router2"])
nodes = st.sampled_from(EUIS)
datasets = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from([15, 26, 99, "15"]),
        "networkName": st.sampled_from(["barn", "house", "", "seventeen letters"]),
        "networkKey": st.sampled_from(["00" * 16, "11" * 16, "xyz"]),
        "panId": st.sampled_from([1, 70000]),
        "extPanId": st.sampled_from(["00" * 8]),
        "activeTimestamp": st.sampled_from([{"seconds": 0}, {"seconds": 5}, 7]),
        "securityPolicy": st.just({"rotationTime": 24}),
    },
)


class Network(RuleBasedStateMachine):
    """Two border routers and five nodes, to which anything may happen."""

    @initialize(seed=st.integers(0, 1000), generation=st.sampled_from([Generation.CURRENT, Generation.NEWER]))
    def start(self, seed: int, generation: Generation) -> None:
        start = Settings(seed=seed, routers=2, nodes=NODES, joiners=PLACES, clock="still", generation=generation)
        self.simulation = Simulation(start)
        self.world = self.simulation.world
        self.offered: set[tuple[str, str]] = set()
        """The pairs of EUI-64 and PSKd that were ever offered to a commissioner."""
        # Most sequences begin with one network or two, because few random ones form a network.
        if seed % 4:
            self.form("router1")
            self.join_with_the_right_key("router1", EUIS[0])
        if seed % 4 == 1:
            self.extend("router2", "router1")
        if seed % 4 == 2:
            self.form("router2")

    def send(self, router: str, method: str, path: str, body: Any = None, *, text: bool = False) -> Any:
        """Send a request to a border router, if its program runs, and return the JSON of a success."""
        chosen = self.world.routers[router]
        if not chosen.running:
            return None
        raw = body.encode() if text else b"" if body is None else json.dumps(body).encode()
        kind = "text/plain" if text else JSON_API
        headers = {"Accept": "*/*", "Content-Type": kind}
        route, call = self.simulation.make_call(chosen, method, path, {}, headers, raw)
        reply = self.simulation.answer(route, call)
        assert reply.status in STATUSES or (reply.status == 500 and path in MAY_FAIL), (method, path, reply.status)
        if method == "GET" and path.startswith("/node/dataset"):
            assert reply.status in (200, 204)
        is_json = reply.status == 200 and reply.body and (reply.content_type or "").endswith("json")
        return json.loads(reply.body) if is_json else None

    # ------------------------------------------------------------------ what clients do

    @rule(router=routers, word=st.sampled_from(["enable", "disable", "ENABLE"]))
    def put_state(self, router: str, word: str) -> None:
        self.send(router, "PUT", "/node/state", word)

    @rule(router=routers, dataset=datasets)
    def put_active(self, router: str, dataset: Any) -> None:
        chosen = self.world.routers[router]
        before, role = chosen.dataset, chosen.role
        self.send(router, "PUT", "/node/dataset/active", dataset)
        if role != "disabled":
            assert chosen.dataset == before

    @rule(router=routers, other=routers)
    def copy_dataset(self, router: str, other: str) -> None:
        dataset = self.world.routers[other].dataset
        if dataset is not None:
            self.send(router, "PUT", "/node/dataset/active", tlv.encode_tlvs(dataset), text=True)

    @rule(router=routers, dataset=datasets, delay=st.sampled_from([0, 1000, 40000, "x"]), second=st.integers(0, 9))
    def put_pending(self, router: str, dataset: Any, delay: Any, second: int) -> None:
        active = dict(self.send(router, "GET", "/node/dataset/active") or {})
        body = {"activeDataset": active | dataset, "delay": delay, "pendingTimestamp": {"seconds": second}}
        self.send(router, "PUT", "/node/dataset/pending", body)

    @rule(router=routers, dataset=datasets)
    def put_partial_pending(self, router: str, dataset: Any) -> None:
        self.send(router, "PUT", "/node/dataset/pending", {"activeDataset": dataset, "delay": 2000})

    @rule(router=routers, eui=nodes, pskd=st.sampled_from(PSKDS), timeout=st.sampled_from([-1, 0, 5, 30, 120]))
    def post_joiner(self, router: str, eui: str, pskd: str, timeout: int) -> None:
        self.offered.add((eui, pskd))
        task = {"type": "addThreadDeviceTask", "attributes": {"eui": eui, "pskd": pskd, "timeout": timeout}}
        self.send(router, "POST", "/api/actions", {"data": [task]})

    @rule(router=routers, eui=nodes, pskd=st.sampled_from(PSKDS))
    def post_legacy_joiner(self, router: str, eui: str, pskd: str) -> None:
        self.offered.add((eui, pskd))
        self.send(router, "POST", "/node/commissioner/joiner", {"eui": eui, "pskd": pskd, "timeout": 60})

    @rule(router=routers, word=st.sampled_from(["enable", "disable"]))
    def put_commissioner(self, router: str, word: str) -> None:
        self.send(router, "PUT", "/node/commissioner/state", word)

    @rule(router=routers, timeout=st.sampled_from([5, 12]))
    def refresh(self, router: str, timeout: int) -> None:
        attributes = {"maxAge": 60, "maxRetries": 1, "deviceCount": 5, "timeout": timeout}
        task = {"type": "updateDeviceCollectionTask", "attributes": attributes}
        self.send(router, "POST", "/api/actions", {"data": [task]})

    @rule(router=routers, data=st.data())
    def ask(self, router: str, data: st.DataObject) -> None:
        addresses = sorted({*self.world.routers[router].devices.items, "0" * 16})
        destination = data.draw(st.sampled_from(addresses))
        attributes = {"destination": destination, "types": ["eui", "children", "route"], "timeout": 5}
        task = {"type": "getNetworkDiagnosticTask", "attributes": attributes}
        self.send(router, "POST", "/api/actions", {"data": [task]})

    @rule(router=routers)
    def read_everything(self, router: str) -> None:
        for path in ("/node", "/node/leader-data", "/node/commissioner/joiner", "/node/dataset/pending"):
            self.send(router, "GET", path)
        for path in ("/api/actions", "/api/devices", "/api/diagnostics", "/api/node"):
            self.send(router, "GET", path)

    @rule(router=routers, data=st.data())
    def delete_task(self, router: str, data: st.DataObject) -> None:
        tasks = [task.id for task in self.world.routers[router].tasks.show()]
        path = data.draw(st.sampled_from(["/api/actions", *(f"/api/actions/{task}" for task in tasks)]))
        self.send(router, "DELETE", path)

    @rule(router=routers, path=st.sampled_from(["/api/devices", "/api/diagnostics"]))
    def delete_cache(self, router: str, path: str) -> None:
        self.send(router, "DELETE", path)

    @rule(router=routers)
    def reset_border_router(self, router: str) -> None:
        self.send(router, "DELETE", "/node")

    # ------------------------------------------------------------------ what clients do in several steps

    @rule(router=routers)
    def form(self, router: str) -> None:
        self.put_active(router, {"channel": 15})
        self.put_state(router, "enable")
        self.let_time_pass(8)

    @rule(router=routers, other=routers)
    def extend(self, router: str, other: str) -> None:
        self.put_state(router, "disable")
        self.copy_dataset(router, other)
        self.put_state(router, "enable")
        self.let_time_pass(20)

    @rule(router=routers, eui=nodes, pskd=st.sampled_from(PSKDS))
    def join_network(self, router: str, eui: str, pskd: str) -> None:
        self.post_joiner(router, eui, pskd, 30)
        self.let_time_pass(20)

    @rule(router=routers, eui=nodes)
    def join_with_the_right_key(self, router: str, eui: str) -> None:
        self.join_network(router, eui, self.world.nodes[eui].pskd)

    @rule(router=routers, other=routers)
    def move_to_another_network(self, router: str, other: str) -> None:
        """Let the network of a border router take over the dataset of another one, so that both must merge."""
        dataset = self.world.routers[other].dataset
        if dataset is not None:
            later = dataset | {tlv.ACTIVE_TIMESTAMP: tlv.encode_timestamp(99)}
            self.send(router, "PUT", "/node/dataset/pending", {"activeDataset": tlv.encode_tlvs(later), "delay": 1000})
            self.let_time_pass(2)

    # ------------------------------------------------------------------ what happens besides

    @rule(seconds=st.sampled_from([0.5, 2, 8, 20, 130]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.world.run_due()

    @rule(eui=nodes, powered=st.booleans())
    def switch_node(self, eui: str, powered: bool) -> None:
        self.world.nodes[eui].set_audible(powered=powered, in_reach=True)

    @rule(eui=nodes)
    def reset_node(self, eui: str) -> None:
        self.world.nodes[eui].reset()

    @rule(router=routers)
    def stop_program(self, router: str) -> None:
        self.world.routers[router].stop_program()

    @rule(router=routers)
    def start_program(self, router: str) -> None:
        self.world.routers[router].start_program()

    # ------------------------------------------------------------------ what must always hold

    @invariant()
    def border_routers_are_consistent(self) -> None:
        for router in self.world.routers.values():
            check_border_router(router)

    @invariant()
    def networks_are_consistent(self) -> None:
        partitions = [partition for partition in self.world.partitions if partition.members]
        credentials = [get_credentials(partition.dataset) for partition in partitions]
        assert len(set(credentials)) == len(credentials)
        for partition in partitions:
            assert [member.role for member in partition.members].count(LEADER) <= 1
            addresses = [member.rloc16 for member in partition.routers]
            assert len(set(addresses)) == len(addresses)
            for member in partition.members:
                assert member.partition is partition
                assert get_credentials(member.dataset or {}) == get_credentials(partition.dataset)
                if member.router_id is not None:
                    assert member.rloc16 == member.router_id << 10
                elif member.parent is not None:
                    assert member.rloc16 & 0xFE00 == member.parent.rloc16
                    assert member.rloc16 & 0x1FF
                    assert member.role == CHILD

    @invariant()
    def nodes_join_only_with_their_own_pskd(self) -> None:
        for node in self.world.nodes.values():
            if node.joins:
                assert (node.eui64, node.pskd) in self.offered
            if not node.powered:
                assert node.partition is None
            if node.dataset is not None:
                assert node.joins


def check_border_router(router: BorderRouter) -> None:
    """Check the invariants of a border router."""
    assert router.role in ("disabled", "detached", "child", "router", "leader")
    assert len(router.commissioner.joiners) <= PLACES
    assert len({joiner.eui64 for joiner in router.commissioner.joiners}) == len(router.commissioner.joiners)
    assert len(router.tasks.show()) <= 200
    if router.is_attached:
        assert router.running
        assert router.dataset is not None
        assert router.partition is not None
    else:
        assert router.partition is None
        assert router.commissioner.state == "disabled"
        assert not router.commissioner.joiners
    for task in router.tasks.show():
        assert (task.joiner is None) or not task.has_ended


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=count(quick=60, full=1000), stateful_step_count=30)
