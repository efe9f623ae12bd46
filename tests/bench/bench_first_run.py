# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a stranger waits for: the installation of the tarball, and the first run of the README's first playbook.

Usage: python tests/bench/bench_first_run.py [--devices 1000] [--rounds 3] [--write]

Each round is a new folder with nothing in it. With --write the best of them goes to docs/performance.md.
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


def one_round(devices: int) -> tuple[float, float]:
    """Seconds of the installation and of the run."""
    fleet = {f"e00fce68aabbccddee{number:06x}": f"unit-{number}" for number in range(devices)}
    with tempfile.TemporaryDirectory(prefix="first-run-") as name:
        place = Installed(Path(name))
        tarball = place.build()
        begin = time.monotonic()
        place.install(tarball)
        installed = time.monotonic()
        place.write_examples()
        with running_simulator("--fleet", write_claimed_fleet(Path(name), fleet)) as cloud:
            place.environment |= cloud_environment(cloud.url)
            started = time.monotonic()
            said = place.run("ansible-playbook", "first.yml")
            ended = time.monotonic()
        assert f"{devices} devices" in said, said
    return installed - begin, ended - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the line to docs/performance.md")
    arguments = parser.parse_args()

    installs, runs = zip(*(one_round(arguments.devices) for _unused in range(arguments.rounds)), strict=True)
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
