# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the devices of all accounts of an inventory file. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import (
    GatheredFacts,
    add_members,
    gather_facts,
    warn_of_missing_product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    SOURCE_SPEC,
    Filters,
    read_sources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import can_list_members
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    Work,
    build_argument_spec,
    carry_out_work,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    CREDENTIALS,
    build_shared_spec,
)

display = Display()

ACCOUNT_SPEC = build_argument_spec(**SOURCE_SPEC)
"""The argument spec of each element of the option ``accounts``."""


def list_account_options(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options of each account.

    The options outside ``accounts`` can describe the first account. Each element of ``accounts`` describes a further
    account.
    """
    meant = any(options[name] for name in SOURCE_SPEC)
    if options["account_devices"] is None:
        meant = meant or any(options[name] is not None for name in CREDENTIALS)
    every = [{name: options[name] for name in ACCOUNT_SPEC}] if meant or not options["accounts"] else []
    for account in options["accounts"]:
        has_own = any(account[name] is not None for name in CREDENTIALS)
        shared = {name: options[name] for name in build_shared_spec() if not (has_own and name in CREDENTIALS)}
        every.append({**shared, **{name: value for name, value in account.items() if value is not None}})
    return every


def describe_accounts(options: dict[str, Any]) -> str:
    """Return the sources of all accounts as a phrase for messages, such as ``product sensors and the account``."""
    every = (read_sources(part, has_other_source=True).describe() for part in list_account_options(options))
    return " and ".join(dict.fromkeys(filter(None, every))) or "the networks"


def read_accounts(options: dict[str, Any], filters: Filters) -> list[GatheredFacts]:
    """Read the devices of each account. :raises AnsibleParserError: for the first account that cannot be read."""
    gathered: list[GatheredFacts] = []
    for part in list_account_options(options):
        sources = read_sources(part, has_other_source=can_list_members(options))
        if sources.is_empty:
            continue
        task = Task(part, False, display.warning, display.v)

        def work(task: Task) -> dict[str, Any]:
            with task.open_session() as http:
                sources = read_sources(task.options)
                gathered = gather_facts(http, sources, filters.build_queries(), options["page_size"])
                warn_of_missing_product(http, sources, gathered, task.warn)
                return {"gathered": gathered}

        result = _run_task(task, work)
        display.v(f"Reading the devices of {sources.describe()} took {result['cloud']['requests']} requests.")
        gathered.append(result["gathered"])
    if can_list_members(options):
        gathered.append(_list_members(options))
    if not all(part.complete for part in gathered):
        display.warning("The list of devices changed while it was read, so a device may be missing in the inventory.")
    return gathered


def _list_members(options: dict[str, Any]) -> GatheredFacts:
    """Return the facts of mesh members that are not devices of the Particle cloud."""

    def work(task: Task) -> dict[str, Any]:
        with Mesh(task.options) as mesh:
            rows = task.redact.mask_values(mesh.list_members())
        return {"gathered": add_members(GatheredFacts({}, (), {}, 0, True, 0.0), rows)}

    gathered: GatheredFacts = _run_task(Task(options, False, display.warning, display.v), work)["gathered"]
    return gathered


def _run_task(task: Task, work: Work) -> dict[str, Any]:
    """Carry out ``work`` and return its result. :raises AnsibleParserError: when ``work`` fails."""
    result = carry_out_work(task, work)
    if result.get("failed"):
        raise AnsibleParserError(result["msg"])
    return result
