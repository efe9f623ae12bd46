# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The process of `support.fork_server`, which imports the libraries of Ansible and then forks for each run.

Modules that read settings while they are imported, such as `ansible.constants`, are imported only in the child,
which has its own environment and configuration file.

The only argument is the number of a socket; the process ends when the other end of that socket is closed.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

MAX_REQUEST = 1 << 18
"""The maximum size of a request (a command line and an environment) in bytes."""

# Libraries other than Ansible that `ansible-playbook` and the plugins of this collection import.
LIBRARIES = (
    "asyncio base64 cmd concurrent.futures concurrent.futures.thread configparser csv ctypes.util curses difflib email "
    "fcntl getpass glob hashlib hmac http.client importlib.metadata jinja2.nativetypes jinja2.sandbox logging.handlers "
    "mmap multiprocessing.managers multiprocessing.pool multiprocessing.queues packaging.specifiers packaging.version "
    "pprint pty requests resolvelib runpy secrets shlex ssl subprocess tarfile tempfile urllib3 uuid "
    "xml.etree.ElementTree yaml zipfile "
    "cryptography.hazmat.primitives.kdf.pbkdf2 cryptography.hazmat.primitives.serialization"
).split()

# Modules of Ansible that read no settings. Names that this version of Ansible does not have are skipped.
ANSIBLE = (
    "ansible.module_utils.basic ansible.module_utils.connection ansible.config.manager ansible.context ansible.errors "
    "ansible.parsing.quoting ansible.parsing.splitter ansible.utils.collection_loader ansible.utils.context_objects "
    "ansible.utils.hashing ansible.utils.lock ansible.utils.path ansible.utils.unicode ansible.utils.version "
    "ansible.executor.process ansible.vars.hostvars ansible._internal._encryption._crypt "
    "ansible._internal._errors._captured ansible._internal._errors._error_utils ansible._internal._ssh._ssh_agent "
    "ansible._internal._templating._access ansible._internal._wrapt ansible._internal._yaml._errors"
).split()
READS_SETTINGS = ("ansible.constants", "ansible.utils.display", "ansible.cli")

PROGRAMS = {"ansible-inventory": "inventory", "ansible-playbook": "playbook"}
"""The module below `ansible.cli` of each program."""


def main() -> int:
    """Serve until the other end is closed; in a child, run the program and return its exit status."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Python puts the folder of a script first on the path, here that of the programs.
    sys.path[0] = str(Path(sys.executable).parent)
    for name in (*LIBRARIES, *ANSIBLE):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    remember_routing()
    loaded = [name for name in READS_SETTINGS if name in sys.modules]
    if loaded:
        raise SystemExit(
            f"{', '.join(loaded)} must not be imported before the fork, because all children would share its settings"
        )
    gc.collect()
    gc.freeze()
    request = serve(control)
    return run(request) if request is not None else 0


def remember_routing() -> None:
    """Parse the routing table of ansible.builtin once for all children, which saves a quarter of a short playbook.

    Ansible allows tools to replace this function.
    """
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    finder._meta_yml_to_dict = functools.lru_cache(finder._meta_yml_to_dict)
    routing = pkgutil.get_data("ansible.config", "ansible_builtin_runtime.yml")
    finder._meta_yml_to_dict(routing, ("ansible.builtin", "runtime.yml"))


def serve(control: socket.socket) -> dict[str, object] | None:
    """Fork for each request.

    :returns: the request, in the child that carries it out; None in the server, when the other end is closed.
    """
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _unused in selector.select():
            if key.fileobj is not control:
                report_end(selector, key.fd, *key.data)
                continue
            message, handles, _unused_flags, _unused_address = socket.recv_fds(
                control, MAX_REQUEST, 4, socket.MSG_CMSG_CLOEXEC
            )
            if not message:
                return None
            reply, *streams = handles
            pid = os.fork()
            if pid == 0:
                set_up_child(control, selector, reply, streams)
                return dict(json.loads(message))
            for stream in streams:
                os.close(stream)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, reply))


def report_end(selector: selectors.BaseSelector, pidfd: int, pid: int, reply: int) -> None:
    """Send the exit status of a child to its client."""
    selector.unregister(pidfd)
    os.close(pidfd)
    _unused, status = os.waitpid(pid, 0)
    send_number(reply, os.waitstatus_to_exitcode(status))
    os.close(reply)


def send_number(reply: int, number: int) -> None:
    """Send a number as a message, if the client still exists."""
    with contextlib.suppress(BrokenPipeError):
        os.write(reply, b"%d" % number)


def set_up_child(control: socket.socket, selector: selectors.BaseSelector, reply: int, streams: list[int]) -> None:
    """Give a child its own session and streams, and close everything that belongs to the server or other children."""
    for key in list(selector.get_map().values()):
        if key.fileobj is not control:
            os.close(key.fd)
            os.close(key.data[1])
    selector.close()
    control.close()
    os.setsid()
    send_number(reply, os.getpid())  # only now is the process the leader of a group that can be ended
    os.close(reply)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    signal.set_wakeup_fd(-1)
    gc.unfreeze()


def run(request: dict[str, object]) -> int:
    """Run a program in the folder, environment and command line of the request, as if it had just started."""
    argv, environment = request["argv"], request["env"]
    assert isinstance(argv, list)
    assert isinstance(environment, dict)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = argv
    module = importlib.import_module(f"ansible.cli.{PROGRAMS[Path(argv[0]).name]}")
    return int(module.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
