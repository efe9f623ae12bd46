# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The documentation of `fleet` has the keys, choices and defaults that the manifest reader accepts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS, DEFAULT_BACKEND
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import NODE, ROLES
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import DEFAULT_LIMIT, TYPES
from ansible_collections.meshfleet.particle.plugins.modules import device, fleet

WRONG = {"no_such_key": 1}
"""A declaration with an unknown key. The message about it names all known keys."""

DEVICE = {"id": "e00fce68aabbccddeeff0022"}


def find_suboptions(*path: str, documentation: str = fleet.DOCUMENTATION) -> dict[str, Any]:
    """Return the documented suboptions of an option, or of a suboption below it."""
    found = yaml.safe_load(documentation)["options"]
    for name in path:
        found = found[name]["suboptions"]
    return dict(found)


def list_valid_keys(declared: dict[str, Any]) -> set[str]:
    """Return the keys that are valid beside an unknown key."""
    with pytest.raises(ParticleError) as caught:
        read_manifest(declared)
    known = re.search(r"no_such_key: unknown key; valid keys are (.*)", caught.value.message)
    assert known is not None, caught.value.message
    return set(known[1].split(", "))


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        (("devices",), {"devices": [{**DEVICE, **WRONG}]}),
        (("devices", "mesh"), {"devices": [{**DEVICE, "mesh": WRONG}]}),
    ],
)
def test_documented_keys_match_the_keys_of_the_reader(path: tuple[str, ...], declared: dict[str, Any]) -> None:
    assert set(find_suboptions(*path)) == list_valid_keys(declared)


def test_networks_are_documented_alike_in_fleet_and_device() -> None:
    # Gateways differ, because the module device does not know the other devices of the fleet.
    in_fleet = find_suboptions("networks", "<name>")
    in_device = find_suboptions("networks", "<name>", documentation=device.DOCUMENTATION)
    del in_fleet["gateways"], in_device["gateways"]
    assert in_device == in_fleet


def test_documented_network_keys_are_those_of_all_backends() -> None:
    declared = ({"networks": {"barn": {**WRONG, "backend": name}}, "devices": []} for name in BACKENDS)
    assert set(find_suboptions("networks", "<name>")) == set().union(*map(list_valid_keys, declared))


def test_documented_parameters_are_those_of_all_backends() -> None:
    # With backend ledger, the firmware determines the parameters.
    others = [name for name in BACKENDS if name != DEFAULT_BACKEND]
    declared = ({"networks": {"barn": {"parameters": WRONG, "backend": name}}, "devices": []} for name in others)
    assert set(find_suboptions("networks", "<name>", "parameters")) == set().union(*map(list_valid_keys, declared))


@pytest.mark.parametrize(
    ("path", "key", "choices", "default"),
    [
        (("devices", "mesh"), "role", ROLES, NODE),
        (("networks", "<name>"), "backend", BACKENDS, DEFAULT_BACKEND),
        (("networks", "<name>", "parameters"), "type", TYPES, None),
        (("networks", "<name>", "parameters"), "limit", (), DEFAULT_LIMIT),
    ],
)
def test_documented_choices_and_defaults_match_the_code(
    path: tuple[str, ...], key: str, choices: Any, default: Any
) -> None:
    documented = find_suboptions(*path)[key]
    assert sorted(documented.get("choices", ())) == sorted(choices)
    assert documented.get("default") == default
