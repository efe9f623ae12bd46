# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The command line and the admin routes of the simulated border routers (docs/simulator.md)."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from otbr_simulator.admin import HANDLERS
from otbr_simulator.cli import main
from otbr_simulator.routes import build_routes
from otbr_simulator.settings import Generation, Settings
from support.otbr import BorderRouters, running_border_routers
from support.otbr_client import NODES, Router
from support.paths import ROOT, SIMULATOR

SECONDS = 60
PAGE = ROOT / "docs" / "simulator.md"


def admin(otbr: BorderRouters, method: str, route: str, content: Any = None) -> requests.Response:
    """Send a request to an admin route on the port of a border router."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{otbr.url}/_simulator/{route}", json=content, timeout=SECONDS)


class TestCommandLine:
    """Flags, ports and nodes."""

    @pytest.mark.parametrize(
        "flags",
        [
            ["--routers=0"],
            ["--joiners=1"],
            ["--joiners=11"],
            ["--port=70000"],
            ["--speed=0"],
            ["--form-seconds=0"],
            ["--nodes=5000"],
            ["--nodes=missing.json"],
            ["--generation=ancient"],
        ],
    )
    def test_invalid_flag_ends_with_exit_code_2(self, capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(flags)
        assert ended.value.code == 2
        assert "error: " in capsys.readouterr().err

    def test_nodes_are_read_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "nodes.json"
        path.write_text(json.dumps([{"eui64": "18B4300000000001", "pskd": "J01NME", "kind": "sleepy"}]))
        with running_border_routers(f"--nodes={path}") as otbr:
            (node,) = otbr.nodes()
        assert (node["eui64"], node["pskd"], node["kind"]) == ("18b4300000000001", "J01NME", "sleepy")

    def test_used_port_ends_with_exit_code_1(self, otbr: BorderRouters) -> None:
        command = [sys.executable, "-m", "otbr_simulator", f"--port={otbr.url.rpartition(':')[2]}"]
        done = subprocess.run(command, cwd=SIMULATOR, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert (done.returncode, "cannot listen" in done.stderr) == (1, True)

    def test_speed_makes_time_pass_faster(self) -> None:
        with running_border_routers("--speed=1000", clock="real") as otbr:
            router = Router(otbr, otbr.url)
            assert router.put("/node/dataset/active", {}) == 201
            assert router.put("/node/state", "enable") == 200
            # Ten simulated seconds are a hundredth of a real one. A busy machine only makes this loop longer.
            while router.state() != "leader":
                time.sleep(0.01)

    def test_still_clock_moves_only_by_request(self, otbr: BorderRouters) -> None:
        before = otbr.now()
        assert otbr.now() == before
        otbr.advance(60)
        assert otbr.now() == before + 60


class TestAdminRoutes:
    """State, counters, nodes, border routers and faults."""

    def test_admin_routes_answer_on_the_ports_of_border_routers(self, otbr: BorderRouters) -> None:
        assert [row["name"] for row in admin(otbr, "GET", "routers").json()] == ["router1", "router2"]

    def test_border_router_can_be_stopped_through_its_own_port(self, otbr: BorderRouters) -> None:
        # The response can get lost with the connection.
        with contextlib.suppress(requests.ConnectionError):
            admin(otbr, "POST", "routers/router1", {"running": False})
        assert [row["running"] for row in otbr.routers()] == [False, True]
        otbr.change_router("router1", running=True)
        assert Router(otbr, otbr.url).state() == "disabled"

    def test_admin_requests_are_not_counted(self, otbr: BorderRouters) -> None:
        admin(otbr, "GET", "state")
        assert otbr.stats() == {
            "requests": 0,
            "writes": 0,
            "upkeep": 0,
            "unknown_routes": 0,
            "by_route": {},
            "by_router": {},
            "tasks": {},
        }

    def test_requests_are_counted_by_path_template(self, leader: Router) -> None:
        task = leader.start_join(0)
        leader.status(task)
        leader.call("GET", "/nothing")
        stats = leader.otbr.stats()
        assert stats["by_route"]["GET /api/actions/:id"] == 1
        assert stats["unknown_routes"] == 1
        assert stats["requests"] == sum(stats["by_route"].values()) + 1
        assert stats["by_router"] == {"router1": stats["requests"]}
        assert stats["writes"] == 3

    def test_refused_write_counts_as_a_write(self, leader: Router) -> None:
        before = leader.otbr.stats()["writes"]
        assert leader.put("/node/dataset/active", {}) == 409
        assert leader.otbr.stats()["writes"] == before + 1
        assert leader.otbr.writes()[-1]["status"] == 409

    def test_reset_restores_the_start_state(self, leader: Router) -> None:
        leader.join(0)
        leader.otbr.add_router()
        leader.otbr.change_router("router2", running=False)
        leader.otbr.reset()
        state = leader.otbr.state()
        assert [(router["state"], router["running"]) for router in state["routers"]] == [("disabled", True)] * 2
        assert {node["state"] for node in state["nodes"]} == {"joining"}
        assert leader.state() == "disabled"

    def test_same_seed_gives_the_same_network(self, router: Router) -> None:
        found = []
        for _unused in range(2):
            router.otbr.reset()
            router.form()
            router.join(0)
            found.append((router.tlvs(), router.otbr.node(NODES[0])["ext_address"]))
        assert found[0] == found[1]

    @pytest.mark.parametrize(
        ("method", "route", "content", "status"),
        [
            ("GET", "nothing", None, 404),
            ("POST", "clock", {"advance": -1}, 400),
            ("POST", "clock", {"turn": 1}, 400),
            ("POST", "reset", {"seed": "a"}, 400),
            ("POST", "nodes", {}, 400),
            ("POST", "nodes", [{"eui64": "1", "pskd": "J01NME"}], 400),
            ("POST", "nodes", [{"eui64": NODES[0], "pskd": "J01NME"}], 400),
            ("POST", "nodes", [{"eui64": "0011223344556677", "pskd": "J01NME"}] * 2, 400),
            ("POST", "nodes/0011223344556677", {"powered": True}, 404),
            ("POST", f"nodes/{NODES[0]}", {"powered": 1}, 400),
            ("POST", f"nodes/{NODES[0]}", {"colour": 1}, 400),
            ("POST", f"nodes/{NODES[0]}", {"reset": "yes"}, 400),
            ("POST", "routers/router9", {"running": False}, 404),
            ("POST", "routers/router1", {"running": "no"}, 400),
            ("POST", "faults", [{"route": "GET /nothing", "effect": "status"}], 400),
        ],
    )
    def test_wrong_request_is_refused_with_a_reason(
        self, otbr: BorderRouters, method: str, route: str, content: Any, status: int
    ) -> None:
        answer = admin(otbr, method, route, content)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.json()["detail"]

    def test_all_nodes_can_be_changed_at_once(self, otbr: BorderRouters) -> None:
        otbr.change_node("*", powered=False)
        assert {node["state"] for node in otbr.nodes()} == {"off"}


class TestFaults:
    """Scheduled faults, with the keys of the other simulator."""

    def test_status_replaces_a_response(self, router: Router) -> None:
        router.otbr.set_faults([{"route": "GET /node", "effect": "status", "status": 502, "times": 2}])
        assert [router.call("GET", "/node").status_code for _unused in range(3)] == [502, 502, 200]

    def test_reset_after_carries_the_request_out(self, router: Router) -> None:
        router.otbr.set_faults([{"route": "PUT /node/dataset/active", "effect": "reset_after"}])
        with pytest.raises(requests.ConnectionError):
            router.put("/node/dataset/active", {})
        assert router.get("/node/dataset/active") is not None

    def test_reset_before_does_not_carry_it_out(self, router: Router) -> None:
        router.otbr.set_faults([{"route": "PUT *", "effect": "reset_before"}])
        with pytest.raises(requests.ConnectionError):
            router.put("/node/dataset/active", {})
        router.otbr.clear_faults()
        assert router.get("/node/dataset/active") is None

    def test_status_with_an_effect_after_loses_the_verdict(self, router: Router) -> None:
        router.otbr.set_faults([{"route": "PUT /node/dataset/active", "effect": "empty", "status": 504}])
        assert router.put("/node/dataset/active", {}) == 504
        assert router.get("/node/dataset/active") is not None


class TestDocumentation:
    """The page describes all routes and options of the program."""

    @pytest.fixture
    def section(self) -> str:
        """The section about border routers."""
        return PAGE.read_text(encoding="utf-8").partition("\n## Border routers\n")[2].partition("\n## ")[0]

    def test_page_lists_every_flag(self, section: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--help"])
        flags = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
        assert {flag for flag in flags if f"`{flag}" not in section} == set()

    def test_page_lists_every_path(self, section: str) -> None:
        paths = {route.path for route in build_routes(Settings(generation=Generation.CURRENT))}
        assert {path for path in paths if f"`{path}`" not in section} == set()

    def test_page_lists_every_admin_route(self, section: str) -> None:
        routes = {f"{method} {name}" for method, name, has_target in HANDLERS if not has_target}
        assert {route for route in routes if f"`{route}`" not in section} == set()
