# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the installation of the tarball and the first run of the first playbook of the README.

Usage: python tests/bench/bench_first_run.py [--devices 1000] [--rounds 3] [--write]

Each round uses a new empty folder. --write writes the best times to docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.installed import Installed, write_claimed_fleet
from support.paths import ROOT
from support.plays import cloud_environment
from support.simulator import running_simulator

PAGE = ROOT / "docs" / "performance.md"


def measure_round(devices: int) -> tuple[float, float]:
    """Return the seconds that the installation and the first run take."""
    fleet = {f"e00fce68aabbccddee{number:06x}": f"unit-{number}" for number in range(devices)}
    with tempfile.TemporaryDirectory(prefix="first-run-") as name:
        installation = Installed(Path(name))
        tarball = installation.build()
        install_start = time.monotonic()
        installation.install(tarball)
        install_end = time.monotonic()
        installation.write_examples()
        with running_simulator("--fleet", write_claimed_fleet(Path(name), fleet)) as cloud:
            installation.environment |= cloud_environment(cloud.url)
            run_start = time.monotonic()
            output = installation.run("ansible-playbook", "first.yml")
            run_end = time.monotonic()
        assert f"{devices} devices" in output, output
    return install_end - install_start, run_end - run_start


def main() -> None:
    """Print the best times of all rounds, and write them to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the line to docs/performance.md")
    arguments = parser.parse_args()

    installs, runs = zip(*(measure_round(arguments.devices) for _unused in range(arguments.rounds)), strict=True)
    line = (
        f"Installing the tarball took {min(installs):.1f} s, and the first run of the README's first playbook "
        f"{min(runs):.1f} s, with {arguments.devices:,} devices."
    )
    print(line)
    if arguments.write:
        begin, end = "<!-- begin first run -->", "<!-- end first run -->"
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{head}{begin}\n\n{line}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
