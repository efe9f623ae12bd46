# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert the results of module ``rollout_info`` to the rollouts of a report. Private to this collection."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Progress, State

Data = Mapping[str, Any]

_KEYS = ("state", "version", "began", "waves", "devices", "counts", "brake", "next")
_ENDED = frozenset(progress.value for progress in (Progress.DONE, Progress.ABORTED, Progress.ROLLED_BACK))
_EXACT_STATES = {State.UPDATED: "updated", State.UPDATING: "updating", State.GONE: "gone"}
_WAITING = "waiting"


def _name_kind(state: str) -> str:
    """Return the kind to which a state of a device belongs. The page has a colour for each kind."""
    known = State(state)
    if known.is_failed:
        return "failed"
    return _EXACT_STATES.get(known) or ("pending" if known.is_pending else "skipped")


def build_rollouts(results: Any) -> list[dict[str, Any]]:
    """Return one rollout for each product.

    Each rollout has the keys of a result of ``rollout_info``, and the keys ``product`` and ``error``. If the rollout
    could not be read, ``error`` is the error, and the other keys are ``None``.

    :param results: the results of a task that calls ``rollout_info`` in a loop over products.
    :raises AnsibleFilterError: when the input is not a list of such results.
    """
    if not isinstance(results, list) or not all(isinstance(each, Mapping) and "item" in each for each in results):
        raise AnsibleFilterError("rollouts must be the results of rollout_info in a loop over products.")
    return [
        {
            "product": str(result["item"]),
            "error": _read_error(result),
            **{name: _clean(result.get(name)) for name in _KEYS},
        }
        for result in results
    ]


def _read_error(result: Data) -> dict[str, Any] | None:
    if "state" in result:
        return None
    error = result.get("error") or {}
    message = error.get("message") or result.get("msg") or "The task has returned no result."
    return {"code": error.get("code"), "message": _clean(str(message).partition("\n")[0])}


def _clean(value: Any) -> Any:
    """Return the value with question marks in the place of characters that UTF-8 cannot encode."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {name: _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def drop_rollout_times(rollouts: Iterable[Data]) -> list[dict[str, Any]]:
    """Return the rollouts without the values that change with time, even if nothing else changes.

    The evidence about a device and the message of an error contain times. The time of the next check depends on the
    time of this check. Devices with equal states are sorted by their last contacts.
    """
    return [
        {
            **rollout,
            "error": (rollout["error"] or {}).get("code"),
            "next": (rollout["next"] or {}).get("why"),
            "devices": sorted(
                [device["id"], *(device[name] for name in ("name", "state", "wave", "firmware_version"))]
                for device in rollout["devices"] or ()
            ),
        }
        for rollout in rollouts
    ]


def summarize_rollout(rollout: Data) -> dict[str, Any] | None:
    """Return the data of a rollout for the page; ``None`` if the product has no rollout.

    The numbers of devices in ``kinds`` add up to the number of devices in waves, if the skipped devices are left out.
    """
    head = {name: rollout[name] for name in ("product", "error", "state", "version", "began")}
    if rollout["error"]:
        return head
    if rollout["state"] == Progress.NONE.value:
        return None
    waves = [_summarize_wave(wave) for wave in rollout["waves"]]
    kinds = _count_kinds(rollout["counts"])
    kinds[_WAITING] = sum(wave["kinds"].get(_WAITING, 0) for wave in waves)
    return {
        **head,
        "is_over": rollout["state"] in _ENDED,
        "total": sum(wave["devices"] for wave in waves),
        "kinds": +kinds,
        "states": {
            kind: {
                state: count
                for state, count in rollout["counts"].items()
                if count and _name_kind(state) == kind != state
            }
            for kind in kinds
        },
        "waves": waves,
        "brake": _summarize_brake(rollout["brake"]),
        "next": rollout["next"],
        "bad": [
            {**device, "kind": _name_kind(device["state"])}
            for device in rollout["devices"]
            if State(device["state"]).is_bad
        ],
    }


def _summarize_wave(wave: Data) -> dict[str, Any]:
    kinds = _count_kinds(wave["counts"])
    kinds[_WAITING] = max(0, wave["devices"] - kinds.total())
    shown = ("number", "state", "devices", "groups", "began", "decided", "approved_by", "approved_at")
    return {**{name: wave[name] for name in shown}, "kinds": +kinds}


def _count_kinds(counts: Mapping[str, int]) -> Counter[str]:
    kinds = Counter[str]()
    for state, count in counts.items():
        kinds[_name_kind(state)] += count
    return kinds


def _summarize_brake(brake: Data) -> dict[str, Any]:
    """Return the counts of the brake, each with the number of devices at which the brake stops the rollout."""
    total = brake["devices"]
    stops = {
        f"{name}_stops_at": max(1, brake["at_least"], _count_share(brake[f"{name}_limit"], total))
        for name in ("failed", "offline")
    }
    return {**brake, **stops}


def _count_share(limit: str, total: int) -> int:
    """Return a limit, such as ``5%`` or ``3``, as a number of devices."""
    number, percent, _unused = str(limit).partition("%")
    return math.ceil(round(float(number) * total / 100, 9)) if percent else int(number)
