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
from ansible_collections.meshfleet.particle.plugins.modules.fleet import DOCUMENTATION

WRONG = {"no_such_key": 1}
"""A declaration with an unknown key. The message about it names all known keys."""

DEVICE = {"id": "e00fce68aabbccddeeff0022"}


def find_suboptions(*path: str) -> dict[str, Any]:
    """Return the documented suboptions of an option, or of a suboption below it."""
    found = yaml.safe_load(DOCUMENTATION)["options"]
    for name in path:
        found = found[name]["suboptions"]
    return dict(found)


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        (("devices",), {"devices": [{**DEVICE, **WRONG}]}),
        (("devices", "mesh"), {"devices": [{**DEVICE, "mesh": WRONG}]}),
        (("networks", "<name>"), {"networks": {"barn": WRONG}, "devices": []}),
        (
            ("networks", "<name>", "parameters"),
            {"networks": {"barn": {"backend": "networks", "parameters": WRONG}}, "devices": []},
        ),
    ],
)
def test_documented_keys_match_the_keys_of_the_reader(path: tuple[str, ...], declared: dict[str, Any]) -> None:
    with pytest.raises(ParticleError) as caught:
        read_manifest(declared)
    known = re.search(r"no_such_key: unknown key; valid keys are (.*)", caught.value.message)
    assert known is not None, caught.value.message
    assert sorted(find_suboptions(*path)) == sorted(known[1].split(", "))


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
