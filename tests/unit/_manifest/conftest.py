# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check that the JSON Schema accepts every manifest that is valid in these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest import reader
from support.schema_checks import MANIFEST, comparing

OTHER_FIELDS = "test_device_fields"
"""The file whose tests add a field that devices do not have."""


@pytest.fixture(scope="module", autouse=True)
def _compare_with_schema(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.path.stem == OTHER_FIELDS:
        yield
        return
    with comparing(reader._Reader, MANIFEST):
        yield
