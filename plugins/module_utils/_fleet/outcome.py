# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each device, and of the fleet. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Change
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, JOINED, LOST

OK = "ok"
CHANGED = "changed"
FAILED = "failed"
PENDING = "pending"
STATUSES = (OK, CHANGED, FAILED, PENDING)


@dataclass(frozen=True)
class Outcome:
    """What became of one device. ``pending``: not there yet, and nothing wrong with it; run again.

    :param id: ``None`` as long as the cloud has not told the id of a device that is declared by something else.
    :param identifier: what the manifest calls it.
    :param mesh: what has become of it in its network, when that was asked.
    """

    id: str | None
    identifier: str
    name: str | None
    status: str
    changes: Mapping[str, Change]
    error: ParticleError | None = None
    mesh: str | None = None

    @classmethod
    def of(
        cls,
        record: DeviceRecord,
        status: str,
        changes: Mapping[str, Change],
        error: ParticleError | None,
        mesh: str | None,
    ) -> Outcome:
        """The outcome of a declared device."""
        name = record.fields.get("name")
        return cls(
            record.id if record.identified else None,
            record.key,
            None if name is None else str(name),
            status,
            changes,
            error,
            mesh,
        )

    def as_result(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "identifier": self.identifier,
            "name": self.name,
            "status": self.status,
            "changes": {field: {"before": before, "after": after} for field, (before, after) in self.changes.items()},
            "mesh": self.mesh,
            "error": self.error.as_result() if self.error else None,
        }


def summary_of(outcomes: Iterable[Outcome], networks: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """How many devices there are, how many of each status, and how far the networks have formed, where any are."""
    statuses = [outcome.status for outcome in outcomes]
    counts = {"total": len(statuses), **{status: statuses.count(status) for status in STATUSES}}
    # A copy of its own: what stands twice in a result would become an alias wherever it is written as YAML.
    return {**counts, "networks": {name: dict(of) for name, of in networks.items()}} if networks else counts


def networks_of(manifest: Manifest, states: Mapping[str, str] | None) -> dict[str, dict[str, int]]:
    """Size of each network as declared and, when ``states`` are known, how far it has formed."""
    members: dict[str, list[DeviceRecord]] = {name: [] for name in manifest.networks}
    for record in manifest.devices:
        if record.mesh:
            members[record.mesh.network].append(record)
    networks: dict[str, dict[str, int]] = {}
    for name, records in members.items():
        gateways = sum(1 for record in records if record.mesh and record.mesh.role == GATEWAY)
        networks[name] = {"gateways": gateways, "nodes": len(records) - gateways}
        if states is not None:
            reported = [states.get(record.id) for record in records]
            joined, lost = reported.count(JOINED), reported.count(LOST)
            networks[name].update(joined=joined, lost=lost, pending=len(records) - joined - lost)
    return networks


def first_failure(outcomes: Sequence[Outcome], stopped: ParticleError | None) -> ParticleError | None:
    """Why the task fails, if it does: what ended the run, else the first device's reason with a count."""
    pending = sum(1 for outcome in outcomes if outcome.status == PENDING)
    if stopped is not None:
        message = f"The run ended early, {_devices(pending)} pending. {stopped.message}"
        return ParticleError(stopped.code, message, hint=stopped.hint, status=stopped.status, route=stopped.route)
    failed = [outcome.error for outcome in outcomes if outcome.status == FAILED and outcome.error]
    if not failed:
        return None
    first = failed[0]
    others = f"{_devices(pending)} pending" if pending else "all others are done"
    message = f"{len(failed)} of {len(outcomes)} devices failed, {others}. {first.message}"
    if len(failed) > 1:
        message += f" And {len(failed) - 1} more: see devices with status failed."
    return ParticleError(first.code, message, hint=first.hint, status=first.status, route=first.route)


def _devices(number: int) -> str:
    return "1 device is" if number == 1 else f"{number} devices are"
