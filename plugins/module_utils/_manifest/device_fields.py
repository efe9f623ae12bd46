# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the fields of a device, with one row for each field. Private to this collection.

To add a field, add a row to ``DEVICE_FIELDS``. The row defines how the field is checked in a manifest, converted from a
CSV cell, compared with the cloud, sent in the body of the PUT request and exported. The row also defines the option of
module ``device``. Only the documentation of the option is written by hand. (endpoints.yml: device_update;
errors-and-limits.md, section 7)
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeGuard

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import (
    ValueReader,
    find_control_character,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    MAX_FIRMWARE_VERSION,
    MIN_FIRMWARE_VERSION,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import (
    find_name_fault,
    normalize_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place


@dataclass(frozen=True)
class Replacement:
    """The declaration of ``replaces``.

    :param device: the id, a label or the name of the device whose place is taken.
    :param environment: whether the environment variables of that device are kept, too.
    :param found_by_name: whether a plan has found the device by its name, and has replaced the name in ``device`` by
        the id of the device.
    """

    device: str
    environment: bool = False
    found_by_name: bool = False


Value: TypeAlias = "str | bool | int | Replacement"
"""A field value in the form in which a manifest declares the field."""

UNLOCKED = "unlocked"
"""The value of ``firmware_lock`` for a device that follows the firmware releases of its product, instead of being
locked to a version."""

APPROVED, DENIED, QUARANTINED = "approved", "denied", "quarantined"
"""Whether a product accepts a device. A quarantined device waits for approval, so no manifest declares this value."""

_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+(?:[.,][0-9]+(?:[eE]\+?[0-9]+)?|[eE]\+?[0-9]+)", re.ASCII)

_FLAG_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class ValueKind(ABC):
    """A kind of field value. Its methods check declared values.

    A value is declared in a manifest, a CSV cell, or an option of module ``device``.
    """

    option: ClassVar[Mapping[str, Any]] = {"type": "str"}
    """The argument spec of a module option with this kind of value."""

    @abstractmethod
    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared ``value``. If ``value`` is not valid, report a mistake to ``reader``."""

    def from_cell(self, cell: str) -> Any:
        """Convert a CSV cell that is not empty.

        If the cell is not valid, return the cell unchanged. ``check`` then reports the mistake.
        """
        return cell


class StoredKind(ValueKind):
    """A kind of value that a PUT request sets. Its methods also convert declared values from and to the cloud."""

    @property
    def default(self) -> Value | None:
        """The declared value that every new device has; ``None`` if a manifest cannot declare this value."""
        return None

    @abstractmethod
    def from_cloud(self, shown: object) -> Value | None:
        """Convert a value that the cloud shows. Return ``None`` if the device has no value."""

    def to_cloud(self, value: Value) -> Value | None:
        """Convert a declared value into the value that a PUT request sends."""
        return value

    @abstractmethod
    def is_exported(self, value: Value | None) -> bool:
        """Return whether an export writes ``value``. An export leaves out the value that every new device has."""


@dataclass(frozen=True)
class Text(StoredKind):
    """A string value.

    :param may_be_blank: whether an empty string, or a string of spaces only, is valid.
    :param is_one_line: whether line breaks and other control characters are not valid.
    """

    may_be_blank: bool = True
    is_one_line: bool = False

    @property
    def default(self) -> Value | None:
        """The empty string, unless the string must not be blank."""
        return "" if self.may_be_blank else None

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared string, and report a mistake if the value is not valid.

        The value must be a string. If ``may_be_blank`` is false, the string must not be blank. If ``is_one_line`` is
        true, the string must not contain a control character or have another fault of :func:`find_name_fault`.
        """
        text = reader.read_line(value, place) if self.is_one_line else reader.read_text(value, place)
        if isinstance(value, str) and self._is_missing(text):
            reader.add_mistake(place, "is empty")
        elif self.is_one_line and (fault := find_name_fault(text)):
            reader.add_mistake(place, fault)
        return text

    def from_cloud(self, shown: object) -> Value | None:
        """Return the string that the cloud shows, or ``None`` if the device has no value."""
        return None if shown is None else str(shown)

    def is_exported(self, value: Value | None) -> bool:
        """Return whether ``value`` is a string that is not empty and that a manifest can declare."""
        text = str(value or "")
        has_fault = self.is_one_line and bool(find_control_character(text) or find_name_fault(text))
        return bool(text) and not self._is_missing(text) and not has_fault

    def _is_missing(self, text: str) -> bool:
        return not self.may_be_blank and not text.strip()


class Flag(StoredKind):
    """A boolean value."""

    option: ClassVar[Mapping[str, Any]] = {"type": "bool"}

    @property
    def default(self) -> Value | None:
        """False, which every new device has."""
        return False

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared boolean. Report a mistake if the value is not a boolean."""
        return reader.read_boolean(value, place)

    def from_cell(self, cell: str) -> Any:
        """Convert a word such as ``yes`` or ``FALSE`` into a boolean; return any other string unchanged."""
        return _FLAG_WORDS.get(cell.lower(), cell)

    def from_cloud(self, shown: object) -> Value | None:
        """Return whether the value in the cloud is true. A missing value counts as false."""
        return shown is True

    def is_exported(self, value: Value | None) -> bool:
        """Return whether ``value`` is true. False is not exported, because every new device has the value false."""
        return value is True


class FirmwareLock(StoredKind):
    """A firmware version number, or :data:`UNLOCKED`. The cloud represents :data:`UNLOCKED` as null."""

    @property
    def default(self) -> Value | None:
        """The lock of a new device, which is unlocked."""
        return UNLOCKED

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared version, even if it is a string of digits.

        Report a mistake if the value is neither a version number nor :data:`UNLOCKED`.
        """
        # Cells of tables, options of module device and many results of templates are strings.
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value.strip()) else value
        if number == UNLOCKED:
            return UNLOCKED
        if not _is_version(number):
            bounds = f"{MIN_FIRMWARE_VERSION} to {MAX_FIRMWARE_VERSION}"
            phrase = f"must be a version number from {bounds} or {UNLOCKED}, got {value!r}"
            is_decimal = isinstance(value, float) or (isinstance(value, str) and _DECIMAL.fullmatch(value.strip()))
            advice = (
                "; write it without a decimal point or exponent, or add the filter '| int' if it comes from a template"
            )
            reader.add_mistake(place, phrase + advice if is_decimal else phrase)
            return UNLOCKED
        return number

    def from_cloud(self, shown: object) -> Value | None:
        """Return the version number that the cloud shows, or :data:`UNLOCKED` for any other value."""
        if isinstance(shown, str) and _DIGITS.fullmatch(shown):
            return int(shown)
        return shown if isinstance(shown, int) and not isinstance(shown, bool) else UNLOCKED

    def to_cloud(self, value: Value) -> Value | None:
        """Return the version number, or ``None`` for :data:`UNLOCKED`."""
        return None if value == UNLOCKED else value

    def is_exported(self, value: Value | None) -> bool:
        """Return whether ``value`` locks the device to a firmware version that a manifest can declare."""
        return _is_version(value)


def _is_version(value: object) -> TypeGuard[int]:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return MIN_FIRMWARE_VERSION <= value <= MAX_FIRMWARE_VERSION


class Approval(ValueKind):
    """Whether a product accepts a device: :data:`APPROVED` or :data:`DENIED`."""

    option: ClassVar[Mapping[str, Any]] = {"type": "str", "choices": [APPROVED, DENIED]}

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return the declared word. Report a mistake if ``value`` is neither :data:`APPROVED` nor :data:`DENIED`."""
        return reader.read_choice(value, place, (APPROVED, DENIED))


class ReplacedDevice(ValueKind):
    """The device whose place a device takes: its id, label or name, or a mapping that contains it as ``device``."""

    option: ClassVar[Mapping[str, Any]] = {"type": "raw"}

    def check(self, reader: ValueReader, value: Any, place: Place) -> Value:
        """Return a :class:`Replacement`. Report a mistake if ``value`` names no device."""
        environment = False
        if isinstance(value, Mapping):
            declared = reader.read_mapping(value, place, ("device", "environment"))
            if "device" not in declared:
                reader.add_mistake(place, "has no device; declare the id, a label or the name of the replaced device")
                return Replacement("")
            if "environment" in declared:
                environment = reader.read_boolean(declared["environment"], (*place, "environment"))
            value, place = declared["device"], (*place, "device")
        text = reader.read_line(value, place).strip()
        if isinstance(value, str) and not text:
            reader.add_mistake(place, "is empty; declare the id, a label or the name of the replaced device")
        return Replacement(text, environment)


TEXT, NAME = Text(), Text(may_be_blank=False, is_one_line=True)
FLAG, FIRMWARE_LOCK, APPROVAL, REPLACED_DEVICE = Flag(), FirmwareLock(), Approval(), ReplacedDevice()


@dataclass(frozen=True)
class DeviceField:
    """A field of a device.

    :param name: the key in a manifest, the column of a table and the option of module ``device``.
    :param cloud_name: the key in the rows of the cloud's lists and in the body of the PUT request; empty if the cloud
        does not have the field.
    :param kind: the kind of the field's values.
    :param product_only: whether only devices of a product have the field.
    :param former_name: a deprecated name of the field, which is still valid in a manifest and for module ``device``.
    """

    name: str
    cloud_name: str
    kind: ValueKind
    product_only: bool = False
    former_name: str | None = None

    def find_name(self, device: Mapping[str, Any]) -> str | None:
        """Return the name by which a mapping contains the field: ``name``, ``former_name``, or ``None``."""
        return next((name for name in (self.name, self.former_name) if name in device), None)


@dataclass(frozen=True)
class StoredField(DeviceField):
    """A field that a PUT request sets. The plan of a device has a write of its own for each other field."""

    kind: StoredKind


DEVICE_FIELDS: tuple[DeviceField, ...] = (
    StoredField("name", "name", NAME),
    StoredField("notes", "notes", TEXT),
    StoredField("development", "development", FLAG, product_only=True),
    StoredField(
        "firmware_lock",
        "desired_firmware_version",
        FIRMWARE_LOCK,
        product_only=True,
        former_name="firmware_version",  # the name of the version that a device runs, which is not the lock
    ),
    DeviceField("approval", "denied", APPROVAL, product_only=True),
    DeviceField("replaces", "", REPLACED_DEVICE, product_only=True),
)


def list_fields(*, product_only: bool | None = None) -> tuple[DeviceField, ...]:
    """Return device fields.

    :param product_only: ``True`` for the fields that only devices of a product have, ``False`` for the other fields,
        ``None`` for all fields.
    """
    return tuple(field for field in DEVICE_FIELDS if product_only in (None, field.product_only))


def list_put_fields() -> tuple[StoredField, ...]:
    """Return the device fields that a PUT request sets."""
    return tuple(field for field in DEVICE_FIELDS if isinstance(field, StoredField))


def list_former_names() -> dict[str, str]:
    """Return the current name of each field that has a deprecated name, keyed by the deprecated name."""
    return {field.former_name: field.name for field in DEVICE_FIELDS if field.former_name is not None}


def check_fields(reader: ValueReader, device: Mapping[str, Any], place: Place) -> dict[str, Value]:
    """Check and return the fields that a device declares. Report mistakes to ``reader``.

    :param device: the device in the parsed manifest.
    :param place: the path of the device in the manifest.
    """
    checked = {}
    for field in DEVICE_FIELDS:
        if (name := field.find_name(device)) is None:
            continue
        checked[field.name] = field.kind.check(reader, device[name], (*place, name))
        if name == field.name and field.former_name in device:
            reader.add_mistake(
                (*place, str(field.former_name)), f"is the deprecated name of {name}; declare only {name}"
            )
    return checked


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device fields in the options of module ``device``, with the values that a manifest would contain."""
    return {
        name: options[name]
        for field in DEVICE_FIELDS
        for name in (field.name, field.former_name)
        if name is not None and options.get(name) is not None
    }


def observe_fields(row: Mapping[str, object]) -> dict[str, Value | None]:
    """Return the fields that a PUT request sets, as a row of the cloud's lists shows them.

    The result has the names and values that a manifest would contain.
    """
    return {
        field.name: field.kind.from_cloud(row[field.cloud_name])
        for field in list_put_fields()
        if field.cloud_name in row
    }


def observe_approval(row: Mapping[str, object]) -> str:
    """Return :data:`APPROVED`, :data:`DENIED` or :data:`QUARANTINED` for a row of a product's device list.

    A cloud without quarantine does not show the flags ``quarantined`` and ``denied`` (endpoints.yml:
    device_deny_quarantined).
    """
    if row.get("denied") is True:
        return DENIED
    return QUARANTINED if row.get("quarantined") is True else APPROVED


def is_different(declared: Value, observed: Value | None) -> bool:
    """Return whether a field must be written, because the observed value differs from the declared value."""
    # The cloud does not distinguish an empty string from a missing value.
    shown = "" if observed is None else observed
    if isinstance(declared, str) and isinstance(shown, str):
        return normalize_text(declared) != normalize_text(shown)
    return declared != shown


def build_put_body(values: Mapping[str, Value]) -> dict[str, Value | None]:
    """Return the body of the PUT request that sets ``values``.

    :param values: declared values, keyed by field name.
    """
    fields = {field.name: field for field in list_put_fields()}
    return {fields[name].cloud_name: fields[name].kind.to_cloud(value) for name, value in values.items()}


def export_fields(facts: Mapping[str, object], *, product_only: bool, exact: bool = False) -> dict[str, Value | None]:
    """Return the fields that an export writes for a device.

    :param facts: the facts of the device.
    :param product_only: ``True`` for the fields that only devices of a product have, ``False`` for the other fields.
    :param exact: whether to export default values, too.
    """
    fields = [field for field in list_put_fields() if field.product_only is product_only]
    shown = {field: field.kind.from_cloud(facts.get(field.cloud_name)) for field in fields}
    exported = {field.name: value for field, value in shown.items() if field.kind.is_exported(value)}
    defaults = {
        field.name: field.kind.default
        for field, value in shown.items()
        if exact and field.kind.default is not None and value in (None, field.kind.default)
    }
    return {field.name: {**exported, **defaults}[field.name] for field in fields if field.name in exported | defaults}


def build_option_specs() -> dict[str, Mapping[str, Any]]:
    """Return the argument spec of module ``device`` for all device fields."""
    return {
        name: field.kind.option
        for field in DEVICE_FIELDS
        for name in (field.name, field.former_name)
        if name is not None
    }
