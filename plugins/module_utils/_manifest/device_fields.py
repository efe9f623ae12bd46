# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device fields that one PUT sets, one row each. Private to this collection.

A row of ``DEVICE_FIELDS`` is all that a field needs: its check in a manifest, its CSV cell, its observation, its part
of the PUT body, its export and its option of module ``device`` follow from the row. Only the option texts are written
by hand. (endpoints.yml: device_update; errors-and-limits.md, section 7)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import PartReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

Value: TypeAlias = "str | bool | int"
"""A value of a field as a manifest declares it."""

UNLOCKED = "unlocked"
"""Declares that a device follows the releases of its product instead of being locked to a firmware version."""

_FLAG_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ValueKind(ABC):
    """Check one kind of value and convert it between a manifest, a table, an option and the cloud."""

    option: ClassVar[Mapping[str, Any]] = {"type": "str"}
    """The argument spec of an option for such a value."""

    @abstractmethod
    def check(self, reader: PartReader, value: Any, place: Place) -> Value:
        """Return the declared ``value``, and report a mistake to ``reader`` if it is invalid."""

    def from_cell(self, cell: str) -> Any:
        """Convert a CSV cell that is not empty. An invalid cell stays text, which ``check`` refuses."""
        return cell

    def from_option(self, option: Any) -> Any:
        """Convert the value of an option of module ``device``. An invalid one is returned for ``check`` to refuse."""
        return option

    @abstractmethod
    def from_cloud(self, shown: object) -> Value | None:
        """Convert what the cloud shows; ``None`` means that the device has no value."""

    def to_cloud(self, value: Value) -> Value | None:
        """Convert a declared value into the one that a PUT sends."""
        return value

    @abstractmethod
    def is_exported(self, value: Value | None) -> bool:
        """Return whether an export declares ``value``, as opposed to the one that every new device has."""


@dataclass(frozen=True)
class Text(ValueKind):
    """A text.

    :param may_be_blank: whether a text of nothing but spaces is valid.
    """

    may_be_blank: bool = True

    def check(self, reader: PartReader, value: Any, place: Place) -> Value:
        text = reader.text(value, place)
        if isinstance(value, str) and self._is_missing(text):
            reader.wrong(place, "is empty")
        return text

    def from_cloud(self, shown: object) -> Value | None:
        return None if shown is None else str(shown)

    def is_exported(self, value: Value | None) -> bool:
        return bool(value) and not self._is_missing(str(value))

    def _is_missing(self, text: str) -> bool:
        return not self.may_be_blank and not text.strip()


class Flag(ValueKind):
    """True or false."""

    option: ClassVar[Mapping[str, Any]] = {"type": "bool"}

    def check(self, reader: PartReader, value: Any, place: Place) -> Value:
        return reader.truth(value, place)

    def from_cell(self, cell: str) -> Any:
        return _FLAG_WORDS.get(cell.lower(), cell)

    def from_cloud(self, shown: object) -> Value | None:
        return shown is True

    def is_exported(self, value: Value | None) -> bool:
        return value is True


class FirmwareLock(ValueKind):
    """The number of a firmware version, or :data:`UNLOCKED`, for which the cloud has null."""

    def check(self, reader: PartReader, value: Any, place: Place) -> Value:
        if value != UNLOCKED and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            reader.wrong(place, f"must be the number of a version, or {UNLOCKED}, not {value!r}")
        return value if isinstance(value, int) else UNLOCKED

    def from_cell(self, cell: str) -> Any:
        return int(cell) if cell.isascii() and cell.isdigit() else cell

    def from_option(self, option: Any) -> Any:
        # The option is a text, because it may hold a word; Ansible makes a text of a number.
        return int(option) if option.isdecimal() else option

    def from_cloud(self, shown: object) -> Value | None:
        return shown if isinstance(shown, int) and not isinstance(shown, bool) else UNLOCKED

    def to_cloud(self, value: Value) -> Value | None:
        return None if value == UNLOCKED else value

    def is_exported(self, value: Value | None) -> bool:
        return value != UNLOCKED


TEXT, FILLED_TEXT, FLAG, FIRMWARE_LOCK = Text(), Text(may_be_blank=False), Flag(), FirmwareLock()


@dataclass(frozen=True)
class DeviceField:
    """A device field that one PUT sets.

    :param name: the key in a manifest, the column of a table and the option of module ``device``.
    :param cloud_name: the key in what the cloud shows and in the body of the PUT.
    :param kind: how a value is checked and converted.
    :param product_only: whether only devices of a product have the field.
    """

    name: str
    cloud_name: str
    kind: ValueKind
    product_only: bool = False


DEVICE_FIELDS: tuple[DeviceField, ...] = (
    DeviceField("name", "name", FILLED_TEXT),
    DeviceField("notes", "notes", TEXT),
    DeviceField("development", "development", FLAG, product_only=True),
    DeviceField("firmware_version", "desired_firmware_version", FIRMWARE_LOCK, product_only=True),
)


def list_fields(*, product_only: bool | None = None) -> tuple[DeviceField, ...]:
    """Return all fields, or those that only devices of a product have, or the others."""
    return tuple(field for field in DEVICE_FIELDS if product_only in (None, field.product_only))


def check_fields(reader: PartReader, device: Mapping[str, Any], place: Place) -> dict[str, Value]:
    """Return the fields that ``device`` declares at ``place`` of a manifest, and report mistakes to ``reader``."""
    return {
        field.name: field.kind.check(reader, device[field.name], (*place, field.name))
        for field in DEVICE_FIELDS
        if field.name in device
    }


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that ``options`` of module ``device`` declare, as a manifest declares them."""
    return {
        field.name: field.kind.from_option(options[field.name])
        for field in DEVICE_FIELDS
        if options.get(field.name) is not None
    }


def observe_fields(row: Mapping[str, object]) -> dict[str, Value | None]:
    """Return the fields that a row of the cloud shows, in the words of a manifest."""
    return {
        field.name: field.kind.from_cloud(row[field.cloud_name]) for field in DEVICE_FIELDS if field.cloud_name in row
    }


def is_different(declared: Value, observed: Value | None) -> bool:
    """Return whether a field must be written. The cloud does not tell an empty text from none."""
    return declared != ("" if observed is None else observed)


def build_put_body(values: Mapping[str, Value]) -> dict[str, Value | None]:
    """Return the body of the PUT that sets ``values``, which are by the name of their field."""
    fields = {field.name: field for field in DEVICE_FIELDS}
    return {fields[name].cloud_name: fields[name].kind.to_cloud(value) for name, value in values.items()}


def export_fields(facts: Mapping[str, object], *, product_only: bool) -> dict[str, Value | None]:
    """Return the fields that a manifest declares for a device with ``facts``.

    :param product_only: whether to return the fields that only devices of a product have, or the others.
    """
    shown = {
        field: field.kind.from_cloud(facts.get(field.cloud_name)) for field in list_fields(product_only=product_only)
    }
    return {field.name: value for field, value in shown.items() if field.kind.is_exported(value)}


def build_option_specs() -> dict[str, Mapping[str, Any]]:
    """Return the argument spec of module ``device`` for all fields."""
    return {field.name: field.kind.option for field in DEVICE_FIELDS}
