# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Divide the devices of a rollout into waves. Private to this collection.

The order of devices depends only on their ids, so that a repeated run finds the same waves. The bounds of waves that
have begun are in the record. They therefore stay the same if devices are added, or if the user changes the waves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DeclaredWave,
    Device,
    Share,
    compute_rank,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import WaveRecord


@dataclass(frozen=True)
class Wave:
    """A wave with its members.

    :param number: the number of the wave; the first wave has the number 1.
    :param members: ids in the stable order.
    :param total: the number of devices in this wave and all waves before it.
    :param through: the rank of the last member; ``None`` for a wave that consists of device groups.
    :param record: the record of the wave; ``None`` if it has not begun.
    """

    number: int
    members: tuple[str, ...]
    total: int
    through: str | None
    groups: tuple[str, ...]
    record: WaveRecord | None


def plan_waves(declared: Sequence[DeclaredWave], begun: Sequence[WaveRecord], devices: Iterable[Device]) -> list[Wave]:
    """Return the waves that have begun, and then the declared waves that reach further.

    :param devices: the devices to divide into waves, in any order.
    """
    left = sorted(((compute_rank(device.id), device) for device in devices), key=lambda pair: pair[0])
    size, waves = len(left), list[Wave]()

    def take(members: list[tuple[str, Device]], through: str | None, groups: tuple[str, ...]) -> None:
        nonlocal left
        number = len(waves) + 1
        taken = {device.id for _unused, device in members}
        left = [pair for pair in left if pair[1].id not in taken]
        record = begun[number - 1] if number <= len(begun) else None
        ids = tuple(device.id for _unused, device in members)
        waves.append(Wave(number, ids, size - len(left), through, groups, record))

    for record in begun:
        if record.through is None:
            take(_find_in_groups(left, record.groups), None, record.groups)
        else:
            take([pair for pair in left if pair[0] <= record.through], record.through, ())
    for wave in declared:
        if wave.reach is None:
            members = _find_in_groups(left, wave.groups)
        else:
            members = left[: max(0, wave.reach.round_up(size) - (size - len(left)))]
        if members:
            take(members, None if wave.reach is None else members[-1][0], wave.groups)
    return waves


def _find_in_groups(pairs: Iterable[tuple[str, Device]], groups: Sequence[str]) -> list[tuple[str, Device]]:
    return [pair for pair in pairs if not pair[1].groups.isdisjoint(groups)]


@dataclass(frozen=True)
class Batch:
    """The devices of a wave that may be targeted now.

    :param devices: ids in the stable order.
    :param full: names of the device groups whose disruption budget does not allow more devices.
    """

    devices: tuple[str, ...]
    full: tuple[str, ...] = ()


def choose_batch(
    wanted: Sequence[Device],
    most: Share | None,
    devices: Mapping[str, Device],
    disrupted: frozenset[str],
    away: frozenset[str] = frozenset(),
) -> Batch:
    """Choose the devices that may be targeted now without exceeding the disruption budget of a device group.

    A device that cannot be updated now would use the budget for an unknown time, so it is not chosen.

    :param wanted: the devices to target, in the stable order.
    :param most: the number or share of devices of each group that may be unavailable; ``None`` for no budget.
    :param devices: all devices of the product.
    :param disrupted: ids of the targeted devices that are unavailable, or may become so at any moment.
    :param away: ids of devices that are unavailable for other reasons.
    """
    if most is None:
        return Batch(tuple(device.id for device in wanted))
    sizes, unavailable = dict[str, int](), dict[str, int]()
    for device in devices.values():
        for group in device.groups:
            sizes[group] = sizes.get(group, 0) + 1
            unavailable[group] = unavailable.get(group, 0) + (device.id in disrupted or device.id in away)
    limits = {group: most.round_down(size) for group, size in sizes.items()}
    chosen, full = list[str](), set[str]()
    for device in wanted:
        if not can_update_now(device):
            continue
        blocking = {group for group in device.groups if unavailable[group] >= limits[group]}
        if blocking:
            full |= blocking
            continue
        chosen.append(device.id)
        for group in device.groups:
            unavailable[group] += 1
    return Batch(tuple(chosen), tuple(sorted(full)))


def can_update_now(device: Device) -> bool:
    """Return whether a device is online and accepts updates, so that it is updated as soon as it is targeted."""
    return device.online and device.accepts_updates
