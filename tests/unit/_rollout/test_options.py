# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The options of module `rollout` are read as Ansible passes them, and all mistakes are in one message."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DEFAULT_WAVES,
    Brake,
    DeclaredWave,
    Health,
    Phase,
    Rollout,
    Share,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    Declaration,
    Waiting,
    read_declaration,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.settings import (
    TOO_LARGE,
    build_settings,
    read_settings,
)
from ansible_collections.meshfleet.particle.plugins.modules.rollout import SPEC
from support.fleet_files import device_id


def read(**options: Any) -> Declaration:
    """Read options of a task, after the validation of Ansible."""
    validated = ArgumentSpecValidator(dict(SPEC)).validate({"product": "sensors", "version": 2, **options})
    assert not validated.error_messages, validated.error_messages
    return read_declaration(validated.validated_parameters)


def refuse(**options: Any) -> str:
    """Return the message with which options are refused."""
    with pytest.raises(ParticleError) as caught:
        read(**options)
    assert caught.value.code == "invalid_option"
    return caught.value.message


def test_version_alone_declares_the_documented_defaults() -> None:
    assert read() == Declaration(Rollout(2), read().filters, Waiting(86_400, 5, 60))
    assert read().rollout.waves == DEFAULT_WAVES
    assert read().rollout.brake == Brake(Share(5), Share(10), 2)
    assert read().rollout.release == {"default": True}


@pytest.mark.parametrize(
    ("brake", "expected"),
    [
        ({}, Brake()),
        ({"failed": "3%"}, Brake(failed=Share(3))),
        ({"offline": 4}, Brake(offline=Share(count=4))),
        ({"at_least": "1"}, Brake(at_least=1)),
        ({"failed": " 2.5 % "}, Brake(failed=Share(2.5))),
        ({"failed": "0"}, Brake(failed=Share(count=0))),
    ],
)
def test_part_of_a_brake_keeps_the_other_defaults(brake: dict[str, Any], expected: Brake) -> None:
    assert read(brake=brake).rollout.brake == expected


def test_options_of_a_rollout_are_read() -> None:
    read_ = read(approve="each", unavailable={"most": "25%"}, rollback="lock", brake={"failed": "3"}).rollout
    assert (read_.needs_approval, read_.unavailable, read_.is_rolled_back) == (True, Share(25), True)
    assert (read().rollout.needs_approval, read().rollout.unavailable, read().rollout.is_rolled_back) == (
        *(False, None, False),
    )


def test_part_of_poll_keeps_the_other_default() -> None:
    assert read(poll={"first": 1}).waiting == Waiting(86_400, 1, 60)
    assert read(poll={"longest": 9}).waiting == Waiting(86_400, 5, 9)
    assert read(poll={}).waiting == Waiting()
    assert read(wait=False).waiting is None


def test_texts_from_templates_are_read_as_numbers() -> None:
    read_ = read(
        version="3",
        waves=[{"count": "5"}, {"percent": "12.5"}, {"groups": "north,south"}],
        soak="60",
        approved="2",
        offline_after="90",
        wait_timeout="7",
        poll={"first": "2", "longest": "4"},
        supersede="yes",
    )
    assert read_.rollout.version == 3
    assert read_.rollout.waves == (
        DeclaredWave(Share(count=5)),
        DeclaredWave(Share(12.5)),
        DeclaredWave(groups=("north", "south")),
    )
    assert read_.rollout.health == Health(60, 90)
    assert (read_.rollout.approved, read_.rollout.supersedes) == (2, True)
    assert read_.waiting == Waiting(7, 2, 4)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("none", None),
        ({"default": True}, {"default": True}),
        ({"default": "yes"}, {"default": True}),
        ({"groups": ["north", " south "]}, {"default": False, "groups": ["north", "south"]}),
        ({"groups": "north,south"}, {"default": False, "groups": ["north", "south"]}),
        ('{"default": true}', {"default": True}),
    ],
)
def test_release_is_read_in_each_form(release: Any, expected: Any) -> None:
    assert read(release=release).rollout.release == expected


@pytest.mark.parametrize(
    "release", [{}, "", "all", False, 7, [], ["north"], {"groups": []}, {"default": False}, {"groups": [" "]}]
)
def test_release_without_a_target_is_refused(release: Any) -> None:
    assert "release" in refuse(release=release)


def test_unknown_key_of_a_release_is_named() -> None:
    assert refuse(release={"groups": ["a"], "intelligent": True}) == (
        "The rollout is not valid: release must be none, or have the keys default and groups, got the key "
        "'intelligent'."
    )


@pytest.mark.parametrize("filters", [{"groups": ["north"]}, {"online": False}, {"ids": [device_id(1)]}])
def test_selection_needs_an_explicit_release(filters: dict[str, Any]) -> None:
    assert "release must be set together with filters" in refuse(filters=filters)
    for release in ("none", {"default": True}, {"groups": ["north"]}):
        assert read(filters=filters, release=release).rollout.version == 2
    assert read(filters={}).rollout.release == {"default": True}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"version": 0}, "version must be a number from 1 to 65534, got 0"),
        ({"version": True}, "version must be a number from 1 to 65534, got True"),
        ({"version": 65_535}, "got 65535"),
        ({"soak": -1}, "soak must be a number from 0 to 31622400, got -1"),
        ({"approved": -1}, "approved must be a number from 0 to 1000, got -1"),
        ({"offline_after": 0}, "offline_after must be a number from 1 to 31622400, got 0"),
        ({"wait_timeout": -5}, "wait_timeout must be a number from 0 to 31622400, got -5"),
        ({"poll": {"first": 0}}, "poll.first must be a number from 1 to 86400, got 0"),
        ({"poll": {"first": 61}}, "poll.first (61) must not be greater than poll.longest (60)"),
        ({"poll": {"longest": float("nan")}}, "poll.longest must be a number from 1 to 86400, got nan"),
        ({"waves": []}, "waves must contain 1 to 40 waves, got 0"),
        ({"waves": [{"count": 1}] * 41}, "waves must contain 1 to 40 waves, got 41"),
        ({"waves": [{}]}, "wave 1 must have exactly one of count, percent and groups"),
        ({"waves": [{"count": 5, "percent": 3}]}, "wave 1 must have exactly one of"),
        ({"waves": [{"count": 0}]}, "count of wave 1 must be a number from 1 to 10000000, got 0"),
        ({"waves": [{"percent": 101}]}, "percent of wave 1 must be a number from 0.0001 to 100, got 101"),
        ({"waves": [{"percent": float("inf")}]}, "got inf"),
        ({"waves": [{"groups": []}]}, "groups of wave 1 must contain the names of device groups"),
        ({"waves": [{"groups": ["north", " "]}]}, "groups of wave 1 must contain the names of device groups"),
        ({"waves": [{"count": 5}, {"groups": ["a"]}, {"count": 5}]}, "count of wave 3 must be greater than that of"),
        ({"waves": [{"percent": 50}, {"percent": 10}]}, "percent of wave 2 must be greater than that of wave 1"),
        ({"brake": {"failed": "-5%"}}, "brake.failed must be a share such as 5% or a number of devices, got '-5%'"),
        ({"brake": {"failed": "101%"}}, "brake.failed must be a share"),
        ({"brake": {"offline": 0.05}}, "brake.offline must be a share"),
        ({"brake": {"offline": "\N{ARABIC-INDIC DIGIT FIVE}%"}}, "brake.offline must be a share"),
        ({"brake": {"at_least": 0}}, "brake.at_least must be a number from 1 to 10000000, got 0"),
        ({"unavailable": {"most": "0"}}, "unavailable.most must allow at least one device"),
        ({"unavailable": {"most": "0%"}}, "unavailable.most must allow at least one device"),
        ({"unavailable": {"most": "0.5"}}, "unavailable.most must be a share"),
        ({"accept": ["unit-1"]}, "accept contains 'unit-1': not a valid device id (24 hexadecimal digits)"),
        ({"accept": [f"{n:024x}" for n in range(201)]}, "accept must contain at most 200 devices, got 201"),
        ({"filters": {"ids": ["x"]}, "release": "none"}, "filters is not valid: x: not a valid device id"),
        ({"filters": {"silent_days": 7}, "release": "none"}, "filters.silent_days selects other devices as time"),
    ],
)
def test_wrong_value_is_refused_with_its_name_and_limits(options: dict[str, Any], part: str) -> None:
    assert part in refuse(**options)


def test_mistakes_of_all_options_are_in_one_message() -> None:
    message = refuse(
        version=0,
        waves=[{"count": 0}, {}],
        brake={"failed": "much"},
        poll={"first": 9, "longest": 3},
        wait_timeout=-1,
        accept=["x"],
        filters={"platforms": ["toaster"]},
        release="none",
    )
    for name in ("version", "count of wave 1", "wave 2", "brake.failed", "poll.first", "wait_timeout", "accept"):
        assert f"{name} " in message
    assert "toaster is not a platform" in message


def test_many_and_long_mistakes_fit_into_a_screenful() -> None:
    message = refuse(
        waves=[{"groups": []}] * 40,
        brake={"failed": "x" * 9_000},
        unavailable={"most": "y" * 9_000},
        release="z" * 9_000,
        accept=["v" * 9_000] * 300,
    )
    assert len(message) < 2_000
    assert " more." in message


def test_control_characters_in_a_wrong_value_are_escaped() -> None:
    assert refuse(accept=["a\x1b[2J\nb"], brake={"failed": "\x07"}).isprintable()


def test_accepted_ids_are_compared_in_lower_case() -> None:
    accept = [device_id(1).upper(), f" {device_id(1)} "]
    assert read(accept=accept).rollout.accepted == frozenset({device_id(1)})


@pytest.mark.parametrize(
    ("state", "phase"), [("present", Phase.RUNNING), ("paused", Phase.PAUSED), ("aborted", Phase.ABORTED)]
)
def test_state_becomes_the_declared_phase(state: str, phase: Phase) -> None:
    assert read(state=state).rollout.phase is phase


# ---------------------------------------------------------------------- the settings in the record

EVERYTHING: dict[str, Any] = {
    "waves": [{"count": 2}, {"groups": ["north"]}, {"percent": 12.5}],
    "soak": 60,
    "offline_after": 90,
    "brake": {"failed": "3", "offline": "7.5%", "at_least": 4},
    "approve": "each",
    "unavailable": {"most": "25%"},
    "rollback": "lock",
    "release": {"groups": ["north"]},
    "filters": {"groups": ["north"], "online": True, "firmware_versions": [1], "name": "unit-*", "platforms": ["13"]},
}


def store(declaration: Declaration) -> Any:
    """Return the settings as a ledger may return them: with floating-point numbers."""

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, list):
            return [convert(item) for item in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return convert(build_settings(declaration.rollout, declaration.filters))


@pytest.mark.parametrize("options", [{}, EVERYTHING, {"release": "none"}])
def test_settings_of_a_record_give_the_same_declaration(options: dict[str, Any]) -> None:
    declared = read(**options, wait=False)
    found = read_settings(2, store(declared))
    assert (found.rollout, found.filters) == (declared.rollout, declared.filters)
    assert all(isinstance(wave.reach.count, int) for wave in found.rollout.waves if wave.reach and wave.reach.count)


@pytest.mark.parametrize("damage", [None, -1, "much", [], [{}], {"a": 1}, float("nan"), [{"count": -5}], True])
def test_damaged_setting_has_its_default_and_others_remain(damage: Any) -> None:
    settings = store(read(**EVERYTHING))
    for name in ("waves", "soak", "brake", "unavailable", "offline_after"):
        found = read_settings(2, {**settings, name: damage})
        assert found.rollout.is_rolled_back
        assert found.filters == read(**EVERYTHING).filters
        assert read_settings(2, {name: damage}).rollout.version == 2


def test_settings_that_are_missing_have_their_defaults() -> None:
    assert read_settings(2, {}).rollout == read().rollout


def test_selection_of_many_devices_leaves_room_in_the_record() -> None:
    few, many = [device_id(number) for number in range(100)], [device_id(number) for number in range(1_000)]
    stored = build_settings(Rollout(2), read(filters={"ids": few}, release="none").filters)
    assert stored["filters"] == {"ids": few}
    stored = build_settings(Rollout(2), read(filters={"ids": many}, release="none").filters)
    assert stored["filters"] == TOO_LARGE
    assert read_settings(2, stored).filters == read().filters
