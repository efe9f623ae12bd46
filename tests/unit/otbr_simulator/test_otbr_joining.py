# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Nodes join a network of simulated border routers as real ones do (otbr-rest.md, section 4.2)."""

from __future__ import annotations

from support.otbr import BorderRouters


def test_state_shows_two_border_routers_and_six_nodes(otbr: BorderRouters) -> None:
    state = otbr.state()
    assert [router["state"] for router in state["routers"]] == ["disabled", "disabled"]
    assert [node["state"] for node in state["nodes"]] == ["joining"] * 6
