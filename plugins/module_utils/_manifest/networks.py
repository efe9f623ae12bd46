# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the networks of a manifest by the rules of their mesh backends. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import (
    BACKENDS,
    DEFAULT_BACKEND,
    get_rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Network

_NETWORK_KEYS = ("backend", "state", "parameters", "gateways")


def read_networks(reader: ValueReader, value: Any) -> dict[str, Network]:
    """Return the declared networks by name, and report mistakes to ``reader``.

    Each network contains only the gateways in its key ``gateways``. Devices that declare the role gateway are added
    later.

    :param value: the value of the manifest key ``networks``.
    """
    networks: dict[str, Network] = {}
    if value is None:
        return networks
    if not isinstance(value, Mapping):
        reader.add_mistake(("networks",), f"must be a mapping from names to networks, got {describe_type(value)}")
        return networks
    for name, item in value.items():
        networks[str(name)] = _read_network(reader, name, item, ("networks", str(name)))
    return networks


def _read_network(reader: ValueReader, name: Any, item: Any, place: Place) -> Network:
    declared = item.get("backend", DEFAULT_BACKEND) if isinstance(item, Mapping) else DEFAULT_BACKEND
    rules = get_rules(str(declared))
    network = reader.read_mapping({} if item is None else item, place, (*_NETWORK_KEYS, *rules.network_keys))
    backend = reader.read_choice(network.get("backend", DEFAULT_BACKEND), (*place, "backend"), tuple(BACKENDS))
    if isinstance(name, str):
        rules.check_name(reader, name, place)
    else:
        reader.read_line(name, place)
    state = reader.read_choice(network.get("state", "present"), (*place, "state"), ("present", "absent"))
    if state == "absent":
        for key in ("parameters", "gateways"):
            if key in network:
                reader.add_mistake((*place, key), "cannot be combined with state absent, which dissolves the network")
        extra = rules.read_network(reader, network, place)
        return Network(str(name), (), None, backend, absent=True, extra=extra)
    parameters = network.get("parameters")
    if "parameters" in network and not isinstance(parameters, Mapping):
        reader.add_mistake((*place, "parameters"), f"must be a mapping, got {describe_type(parameters)}")
        parameters = None
    reader.check_json(parameters, (*place, "parameters"))
    if parameters:
        rules.check_parameters(reader, parameters, (*place, "parameters"))
    given = reader.read_list(network.get("gateways", []), (*place, "gateways"))
    gateways = [rules.read_gateway(reader, gateway, (*place, "gateways", index)) for index, gateway in enumerate(given)]
    extra = rules.read_network(reader, network, place)
    return Network(str(name), tuple(filter(None, gateways)), parameters, backend, extra=extra)
