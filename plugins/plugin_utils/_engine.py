# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet engine as the actions run it. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import reconcile
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import secret_options, secrets_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import secrets_in


def reconcile_for(
    task: Task,
    manifest: Manifest,
    *,
    lock: Callable[[Http, str | None], AbstractContextManager[None]] = lambda http, product: nullcontext(),
    **more: Any,
) -> dict[str, Any]:
    """Bring the devices to what a manifest declares, as long as the controlling process lives.

    The run logs in first where the manifest needs the Particle cloud.

    :param lock: keeps other runs out; takes the client and the id of the product.
    :param more: further arguments of :func:`reconcile`.
    """
    members = [record.mesh for record in manifest.devices if record.mesh is not None]
    secrets = secrets_declared(manifest.networks, members) + secrets_in(task.options, secret_options())
    task.redact.learn_all(secrets)
    with Mesh(task.options) as mesh, task.conversation(needs_login=manifest.needs_login) as http:
        http.before_request = _stop_without(os.getppid())
        result = reconcile(
            http,
            manifest,
            check_mode=task.check_mode,
            verification=Verification(*(task.options[name] for name in ("verify", "verify_timeout", "verify_strict"))),
            warn=lambda text: task.warn(task.redact(text)),
            lock=lambda product: lock(http, product),
            mesh=mesh,
            **more,
        )
    # A failure is cleaned by whoever reports it. These secrets have to stay out of a success, too.
    cleaned: dict[str, Any] = task.redact.clean(result) if secrets else result
    return cleaned


def _stop_without(parent: int) -> Callable[[], None]:
    """Ends the work when the process that asked for it is gone: it would write for nobody to see.

    Ansible's workers are in a session of their own and survive a kill of their parent.
    """

    def check() -> None:
        if os.getppid() != parent:
            raise SystemExit("The controlling process is gone.")

    return check
