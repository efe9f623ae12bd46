# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the fleet engine for action plugins. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Bounds
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import build_parent_check
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import (
    find_declared_secrets,
    list_secret_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import find_secrets

DEFAULT_BOUNDS = Bounds()


def reconcile_task(
    task: Task,
    manifest: Manifest,
    bounds: Bounds = DEFAULT_BOUNDS,
    *,
    lock: Callable[[Http, str | None], AbstractContextManager[None]] = lambda http, product: nullcontext(),
    report: Report = ignore_progress,
) -> dict[str, Any]:
    """Bring the devices of a manifest to their declared state, and stop if the controlling process ends.

    The run logs in only if the manifest needs the Particle cloud.

    :param lock: called with the HTTP client and the product id; returns a context manager that prevents other runs.
    :param report: receives the progress of the run.
    """
    verification = Verification(*(task.options[name] for name in ("verify", "verify_timeout", "verify_strict")))
    members = [record.mesh for record in manifest.devices if record.mesh is not None]
    secrets = find_declared_secrets(manifest.networks, members) + find_secrets(task.options, list_secret_options())
    task.redact.add_secrets(secrets)
    for deprecation in manifest.deprecations:
        task.deprecate(task.redact(deprecation))
    with Mesh(task.options) as mesh, task.open_client(needs_login=manifest.needs_login) as http:
        http.before_request = build_parent_check()
        result = reconcile(
            http,
            manifest,
            RunSettings(task.check_mode, verification, bounds),
            Callbacks(lambda text: task.warn(task.redact(text)), lambda product: lock(http, product), report),
            mesh,
        )
    # Failures are cleaned when they are reported. Remove these secrets from a successful result as well.
    cleaned: dict[str, Any] = task.redact.mask_values(result) if secrets else result
    return cleaned


def list_uncertain_devices(devices: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the identifiers of the devices for which check mode cannot predict the changes of the task.

    :param devices: rows of the documented return value ``devices``.
    """
    return [device["identifier"] for device in devices if device.get("uncertain")]
