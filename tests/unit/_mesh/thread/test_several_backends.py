# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A manifest can have networks of all backends, and a device can move from the Particle cloud to Thread."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_cloud import PRODUCT, ids_of

from support.simulator import PASSWORD, USERNAME, running_simulator
from support.thread_networks import ThreadRunner

FIRST, SECOND = "18b4300000000001", "18b4300000000002"
OPTIONS = {"username": USERNAME, "password": PASSWORD, "mesh_ledger": "mesh", "mesh_status_ledger": "mesh-status"}


@pytest.mark.usefixtures("no_proxies")
def test_three_backends_are_reconciled_in_one_run_and_stay_unchanged(runner: ThreadRunner) -> None:
    with running_simulator("--fleet", "5", "--mesh", "enabled") as cloud:
        one, two, three, four, _unused = ids_of(cloud, 5)
        data: dict[str, Any] = {
            "product": PRODUCT,
            "networks": {
                "field": {"backend": "ledger"},
                "yard": {"backend": "networks"},
                "barn": {"backend": "thread", "border_routers": [{"url": url} for url in runner.otbr.urls]},
            },
            "devices": [
                {"id": one, "mesh": {"network": "field", "role": "gateway"}},
                {"id": two, "eui64": FIRST, "mesh": {"network": "field"}},
                {"id": three, "mesh": {"network": "yard", "role": "gateway"}},
                {"id": four, "mesh": {"network": "yard"}},
                {"eui64": SECOND, "mesh": {"network": "barn", "joiner": "J01NME0002"}},
            ],
        }
        options = {**OPTIONS, "api_url": cloud.url}
        first = runner.run(data, **options)
        assert not first.get("failed"), first
        assert [device["status"] for device in first["devices"]].count("failed") == 0
        assert first["networks"]["barn"]["joined"] == 1
        second = runner.run(data, **options)
        assert (second["changed"], second["cloud"]["writes"]) == (False, 0)
        writes = runner.otbr.stats()["writes"]

        data["devices"][1]["mesh"] = {"network": "barn", "joiner": "J01NME0001"}
        moved = runner.run(data, **options)
        assert not moved.get("failed"), moved
        after = {"network": "barn", "role": "node"}
        assert moved["devices"][1]["changes"]["mesh"] == {
            "before": {"network": "field", "role": "node"},
            "after": after,
        }
        assert (moved["devices"][1]["id"], moved["devices"][1]["mesh"]) == (two, "joined")
        (device,) = [device for device in cloud.state()["devices"] if device["id"] == two]
        assert not any(group.startswith("mesh-") for group in device["groups"])
        assert runner.otbr.stats()["writes"] == writes + 1
        assert runner.run(data, **options)["devices"][1]["changes"] == {
            "mesh.instructions": {"before": "leave", "after": None}
        }
        assert runner.run(data, **options)["changed"] is False

        data["devices"][1]["mesh"] = {"network": "field"}
        refused = runner.run(data, **options)
        assert refused["failed"] is True
        assert "is in network barn, and cannot leave it" in refused["msg"]
