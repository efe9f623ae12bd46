# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Paths in the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, which is also the root of the collection."""

TESTS = ROOT / "tests"
SIMULATOR = ROOT / "simulator"
"""The folder of the simulator's package, which ansible-test does not install."""

COLLECTIONS = ROOT.parents[2] if ROOT.parents[1].name == "ansible_collections" else ROOT / ".collections"
"""The folder in which Ansible finds this collection: a link tree, or the tree in which it is installed."""

REAL_SERVER_MODULES = ROOT / ".cache" / "real_server" / "node_modules"
OFFICIAL_CLIENT = ROOT / ".cache" / "official_client"
BROWSER = ROOT / ".cache" / "browser"
SIMULATOR_INSTALLED = ROOT / ".cache" / "simulator_package"
"""A virtual environment with only the simulator, made by `make integration`."""
