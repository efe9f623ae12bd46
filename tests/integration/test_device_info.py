# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `device_info`: filters, included data, exported manifests and the number of requests."""

from __future__ import annotations

from typing import Any

import pytest

from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator


@pytest.fixture
def provisioned(simulator: Simulator) -> Simulator:
    """A cloud with a fleet of 20 named devices of a product, in two networks."""
    manifest = manifest_for(simulator, ("barn", "yard"), groups=["north"])
    run_task("fleet", {"manifest": manifest}, cloud_environment(simulator.url)).succeeded()
    return simulator


def read_devices(cloud: Simulator, **options: Any) -> dict[str, Any]:
    """Run `device_info`, and return its result, which may be a failure."""
    return run_task("device_info", options, cloud_environment(cloud.url)).result(TASK)


def test_only_devices_that_match_all_filters_are_returned(provisioned: Simulator) -> None:
    options = {"product": PRODUCT_SLUG, "filters": {"networks": ["barn"], "name": "barn-*4", "online": True}}
    result = read_devices(provisioned, **options)
    assert [device["name"] for device in result["devices"]] == ["barn-0004", "barn-0014"]
    assert (result["count"], result["pages"], result["complete"]) == (2, 1, True)
    assert result["devices"][0]["presence"] in ("confirmed", "probable")


def test_product_and_account_devices_are_read_by_one_task(provisioned: Simulator) -> None:
    result = read_devices(provisioned, products=[PRODUCT_ID], account_devices=True)
    assert result["count"] == 20
    assert {device["product"] for device in result["devices"]} == {PRODUCT_SLUG}
    assert (result["cloud"]["requests"], result["cloud"]["writes"]) == (4, 0)  # login, product, two lists


def test_vitals_variables_and_mesh_states_are_returned_on_request(provisioned: Simulator) -> None:
    result = read_devices(
        provisioned,
        product=PRODUCT_SLUG,
        filters={"networks": ["yard"]},
        include=["vitals", "variables", "mesh"],
        variables=["soil_pct"],
        mac_variable="site",
    )
    assert result["count"] == 10
    for device in result["devices"]:
        assert device["vitals"]["device"]["system"]["uptime"] > 0
        assert 0 <= device["variable_values"]["soil_pct"] <= 100
        assert device["mac"].startswith("site-")
        assert device["mesh"]["state"] == "joined"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"include": ["variables"]}, "invalid_option", "but the option 'variables' is not set"),
        ({"variables": ["soil_pct"]}, "invalid_option", "include does not contain 'variables'"),
        ({"include": ["vitals"], "include_limit": 3}, "invalid_option", "include_limit is 3"),
        ({"filters": {"platforms": ["borom"]}}, "invalid_option", "borom"),
        ({"as_manifest": True, "account_devices": True}, "invalid_option", "as_manifest"),
        ({"as_manifest": True, "organization": "acme"}, "invalid_option", "as_manifest"),
        ({"mac_variable": "ping"}, "invalid_option", "'ping'"),
    ],
)
def test_invalid_options_are_refused_before_a_device_is_queried(
    provisioned: Simulator, options: dict[str, Any], code: str, words: str
) -> None:
    before = provisioned.stats()["by_route"]
    result = read_devices(provisioned, product=PRODUCT_SLUG, **options)
    assert result["error"]["code"] == code
    assert words in result["msg"]
    routes = {route for route, number in provisioned.stats()["by_route"].items() if number != before.get(route)}
    assert not {route for route in routes if "diagnostics" in route or ":varName" in route}


def test_unknown_filter_is_named(simulator: Simulator) -> None:
    result = read_devices(simulator, filters={"nmae": "x"})
    assert "filters.nmae" in result["msg"]


def test_exported_manifest_causes_no_write(provisioned: Simulator) -> None:
    export = {"name": "Look", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG, "as_manifest": True}}
    tasks = [
        {**export, "register": "found"},
        {
            "name": "Keep",
            "ansible.builtin.copy": {
                "content": "{{ found.manifest | ansible.builtin.to_nice_yaml(sort_keys=false) }}",
                "dest": "{{ playbook_dir }}/fleet.yml",
                "mode": "0600",
            },
        },
        {"name": "Run", "meshfleet.particle.fleet": {"manifest": "{{ playbook_dir }}/fleet.yml"}},
        {"name": "Run inline", "meshfleet.particle.fleet": {"manifest": "{{ found.manifest }}"}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = run_playbook([play], env=cloud_environment(provisioned.url)).succeeded()
    for name in ("Run", "Run inline"):
        result = run.result(name)
        assert (result["changed"], result["cloud"]["writes"], result["summary"]["ok"]) == (False, 0, 20)
    assert set(run.result("Look")["manifest"]["networks"]) == {"barn", "yard"}


def test_export_of_a_few_devices_lists_the_gateways_of_their_network(provisioned: Simulator) -> None:
    result = read_devices(provisioned, product=PRODUCT_SLUG, filters={"name": "barn-001*"}, as_manifest=True)
    gateway = next(device["id"] for device in provisioned.state()["devices"] if device["name"] == "barn-0000")
    assert result["manifest"]["networks"] == {"barn": {"backend": "ledger", "gateways": [gateway]}}
    run = run_task("fleet", {"manifest": result["manifest"]}, cloud_environment(provisioned.url)).succeeded()
    assert run.result(TASK)["cloud"]["writes"] == 0


def test_list_that_shrinks_while_it_is_read_is_reported_as_incomplete(simulator: Simulator) -> None:
    route = "GET /v1/products/:p/devices"
    simulator.set_faults(
        [{"route": route, "effect": "status", "status": 200, "body": body} for body in _build_shrinking_pages()]
    )
    run = run_task("device_info", {"product": PRODUCT_SLUG}, cloud_environment(simulator.url)).succeeded()
    assert run.result(TASK)["complete"] is False
    assert "may be missing" in run.output


def _build_shrinking_pages() -> list[dict[str, Any]]:
    """Build two pages of two devices, and the second page again, which moves up after the first device is gone."""
    pages = (("a", "b"), ("c", "d"), ("d",))
    return [{"devices": [{"id": name} for name in names], "meta": {"total_pages": 2}} for names in pages]
