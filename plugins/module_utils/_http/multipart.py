# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode a form with a file as multipart/form-data (RFC 7578). Private to this collection."""

from __future__ import annotations

import dataclasses
import io
import secrets
from collections.abc import Callable, Iterator, Mapping

_PIECE_BYTES = 64 * 1024


@dataclasses.dataclass(frozen=True)
class FilePart:
    """A file that a request sends in a multipart form.

    :param name: the file name that the cloud sees.
    :param content_type: the media type of the file.
    :param field: the name of the form field.
    :param report: a function that is called with the number of bytes that were sent, after each piece of the body.
    """

    name: str
    content: bytes = dataclasses.field(repr=False)
    content_type: str
    field: str = "file"
    report: Callable[[int], None] = dataclasses.field(default=lambda sent: None, repr=False, compare=False)


class MultipartBody:
    """The body of a request that sends form fields and a file.

    The body is read in pieces, so that the content of the file is not copied as a whole.
    """

    def __init__(self, form: Mapping[str, str], file: FilePart) -> None:
        boundary = secrets.token_hex(16)
        head = [_encode_part(boundary, f'name="{_quote(name)}"', value.encode()) for name, value in form.items()]
        described = f'name="{file.field}"; filename="{_quote(file.name)}"\r\nContent-Type: {file.content_type}'
        head.append(_encode_part(boundary, described, b"").removesuffix(b"\r\n"))
        tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = (b"".join(head), file.content, tail)
        self._size = sum(map(len, parts))
        self._sent = 0
        self._report = file.report
        self._parts = [io.BytesIO(part) for part in parts]  # shares the bytes instead of copying them

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_PIECE_BYTES), b"")

    def read(self, size: int) -> bytes:
        """Return the next bytes of the body, at most ``size``. At the end of the body, return no bytes."""
        piece = next(filter(None, (part.read(size) for part in self._parts)), b"")
        self._report(self._sent)  # the sender asks for the next piece after it has sent the one before
        self._sent += len(piece)
        return piece


def _encode_part(boundary: str, described: str, content: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {described}\r\n\r\n".encode() + content + b"\r\n"


def _quote(name: str) -> str:
    """Return a name for a quoted string, with percent codes as browsers write them (HTML, multipart form data)."""
    quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return quoted.encode("utf-8", "replace").decode()  # a file name on disk may be no valid UTF-8
