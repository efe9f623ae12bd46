# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``fleet`` on the controller: bring a fleet to its declared state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFileNotFound

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import MAX_TEXT_SIZE
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_size
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import find_drift
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import (
    CONFIRMATIONS,
    CONFIRMED_BY_TRUE,
    Bounds,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import ensure_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import IGNORE, REPORT, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm
from ansible_collections.meshfleet.particle.plugins.modules.fleet import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._declaration import (
    Declaration,
    limit_undeclared,
    read_declaration,
    refuse_vague_removals,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import list_uncertain_devices, reconcile_task
from ansible_collections.meshfleet.particle.plugins.plugin_utils._host_devices import (
    collect_devices,
    count_other_hosts,
    name_by_host,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._outcomes import add_host, write_outcomes
from ansible_collections.meshfleet.particle.plugins.plugin_utils._result_size import (
    MAX_STORED_SIZE,
    describe_large_result,
    describe_left_out_devices,
    measure_room,
    reduce_result,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._screen import (
    is_run_by_controller,
    print_text,
    show_progress,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_files import (
    build_missing_file_error,
    read_user_file,
)


class ActionModule(ParticleAction):
    """The action plugin of module ``fleet``."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        """Read the manifest before any API request, then bring the fleet to the state that the manifest declares."""
        options = task.options
        self.refuse_repeated_run()
        self._refuse_many_hosts()
        _refuse_negative_bounds(options)
        hosts = collect_devices(self._task_vars, task.warn) if options["from_inventory"] else {}
        manifest = self._read_manifest(task, hosts)
        with self._show_progress(task) as report:
            result = reconcile_task(
                task,
                manifest,
                Bounds(
                    0 if options["on_error"] == "stop" else options["max_failures"],
                    options["max_removals"],
                    read_confirm(options["confirm"], CONFIRMATIONS, CONFIRMED_BY_TRUE),
                ),
                lock=lambda http, product: self._lock_run(task, http, product),
                report=report,
            )
        if options["from_inventory"]:
            result["hosts"] = _find_outcomes(list(hosts), result)
        # A failure that concerns no device can be ignored only with hosts, whose outcomes report it.
        if not options["fail"] and (options["from_inventory"] or _has_only_device_failures(result, result["devices"])):
            result["failed"] = False
        if options["fail_on_drift"] and task.check_mode and not result.get("failed"):
            drift = find_drift(result)
            result.update(drift.as_failure() if drift else {})
        reduced = self._fit_result(task, result)
        self._print_outcome(task, reduced)
        return reduced

    def _read_manifest(self, task: Task, hosts: Mapping[str, Any]) -> Manifest:
        """Read and check the manifest.

        :param hosts: the devices that the hosts of the task declare; empty without ``from_inventory``.
        """
        options = task.options
        declared = limit_undeclared(self._collect_declaration(task, hosts), self._describe_part(options))
        absent, ordered = options["state"] == "absent", not options["from_inventory"]
        manifest = read_manifest(declared.data, declared.where, absent=absent, ordered=ordered, items=declared.items)
        batch = self._task_vars["ansible_play_batch"] if options["from_inventory"] else []
        refuse_vague_removals(manifest, [host for host in batch if host not in hosts])
        if not manifest.devices and not manifest.networks and manifest.undeclared in (IGNORE, REPORT):
            task.warn("The manifest declares no devices.")
        return manifest

    def _fit_result(self, task: Task, result: dict[str, Any]) -> dict[str, Any]:
        """Write the outcomes of the devices, and return the result in a size that Ansible and a controller accept."""
        room = measure_room({name: value for name, value in result.items() if name != "diff"})
        uncertain = list_uncertain_devices(result["devices"])
        result = task.show_diff(result, uncertain=uncertain, max_size=min(MAX_TEXT_SIZE, room // 2))
        result["outcomes_path"] = self._write_outcomes(task, result)
        reduced = reduce_result(result, task.options["result"])
        if is_run_by_controller() and measure_size(reduced) > MAX_STORED_SIZE:
            task.warn(describe_large_result("Leave out result."))
        if reduced.get("failed") and not is_run_by_controller():
            del reduced["managed"]  # only a controller counts devices, and Ansible prints the result of a failed task
        elif len(reduced["managed"]) < len(result["managed"]):
            task.warn(describe_left_out_devices(len(reduced["managed"]), len(result["managed"])))
        return reduced

    def _print_outcome(self, task: Task, result: Mapping[str, Any]) -> None:
        """Print the summary of a successful task, or the diff of a failed check. Ansible itself does not print them."""
        if self._task.no_log:
            return
        if not result.get("failed"):
            print_text(result["msg"])
        elif task.check_mode and (diff := result.get("diff", {}).get("prepared")):
            print_text(diff.rstrip("\n"))

    def _write_outcomes(self, task: Task, result: Mapping[str, Any]) -> str | None:
        """Write the outcomes of all devices to a temporary file, and return its path.

        :returns: ``None`` if the file cannot be written, because the task must not fail for this reason after its
            writes.
        """
        hosts: Mapping[str, Any] = result.get("hosts", {})
        outcomes = [add_host(host, outcome) for host, outcome in hosts.items()] + result["devices"][len(hosts) :]
        try:
            return write_outcomes(map(task.redact.mask_values, outcomes) if "error" in result else outcomes)
        except OSError as error:
            task.warn(f"The outcomes of the devices cannot be passed to later tasks: {error.strerror}.")
            return None

    def _show_progress(self, task: Task) -> contextlib.AbstractContextManager[Report]:
        """Show the progress of the run, unless the task must not show it."""
        return show_progress(task) if self.can_show_progress(task) else contextlib.nullcontext(ignore_progress)

    def _refuse_many_hosts(self) -> None:
        """Refuse a play with several hosts unless the task sets ``run_once``.

        The task handles all hosts of the play at once, and returns their outcomes in ``hosts``.

        :raises ParticleError: ``invalid_option`` when the play has several hosts.
        """
        batch = self._task_vars.get("ansible_play_batch") or []
        if len(batch) > 1 and not self._task.run_once:
            message = f"This task runs once for all {len(batch)} hosts of the play, so it must set run_once."
            hint = "Set run_once: true, and from_inventory if the hosts are devices; use a loop for several manifests."
            raise ParticleError("invalid_option", message, hint=hint)

    def _lock_run(self, task: Task, http: Http, product: str | None) -> contextlib.AbstractContextManager[None]:
        """Return a context manager that prevents other runs on the same product.

        In check mode and with ``lock: none``, other runs are not prevented.
        """
        if task.options["lock"] == "none" or task.check_mode:
            return contextlib.nullcontext()
        folder = ensure_folder(task.environment, "Locks of runs", "set lock to none")
        return hold_run_lock(folder, http.connection.cloud, product)

    def _collect_declaration(self, task: Task, hosts: Mapping[str, Any]) -> Declaration:
        """Return the declared fleet. Its devices come from the hosts of the play if the task says so."""
        declared = read_declaration(task.options, self._read_file)
        if not task.options["from_inventory"] or not isinstance(declared.data, Mapping):
            return declared  # the reader reports a manifest that is not a mapping
        if declared.data.get("devices"):
            message = "from_inventory cannot be combined with devices."
            raise ParticleError("invalid_manifest", message, hint="Leave one of them out.")
        where = name_by_host(list(hosts), declared.where)
        return Declaration({**declared.data, "devices": list(hosts.values())}, where, "hosts")

    def _describe_part(self, options: Mapping[str, Any]) -> str | None:
        """Return why the task declares only a part of the fleet, or ``None`` if it may declare the whole fleet."""
        if options["lock"] == "none":
            return "lock: none is set"
        others = count_other_hosts(self._task_vars) if options["from_inventory"] else 0
        return f"hosts outside of this batch declare {format_count(others, 'more device')}" if others else None

    def _read_file(self, path: str) -> bytes:
        """Return the content of a file that the manifest consists of. The file may be encrypted with Ansible Vault."""
        name = f"The manifest {path}"
        try:
            found = self._find_needle("files", path)
        except AnsibleFileNotFound as error:
            raise build_missing_file_error(name, error.paths or ()) from None
        return read_user_file(found, name, self._loader)


def _refuse_negative_bounds(options: Mapping[str, Any]) -> None:
    for bound in ("max_removals", "max_failures"):
        if options[bound] is not None and options[bound] < 0:
            message = f"{bound} must be 0 or more, got {options[bound]}."
            raise ParticleError("invalid_option", message, hint=f"Correct {bound}.")


def _find_outcomes(hosts: list[str], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcome of each host, keyed by host name.

    ``run_error`` is the error of the run if this error makes the host fail, and ``None`` otherwise.
    """
    # The devices after those of the hosts are undeclared members of networks that are removed.
    outcomes = dict(zip(hosts, result["devices"], strict=False))
    if not result.get("failed") or _has_only_device_failures(result, outcomes.values()):
        return {host: {**outcome, "run_error": None} for host, outcome in outcomes.items()}
    left = {host for host, outcome in outcomes.items() if outcome["status"] == "pending" and outcome["error"] is None}
    # If no device is left, all were written, but the run ended before their verification.
    concerned = left if result["ended_early"] and left else set(hosts)
    return {
        host: {**outcome, "run_error": result["error"] if host in concerned else None}
        for host, outcome in outcomes.items()
    }


def _has_only_device_failures(result: Mapping[str, Any], outcomes: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the run did not end early, and at least one outcome has the status ``failed``."""
    return not result["ended_early"] and any(outcome["status"] == "failed" for outcome in outcomes)
