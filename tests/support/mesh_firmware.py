# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the firmware library with the compiler of this machine, and run devices with this firmware as processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.paths import ROOT
from support.processes import ChildProcess
from support.simulator import Simulator

LIBRARY = ROOT / "firmware" / "mesh-contract"
BUILD = ROOT / ".cache" / "firmware"
RADIO_RANGE = 3
"""Devices stand in a row. A device hears the devices that are at most this many places away."""


def require_compiler() -> None:
    """Skip the test if the library cannot be built on this machine."""
    source = "#include <doctest/doctest.h>"
    compiler = shutil.which("g++")
    command = [str(compiler), "-std=gnu++17", "-fsyntax-only", "-x", "c++", "-"]
    if compiler is None or subprocess.run(command, input=source.encode(), capture_output=True, check=False).returncode:
        pytest.skip("g++ and doctest are needed to build the firmware library: run `make packages` as root")


def make_library(*arguments: str) -> str:
    """Run `make` in the folder of the library, and return its output. What is up to date is not built again."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in several processes share the built files
        argv = ["make", "-C", str(LIBRARY), f"BUILD={BUILD}", *arguments]
        # Without MAKEFLAGS, because this process may itself run below a `make` whose job server is closed.
        env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


class MeshDevices:
    """Devices in a row, each of which is a process with the firmware of the library.

    :param ids: the ids of the devices, in the order in which they stand.
    """

    def __init__(self, cloud: Simulator, ids: Sequence[str], folder: Path) -> None:
        self._cloud = cloud
        self._ids = list(ids)
        self._folder = folder
        self._processes: dict[str, ChildProcess] = {}
        (folder / "radio").mkdir()
        for device in ids:
            (folder / device).mkdir()

    def list_neighbours(self, device: str) -> list[str]:
        """Return the devices that hear a device, the nearest first."""
        place = self._ids.index(device)
        others = [other for other in self._ids if other != device]
        near = [other for other in others if abs(self._ids.index(other) - place) <= RADIO_RANGE]
        return sorted(near, key=lambda other: abs(self._ids.index(other) - place))

    def start(self, device: str) -> None:
        """Start the process of a device, and switch the device on in the cloud."""
        self._cloud.change_device(device, powered=True)
        port = self._cloud.url.rpartition(":")[2]
        state, radio = self._folder / device, self._folder / "radio"
        argv: list[str | Path] = [BUILD / "device", port, device, state, radio, *self.list_neighbours(device)]
        self._processes[device] = ChildProcess(argv)

    def kill(self, device: str) -> None:
        """Kill the process of a device, and switch the device off in the cloud."""
        process = self._processes.pop(device)
        assert process.returncode is None, f"device {device} has ended by itself:\n{process.output}"
        os.kill(process.pid, 9)
        process.terminate()
        self._cloud.change_device(device, powered=False)

    def read_states(self, device: str) -> list[str]:
        """Return the states through which a device has gone since its start, each as `NETWORK STATE`."""
        return [line.strip() for line in self._processes[device].output.splitlines()]

    def stop(self) -> None:
        """End all processes.

        :raises AssertionError: when a process has ended before, for example because a sanitizer found an error.
        """
        ended = {device: each.output for device, each in self._processes.items() if each.returncode is not None}
        for process in self._processes.values():
            process.terminate()
        assert not ended, f"devices have ended by themselves: {ended}"


@contextmanager
def running_mesh_devices(cloud: Simulator, ids: Sequence[str]) -> Iterator[MeshDevices]:
    """Run a process for each device until the end of the block. The simulator does not report for the devices."""
    require_compiler()
    make_library("device")
    cloud.change_device("*", mesh_firmware="external")
    # The path of a local socket must be short.
    with tempfile.TemporaryDirectory(prefix="mesh-") as folder:
        devices = MeshDevices(cloud, ids, Path(folder))
        try:
            for device in ids:
                devices.start(device)
            yield devices
        finally:
            devices.stop()
