# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The options of a role replace the login that module_defaults give, and keep all other options.

They contain no login for a module that connects to no cloud.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.plugin_utils._role_options import RoleOptions, read_role_options

DEFAULTS = {"api_url": "https://cloud.example", "access_token": "of team a", "password": "of team a"}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, {"api_url", "access_token", "password"}),
        ({"workers": 4}, {"api_url", "access_token", "password", "workers"}),
        ({"token_file": "b.json"}, {"api_url", "token_file"}),
        ({"profile": "b"}, {"api_url", "profile"}),
        ({"token_file": "b.json", "username": "b"}, {"api_url", "token_file", "username", "password"}),
        ({"username": "b", "password": "of b"}, {"api_url", "username", "password"}),
    ],
)
def test_login_of_a_role_is_not_replaced_by_a_default(given: dict[str, object], left: set[str]) -> None:
    merged = RoleOptions("provision", given, "fleet").merge(DEFAULTS)
    assert (set(merged), {name: merged[name] for name in given}) == (left, given)


def test_module_without_a_connection_evaluates_no_login_of_the_role() -> None:
    listed = {"particle": {"password": "{{ secret }}"}, "fleet_outcome": {"fleet": "{{ result }}"}}
    variables = {"role_name": "provision", "provision_module_options": listed}
    evaluated: list[Any] = []

    def template(value: Any) -> Any:
        evaluated.append(value)
        return value

    options = read_role_options(variables, template, "fleet_outcome", connects=False)
    assert options is not None
    assert (options.given, evaluated) == ({"fleet": "{{ result }}"}, [listed["fleet_outcome"]])
