# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Examples of the documented error bodies, with a status for each body. The fault schedule uses these examples."""

from __future__ import annotations

from typing import Any

from simulator_base.faults import HTML

SHAPES: dict[str, tuple[int, Any]] = {
    "E1": (503, {"error": "server_error", "error_description": "Something went wrong"}),
    "E2": (
        403,
        {
            "error": "mfa_required",
            "error_description": "Multi-factor authentication required",
            "mfa_token": "opaque.mfa.token",
        },
    ),
    "E3": (
        403,
        {
            "error": "Permission Denied",
            "info": "I didn't recognize that device name or ID, "
            "try opening https://api.particle.io/v1/devices?access_token=undefined",
        },
    ),
    "E4": (404, {"ok": False, "error": "Product not found."}),
    "E5": (408, {"error": "Timed out."}),
    "E6": (400, {"ok": False, "errors": ["Unknown user"]}),
    "E7": (404, {"ok": False, "errors": [["Core isn't online", 404]]}),
    "E8": (
        500,
        {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]},
    ),
    "E9": (403, {"errors": ["That belongs to someone else."]}),
    "E10": (400, {"error": "bad_request", "description": "start_date and end_date must be ISO8601 formatted"}),
    "E11": (422, {"message": "Invalid Schema", "description": "The schema is not valid", "violations": []}),
    "E12": (404, {}),
    "E13": (
        200,
        {
            "ok": False,
            "output": "build didn't produce binary",
            "stdout": "",
            "errors": ["build didn't produce binary"],
        },
    ),
    "E14": (502, HTML),
}
"""(status, body), keyed by the name of the error body (errors-and-limits.md, section 1).

A body that is a string is an HTML page.
"""
