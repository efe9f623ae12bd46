# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognize files that are neither a manifest nor a table by their first characters. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

_SAVE = "Open it in a spreadsheet program, and save it as 'CSV UTF-8 (Comma delimited)'."

_BINARY_FORMS: Mapping[bytes, tuple[str, str]] = {
    b"PK\x03\x04": ("an Excel workbook, another office document or a ZIP archive", _SAVE),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel workbook (.xls) or another office document", _SAVE),
    b"\x1f\x8b": ("compressed with gzip", "Decompress it."),
    b"%PDF-": ("a PDF document", "Ask for the table from which it was made."),
    b"{\\rtf": ("an RTF document", "Open it, and save it as a plain text."),
}
"""Forms by the bytes with which their files begin, each with the remedy."""

_MARKUP = (
    "an HTML or XML document, for example a sign-in page",
    "Download the file itself. If it opens in a spreadsheet program, save it as 'CSV UTF-8 (Comma delimited)'.",
)


def find_binary_form(data: bytes) -> tuple[str, str] | None:
    """Return the form of a file that is not a text, and the remedy; ``None`` if the file may be a text."""
    return next((form for start, form in _BINARY_FORMS.items() if data.startswith(start)), None)


def find_markup(text: str) -> tuple[str, str] | None:
    """Return the form of a text that is HTML or XML, and the remedy; ``None`` for any other text."""
    return (
        _MARKUP if text.lstrip("\ufeff \t\r\n").startswith(("<!", "<?", "<html", "<HTML", "<table", "<TABLE")) else None
    )


def is_json(text: str) -> bool:
    """Return whether a text begins like a mapping or a list of JSON."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
