# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Make the two writes for each device with only `requests` and a pool of threads, as the lower bound of the cost.

Usage: bare_pool.py URL TOKEN MANIFEST.json WORKERS; prints requests, seconds, CPU seconds and peak megabytes as JSON.
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
    """Make the writes, and print the measurements."""
    url, token, manifest, workers = sys.argv[1:5]
    data = json.loads(Path(manifest).read_text())
    start, start_cpu = time.monotonic(), time.process_time()
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=int(workers)))

    def write_device(device: dict[str, Any]) -> None:
        device_url = f"{url}/v1/products/{data['product']}/devices/{device['id']}"
        session.put(device_url, json={"name": device["name"]}, timeout=30).raise_for_status()
        instance = {"instance": {"data": {**device["mesh"], "gateways": [], "parameters": {}}}}
        session.put(f"{url}/v1/ledgers/mesh/instances/{device['id']}", json=instance, timeout=30).raise_for_status()

    with ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(write_device, data["devices"]))
    print(
        json.dumps(
            {
                "requests": 2 * len(data["devices"]),
                "seconds": time.monotonic() - start,
                "cpu": time.process_time() - start_cpu,
                "megabytes": peak_megabytes(),
            }
        )
    )


if __name__ == "__main__":
    main()
