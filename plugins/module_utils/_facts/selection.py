# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options that select devices: the sources of devices, and the filters. Private to this collection."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import PLATFORMS, parse_platform
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID, is_same_label
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names, suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import is_silent

_TEXT_LIST: Mapping[str, Any] = {"type": "list", "elements": "str"}

SOURCE_SPEC: Mapping[str, Mapping[str, Any]] = {
    "products": {**_TEXT_LIST, "aliases": ["product"]},
    "organization": {"type": "str"},
    "account_devices": {"type": "bool"},
}
"""The argument spec of the options that select the sources of devices. The fragment ``meshfleet.particle.selection``
documents these options."""

FILTER_SPEC: Mapping[str, Mapping[str, Any]] = {
    "filters": {
        "type": "dict",
        "options": {
            "ids": _TEXT_LIST,
            "name": {"type": "str"},
            "groups": _TEXT_LIST,
            "networks": _TEXT_LIST,
            "platforms": _TEXT_LIST,
            "online": {"type": "bool"},
            "silent_days": {"type": "int"},
            "quarantined": {"type": "bool"},
            "firmware_versions": {"type": "list", "elements": "int"},
            "serial_numbers": _TEXT_LIST,
            "iccids": _TEXT_LIST,
        },
    }
}
"""The argument spec of the option ``filters``. The fragment ``meshfleet.particle.selection.filters`` documents this
option."""

_MAX_QUERIES = 10
"""A filter is sent to the cloud only if the filter has at most this number of values, because each value needs a
separate request. Whether a device matches all filters is checked afterwards."""


@dataclass(frozen=True)
class Sources:
    """The sources from which devices are read: products, an organization, the account.

    :param products: the ids or slugs of products.
    :param organization: the organization from whose products devices are read; ``None`` for no organization.
    :param account: whether to read the devices of the account.
    """

    products: tuple[str, ...]
    organization: str | None
    account: bool

    @property
    def is_empty(self) -> bool:
        """Return whether no source in the Particle cloud is selected."""
        return not (self.products or self.organization or self.account)

    def describe(self) -> str:
        """Return the sources as a phrase for messages, such as ``product sensors and the account``."""
        words = [f"product {product}" for product in self.products]
        words += [f"organization {self.organization}"] if self.organization is not None else []
        words += ["the account"] if self.account else []
        return " and ".join(words)

    def refuse_several(self) -> None:
        """Refuse more than one source for a manifest. :raises ParticleError: ``invalid_option`` if there are more."""
        if len(self.products) + self.account > 1 or self.organization is not None:
            message = "as_manifest requires one product or the account's own devices."
            raise ParticleError("invalid_option", message, hint="Name one product; use one task for each product.")


def describe_absence(sources: str, filters: Filters) -> str:
    """Return a sentence for a result without devices, such as ``There are no devices in product sensors.``, and a
    sentence that says what to do.

    :param sources: the sources as a phrase.
    """
    if filters == Filters():
        return f"There are no devices in {sources}. Add devices with module fleet, or read another product or account."
    return f"There are no devices that match the filters in {sources}. Correct the filters, or read all devices."


def read_sources(options: Mapping[str, Any], *, has_other_source: bool = False) -> Sources:
    """Read and check the options that select the sources of devices.

    :param has_other_source: whether a mesh backend can list devices that the Particle cloud does not know. If true, the
        options need not select a source.
    :raises ParticleError: ``invalid_option`` when no source is selected, or when ``products`` has an empty entry.
    """
    products = tuple(dict.fromkeys(str(product).strip() for product in options.get("products") or ()))
    if not all(products):
        raise ParticleError(
            "invalid_option", "The option products contains an empty entry.", hint="Name each product by id or slug."
        )
    organization = options.get("organization") or None
    account = options.get("account_devices")
    sources = Sources(products, organization, not (products or organization) if account is None else account)
    if sources.is_empty and not has_other_source:
        message = "No devices are selected: account_devices is false, and products and organization are not set."
        raise ParticleError("invalid_option", message, hint="Set products or organization.")
    return sources


@dataclass(frozen=True)
class Filters:
    """The filters that a device must match. A filter that is ``None`` matches every device."""

    ids: frozenset[str] | None = None
    name: str | None = None
    groups: frozenset[str] | None = None
    networks: frozenset[str] | None = None
    platforms: frozenset[str] | None = None
    online: bool | None = None
    silent_days: int | None = None
    quarantined: bool | None = None
    firmware_versions: frozenset[int] | None = None
    serial_numbers: frozenset[str] | None = None
    iccids: frozenset[str] | None = None
    _like: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    def build_queries(self) -> list[dict[str, str]]:
        """Return query parameters for the device list of a product: one mapping for each request to send.

        The responses together contain every device that matches the filters. The responses can also contain further
        devices. For example, the cloud also matches parts of a device id. No query selects a network: the parameters of
        the list do not find the members of every mesh backend. No query leaves out quarantined devices: without its
        row from the product, a device that the account has claimed would not count as quarantined.
        """
        common = {}
        literals = re.split(r"\*|\?|\[!?]?[^]]*]", self.name or "")
        if literal := max(literals, key=len):
            common["deviceName"] = literal
        for key, values in (("deviceId", self.ids), ("serialNumber", self.serial_numbers), ("groups", self.groups)):
            if values is not None and len(values) <= _MAX_QUERIES:
                return [{**common, key: value} for value in sorted(values)]
        return [common]

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Return whether the facts of a device match all filters.

        :param facts: the facts. The filter for silent devices needs the key ``last_heard_age``.
        """
        mesh = facts.get("mesh") or {}
        return (
            _is_among(facts.get("id"), self.ids)
            and (self._like is None or self._like.match(str(facts.get("name") or "")) is not None)
            and (self.groups is None or not self.groups.isdisjoint(list_texts(facts.get("groups"))))
            and _is_among(mesh.get("network"), self.networks)
            and _is_among(facts.get("platform"), self.platforms)
            and self.online in (None, facts.get("online"))
            and (self.silent_days is None or is_silent(facts, self.silent_days))
            and self.quarantined in (None, bool(facts.get("quarantined")))
            and _is_among(facts.get("firmware_version"), self.firmware_versions)
            and _is_among(str(facts.get("serial_number") or "").upper(), self.serial_numbers)
            and (self.iccids is None or any(is_same_label("iccid", str(facts.get("iccid")), i) for i in self.iccids))
        )


def _is_among(value: Any, wanted: frozenset[Any] | None) -> bool:
    return wanted is None or (isinstance(value, (str, int)) and value in wanted)


def read_filters(options: Mapping[str, Any]) -> Filters:
    """Read and check the option ``filters``.

    :raises ParticleError: ``invalid_option`` when a filter is not valid; the message lists all mistakes.
    """
    given: Mapping[str, Any] = options.get("filters") or {}
    mistakes: list[str] = []
    for name, value in given.items():
        if value in ("", []):
            mistakes.append(f"{name} is empty")
        elif isinstance(value, list) and any(not str(item).strip() for item in value):
            mistakes.append(f"{name} has an empty entry")
    if (mistake := find_mistake_in_days("silent_days", given.get("silent_days"))) is not None:
        mistakes.append(mistake)
    wrong = [value for value in given.get("ids") or () if value.strip() and not DEVICE_ID.match(value.strip().lower())]
    if wrong:
        mistakes.append(f"{list_names(wrong)}: not a valid device id (24 hexadecimal digits)")
    platforms = {str(value): parse_platform(str(value)) for value in given.get("platforms") or ()}
    unknown = [value for value, platform in platforms.items() if platform is None]
    if unknown:
        known = sorted(PLATFORMS.values())
        near = "".join(suggest_similar(value, known) for value in unknown)
        mistakes.append(f"{', '.join(unknown)} is not a platform{near}; use a number, or one of {', '.join(known)}")
    if mistakes:
        message = f"filters is not valid: {'; '.join(mistakes)}."
        raise ParticleError("invalid_option", message, hint="Correct filters, or leave these filters out.")
    pattern = given.get("name")
    return Filters(
        ids=_to_lower_set(given.get("ids")),
        name=pattern,
        groups=_to_set(given.get("groups")),
        networks=_to_set(given.get("networks")),
        platforms=None if given.get("platforms") is None else frozenset(map(str, platforms.values())),
        online=given.get("online"),
        silent_days=given.get("silent_days"),
        quarantined=given.get("quarantined"),
        firmware_versions=_to_set(given.get("firmware_versions")),
        serial_numbers=_to_upper_set(given.get("serial_numbers")),
        iccids=_to_set(given.get("iccids")),
        _like=None if pattern is None else re.compile(fnmatch.translate(pattern)),
    )


def find_mistake_in_days(name: str, days: int | None) -> str | None:
    """Return a message if an option is not a number of days; ``None`` if it is one, or is not set."""
    return None if days is None or days >= 1 else f"{name} must be 1 or more, got {days}"


def _to_set(values: Sequence[Any] | None) -> frozenset[Any] | None:
    stripped = (value.strip() if isinstance(value, str) else value for value in values or ())
    return None if values is None else frozenset(stripped)


def _to_lower_set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(value.strip().lower() for value in values)


def _to_upper_set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(value.strip().upper() for value in values)
