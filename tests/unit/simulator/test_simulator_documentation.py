# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the page about the simulator is complete."""

from __future__ import annotations

import re
from pathlib import Path

from simulator_client import run

from particle_simulator.admin import HANDLERS
from particle_simulator.error_shapes import SHAPES
from particle_simulator.routes import build_whole_table
from particle_simulator.routes_table import render_routes_table
from particle_simulator.settings import FLEET_KEYS
from particle_simulator.stream_faults import READERS
from simulator_base.faults import AFTER, BEFORE, KEYS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_page_contains_the_route_table() -> None:
    shown = PAGE.partition("<!-- routes begin -->")[2].partition("<!-- routes end -->")[0].strip()
    assert shown == render_routes_table(build_whole_table()), (
        "put the output of `particle-simulator --routes` into the page"
    )


def test_routes_flag_prints_the_table_and_exits() -> None:
    completed = run(["--routes"])
    assert (completed.returncode, completed.stdout.strip()) == (0, render_routes_table(build_whole_table()))


def test_page_names_each_command_line_flag() -> None:
    flags = set(re.findall(r"--[a-z-]+", run(["--help"]).stdout)) - {"--help"}
    assert {flag for flag in flags if f"`{flag}" not in PAGE and f" {flag}" not in PAGE} == set()


def test_page_names_each_key_of_a_fleet_file() -> None:
    section = PAGE.partition("### Fleet file")[2].partition("\n## ")[0]
    assert [key for key in FLEET_KEYS if f"`{key}`" not in section] == []


def test_page_names_each_admin_route() -> None:
    routes = [f"{method} {resource}" for method, resource, _unused in HANDLERS]
    assert [route for route in routes if f"`{route}" not in PAGE] == []


def test_page_names_each_key_effect_and_shape_of_faults() -> None:
    assert [name for name in sorted({*KEYS, *BEFORE, *AFTER}) if f"`{name}`" not in PAGE] == []
    assert [name for name in SHAPES if name not in PAGE] == []


def test_page_names_each_fault_of_event_streams() -> None:
    assert [name for name in READERS if f"| `{name}` |" not in PAGE] == []
