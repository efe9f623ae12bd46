# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Helper modules for the tests: child processes, clouds, playbooks and fleets."""
