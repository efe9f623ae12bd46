# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the tests stand on: child processes, clouds to talk to, and playbooks to run."""
