# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The page about the simulator says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from simulator_client import run

from particle_simulator.admin import HANDLERS
from particle_simulator.error_shapes import SHAPES
from particle_simulator.faults import AFTER, BEFORE, KEYS
from particle_simulator.routes import build_whole_table
from particle_simulator.routes_table import render_routes_table

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_given_the_route_table_then_the_page_shows_it() -> None:
    shown = PAGE.partition("<!-- routes begin -->")[2].partition("<!-- routes end -->")[0].strip()
    assert shown == render_routes_table(build_whole_table()), (
        "put the output of `particle-simulator --routes` into the page"
    )


def test_given_the_flag_then_the_table_is_printed_and_nothing_is_started() -> None:
    ended = run(["--routes"])
    assert (ended.returncode, ended.stdout.strip()) == (0, render_routes_table(build_whole_table()))


def test_given_the_flags_of_the_command_line_then_the_page_names_each() -> None:
    flags = set(re.findall(r"--[a-z-]+", run(["--help"]).stdout)) - {"--help"}
    assert {flag for flag in flags if f"`{flag}" not in PAGE and f" {flag}" not in PAGE} == set()


def test_given_the_admin_routes_then_the_page_names_each() -> None:
    assert [f"{method} {what}" for method, what, _unused in HANDLERS if f"`{method} {what}" not in PAGE] == []


def test_given_the_keys_effects_and_shapes_of_faults_then_the_page_names_each() -> None:
    assert [name for name in sorted({*KEYS, *BEFORE, *AFTER}) if f"`{name}`" not in PAGE] == []
    assert [name for name in SHAPES if name not in PAGE] == []
