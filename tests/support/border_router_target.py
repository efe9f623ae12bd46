# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The real border router against which tests of the REST API run, if the environment names one.

- `OTBR_URL`: the address of a real border router, for example http://127.0.0.1:8081 at the end of an SSH tunnel.
- `OTBR_NODES`: a JSON file with the nodes near it, as a list of objects with `eui64` and `pskd`. The option `--nodes`
  of the simulator reads the same format.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REAL_URL = os.environ.get("OTBR_URL", "").rstrip("/")
REAL_NODES = os.environ.get("OTBR_NODES", "")
HOW_TO_SET_URL = (
    "OTBR_URL is not set. To run these tests against a real border router, set it to the address of its REST API, "
    "for example http://127.0.0.1:8081. The tests only read."
)
HOW_TO_SET_NODES = (
    "OTBR_NODES is not set. To check the nodes near a real border router, set it to a JSON file with a list of objects "
    "with eui64 and pskd."
)
_EUI64 = re.compile(r"[0-9a-fA-F]{16}")
_PSKD = re.compile(r"[0-9A-HJ-NPR-Y]{6,32}")


@dataclass(frozen=True)
class RadioNode:
    """A board near a border router. Its PSKd is a secret, so it is not shown."""

    eui64: str
    pskd: str = field(repr=False)


def read_nodes(path: str | Path) -> list[RadioNode]:
    """Read a file of nodes.

    :raises ValueError: if the file has another form; the text names the entry, and no PSKd.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, list):
        raise ValueError("the file must contain a JSON list of nodes")
    return [_read_node(number, entry) for number, entry in enumerate(content, 1)]


def _read_node(number: int, entry: Any) -> RadioNode:
    if not isinstance(entry, dict):
        raise ValueError(f"node {number} must be an object with eui64 and pskd")
    eui64, pskd = str(entry.get("eui64", "")), str(entry.get("pskd", ""))
    if not _EUI64.fullmatch(eui64):
        raise ValueError(f"node {number}: eui64 must have 16 hexadecimal digits without separators")
    if not _PSKD.fullmatch(pskd):
        raise ValueError(
            f"node {number}: pskd must have 6 to 32 characters, digits and upper-case letters without I, O, Q and Z"
        )
    return RadioNode(eui64.lower(), pskd)
