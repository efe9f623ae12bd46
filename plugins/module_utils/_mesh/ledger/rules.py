# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the options of backend ``ledger``, check its networks, and read memberships. Private to this collection.

This module sends no requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledger_names import LEDGER_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    NETWORK_NAME,
    RECONCILE,
    RESERVED_GROUPS,
    ROLES,
    STATES,
    Hardware,
    Membership,
    Option,
    Rules,
)


def check_ledger_name(name: str) -> str:
    """Return ``name`` if it is a valid ledger name (endpoints.yml: ledgers).

    :raises ParticleError: ``invalid_option`` when the name is not valid.
    """
    if not LEDGER_NAME.match(name):
        message = f"{name!r} is not a valid ledger name: use 1 to 32 characters from a-z, 0-9 and -."
        raise ParticleError("invalid_option", message, hint="Correct mesh_ledger or mesh_status_ledger.")
    return name


@dataclass(frozen=True)
class Ledgers:
    """The names of the two ledgers of the backend.

    :param instructions: the name of the cloud-to-device ledger, which holds the instructions for members.
    :param reports: the name of the device-to-cloud ledger, which holds the reports of members.
    :raises ParticleError: ``invalid_option`` when a name is not valid, or both names are equal.
    """

    instructions: str = "mesh"
    reports: str = "mesh-status"

    def __post_init__(self) -> None:
        if check_ledger_name(self.instructions) == check_ledger_name(self.reports):
            message = f"mesh_ledger and mesh_status_ledger must be different, got {self.instructions} for both."
            raise ParticleError("invalid_option", message, hint="Set one of them to another name.")


DEFAULT_LEDGERS = Ledgers()


def read_group_membership(groups: frozenset[str]) -> Membership | None:
    """Return the membership in device groups, or ``None`` if the groups do not name exactly one network and role."""
    names = {group.removeprefix(RESERVED_GROUPS) for group in groups if group.startswith(RESERVED_GROUPS)}
    roles = names & set(ROLES)
    networks = names - set(ROLES)
    if len(roles) != 1 or len(networks) != 1:
        return None
    return Membership(networks.pop(), roles.pop())


class LedgerRules(Rules):
    """The rules of backend ``ledger``.

    Members are devices of a product. Two device groups, for the network and for the role, show the membership.
    """

    name = "ledger"
    options: ClassVar[Mapping[str, Option]] = {
        "mesh_ledger": Option({"type": "str", "default": DEFAULT_LEDGERS.instructions}, frozenset({RECONCILE})),
        "mesh_status_ledger": Option(
            {"type": "str", "default": DEFAULT_LEDGERS.reports}, frozenset({RECONCILE, STATES})
        ),
    }
    shows_members_until_removal = True
    hides_members = True

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        """Report a mistake if the name of a network is not valid."""
        # Device groups are named after networks and after roles, so a network must not have the name of a role.
        text = reader.read_text(name, place)
        if isinstance(name, str) and not NETWORK_NAME.match(text):
            reader.add_mistake(place, "is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -")
        if name in ROLES:
            reader.add_mistake(place, "is not a valid network name: it is the name of a role")

    def is_shown(self, groups: frozenset[str], hardware: Hardware) -> bool:
        """Return whether the name of one of ``groups`` begins with ``mesh-``."""
        return any(group.startswith(RESERVED_GROUPS) for group in groups)

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that the device groups in a row show, or ``None`` if the groups show no membership."""
        return read_group_membership(frozenset(list_texts(row.get("groups"))))

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        """Return ``True``. An exported manifest contains no parameters, so that members keep their parameters."""
        return True


LEDGER = LedgerRules()
