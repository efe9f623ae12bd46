# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The command line of the simulator."""

from __future__ import annotations

import argparse
import asyncio
import sys

from otbr_simulator.server import ServerOptions, serve
from otbr_simulator.settings import MAX_ROUTERS, Generation, Settings, SettingsError, read_nodes
from otbr_simulator.simulation import Simulation
from simulator_base.clock import CLOCKS

JOINERS = range(2, 11)


def _build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="otbr-simulator",
        description="Thread border routers and nodes in memory, on the loopback interface only. Not a Thread stack.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the first border router; the others have the next ports; 0: free"
    )
    parser.add_argument("--port-file", metavar="F", help="write the port of the first border router to this file")
    parser.add_argument("--admin-port-file", metavar="F", help="write the port that serves only admin routes to a file")
    parser.add_argument("--routers", type=int, default=1, metavar="N", help="number of border routers")
    parser.add_argument(
        "--nodes", default="0", metavar="N|FILE", help="number of nodes, or a file with a JSON list of nodes"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all random values")
    parser.add_argument("--joiners", type=int, default=4, metavar="N", help="places in the joiner table, from 2 to 10")
    parser.add_argument(
        "--generation",
        choices=[each.value for each in Generation],
        default=Generation.CURRENT.value,
        help="generation of the REST API",
    )
    parser.add_argument(
        "--no-commissioner", action="store_true", help="leave out the joiner list, as border routers without joiners do"
    )
    parser.add_argument(
        "--form-seconds", type=float, default=7.0, metavar="S", help="seconds until a border router leads a new network"
    )
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="real",
        help="real: time passes by itself; still: only POST /_simulator/clock moves it forward",
    )
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="simulated seconds per real second")
    return parser


def _build_settings(arguments: argparse.Namespace) -> Settings:
    """Build the settings from the arguments. Raise `SettingsError` if a value is out of range."""
    if not 1 <= arguments.routers <= MAX_ROUTERS:
        raise SettingsError(f"--routers must be a number from 1 to {MAX_ROUTERS}")
    if arguments.joiners not in JOINERS:
        raise SettingsError("--joiners must be a number from 2 to 10")
    if not 0 <= arguments.port <= 65535:
        raise SettingsError("--port must be between 0 and 65535")
    if not 0 < arguments.speed <= 10_000:
        raise SettingsError("--speed must be greater than 0 and at most 10000")
    if not 0 < arguments.form_seconds <= 3600:
        raise SettingsError("--form-seconds must be greater than 0 and at most 3600")
    return Settings(
        seed=arguments.seed,
        routers=arguments.routers,
        nodes=read_nodes(arguments.nodes),
        joiners=arguments.joiners,
        generation=Generation(arguments.generation),
        commissioner=not arguments.no_commissioner,
        form_seconds=arguments.form_seconds,
        clock=arguments.clock,
        speed=arguments.speed,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the simulator until it is stopped, and return the exit code: 1 if it cannot listen, otherwise 0.

    An invalid command line ends the process with exit code 2.
    """
    parser = _build_parser()
    arguments = parser.parse_args(argv)
    try:
        settings = _build_settings(arguments)
    except SettingsError as error:
        parser.error(str(error))
    options = ServerOptions(arguments.port, arguments.port_file, arguments.admin_port_file)
    try:
        asyncio.run(serve(Simulation(settings), options))
    except OSError as error:
        print(f"otbr-simulator: cannot listen: {error}", file=sys.stderr)
        return 1
    return 0
