# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A Particle cloud in memory, on loopback, written from the documented facts and from no client."""

__version__ = "0.1.0"
