# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List all mesh backends. Private to this collection.

No other file names all backends. The manifest reader imports this file. To keep this import fast, the code that sends
requests is imported only when a task opens the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Backend,
    Membership,
    Network,
    Rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import LEDGER
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import THREAD

Opener: TypeAlias = Callable[[Mapping[str, Any]], Backend]
"""A function that creates the part of a backend that sends requests. The argument is the options of the task."""


@dataclass(frozen=True)
class BackendRow:
    """One mesh backend.

    :param rules: the part of the backend that sends no requests.
    :param load: a function that imports the part of the backend that sends requests, and returns its opener.
    """

    rules: Rules
    load: Callable[[], Opener]

    def open(self, options: Mapping[str, Any]) -> Backend:
        """Create the part of the backend that sends requests. Its code is imported now."""
        return self.load()(options)


def _load_ledger() -> Opener:
    from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.backend import LedgerBackend

    return LedgerBackend.open


def _load_registry() -> Opener:
    from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.backend import RegistryBackend

    return lambda _options: RegistryBackend()


def _load_thread() -> Opener:
    from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.backend import ThreadBackend

    return ThreadBackend


_ROWS = (BackendRow(LEDGER, _load_ledger), BackendRow(REGISTRY, _load_registry), BackendRow(THREAD, _load_thread))
BACKENDS: dict[str, BackendRow] = {row.rules.name: row for row in _ROWS}
"""All backends, keyed by the name that a network declares as ``backend``."""

DEFAULT_BACKEND = LEDGER.name
"""The backend of a network that does not declare ``backend``."""


def import_backends() -> None:
    """Import the code of the backends now, instead of when a task opens them.

    Ansible runs each task in a forked process. If the parent process has imported the code, no task imports the code
    again, which takes half of the CPU time of a short task.
    """
    for row in BACKENDS.values():
        row.load()


def get_rules(backend: str) -> Rules:
    """Return the rules of a backend. If the name is unknown, return the rules of the default backend."""
    return (BACKENDS.get(backend) or BACKENDS[DEFAULT_BACKEND]).rules


def list_rules() -> Iterator[Rules]:
    """Return the rules of all backends."""
    return (row.rules for row in BACKENDS.values())


def list_options(*purposes: str) -> dict[str, Mapping[str, Any]]:
    """Return ``{name: argument spec}`` of all backend options that serve at least one of ``purposes``.

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
    """Return the secrets in the declared networks and memberships. These secrets must never be shown."""
    belonging: dict[str, list[Membership]] = {}
    for member in members:
        belonging.setdefault(member.network, []).append(member)
    return [
        secret
        for name, network in networks.items()
        for secret in get_rules(network.backend).find_secrets(network, belonging.get(name, []))
    ]


def list_identity_keys() -> tuple[str, ...]:
    """Return the ``identities`` of all backends: the keys that identify members in manifests and facts."""
    return tuple(dict.fromkeys(key for rules in list_rules() for key in rules.identities))


def find_identity(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and the value that identify a member, if the member is unknown to the Particle cloud.

    :returns: ``None`` if the row has an ``id``. In this case, the Particle cloud knows the device.
    """
    return None if row.get("id") else next(((key, str(row[key])) for key in list_identity_keys() if row.get(key)), None)


def is_identity(text: str) -> bool:
    """Return whether a text has the form of the values that identify the members of a backend."""
    return any(rules.is_identity(text) for rules in list_rules())


def list_row_keys() -> tuple[str, ...]:
    """Return the ``row_keys`` of all backends: the keys that backends read in each row of a device list."""
    return tuple(dict.fromkeys(key for rules in list_rules() for key in rules.row_keys))


def find_membership(row: Mapping[str, Any]) -> tuple[Rules, Membership] | None:
    """Return the rules of a backend and the membership that a row shows, or ``None`` if the row shows no membership."""
    for rules in list_rules():
        membership = rules.read_membership(row)
        if membership is not None:
            return rules, membership
    return None


def can_list_members(options: Mapping[str, Any]) -> bool:
    """Return whether ``options`` name a source of members that are unknown to the Particle cloud."""
    return any(rules.can_list_members(options) for rules in list_rules())
