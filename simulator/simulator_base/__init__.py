# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The parts that the simulators of this package share: time, planned actions, ports and connections."""
