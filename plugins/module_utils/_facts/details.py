# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read details of devices: vitals, variables and the states of network members. Private to this collection.

Vitals and variables need separate requests for each device. Vitals and variables are read only from devices that are
online. If an error concerns only one device, the task continues. A value that could not be read is ``None``, and the
fact ``unread`` of the device contains the error code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import RESERVED_NAMES, read_variable
from ansible_collections.meshfleet.particle.plugins.module_utils._api.diagnostics import get_last_vitals
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership, Rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh

Devices = Mapping[str, dict[str, Any]]

# Codes of errors that concern only one device. The other devices are still read.
_DEVICE_ERRORS = ("not_found", "device_offline", "device_not_yours", "cloud_error", "bad_response")

_PERMISSION_ERRORS = ("forbidden", "missing_scope")

Question: TypeAlias = "str | None"
"""A value to read from a device: the name of a variable, or ``None`` for the vitals."""


@dataclass(frozen=True)
class WantedDetails:
    """The details to read from each device that is online.

    :param vitals: whether to read the last vitals.
    :param variables: the names of the variables to read.
    :param mac_variable: the name of the variable that holds the MAC address. This variable is read only if the facts of
        the device contain no MAC address.
    :param limit: the maximum number of devices from which details are read.
    :raises ParticleError: ``invalid_option`` when a variable name is empty or reserved by the cloud.
    """

    vitals: bool = False
    variables: tuple[str, ...] = ()
    mac_variable: str | None = None
    limit: int = 100

    def __post_init__(self) -> None:
        wanted = {*self.variables, *([self.mac_variable] if self.mac_variable is not None else [])}
        wrong = sorted(name for name in wanted if name in RESERVED_NAMES or not name.strip())
        if wrong:
            names = ", ".join(map(repr, wrong))
            message = f"{names} cannot be read: the name of a variable must not be empty or reserved by the cloud."
            raise ParticleError("invalid_option", message, hint="Correct variables or mac_variable.")


def read_wanted_details(options: Mapping[str, Any]) -> WantedDetails | None:
    """Return the details to read from each device; ``None`` if there are none.

    :raises ParticleError: ``invalid_option`` when ``include`` contains ``variables`` but the option ``variables`` is
        not set, or when the option is set but ``include`` does not contain ``variables``.
    """
    include, variables = options["include"], tuple(options["variables"])
    if "variables" in include and not variables:
        message = "include contains 'variables', but the option 'variables' is not set."
        raise ParticleError(
            "invalid_option", message, hint="List the names of the variables to read in the option 'variables'."
        )
    if variables and "variables" not in include:
        message = (
            "The option 'variables' is set, but include does not contain 'variables', so no variables would be read."
        )
        raise ParticleError("invalid_option", message, hint="Add 'variables' to the option include.")
    if "vitals" not in include and not variables and options["mac_variable"] is None:
        return None
    return WantedDetails("vitals" in include, variables, options["mac_variable"], options["include_limit"])


def add_details(http: Http, devices: Devices, products: Mapping[str, Product], wanted: WantedDetails) -> None:
    """Read the wanted details, and add the details to the facts of ``devices``.

    The new facts are ``unread`` and, if wanted, ``vitals`` and ``variable_values``. A missing fact ``mac`` is set to
    the value of the variable ``wanted.mac_variable``.

    :param products: the product of each device, keyed by device id. A device without a product has no key.
    :param wanted: the details to read.
    :raises ParticleError: ``invalid_option`` when details would be read from more than ``wanted.limit`` devices. No
        request is sent in this case.
    """
    for facts in devices.values():
        if wanted.vitals:
            facts["vitals"] = None
        if wanted.variables:
            facts["variable_values"] = dict.fromkeys(wanted.variables)
        facts["unread"] = {}
    there = {device: facts for device, facts in devices.items() if facts["online"] and facts["id"]}
    devices_to_read = [device for device, facts in there.items() if _list_questions(facts, wanted)]
    if len(devices_to_read) > wanted.limit:
        number = sum(len(_list_questions(devices[device], wanted)) for device in devices_to_read)
        count = format_count(len(devices_to_read), "device")
        cost = f"{count} would be read one by one, with {format_count(number, 'request')}"
        message = f"{cost}, but include_limit is {wanted.limit}."
        raise ParticleError(
            "invalid_option", message, hint="Select fewer devices with filters, or raise include_limit."
        )

    def ask_device(task: tuple[str, Question]) -> Any:
        device, question = task
        product = products[device].id if device in products else None
        try:
            if question is None:
                return get_last_vitals(http, product, device).get("payload")
            return read_variable(http, product, device, question)
        except ParticleError as error:
            if error.code not in _DEVICE_ERRORS:
                raise
            return error

    tasks = [(device, question) for device in devices_to_read for question in _list_questions(devices[device], wanted)]
    for (device, question), answer in zip(tasks, map_in_parallel(ask_device, tasks, http.workers), strict=True):
        _store_answer(devices[device], question, answer, wanted)


def _list_questions(facts: Mapping[str, Any], wanted: WantedDetails) -> list[Question]:
    """Return the questions for one device: the names of variables, and ``None`` if the vitals are wanted."""
    names = dict.fromkeys(wanted.variables)
    if wanted.mac_variable is not None and facts["mac"] is None:
        names[wanted.mac_variable] = None
    return [*([None] if wanted.vitals else []), *names]


def _store_answer(facts: dict[str, Any], question: Question, answer: Any, wanted: WantedDetails) -> None:
    if isinstance(answer, ParticleError):
        facts["unread"][question or "vitals"] = answer.code
    elif question is None:
        facts["vitals"] = answer
    else:
        if question in wanted.variables:
            facts["variable_values"][question] = answer
        if question == wanted.mac_variable and answer:
            facts["mac"] = facts["mac"] or str(answer)


def add_mesh_states(
    http: Http,
    devices: Devices,
    products: Mapping[str, Product],
    warn: Callable[[str], None],
    mesh: Mesh | None = None,
) -> None:
    """Set the fact ``mesh.state`` of each network member.

    The state is ``joined``, ``pending``, ``lost`` or ``wrong_network``. The state is ``None`` if the cloud does not
    record the state. The state is also ``None`` if the account has no permission to read states; in this case the user
    gets a warning.

    :param products: the product of each device, keyed by device id. A device without a product has no key.
    :param warn: function that shows a warning to the user.
    :param mesh: the mesh backends that the task has opened; ``None`` to use backends with their default options.
    """
    memberships: dict[tuple[Rules, Product], dict[str, Membership]] = {}
    for device, facts in devices.items():
        found = find_membership(facts)
        if found is None:
            continue
        rules, membership = found
        facts["mesh"]["state"] = rules.read_state(facts, membership)
        if facts["mesh"]["state"] is None and device in products:
            memberships.setdefault((rules, products[device]), {})[device] = membership
    for (rules, product), wanted in memberships.items():
        try:
            states = (mesh or Mesh()).read_states(Target(http, product, warn), rules, wanted)
        except ParticleError as error:
            if error.code in _PERMISSION_ERRORS:
                warn(f"The states of network members are unknown. {error.message} {error.hint}")
            elif error.status != 404:
                raise
            continue
        for device, state in states.items():
            devices[device]["mesh"]["state"] = state
