# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A file in UTF-8, or in UTF-16 with its mark, is decoded. Other files are refused with their line."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.encoding import decode_text
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

TEXT = "id,name\r\n1,a\r\nä,Ställe\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_decoded_without_its_mark(encoding: str) -> None:
    assert decode_text(TEXT.encode(encoding), "t.csv") == TEXT


def test_big_endian_text_with_a_mark_is_decoded() -> None:
    assert decode_text(b"\xfe\xff" + TEXT.encode("utf-16-be"), "t.csv") == TEXT


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_other_encoding_is_refused_with_its_line_and_the_remedy(line_end: str) -> None:
    with pytest.raises(ParticleError) as caught:
        decode_text(TEXT.replace("\r\n", line_end).encode("cp1252"), "t.csv")
    assert caught.value.code == "invalid_manifest"
    assert caught.value.message == "The file t.csv is not a text in UTF-8: line 3 contains the invalid byte 0xe4."
    assert "CSV UTF-8" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\x14\x00", "not a text, but an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "not a text, but an old Excel workbook"),
        (b"\x1f\x8b\x08", "not a text, but compressed with gzip"),
        (b"%PDF-1.7\n", "not a text, but a PDF document"),
        (b"{\\rtf1\\ansi}", "not a text, but an RTF document"),
        (b"\xef\xbb\xbf<!DOCTYPE html>\n", "not a text, but an HTML or XML document"),
        (b'\n<?xml version="1.0"?>\n', "not a text, but an HTML or XML document"),
    ],
)
def test_file_of_another_form_is_refused_as_such(data: bytes, words: str) -> None:
    with pytest.raises(ParticleError, match=words) as caught:
        decode_text(data, "t.csv")
    assert caught.value.code == "invalid_manifest"
    assert caught.value.hint.endswith(".")


@pytest.mark.parametrize("text", ["ä", "id"])
def test_utf_16_without_a_mark_is_refused(text: str) -> None:
    with pytest.raises(ParticleError, match="is not a text in UTF-8: line 1 contains the"):
        decode_text(text.encode("utf-16-le"), "t.csv")
