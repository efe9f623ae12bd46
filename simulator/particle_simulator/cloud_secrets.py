# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The secrets of accounts and organizations, and the integrations that use a secret (endpoints.yml: secrets_list)."""

from __future__ import annotations

from typing import Any

from particle_simulator.errors import bad_request
from particle_simulator.model import Owner
from particle_simulator.resources import Integration
from particle_simulator.world import World

FIELD = "secrets"
"""The field of a webhook that names the secrets which the webhook uses (endpoints.yml: webhook_create)."""


def list_secret_names(integration: Integration) -> list[str]:
    """Return the names of the secrets that an integration uses."""
    return [entry["name"] for entry in integration.settings.get(FIELD, ())]


def read_secret_references(owner: Owner | None, value: Any) -> list[dict[str, str]]:
    """Check and return the field `secrets` of a webhook: a list of objects with a name.

    Each name must be the name of a secret of the owner. This rule and the error responses are inferred.
    """
    if not isinstance(value, list):
        raise bad_request("secrets must be a list of objects with a name")
    known = owner.resources.secrets if owner is not None else {}
    names = []
    for entry in value:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise bad_request("secrets must be a list of objects with a name")
        if entry["name"] not in known:
            raise bad_request(f"Secret {entry['name']} not found")
        names.append(entry["name"])
    return [{"name": name} for name in dict.fromkeys(names)]


def find_users(world: World, owner: Owner) -> dict[str, list[Integration]]:
    """Return the integrations that use a secret, keyed by the name of the secret.

    The integrations of an owner are its own integrations and the integrations of all its products.
    """
    places = [owner.resources]
    places += [product.resources for product in world.products.by_id.values() if product.top_owner is owner]
    users: dict[str, list[Integration]] = {}
    for resources in places:
        for integration in resources.integrations.values():
            for name in list_secret_names(integration):
                users.setdefault(name, []).append(integration)
    return users


def record_access(owner: Owner | None, integration: Integration, now: float) -> None:
    """Store the time at which an integration has used its secrets, as `last_accessed_at` of each secret."""
    for name in list_secret_names(integration):
        if owner is not None and name in owner.resources.secrets:
            owner.resources.secrets[name].last_accessed_at = now
