# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ``report`` is written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.plugin_utils import _report


def _rows(devices: Any) -> list[_report.Row]:
    if isinstance(devices, (str, Mapping)) or not isinstance(devices, Iterable):
        raise AnsibleFilterError("The report takes a list of devices, such as device_info returns.")
    found = list(devices)
    if not all(isinstance(device, Mapping) for device in found):
        raise AnsibleFilterError("The report takes a list of devices, and one of them is no dictionary.")
    return _report.rows_of(found)


def report_csv(devices: Any) -> str:
    """A line of CSV for each device."""
    return _report.csv_of(_rows(devices))


def report_json(devices: Any, about: Mapping[str, Any]) -> str:
    """A flat JSON object for each device, and what is said about all of them."""
    return _report.json_of(about, _rows(devices))


def report_data(devices: Any, about: Mapping[str, Any]) -> str:
    """The same for the inside of a page."""
    return _report.page_data_of(about, _rows(devices))


class FilterModule:
    """The filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "report_csv": report_csv,
            "report_data": report_data,
            "report_json": report_json,
            "source_hash": _report.source_hash,
        }
