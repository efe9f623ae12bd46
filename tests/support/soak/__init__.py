# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run all capabilities of the collection for many simulated days, and check what must hold at the end of each day."""
