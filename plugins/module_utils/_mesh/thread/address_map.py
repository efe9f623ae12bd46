# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store which device has which address in a Thread network. Private to this collection.

A device that has joined uses a random extended address, and only a diagnostic shows its EUI-64 (otbr-rest.md, section
5). With the file, later runs need no diagnostics for known devices. The file also identifies sleeping members, which do
not answer in time. The file contains no secrets. If it is deleted, diagnostics restore it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import (
    DamagedFileError,
    ensure_folder,
    lock_file,
    read_file,
)

_MAX_NETWORKS = 200


class AddressMap:
    """The EUI-64s of the members of one network, keyed by extended address.

    :param path: the file; ``None`` if no file can be used. In this case, the addresses are known in this run only.
    :param network: the extended PAN id of the network.
    """

    def __init__(self, path: Path | None, network: str) -> None:
        self._path = path
        self._network = network
        self._euis = dict(_read_networks(path).get(network, {})) if path is not None else {}

    @classmethod
    def open(cls, environment: Mapping[str, str], network: str) -> AddressMap:
        """Open the map of a network in the cache folder of the user."""
        try:
            folder = ensure_folder(environment, "Addresses of Thread members", "let each run ask the members")
        except ParticleError:  # without the file, each run asks all members
            return cls(None, network)
        return cls(folder / "thread-members.json", network)

    @property
    def known(self) -> frozenset[str]:
        """Return the EUI-64s of all devices that were ever found in the network."""
        return frozenset(self._euis.values())

    def find_eui64(self, address: str) -> str | None:
        """Return the EUI-64 of the device with an extended address, or ``None`` if it is unknown."""
        return self._euis.get(address)

    def list_addresses(self, eui64: str) -> set[str]:
        """Return the extended addresses with which a device was found."""
        return {address for address, known in self._euis.items() if known == eui64}

    def add(self, found: Mapping[str, str]) -> None:
        """Add EUI-64s, keyed by extended address, and save the file. A device loses its former addresses."""
        if not found:
            return
        moved = set(found.values())
        self._euis = {address: eui64 for address, eui64 in self._euis.items() if eui64 not in moved} | dict(found)
        if self._path is None:
            return
        try:
            with lock_file(self._path, _read_or_begin) as file:
                networks = {name: euis for name, euis in file.data.items() if name != self._network}
                for name in list(networks)[: max(0, len(networks) - _MAX_NETWORKS + 1)]:
                    del networks[name]
                file.data = {**networks, self._network: self._euis}
                file.save()
        except ParticleError:  # not an error: the next run asks the members again
            self._path = None


def _read_or_begin(path: Path) -> dict[str, dict[str, str]]:
    try:
        return read_file(path)
    except DamagedFileError:
        return {}


def _read_networks(path: Path) -> dict[str, dict[str, str]]:
    try:
        return read_file(path)
    except ParticleError:  # a file that other users can read or write is not used either
        return {}
