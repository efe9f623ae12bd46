# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identify processes, and find out whether they have ended. Private to this collection."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from pathlib import Path

_PROC = Path("/proc")


def identify_process(pid: int) -> dict[str, str]:
    """Return an identity that no other process has, even after a restart of the machine.

    :returns: ``{host, boot, namespace, pid, started}``. A value that the operating system does not tell is empty.
    """
    return {**_identify_machine(), "pid": str(pid), "started": _read_start(pid)}


def find_parent_id() -> int:
    """Return the id of the process that has started this process, even if the other process has ended."""
    # A worker whose parent was killed gets another parent, such as process 1, which os.getppid() then returns.
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def build_parent_check() -> Callable[[], None]:
    """Return a function that ends this process if the process that has started it has ended.

    A worker of Ansible calls it, because only the parent can report the result. The worker runs in its own session, and
    would continue if the parent was killed.
    """
    parent = find_parent_id()

    def check_parent() -> None:
        if os.getppid() != parent:
            raise SystemExit("The controlling process has ended.")

    return check_parent


def has_ended(identity: Mapping[str, str]) -> bool | None:
    """Return whether a process has ended.

    :param identity: the result of :func:`identify_process`.
    :returns: ``None`` if this process cannot see the other one, for example because it ran in another container.
    """
    here = _identify_machine()
    if identity["host"] != here["host"]:
        return None
    if identity["boot"] != here["boot"]:
        return True
    if identity["namespace"] != here["namespace"]:
        return None
    pid = int(identity["pid"])
    if here["boot"]:
        started = _read_start(pid)
        # An identity without a start time is that of a process that had ended before it was identified.
        return not started or started != identity["started"]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _identify_machine() -> dict[str, str]:
    boot = namespace = ""
    with contextlib.suppress(OSError):  # these files exist only on Linux
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    return {"host": os.uname().nodename, "boot": boot, "namespace": namespace}


def _read_start(pid: int) -> str:
    """Return the start time of a process in clock ticks since the machine started. Return "" if it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return ""
    # The second field is the name of the program in brackets, and can contain spaces. Field 3 is the state, field 22
    # the start time. A process with state Z has ended, but its parent has not noticed yet.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
