# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the parameters in the instructions of a member. Private to this collection.

A member gets the parameters of its network. Each parameter that is declared for the member overrides the parameter of
the network with the same key. Parameters may hold join keys, so this module never shows a value.

The instructions of a device are the data of its ledger instance. Other programs may have written the data, so it can
have any form.
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
    """Return the network. If the manifest declares no parameters, the network gets the parameters of its members.

    The parameters remain ``None`` if the members have different parameters, or if there are no members. A member for
    which the manifest declares parameters is ignored.

    :param wanted: the declared membership of each device.
    :param instructions: the current instructions, keyed by device.
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
    """Return the parameters of a member: the parameters of its network, overridden by the parameters of the member.

    :param network: the network that :func:`complete_parameters` has returned. If the network has no parameters, a
        member that is already in the network keeps its current parameters.
    :param before: the current instructions of the member, or of the device that it replaces; ``None`` if there are no
        instructions.
    """
    has = before.get("parameters") if before is not None and _is_in_network(network, before) else None
    if membership.keeps_parameters and isinstance(has, dict):
        return dict(has)
    of_all = network.parameters
    if of_all is None:
        of_all = has if isinstance(has, dict) else {}
    return {**of_all, **membership.parameters}


def has_unknown_parameters(
    network: Network, before: Instructions | None, instructions: Mapping[str, Instructions]
) -> bool:
    """Return whether the parameters of a new member are unknown.

    The parameters are unknown if the manifest declares no parameters and the existing members have different
    parameters.

    :param network: the network that :func:`complete_parameters` has returned.
    :param before: the current instructions of the device; ``None`` if the device has no instructions.
    :param instructions: the current instructions, keyed by device.
    """
    if network.parameters is not None or (before is not None and _is_in_network(network, before)):
        return False
    return any(data.get("parameters") for data in instructions.values() if _is_in_network(network, data))


def find_differing_keys(before: Any, after: Mapping[str, Any]) -> list[str]:
    """Return the sorted keys whose values differ between two mappings of parameters."""
    # Another program may have written a value that is not a mapping.
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(
        key for key in {*before, *after} if key not in before or key not in after or before[key] != after[key]
    )


def _is_in_network(network: Network, data: Instructions) -> bool:
    return data.get("network") == network.name
