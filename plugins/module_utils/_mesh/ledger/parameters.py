# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the parameters in the instructions of a member. Private to this collection.

A member gets the parameters of its network, overridden key by key by its own. Parameters may hold join keys, so this
module never shows a value. ``instructions`` are the current instructions by device: the data of their instances of the
ledger, which other programs may have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership, Network

Instructions = Mapping[str, Any]


def complete_parameters(
    network: Network, wanted: Mapping[str, Membership | None], instructions: Mapping[str, Instructions]
) -> Network:
    """Return the network with parameters taken from its members, if it declares none and all members have the same.

    Members that are declared with parameters of their own do not count.

    :param wanted: the declared membership of each device.
    :param instructions: the current instructions by device.
    """
    if network.parameters is not None:
        return network
    own = {device for device, membership in wanted.items() if membership is not None and membership.parameters}
    found = [
        data.get("parameters")
        for device, data in instructions.items()
        if device not in own and _is_in_network(network, data)
    ]
    agreed = found[0] if found and isinstance(found[0], dict) and all(other == found[0] for other in found) else None
    return replace(network, parameters=agreed)


def merge_parameters(membership: Membership, network: Network, before: Instructions | None) -> dict[str, Any]:
    """Return the parameters of a member: those of its network, overridden key by key by its own.

    :param network: the network, as :func:`complete_parameters` returns it. If it has no parameters, the member keeps
        those that it has now in that network.
    :param before: the current instructions of the member; ``None`` if it has none.
    """
    of_all = network.parameters
    if of_all is None:
        has = before.get("parameters") if before is not None and _is_in_network(network, before) else None
        of_all = has if isinstance(has, dict) else {}
    return {**of_all, **membership.parameters}


def has_unknown_parameters(
    network: Network, before: Instructions | None, instructions: Mapping[str, Instructions]
) -> bool:
    """Return whether the parameters of a new member are unknown, as none are declared and the members differ.

    :param before: the current instructions of the device; ``None`` if it has none.
    :param instructions: the current instructions by device.
    """
    if network.parameters is not None or (before is not None and _is_in_network(network, before)):
        return False
    return any(data.get("parameters") for data in instructions.values() if _is_in_network(network, data))


def find_differing_keys(before: Any, after: Mapping[str, Any]) -> list[str]:
    """Return the sorted keys whose values differ between two sets of parameters."""
    # Another program may have written a value that is not a mapping.
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(
        key for key in {*before, *after} if key not in before or key not in after or before[key] != after[key]
    )


def _is_in_network(network: Network, data: Instructions) -> bool:
    return data.get("network") == network.name
