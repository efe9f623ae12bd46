# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the hint for a failed operation on a file. Private to this collection."""

from __future__ import annotations

import errno
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "free space on the disk of {folder}",
    errno.EDQUOT: "free space in the disk quota of your user on the disk of {folder}",
    errno.EROFS: "use a folder that is not on a read-only file system",
    errno.EACCES: "give your user permission to read and write {folder} and the files in it",
    errno.EPERM: "give your user permission to read and write {folder} and the files in it",
    errno.EISDIR: "remove the folder that has the name of the file",
    errno.ELOOP: "use the file itself instead of a symbolic link",
    errno.EMFILE: "raise the limit of open files, for example with 'ulimit -n'",
    errno.ENOLCK: "use a folder on a file system that supports locks",
}


def build_hint(path: Path, error: OSError, otherwise: str) -> str:
    """Return the hint for a failed operation on a file: an instruction for its cause, or else ``otherwise``.

    :param path: the file on which the operation failed.
    :param otherwise: an instruction that helps whatever the cause is, in lower case without a period.
    """
    remedy = _REMEDIES.get(error.errno or 0)
    hint = otherwise if remedy is None else f"{remedy.format(folder=path.parent)}, or {otherwise}"
    return f"{hint[0].upper()}{hint[1:]}."
