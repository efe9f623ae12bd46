# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the files that users name before they are read. Private to this collection.

Reading a named pipe would wait for a writer, and reading a device such as /dev/zero would never end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import format_size


def find_file_mistake(path: Path, max_bytes: int) -> str | None:
    """Return why a file must not be read, in words that follow its name; ``None`` if it may be read.

    There is no mistake if the file does not exist, because the attempt to read it reports this more exactly.

    :param max_bytes: the maximum size of the file.
    """
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return describe_mistake(facts, max_bytes)


def describe_mistake(facts: os.stat_result, max_bytes: int) -> str | None:
    """Return the reason why a file must not be read; see :func:`find_file_mistake`."""
    if not stat.S_ISREG(facts.st_mode):
        return "is not a regular file"
    if facts.st_size > max_bytes:
        return f"has {format_size(facts.st_size)}, and at most {format_size(max_bytes)} are read"
    return None


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    :param max_bytes: the maximum size of the file.
    :raises FileNotFoundError: when the file does not exist.
    :raises OSError: when the file cannot be read, is not a regular file or is too large.
    """
    # O_NONBLOCK, because opening a named pipe would otherwise wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        mistake = describe_mistake(os.fstat(descriptor), max_bytes)
        if mistake is not None:
            raise OSError(errno.EINVAL, f"it {mistake}")
        return file.read(max_bytes)
