# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Paths in the checkout of this repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The root folder of the checkout and of the collection."""

TESTS = ROOT / "tests"
SIMULATOR = ROOT / "simulator"
"""The folder that contains the simulator's Python package. ansible-test does not install this package."""

COLLECTIONS = ROOT.parents[2] if ROOT.parents[1].name == "ansible_collections" else ROOT / ".collections"
"""The folder in which Ansible finds this collection.

If the checkout is not inside a folder `ansible_collections`, this is the link tree that `make setup` creates.
"""

REAL_SERVER_MODULES = ROOT / ".cache" / "real_server" / "node_modules"
OFFICIAL_CLIENT = ROOT / ".cache" / "official_client"
BROWSER = ROOT / ".cache" / "browser"
SIMULATOR_INSTALLED = ROOT / ".cache" / "simulator_package"
"""A virtual environment that contains only the simulator. `make integration` creates it."""
