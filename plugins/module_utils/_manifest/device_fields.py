# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the device fields that one PUT sets, one row each. Private to this collection.

To add a field, add a row to ``DEVICE_FIELDS``. Its check in a manifest, its CSV cell, its observation, its part of the
PUT body, its export and its option of module ``device`` follow from the row; only the option text is written by hand.
(endpoints.yml: device_update; errors-and-limits.md, section 7)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

Value: TypeAlias = "str | bool | int"
"""A value of a field as a manifest declares it."""

UNLOCKED = "unlocked"
"""Declares that a device follows the releases of its product instead of being locked to a firmware version."""

_FLAG_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ValueKind(ABC):
    """A kind of value, which is checked and converted between a manifest, a table, an option and the cloud."""

    option: ClassVar[Mapping[str, Any]] = {"type": "str"}
    """The argument spec of an option for such a value."""

    @abstractmethod
    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared ``value``, and report a mistake to ``reader`` if it is not valid."""

    def from_cell(self, cell: str) -> Any:
        """Convert a CSV cell that is not empty. If it is not valid, return the text, which ``check`` then refuses."""
        return cell

    def from_option(self, option: Any) -> Any:
        """Convert an option value of module ``device``. If it is not valid, return it, and ``check`` refuses it."""
        return option

    @abstractmethod
    def from_cloud(self, shown: object) -> Value | None:
        """Convert a value that the cloud shows; ``None`` means that the device has no value."""

    def to_cloud(self, value: Value) -> Value | None:
        """Convert a declared value into the value that a PUT sends."""
        return value

    @abstractmethod
    def is_exported(self, value: Value | None) -> bool:
        """Return whether an export declares ``value``. It leaves out the value that every new device has."""


@dataclass(frozen=True)
class Text(ValueKind):
    """A text.

    :param may_be_blank: whether an empty text, or one that holds only spaces, is valid.
    """

    may_be_blank: bool = True

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared text, and report a mistake if it is not a text or must not be blank."""
        text = reader.read_text(value, place)
        if isinstance(value, str) and self._is_missing(text):
            reader.add_mistake(place, "is empty")
        return text

    def from_cloud(self, shown: object) -> Value | None:
        """Return the text that the cloud shows, or ``None`` if there is none."""
        return None if shown is None else str(shown)

    def is_exported(self, value: Value | None) -> bool:
        """Return whether the device has a text that a manifest can declare."""
        return bool(value) and not self._is_missing(str(value))

    def _is_missing(self, text: str) -> bool:
        return not self.may_be_blank and not text.strip()


class Flag(ValueKind):
    """A boolean value."""

    option: ClassVar[Mapping[str, Any]] = {"type": "bool"}

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared boolean, and report a mistake if it is not a boolean."""
        return reader.read_boolean(value, place)

    def from_cell(self, cell: str) -> Any:
        """Convert words such as ``yes`` and ``false`` in any case; return any other text unchanged."""
        return _FLAG_WORDS.get(cell.lower(), cell)

    def from_cloud(self, shown: object) -> Value | None:
        """Return whether the cloud shows true; a missing value counts as false."""
        return shown is True

    def is_exported(self, value: Value | None) -> bool:
        """Return whether the value is true, because every new device has false."""
        return value is True


class FirmwareLock(ValueKind):
    """A firmware version number, or :data:`UNLOCKED`, which is null in the cloud."""

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared version, and report a mistake if it is not a version number or :data:`UNLOCKED`."""
        if value != UNLOCKED and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            reader.add_mistake(place, f"must be a version number or {UNLOCKED}, got {value!r}")
        return value if isinstance(value, int) else UNLOCKED

    def from_cell(self, cell: str) -> Any:
        """Convert digits into a number; return any other text unchanged."""
        return int(cell) if cell.isascii() and cell.isdigit() else cell

    def from_option(self, option: Any) -> Any:
        """Convert digits into a number; return any other text unchanged."""
        # The option has type str, because it may hold a word, so Ansible converts a number into a text.
        return int(option) if option.isdecimal() else option

    def from_cloud(self, shown: object) -> Value | None:
        """Return the version number that the cloud shows, or :data:`UNLOCKED` for any other value."""
        return shown if isinstance(shown, int) and not isinstance(shown, bool) else UNLOCKED

    def to_cloud(self, value: Value) -> Value | None:
        """Return the version number, or ``None`` for :data:`UNLOCKED`."""
        return None if value == UNLOCKED else value

    def is_exported(self, value: Value | None) -> bool:
        """Return whether the device is locked to a version."""
        return value != UNLOCKED


TEXT, FILLED_TEXT, FLAG, FIRMWARE_LOCK = Text(), Text(may_be_blank=False), Flag(), FirmwareLock()


@dataclass(frozen=True)
class DeviceField:
    """A device field that one PUT sets.

    :param name: the key in a manifest, the column of a table and the option of module ``device``.
    :param cloud_name: the key in the rows of the cloud and in the body of the PUT.
    :param kind: the kind of its values.
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
    """Return device fields.

    :param product_only: ``True`` for the fields that only devices of a product have, ``False`` for the other fields,
        ``None`` for all fields.
    """
    return tuple(field for field in DEVICE_FIELDS if product_only in (None, field.product_only))


def check_fields(reader: ValueReader, device: Mapping[str, Any], place: Place) -> dict[str, Value]:
    """Return the fields that ``device``, at ``place`` of a manifest, declares, and report mistakes to ``reader``."""
    return {
        field.name: field.kind.check(reader, device[field.name], (*place, field.name))
        for field in DEVICE_FIELDS
        if field.name in device
    }


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the options of module ``device`` declare, with values as in a manifest."""
    return {
        field.name: field.kind.from_option(options[field.name])
        for field in DEVICE_FIELDS
        if options.get(field.name) is not None
    }


def observe_fields(row: Mapping[str, object]) -> dict[str, Value | None]:
    """Return the fields that a row of the cloud shows, with names and values as in a manifest."""
    return {
        field.name: field.kind.from_cloud(row[field.cloud_name]) for field in DEVICE_FIELDS if field.cloud_name in row
    }


def is_different(declared: Value, observed: Value | None) -> bool:
    """Return whether the observed value of a field differs from the declared one, so that it must be written."""
    # The cloud does not distinguish an empty text from a missing value.
    return declared != ("" if observed is None else observed)


def build_put_body(values: Mapping[str, Value]) -> dict[str, Value | None]:
    """Return the body of the PUT that sets ``values``, a mapping from field names to declared values."""
    fields = {field.name: field for field in DEVICE_FIELDS}
    return {fields[name].cloud_name: fields[name].kind.to_cloud(value) for name, value in values.items()}


def export_fields(facts: Mapping[str, object], *, product_only: bool) -> dict[str, Value | None]:
    """Return the fields that an export declares for a device.

    :param facts: the facts of the device.
    :param product_only: whether to return the fields that only devices of a product have, or the other fields.
    """
    shown = {
        field: field.kind.from_cloud(facts.get(field.cloud_name)) for field in list_fields(product_only=product_only)
    }
    return {field.name: value for field, value in shown.items() if field.kind.is_exported(value)}


def build_option_specs() -> dict[str, Mapping[str, Any]]:
    """Return the argument spec of module ``device`` for all fields."""
    return {field.name: field.kind.option for field in DEVICE_FIELDS}
