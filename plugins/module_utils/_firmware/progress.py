# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the progress of the upload of a firmware file. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import FirmwareFile

_STEPS = 4
"""The number of messages about one upload."""


def show_progress(file: FirmwareFile, say: Callable[[str], None]) -> Callable[[int], None]:
    """Return a function that shows a message for each quarter of a file, when it is called with the sent bytes."""
    total = len(file.content)
    shown = 0

    def report(sent: int) -> None:
        nonlocal shown
        step = min(_STEPS, sent * _STEPS // total)
        if step != shown and sent:  # the count begins again when a request is repeated
            shown = step
            say(f"Uploading {file.name}: {min(sent, total):,} of {total:,} bytes are sent.")

    return report
