# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test how SIMs are planned, imported, deactivated and released."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import BASE, OURS, RecordingHttp, client, target_of, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.sims import SIM_RELEASE, SIMS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import reconcile_resources
from support.scripted import ScriptedCloud
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

ROWS = f"{BASE}/sims"
ICCID = "89340765000025891745"
ROW = f"{ROWS}/{ICCID}"
MANY = 120
IMPORT_SECONDS = 10


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


@pytest.fixture
def target(http: RecordingHttp) -> Target:
    return target_of(http, OURS)


def show(cloud: ScriptedCloud, *statuses: str | None, iccid: str = ICCID) -> None:
    """Let each reading of the list show the SIM with the next status, or no SIM for None."""
    for status in statuses:
        rows = [] if status is None else [{"_id": iccid, "status": status}]
        cloud.answer("GET", ROWS, json={"sims": rows, "meta": {"total_pages": 1}})


def declare(state: str, **values: Any) -> Declared:
    return Declared(ICCID, {"state": state, **values}, absent=state == "released")


def reconcile(target: Target, declared: Declared, **options: Any) -> dict[str, Any]:
    given = {"check_mode": False, "confirmed": [SIM_RELEASE], **options}
    return reconcile_resource(target, SIMS, declared, **given)


class TestStatus:
    """The cloud shows the status of a SIM with different words."""

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("active", "active"),
            ("inactive", "inactive"),
            ("deactivated", "inactive"),
            ("inactive_user_deactivated", "inactive"),
            ("inactive_data_limit_reached", "inactive"),
            ("inactive_invalid_payment_method", "inactive"),
            ("never_before_activated", "inactive"),
        ],
    )
    def test_known_status_needs_no_change(
        self, scripted_cloud: ScriptedCloud, target: Target, status: str, state: str
    ) -> None:
        show(scripted_cloud, status)
        result = reconcile(target, declare(state))
        assert (result["changed"], result["sim"]["iccid"], result["sim"]["state"]) == (False, ICCID, state)

    @pytest.mark.parametrize("check_mode", [True, False])
    @pytest.mark.parametrize("state", ["active", "inactive"])
    def test_unknown_status_is_refused_and_named(
        self, scripted_cloud: ScriptedCloud, target: Target, state: str, check_mode: bool
    ) -> None:
        show(scripted_cloud, "paused_by_carrier")
        with pytest.raises(ParticleError) as caught:
            reconcile(target, declare(state), check_mode=check_mode)
        assert caught.value.code == "conflict"
        assert f"SIM {ICCID} has the status 'paused_by_carrier'" in caught.value.message

    def test_unknown_status_without_a_declared_state_is_shown(
        self, scripted_cloud: ScriptedCloud, target: Target
    ) -> None:
        show(scripted_cloud, "paused_by_carrier")
        result = reconcile(target, Declared(ICCID))
        assert (result["changed"], result["sim"]["state"]) == (False, "paused_by_carrier")

    def test_sim_with_an_unknown_status_can_be_released(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "paused_by_carrier", None)
        scripted_cloud.answer("DELETE", ROW, 204)
        assert reconcile(target, declare("released"))["changed"]

    def test_unknown_status_after_a_write_is_pending(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "active", "being_deactivated")
        scripted_cloud.answer("PUT", ROW)
        result = reconcile(target, declare("inactive"))
        assert "now shows the status 'being_deactivated'" in result["msg"]
        assert "failed" not in result


class TestWrites:
    """The state of a SIM is changed by one request."""

    @pytest.mark.parametrize(
        ("status", "state", "action"),
        [("inactive_user_deactivated", "active", "reactivate"), ("active", "inactive", "deactivate")],
    )
    def test_empty_answer_to_a_change_is_a_success(
        self, scripted_cloud: ScriptedCloud, target: Target, status: str, state: str, action: str
    ) -> None:
        show(scripted_cloud, status, state)
        scripted_cloud.answer("PUT", ROW)
        result = reconcile(target, declare(state))
        assert (result["changed"], result["sim"]["state"]) == (True, state)
        assert [seen.json for seen in scripted_cloud.seen("PUT", ROW)] == [{"action": action}]

    def test_change_without_effect_is_a_failure(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "active", "active")
        scripted_cloud.answer("PUT", ROW)
        assert f"SIM {ICCID} still differs: state" in reconcile(target, declare("inactive"))["msg"]

    @pytest.mark.parametrize("body", [{"ok": True}, None])
    def test_queued_import_is_pending(self, scripted_cloud: ScriptedCloud, target: Target, body: Any) -> None:
        show(scripted_cloud, None, None)
        scripted_cloud.answer("POST", ROWS, json=body)
        result = reconcile(target, declare("active", country="de"))
        assert (result["changed"], result["sim"], "failed" in result) == (True, None, False)
        assert f"queued the import of SIM {ICCID}" in result["msg"]
        assert scripted_cloud.seen("POST", ROWS)[0].json == {"sims": [ICCID], "country": "DE"}

    def test_sim_that_was_never_active_is_activated_by_an_import(
        self, scripted_cloud: ScriptedCloud, target: Target
    ) -> None:
        show(scripted_cloud, *["never_before_activated"] * 2)
        scripted_cloud.answer("POST", ROWS)
        assert "queued the import" in reconcile(target, declare("active"))["msg"]

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_inactive_sim_that_is_not_in_the_product_is_refused(
        self, scripted_cloud: ScriptedCloud, target: Target, check_mode: bool
    ) -> None:
        show(scripted_cloud, None)
        with pytest.raises(
            ParticleError, match="is not in product field-logger, so it cannot be deactivated"
        ) as caught:
            reconcile(target, declare("inactive"), check_mode=check_mode)
        assert "billed" in str(caught.value.hint)

    def test_unknown_sim_without_a_state_is_not_imported(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, None)
        with pytest.raises(ParticleError, match="cannot be created without state"):
            reconcile(target, Declared(ICCID))

    def test_pending_release_is_not_a_failure(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "active", "active")
        scripted_cloud.answer("DELETE", ROW, 202, json={"ok": True})
        result = reconcile(target, declare("released"))
        assert (result["changed"], "failed" in result) == (True, False)
        assert f"accepted the release of SIM {ICCID}, but still lists the SIM" in result["msg"]

    def test_release_is_refused_without_a_confirmation(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "active")
        with pytest.raises(ParticleError) as caught:
            reconcile(target, declare("released"), confirmed=[])
        assert caught.value.code == "invalid_option"
        assert "1 SIM would be released: deactivated, and no longer owned by you." in caught.value.message
        assert "[sim_release]" in str(caught.value.hint)

    def test_release_of_a_sim_that_is_not_in_the_product_needs_no_confirmation(
        self, scripted_cloud: ScriptedCloud, target: Target
    ) -> None:
        show(scripted_cloud, None)
        assert not reconcile(target, declare("released"), confirmed=[])["changed"]


class TestIccids:
    """A SIM is found by its ICCID."""

    @pytest.mark.parametrize("shown", [ICCID, ICCID[:-1]])
    @pytest.mark.parametrize("declared", [ICCID, ICCID[:-1]])
    def test_sim_is_found_with_and_without_its_check_digit(
        self, scripted_cloud: ScriptedCloud, target: Target, shown: str, declared: str
    ) -> None:
        show(scripted_cloud, "active", None, iccid=shown)
        scripted_cloud.answer("DELETE", f"{ROWS}/{shown}", 204)
        assert reconcile(target, Declared(declared, absent=True))["changed"]

    def test_other_sim_is_not_taken_for_the_declared_one(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        show(scripted_cloud, "active", iccid=ICCID[:-1] + "6")
        assert not reconcile(target, declare("released"))["changed"]

    @pytest.mark.parametrize(
        ("iccid", "words"),
        [
            ("8.93407650000259e+19", "a number that a spreadsheet such as Excel has shortened"),
            ("8934076500002589174F", "ends with the filler F"),
            ("8934 0765 0000 2589 1745", "remove spaces"),
            ("12", "'12' is not a valid ICCID: 18 to 22 digits"),
        ],
    )
    def test_damaged_iccid_is_refused_with_its_cause(self, iccid: str, words: str) -> None:
        with pytest.raises(ParticleError) as caught:
            check_declared(SIMS, Declared(iccid, {"country": "Germany"}))
        assert caught.value.message.startswith(f"SIM {iccid} is not valid: ")
        assert words in caught.value.message
        assert "'Germany' is not a valid country" in caught.value.message

    def test_sim_on_two_pages_is_read_once(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        for _unused in range(2):
            rows = [{"_id": ICCID, "status": "active"}]
            scripted_cloud.answer("GET", ROWS, json={"sims": rows, "meta": {"total_pages": 2}})
        assert not reconcile(target, declare("active"))["changed"]
        assert {(seen.query["perPage"], seen.query["per_page"]) for seen in scripted_cloud.requests} == {("100", "100")}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(MANY)) as simulator:
        yield simulator


class TestManySims:
    """The SIMs of a product are declared together."""

    def test_many_sims_cost_one_import_and_few_pages(self, simulator: Simulator) -> None:
        iccids = [device["iccid"] for device in simulator.state()["devices"]]
        declared = [Declared(iccid, {"state": "active"}) for iccid in iccids]

        def reconcile_all(http: RecordingHttp) -> Outcome:
            http.sent.clear()
            return reconcile_resources(
                target_of(http, get_product(http, PRODUCT_SLUG)), SIMS, declared, check_mode=False
            )

        with user(simulator) as http:
            first = reconcile_all(http)
            assert (len(first.written), len(first.pending), first.error) == (MANY, MANY, None)
            assert http.writes == ["POST /v1/products/:p/sims"]
            simulator.advance(IMPORT_SECONDS)
            second = reconcile_all(http)
            assert (second.written, http.writes) == (set(), [])
            assert len(http.sent) == 1 + 2  # the product, and two pages

    def test_costs_of_all_sims_are_counted(self, simulator: Simulator) -> None:
        with user(simulator) as http:
            target = target_of(http, get_product(http, PRODUCT_SLUG))
            one, two, three = (device["iccid"] for device in simulator.state()["devices"][:3])
            declared = [Declared(iccid, {"state": "active"}) for iccid in (one, two)]
            reconcile_resources(target, SIMS, declared, check_mode=False)
            simulator.advance(IMPORT_SECONDS)
            again = [Declared(three, {"state": "active"}), *(Declared(iccid, absent=True) for iccid in (one, two))]
            outcome = reconcile_resources(target, SIMS, again, check_mode=True, confirmed=[SIM_RELEASE])
        assert SIMS.describe_costs(outcome.changes) == (
            "1 SIM would be activated, and active SIMs are billed. "
            "2 SIMs would be released: deactivated, and no longer owned by you."
        )

    def test_each_country_has_an_import_of_its_own(self, scripted_cloud: ScriptedCloud, target: Target) -> None:
        others = {"89340765000025891737": "US", "89340765000025891729": "US", "89340765000025891711": None}
        declared = [Declared(iccid, {"state": "active", "country": country}) for iccid, country in others.items()]
        show(scripted_cloud, None, None)
        for _unused in range(2):
            scripted_cloud.answer("POST", ROWS)
        reconcile_resources(target, SIMS, declared, check_mode=False)
        one, two, three = others
        bodies = [seen.json for seen in scripted_cloud.seen("POST", ROWS)]
        assert bodies == [{"sims": [one, two], "country": "US"}, {"sims": [three]}]
