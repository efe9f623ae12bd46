# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A missing compatible cloud is a failure, not a reason to skip tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.processes import ProcessFailed
from support.real_server import running_real_server


def test_a_missing_package_fails_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="Run `make test`"), running_real_server(tmp_path):
        pass
