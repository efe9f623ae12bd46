# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the SIMs of a product (endpoints.yml: sims). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import read_pages
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

ROWS = RowForm(("sims",), ("_id",))


def list_sims(http: Http, product: str, filters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the SIMs of a product, each once (endpoints.yml: sims_list).

    :param filters: parts of values that each SIM must have: ``iccid`` or ``deviceId``.
    """
    request = Request("GET /v1/products/:p/sims", f"list the SIMs of product {product}", {"p": product}, query=filters)
    # If the list changes while its pages are read, a SIM can be on two pages.
    return list({row["_id"]: row for row in read_pages(http, request, ROWS).rows}.values())


def import_sims(http: Http, product: str, iccids: Sequence[str], country: str | None = None) -> None:
    """Ask the cloud to import SIMs into a product and to activate them (endpoints.yml: sims_import).

    The cloud imports the SIMs later, and reports the result by e-mail. The devices of the SIMs join the product, too.

    :param country: the country of the first activation, as a code of two letters.
    """
    body = {"sims": list(iccids), **({"country": country} if country else {})}
    action = f"import {len(iccids)} SIMs into product {product}" if len(iccids) > 1 else f"import SIM {iccids[0]}"
    http.send(Request("POST /v1/products/:p/sims", action, {"p": product}, json=body))


def change_sim(http: Http, product: str, iccid: str, action: str) -> None:
    """Activate or deactivate a SIM of a product (endpoints.yml: sim_deactivate, sim_reactivate).

    :param action: ``reactivate`` or ``deactivate``.
    """
    path_params = {"p": product, "iccid": iccid}
    http.send(Request("PUT /v1/products/:p/sims/:iccid", f"{action} SIM {iccid}", path_params, json={"action": action}))


def release_sim(http: Http, product: str, iccid: str) -> None:
    """Deactivate a SIM, and give up its ownership (endpoints.yml: sim_release). The cloud may do this later."""
    http.send(Request("DELETE /v1/products/:p/sims/:iccid", f"release SIM {iccid}", {"p": product, "iccid": iccid}))
