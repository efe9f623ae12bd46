# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the steps of a replacement, and list the remaining steps after a failure. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan

IMPORT = "import"
GROUPS = "device groups"
RENAMING = "new name of the replaced device"
FIELDS = "name and other fields"
MEMBERSHIP = "membership in the network"
VARIABLES = "environment variables"
LEAVING = "removal of the replaced device from its network"
REMOVAL = "removal of the replaced device from the product"


def list_steps(device: DevicePlan) -> Iterator[str]:
    """Yield the steps of a replacement that the plan of the replacing or of the replaced device contains, in order."""
    if device.imports:
        yield IMPORT
    if device.add_groups:
        yield GROUPS
    if device.replaces is not None and device.replaces.new_name is not None:
        yield RENAMING
    if device.fields:
        yield FIELDS
    if device.mesh is not None and device.mesh.writes:
        yield LEAVING if device.replaced_by is not None else MEMBERSHIP
    if device.edits is not None or "environment" in device.changes:
        yield VARIABLES
    if device.removes:
        yield REMOVAL


def explain_failure(
    error: ParticleError, new: DevicePlan, old: DevicePlan | None, done: Collection[str]
) -> ParticleError:
    """Return the error of a failed replacement, which lists the steps that are done and the steps that remain.

    :param new: the plan of the device that replaces another device.
    :param old: the plan of the replaced device; ``None`` if the device is not removed.
    :param done: the steps that are done.
    """
    steps = [*list_steps(new), *(list_steps(old) if old is not None else ())]
    finished = [step for step in steps if step in done]
    left = [step for step in steps if step not in done]
    replaced = new.replaces.id if new.replaces is not None else ""
    sentences = [error.message, f"The replacement of device {replaced} is not complete."]
    sentences += [f"Done: {', '.join(finished)}."] if finished else []
    sentences += [f"Left: {', '.join(left)}."] if left else []
    sentences.append("The next run continues it.")
    explained = ParticleError(error.code, " ".join(sentences), hint=error.hint, status=error.status, route=error.route)
    explained.words = error.words
    return explained
