# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options that declare a rollout. Private to this collection."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    DEVICE_ID,
    MAX_FIRMWARE_VERSION,
    MIN_FIRMWARE_VERSION,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_lines, list_names, shorten
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    FILTER_SPEC,
    Filters,
    read_filters,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DEFAULT_WAVES,
    NO_RELEASE,
    Brake,
    DeclaredWave,
    Health,
    Phase,
    Rollout,
    Share,
)


@dataclass(frozen=True)
class Waiting:
    """The settings of a run that waits until the rollout has ended.

    :param timeout: seconds after which the run ends, although the rollout continues.
    :param first: seconds before the first check.
    :param longest: the maximum number of seconds between two checks.
    """

    timeout: float = DAY
    first: float = 5.0
    longest: float = 60.0


SPEC: Mapping[str, Mapping[str, Any]] = {
    "version": {"type": "int", "required": True},
    **FILTER_SPEC,
    "waves": {
        "type": "list",
        "elements": "dict",
        "options": {
            "count": {"type": "int"},
            "percent": {"type": "float"},
            "groups": {"type": "list", "elements": "str"},
        },
    },
    "soak": {"type": "int", "default": int(Health.soak)},
    "approve": {"type": "str", "choices": ["none", "each"], "default": "none"},
    "approved": {"type": "int", "default": Rollout.approved},
    "brake": {
        "type": "dict",
        "options": {
            "failed": {"type": "str", "default": str(Brake.failed)},
            "offline": {"type": "str", "default": str(Brake.offline)},
            "at_least": {"type": "int", "default": Brake.at_least},
        },
    },
    "offline_after": {"type": "int"},
    "unavailable": {
        "type": "dict",
        "options": {
            "per": {"type": "str", "choices": ["group"], "default": "group"},
            "most": {"type": "str", "required": True},
        },
    },
    "release": {"type": "raw"},
    "rollback": {"type": "str", "choices": ["none", "lock"], "default": "none"},
    "state": {"type": "str", "choices": ["present", "paused", "aborted"], "default": "present"},
    "accept": {"type": "list", "elements": "str", "default": []},
    "supersede": {"type": "bool", "default": Rollout.supersedes},
}
"""The argument spec of the options that declare a rollout."""

WAIT_SPEC: Mapping[str, Mapping[str, Any]] = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": int(Waiting.timeout)},
    "poll": {
        "type": "dict",
        "options": {
            "first": {"type": "float", "default": Waiting.first},
            "longest": {"type": "float", "default": Waiting.longest},
        },
    },
}
"""The argument spec of the options that declare how long a run waits."""

_PHASES = {"present": Phase.RUNNING, "paused": Phase.PAUSED, "aborted": Phase.ABORTED}
_SHARE = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(%?)\s*\Z")
_MAX_SECONDS = 366 * DAY
_MAX_WAVES = 40
_MAX_ACCEPTED = 200
_RELEASE_SPEC: Mapping[str, Mapping[str, Any]] = {
    "default": {"type": "bool", "default": False},
    "groups": {"type": "list", "elements": "str"},
}
_RELEASE = ArgumentSpecValidator(_RELEASE_SPEC)


class _Mistakes(list[str]):
    """The mistakes in the options of a task."""

    def check_range(self, name: str, value: float | None, least: float, most: float) -> None:
        # Ansible accepts true and false as numbers.
        is_number = not isinstance(value, bool) and (value is None or math.isfinite(value))
        if value is not None and not (is_number and least <= value <= most):
            self.append(f"{name} must be a number from {_show(least)} to {_show(most)}, got {_show(value)}")

    def refuse(self) -> None:
        """Raise an error that lists the mistakes, if there are any."""
        if not self:
            return
        message = f"The rollout is not valid: {'; '.join(list_lines(self))}."
        raise ParticleError("invalid_option", message, hint="Correct these options, and run again.")


def _show(value: Any) -> str:
    """Return a value for a message. A long value is shortened."""
    if isinstance(value, float):
        return f"{value:.15g}"
    return shorten(repr(value))


@dataclass(frozen=True)
class Declaration:
    """The declaration of a rollout in the options of a task.

    :param filters: the devices that the rollout selects.
    :param waiting: how long to wait until the rollout has ended; ``None`` not to wait.
    """

    rollout: Rollout
    filters: Filters
    waiting: Waiting | None


def read_declaration(options: Mapping[str, Any]) -> Declaration:
    """Read and check all options of a task that declares a rollout.

    :raises ParticleError: ``invalid_option`` when an option is not valid; the message lists all mistakes.
    """
    mistakes, filters = _Mistakes(), Filters()
    rollout = _read_rollout(options, mistakes)
    waiting = _read_waiting(options, mistakes)
    try:
        filters = read_filters(options)
    except ParticleError as error:
        mistakes.append(error.message.removesuffix("."))
    if filters.silent_days is not None:
        # A device that gets the version is no longer silent, and would leave the selection.
        mistakes.append("filters.silent_days selects other devices as time passes; list the devices in filters.ids")
    mistakes.refuse()
    return Declaration(rollout, filters, waiting)


def _read_rollout(options: Mapping[str, Any], mistakes: _Mistakes) -> Rollout:
    mistakes.check_range("version", options["version"], MIN_FIRMWARE_VERSION, MAX_FIRMWARE_VERSION)
    mistakes.check_range("soak", options["soak"], 0, _MAX_SECONDS)
    mistakes.check_range("approved", options["approved"], 0, 1000)
    mistakes.check_range("offline_after", options["offline_after"], 1, _MAX_SECONDS)
    waves = _read_waves(options["waves"], mistakes)
    brake = _read_brake(options["brake"], mistakes)
    unavailable = _read_unavailable(options["unavailable"], mistakes)
    is_whole = not any(value is not None for value in (options["filters"] or {}).values())
    release = _read_release(options["release"], mistakes, is_whole=is_whole)
    accepted = _read_accepted(options["accept"], mistakes)
    offline_after = options["offline_after"]
    return Rollout(
        version=options["version"],
        waves=waves,
        health=Health(float(options["soak"]), None if offline_after is None else float(offline_after)),
        brake=brake,
        release=release,
        needs_approval=options["approve"] == "each",
        approved=options["approved"],
        unavailable=unavailable,
        is_rolled_back=options["rollback"] == "lock",
        phase=_PHASES[options["state"]],
        accepted=accepted,
        supersedes=options["supersede"],
    )


def _read_waiting(options: Mapping[str, Any], mistakes: _Mistakes) -> Waiting | None:
    mistakes.check_range("wait_timeout", options["wait_timeout"], 0, _MAX_SECONDS)
    poll = options["poll"] or {"first": Waiting.first, "longest": Waiting.longest}
    before = len(mistakes)
    mistakes.check_range("poll.first", poll["first"], 1, DAY)
    mistakes.check_range("poll.longest", poll["longest"], 1, DAY)
    if len(mistakes) == before and poll["first"] > poll["longest"]:
        first, longest = _show(float(poll["first"])), _show(float(poll["longest"]))
        mistakes.append(f"poll.first ({first}) must not be greater than poll.longest ({longest})")
    return Waiting(options["wait_timeout"], poll["first"], poll["longest"]) if options["wait"] else None


def _read_waves(waves: Any, mistakes: _Mistakes) -> tuple[DeclaredWave, ...]:
    if waves is None:
        return DEFAULT_WAVES
    if not 1 <= len(waves) <= _MAX_WAVES:
        mistakes.append(f"waves must contain 1 to {_MAX_WAVES} waves, got {len(waves)}")
        return ()
    read = []
    for number, wave in enumerate(waves, 1):
        given = {name: value for name, value in wave.items() if value is not None}
        if len(given) != 1:
            mistakes.append(f"wave {number} must have exactly one of count, percent and groups")
            continue
        count, percent, groups = given.get("count"), given.get("percent"), given.get("groups")
        mistakes.check_range(f"count of wave {number}", count, 1, 10_000_000)
        mistakes.check_range(f"percent of wave {number}", percent, 0.0001, 100)
        if groups is not None and not (groups and all(str(name).strip() for name in groups)):
            mistakes.append(f"groups of wave {number} must contain the names of device groups")
        reach = None if groups is not None else Share(percent, count)
        read.append(DeclaredWave(reach, tuple(dict.fromkeys(str(name).strip() for name in groups or ()))))
    _check_growth("count", [wave.get("count") for wave in waves], mistakes)
    _check_growth("percent", [wave.get("percent") for wave in waves], mistakes)
    return tuple(read)


def _check_growth(key: str, values: list[float | None], mistakes: _Mistakes) -> None:
    """Refuse a wave that contains no devices, because a wave before it reaches as far."""
    largest, last = 0.0, 0
    for number, value in enumerate(values, 1):
        if value is None:
            continue
        if last and value <= largest:
            mistakes.append(
                f"{key} of wave {number} must be greater than that of wave {last}, because it includes the devices of "
                f"the waves before it; got {_show(value)} after {_show(largest)}"
            )
        elif math.isfinite(value):
            largest, last = value, number


def _read_share(name: str, value: Any, mistakes: _Mistakes) -> Share:
    found = _SHARE.match(str(value))
    if found is None or (found[2] and float(found[1]) > 100) or (not found[2] and "." in found[1]):
        mistakes.append(f"{name} must be a share such as 5% or a number of devices, got {_show(str(value))}")
        return Share(count=1)
    return Share(float(found[1])) if found[2] else Share(count=int(found[1]))


def _read_brake(brake: Mapping[str, Any] | None, mistakes: _Mistakes) -> Brake:
    if brake is None:
        return Brake()
    mistakes.check_range("brake.at_least", brake["at_least"], 1, 10_000_000)
    failed = _read_share("brake.failed", brake["failed"], mistakes)
    return Brake(failed, _read_share("brake.offline", brake["offline"], mistakes), brake["at_least"])


def _read_unavailable(unavailable: Mapping[str, Any] | None, mistakes: _Mistakes) -> Share | None:
    if unavailable is None:
        return None
    most = _read_share("unavailable.most", unavailable["most"], mistakes)
    if not (most.percent or most.count):
        mistakes.append("unavailable.most must allow at least one device")
    return most


def _read_release(release: Any, mistakes: _Mistakes, *, is_whole: bool) -> Mapping[str, Any] | None:
    """Read the release at the end of the rollout.

    :param is_whole: whether the rollout selects all devices of the product.
    """
    if release is None:
        if not is_whole:
            mistakes.append(
                "release must be set together with filters: the default release would also reach devices outside of "
                "the selection; set release to none or to groups, or to {default: true} to release to all devices"
            )
        return {"default": True}
    if release == NO_RELEASE:
        return None
    try:
        given = check_type_dict(release)  # also reads the JSON text of an extra variable
    except TypeError:
        given = {}
    checked = _RELEASE.validate(given)
    if checked.error_messages or not given:
        unknown = sorted(_show(str(key)) for key in given.keys() - _RELEASE_SPEC.keys())
        found = f"the key {list_names(unknown)}" if unknown else _show(release)
        mistakes.append(f"release must be none, or have the keys default and groups, got {found}")
        return None
    default, groups = checked.validated_parameters["default"], checked.validated_parameters["groups"] or []
    if not all(name.strip() for name in groups):
        mistakes.append("release.groups contains an empty name")
    if not (default or groups):
        mistakes.append("release names neither the default nor groups; set release to none for no release")
    return {"default": default, **({"groups": [name.strip() for name in groups]} if groups else {})}


def _read_accepted(accept: list[str], mistakes: _Mistakes) -> frozenset[str]:
    ids = [value.strip().lower() for value in accept]
    if wrong := [value for value, device in zip(accept, ids, strict=True) if not DEVICE_ID.match(device)]:
        mistakes.append(
            f"accept contains {list_names(list(map(_show, wrong)))}: not a valid device id (24 hexadecimal digits)"
        )
    if len(ids) > _MAX_ACCEPTED:
        mistakes.append(f"accept must contain at most {_MAX_ACCEPTED} devices, got {len(ids)}")
    return frozenset(ids)
