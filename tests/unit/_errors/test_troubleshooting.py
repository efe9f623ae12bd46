# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The troubleshooting guide explains exactly the error codes of the collection."""

from __future__ import annotations

import re

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from support.paths import ROOT

GUIDE = (ROOT / "docs" / "guide_troubleshooting.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `(?P<code>\w+)`\n\n(?P<cause>.+)\n\n(?P<remedy>.+)\n", re.MULTILINE)


def test_guide_has_cause_and_remedy_for_exactly_the_error_codes() -> None:
    codes = [section["code"] for section in SECTION.finditer(GUIDE)]
    assert sorted(codes) == sorted(HINTS)
    assert re.findall(r"^### (?!`\w+`$).*", GUIDE, re.MULTILINE) == []
