# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Playbooks form Thread networks: against simulated border routers, and against a real one if its address is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.border_router_target import REAL_NODES, REAL_URL, read_nodes
from support.otbr import running_border_routers
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, run_task
from support.thread_networks import KEY, build_manifest

NO_ROUTER = (
    "set OTBR_URL to the URL of a border router, and OTBR_NODES to a JSON file with a list of nodes that may join its "
    "network: objects with the keys eui64 and pskd; a border router without a network forms one"
)
WRONG = "WR0NGKEY"
ONE_NETWORK = ("thread_network", "thread_network_info")


def write_manifest(folder: Path, data: dict[str, Any]) -> str:
    """Write a manifest that only this user can read, and return its path."""
    path = folder / "barn-thread.yml"
    path.write_text(json.dumps(data), encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def run_one_network(urls: Sequence[str], keys: Mapping[str, str]) -> PlaybookRun:
    """Run the modules for one network, where the login and the URL of the Particle cloud cannot be used."""
    network = {"name": "barn", "border_routers": [{"url": url} for url in urls]}
    members = [{"eui64": eui64, "joiner": pskd} for eui64, pskd in keys.items()]
    form = {**network, "parameters": {"network_key": KEY}, "members": members, "joiner_timeout": 60}
    tasks = [
        {"name": module, f"meshfleet.particle.{module}": options}
        for module, options in zip(ONE_NETWORK, (form, network), strict=True)
    ]
    defaults = {"group/meshfleet.particle.particle": {"api_url": "no url", "access_token": "no token"}}
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    return run_playbook([play], env={"PARTICLE_API_URL": "no url"}, args=["-vvvv", "--diff"]).succeeded()


def test_playbook_without_an_account_forms_a_network_and_shows_no_key(tmp_path: Path) -> None:
    with running_border_routers("--routers=2", "--nodes=3", "--speed=50", clock="real") as otbr:
        keys = {node["eui64"]: node["pskd"] for node in otbr.nodes()}
        first, *_others = keys
        network = {"parameters": {"channel": 15, "network_key": KEY}, "joiner_timeout": 60}
        manifest = write_manifest(tmp_path, build_manifest({**keys, first: WRONG}, urls=otbr.urls, **network))
        options = {"manifest": manifest, "verify": "online", "verify_timeout": 0}
        runs = [run_task("fleet", options, {}, *args) for args in (["--check", "--diff"], ["-vvvv", "--diff"])]
        check, done = (run.succeeded().result(TASK) for run in runs)
        assert (check["changed"], done["summary"]["changed"], done["summary"]["pending"]) == (True, 2, 1)
        assert done["devices"][0]["error"]["code"] == "joiner_refused"
        assert done["cloud"]["requests"] == 0
        assert [node["state"] for node in otbr.nodes()].count("in") == 2
        networks = [{"name": "barn", "border_routers": [{"url": url} for url in otbr.urls]}]
        listing = {"thread_networks": networks, "account_devices": False, "include": ["mesh"]}
        runs.append(run_task("device_info", listing, {}, "-vvvv"))
        listed = runs[-1].succeeded().result(TASK)["devices"]
        assert [device["mesh"]["state"] for device in listed] == ["joined", "joined"]
        runs.append(run_one_network(otbr.urls, {**keys, first: WRONG}))
        formed, shown = (runs[-1].result(module) for module in ONE_NETWORK)
        assert (formed["summary"]["ok"], formed["summary"]["pending"]) == (2, 1)
        assert [member["state"] for member in shown["members"]] == ["joined", "joined"]
        assert not {"cloud", "credentials_source"} & (formed.keys() | shown.keys())
        secrets = [KEY, KEY.upper(), WRONG, *keys.values(), *(row["dataset"]["pskc"] for row in otbr.routers())]
        assert [secret for secret in secrets for run in runs if secret in run.output or secret in repr(run)] == []


@pytest.mark.skipif(not (REAL_URL and REAL_NODES), reason=NO_ROUTER)
@pytest.mark.timeout(7200)
def test_real_border_router_lets_real_nodes_join(tmp_path: Path) -> None:
    keys = {node.eui64: node.pskd for node in read_nodes(REAL_NODES)}
    # Without parameters, a network that exists is adopted and not changed.
    data = build_manifest(keys, urls=[REAL_URL], joiner_timeout=300)
    options = {"manifest": write_manifest(tmp_path, data), "verify": "online"}
    result = run_task("fleet", options, {}).succeeded().result(TASK)
    assert {device["identifier"]: device["mesh"] for device in result["devices"]} == dict.fromkeys(keys, "joined")
    again = run_task("fleet", options, {}).succeeded().result(TASK)
    assert again["changed"] is False
