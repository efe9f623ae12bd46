# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The same two writes for each device by nothing but `requests` and a pool of threads: the least it can cost.

Usage: bare_pool.py URL TOKEN MANIFEST.json WORKERS; prints of what engine.py does requests, seconds, CPU and memory.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from peak import peak_megabytes


def main() -> None:
    url, token, manifest, workers = sys.argv[1:5]
    data = json.loads(Path(manifest).read_text())
    began, cpu = time.monotonic(), time.process_time()
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=int(workers)))

    def write(device: dict[str, Any]) -> None:
        one = f"{url}/v1/products/{data['product']}/devices/{device['id']}"
        session.put(one, json={"name": device["name"]}, timeout=30).raise_for_status()
        instance = {"instance": {"data": {**device["mesh"], "gateways": [], "parameters": {}}}}
        session.put(f"{url}/v1/ledgers/mesh/instances/{device['id']}", json=instance, timeout=30).raise_for_status()

    with ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(write, data["devices"]))
    print(
        json.dumps(
            {
                "requests": 2 * len(data["devices"]),
                "seconds": time.monotonic() - began,
                "cpu": time.process_time() - cpu,
                "megabytes": peak_megabytes(),
            }
        )
    )


if __name__ == "__main__":
    main()
