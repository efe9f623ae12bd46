# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The states of the simulated border router, its summary and its ephemeral key (otbr-rest.md, section 2)."""

from __future__ import annotations

import pytest

from support.otbr import running_border_routers
from support.otbr_client import Router


def test_node_has_factory_values_before_any_network(router: Router) -> None:
    node = router.get("/node")
    assert (node["state"], node["networkName"]) == ("disabled", "OpenThread")
    assert (node["extPanId"], node["rloc16"]) == ("dead00beef00cafe", "0xfffe")
    assert "routerId" not in node
    assert (len(node["baId"]), len(node["extAddress"])) == (32, 16)


def test_node_shows_the_network_once_it_is_formed(leader: Router) -> None:
    node = leader.get("/node")
    assert (node["state"], node["networkName"], node["routerCount"]) == ("leader", "barn", 1)
    assert int(node["rloc16"], 16) == node["routerId"] << 10
    assert node["leaderData"]["leaderRouterId"] == node["routerId"]
    assert node["extPanId"] == leader.active()["extPanId"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("ba-id", "baId"),
        ("ext-address", "extAddress"),
        ("network-name", "networkName"),
        ("ext-panid", "extPanId"),
        ("rloc", "rlocAddress"),
        ("num-of-router", "routerCount"),
    ],
)
def test_single_values_equal_those_of_the_summary(leader: Router, path: str, key: str) -> None:
    assert leader.get(f"/node/{path}") == leader.get("/node")[key]


def test_rloc16_is_a_number_in_one_place_and_a_text_in_another(router: Router) -> None:
    assert (router.get("/node/rloc16"), router.get("/node")["rloc16"]) == (65534, "0xfffe")


def test_leader_data_fails_without_a_network(router: Router) -> None:
    assert router.call("GET", "/node/leader-data").status_code == 500
    router.form()
    assert set(router.get("/node/leader-data")) == {
        "partitionId",
        "weighting",
        "dataVersion",
        "stableDataVersion",
        "leaderRouterId",
    }


def test_radio_firmware_has_a_version(router: Router) -> None:
    assert "SIMULATION" in router.get("/node/coprocessor/version")


class TestState:
    """Enabling and disabling Thread."""

    @pytest.mark.parametrize("body", ["enable", '"ENABLE"', "{}", "", "true", '"on"'])
    def test_every_other_body_is_refused(self, router: Router, body: str) -> None:
        assert router.call("PUT", "/node/state", body).status_code == 400
        assert router.state() == "disabled"

    def test_enable_without_a_dataset_stays_detached_for_ever(self, router: Router) -> None:
        assert router.put("/node/state", "enable") == 200
        assert router.after(3600).state() == "detached"
        assert router.get("/node/dataset/active") is None

    def test_new_network_has_a_leader_only_after_seconds(self, router: Router) -> None:
        assert router.put("/node/dataset/active", {}) == 201
        assert router.put("/node/state", "enable") == 200
        assert router.after(6).state() == "detached"
        assert router.after(2).state() == "leader"

    def test_repeated_command_is_accepted(self, leader: Router) -> None:
        assert leader.put("/node/state", "enable") == 200
        assert leader.state() == "leader"
        assert [leader.put("/node/state", "disable") for _unused in range(2)] == [200, 200]
        assert leader.state() == "disabled"

    def test_leader_is_back_after_less_than_a_second(self, leader: Router) -> None:
        leader.join(0)
        leader.put("/node/state", "disable")
        leader.put("/node/state", "enable")
        assert leader.after(0.5).state() == "detached"
        assert leader.after(0.5).state() == "leader"
        assert leader.otbr.nodes()[0]["state"] == "in"


class TestFactoryReset:
    """`DELETE /node` resets the border router at once, and only the border router (otbr-rest.md, section 6)."""

    def test_network_and_identity_are_gone(self, leader: Router) -> None:
        before = leader.get("/node")
        leader.refresh()
        answer = leader.call("DELETE", "/node")
        assert (answer.status_code, answer.content) == (200, b"")
        after = leader.get("/node")
        assert (after["state"], after["networkName"]) == ("disabled", "OpenThread")
        assert before["baId"] != after["baId"]
        assert before["extAddress"] != after["extAddress"]
        assert leader.get("/node/dataset/active") is None
        assert leader.call("GET", "/api/node").status_code == 404

    def test_members_keep_the_network(self, leader: Router) -> None:
        leader.join(0, 1)
        leader.call("DELETE", "/node")
        leader.after(300)
        nodes = leader.otbr.nodes()[:2]
        assert [(node["state"], node["network"]) for node in nodes] == [("in", "barn")] * 2
        assert "leader" in {node["role"] for node in nodes}

    def test_pending_dataset_is_gone(self, leader: Router) -> None:
        body = {"activeDataset": leader.tlvs(), "delay": 60000}
        assert leader.put("/node/dataset/pending", body) == 201
        leader.call("DELETE", "/node")
        assert leader.get("/node/dataset/pending") is None


class TestEphemeralKey:
    """The one-time code for the app of a phone (otbr-rest.md, section 10)."""

    def test_key_has_nine_digits_and_ends_by_itself(self, leader: Router) -> None:
        assert leader.put("/node/ba-epskc/state", "enable") == 200
        answer = leader.call("POST", "/node/ba-epskc/key", '{"lifetime": 60000, "port": 40000}')
        assert len(answer.json()["tap"]) == 9
        assert answer.json()["tap"].isdigit()
        assert leader.get("/node/ba-epskc/key") == {"state": "started", "port": 40000}
        assert leader.after(61).get("/node/ba-epskc/key")["state"] == "stopped"

    def test_key_is_refused_while_off_or_in_use(self, leader: Router) -> None:
        assert leader.call("POST", "/node/ba-epskc/key", "{}").status_code == 409
        leader.put("/node/ba-epskc/state", "enable")
        statuses = [leader.call("POST", "/node/ba-epskc/key", "{}").status_code for _unused in range(2)]
        assert statuses == [200, 409]
        assert leader.call("DELETE", "/node/ba-epskc/key").status_code == 200
        assert leader.call("POST", "/node/ba-epskc/key", "{}").status_code == 200

    @pytest.mark.parametrize("body", ["[]", '{"lifetime": 600001}', '{"lifetime": "60"}', '{"port": 70000}', "x"])
    def test_invalid_key_is_refused(self, leader: Router, body: str) -> None:
        leader.put("/node/ba-epskc/state", "enable")
        assert leader.call("POST", "/node/ba-epskc/key", body).status_code == 400


class TestGenerations:
    """Older border routers have fewer routes and other keys (otbr-rest.md, section 1)."""

    def test_old_generation_has_pascal_keys_and_no_tasks(self) -> None:
        with running_border_routers("--generation=old") as otbr:
            old = Router(otbr, otbr.url)
            assert old.put("/node/dataset/active", {"NetworkName": "barn", "channel": 11, "Channel": 20}) == 201
            assert old.put("/node/state", "enable") == 200
            assert old.after(8).state() == "leader"
            assert (old.active()["NetworkName"], old.active()["Channel"]) == ("barn", 20)
            assert {"PanId", "ExtPanId", "PSKc", "NetworkKey"} <= set(old.active())
            assert old.active()["ActiveTimestamp"]["Seconds"] == 1
            assert old.active()["SecurityPolicy"]["RotationTime"] == 672
            body = {"ActiveDataset": {"Channel": 21}, "Delay": 5000}
            assert old.put("/node/dataset/pending", body) == 201
            assert old.get("/node")["State"] == "leader"
            for path in ("/api/actions", "/api/devices", "/.well-known/thread/br-rest"):
                assert old.call("GET", path).status_code == 404

    def test_middle_generation_has_one_key_in_the_old_form(self) -> None:
        with running_border_routers("--generation=middle") as otbr:
            middle = Router(otbr, otbr.url)
            assert middle.put("/node/dataset/active", {"networkName": "barn"}) == 201
            assert middle.active()["securityPolicy"]["Routers"] is True
            assert middle.get("/api/actions")["data"] == []
            assert middle.call("GET", "/.well-known/thread/br-rest").status_code == 404

    def test_border_router_without_joiners_has_no_joiner_list(self) -> None:
        with running_border_routers("--generation=old", "--no-commissioner") as otbr:
            assert Router(otbr, otbr.url).call("GET", "/node/commissioner/state").status_code == 404
