# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The HTTP servers: a port for each border router, which refuses connections while it is down, and an admin port."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from otbr_simulator.admin import ADMIN_PREFIX, Admin
from otbr_simulator.border_router import BorderRouter
from otbr_simulator.simulation import Simulation
from simulator_base.connections import HOST, SHUTDOWN_SECONDS, reset_connection, write_port
from simulator_base.faults import BEFORE, Fault
from simulator_base.messages import Reply

KEEP_ALIVE_SECONDS = 5
REQUESTS_PER_CONNECTION = 100


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of the servers. Border router N listens on `port` + N - 1; 0 picks free ports."""

    port: int
    port_file: str | None
    admin_port_file: str | None


class Port:
    """A port of the loopback interface that keeps its number while nothing listens on it."""

    def __init__(self, number: int, handler: RequestHandler) -> None:
        self._handler = handler
        self._runner: web.ServerRunner | None = None
        self._socket = _bind(number)
        self.number: int = self._socket.getsockname()[1]

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return self._runner is not None

    async def open(self) -> None:
        """Accept connections."""
        server = _CountingServer(self._handler.handle, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS)
        server.counts = self._handler.counts
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def close(self, *, keep_number: bool = True) -> None:
        """End all connections and refuse new ones. The number stays reserved by a socket that does not listen."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            if keep_number:
                self._socket = _bind(self.number)
        elif not keep_number:
            self._socket.close()


def _bind(number: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, number))
    except OSError:
        bound.close()
        raise
    return bound


class _CountingServer(web.Server):
    """The low-level server of aiohttp, which also counts the requests of each open connection."""

    counts: Counter[object]

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.counts.pop(handler, None)
        super().connection_lost(handler, exc)


class RequestHandler:
    """The handler of the requests to one port."""

    def __init__(self, servers: Servers, router: str | None) -> None:
        self._servers = servers
        self._router = router
        self.counts: Counter[object] = Counter()
        """The number of requests of each open connection."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Carry out a request and return the response."""
        path, _unused, query = request.raw_path.partition("?")
        body = await request.content.read()
        if path.startswith(ADMIN_PREFIX):
            return await self._answer_admin(request.method, path.removeprefix(ADMIN_PREFIX), body)
        simulation = self._servers.simulation
        router = simulation.world.routers.get(self._router or "")
        if router is None:
            return web.Response(status=404)
        # The rules name headers in this capitalisation, whatever the client has sent.
        headers = {name.title(): value for name, value in request.headers.items()}
        route, call = simulation.make_call(router, request.method, path, _parse_query(query), headers, body)
        fault = simulation.faults.take_fault(route.key) if route is not None else None
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.effect in BEFORE:
            return await _send_fault(request, fault)
        reply = simulation.answer(route, call)
        if fault is not None and fault.effect == "reset_after":
            return reset_connection(request)
        if fault is not None and fault.effect != "delay":
            reply = fault.damage_reply(reply)
        return self._limit_connection(request, _build_response(reply))

    def _limit_connection(self, request: web.BaseRequest, response: web.Response) -> web.Response:
        """Close the connection after its hundredth request."""
        self.counts[request.protocol] += 1
        if self.counts[request.protocol] >= REQUESTS_PER_CONNECTION:
            response.force_close()
        return response

    async def _answer_admin(self, method: str, name: str, body: bytes) -> web.Response:
        try:
            content = orjson.loads(body) if body else None
        except orjson.JSONDecodeError:
            content = None
        reply = self._servers.admin.answer(method, name, content)
        # A request on the port of a border router can stop this border router, which cancels this handler.
        await asyncio.shield(asyncio.create_task(self._servers.follow()))
        if (method, name) == ("POST", "routers") and reply.status == 200:
            # The new border router has its port only now.
            reply.body = orjson.dumps(self._servers.admin.list_routers("", None)[-1])
        return _build_response(reply)


def _parse_query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _build_response(reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    if reply.content_type:
        headers["Content-Type"] = reply.content_type
    response = web.Response(body=reply.body, status=reply.status, headers=headers)
    if not reply.content_type:
        # Without this, aiohttp adds a content type of its own.
        response.headers.popall("Content-Type", None)
    return response


async def _send_fault(request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
    if fault.effect == "reset_before":
        return reset_connection(request)
    if fault.effect == "silence":
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.02)
        return web.Response()
    return _build_response(fault.build_reply())


class Servers:
    """The ports of all border routers, and the admin port, which is always open."""

    def __init__(self, simulation: Simulation, first_port: int = 0) -> None:
        self.simulation = simulation
        self.admin = Admin(simulation, self.get_addresses)
        self._lock = asyncio.Lock()
        self._first_port = first_port
        self._admin_port: Port | None = None
        self._ports: dict[str, Port] = {}

    def get_addresses(self) -> dict[str, str]:
        """Return the address of each border router, keyed by name."""
        return {name: f"http://{HOST}:{port.number}" for name, port in self._ports.items()}

    @property
    def admin_address(self) -> str:
        """The address under which the admin routes always answer."""
        assert self._admin_port is not None
        return f"http://{HOST}:{self._admin_port.number}"

    async def start(self) -> None:
        """Open all ports."""
        self._admin_port = Port(0, RequestHandler(self, None))
        await self._admin_port.open()
        await self.follow()

    async def follow(self) -> None:
        """Open and close ports so that they match the border routers that run."""
        async with self._lock:
            await self._follow()

    async def _follow(self) -> None:
        for number, (name, router) in enumerate(self.simulation.world.routers.items()):
            if name not in self._ports:
                wanted = self._first_port + number if self._first_port else 0
                self._ports[name] = Port(wanted, RequestHandler(self, name))
            await _set_open(self._ports[name], router)
        for name in set(self._ports) - set(self.simulation.world.routers):
            await self._ports.pop(name).close(keep_number=False)

    async def stop(self) -> None:
        """Close all ports."""
        for port in (*self._ports.values(), *([self._admin_port] if self._admin_port else [])):
            await port.close(keep_number=False)


async def _set_open(port: Port, router: BorderRouter) -> None:
    if router.running and not port.is_open:
        await port.open()
    elif not router.running and port.is_open:
        await port.close()


async def serve(simulation: Simulation, options: ServerOptions) -> None:
    """Serve requests until the process receives SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = Servers(simulation, options.port)
    try:
        await servers.start()
        addresses = servers.get_addresses()
        for name, address in addresses.items():
            print(f"{name} {address}", flush=True)
        print(f"admin {servers.admin_address}", flush=True)
        if options.admin_port_file:
            write_port(options.admin_port_file, int(servers.admin_address.rpartition(":")[2]))
        if options.port_file:
            write_port(options.port_file, int(next(iter(addresses.values())).rpartition(":")[2]))
        await stop.wait()
    finally:
        await servers.stop()
