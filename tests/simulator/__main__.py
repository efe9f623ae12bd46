# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Lets ``python tests/simulator`` start the simulator: Python puts this directory first on its path."""

import sys

from particle_simulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
