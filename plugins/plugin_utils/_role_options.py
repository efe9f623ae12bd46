# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass the variables of a role to the modules that the tasks of the role call. Private to this collection.

A role lists in its variable ``<role>_module_options`` which options its variables set, for example
``{"particle": {"api_url": …}, "fleet": {"product": …}}``. The options below ``particle`` are for all modules, and the
options below the name of a module are for this module.

``module_defaults`` in a block of the role could not do this: they replace those of the play as a whole, and a task
option that is omitted also drops the default. The options of ``<role>_module_options`` are added to those of the play
instead. An option that is undefined or an empty string keeps the value that ``module_defaults`` gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import build_shared_spec

Template = Callable[[Any], Any]
"""A function that evaluates the templates in a value."""

Options = dict[str, Any]

COLLECTION = "meshfleet.particle"
_STORED_LOGINS = {"token_file", "profile"}
ALL_MODULES = "particle"
"""The key of the options for all modules. The action group of the collection has the same name."""
LOGIN_MODULE = "access_token"
"""The module that obtains the token of a role."""


@dataclass(frozen=True)
class RoleOptions:
    """The options that the variables of a role give to a module.

    :param role: the name of the role.
    :param given: the options by name.
    :param main_module: the first module that the role lists. The role logs in with the options of this module.
    """

    role: str
    given: Options = field(repr=False)
    main_module: str | None

    def merge(self, args: Mapping[str, Any]) -> Options:
        """Return the options of a task with those that the role gives.

        :param args: the options of the task, including those from ``module_defaults``.
        """
        # An access token takes precedence over the other ways to log in, and a password over a token file. A login of
        # module_defaults may belong to another account, so it must not replace the login that the role names.
        replaced = {"access_token"} if self.given.keys() & {"username", "password", *_STORED_LOGINS} else set()
        if self.given.keys() & _STORED_LOGINS and not self.given.keys() & {"username", "password"}:
            replaced.add("password")
        return {**{name: value for name, value in args.items() if name not in replaced}, **self.given}

    def name_variables(self, message: str) -> str:
        """Return the message about invalid options, with the names of the variables of the role that set them."""
        found = [f"{self.role}_{name}" for name in self.given if re.search(rf"\b{re.escape(name)}\b", message)]
        return f"{message} (set by {', '.join(found)})" if found else message


def read_role_options(
    variables: Mapping[str, Any], template: Template, module: str, *, connects: bool = True
) -> RoleOptions | None:
    """Return the options that the variables of the current role give to a module.

    Options that are ``None``, an empty string or a string of spaces are left out, because a survey returns such a
    string for a question that was not answered.

    :param variables: the variables of the task.
    :param connects: whether the module has connection options. Otherwise, those of the role are not evaluated, because
        their templates cost as much CPU time as all of the rest of a task that runs for each host.
    :returns: ``None`` if the task belongs to no role, or if the role lists no options.
    """
    role = variables.get("role_name")
    listed = variables.get(f"{role}_module_options")
    if listed is None:
        return None
    keys = (ALL_MODULES, module) if connects else (module,)
    given = {name: value for key in keys for name, value in template(listed.get(key, {})).items()}
    return RoleOptions(
        str(role),
        {name: value for name, value in given.items() if not _is_empty(value)},
        next((name for name in listed if name not in (ALL_MODULES, LOGIN_MODULE)), None),
    )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def find_module_defaults(
    layers: Iterable[Mapping[str, Any]], groups: Mapping[str, Iterable[str]], module: str, template: Template
) -> Options:
    """Return the connection options that ``module_defaults`` set for a module of the collection.

    :param layers: the ``module_defaults`` of a task, from the play to the task.
    :param groups: the full names of the action groups of each module, keyed by the full name of the module.
    """
    entries: dict[str, Any] = {}
    for layer in layers:
        entries.update(layer)
    action = f"{COLLECTION}.{module}"
    of_groups = {f"group/{name}" for name in groups.get(action, ())}
    chosen = [*(value for name, value in entries.items() if name in of_groups), entries.get(action)]
    found: Options = {}
    for value in chosen:
        found.update(template(value) or {})
    return {name: value for name, value in found.items() if name in build_shared_spec()}
