# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The HTTP server. It passes requests to the `Simulation`, and applies the latency and the faults."""

from __future__ import annotations

import asyncio
import signal
import ssl
from dataclasses import dataclass
from email.utils import formatdate
from random import Random

import orjson
from aiohttp import web

from particle_simulator.errors import Refusal
from particle_simulator.events import Stream
from particle_simulator.messages import (
    Call,
    Reply,
    not_found_text,
    parse_query,
    read_body,
    refusal_reply,
)
from particle_simulator.simulation import ADMIN_PREFIX, Simulation
from particle_simulator.streaming import DueTimer, open_stream, send_stream
from simulator_base.connections import HOST, SHUTDOWN_SECONDS, reset_connection, write_port
from simulator_base.faults import BEFORE, Fault
from simulator_base.messages import Reply as BaseReply


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of the server. `latency` is in seconds."""

    port: int
    port_file: str | None
    latency: float
    tls: ssl.SSLContext | None


class _CountingServer(web.Server):
    """The low-level server of aiohttp, with two additions.

    The server tracks the open event streams. It also tracks the connections that have not sent a request to the cloud
    yet.
    """

    unused_connections: set[object]
    streams: dict[object, Stream]

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self.unused_connections.add(handler)
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.unused_connections.discard(handler)
        stream = self.streams.pop(handler, None)
        if stream is not None:
            # Without this call, the stream would end only when the next event or keep-alive cannot be written.
            stream.close()
        super().connection_lost(handler, exc)


class CloudHandler:
    """The handler of all HTTP requests."""

    def __init__(self, simulation: Simulation, latency: float) -> None:
        self._simulation = simulation
        self._latency = latency
        self._due_timer = DueTimer(simulation)
        self.unused_connections: set[object] = set()
        self.streams: dict[object, Stream] = {}
        """Open event streams, keyed by connection."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Carry out a request and return the response."""
        try:
            return await self._answer(request)
        finally:
            # The request may have planned changes, or moved the clock.
            self._due_timer.set()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _unused, query = request.raw_path.partition("?")
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        if path.startswith(ADMIN_PREFIX):
            return self._build_response(await self._answer_admin(request, path.removeprefix(ADMIN_PREFIX)))
        stats = self._simulation.stats
        if request.protocol in self.unused_connections:
            # Count a connection at its first request to the cloud, so that connections for admin requests do not count.
            self.unused_connections.discard(request.protocol)
            stats.connections += 1
        found = self._simulation.table.find(request.method, path)
        route, key, values = found or (None, f"{request.method} {path}", {})
        address = request.remote or ""
        stats.count_request(route, key, address)
        limit_reply = self._simulation.admit(route, address)
        if limit_reply is not None:
            return self._build_response(limit_reply)
        if self._latency:
            await asyncio.sleep(self._latency)
        fault = self._simulation.faults.take_fault(key)
        if fault is not None and fault.effect in BEFORE:
            await asyncio.sleep(fault.delay)
            return await self._send_fault(request, fault)
        if route is None:
            return self._build_response(not_found_text())
        call = Call(request.method, values, parse_query(query), request.headers, address=address)
        call.fault = None if fault is None else fault.effect
        try:
            if request.body_exists:
                await read_body(request, call)
        except Refusal as refusal:
            return self._build_response(self._simulation.refuse(route, call, refusal))
        reply = self._simulation.answer(route, call)
        if fault is not None:
            await asyncio.sleep(fault.delay)
        if fault is None or fault.effect == "delay":
            return await self._send_stream(request, reply.stream) if reply.stream else self._build_response(reply)
        if fault.effect == "reset_after":
            return reset_connection(request)
        return self._build_response(fault.damage_reply(reply))

    def _build_response(self, reply: BaseReply) -> web.Response:
        if reply.content_type:
            reply.headers.setdefault("Content-Type", f"{reply.content_type}; charset=utf-8")
        return web.Response(body=reply.body, status=reply.status, headers=reply.headers | self._build_date_header())

    def _build_date_header(self) -> dict[str, str]:
        """Build the header with the time of the clock. Return no header if the clock shows the time of the machine."""
        clock = self._simulation.world.clock
        return {} if clock.is_machine_time else {"Date": formatdate(clock.now(), usegmt=True)}

    async def _send_stream(self, request: web.BaseRequest, stream: Stream) -> web.StreamResponse:
        """Send an event stream until the client or the simulator ends the stream.

        If the address has too many open streams, return an error response instead.
        """
        limits, address = self._simulation.limits, request.remote or ""
        try:
            limits.open_stream(address)
        except Refusal as refusal:
            self._simulation.stats.count_answer(None, refusal.status)
            return self._build_response(refusal_reply(refusal))
        stream.at_end(lambda: limits.close_stream(address))
        # Open the stream before the first byte is sent. Otherwise a client that has read `:ok` might miss an event.
        open_stream(self._simulation.world, stream)
        self._due_timer.set()
        self.streams[request.protocol] = stream
        keep_alives = Random(f"keep-alives {self._simulation.world.settings.seed}")
        try:
            return await send_stream(request, stream, keep_alives, self._build_date_header())
        finally:
            self.streams.pop(request.protocol, None)

    async def _answer_admin(self, request: web.BaseRequest, name: str) -> Reply:
        raw = await request.content.read()
        try:
            content = orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError:
            content = None
        return self._simulation.answer_admin(request.method, name, content) or not_found_text()

    async def _send_fault(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        if fault.effect == "reset_before":
            return reset_connection(request)
        if fault.effect == "silence":
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.02)
            return web.Response()
        reply = fault.build_reply()
        # Count the response without the route, because a fault must not count as a granted or refused token.
        self._simulation.stats.count_answer(None, reply.status)
        return self._build_response(reply)


async def serve(simulation: Simulation, options: ServerOptions) -> None:
    """Serve requests until the process receives SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cloud_handler = CloudHandler(simulation, options.latency)
    server = _CountingServer(cloud_handler.handle, access_log=None)
    server.unused_connections = cloud_handler.unused_connections
    server.streams = cloud_handler.streams
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, options.port, ssl_context=options.tls)
        await site.start()
        port = runner.addresses[0][1]
        print(f"{'https' if options.tls else 'http'}://{HOST}:{port}", flush=True)
        if options.port_file:
            write_port(options.port_file, port)
        await stop.wait()
    finally:
        simulation.world.events.close()
        await runner.cleanup()
