# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a fleet costs: requests for each device, and the same writes done the ways people do them today.

Usage: python tests/bench/bench_fleet.py [--fleets 1000 10000] [--hosts 60] [--write]

With --write the tables go to docs/performance.md. Wall times depend on the machine; counts and ratios do not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.paths import COLLECTIONS, ROOT
from support.playbooks import run_playbook
from support.plays import cloud_environment, manifest_for
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

PEERS = Path(__file__).resolve().parent / "peers"
PAGE = ROOT / "docs" / "performance.md"
WORKERS = 16
NETWORKS = [f"site-{number:02}" for number in range(10)]
PATIENCE = 1800


def token_for(cloud: Simulator) -> str:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    answer = requests.post(f"{cloud.url}/oauth/token", data=form, auth=("particle", "particle"), timeout=60)
    return str(answer.json()["access_token"])


def peer(name: str, *arguments: str) -> dict[str, Any]:
    """What one of the programs in peers/ measured of itself."""
    done = subprocess.run(
        [sys.executable, str(PEERS / name), *arguments],
        env={"PYTHONPATH": str(COLLECTIONS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def counts_of(size: int, folder: Path) -> tuple[list[list[object]], dict[str, Any], dict[str, Any]]:
    """Fresh, one change and no change for a fleet of `size`; and what a bare pool needs for the same writes."""
    file = folder / "manifest.json"
    with running_simulator("--fleet", str(size)) as cloud:
        token = token_for(cloud)
        manifest = manifest_for(cloud, NETWORKS)
        file.write_text(json.dumps(manifest))
        fresh = peer("engine.py", cloud.url, token, str(file))
        again = peer("engine.py", cloud.url, token, str(file))
        manifest["devices"][-1]["name"] = "another"
        file.write_text(json.dumps(manifest))
        changed = peer("engine.py", cloud.url, token, str(file))
        bare = peer("bare_pool.py", cloud.url, token, str(file), str(WORKERS))
    rows = [
        [f"{size:,}", what, run["requests"], run["writes"], f"{run['requests'] / size:.3f}", f"{run['megabytes']:.0f}"]
        for what, run in (("fresh", fresh), ("one name changed", changed), ("nothing changed", again))
    ]
    return rows, fresh, bare


def playbook_rate(size: int, folder: Path) -> float:
    """Devices per second of a whole playbook with one `fleet` task."""
    with running_simulator("--fleet", str(size)) as cloud:
        file = folder / "fleet.json"
        file.write_text(json.dumps(manifest_for(cloud, NETWORKS)))
        task = {"meshfleet.particle.fleet": {"manifest": str(file), "verify": "none"}}
        began = time.monotonic()
        run_playbook(
            [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}],
            env=cloud_environment(cloud.url),
            timeout=PATIENCE,
        ).succeeded()
        return size / (time.monotonic() - began)


def uri_rate(hosts: int, *, loop: bool) -> float:
    """Devices per second of `ansible.builtin.uri`, a task for each write: over hosts with 25 forks, or in a loop."""
    with running_simulator("--fleet", str(hosts)) as cloud:
        manifest = manifest_for(cloud, NETWORKS[:1])
        token = token_for(cloud)
        headers = {"Authorization": f"Bearer {token}"}
        by_name = {device["name"]: device for device in manifest["devices"]}
        ids = [device["id"] for device in manifest["devices"]]
        requests.post(
            f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices", json={"ids": ids}, headers=headers, timeout=60
        ).raise_for_status()
        ledger = {"ledger": {"name": "mesh", "scope": "Device", "direction": "Downstream"}}
        requests.post(f"{cloud.url}/v1/ledgers", json=ledger, headers=headers, timeout=60).raise_for_status()
        device = "item" if loop else "devices[inventory_hostname]"
        common = {"method": "PUT", "headers": headers, "body_format": "json", "status_code": [200, 201]}
        tasks: list[dict[str, Any]] = [
            {
                "ansible.builtin.uri": {
                    **common,
                    "url": f"{cloud.url}/v1/products/{PRODUCT_SLUG}/devices/{{{{ {device}.id }}}}",
                    "body": {"name": f"{{{{ {device}.name }}}}"},
                }
            },
            {
                "ansible.builtin.uri": {
                    **common,
                    "url": f"{cloud.url}/v1/ledgers/mesh/instances/{{{{ {device}.id }}}}",
                    "body": {"instance": {"data": {"network": "site-00"}}},
                }
            },
        ]
        if loop:
            tasks = [{**task, "loop": "{{ devices.values() | list }}"} for task in tasks]
        play = {
            "hosts": "localhost" if loop else "all",
            "gather_facts": False,
            "vars": {"ansible_connection": "local"},
            "tasks": tasks,
        }
        inventory = [] if loop else ["-i", ",".join(by_name) + ",", "--forks", "25"]
        began = time.monotonic()
        run_playbook([play], extra_vars={"devices": by_name}, args=inventory, timeout=PATIENCE).succeeded()
        return hosts / (time.monotonic() - began)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [" | ".join(map(str, row)) for row in (heads, ["---" for _ in heads], *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--hosts", type=int, default=60, help="how many devices the ways of today are tried with")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md")
    arguments = parser.parse_args()

    counts: list[list[object]] = []
    costs: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in arguments.fleets:
            rows, engine, bare = counts_of(size, folder)
            counts += rows
            per_request, least = engine["cpu"] / engine["requests"], bare["cpu"] / bare["requests"]
            costs.append(
                [
                    f"{size:,}",
                    f"{1000 * per_request:.2f}",
                    f"{1000 * least:.2f}",
                    f"{per_request / least:.2f}",
                    f"{engine['megabytes']:.0f}",
                ]
            )
        fleet = playbook_rate(1_000, folder)
    over_hosts, in_loop = uri_rate(arguments.hosts, loop=False), uri_rate(arguments.hosts, loop=True)
    rates = [
        ["one `fleet` task, 1,000 devices", f"{fleet:.0f}", "1"],
        ["`uri` for each host, 25 forks", f"{over_hosts:.1f}", f"{fleet / over_hosts:.0f}"],
        ["`uri` in a loop", f"{in_loop:.1f}", f"{fleet / in_loop:.0f}"],
    ]
    tables = "\n\n".join(
        (
            "## Requests\n\n"
            + table(("devices", "run", "requests", "writes", "requests per device", "peak MB"), counts),
            "## A whole playbook, two writes for each device, no limit on the cloud's side\n\n"
            + table(("way", "devices per second", "times slower than `fleet`"), rates),
            "## CPU of the engine beside a bare pool of `requests`, 16 threads each\n\n"
            + table(("devices", "ms per request", "bare, ms per request", "ratio", "peak MB"), costs),
        )
    )
    print(tables)
    if arguments.write:
        begin, end = "<!-- begin measured -->", "<!-- end measured -->"
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{head}{begin}\n\n{tables}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
