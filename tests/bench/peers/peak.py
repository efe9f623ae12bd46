# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""How much memory this process has had at most."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes() -> float:
    """Of this program alone: what `getrusage` tells begins with the size of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")
