# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the networks of a manifest, whose rules are those of their backends. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import PartReader, kind_of
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    BACKENDS,
    LEDGER,
    NETWORKS,
    ROLES,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.topology import TYPES

_NETWORK = ("backend", "state", "parameters", "gateways")
_REGISTRY = ("type", "limit")

_LEDGER_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z")
_REGISTRY_BYTES = 16


def read_networks(reader: PartReader, value: Any) -> dict[str, Network]:
    """The networks as they stand, by name; gateways among the devices are added later."""
    networks: dict[str, Network] = {}
    if value is None:
        return networks
    if not isinstance(value, Mapping):
        reader.wrong(("networks",), f"must be a mapping from names to networks, not {kind_of(value)}")
        return networks
    for name, item in value.items():
        networks[str(name)] = _read_network(reader, name, item, ("networks", str(name)))
    return networks


def _read_network(reader: PartReader, name: Any, item: Any, place: Place) -> Network:
    network = reader.mapping({} if item is None else item, place, _NETWORK)
    backend = reader.choice(network.get("backend", LEDGER), (*place, "backend"), BACKENDS)
    (_check_registry_name if backend == NETWORKS else _check_ledger_name)(reader, name, place)
    state = reader.choice(network.get("state", "present"), (*place, "state"), ("present", "absent"))
    if state == "absent":
        for key in ("parameters", "gateways"):
            if key in network:
                reader.wrong((*place, key), "goes not together with state absent, which dissolves the network")
        return Network(str(name), (), None, backend, absent=True)
    parameters = network.get("parameters")
    if "parameters" in network and not isinstance(parameters, Mapping):
        reader.wrong((*place, "parameters"), f"must be a mapping, not {kind_of(parameters)}")
        parameters = None
    reader.json(parameters, (*place, "parameters"))
    if backend == NETWORKS and parameters:
        _check_registry_parameters(reader, parameters, (*place, "parameters"))
    given = reader.sequence(network.get("gateways", []), (*place, "gateways"))
    gateways = [reader.device_id(gateway, (*place, "gateways", index)) for index, gateway in enumerate(given)]
    return Network(str(name), tuple(gateway for gateway in gateways if gateway), parameters, backend)


def _check_ledger_name(reader: PartReader, name: Any, place: Place) -> None:
    """The name becomes that of a device group, beside those of the roles."""
    text = reader.text(name, place)
    if isinstance(name, str) and not _LEDGER_NAME.match(text):
        reader.wrong(place, "a network's name is 1 to 32 of a-z, 0-9, _ and -")
    if name in ROLES:
        reader.wrong(place, "a network cannot be called like a role")


def _check_registry_name(reader: PartReader, name: Any, place: Place) -> None:
    """The registry takes any short name, and people have given it many."""
    text = reader.text(name, place)
    if isinstance(name, str) and not 1 <= len(text.encode(errors="replace")) <= _REGISTRY_BYTES:
        reader.wrong(place, f"the name of a network of backend {NETWORKS} has 1 to {_REGISTRY_BYTES} bytes")
    elif isinstance(name, str) and (not text.isprintable() or text != text.strip() or text in (".", "..")):
        reader.wrong(place, "is no name that the registry can be asked for")


def _check_registry_parameters(reader: PartReader, parameters: Mapping[str, Any], place: Place) -> None:
    if "password" in parameters:
        reader.wrong((*place, "password"), "never goes to the cloud: it is given to the boards when they join")
    for key in parameters:
        if key not in (*_REGISTRY, "password"):
            reader.wrong((*place, str(key)), f"unknown key; backend {NETWORKS} knows {', '.join(_REGISTRY)}")
    if "type" in parameters:
        reader.choice(parameters["type"], (*place, "type"), TYPES)
    limit = parameters.get("limit", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        reader.wrong((*place, "limit"), f"must be a number of devices, at least 1, not {kind_of(limit)}")
