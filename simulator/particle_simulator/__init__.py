# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A Particle cloud in memory, which is reachable on loopback only.

It is written from documented facts, not from a client.
"""

__version__ = "0.1.0"
