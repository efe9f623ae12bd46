# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the advice about a product that does not exist."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud


@pytest.mark.parametrize("status", [408, 429, 503])
def test_list_of_products_for_advice_is_not_requested_again(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    scripted_cloud.answer("GET", "/v1/products/pump", 404)
    scripted_cloud.answer("GET", "/v1/user/products", status, repeat=True)
    with pytest.raises(ParticleError) as caught:
        get_product(http, "pump")
    assert caught.value.code == "not_found"
    assert len(scripted_cloud.seen("GET", "/v1/user/products")) == 1
