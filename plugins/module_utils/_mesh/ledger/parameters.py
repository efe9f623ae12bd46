# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters a member of a network is told: its network's, and over them its own. Private to this collection.

They may be join keys, so nothing in here shows a value. What members have been told until now stands in ``orders``, by
device: their instances of the ledger, which anybody may have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership, Network

Orders = Mapping[str, Any]


def with_parameters(network: Network, wanted: Mapping[str, Membership | None], orders: Mapping[str, Orders]) -> Network:
    """A network whose parameters are not declared has those of its members, as far as these agree.

    Who is declared to have some of its own has no say in what is everybody's.
    """
    if network.parameters is not None:
        return network
    own = {device for device, membership in wanted.items() if membership is not None and membership.parameters}
    found = [told.get("parameters") for device, told in orders.items() if device not in own and _is_in(network, told)]
    agreed = found[0] if found and isinstance(found[0], dict) and all(other == found[0] for other in found) else None
    return replace(network, parameters=agreed)


def parameters_of(membership: Membership, network: Network, before: Orders | None) -> dict[str, Any]:
    """What a member is told, key by key its own over its network's.

    :param network: completed by :func:`with_parameters`; where its members differ, a member keeps what it has there.
    :param before: what the member was told until now.
    """
    of_all = network.parameters
    if of_all is None:
        has = before.get("parameters") if before is not None and _is_in(network, before) else None
        of_all = has if isinstance(has, dict) else {}
    return {**of_all, **membership.parameters}


def nobody_knows(network: Network, before: Orders | None, orders: Mapping[str, Orders]) -> bool:
    """Whether who is new in a network cannot be told its parameters: none are declared, and its members differ."""
    if network.parameters is not None or (before is not None and _is_in(network, before)):
        return False
    return any(told.get("parameters") for told in orders.values() if _is_in(network, told))


def differing_keys(before: Any, after: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ; whatever somebody else wrote ``before`` need not even have keys."""
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(
        key for key in {*before, *after} if key not in before or key not in after or before[key] != after[key]
    )


def _is_in(network: Network, told: Orders) -> bool:
    return told.get("network") == network.name
