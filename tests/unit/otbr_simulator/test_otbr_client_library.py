# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""python-otbr-api, a client by other authors, works with the simulated border router (otbr-rest.md, section 11)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from python_otbr_api import (
    OTBR,
    EphemeralKeyConflictError,
    OTBRError,
    PendingDatasetConflictError,
    PendingDatasetOutcomeUnknownError,
    PendingDatasetRejectedError,
    ThreadNetworkActiveError,
)
from python_otbr_api.models import ActiveDataSet, EphemeralKeyState, PendingDataSet, Timestamp

from support.otbr import BorderRouters, running_border_routers
from support.otbr_client import Router
from support.paths import ROOT

UNSUPPORTED = {"delete_active_dataset", "delete_pending_dataset"}
"""The methods that fail with every border router of the observed version, as docs/simulator.md says."""


def use(router: Router, work: Callable[[OTBR], Awaitable[Any]]) -> Any:
    """Let the library do some work with a border router, and return the result."""

    async def run() -> Any:
        async with aiohttp.ClientSession(trust_env=False) as session:
            return await work(OTBR(router.url, session))

    return asyncio.run(run())


class TestEveryMethod:
    """Each method of the library works, or fails as it does with a real border router."""

    def test_api_version(self, router: Router) -> None:
        assert use(router, lambda api: api.get_api_version()) == "0.5.0"

    def test_identity(self, router: Router) -> None:
        node = router.get("/node")
        assert use(router, lambda api: api.get_border_agent_id()).hex() == node["baId"]
        assert use(router, lambda api: api.get_extended_address()).hex() == node["extAddress"]
        assert "SIMULATION" in use(router, lambda api: api.get_coprocessor_version())

    def test_no_dataset_at_the_start(self, router: Router) -> None:
        assert use(router, lambda api: api.get_active_dataset()) is None
        assert use(router, lambda api: api.get_active_dataset_tlvs()) is None
        assert use(router, lambda api: api.get_pending_dataset_tlvs()) is None

    def test_network_is_formed(self, router: Router) -> None:
        wanted = ActiveDataSet(network_name="barn", channel=20, pan_id=0x1234)
        use(router, lambda api: api.create_active_dataset(wanted))
        use(router, lambda api: api.set_enabled(True))
        assert router.after(8).state() == "leader"
        found = use(router, lambda api: api.get_active_dataset())
        assert (found.network_name, found.channel, found.pan_id) == ("barn", 20, 0x1234)
        assert found.security_policy.rotation_time == 672
        assert use(router, lambda api: api.get_active_dataset_tlvs()).hex().upper() == router.tlvs()
        use(router, lambda api: api.set_enabled(False))
        assert router.state() == "disabled"

    def test_dataset_is_copied_as_tlvs(self, leader: Router) -> None:
        other = Router(leader.otbr, leader.otbr.urls[1])
        tlvs = use(leader, lambda api: api.get_active_dataset_tlvs())
        use(other, lambda api: api.set_active_dataset_tlvs(tlvs))
        assert other.tlvs() == leader.tlvs()

    def test_running_network_refuses_an_active_dataset(self, leader: Router) -> None:
        with pytest.raises(ThreadNetworkActiveError):
            use(leader, lambda api: api.create_active_dataset(ActiveDataSet(channel=20)))
        with pytest.raises(ThreadNetworkActiveError):
            use(leader, lambda api: api.set_active_dataset_tlvs(bytes.fromhex("000300000f")))

    def test_channel_is_changed(self, leader: Router) -> None:
        use(leader, lambda api: api.set_channel(18, delay=10000))
        with pytest.raises(PendingDatasetConflictError):
            use(leader, lambda api: api.set_channel(19, delay=10000))
        found = leader.after(10.5).active()
        assert (found["channel"], found["activeTimestamp"]["seconds"]) == (18, 2)

    def test_channel_needs_a_dataset(self, router: Router) -> None:
        with pytest.raises(OTBRError, match="no active dataset"):
            use(router, lambda api: api.set_channel(18))

    def test_pending_datasets(self, leader: Router) -> None:
        active = use(leader, lambda api: api.get_active_dataset())
        active.channel, active.active_timestamp = 26, Timestamp(False, 2, 0)
        wanted = PendingDataSet(active, 30000, Timestamp(False, 2, 0))
        use(leader, lambda api: api.create_pending_dataset(wanted))
        assert use(leader, lambda api: api.get_pending_dataset_tlvs()).hex().upper() == leader.tlvs("pending")
        assert leader.after(31).active()["channel"] == 26

    def test_pending_tlvs_without_a_delay_are_taken(self, leader: Router) -> None:
        tlvs = use(leader, lambda api: api.get_active_dataset_tlvs())
        use(leader, lambda api: api.set_pending_dataset_tlvs(tlvs))
        assert leader.after(3600).get("/node/dataset/pending") is not None

    def test_ephemeral_key(self, leader: Router) -> None:
        assert use(leader, lambda api: api.get_ephemeral_key_enabled()) is False
        use(leader, lambda api: api.set_ephemeral_key_enabled(True))
        key = use(leader, lambda api: api.activate_ephemeral_key(lifetime=60000, port=40000))
        assert (len(key.tap), key.port) == (9, 40000)
        with pytest.raises(EphemeralKeyConflictError):
            use(leader, lambda api: api.activate_ephemeral_key())
        assert use(leader, lambda api: api.get_ephemeral_key_status()).state is EphemeralKeyState.STARTED
        use(leader, lambda api: api.deactivate_ephemeral_key())
        assert use(leader, lambda api: api.get_ephemeral_key_status()).state is EphemeralKeyState.STOPPED

    def test_factory_reset(self, leader: Router) -> None:
        use(leader, lambda api: api.factory_reset())
        assert leader.state() == "disabled"

    @pytest.mark.parametrize("method", sorted(UNSUPPORTED))
    def test_dataset_cannot_be_deleted(self, router: Router, method: str) -> None:
        with pytest.raises(OTBRError, match="404"):
            use(router, lambda api: getattr(api, method)())

    def test_dead_border_router_is_an_error_of_aiohttp(self, router: Router) -> None:
        router.otbr.change_router(running=False)
        with pytest.raises(aiohttp.ClientOSError):
            use(router, lambda api: api.get_api_version())


def test_tests_use_every_method_of_the_library() -> None:
    methods = {name for name, value in vars(OTBR).items() if inspect.iscoroutinefunction(value) and name[0] != "_"}
    assert len(methods) > 15
    source = inspect.getsource(TestEveryMethod)
    assert {name for name in methods - UNSUPPORTED if f"api.{name}(" not in source} == set()


def test_documentation_lists_the_methods_that_fail() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in UNSUPPORTED)


class TestGenerations:
    """The library detects the generation of the API."""

    @pytest.mark.parametrize("generation", ["old", "middle"])
    def test_older_border_router_is_read_and_written(self, generation: str) -> None:
        with running_border_routers(f"--generation={generation}") as otbr:
            router = Router(otbr, otbr.url)
            assert use(router, lambda api: api.get_api_version()) is None
            use(router, lambda api: api.create_active_dataset(ActiveDataSet(network_name="barn", channel=20)))
            use(router, lambda api: api.set_enabled(True))
            assert router.after(8).state() == "leader"
            found = use(router, lambda api: api.get_active_dataset())
            assert (found.network_name, found.channel, found.security_policy.routers) == ("barn", 20, True)
            use(router, lambda api: api.set_channel(18, delay=10000))
            router.after(11)
            assert use(router, lambda api: api.get_active_dataset()).channel == 18
            use(router, lambda api: api.set_ephemeral_key_enabled(True))
            assert len(use(router, lambda api: api.activate_ephemeral_key()).tap) == 9

    @pytest.fixture
    def newer(self) -> Any:
        """Run a border router of the newer generation as the leader of a network."""
        with running_border_routers("--generation=newer") as otbr:
            router = Router(otbr, otbr.url)
            router.form()
            yield router

    def test_newer_border_router_rejects_with_a_reason(self, newer: Router) -> None:
        active = use(newer, lambda api: api.get_active_dataset())
        with pytest.raises(PendingDatasetRejectedError, match="rejected by leader"):
            use(newer, lambda api: api.create_pending_dataset(PendingDataSet(active, 30000)))

    def test_missing_verdict_leaves_the_outcome_unknown(self, newer: Router) -> None:
        fault = {"route": "PUT /node/dataset/pending", "effect": "empty", "status": 504}
        newer.otbr.set_faults([fault])
        with pytest.raises(PendingDatasetOutcomeUnknownError):
            use(newer, lambda api: api.set_channel(18))
        assert newer.get("/node/dataset/pending") is not None


def test_library_probes_with_one_read(otbr: BorderRouters) -> None:
    use(Router(otbr, otbr.url), lambda api: api.get_extended_address())
    assert otbr.stats()["by_route"] == {"GET /api/actions": 1, "GET /node/ext-address": 1}
    assert (otbr.stats()["writes"], otbr.stats()["upkeep"]) == (0, 0)
