# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the networks and members of backend ``thread``. Private to this collection.

This module sends no requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    LISTING,
    NETWORK_NAME,
    NODE,
    Membership,
    Network,
    Option,
    Rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.forms import (
    EUI64,
    MIN_CHANGE_DELAY,
    read_channel,
    read_eui64,
    read_hex,
    read_joiner,
    read_network_name,
    read_number,
    read_pan_id,
    read_url,
)

PARAMETERS: Mapping[str, Callable[[ValueReader, Any, Place], object]] = {
    "channel": read_channel,
    "pan_id": read_pan_id,
    "network_name": read_network_name,
    "extended_pan_id": lambda reader, value, place: read_hex(reader, value, place, 16),
    "network_key": lambda reader, value, place: read_hex(reader, value, place, 32),
}
"""The valid parameters of a network, each with the function that checks its value."""

_SECONDS = {"joiner_timeout": (10, 3600), "commissioning_timeout": (10, DAY), "change_delay": (MIN_CHANGE_DELAY, DAY)}
"""The network keys that hold a number of seconds, with the smallest and the largest valid number."""


ROUTER_SPEC: Mapping[str, Any] = {
    "url": {"type": "str", "required": True},
    "ca_path": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
"""The argument spec of one border router."""

_NETWORKS_SPEC: Mapping[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "border_routers": {"type": "list", "elements": "dict", "required": True, "options": ROUTER_SPEC},
    },
}
"""The argument spec of the option that names the networks whose members are listed."""


class ThreadRules(Rules):
    """The rules of backend ``thread``. A member is identified by its EUI-64, which is printed on the board."""

    name = "thread"
    needs_product = False
    needs_login = False
    needs_gateway = False
    forms_networks = True
    options: ClassVar[Mapping[str, Option]] = {"thread_networks": Option(_NETWORKS_SPEC, frozenset({LISTING}))}
    identities = ("eui64",)
    network_keys = ("border_routers", *_SECONDS)
    member_keys = ("joiner",)

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        """Report a mistake if the name of a network is not valid. The radio network can have another name."""
        text = reader.read_text(name, place)
        if isinstance(name, str) and not NETWORK_NAME.match(text):
            reader.add_mistake(place, "is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -")

    def check_parameters(self, reader: ValueReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Report mistakes in the values of the radio network. A mistake never shows a key."""
        known = reader.read_mapping(parameters, place, tuple(PARAMETERS))
        for key, value in known.items():
            if key in PARAMETERS:
                PARAMETERS[key](reader, value, (*place, key))

    def read_network(self, reader: ValueReader, network: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the border routers and the times of a network."""
        extra: dict[str, Any] = {}
        for key, bounds in _SECONDS.items():
            if key in network:
                extra[key] = read_number(reader, network[key], (*place, key), bounds, "a number of seconds")
        if not network.get("border_routers"):
            reader.add_mistake(place, "has no border_routers; declare the url of at least one border router")
        extra["border_routers"] = self._read_routers(reader, network.get("border_routers", []), place)
        return extra

    def _read_routers(self, reader: ValueReader, value: Any, place: Place) -> tuple[Mapping[str, Any], ...]:
        place = (*place, "border_routers")
        found: list[tuple[Place, str]] = []
        routers = []
        items = reader.read_list(value, place)
        for index, item in enumerate(items):
            router = reader.read_mapping(item, (*place, index), tuple(ROUTER_SPEC))
            if "url" not in router and isinstance(item, Mapping):
                reader.add_mistake((*place, index), "has no url")
            url = read_url(reader, router["url"], (*place, index, "url")) if "url" in router else None
            for key in ("ca_path", "username", "password"):
                if key in router:
                    reader.read_text(router[key], (*place, index, key))
            if ("username" in router) is not ("password" in router):
                reader.add_mistake((*place, index), "must have both username and password, or neither of them")
            if url is not None:
                found.append(((*place, index), url))
                routers.append({**router, "url": url})
        reader.refuse_duplicates(found, "url")
        return tuple(routers)

    def read_member(self, reader: ValueReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the joiner key of a member. The role gateway and parameters are mistakes."""
        if mesh.get("role", NODE) != NODE:
            phrase = "cannot be gateway: the gateways of a Thread network are its border_routers"
            reader.add_mistake((*place, "role"), phrase)
        if "parameters" in mesh:
            phrase = "cannot be declared for a member of backend thread, which receives them from the border router"
            reader.add_mistake((*place, "parameters"), phrase)
        if "joiner" not in mesh:
            return {}
        return {"joiner": read_joiner(reader, mesh["joiner"], (*place, "joiner"))}

    def read_identity(self, reader: ValueReader, key: str, value: Any, place: Place) -> str | None:
        """Return the EUI-64 of a member as 16 lower-case digits."""
        return read_eui64(reader, value, place)

    def is_identity(self, text: str) -> bool:
        """Return whether a text is an EUI-64 of 16 lower-case digits."""
        return EUI64.match(text) is not None

    def read_gateway(self, reader: ValueReader, value: Any, place: Place) -> str | None:
        """Report a mistake, because border routers are not declared as devices."""
        given = repr(value) if isinstance(value, str) else describe_type(value)
        reader.add_mistake(place, f"cannot be declared, got {given}: declare border_routers instead")
        return None

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that the row of a member shows; see :mod:`topology`."""
        seen = row.get("thread")
        return Membership(str(seen["network"]), NODE) if isinstance(seen, Mapping) and seen.get("network") else None

    def read_state(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state in the row of a member."""
        return (row.get("thread") or {}).get("state")

    def can_list_members(self, options: Mapping[str, Any]) -> bool:
        """Return whether the options name networks."""
        return bool(options.get("thread_networks"))

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        """Return ``True``. An exported manifest contains no keys."""
        return True

    def export_network(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the border routers of a network, without the login of a proxy."""
        return {"border_routers": [{"url": url} for url in rows[0]["thread"]["border_routers"]]}

    def find_secrets(self, network: Network, members: Iterable[Membership]) -> Iterable[str]:
        """Return the network key, the passwords of proxies and the joiner keys."""
        key = str((network.parameters or {}).get("network_key") or "")
        yield from (key, key.lower(), key.upper())
        yield from (str(router.get("password") or "") for router in network.extra.get("border_routers", ()))
        yield from (str(member.extra.get("joiner") or "") for member in members)


THREAD = ThreadRules()


def read_networks(options: Mapping[str, Any]) -> list[Network]:
    """Return the networks in option ``thread_networks``.

    :raises ParticleError: ``invalid_option`` when the option is not valid. The message contains all mistakes.
    """
    reader = ValueReader(format_place)
    networks = [
        _read_network(reader, item["name"], item["border_routers"], ("thread_networks", index))
        for index, item in enumerate(options.get("thread_networks") or [])
    ]
    _raise_mistakes(reader)
    return networks


def read_network(name: str, routers: Sequence[Mapping[str, Any]]) -> Network:
    """Return the network that the options ``name`` and ``border_routers`` of a module name.

    :raises ParticleError: ``invalid_option`` when an option is not valid. The message contains all mistakes.
    """
    reader = ValueReader(lambda place: format_place(place) if place else f"network {name}")
    network = _read_network(reader, name, routers, ())
    _raise_mistakes(reader)
    return network


def list_given_routers(routers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the border routers in an option of a module without the keys that are not set."""
    return [{key: value for key, value in router.items() if value is not None} for router in routers]


def _read_network(reader: ValueReader, name: str, routers: Iterable[Mapping[str, Any]], place: Place) -> Network:
    THREAD.check_name(reader, name, (*place, "name"))
    extra = THREAD.read_network(reader, {"border_routers": list_given_routers(routers)}, place)
    return Network(name, (), backend=THREAD.name, extra=extra)


def _raise_mistakes(reader: ValueReader) -> None:
    if reader.mistakes:
        raise ParticleError("invalid_option", f"{'; '.join(reader.mistakes)}.")
