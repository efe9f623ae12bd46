# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the parameters in the instructions of a member. Private to this collection.

A member gets the parameters of its network, overridden key by key by its own. Parameters may hold join keys, so this
module never shows a value. ``orders`` are the current instructions by device: the data of their instances of the
ledger, which other programs may have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership, Network

Orders = Mapping[str, Any]


def with_parameters(network: Network, wanted: Mapping[str, Membership | None], orders: Mapping[str, Orders]) -> Network:
    """Return the network with parameters taken from its members, if it declares none and all members have the same.

    Members that are declared with parameters of their own do not count.

    :param wanted: the declared membership of each device.
    :param orders: the current instructions by device.
    """
    if network.parameters is not None:
        return network
    own = {device for device, membership in wanted.items() if membership is not None and membership.parameters}
    found = [told.get("parameters") for device, told in orders.items() if device not in own and _is_in(network, told)]
    agreed = found[0] if found and isinstance(found[0], dict) and all(other == found[0] for other in found) else None
    return replace(network, parameters=agreed)


def parameters_of(membership: Membership, network: Network, before: Orders | None) -> dict[str, Any]:
    """Return the parameters of a member: those of its network, overridden key by key by its own.

    :param network: the network, as :func:`with_parameters` returns it. If it has no parameters, the member keeps those
        that it has now in that network.
    :param before: the current instructions of the member; ``None`` if it has none.
    """
    of_all = network.parameters
    if of_all is None:
        has = before.get("parameters") if before is not None and _is_in(network, before) else None
        of_all = has if isinstance(has, dict) else {}
    return {**of_all, **membership.parameters}


def nobody_knows(network: Network, before: Orders | None, orders: Mapping[str, Orders]) -> bool:
    """Return whether the parameters of a new member are unknown, as none are declared and the members differ.

    :param before: the current instructions of the device; ``None`` if it has none.
    :param orders: the current instructions by device.
    """
    if network.parameters is not None or (before is not None and _is_in(network, before)):
        return False
    return any(told.get("parameters") for told in orders.values() if _is_in(network, told))


def differing_keys(before: Any, after: Mapping[str, Any]) -> list[str]:
    """Return the sorted keys whose values differ between two sets of parameters."""
    # Another program may have written a value that is not a mapping.
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(
        key for key in {*before, *after} if key not in before or key not in after or before[key] != after[key]
    )


def _is_in(network: Network, told: Orders) -> bool:
    return told.get("network") == network.name
