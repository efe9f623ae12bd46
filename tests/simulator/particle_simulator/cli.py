# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The command line of the simulator."""

from __future__ import annotations

import argparse
import asyncio
import gc
import ssl
import sys

from particle_simulator.server import ServerOptions, serve
from particle_simulator.settings import BadSettings, Settings, read_accounts, read_fleet
from particle_simulator.simulation import Simulation


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator", description="A Particle cloud in memory, on the loopback interface only."
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free port")
    parser.add_argument("--port-file", metavar="F", help="file to write the port to once it listens")
    parser.add_argument(
        "--fleet", metavar="N|FILE", default="0", help="devices to manufacture, or a JSON list of devices"
    )
    parser.add_argument(
        "--accounts", metavar="FILE", help="JSON list of accounts; the first owns the product"
    )
    parser.add_argument("--seed", type=int, default=0, help="what looks random is the same for the same seed")
    parser.add_argument("--limits", choices=("off", "documented"), default="off")
    parser.add_argument("--mesh", choices=("retired", "enabled"), default="retired")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="MS", help="milliseconds before each answer"
    )
    parser.add_argument("--tls-cert", metavar="F", help="certificate chain in PEM; needs --tls-key")
    parser.add_argument("--tls-key", metavar="F", help="private key in PEM; needs --tls-cert")
    return parser


def _refuse_what_is_missing(arguments: argparse.Namespace) -> None:
    """A flag that would be ignored is refused: a test must not believe in limits that nobody enforces."""
    if arguments.limits != "off":
        raise BadSettings("--limits documented is not implemented yet; only --limits off works")
    if arguments.mesh != "retired":
        raise BadSettings("--mesh enabled is not implemented yet; only --mesh retired works")
    if arguments.latency < 0:
        raise BadSettings("--latency must not be negative")
    if not 0 <= arguments.port <= 65535:
        raise BadSettings("--port must be between 0 and 65535")


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if not arguments.tls_cert and not arguments.tls_key:
        return None
    if not arguments.tls_cert or not arguments.tls_key:
        raise BadSettings("--tls-cert and --tls-key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    except (OSError, ssl.SSLError) as wrong:
        raise BadSettings(f"cannot use the certificate and key: {wrong}") from wrong
    return context


def main(argv: list[str] | None = None) -> int:
    """Runs the simulator; the exit code is 2 for a command line that makes no sense."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        _refuse_what_is_missing(arguments)
        manufactured, fleet = read_fleet(arguments.fleet)
        settings = Settings(arguments.seed, manufactured, fleet, read_accounts(arguments.accounts))
        options = ServerOptions(
            arguments.port, arguments.port_file, arguments.latency / 1000.0, _tls(arguments)
        )
    except BadSettings as wrong:
        parser.error(str(wrong))
    # A fleet is millions of small objects that live as long as the process: the collector must not walk them.
    gc.disable()
    simulation = Simulation(settings)
    gc.freeze()
    gc.enable()
    try:
        asyncio.run(serve(simulation, options))
    except OSError as wrong:
        print(f"simulator: cannot listen: {wrong}", file=sys.stderr)
        return 1
    return 0
