# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The areas into which the tests are divided. `make proofs AREA=...` runs all tests of one area."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.paths import TESTS


@dataclass(frozen=True)
class Area:
    """The test files of an area.

    `unit` and `integration` contain names of files in the folders `tests/unit` and `tests/integration`, separated by
    spaces. The names have no `test_` and no `.py`. A `*` stands for all test files of a folder, `**/*` also for those
    of its subfolders, and `*word*` for those whose name contains the word.
    """

    unit: str
    integration: str

    def files(self) -> list[Path]:
        """Return the paths of the test files, sorted."""
        return sorted(path for pattern in self.patterns() for path in TESTS.glob(pattern))

    def patterns(self) -> list[str]:
        """Return a glob pattern for each name in `unit` and `integration`, relative to the folder `tests`."""
        words = [f"unit/{word}" for word in self.unit.split()]
        words += [f"integration/{word}" for word in self.integration.split()]
        return ["/test_".join(word.rsplit("/", 1)) + ".py" for word in words]


AREAS = {
    "auth": Area(
        unit="_auth/* _auth/logins/* _errors/* _http/* _local/* _options/* lookup/* modules/* module",
        integration=(
            "auth_doctor connection_options connection_sources killed_logins missing_library real_server "
            "real_server_itself secrets suggestions tokens tunnel"
        ),
    ),
    "devices": Area(
        unit=(
            "_calls/* _fleet/devices_by_label _fleet/interrupted_replacements _fleet/label_ids "
            "_fleet/replacements _fleet/replacements/*"
        ),
        integration="api_request device device_call publish_event replaced_devices",
    ),
    "events": Area(
        unit="events/*",
        integration="credential_types event_hosts_map event_playbooks rulebooks",
    ),
    "facts": Area(
        unit="_facts/* plugin_utils/*",
        integration=(
            "device_facts device_info event_query inventory_cache inventory_cost inventory_devices "
            "inventory_names inventory_run report where_modules_run"
        ),
    ),
    "fleet": Area(
        unit=(
            "_api/* _budget/* _documents/* _manifest/* _fleet/apply _fleet/declared_state_property _fleet/environment "
            "_fleet/fault_storm _fleet/batches _fleet/checks/firmware_versions _fleet/checks/other_products "
            "_fleet/checks/rollout_locks _fleet/checks/shared_names _fleet/checks/undeclared_result "
            "_fleet/environment/* _fleet/list_cost _fleet/moves _fleet/moves/* _fleet/undeclared _fleet/lifecycle "
            "_fleet/lost_creates _fleet/paced_fleet _fleet/plan _fleet/progress _fleet/reconcile _fleet/removed_sims "
            "_fleet/run_result _fleet/soak_days _fleet/states"
        ),
        integration=(
            "approval bad_input budget budget_store check_mode controller declarations device_environment drift "
            "firmware_lock fleet_cost kill manifest_forms outcome_cost output progress provision provision_steps "
            "provision_strategies role_options slices"
        ),
    ),
    "mesh": Area(
        unit="_mesh/* _fleet/checks/firmware_guard _fleet/mesh_moments _fleet/mesh_runs _fleet/registry_network",
        integration="demo_picture mesh mesh_audit mesh_firmware network",
    ),
    "product": Area(
        unit="_firmware/* _product/* _resource/* _resource/kinds/*",
        integration="api_user device_group firmware integration ledger product* secret sim",
    ),
    "rollout": Area(
        unit="_rollout/**/*",
        integration="*rollout* demo",
    ),
    "simulator": Area(
        unit="_probe/* simulator/* support/simulator",
        integration="binary_reader official_client probe simulator_package",
    ),
    "thread": Area(
        unit="_mesh/thread/* otbr_simulator/*",
        integration="border_router thread",
    ),
    "world": Area(
        unit=(
            "facts_citations role_options structure support/ansible_test_tool support/areas support/branches_tool "
            "support/declared support/figures support/fork_server support/language_tool support/messages_tool "
            "support/mutation_tool support/needed_writes support/official_client support/playbooks support/processes "
            "support/real_server support/reference_tool support/return_blocks_tool support/schemas_tool "
            "support/scripted"
        ),
        integration="documentation examples execution_environment molecule release site tarball tutorial",
    ),
}
