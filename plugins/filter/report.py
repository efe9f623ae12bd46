# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the filters with which the role ``report`` writes its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.plugin_utils import _report


def report_csv(devices: Any, advisories: Any = None) -> str:
    """Return the devices as CSV with a header line."""
    return _report.format_csv(_report.build_rows(_report.check_devices(devices), advisories))


def report_json(devices: Any, about: Mapping[str, Any]) -> str:
    """Return a JSON object: the facts about the whole fleet, and a list with one flat object for each device."""
    return _report.format_json(about, _report.build_rows(_report.check_devices(devices), about.get("advisories")))


def report_data(devices: Any, about: Mapping[str, Any]) -> str:
    """Return the devices and the facts about the whole fleet as JSON. The JSON can be embedded in HTML."""
    return _report.format_page_data(about, _report.build_rows(_report.check_devices(devices), about.get("advisories")))


def report_digest(devices: Any, about: Mapping[str, Any]) -> str:
    """Return a hash of the devices and the facts about the whole fleet that stays the same while only times change."""
    return _report.compute_digest(about, _report.build_rows(_report.check_devices(devices), about.get("advisories")))


class FilterModule:
    """The class in which Ansible looks up the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter functions, keyed by filter name."""
        return {
            "report_csv": report_csv,
            "report_data": report_data,
            "report_digest": report_digest,
            "report_json": report_json,
            "source_hash": _report.hash_source,
        }
