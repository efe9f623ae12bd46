# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The program of the fork server: import Ansible's libraries once, and fork a child process for each request.

`support.fork_server` starts this program and sends the requests. The command line arguments are the file descriptor of
a socket, the folder of the collection's plugins, the folder in which runs share packed modules, and the settings as
JSON: for a prepared server the environment variables with the settings of all children, for a plain server null. The
server ends when the other end of the socket is closed.

Some modules read settings while they are imported, for example `ansible.constants`. A plain server does not import
these modules, because each child has its own environment and its own configuration file. A prepared server imports them
with the settings that all its children share.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import dataclasses
import functools
import gc
import importlib.util
import io
import json
import marshal
import os
import pkgutil
import selectors
import signal
import socket
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

MAX_REQUEST = 1 << 18
"""The maximum size of a request (a command line and an environment) in bytes."""

# Modules outside Ansible that `ansible-playbook` and the plugins of this collection import.
LIBRARIES = (
    "asyncio base64 cmd concurrent.futures concurrent.futures.thread configparser csv ctypes.util curses difflib email "
    "fcntl getpass glob hashlib hmac http.client importlib.metadata jinja2.nativetypes jinja2.sandbox logging.handlers "
    "mmap multiprocessing.managers multiprocessing.pool multiprocessing.queues packaging.specifiers packaging.version "
    "pprint pty requests resolvelib runpy secrets shlex ssl subprocess tarfile tempfile urllib3 uuid "
    "xml.etree.ElementTree yaml zipfile "
    "cryptography.hazmat.primitives.kdf.pbkdf2 cryptography.hazmat.primitives.serialization"
).split()

# Modules of Ansible that read no settings while they are imported. Modules that the installed version of Ansible does
# not have are skipped.
ANSIBLE = (
    "ansible.module_utils.basic ansible.module_utils.connection ansible.config.manager ansible.context ansible.errors "
    "ansible.parsing.quoting ansible.parsing.splitter ansible.utils.collection_loader ansible.utils.context_objects "
    "ansible.utils.hashing ansible.utils.lock ansible.utils.path ansible.utils.unicode ansible.utils.version "
    "ansible.executor.process ansible.vars.hostvars ansible._internal._encryption._crypt "
    "ansible._internal._errors._captured ansible._internal._errors._error_utils ansible._internal._ssh._ssh_agent "
    "ansible._internal._templating._access ansible._internal._wrapt ansible._internal._yaml._errors"
).split()
READS_SETTINGS = ("ansible.constants", "ansible.utils.display", "ansible.cli")

PLUGINS = "become cache callback connection filter inventory shell strategy test vars".split()
"""The types of plugins that most playbooks load."""

PACKED_MODULES = "command copy file find setup stat uri".split()
"""The modules of ansible.builtin that most playbooks run, and that the tests do not replace by modules of their own."""

PROGRAMS = {"ansible-inventory": "inventory", "ansible-playbook": "playbook"}
"""The programs that can be forked. The value is the name of the program's module in `ansible.cli`."""


def main() -> int:
    """Import the libraries, and serve requests until the other end of the socket is closed.

    :returns: in the server, 0; in a child process, the exit status of the requested program.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    # Python sets sys.path[0] to the folder of the script. The children run scripts in the folder of the interpreter.
    sys.path[0] = str(Path(sys.executable).parent)
    for name in (*LIBRARIES, *ANSIBLE):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    remember_routing()
    compile_plugins(Path(sys.argv[2]))
    loaded = [name for name in READS_SETTINGS if name in sys.modules]
    if loaded:
        raise SystemExit(
            f"{', '.join(loaded)} must not be imported before the fork, because all children would share its settings"
        )
    if settings := json.loads(sys.argv[4]):
        prepare(settings)
    gc.collect()
    gc.freeze()
    request = serve(control)
    return run(request, Path(sys.argv[3])) if request is not None else 0


def remember_routing() -> None:
    """Parse the routing table of ansible.builtin once for all children.

    Otherwise each run would parse this table, which takes a quarter of the time of a short playbook. The function
    replaces Ansible's parser function by a function with a cache. Ansible allows tools to replace the parser function.
    """
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    finder._meta_yml_to_dict = functools.lru_cache(finder._meta_yml_to_dict)
    routing = pkgutil.get_data("ansible.config", "ansible_builtin_runtime.yml")
    finder._meta_yml_to_dict(routing, ("ansible.builtin", "runtime.yml"))


def compile_plugins(folder: Path) -> None:
    """Compile the plugins of the collection once for all children.

    Otherwise each run would compile them, because Ansible's importer does not cache bytecode. A file that has changed
    since, or that is in another folder, is compiled as usual.
    """
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    finder.compile = functools.lru_cache(maxsize=None)(compile)
    for path in folder.rglob("*.py"):
        # The arguments are those of the importer.
        finder.compile(source=path.read_bytes(), filename=str(path), mode="exec", flags=0, dont_inherit=True)


def prepare(settings: dict[str, str]) -> None:
    """Import the programs of Ansible, with these environment variables as the settings of all children."""
    os.environ.update(settings)
    with no_output():
        for name in PROGRAMS.values():
            importlib.import_module(f"ansible.cli.{name}")
        manager: Any = importlib.import_module("ansible.config.manager")
        constants: Any = importlib.import_module("ansible.constants")
        load_plugins()
    # The import has made a folder for temporary files. Each child makes its own.
    atexit.unregister(manager.cleanup_tmp_file)
    manager.cleanup_tmp_file(constants.DEFAULT_LOCAL_TMP)


def make_temporary_folder(constants: Any) -> None:
    """Make a folder for the temporary files of this process, as the import of `constants` does in a new process."""
    setting = "DEFAULT_LOCAL_TMP"
    setattr(constants, setting, constants.config.get_config_value(setting, variables=vars(constants)))


@contextlib.contextmanager
def share_packed_modules(folder: Path) -> Iterator[None]:
    """Give this run the modules of Ansible that other runs have packed, and keep those that this run packs.

    Ansible packs a module with all its imports into an archive before its first use in a run, which takes longer than
    the run of the module. It keeps the archives in the folder for temporary files, under the name of the module. The
    archives are linked, so a file that a child has not finished is never shared.

    :param folder: the folder with the archives of all runs, by version of ansible-core and of Python.
    """
    constants: Any = importlib.import_module("ansible.constants")
    release: Any = importlib.import_module("ansible.release")
    shared = folder / f"{release.__version__}-{sys.implementation.cache_tag}"
    own = Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache"
    for archives in (shared, own):
        archives.mkdir(parents=True, exist_ok=True)
    link_archives(shared, own)
    try:
        yield
    finally:
        for archive in find_archives(own):
            if not (shared / archive.name).exists():
                add_bytecode(archive)
        link_archives(own, shared)


def find_archives(folder: Path) -> list[Path]:
    """Return the finished archives of :data:`PACKED_MODULES` in a folder."""
    found = (path for name in PACKED_MODULES for path in folder.glob(f"ansible.modules.{name}-*"))
    return [path for path in found if path.suffix != ".lock" and not path.name.endswith("-part")]


def link_archives(source: Path, target: Path) -> None:
    """Link the archives that the folder `target` does not have into this folder."""
    for archive in find_archives(source):
        with contextlib.suppress(FileExistsError):
            os.link(archive, target / archive.name)


def add_bytecode(archive: Path) -> None:
    """Add the bytecode of each source file to an archive, as Python keeps it in `__pycache__`.

    Otherwise each run of the module would compile its imports, which takes a large part of its CPU time.
    """
    packing: Any = importlib.import_module("ansible.executor.module_common")
    packed = packing._CachedModule.load(str(archive))
    content = io.BytesIO(base64.b64decode(packed.zip_data))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as file:
        for name in [name for name in file.namelist() if name.endswith(".py")]:
            source = file.read(name)
            code = compile(source, name, "exec", dont_inherit=True)
            # The flag 1 means that Python does not compare the hash. Another version of Python ignores the file.
            head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
            file.writestr(f"{name}c", head + marshal.dumps(code))
    dataclasses.replace(packed, zip_data=base64.b64encode(content.getvalue())).dump(str(archive))


def load_plugins() -> None:
    """Load the plugins that Ansible loads for each playbook, and those of the collection, into Ansible's caches."""
    loader: Any = importlib.import_module("ansible.plugins.loader")
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    loader.init_plugin_loader()
    for kind in PLUGINS:
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    collection = importlib.import_module("ansible_collections.meshfleet.particle")
    for found in pkgutil.walk_packages(collection.__path__, f"{collection.__name__}."):
        if ".plugins." in found.name and "doc_fragments" not in found.name:
            importlib.import_module(found.name)
    finder._AnsibleCollectionFinder._remove()


@contextlib.contextmanager
def no_output() -> Iterator[None]:
    """Let standard output and standard error be no terminal until the end of the block.

    Ansible looks for a terminal while it is imported. The children have no terminal.
    """
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    with open(os.devnull, "wb") as nothing:
        for stream in kept:
            os.dup2(nothing.fileno(), stream)
    try:
        yield
    finally:
        for stream, handle in kept.items():
            os.dup2(handle, stream)
            os.close(handle)


def serve(control: socket.socket) -> dict[str, object] | None:
    """Receive requests from the socket `control`, and fork a child process for each request.

    :returns: in each child, the request that this child must run; in the server, None when the other end of `control`
        is closed.
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
    """Send the exit status of an ended child to the client, and close the file descriptors `pidfd` and `reply`.

    :param pidfd: the process file descriptor of the child.
    :param pid: the process id of the child.
    :param reply: the file descriptor of the socket on which the client waits.
    """
    selector.unregister(pidfd)
    os.close(pidfd)
    _unused, status = os.waitpid(pid, 0)
    send_number(reply, os.waitstatus_to_exitcode(status))
    os.close(reply)


def send_number(reply: int, number: int) -> None:
    """Send a number as one message to the client. Do nothing if the client has closed the connection."""
    with contextlib.suppress(BrokenPipeError):
        os.write(reply, b"%d" % number)


def set_up_child(control: socket.socket, selector: selectors.BaseSelector, reply: int, streams: list[int]) -> None:
    """Prepare a child process after the fork: give the child its own session and standard streams.

    Files and sockets of the server and of other children are closed.

    :param reply: the file descriptor of the socket to which the process id is sent.
    :param streams: the file descriptors for standard input, output and error.
    """
    for key in list(selector.get_map().values()):
        if key.fileobj is not control:
            os.close(key.fd)
            os.close(key.data[1])
    selector.close()
    control.close()
    os.setsid()
    # The client may end the process group as soon as it knows the id, so the group must already exist.
    send_number(reply, os.getpid())
    os.close(reply)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    signal.set_wakeup_fd(-1)


def run(request: dict[str, object], packed_modules: Path) -> int:
    """Run the program of the request in this process, and return its exit status.

    :param request: `argv`, `env` and `cwd`: the command line, all environment variables, and the working folder.
    :param packed_modules: the folder in which runs share packed modules.
    """
    argv, environment = request["argv"], request["env"]
    assert isinstance(argv, list)
    assert isinstance(environment, dict)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = argv
    if constants := sys.modules.get("ansible.constants"):  # in a child of the prepared server
        make_temporary_folder(constants)
    module = importlib.import_module(f"ansible.cli.{PROGRAMS[Path(argv[0]).name]}")
    with share_packed_modules(packed_modules):
        return int(module.main() or 0)


def end(status: int) -> NoReturn:
    """End this process like `sys.exit`, but leave the memory to the operating system.

    Otherwise Python would delete each object that the server has made, which takes longer than a short playbook.
    """
    threading: Any = importlib.import_module("threading")
    threading._shutdown()  # waits for threads, which is the first step of the end of each Python process
    handlers: Any = atexit
    handlers._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        status = main()
    except SystemExit as ending:
        if not isinstance(ending.code, int):
            raise
        status = ending.code
    end(status)
