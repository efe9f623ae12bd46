# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the members of a Thread network. Private to this collection.

The list of devices at a border router is a cache that keeps devices for ever, so it is emptied and filled before it is
read (otbr-rest.md, section 5). This changes nothing in the network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.address_map import AddressMap
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import (
    ATTACH_SECONDS,
    LOST_CODES,
    BorderRouter,
)

_SMALL_NETWORK = 10
_SHORT_REFRESH, _LONG_REFRESH = 15, 30
_REFRESHES = 5
"""Maximum number of attempts to fill the list, if the border router does not complete it."""
_MARGIN_SECONDS = 15
"""Number of seconds that a task may take beyond its timeout, because the border router checks its tasks only at
intervals.
"""
_QUESTIONS_AT_ONCE = 8
_ANSWER_SECONDS = 10

_IDENTITY = ("eui", "extAddress", "rloc16")
_CHILDREN = ("extAddress", "rloc16", "children")


@dataclass(frozen=True)
class Members:
    """The members of a network at one moment.

    :param addresses: the extended address of each member, keyed by EUI-64.
    :param asleep: the EUI-64s of the members that did not answer, but are children of a parent that did.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    asleep: frozenset[str] = frozenset()


def find_members(router: BorderRouter, known: AddressMap, expected: Collection[str]) -> Members:
    """Find the members of the network of a border router.

    :param known: the addresses of earlier runs. New addresses are added.
    :param expected: the EUI-64s of the declared devices. Parents are asked about sleeping members only for these
        devices.
    :raises ParticleError: ``device_offline`` when the border router does not complete the list.
    """
    devices = _refresh_devices(router, max(len(known.known), len(expected)))
    addresses = [_read_address(row) for row in devices if row.get("type") != "threadBorderRouter"]
    found = ask_eui64s(router, [address for address in addresses if known.find_eui64(address) is None])
    known.add(found)
    named = {eui64: address for address in addresses if (eui64 := known.find_eui64(address)) is not None}
    missing = {address: eui64 for eui64 in expected if eui64 not in named for address in known.list_addresses(eui64)}
    asleep = _find_sleeping(router, devices, missing) if missing else {}
    return Members({**asleep, **named}, frozenset(asleep))


def _read_address(row: Mapping[str, Any]) -> str:
    return str(row.get("extAddress") or row.get("id") or "").lower()


def _refresh_devices(router: BorderRouter, size: int) -> list[Mapping[str, Any]]:
    """Empty and fill the list of devices, and return it.

    :param size: the number of members that are likely to answer.
    """
    seconds = _SHORT_REFRESH if size <= _SMALL_NETWORK else _LONG_REFRESH
    for _unused in range(_REFRESHES):
        if not router.wait_until_attached(ATTACH_SECONDS):
            break  # the border router has restarted, and has not found its network again
        try:
            if _fill_device_list(router, seconds):
                return router.list_devices()
        except ParticleError as error:  # the border router may be restarting
            if error.code not in LOST_CODES:
                raise
        seconds = _LONG_REFRESH
    message = f"Border router {router.url} did not complete its list of devices."
    raise ParticleError("device_offline", message, hint="Check whether the network works, and run again.")


def _fill_device_list(router: BorderRouter, seconds: int) -> bool:
    """Empty and fill the list of devices. Return whether the border router has completed it."""
    router.clear_device_list()
    attributes = {"maxAge": 30, "maxRetries": 3, "deviceCount": 200, "timeout": seconds}
    (task,) = router.post_tasks("updateDeviceCollectionTask", [attributes], "update the list of devices")
    ended = _wait_for_tasks(router, [task.id], seconds)
    router.delete_task(task.id)
    return ended.get(task.id) == "completed"


def _wait_for_tasks(router: BorderRouter, ids: Sequence[str], seconds: float) -> dict[str, str]:
    """Wait until tasks have ended, and return their states. A task that does not exist any more has no key."""
    states: dict[str, str] = {}

    def has_ended() -> bool:
        tasks = router.list_tasks()
        states.clear()
        states.update({task: tasks[task].status for task in ids if task in tasks})
        return all(tasks[task].has_ended for task in ids if task in tasks)

    router.wait_until(has_ended, seconds + _MARGIN_SECONDS)
    return states


def ask_eui64s(router: BorderRouter, addresses: Sequence[str]) -> dict[str, str]:
    """Ask devices for their EUI-64, and return the answers, keyed by extended address."""
    found = {}
    for address, answer in ask_devices(router, addresses, _IDENTITY).items():
        eui64 = str(answer.get("eui") or "").lower()
        if eui64:
            found[address] = eui64
    return found


def _find_sleeping(
    router: BorderRouter, devices: Sequence[Mapping[str, Any]], missing: Mapping[str, str]
) -> dict[str, str]:
    """Return the addresses of missing members that a parent knows as its children, keyed by EUI-64.

    :param missing: the EUI-64s of the missing members, keyed by extended address.
    """
    parents = [_read_address(row) for row in devices if row.get("role") != "child"]
    found = {}
    for answer in ask_devices(router, parents, _CHILDREN).values():
        for child in answer.get("children") or []:
            address = str(child.get("extAddress", "")).lower()
            # A parent lists a child for minutes after the child has lost its power. A child that is awake would have
            # answered.
            if address in missing and not child.get("rxOnWhenIdle"):
                found[missing[address]] = address
    return found


def ask_devices(router: BorderRouter, addresses: Sequence[str], types: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Ask devices diagnostic questions, and return the answers, keyed by extended address.

    A device that does not answer has no key. The tasks and their results are deleted.

    :param types: the names of the questions. ``extAddress`` must be one of them.
    """
    answers: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(addresses), _QUESTIONS_AT_ONCE):
        asked = addresses[start : start + _QUESTIONS_AT_ONCE]
        attributes = [{"destination": address, "types": list(types), "timeout": _ANSWER_SECONDS} for address in asked]
        try:
            tasks = router.post_tasks("getNetworkDiagnosticTask", attributes, "ask devices for their identity")
        except ParticleError as error:
            if error.code != "ambiguous_write":
                raise
            continue  # these devices count as devices that do not answer
        _wait_for_tasks(router, [task.id for task in tasks], _ANSWER_SECONDS)
        ended = router.list_tasks()
        for task in tasks:
            result = ended[task.id].result if task.id in ended else None
            answer = router.read_diagnostic(result) if result is not None else {}
            address = str(answer.get("extAddress") or task.attributes.get("destination")).lower()
            # An address that is cut or answered by another device proves nothing.
            if answer and address in asked:
                answers[address] = answer
            router.delete_task(task.id)
            if result is not None:
                router.delete_diagnostic(result)
    return answers
