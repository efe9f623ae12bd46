# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limit the playbooks that an event starts to the host of its device."""

from __future__ import annotations

import json
import logging
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

DOCUMENTATION = r"""
---
short_description: Limit playbooks to the device of an event
version_added: 0.2.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Sets C(meta.hosts) of each event that has a device. The actions C(run_playbook), C(run_module) and
    C(run_job_template) then run only on the host of this device.
  - The id of the device is read from C(particle.device), as in the events of C(meshfleet.particle.events), or from
    C(payload.device), as in the events of a webhook with a key C(device).
  - Events without a device are not changed. An event of a device that O(map) does not contain gets the id of the device
    as its host. If the inventory has no such host, a playbook then fails instead of running on other hosts.
  - A host of O(map) is ignored if its name could also select other hosts, because it is the name of a group, or has
    special characters.
options:
  map:
    description:
      - Path of a file with the output of C(ansible-inventory --list). The device of a host is C(particle.id), which the
        inventory plugin P(meshfleet.particle.devices#inventory) sets, or C(particle_device.id), which the module
        M(meshfleet.particle.fleet) reads.
      - The file is read again when it changes. If the new file is damaged, the earlier content stays in use.
      - Without this option, the host is the id of the device. The inventory must then contain the ids as host names,
        for example with C(hostnames) set to C([id]) in the inventory plugin.
    type: path
"""

EXAMPLES = r"""
- name: Inspect devices that went offline
  hosts: all
  sources:
    - name: Events of the field loggers
      meshfleet.particle.events:
        access_token: "{{ PARTICLE_ACCESS_TOKEN }}"
        product: field-logger
        prefix: spark/status
      filters:
        # Written by: ansible-inventory -i particle.yml --list > hosts.json
        - meshfleet.particle.hosts:
            map: hosts.json
  rules:
    - name: A device went offline
      condition: event.particle.data == "offline"
      action:
        run_playbook:
          name: offline.yml
"""

LOG = logging.getLogger("meshfleet.particle.hosts")

MAX_FILE_BYTES = 268_435_456
DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z", re.IGNORECASE)
# Other characters, and the name of a group, would make a host name a pattern that also matches other hosts.
HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
BUILT_IN_GROUPS = ("all", "ungrouped")
DEVICE_VARIABLES = ("particle", "particle_device")

Event = dict[str, Any]
Version = tuple[int, int, int]


@dataclass
class HostMap:
    """The hosts of the devices in a file.

    :ivar hosts: the names of the hosts, keyed by device id.
    """

    path: Path
    hosts: dict[str, list[str]] = field(default_factory=dict)
    _version: Version | None = None

    def refresh(self) -> None:
        """Read the file if it has changed.

        :raises ValueError: if the file cannot be read, and has never been read before.
        """
        is_first = self._version is None
        try:
            facts = self.path.stat()
            version = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if version == self._version:
                return
            self._version = version
            self.hosts = read_hosts(self.path, facts)
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            message = f"The map of hosts {self.path} cannot be used: {cause}."
            if is_first:
                self._version = None
                raise ValueError(message) from None
            LOG.warning("%s The earlier content stays in use.", message)


MAPS: dict[str, HostMap] = {}
"""The files that have been read, keyed by the option ``map``."""


def read_hosts(path: Path, facts: os.stat_result) -> dict[str, list[str]]:
    """Return the names of the hosts of each device in the output of ``ansible-inventory --list``.

    :raises ValueError: if the file has another content.
    """
    if not stat.S_ISREG(facts.st_mode):
        message = "it is not a regular file"
        raise ValueError(message)
    if facts.st_size > MAX_FILE_BYTES:
        message = f"it has more than {MAX_FILE_BYTES} bytes"
        raise ValueError(message)
    try:
        data = json.loads(path.read_bytes())
        variables = data["_meta"]["hostvars"]
        found = [(host, find_device_id(host, values)) for host, values in variables.items()]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        message = "it is not the output of ansible-inventory --list"
        raise ValueError(message) from None
    groups = {*data, *BUILT_IN_GROUPS}
    hosts: dict[str, list[str]] = {}
    for host, device in found:
        if device is not None and HOST_NAME.match(host) and host not in groups:
            hosts.setdefault(device, []).append(host)
    return hosts


def find_device_id(host: str, variables: dict[str, Any]) -> str | None:
    """Return the id of the device of a host, in lower case, or ``None`` if the host is not a device."""
    values = [variables.get(name) for name in DEVICE_VARIABLES]
    ids = [unwrap_unsafe(value.get("id")) for value in values if isinstance(value, dict)]
    found = [text for text in (*ids, host) if isinstance(text, str) and DEVICE_ID.match(text)]
    return found[0].lower() if found else None


def unwrap_unsafe(value: object) -> object:
    """Return the string in the mapping that ``ansible-inventory`` writes for a string from a cloud."""
    return value.get("__ansible_unsafe") if isinstance(value, dict) else value


def find_event_device(event: Event) -> str | None:
    """Return the id of the device of an event, in lower case, or ``None`` if the event has no device."""
    for key in ("particle", "payload"):
        content = event.get(key)
        device = content.get("device") if isinstance(content, dict) else None
        if isinstance(device, str) and DEVICE_ID.match(device):
            return device.lower()
    return None


def main(event: Event, map: str | None = None) -> Event:  # the name of the option
    """Set ``meta.hosts`` of an event that has a device.

    :raises ValueError: if the file ``map`` cannot be read.
    """
    device = find_event_device(event)
    if device is None:
        return event
    hosts = [device]
    if map:
        known = MAPS.setdefault(map, HostMap(Path(map).expanduser()))
        known.refresh()
        hosts = known.hosts.get(device, hosts)
    meta = event.setdefault("meta", {})
    meta["hosts"] = list(hosts)
    return event
