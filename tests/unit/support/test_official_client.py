# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A missing official client is a failure, not a reason to skip tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.official_client import run_suite
from support.processes import ProcessFailed


def test_a_missing_package_fails_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="Run `make test`"):
        run_suite({}, tmp_path)
