# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store the record of a rollout: in a ledger of the cloud, or in a file. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import (
    PRODUCT,
    create_ledger,
    get_instance,
    list_ledgers,
    set_instance,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import lock_file

LEDGER = "rollouts"
DEFINITION: Mapping[str, str] = {
    "name": LEDGER,
    "scope": "Product",
    "direction": "Downstream",
    "description": "The firmware rollout of each product, written by the Ansible collection meshfleet.particle",
}
"""The definition of the ledger that contains the records of all products of an account or organization."""


class Memory(Protocol):
    """A place that stores the record of the rollout of a product, as JSON data."""

    @property
    def title(self) -> str:
        """Return the name of the place for messages."""

    def read(self) -> Mapping[str, Any] | None:
        """Return the stored data; ``None`` if there is none."""

    def write(self, data: Mapping[str, Any]) -> None:
        """Replace the stored data."""


class LedgerMemory:
    """The instance of the ledger :data:`LEDGER` for a product. The first write creates the ledger."""

    def __init__(self, target: Target) -> None:
        self._http = target.http
        self._product = target.required_product

    @property
    def title(self) -> str:
        """Return the name of the ledger instance."""
        return f"ledger {LEDGER} of product {self._product.slug}"

    def read(self) -> Mapping[str, Any] | None:
        """Return the data of the ledger instance; ``None`` if there is none, or if the cloud has no ledgers.

        :raises ParticleError: ``bad_response`` when the response contains no data. Without this error, a run would
            begin the rollout again, and take its locks for the locks of other people.
        """
        try:
            instance = get_instance(self._http, self._product.org, LEDGER, self._product.id, scope=PRODUCT)
        except ParticleError as error:
            if error.status != 404:
                raise
            return None
        data = instance.get("data")
        if not isinstance(data, dict):
            raise ParticleError("bad_response", f"Could not read {self.title}: the response contains no data.")
        return data or None

    def write(self, data: Mapping[str, Any]) -> None:
        """Replace the data of the ledger instance.

        :raises ParticleError: ``unsupported`` when the cloud has no ledgers; ``conflict`` when the ledger has another
            scope or direction.
        """
        try:
            self._write(data)
        except ParticleError as error:
            if error.status not in (400, 404):
                raise
            self._ensure_ledger()
            self._write(data)

    def _write(self, data: Mapping[str, Any]) -> None:
        set_instance(self._http, self._product.org, LEDGER, self._product.id, data, scope=PRODUCT)

    def _ensure_ledger(self) -> None:
        """Create the ledger, unless it exists. The ledgers are listed only if the cloud refuses to create it."""
        try:
            create_ledger(self._http, self._product.org, DEFINITION)
        except ParticleError as error:
            if error.status != 404 and not may_exist_already(error):
                raise
            found = self._find_ledger()
            if found is None:
                raise
            self._check_definition(found)

    @staticmethod
    def _check_definition(found: Mapping[str, Any]) -> None:
        differing = [
            f"{key} {found[key]} instead of {DEFINITION[key]}"
            for key in ("scope", "direction")
            if str(found.get(key, DEFINITION[key])).lower() != DEFINITION[key].lower()
        ]
        if differing:
            message = f"Ledger {LEDGER} already exists, but with {' and '.join(differing)}."
            hint = "Archive this ledger, or set state_file to keep records in a file."
            raise ParticleError("conflict", message, hint=hint)

    def _find_ledger(self) -> Mapping[str, Any] | None:
        try:
            rows = list_ledgers(self._http, self._product.org).rows
        except ParticleError as error:
            if error.status != 404:
                raise
            message = f"The record of a rollout needs a ledger, but this cloud has no ledgers (HTTP 404{error.quoted})."
            hint = "Set state_file to the path of a file for the record."
            raise ParticleError("unsupported", message, status=404, route=error.route, hint=hint) from None
        return next((row for row in rows if row.get("name") == LEDGER), None)


class FileMemory:
    """A private file that contains the records of products, keyed by cloud and product.

    :param cloud: the URL of the cloud, in a form that is equal for all spellings of the URL.
    """

    def __init__(self, path: Path, cloud: str, product: str) -> None:
        self._path = path
        self._key = f"{cloud} {product}"

    @property
    def title(self) -> str:
        """Return the path of the file."""
        return str(self._path)

    def read(self) -> Mapping[str, Any] | None:
        """Return the data in the file.

        :raises ParticleError: ``unsafe_file`` when the file cannot be used.
        """
        with lock_file(self._path) as file:
            data = file.data.get(self._key)
        return data if isinstance(data, dict) and data else None

    def write(self, data: Mapping[str, Any]) -> None:
        """Replace the data in the file.

        :raises ParticleError: ``unsafe_file`` when the file cannot be used.
        """
        with lock_file(self._path) as file:
            file.data[self._key] = dict(data)
            file.save()


def open_memory(target: Target, path: Path | None) -> Memory:
    """Return the memory for the rollouts of a product.

    :param path: the path of the file for the records; ``None`` to store them in the cloud.
    """
    if path is None:
        return LedgerMemory(target)
    return FileMemory(path, target.http.connection.cloud, target.required_product.id)
