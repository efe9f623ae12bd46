# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extract lists from the responses of the cloud. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import join_words

if TYPE_CHECKING:  # code that sends no requests imports this file, and must not import the HTTP client
    from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


@dataclass(frozen=True)
class RowForm:
    """The form of the rows of a list.

    :param keys: the possible keys of the list in a response. Sources of the facts use different keys.
    :param identity: the possible places of the value that identifies a row; ``scope.value`` is a key inside ``scope``.
    :param is_numbered: whether a number identifies a row, too.
    :param is_device: whether ``id`` is a device id, which is read in lower case.
    :param text_lists: keys whose value, if a row has one, must be a list of texts.
    """

    keys: tuple[str, ...] = ()
    identity: tuple[str, ...] = ("id",)
    is_numbered: bool = False
    is_device: bool = False
    text_lists: tuple[str, ...] = ()

    def read_identity(self, row: Mapping[str, Any]) -> str | None:
        """Return the value that identifies a row, or ``None`` if the row has no usable value."""
        for path in self.identity:
            value: Any = row
            for name in path.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            if self.is_numbered and isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            if isinstance(value, str) and value.strip():
                return value
        return None


DEVICE_ROWS = RowForm(("devices",), is_device=True)
"""The form of lists of devices (endpoints.yml: devices_list, product_devices_list, mesh_devices)."""


def extract_rows(data: Any, form: RowForm, request: Request) -> list[dict[str, Any]]:
    """Return the rows of a response. The response is a list of rows, or a mapping that contains a list of rows.

    A row without a usable identity is an error. If such rows were left out, a device of the cloud would seem to be
    missing, and the run would try to add it.

    :raises ParticleError: ``bad_response`` when the response contains no list, or when an item of the list is not a
        mapping, has no usable identity, or has another value than a list of texts for one of ``text_lists``.
    """
    found: Any = data
    if isinstance(data, dict):
        found = next((data[key] for key in form.keys if key in data), None)
    if not isinstance(found, list):
        raise _build_row_error("the response contains no list", request)
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise _build_row_error(f"item {number} of the list is not an object", request)
        if form.read_identity(row) is None:
            name = join_words(form.identity)
            raise _build_row_error(f"item {number} of the list has no usable {name}", request)
        if (unreadable := next((key for key in form.text_lists if not _is_text_list(row.get(key))), None)) is not None:
            raise _build_row_error(f"{unreadable} of item {number} of the list is not a list of texts", request)
        # If an id in upper case did not match the declared one, the device would seem to be missing.
        if form.is_device and DEVICE_ID.match(device := row["id"].strip().lower()):
            row["id"] = device
    return found


def _build_row_error(cause: str, request: Request) -> ParticleError:
    return ParticleError("bad_response", f"Could not {request.action}: {cause}.", status=200, route=request.route)


def _is_text_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def list_texts(value: Any) -> list[str]:
    """Return the items of a list as strings; return an empty list if ``value`` is not a list."""
    return [str(item) for item in value] if isinstance(value, list) else []
