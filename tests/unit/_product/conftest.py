# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check that the JSON Schema accepts every definition that is valid in these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._product import definition
from support.schema_checks import DEFINITION, comparing


@pytest.fixture(scope="module", autouse=True)
def _compare_with_schema() -> Iterator[None]:
    with comparing(definition._Reader, DEFINITION):
        yield
