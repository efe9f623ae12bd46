# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Form, extend, start and change a Thread network at its border routers. Private to this collection.

Each function reads the state before it writes, because a write whose response was lost may have taken effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import (
    ATTACH_SECONDS,
    BorderRouter,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import (
    JSON_KEYS,
    change_tlvs,
    find_differences,
    read_seconds,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import ATTACHED, DISABLED

_MARGIN_SECONDS = 60
"""Number of seconds that a change may take beyond its delay."""


def form_network(router: BorderRouter, parameters: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Store a dataset at a border router that has none, and start the network.

    :param parameters: the declared parameters.
    :param values: the declared parameters in the JSON form of a dataset.
    """
    if router.read_dataset() is None:
        _stop_empty_router(router)
        try:
            router.create_dataset(values)
        except ParticleError as error:
            if error.code != "ambiguous_write" or router.read_dataset() is None:
                raise
    start_router(router)
    _check_dataset(router, parameters)


def extend_network(source: BorderRouter, router: BorderRouter) -> None:
    """Let a border router that has no dataset join the network of another border router."""
    tlvs = source.read_tlvs()
    if router.read_dataset() is None:
        _stop_empty_router(router)
        try:
            router.store_tlvs(tlvs)
        except ParticleError as error:
            if error.code != "ambiguous_write" or router.read_dataset() is None:
                raise
    start_router(router)


def start_router(router: BorderRouter) -> None:
    """Start a border router, and wait until it is in its network.

    :raises ParticleError: ``device_offline`` when the border router does not attach in time.
    """
    if router.wait_for_state() == DISABLED:
        router.set_enabled(is_enabled=True)
    if router.wait_until_attached(ATTACH_SECONDS):
        return
    message = f"Border router {router.url} was started, but is in no network after {ATTACH_SECONDS} seconds."
    hint = "Check the radio of the border router and its log, and run again."
    raise ParticleError("device_offline", message, hint=hint)


def change_network(router: BorderRouter, parameters: Mapping[str, Any], delay: float) -> None:
    """Change the dataset of a running network, and wait until the change has taken effect.

    The whole dataset is sent: a border router replaces each missing value by a random one (otbr-rest.md, section 3.3).

    :param parameters: the declared values of parameters that members take over while they stay in the network.
    :param delay: the time in which all members must receive the change, in seconds.
    :raises ParticleError: ``conflict`` when another change is pending, or when this change did not take effect.
    """
    pending = router.read_pending()
    if pending is None:
        _store_change(router, parameters, delay)
    elif find_differences(parameters, pending.dataset):
        message = f"Another change of the network is pending at border router {router.url}, so nothing was changed."
        raise ParticleError("conflict", message, hint="Wait until the other change has taken effect, and run again.")
    else:  # an earlier run was interrupted while it waited
        delay = pending.delay
    router.wait_until(lambda: router.read_pending() is None, delay + _MARGIN_SECONDS)
    _check_dataset(router, parameters)


def _store_change(router: BorderRouter, parameters: Mapping[str, Any], delay: float) -> None:
    dataset = router.read_dataset()
    if dataset is not None and not find_differences(parameters, dataset):
        return
    tlvs = router.read_tlvs()
    try:
        router.store_pending(change_tlvs(tlvs, parameters), read_seconds(tlvs) + 1, delay)
    except ParticleError as error:
        if error.code != "ambiguous_write" or router.read_pending() is None:
            raise


def _stop_empty_router(router: BorderRouter) -> None:
    """Stop a border router that has no dataset. A border router that runs does not accept a dataset.

    :raises ParticleError: ``conflict`` when the border router is in a network nevertheless.
    """
    state = router.read_state()
    if state in ATTACHED:
        message = f"Border router {router.url} shows no dataset, but its state is {state}, so nothing was changed."
        raise ParticleError("conflict", message, hint="Check the border router and its log, and run again.")
    if state != DISABLED:
        router.set_enabled(is_enabled=False)


def _check_dataset(router: BorderRouter, parameters: Mapping[str, Any]) -> None:
    """Read the dataset back, because a border router ignores values that it does not understand."""
    dataset = router.read_dataset()
    differing = list(JSON_KEYS) if dataset is None else find_differences(parameters, dataset)
    if differing:
        message = (
            f"Border router {router.url} accepted the dataset, but {', '.join(differing)} differ from the declaration."
        )
        raise ParticleError("conflict", message, hint="Check whether another program changes the network.")
