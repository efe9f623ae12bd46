# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run a soak in a process of its own, and read its report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.playbooks import ansible_environment
from support.token_cloud import child_environment

MAX_SHOWN = 5000
MAX_MEMORY, MAX_BLOCKS = 1.05, 1.02
"""The memory and the number of memory blocks of the process on the last day, relative to an early day."""
WARM_DAYS = 10
"""The number of days after which all code has run once, so that the memory does not grow any more."""


def run_soak(folder: Path, days: int) -> Iterator[dict[str, Any]]:
    """Run a soak, and yield what happened on each day and after the last one.

    :param folder: an empty folder, the home folder of the soak.
    """
    runtime, temporary = folder / "runtime", folder / "tmp"
    runtime.mkdir(mode=0o700)
    temporary.mkdir(mode=0o700)
    home = {"XDG_RUNTIME_DIR": str(runtime), "ANSIBLE_LOCAL_TEMP": str(temporary)}
    errors = folder / "errors"
    with (
        # The server that forks simulators has its socket in TMPDIR, and the path of a socket must be short.
        tempfile.TemporaryDirectory() as short,
        errors.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "support.soak", str(folder), str(days)],
            env={
                **ansible_environment(folder, {**home, "TMPDIR": short}),
                "PYTHONPATH": child_environment()["PYTHONPATH"],
            },
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as child,
    ):
        assert child.stdout is not None
        yield from map(json.loads, child.stdout)
    assert child.returncode == 0, errors.read_text()[-MAX_SHOWN:]


def find_mistakes(report: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was wrong in a soak."""
    *days, end = report
    mistakes = [f"day {day['day']}, {mistake}" for day in report for mistake in day["mistakes"]]
    mistakes += [f"day {day['day']}: {day['leaked']} tokens are lost" for day in report if day["leaked"]]
    if end["writes"]:
        mistakes.append(f"{end['writes']} writes at the end, although there was nothing to do")
    for name, limit in (("bytes", MAX_MEMORY), ("blocks", MAX_BLOCKS)):
        ratio = measure_growth(days, name)
        if ratio > limit:
            mistakes.append(f"{name} on the last day relative to an early one: {ratio:.3f}, but at most {limit}")
    return mistakes


def measure_growth(days: Sequence[Mapping[str, Any]], name: str) -> float:
    """Return the value of the last day, relative to that of the first day on which all code has run."""
    return float(days[-1][name] / days[min(WARM_DAYS, len(days)) - 1][name])
