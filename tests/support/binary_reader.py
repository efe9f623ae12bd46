# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Make and read firmware files with Particle's own library (npm package: binary-version-reader)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.official_client import SUITE, TOOL_SECONDS, check_installed
from support.paths import OFFICIAL_CLIENT
from support.processes import ProcessFailed


@dataclass(frozen=True)
class ReadFile:
    """The contents of a firmware file, as Particle's library reads them.

    The library shows 65535 for the product fields of a binary that is not product firmware, and -1 for a suffix without
    these fields.

    :ivar valid_assets: the names of the assets of a bundle that match the hashes in the binary.
    """

    crc_ok: bool
    function: int
    platform_id: int
    needed_device_os: int | None
    product_id: int
    product_version: int
    app_hash: str
    assets: tuple[tuple[str, str], ...]
    valid_assets: tuple[str, ...]


def make_files(folder: Path, files: Sequence[Mapping[str, Any]]) -> dict[str, ReadFile]:
    """Make firmware files in a folder.

    :param files: for each file its `name`, and the `options` of the function `createFirmwareBinary` of the library; for
        a bundle also the `assets`, texts keyed by name, and optionally the environment `variables`.
    :returns: the contents of the files, keyed by name.
    """
    read = _run_tool("make", str(folder), content=json.dumps(list(files)))
    return dict(zip((str(file["name"]) for file in files), read, strict=True))


def read_files(*paths: Path) -> list[ReadFile]:
    """Read firmware files. A name that ends with `.zip` marks a bundle."""
    return _run_tool("read", *map(str, paths))


def _run_tool(*arguments: str, content: str = "") -> list[ReadFile]:
    check_installed(OFFICIAL_CLIENT)
    run = subprocess.run(
        ["node", str(SUITE / "binaries.mjs"), *arguments],
        env={"PATH": os.environ["PATH"], "OFFICIAL_CLIENT": str(OFFICIAL_CLIENT)},
        input=content,
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    if run.returncode != 0:
        raise ProcessFailed(f"the reader of binaries ended with {run.returncode}. It printed:\n{run.stderr}")
    return [_build_read_file(row) for row in json.loads(run.stdout)]


def _build_read_file(row: dict[str, Any]) -> ReadFile:
    assets = tuple((name, digest) for name, digest in row.pop("assets"))
    return ReadFile(**row | {"assets": assets, "valid_assets": tuple(row["valid_assets"])})
