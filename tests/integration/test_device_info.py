# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`device_info` in a play: what is meant, what is told, what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator


@pytest.fixture
def provisioned(simulator: Simulator) -> Simulator:
    """The fleet of 20 in its product, named, in two networks."""
    manifest = manifest_for(simulator, ("barn", "yard"), groups=["north"])
    run_task("fleet", {"manifest": manifest}, cloud_environment(simulator.url)).succeeded()
    return simulator


def look(cloud: Simulator, **options: Any) -> dict[str, Any]:
    """The result of one `device_info`, successful or not."""
    return run_task("device_info", options, cloud_environment(cloud.url)).result(TASK)


def test_filters_choose_and_the_cloud_does_what_it_can(provisioned: Simulator) -> None:
    options = {"product": PRODUCT_SLUG, "filters": {"networks": ["barn"], "name": "barn-*4", "online": True}}
    result = look(provisioned, **options)
    assert [device["name"] for device in result["devices"]] == ["barn-0004", "barn-0014"]
    assert (result["count"], result["pages"], result["complete"]) == (2, 1, True)
    assert result["devices"][0]["presence"] in ("confirmed", "probable")


def test_products_and_the_account_are_read_in_one_task(provisioned: Simulator) -> None:
    result = look(provisioned, products=[PRODUCT_ID], account_devices=True)
    assert result["count"] == 20
    assert {device["product"] for device in result["devices"]} == {PRODUCT_SLUG}
    assert (result["cloud"]["requests"], result["cloud"]["writes"]) == (4, 0)  # login, product, two lists


def test_vitals_variables_and_states_are_told_on_request(provisioned: Simulator) -> None:
    result = look(
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
        ({"include": ["variables"]}, "invalid_option", "does not say which ones to read"),
        ({"variables": ["soil_pct"]}, "invalid_option", "include does not contain 'variables'"),
        ({"include": ["vitals"], "include_limit": 3}, "conflict", "include_limit is 3"),
        ({"filters": {"platforms": ["borom"]}}, "invalid_option", "borom"),
        ({"as_manifest": True, "account_devices": True}, "invalid_option", "as_manifest"),
        ({"as_manifest": True, "organization": "acme"}, "invalid_option", "as_manifest"),
        ({"mac_variable": "ping"}, "invalid_option", "'ping'"),
    ],
)
def test_options_that_cannot_work_are_refused_before_a_device_is_asked(
    provisioned: Simulator, options: dict[str, Any], code: str, words: str
) -> None:
    before = provisioned.stats()["by_route"]
    result = look(provisioned, product=PRODUCT_SLUG, **options)
    assert result["error"]["code"] == code
    assert words in result["msg"]
    asked = {route for route, number in provisioned.stats()["by_route"].items() if number != before.get(route)}
    assert not {route for route in asked if "diagnostics" in route or ":varName" in route}


def test_an_unknown_filter_is_named(simulator: Simulator) -> None:
    result = look(simulator, filters={"nmae": "x"})
    assert "filters.nmae" in result["msg"]


def test_a_fleet_is_adopted_and_its_manifest_writes_nothing(provisioned: Simulator) -> None:
    look_at_it = {"name": "Look", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG, "as_manifest": True}}
    tasks = [
        {**look_at_it, "register": "found"},
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


def test_an_adopted_slice_knows_the_gateways_of_the_whole(provisioned: Simulator) -> None:
    result = look(provisioned, product=PRODUCT_SLUG, filters={"name": "barn-001*"}, as_manifest=True)
    gateway = next(device["id"] for device in provisioned.state()["devices"] if device["name"] == "barn-0000")
    assert result["manifest"]["networks"] == {"barn": {"backend": "ledger", "gateways": [gateway]}}
    run = run_task("fleet", {"manifest": result["manifest"]}, cloud_environment(provisioned.url)).succeeded()
    assert run.result(TASK)["cloud"]["writes"] == 0


def test_a_device_that_goes_while_the_list_is_read_is_told(simulator: Simulator) -> None:
    route = "GET /v1/products/:p/devices"
    simulator.set_faults(
        [{"route": route, "effect": "status", "status": 200, "body": body} for body in _shrinking_pages()]
    )
    run = run_task("device_info", {"product": PRODUCT_SLUG}, cloud_environment(simulator.url)).succeeded()
    assert run.result(TASK)["complete"] is False
    assert "may be missing" in run.output


def _shrinking_pages() -> list[dict[str, Any]]:
    """Two pages of two; before the last is read again, the first device of all is gone."""
    pages = (("a", "b"), ("c", "d"), ("d",))
    return [{"devices": [{"id": name} for name in names], "meta": {"total_pages": 2}} for names in pages]
