# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test runs through a proxy that only passes on encrypted connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.certificates import create_certificate
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.simulator import running_simulator
from support.tunnel import running_tunnel

LIST_GROUPS = "GET /v1/products/:p/groups"
CREATE_GROUP = "POST /v1/products/:p/groups"


@pytest.mark.parametrize("effect", ["reset_after", "empty"])
def test_lost_answer_through_a_tunnel_is_settled_by_one_request(tmp_path: Path, effect: str) -> None:
    certificate, key = create_certificate(tmp_path)
    with (
        running_simulator("--fleet", "20", "--tls-cert", str(certificate), "--tls-key", str(key)) as cloud,
        running_tunnel() as proxy,
    ):
        manifest = manifest_for(cloud)
        cloud.set_faults([{"route": CREATE_GROUP, "effect": effect, "times": 1}])
        env = {**cloud_environment(cloud.url), "https_proxy": proxy.url}
        run = run_task("fleet", {"manifest": manifest, "ca_path": str(certificate), "verify": "none"}, env).succeeded()
        assert run.result(TASK)["summary"]["changed"] == 20
        groups = {group for device in cloud.state()["devices"] for group in device["groups"]}
        by_route = cloud.stats()["by_route"]
        assert (by_route[CREATE_GROUP], by_route[LIST_GROUPS]) == (len(groups), 1 + 1)  # the observation and one look
        assert proxy.connections > 0
