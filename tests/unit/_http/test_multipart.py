# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A form with a file is encoded in pieces, and an independent parser reads it back."""

from __future__ import annotations

import email.parser
import email.policy
import tracemalloc

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart, MultipartBody


def parse(body: MultipartBody) -> dict[str, tuple[bytes, str | None, str]]:
    """Return the content, the file name and the media type of each field."""
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + b"".join(body))
    return {
        str(part.get_param("name", header="content-disposition")): (
            bytes(part.get_payload(decode=True)),  # type: ignore[arg-type]
            part.get_filename(),
            part.get_content_type(),
        )
        for part in message.iter_parts()  # type: ignore[attr-defined]
    }


def test_fields_and_file_are_read_back() -> None:
    file = FilePart("app.zip", bytes(range(256)), "application/zip")
    body = MultipartBody({"version": "8", "title": "Schnellere Türme"}, file)
    fields = parse(body)
    assert fields["version"][0] == b"8"
    assert fields["title"][0].decode() == "Schnellere Türme"
    assert fields["file"] == (bytes(range(256)), "app.zip", "application/zip")


def test_length_is_the_number_of_bytes_that_are_read() -> None:
    for size in (0, 1, 65_536, 200_000):
        body = MultipartBody({"a": "1"}, FilePart("app.bin", bytes(size), "application/octet-stream"))
        length = len(body)
        assert sum(map(len, body)) == length


@pytest.mark.parametrize("name", ['a"b.bin', "a\r\nX-Header: 1.bin", "ü.bin", "\udce4.bin"])
def test_file_name_cannot_add_a_header(name: str) -> None:
    (head, _blank, _rest) = b"".join(MultipartBody({}, FilePart(name, b"x", "text/plain"))).partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) == 3
    assert head.count(b'"') == 4


def test_content_is_not_copied_as_a_whole() -> None:
    content = bytes(20_000_000)
    tracemalloc.start()
    try:
        for _piece in MultipartBody({}, FilePart("app.bin", content, "application/octet-stream")):
            pass
        _size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_sent_bytes_are_reported_up_to_the_end() -> None:
    reports: list[int] = []
    body = MultipartBody({}, FilePart("app.bin", bytes(200_000), "application/octet-stream", report=reports.append))
    total = len(body)
    assert sum(map(len, body)) == total
    assert (reports[0], reports[-1], sorted(reports)) == (0, total, reports)
