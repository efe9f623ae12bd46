# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Where things are in a checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, which is also the root of the collection."""

TESTS = ROOT / "tests"
SIMULATOR = ROOT / "simulator"
"""The package of the simulator, where it is not installed: below ansible-test."""

COLLECTIONS = ROOT.parents[2] if ROOT.parents[1].name == "ansible_collections" else ROOT / ".collections"
"""Where Ansible finds this collection: a link tree, or the tree in which it is installed."""

REAL_SERVER_MODULES = ROOT / ".cache" / "real_server" / "node_modules"
OFFICIAL_CLIENT = ROOT / ".cache" / "official_client"
BROWSER = ROOT / ".cache" / "browser"
SIMULATOR_INSTALLED = ROOT / ".cache" / "simulator_package"
"""An environment that holds the simulator and nothing else, made by `make integration`."""
