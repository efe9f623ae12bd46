# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The areas of `make proofs` contain every test file once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from support.areas import AREAS
from support.paths import ROOT, TESTS


def list_area(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool that lists the files of an area."""
    argv = [sys.executable, str(TESTS / "tools" / "area.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_every_test_file_is_in_exactly_one_area() -> None:
    listed = Counter(path for area in AREAS.values() for path in area.files())
    files = Counter(path for kind in ("unit", "integration") for path in (TESTS / kind).rglob("test_*.py"))
    assert listed == files, "put each new file of tests into an area of tests/support/areas.py"


def test_every_pattern_of_an_area_matches_a_file() -> None:
    patterns = [pattern for area in AREAS.values() for pattern in area.patterns()]
    assert [pattern for pattern in patterns if not any(TESTS.glob(pattern))] == []


def test_makefile_knows_the_same_areas() -> None:
    found = re.search(r"^AREAS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert found.group(1).split() == list(AREAS)


def test_tool_lists_the_files_of_an_area() -> None:
    done = list_area("mesh")
    assert done.returncode == 0
    assert [Path(line) for line in done.stdout.splitlines()] == AREAS["mesh"].files()


def test_tool_names_the_areas_when_one_is_unknown() -> None:
    for arguments in ([], ["msh"], ["mesh", "fleet"]):
        done = list_area(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert all(area in done.stderr for area in AREAS)
