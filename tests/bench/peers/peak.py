# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the peak memory of this process."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes() -> float:
    """Return the peak memory of this program."""
    # `getrusage` cannot be used, because its peak includes the process that started this one.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")
