# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ``report`` is written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.plugin_utils import _report


def report_csv(devices: Any, advisories: Any = None) -> str:
    """A line of CSV for each device."""
    return _report.csv_of(_report.rows_of(_report.facts_in(devices), advisories))


def report_json(devices: Any, about: Mapping[str, Any]) -> str:
    """A flat JSON object for each device, and what is said about all of them."""
    return _report.json_of(about, _report.rows_of(_report.facts_in(devices), about.get("advisories")))


def report_data(devices: Any, about: Mapping[str, Any]) -> str:
    """The same for the inside of a page."""
    return _report.page_data_of(about, _report.rows_of(_report.facts_in(devices), about.get("advisories")))


class FilterModule:
    """The filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "report_csv": report_csv,
            "report_data": report_data,
            "report_json": report_json,
            "source_hash": _report.source_hash,
        }
