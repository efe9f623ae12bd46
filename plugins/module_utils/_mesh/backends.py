# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the mesh backends, one row each. Private to this collection.

No other file names all backends. The manifest reader imports this file, so the half of a backend that sends requests
is imported only when a task opens the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Backend,
    Membership,
    Network,
    Rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import LEDGER
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY


@dataclass(frozen=True)
class BackendRow:
    """One mesh backend.

    :param rules: the half that sends no requests.
    :param open: creates the half that sends requests from the options of a task.
    """

    rules: Rules
    open: Callable[[Mapping[str, Any]], Backend]


def _open_ledger(options: Mapping[str, Any]) -> Backend:
    from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.backend import LedgerBackend

    return LedgerBackend.open(options)


def _open_registry(options: Mapping[str, Any]) -> Backend:
    from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.backend import RegistryBackend

    return RegistryBackend()


BACKENDS: dict[str, BackendRow] = {
    LEDGER.name: BackendRow(LEDGER, _open_ledger),
    REGISTRY.name: BackendRow(REGISTRY, _open_registry),
}
"""All backends by name, which a network declares as ``backend``."""

DEFAULT_BACKEND = LEDGER.name
"""The backend of a network that does not declare ``backend``."""


def get_rules(backend: str) -> Rules:
    """Return the rules of a backend, or those of the default backend if the name is unknown."""
    return (BACKENDS.get(backend) or BACKENDS[DEFAULT_BACKEND]).rules


def list_rules() -> Iterator[Rules]:
    """Return the rules of all backends."""
    return (row.rules for row in BACKENDS.values())


def list_options(*purposes: str) -> dict[str, Mapping[str, Any]]:
    """Return the argument spec of all backend options that serve any of ``purposes``.

    :param purposes: one or more of ``RECONCILE``, ``STATES`` and ``LISTING``.
    """
    return {
        name: option.spec
        for rules in list_rules()
        for name, option in rules.options.items()
        if not option.purposes.isdisjoint(purposes)
    }


def list_secret_options() -> tuple[str, ...]:
    """Return the names of the backend options that hold secrets."""
    return tuple(name for rules in list_rules() for name, one in rules.options.items() if one.spec.get("no_log"))


def find_declared_secrets(networks: Mapping[str, Network], members: Iterable[Membership]) -> list[str]:
    """Return the secrets that the declared networks and memberships hold, which must never be shown."""
    belonging: dict[str, list[Membership]] = {}
    for member in members:
        belonging.setdefault(member.network, []).append(member)
    return [
        secret
        for name, network in networks.items()
        for secret in get_rules(network.backend).find_secrets(network, belonging.get(name, []))
    ]


def list_identity_keys() -> tuple[str, ...]:
    """Return the keys by which any backend identifies its members in a manifest and in facts."""
    return tuple(dict.fromkeys(key for rules in list_rules() for key in rules.identities))


def find_identity(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and value that identify a member that the Particle cloud does not know.

    :returns: ``None`` for a device that the Particle cloud knows.
    """
    return None if row.get("id") else next(((key, str(row[key])) for key in list_identity_keys() if row.get(key)), None)


def list_row_keys() -> tuple[str, ...]:
    """Return the keys of a device in the cloud's lists that any backend reads."""
    return tuple(dict.fromkeys(key for rules in list_rules() for key in rules.row_keys))


def find_membership(row: Mapping[str, Any]) -> tuple[Rules, Membership] | None:
    """Return the membership that a row shows with the rules of its backend, or ``None`` if it shows none."""
    for rules in list_rules():
        membership = rules.read_membership(row)
        if membership is not None:
            return rules, membership
    return None


def can_list_members(options: Mapping[str, Any]) -> bool:
    """Return whether ``options`` name a source that lists members that the Particle cloud does not know."""
    return any(rules.can_list_members(options) for rules in list_rules())
