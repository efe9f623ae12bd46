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
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Ledgers
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task


def reconcile_for(
    task: Task,
    manifest: Manifest,
    *,
    lock: Callable[[Http, str | None], AbstractContextManager[None]] = lambda http, product: nullcontext(),
    **more: Any,
) -> dict[str, Any]:
    """Log in and bring the devices to what a manifest declares, as long as the controlling process lives.

    :param lock: keeps other runs out; takes the client and the id of the product.
    :param more: further arguments of :func:`reconcile`.
    """
    ledgers = Ledgers(task.options["mesh_ledger"], task.options["mesh_status_ledger"])
    with task.session() as http:
        http.before_request = _stop_without(os.getppid())
        return reconcile(
            http,
            manifest,
            check_mode=task.check_mode,
            verification=Verification(*(task.options[name] for name in ("verify", "verify_timeout", "verify_strict"))),
            warn=task.warn,
            lock=lambda product: lock(http, product),
            ledgers=ledgers,
            **more,
        )


def _stop_without(parent: int) -> Callable[[], None]:
    """Ends the work when the process that asked for it is gone: it would write for nobody to see.

    Ansible's workers are in a session of their own and survive a kill of their parent.
    """

    def check() -> None:
        if os.getppid() != parent:
            raise SystemExit("The controlling process is gone.")

    return check
