# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the table of documented GET requests of the probe from docs/facts/reads.yml and docs/facts/endpoints.yml."""

from __future__ import annotations

import hashlib
import pprint
import re
import subprocess
import sys
from functools import cache
from typing import Any

import yaml

from support.facts import FACTS, load_endpoints
from support.paths import ROOT

READS = "reads.yml"

_HEADER = '''\
# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the documented GET requests and the shapes of their responses. Private to this collection.

`make probe` writes this file from docs/facts/reads.yml and docs/facts/endpoints.yml. Do not edit it.
"""

from __future__ import annotations

from typing import Any
'''


@cache
def load_reads() -> dict[str, Any]:
    """Return the content of reads.yml."""
    content: dict[str, Any] = yaml.safe_load((FACTS / READS).read_text(encoding="utf-8"))
    return content


def list_rows() -> list[dict[str, Any]]:
    """Return the documented GET requests, each with the id and the confidence of its endpoint."""
    endpoints = {endpoint["id"]: endpoint for group in load_endpoints().values() for endpoint in group}
    rows = []
    for name, reads in load_reads()["reads"].items():
        errors = endpoints[name].get("errors", [])
        documented = {int(status) for error in errors for status in re.findall(r"\b[45]\d\d\b", str(error["status"]))}
        for read in reads:
            row = {**read, "content": read.get("reads", "json")}
            row.pop("reads", None)
            if accepts := sorted(documented | set(row.pop("accepts", ()))):
                row["accepts"] = tuple(accepts)
            for key in ("statuses", "pages"):
                if key in row:
                    row[key] = tuple(row[key])
            rows.append({"endpoint": name, "confidence": endpoints[name]["conf"], **row})
    return rows


def list_unread() -> list[dict[str, Any]]:
    """Return the endpoints that the probe does not read, and the paths of other endpoints, each with the reason."""
    reads = load_reads()
    rows = [{"endpoint": name, "request": None, "reason": reason} for name, reason in reads["not_read"].items()]
    for name, paths in reads["not_read_paths"].items():
        rows += [{"endpoint": name, "request": f"GET {path}", "reason": reason} for path, reason in paths.items()]
    return rows


def build_table() -> str:
    """Return the text of the Python file with the table."""
    reads = load_reads()
    revision = hashlib.sha256((FACTS / READS).read_bytes()).hexdigest()[:8]
    parts = {
        "REVISION": ("str", revision, "The beginning of the SHA-256 hash of reads.yml."),
        "SHAPES": ("dict[str, Any]", reads["shapes"], "The shapes that other shapes name."),
        "ROWS": ("list[dict[str, Any]]", list_rows(), "The documented GET requests, in the order of reads.yml."),
        "NOT_READ": (
            "list[dict[str, Any]]",
            list_unread(),
            "Endpoints and paths that are not read, each with the reason.",
        ),
    }
    text = _HEADER
    for name, (type_name, value, docstring) in parts.items():
        text += f'\n{name}: {type_name} = {pprint.pformat(value, sort_dicts=False)}\n"""{docstring}"""\n'
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "documented.py", "-"]
    return subprocess.run(command, input=text, cwd=ROOT, check=True, capture_output=True, text=True).stdout
