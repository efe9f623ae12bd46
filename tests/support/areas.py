# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The areas of the tests: `make proofs AREA=...` runs all tests of one with full counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.paths import TESTS


@dataclass(frozen=True)
class Area:
    """The tests of one area: words that name files below `unit` and `integration`, without `test_` and `.py`."""

    unit: str
    integration: str

    def files(self) -> list[Path]:
        """Return the files of the area, sorted."""
        named = [("unit", word) for word in self.unit.split()]
        named += [("integration", word) for word in self.integration.split()]
        patterns = [f"{kind}/{word}.py" for kind, word in named]
        return sorted(path for pattern in patterns for path in TESTS.glob(_with_prefix(pattern)))


def _with_prefix(pattern: str) -> str:
    folder, _unused, name = pattern.rpartition("/")
    return f"{folder}/test_{name}"


AREAS = {
    "auth": Area(
        unit=(
            "cli_profile client_credentials doctor errors http lookup module_without_action one_time_code options "
            "password_login private_file ready_token redaction refresh_token register session session_store soak "
            "states task tls token_life token_store troubleshooting two_step validation"
        ),
        integration=(
            "auth_doctor missing_library real_server real_server_itself redirects secrets slips_of_the_pen tokens"
        ),
    ),
    "devices": Area(
        unit="devices_by_label",
        integration="device",
    ),
    "facts": Area(
        unit="advisories details facts gather naming report selection snapshot",
        integration=(
            "device_facts device_info event_query inventory_cache inventory_cost inventory_devices inventory_run report"
        ),
    ),
    "fleet": Area(
        unit=(
            "adoption apply budget budget_files budget_fleet budget_store declared_state_property documents "
            "fault_storm fields halving lifecycle manifest paging plan progress reconcile tables"
        ),
        integration=(
            "bad_input budget budget_store check_mode fleet_cost kill manifest_forms outcome_cost progress "
            "provision provision_steps slices"
        ),
    ),
    "mesh": Area(
        unit=(
            "mesh_audit mesh_guard mesh_ledger mesh_moments mesh_networks mesh_order mesh_runs mesh_topology "
            "one_network"
        ),
        integration="demo_picture mesh mesh_audit network",
    ),
    "simulator": Area(
        unit="simulator/* support/simulator",
        integration="official_client simulator_package",
    ),
    "world": Area(
        unit=(
            "facts_citations structure support/ansible_test_tool support/areas support/branches_tool "
            "support/declared support/figures support/fork_server support/official_client support/playbooks "
            "support/processes support/real_server support/scripted"
        ),
        integration="documentation examples execution_environment release tarball",
    ),
}
