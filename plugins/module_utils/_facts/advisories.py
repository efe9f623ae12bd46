# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the advisories of manufacturers and carriers, and find the affected devices. Private to this collection.

Each condition of an advisory concerns one fact of a device, such as its platform, its SIM card or its version of Device
OS. If the result for a device depends on an unknown fact, the device is listed under ``cannot_tell``. This module sends
no requests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import parse_platform
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.device_os import parse_range, parse_version
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_identity

Facts = Mapping[str, Any]

_MAX_MISTAKES = 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")
# Reports show the URL as a link. Only http and https are accepted, because a browser executes javascript: URLs.
_URL = re.compile(r"https?://[^\s<>\"'`\\]+\Z")
_SERIAL_NUMBER = re.compile(r"[A-Z0-9-]{1,40}\Z")
_DIGITS = re.compile(r"[0-9]{1,22}\Z")
_COUNTRY = re.compile(r"[0-9]{3}\Z")


def _read_country_code(facts: Facts) -> Any:
    """Return the mobile country code in the last vitals of a device (endpoints.yml: vitals_last, vitals_shape)."""
    found: Any = facts.get("vitals")
    for key in ("device", "network", "cellular", "cell_global_identity", "mobile_country_code"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _read_fact(name: str) -> Callable[[Facts], Any]:
    return lambda facts: facts.get(name)


_FIELDS: Mapping[str, Callable[[Facts], Any]] = {
    "platform": _read_fact("platform"),
    "serial_number": _read_fact("serial_number"),
    "iccid": _read_fact("iccid"),
    "system_firmware_version": _read_fact("system_firmware_version"),
    "mobile_country_code": _read_country_code,
}

Test: TypeAlias = "Callable[[str], bool | None]"
"""A function that checks one condition. The function returns whether the value of a fact meets the condition, or
``None`` if the value cannot be parsed."""


@dataclass(frozen=True)
class Rule:
    """A set of conditions on facts. A device matches the rule if its facts meet all conditions.

    :param conditions: one test for each fact, keyed by the name of the fact.
    """

    conditions: Mapping[str, Test]

    def check_device(self, facts: Facts) -> tuple[bool | None, tuple[str, ...]]:
        """Return whether a device matches the rule, and the names of missing facts.

        A fact also counts as missing if its value cannot be parsed. The first value is ``None`` if the result depends
        on missing facts. In all other cases the second value is empty.
        """
        unknown = []
        for name, test in self.conditions.items():
            text = _to_text(_FIELDS[name](facts))
            fits = None if text is None else test(text)
            if fits is False:
                return False, ()
            if fits is None:
                unknown.append(name)
        return (None, tuple(unknown)) if unknown else (True, ())


@dataclass(frozen=True)
class Advisory:
    """An advisory. The advisory affects every device that matches at least one of the rules."""

    id: str
    title: str
    url: str | None
    rules: tuple[Rule, ...]

    def check_device(self, facts: Facts) -> tuple[bool | None, tuple[str, ...]]:
        """Return whether the advisory affects a device, and the names of missing facts.

        See :meth:`Rule.check_device` for the meaning of the two values.
        """
        unknown: dict[str, None] = {}
        for rule in self.rules:
            fits, missing = rule.check_device(facts)
            if fits:
                return True, ()
            unknown.update(dict.fromkeys(missing))
        return (None, tuple(unknown)) if unknown else (False, ())


def _to_text(value: Any) -> str | None:
    """Return a string or number as a string; return ``None`` for an empty string and for a value of another type."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None


def find_affected_devices(advisories: Iterable[Advisory], devices: Sequence[Facts]) -> list[dict[str, Any]]:
    """Return the devices that each advisory affects.

    :param devices: the facts of devices, as ``device_info`` returns them.
    :returns: one mapping for each advisory. The keys are ``id``, ``title``, ``url``, ``hit`` (the ids of affected
        devices), ``cannot_tell`` (the ids of devices for which the result depends on missing facts) and ``missing``
        (maps each missing fact to the number of devices in ``cannot_tell`` that lack the fact).
    """
    found = []
    for advisory in advisories:
        hit, cannot_tell, missing = [], [], Counter[str]()
        for facts in devices:
            if find_identity(facts) is not None:
                continue  # the Particle cloud does not know this device, and advisories are about Particle devices
            verdict, unknown = advisory.check_device(facts)
            if verdict:
                hit.append(str(facts.get("id")))
            elif verdict is None:
                cannot_tell.append(str(facts.get("id")))
                missing.update(unknown)
        about = {"id": advisory.id, "title": advisory.title, "url": advisory.url}
        found.append({**about, "hit": hit, "cannot_tell": cannot_tell, "missing": dict(missing)})
    return found


def read_advisories(files: Mapping[str, str]) -> tuple[Advisory, ...]:
    """Read advisories from YAML files. In each file, the key ``advisories`` contains a list.

    :param files: the contents of the files, keyed by file name.
    :raises ParticleError: ``invalid_manifest`` when the files contain mistakes; the message lists each mistake with its
        file, line and key.
    """
    mistakes: list[str] = []
    advisories: list[Advisory] = []
    first: dict[str, str] = {}
    for name, text in files.items():
        try:
            data, where = parse_yaml(text, name, "advisories file")
        except ParticleError as error:
            mistakes.append(error.message)
            continue
        reader = _Reader(where)
        for place, advisory in reader.read_file(data):
            advisories.append(advisory)
            if advisory.id in first:
                reader.add_mistake((*place, "id"), f"{advisory.id!r} is already used at {first[advisory.id]}")
            elif advisory.id:
                first[advisory.id] = where((*place, "id"))
        mistakes += reader.mistakes
    if mistakes:
        phrase = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        message = f"The advisories have {phrase}:\n  " + "\n  ".join(list_lines(mistakes, _MAX_MISTAKES))
        raise ParticleError("invalid_manifest", message)
    return tuple(advisories)


class _Reader(ValueReader):
    """A reader that validates one advisories file and collects its mistakes."""

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._conditions: Mapping[str, tuple[str, Callable[[Any, Place], Test]]] = {
            "platforms": ("platform", self._read_platforms),
            "serial_number_prefixes": ("serial_number", self._read_serial_numbers),
            "iccid_prefixes": ("iccid", self._read_iccids),
            "device_os": ("system_firmware_version", self._read_versions),
            "mobile_country_codes": ("mobile_country_code", self._read_countries),
        }

    def read_file(self, data: Any) -> list[tuple[Place, Advisory]]:
        """Return a pair ``(place, advisory)`` for each advisory. The place is the path of the advisory in the file."""
        top = self.read_mapping(data, (), ("advisories",))
        if "advisories" not in top and isinstance(data, Mapping):
            self.add_mistake((), "the key advisories is missing")
        return [
            (("advisories", index), self._read_advisory(item, ("advisories", index)))
            for index, item in enumerate(
                self._read_filled_list(top.get("advisories", ()), ("advisories",), allow_none=True)
            )
        ]

    def _read_advisory(self, value: Any, place: Place) -> Advisory:
        given = self.read_mapping(value, place, ("id", "title", "url", "affects"))
        for key in ("id", "title", "affects"):
            if isinstance(value, Mapping) and key not in given:
                self.add_mistake(place, f"has no {key}")
        name = self.read_text(given["id"], (*place, "id")) if "id" in given else ""
        if name and not _ID.match(name):
            self.add_mistake(
                (*place, "id"),
                f"{name!r} is not a valid id: use 1 to 40 letters, digits, dots, hyphens or underscores",
            )
        title = self.read_text(given["title"], (*place, "title")).strip() if "title" in given else ""
        if "title" in given and isinstance(given["title"], str) and not title:
            self.add_mistake((*place, "title"), "is empty")
        url = self.read_text(given["url"], (*place, "url")) if "url" in given else None
        if url and not _URL.match(url):
            self.add_mistake((*place, "url"), f"must be a URL that begins with https:// or http://, got {url!r}")
        rules = self._read_filled_list(given["affects"], (*place, "affects")) if "affects" in given else []
        return Advisory(
            name,
            title,
            url,
            tuple(self._read_rule(item, (*place, "affects", index)) for index, item in enumerate(rules)),
        )

    def _read_rule(self, value: Any, place: Place) -> Rule:
        given = self.read_mapping(value, place, tuple(self._conditions))
        if isinstance(value, Mapping) and not value:
            self.add_mistake(place, f"has no condition; use one or more of {', '.join(self._conditions)}")
        conditions = {}
        for key, item in given.items():
            if key in self._conditions:
                field, read = self._conditions[key]
                conditions[field] = read(item, (*place, key))
        return Rule(conditions)

    def _read_filled_list(self, value: Any, place: Place, *, allow_none: bool = False) -> list[Any]:
        found = self.read_list(value, place)
        if not found and not allow_none and isinstance(value, (list, tuple)):
            self.add_mistake(place, "is empty")
        return found

    def _read_platforms(self, value: Any, place: Place) -> Test:
        wanted = set()
        for index, item in enumerate(self._read_filled_list(value, place)):
            usable = isinstance(item, (str, int)) and not isinstance(item, bool)
            platform = parse_platform(str(item)) if usable else None
            if platform is None:
                self.add_mistake((*place, index), f"{item!r} is not the name or number of a platform")
            wanted.add(platform)
        return lambda text: text in wanted

    def _read_serial_numbers(self, value: Any, place: Place) -> Test:
        return self._read_prefixes(value, place, _SERIAL_NUMBER, "not the beginning of a serial number")

    def _read_iccids(self, value: Any, place: Place) -> Test:
        return self._read_prefixes(value, place, _DIGITS, "not the beginning of an ICCID (digits)")

    def _read_prefixes(self, value: Any, place: Place, shape: re.Pattern[str], what: str) -> Test:
        prefixes = []
        for index, item in enumerate(self._read_filled_list(value, place)):
            text = self.read_text(item, (*place, index)).strip().upper()
            if isinstance(item, str) and not shape.match(text):
                self.add_mistake((*place, index), f"{item!r} is {what}")
            prefixes.append(text)
        return lambda text: text.upper().startswith(tuple(prefixes))

    def _read_versions(self, value: Any, place: Place) -> Test:
        ranges = []
        for index, item in enumerate(self._read_filled_list(value, place)):
            text = self.read_text(item, (*place, index))
            try:
                ranges.append(parse_range(text))
            except ValueError as error:
                if isinstance(item, str):
                    self.add_mistake((*place, index), str(error))

        def is_in_range(text: str) -> bool | None:
            order = parse_version(text)
            return None if order is None else any(found.contains(order) for found in ranges)

        return is_in_range

    def _read_countries(self, value: Any, place: Place) -> Test:
        codes = set()
        for index, item in enumerate(self._read_filled_list(value, place)):
            text = str(item) if isinstance(item, (str, int)) and not isinstance(item, bool) else ""
            if not _COUNTRY.match(text):
                phrase = repr(item) if text else describe_type(item)
                self.add_mistake((*place, index), f"{phrase} is not a mobile country code (three digits, such as 310)")
            codes.add(text)
        # A code that arrives as a number has lost its leading zeros.
        return lambda text: text.zfill(3) in codes if _DIGITS.match(text) else None
