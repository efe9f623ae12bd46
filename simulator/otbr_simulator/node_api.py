# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The older family of the REST API, `/node`: plain JSON values (otbr-rest.md, section 2; otbr-rest.md, section 4.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otbr_simulator import datasets, rules
from otbr_simulator import tlvs as tlv
from otbr_simulator.commissioner import ACTIVE, LEGACY, OFF, Joiner
from otbr_simulator.errors import Refusal
from otbr_simulator.messages import Call, empty_reply
from otbr_simulator.pending import read_pending_json
from otbr_simulator.settings import Generation
from otbr_simulator.task_forms import DISCERNER, EUI64, PSKD_FORBIDDEN, PSKD_LENGTHS
from otbr_simulator.tlvs import Tlvs
from simulator_base.messages import Reply, json_reply

RADIO_VERSION = "OPENTHREAD/simulated; SIMULATION"


def reply_json(call: Call, content: Any) -> Reply:
    """Build a JSON response with the keys of the simulated generation of the API."""
    return json_reply(show_keys(call, content))


def show_keys(call: Call, content: Any) -> Any:
    """Return JSON data with the keys of the simulated generation of the API."""
    generation = call.world.settings.generation
    if generation is Generation.OLD:
        return datasets.to_pascal_keys(content)
    if generation is Generation.MIDDLE and isinstance(content, dict):
        return {("Routers" if key == "routers" else key): show_keys(call, value) for key, value in content.items()}
    return content


def _parse_body(call: Call) -> Any:
    content = datasets.parse_json(call.body)
    return datasets.from_pascal_keys(content) if call.world.settings.generation is Generation.OLD else content


def answer_options(call: Call) -> Reply:
    """Answer an OPTIONS request of this family: 200 without a body."""
    return empty_reply()


# ---------------------------------------------------------------------- state


def get_node(call: Call) -> Reply:
    """Return the summary of the border router."""
    return reply_json(call, call.router.show_node())


def get_state(call: Call) -> Reply:
    """Return the state."""
    return json_reply(call.router.role)


def put_state(call: Call) -> Reply:
    """Enable or disable Thread."""
    command = datasets.parse_json(call.body)
    if command == "enable":
        call.router.enable()
    elif command == "disable":
        call.router.disable()
    else:
        raise Refusal(400)
    return empty_reply()


def make_reader(name: str) -> Callable[[Call], Reply]:
    """Build the handler that returns one value of the summary."""
    return lambda call: json_reply(call.router.show_node()[name])


def get_rloc16(call: Call) -> Reply:
    """Return the RLOC16, which is a number here and a text in the summary."""
    return json_reply(call.router.rloc16)


def get_leader_data(call: Call) -> Reply:
    """Return the leader data. Without a network, this fails with status 500."""
    data = call.router.show_leader_data()
    if data is None:
        raise Refusal(500)
    return reply_json(call, data)


def get_radio_version(call: Call) -> Reply:
    """Return the version of the radio firmware."""
    return json_reply(RADIO_VERSION)


def delete_node(call: Call) -> Reply:
    """Reset the border router to its factory state at once, even in a running network."""
    call.router.reset_to_factory()
    return empty_reply()


# ---------------------------------------------------------------------- datasets


def _reply_dataset(call: Call, tlvs: Tlvs, content: Any) -> Reply:
    if call.headers.get("Accept") == rules.TEXT:
        return Reply(200, tlv.encode_tlvs(tlvs).encode(), {}, rules.TEXT)
    return reply_json(call, content)


def get_active(call: Call) -> Reply:
    """Return the active dataset, or 204 if there is none."""
    dataset = call.router.dataset
    if dataset is None:
        return empty_reply(204)
    return _reply_dataset(call, dataset, datasets.show_active(dataset))


def get_pending(call: Call) -> Reply:
    """Return the pending dataset, or 204 if there is none."""
    pending = call.router.pending
    if pending.tlvs is None:
        return empty_reply(204)
    return _reply_dataset(call, pending.get_tlvs(), pending.show())


def _check_condition(call: Call, is_in_place: bool) -> None:
    """Check If-None-Match as newer border routers do. The observed version ignores the header."""
    condition = call.headers.get("If-None-Match")
    if call.world.settings.generation is not Generation.NEWER or condition is None:
        return
    if condition != "*":
        raise Refusal(400)
    if is_in_place:
        raise Refusal(412)


def _make_body_reader(call: Call, read_json: Callable[[Any, Tlvs], Tlvs]) -> Callable[[Tlvs], Tlvs]:
    """Build the function that reads the body: TLVs if the content type is text/plain, JSON in all other cases."""
    if call.headers.get("Content-Type") == rules.TEXT:
        return lambda base: tlv.decode_tlvs(call.body.decode("latin-1"))
    return lambda base: read_json(_parse_body(call), base)


def put_active(call: Call) -> Reply:
    """Set the active dataset, while the border router is disabled."""
    _check_condition(call, call.router.dataset is not None)
    return empty_reply(call.router.put_active(_make_body_reader(call, datasets.read_active_fields)))


def put_pending(call: Call) -> Reply:
    """Set the pending dataset, in any state."""
    _check_condition(call, call.router.pending.tlvs is not None)
    return empty_reply(call.router.pending.put(_make_body_reader(call, read_pending_json)))


# ---------------------------------------------------------------------- the legacy joiner list


def get_commissioner(call: Call) -> Reply:
    """Return the state of the commissioner."""
    return json_reply(call.router.commissioner.state)


def put_commissioner(call: Call) -> Reply:
    """Switch the commissioner on or off."""
    command = datasets.parse_json(call.body)
    if command not in ("enable", "disable"):
        raise Refusal(400)
    router = call.router
    if not router.is_attached:
        raise Refusal(409)
    if command == "disable":
        router.commissioner.interrupt(lambda: any(task.joiner is not None for task in router.tasks.running))
    elif router.commissioner.state == OFF:
        router.commissioner.start(LEGACY)
    return empty_reply()


def get_joiners(call: Call) -> Reply:
    """Return the joiner table. The PSKds are in clear. The keys are the same in all generations of the API."""
    return json_reply(call.router.commissioner.show())


def post_joiner(call: Call) -> Reply:
    """Add a joiner. Here a full table is refused, with status 507."""
    eui, pskd, seconds = _read_joiner(datasets.parse_json(call.body))
    commissioner = call.router.commissioner
    if commissioner.state != ACTIVE:
        raise Refusal(409)
    known = commissioner.find(eui)
    if known is not None:
        commissioner.remove(known)
    if commissioner.is_full:
        raise Refusal(507)
    joiner = Joiner(eui, None, pskd, call.world.now() + seconds)
    commissioner.add(joiner)
    call.world.plan(seconds, lambda: commissioner.remove(joiner))
    return empty_reply()


def _read_joiner(content: Any) -> tuple[str, str, float]:
    if not isinstance(content, dict):
        raise Refusal(400)
    eui, pskd, seconds = content.get("eui"), content.get("pskd"), content.get("timeout", 60)
    if not isinstance(eui, str) or not EUI64.fullmatch(eui):
        raise Refusal(400)
    if not isinstance(pskd, str) or len(pskd) not in PSKD_LENGTHS or PSKD_FORBIDDEN & set(pskd):
        raise Refusal(400)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 2**31:
        raise Refusal(400)
    return eui.lower(), pskd, float(seconds)


def delete_joiner(call: Call) -> Reply:
    """Remove a joiner, including one that is not there. The text `*` removes only an entry for any device."""
    eui = datasets.parse_json(call.body)
    if not isinstance(eui, str) or not (eui == "*" or EUI64.fullmatch(eui) or DISCERNER.fullmatch(eui)):
        raise Refusal(400)
    known = call.router.commissioner.find(eui.lower())
    if known is not None:
        call.router.commissioner.remove(known)
    return empty_reply()


# ---------------------------------------------------------------------- the ephemeral key


def get_key_state(call: Call) -> Reply:
    """Return whether the feature is on."""
    return json_reply("enabled" if call.router.ephemeral_key.enabled else "disabled")


def put_key_state(call: Call) -> Reply:
    """Allow or forbid ephemeral keys."""
    command = datasets.parse_json(call.body)
    if command not in ("enable", "disable"):
        raise Refusal(400)
    call.router.ephemeral_key.set_enabled(command == "enable")
    return empty_reply()


def get_key(call: Call) -> Reply:
    """Return the state of the key and its port."""
    return json_reply(call.router.ephemeral_key.show())


def post_key(call: Call) -> Reply:
    """Start a key."""
    return json_reply(call.router.ephemeral_key.start(datasets.parse_json(call.body) if call.body else {}))


def delete_key(call: Call) -> Reply:
    """End the key."""
    call.router.ephemeral_key.stop()
    return empty_reply()
