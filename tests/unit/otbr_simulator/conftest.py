# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Provide clients of the simulated border routers, whose clock stands still."""

from __future__ import annotations

import pytest

from support.otbr import BorderRouters
from support.otbr_client import Router


@pytest.fixture
def router(otbr: BorderRouters) -> Router:
    """The first border router, without a network."""
    return Router(otbr, otbr.url)


@pytest.fixture
def leader(router: Router) -> Router:
    """The first border router, as the leader of the network barn on channel 15."""
    router.form()
    return router
