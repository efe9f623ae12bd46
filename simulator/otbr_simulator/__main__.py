# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the simulator with ``python -m otbr_simulator``."""

import sys

from otbr_simulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
