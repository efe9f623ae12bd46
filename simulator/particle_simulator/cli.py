# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The command line of the simulator."""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import re
import ssl
import sys

from particle_simulator.routes import build_table, build_whole_table
from particle_simulator.routes_table import render_routes_table
from particle_simulator.routing import DuplicateRoute
from particle_simulator.server import ServerOptions, serve
from particle_simulator.settings import Settings, SettingsError, read_accounts, read_fleet
from particle_simulator.simulation import Simulation
from simulator_base.clock import CLOCKS

ORG_SLUG = re.compile(r"[a-z0-9-]+")


def _build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="particle-simulator", description="A Particle cloud in memory, on the loopback interface only."
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free port")
    parser.add_argument("--port-file", metavar="F", help="write the port to this file once the simulator listens")
    parser.add_argument(
        "--fleet",
        metavar="N|FILE",
        default="0",
        help="number of devices to manufacture, or a file with a JSON list of devices",
    )
    parser.add_argument("--claimed", action="store_true", help="claim the manufactured devices for the first account")
    parser.add_argument(
        "--accounts", metavar="FILE", help="file with a JSON list of accounts; the first one owns the product"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all random values")
    parser.add_argument(
        "--limits", choices=("off", "documented"), default="off", help="whether to apply the documented rate limits"
    )
    parser.add_argument(
        "--mesh",
        choices=("retired", "enabled"),
        default="retired",
        help="whether to serve the legacy registry of mesh networks",
    )
    parser.add_argument(
        "--token-listing",
        choices=("retired", "enabled"),
        default="retired",
        help="whether to serve the legacy list of access tokens",
    )
    parser.add_argument("--session-login", metavar="PATH", help="path of the first step of the two-step login of 2014")
    parser.add_argument("--session-token", metavar="PATH", help="path of the second step of the two-step login of 2014")
    parser.add_argument("--org", metavar="SLUG", help="put the product into an organization with this slug")
    parser.add_argument(
        "--slow-joiners",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of mesh nodes, from 0 to 1, that take minutes to join",
    )
    parser.add_argument(
        "--churn",
        type=int,
        default=0,
        metavar="N",
        help="number of devices that reconnect before each request for the devices of a product",
    )
    parser.add_argument(
        "--bad-updates",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of devices, from 0 to 1, whose next update fails",
    )
    parser.add_argument(
        "--safe-mode-version",
        choices=("old", "zero"),
        default="old",
        help="firmware version that lists show while a device is in safe mode",
    )
    parser.add_argument(
        "--mask-secrets",
        action="store_true",
        help="mask passwords, keys and authorization of integrations with asterisks",
    )
    parser.add_argument(
        "--omit-nulls", action="store_true", help="omit keys without a value from the device list of a product"
    )
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="real",
        help="real: time passes by itself; still: only POST /_simulator/clock moves it forward",
    )
    parser.add_argument(
        "--streams-at-token-end",
        choices=("continue", "close"),
        default="continue",
        help="what an open event stream does when its access token expires or is revoked",
    )
    parser.add_argument("--routes", action="store_true", help="print the table of all routes in Markdown and exit")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="MS", help="milliseconds to wait before each answer"
    )
    parser.add_argument("--tls-cert", metavar="F", help="certificate chain in PEM; requires --tls-key")
    parser.add_argument("--tls-key", metavar="F", help="private key in PEM; requires --tls-cert")
    return parser


def _check_arguments(arguments: argparse.Namespace) -> None:
    """Raise `SettingsError` if the value of an argument is out of range or has the wrong format."""
    if not 0 <= arguments.slow_joiners <= 1:
        raise SettingsError("--slow-joiners must be a number from 0 to 1")
    if not 0 <= arguments.bad_updates <= 1:
        raise SettingsError("--bad-updates must be a number from 0 to 1")
    if arguments.churn < 0:
        raise SettingsError("--churn must be at least 0")
    if arguments.org is not None and not ORG_SLUG.fullmatch(arguments.org):
        raise SettingsError("--org must consist of lower-case letters, digits and dashes")
    if arguments.latency < 0:
        raise SettingsError("--latency must be at least 0")
    if not 0 <= arguments.port <= 65535:
        raise SettingsError("--port must be between 0 and 65535")


def _read_session_paths(arguments: argparse.Namespace) -> tuple[str, str] | None:
    """Return the paths of the two steps of the login of 2014, or None if no path is set."""
    paths = (arguments.session_login, arguments.session_token)
    if paths == (None, None):
        return None
    if not all(path and path.startswith("/") for path in paths):
        raise SettingsError("--session-login and --session-token must be set together, and each must begin with /")
    return paths


def _build_settings(arguments: argparse.Namespace) -> Settings:
    """Build the settings from the arguments and from the files that the arguments name."""
    manufactured, fleet = read_fleet(arguments.fleet)
    return Settings(
        seed=arguments.seed,
        manufactured=manufactured,
        fleet=fleet,
        claimed=arguments.claimed,
        accounts=read_accounts(arguments.accounts),
        limits=arguments.limits == "documented",
        mesh=arguments.mesh == "enabled",
        token_listing=arguments.token_listing == "enabled",
        session_paths=_read_session_paths(arguments),
        org=arguments.org,
        slow_joiners=arguments.slow_joiners,
        churn=arguments.churn,
        bad_updates=arguments.bad_updates,
        safe_mode_version=arguments.safe_mode_version,
        mask_secrets=arguments.mask_secrets,
        omit_nulls=arguments.omit_nulls,
        clock=arguments.clock,
        close_streams=arguments.streams_at_token_end == "close",
    )


def _load_tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """Load the TLS certificate and the private key. Return None if both options are missing."""
    if not arguments.tls_cert and not arguments.tls_key:
        return None
    if not arguments.tls_cert or not arguments.tls_key:
        raise SettingsError("--tls-cert and --tls-key must be set together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"cannot load the certificate and the key: {error}") from error
    return context


def main(argv: list[str] | None = None) -> int:
    """Run the simulator until it is stopped, and return the exit code: 1 if the simulator cannot listen, otherwise 0.

    An invalid command line ends the process with exit code 2.
    """
    parser = _build_parser()
    arguments = parser.parse_args(argv)
    if arguments.routes:
        print(render_routes_table(build_whole_table()))
        return 0
    try:
        _check_arguments(arguments)
        settings = _build_settings(arguments)
        build_table(settings)
        options = ServerOptions(arguments.port, arguments.port_file, arguments.latency / 1000.0, _load_tls(arguments))
    except (SettingsError, DuplicateRoute) as error:
        parser.error(str(error))
    # A large fleet has millions of objects that live as long as the process. The garbage collector must not visit these
    # objects again and again.
    gc.disable()
    simulation = Simulation(settings)
    gc.freeze()
    gc.enable()
    try:
        asyncio.run(serve(simulation, options))
    except OSError as error:
        advice = " Choose another port with --port." if error.errno == errno.EADDRINUSE else ""
        print(f"particle-simulator: cannot listen: {error}.{advice}", file=sys.stderr)
        return 1
    return 0
