# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Define the fleet of a soak and its changes from day to day. Uses no code of the collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from support.simulator import PRODUCT_SLUG

START = 24
NETWORKS = ("barn", "shed", "yard")
GROUPS = ("north", "south", "west")
READER = "event-reader"
READER_FILE = "reader.json"
"""The name of the file with the token of the API user whose token the event source uses."""
READER_SCOPES = ["products:get", "events:get", "devices:list"]
TOKEN_NAME, PASSWORD_NAME = "READINGS_TOKEN", "ALARMS_PASSWORD"


@dataclass(frozen=True)
class Place:
    """A place in the fleet, which a device fills until another one replaces it."""

    device: str
    name: str
    notes: str
    groups: tuple[str, ...]
    network: str
    role: str
    site: str | None

    def declare(self) -> dict[str, Any]:
        """Return the record of the device in a manifest."""
        return {
            "id": self.device,
            "name": self.name,
            "notes": self.notes,
            "groups": sorted(self.groups),
            "mesh": {"network": self.network, "role": self.role},
            **({"environment": {"SITE": self.site}} if self.site else {}),
        }


@dataclass
class Fleet:
    """The declared fleet.

    :param spares: the ids of devices that have not been used yet.
    :ivar replaced: today's replacements: the ids of the old devices, keyed by the ids of the new ones.
    :ivar leaving: the ids of the devices that leave today.
    """

    random: Random
    spares: list[str]
    places: list[Place] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)
    leaving: list[str] = field(default_factory=list)
    channel: int = 11
    _made: int = 0

    def __post_init__(self) -> None:
        for number in range(START):
            self._add_place("gateway" if number < len(NETWORKS) else "node", NETWORKS[number % len(NETWORKS)])

    @property
    def devices(self) -> list[str]:
        """The ids of all devices that must be in the product."""
        return [place.device for place in self.places]

    def change(self, day: int) -> None:
        """Make the changes of a day. On every tenth day, nothing changes."""
        self.replaced, self.leaving = {}, []
        if day == 1 or day % 10 == 0:
            return
        for number in self.random.sample(range(len(self.places)), 3):
            self.places[number] = replace(self.places[number], name=self._make_name(), notes=f"seen on day {day}")
        if day % 2 == 0:
            self._change_one(groups=tuple(self.random.sample(GROUPS, self.random.randint(0, 2))))
            self._change_one(site=f"hall-{day}")
        if day % 3 == 0:
            self._add_place("node", self.random.choice(NETWORKS))
        if day % 4 == 0:
            self._change_one(network=self.random.choice(NETWORKS))
        if day % 5 == 0:
            self.leaving = [self.places.pop(self._choose_node()).device]
        if day % 2 == 0:
            self._replace(self.random.choice((self._choose_node(), self.random.randrange(len(NETWORKS)))))
        if day % 7 == 0:
            self.channel = 11 + day % 15

    def declare(self, *, today: bool) -> dict[str, Any]:
        """Return the manifest.

        :param today: whether the manifest contains today's replacements and the devices that leave today. Otherwise, it
            declares the state that the fleet must have in the evening.
        """
        records = [place.declare() for place in self.places]
        if today:
            records = [self._declare_replacement(record) for record in records]
            records += [{"id": device, "state": "absent"} for device in self.leaving]
        networks = {name: {"parameters": {"channel": self.channel}} for name in NETWORKS}
        return {"product": PRODUCT_SLUG, "groups_mode": "exact", "networks": networks, "devices": records}

    def _declare_replacement(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a new device, which takes over its name, notes and variables from the old one."""
        old = self.replaced.get(record["id"])
        if old is None:
            return record
        taken = {"name", "notes", "environment"}
        return {
            **{key: value for key, value in record.items() if key not in taken},
            "replaces": {"device": old, "environment": True},
        }

    def _add_place(self, role: str, network: str) -> None:
        groups = tuple(self.random.sample(GROUPS, 1))
        self.places.append(Place(self.spares.pop(0), self._make_name(), "new", groups, network, role, None))

    def _make_name(self) -> str:
        self._made += 1
        return f"unit-{self._made}"

    def _choose_node(self) -> int:
        return self.random.randrange(len(NETWORKS), len(self.places))

    def _change_one(self, **changes: Any) -> None:
        number = self._choose_node()
        self.places[number] = replace(self.places[number], **changes)

    def _replace(self, number: int) -> None:
        old = self.places[number]
        new = self.spares.pop(0)
        self.replaced[new] = old.device
        self.places[number] = replace(old, device=new)


def define_product(day: int, token_file: Path, binaries: Sequence[Path]) -> dict[str, Any]:
    """Return the definition of the product on a day.

    :param token_file: the file for the token of the API user.
    :param binaries: the files of the firmware versions 2, 3 and so on.
    """
    return {
        "groups": {
            name: {"description": f"Devices in the {name}", "color": "#ff8800" if day % 8 < 4 else "#00ff00"}
            for name in GROUPS
        },
        "ledgers": {"readings": {"scope": "device", "direction": "upstream", "description": f"Revision {day // 9}"}},
        "secrets": {TOKEN_NAME: {"secret": TOKEN_NAME}},
        "environment": {"REPORT_SECONDS": 60 + day // 4, **({"TRIAL": "on"} if day % 6 < 3 else {})},
        "integrations": {
            "readings": {
                "event": "reading",
                "url": f"https://readings.example.net/in/{day // 3}",
                "headers": {"Authorization": "Bearer {{{READINGS_TOKEN}}}"},
                "json": {"value": "{{{PARTICLE_EVENT_VALUE}}}"},
            },
            "alarms": {
                "event": "alarm",
                "url": "https://alarms.example.net/in",
                "auth": {"username": "hook", "password": {"secret": PASSWORD_NAME}},
                "disabled": day % 4 == 0,
            },
        },
        "api_users": {READER: {"scopes": READER_SCOPES, "user_token_file": str(token_file)}},
        "firmware": {str(version): {"file": str(path)} for version, path in enumerate(binaries, start=2)},
    }
