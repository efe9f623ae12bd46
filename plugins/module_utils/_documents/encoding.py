# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode the bytes of a text file. Private to this collection."""

from __future__ import annotations

import codecs

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.file_forms import (
    find_binary_form,
    find_markup,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.lines import split_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

# Programs of Windows begin a file in UTF-16 with this mark. Excel calls the format "Unicode Text".
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_HINT = (
    "Save the file in UTF-8. In Excel, choose the file type 'CSV UTF-8 (Comma delimited)' under 'Save As'; "
    "in LibreOffice, choose 'Unicode (UTF-8)' as the character set."
)


def decode_text(data: bytes, name: str) -> str:
    """Decode a file in UTF-8, or in UTF-16 with a byte order mark. The mark is removed.

    :param name: the name of the file, for messages.
    :raises ParticleError: ``invalid_manifest`` when the file has another encoding, with the line in the message, or
        when the file is a document of another form, such as a workbook.
    """
    if form := find_binary_form(data):
        raise _build_form_error(name, form)
    encoding = "utf-16" if data.startswith(_UTF_16_MARKS) else "utf-8"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        wrong = f"contains the invalid byte 0x{data[error.start : error.start + 1].hex()}"
        raise _build_error(name, data[: error.start].decode(encoding, errors="replace"), wrong) from None
    if "\0" in text:  # the text is in UTF-16 without a mark, or the file is not a text
        raise _build_error(name, text.partition("\0")[0], "contains the byte 0x00")
    if form := find_markup(text):
        raise _build_form_error(name, form)
    return text


def _build_form_error(name: str, form: tuple[str, str]) -> ParticleError:
    phrase, hint = form
    return ParticleError("invalid_manifest", f"The file {name} is not a text, but {phrase}.", hint=hint)


def _build_error(name: str, before: str, wrong: str) -> ParticleError:
    """Return the error for a file.

    :param before: the text before the first fault.
    """
    line = len(split_lines(before))
    return ParticleError(
        "invalid_manifest", f"The file {name} is not a text in UTF-8: line {line} {wrong}.", hint=_HINT
    )
