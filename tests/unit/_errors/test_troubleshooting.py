# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The guide to troubleshooting and the closed list of error codes are about the same."""

from __future__ import annotations

import re

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from support.paths import ROOT

GUIDE = (ROOT / "docs" / "guide_troubleshooting.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `(?P<code>\w+)`\n\n(?P<cause>.+)\n\n(?P<remedy>.+)\n", re.MULTILINE)


def test_each_code_of_the_list_has_a_section_with_a_cause_and_a_remedy_and_no_other_has() -> None:
    codes = [section["code"] for section in SECTION.finditer(GUIDE)]
    assert sorted(codes) == sorted(HINTS)
    assert re.findall(r"^### (?!`\w+`$).*", GUIDE, re.MULTILINE) == []
