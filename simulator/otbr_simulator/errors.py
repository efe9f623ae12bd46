# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The exception with which the simulated border router refuses a request (otbr-rest.md, section 8)."""

from __future__ import annotations


class Refusal(Exception):
    """A refused request: the status of the response, and the `detail` in its body, which is nearly always empty."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(f"{status} {detail}".rstrip())
        self.status = status
        self.detail = detail
