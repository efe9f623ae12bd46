# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Watch updates of devices, and read what the facts say about their events (firmware-and-events.md, section 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator_client import DEVICES, PRODUCT, EventStream, OpenStream, User

from support.facts import FACTS

STATUS = "spark/status"
FLASH = "spark/flash/status"
TRANSFER_EVENTS = (STATUS, FLASH)
PAGE = "firmware-and-events"
MARKER = "end-of-the-test"
WEEKS = 15 * 86_400
"""Seconds after which each connected device has begun a new session."""


@dataclass(frozen=True)
class Told:
    """An event that a stream has told. `moment` is in seconds since the start of the watch."""

    moment: float
    name: str
    data: str
    version: int

    @property
    def words(self) -> tuple[str, ...]:
        """The data of an event about the state or the transfer; the last part of the name and the data of others."""
        return (self.data,) if self.name in TRANSFER_EVENTS else (self.name.rpartition("/")[2], self.data)


class Watch:
    """A stream of the events of a product, from now on."""

    def __init__(self, user: User, listen: OpenStream, product: str = PRODUCT) -> None:
        self.user = user
        self.start = user.cloud.now()
        self._path = f"{product}/events"
        self._stream: EventStream = listen(user, self._path)

    def read(self) -> list[Told]:
        """Return the events since the last call, in the order in which the stream told them."""
        # A new login, because the clock may have passed the end of the token.
        publisher = self.user.cloud.user()
        assert publisher.post(self._path, {"name": MARKER}).status_code == 200
        return list(iter(self._read_event, None))

    def _read_event(self) -> Told | None:
        name, content = self._stream.read_event()
        if name == MARKER:
            return None
        moment = datetime.fromisoformat(content["published_at"]).timestamp() - self.start
        return Told(moment, name, content["data"], content["version"])


def add_versions(user: User, *versions: int) -> None:
    """Give the product firmware."""
    answer = user.cloud.call("POST", "/_simulator/products/31337", json={"firmware": list(versions)})
    assert answer.status_code == 200, answer.text


def lock(user: User, device: str, version: int | None, *, flash: bool = True) -> None:
    """Lock a device to a version, or unlock it."""
    answer = user.put(f"{DEVICES}/{device}", {"desired_firmware_version": version, "flash": flash})
    assert answer.status_code == 200, answer.text


def release(user: User, version: int, **fields: Any) -> None:
    """Release a version, by default to all devices of the product."""
    content = {"version": version, **(fields or {"product_default": True})}
    answer = user.put(f"{PRODUCT}/firmware/release", content)
    assert answer.status_code == 200, answer.text


def run_version(user: User, device: str, version: int) -> None:
    """Let a device run a version of the product, and leave it without a lock."""
    lock(user, device, version)
    user.cloud.advance(30)
    lock(user, device, None)
    assert get_row(user, device)["firmware_version"] == version


def get_row(user: User, device: str) -> dict[str, Any]:
    """Return a device as the list of the product shows it."""
    rows = user.get(DEVICES, deviceId=device)["devices"]
    return dict(next(row for row in rows if row["id"] == device))


# ---------------------------------------------------------------------- the facts


def _read_rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row in the first table of a section."""
    page = (FACTS / f"{PAGE}.md").read_text(encoding="utf-8")
    section = page[page.index(f"### {heading} ") :]
    rows = re.split(r"\n(?!\|)", section[section.index("\n|") + 1 :], maxsplit=1)[0].splitlines()
    for row in rows[2:]:
        yield [cell.strip() for cell in row.strip("|").split("|")]


def read_recorded_success() -> list[tuple[float, str, str, int]]:
    """Return time, name, data and version of each event in the table of the recorded success, section 4.1.

    The hash of an application is left out, and so are the application's own events.
    """
    events = []
    for time, name, data, version in _read_rows("4.1"):
        if not time[0].isdigit():
            continue
        seconds, _unused, extra = time.partition(" (+")
        moment = float(seconds) + (float(extra.partition(" ")[0]) / 1000 if extra else 0)
        plain = data[1:-1] if data.startswith("`") else ""
        events.append((moment, name, plain, int(version.strip("*"))))
    return events


def read_failure_events(case: str) -> str:
    """Return the column "Events" of a row in the table of failures, section 4.3."""
    return next(cells[2] for cells in _read_rows("4.3") if cells[0].startswith(case))


def list_words(events: str) -> list[str]:
    """Return the words between back quotes in a cell of the table of failures."""
    return re.findall(r"`([^`]+)`", events)


def parse_modules(told: Told) -> dict[str, Any]:
    """Return the data of a safe-mode event."""
    return dict(json.loads(told.data))
