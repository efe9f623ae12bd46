# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Everything that the collection can change, as tasks that can be run dry and for real.

A new module, or a new way in which an old one changes something, joins by a case. `test_check_mode.py` fails until a
new module has one, or a reason there to have none.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.simulator import PASSWORD

Task = dict[str, Any]

DEVICES = 4
"""How many devices a case has."""


@dataclass(frozen=True)
class Ground:
    """What a case stands on: an account with nothing else in it, its product, new devices, a folder.

    `devices` are those of the simulator's state.
    """

    username: str
    client: Mapping[str, str]
    product: str
    devices: tuple[Mapping[str, Any], ...]
    folder: Path

    @property
    def ids(self) -> list[str]:
        """The ids of the devices."""
        return [str(device["id"]) for device in self.devices]

    @property
    def tokens(self) -> Path:
        """A file for kept tokens."""
        return self.folder / "tokens.json"

    @property
    def account(self) -> dict[str, str]:
        """Options that log in."""
        return {"username": self.username, "password": PASSWORD}


Tasks = Callable[[Ground], list[Task]]


def nothing(ground: Ground) -> list[Task]:
    """For a case that starts with a product as it is made."""
    return []


@dataclass(frozen=True)
class Case:
    """`tasks` are run dry and then for real, from the state to which `before` brings the cloud.

    :param hosts: the play's hosts with their variables; one without any when it is left out.
    :param changes: whether anything is to change at all.
    """

    name: str
    tasks: Tasks
    before: Tasks = nothing
    hosts: Callable[[Ground], dict[str, Any]] | None = None
    changes: bool = True


def fleet(**options: Any) -> Task:
    """A task with the module `fleet`."""
    return {"name": "Fleet", "meshfleet.particle.fleet": options}


def device(**options: Any) -> Task:
    """A task with the module `device`."""
    return {"name": "Device", "meshfleet.particle.device": options}


def network(**options: Any) -> Task:
    """A task with the module `network`."""
    return {"name": "Network", "meshfleet.particle.network": {"name": "barn", **options}}


def token(**options: Any) -> Task:
    """A task with the module `access_token`."""
    return {"name": "Token", "meshfleet.particle.access_token": options}


def provision(ground: Ground, **variables: Any) -> Task:
    """The role `provision`."""
    return role("provision", ground, **variables)


def report(ground: Ground, **variables: Any) -> Task:
    """The role `report`, into a folder that is there."""
    return role("report", ground, dest=str(ground.folder), **variables)


def role(name: str, ground: Ground, **variables: Any) -> Task:
    given = {"username": ground.username, "password": PASSWORD, **variables}
    return {
        "name": name.capitalize(),
        "ansible.builtin.include_role": {"name": f"meshfleet.particle.{name}"},
        "vars": {f"{name}_{variable}": value for variable, value in given.items()},
    }


# --- manifests ---


def barn(ground: Ground) -> dict[str, Any]:
    """All devices in one network, with all that can be declared of them."""
    return {
        "product": ground.product,
        "networks": {"barn": {"parameters": {"channel": 15, "key": "join-key"}}},
        "devices": [
            {
                "id": id,
                "name": f"unit-{index}",
                "notes": "north wall",
                "groups": ["north", "beta"],
                "development": True,
                "firmware_version": 7,
                "mesh": {"network": "barn", "role": "node" if index else "gateway"},
            }
            for index, id in enumerate(ground.ids)
        ],
    }


def moved(ground: Ground) -> dict[str, Any]:
    """From the barn: one stays under a key of its own, one founds a network, one moves, one leaves."""
    one, two, three, four = ground.ids
    return {
        "product": ground.product,
        "groups_mode": "exact",
        "networks": {"barn": {"parameters": {"channel": 16, "key": "another-key"}}, "shed": {}},
        "devices": [
            {
                "id": one,
                "groups": ["south"],
                "mesh": {"network": "barn", "role": "gateway", "parameters": {"key": "its-own"}},
            },
            {"id": two, "notes": "", "development": False, "mesh": {"network": "shed", "role": "gateway"}},
            {"id": three, "name": "moved", "firmware_version": "unlocked", "mesh": {"network": "shed"}},
            {"id": four, "groups": [], "mesh": {"state": "absent"}},
        ],
    }


def in_networks(ground: Ground, networks: Mapping[str, Any], *homes: str) -> dict[str, Any]:
    """The devices in turn in one of `homes` and the next, of which each gets its gateway first."""
    return {
        "product": ground.product,
        "networks": dict(networks),
        "devices": [
            {
                "id": id,
                "mesh": {"network": homes[index % len(homes)], "role": "gateway" if index < len(homes) else "node"},
            }
            for index, id in enumerate(ground.ids)
        ],
    }


def dissolved(ground: Ground, backend: str) -> dict[str, Any]:
    """The same network, which shall be no more; of its devices nothing is said."""
    return {"product": ground.product, "networks": {"barn": {"backend": backend, "state": "absent"}}, "devices": []}


def by_labels(ground: Ground) -> list[dict[str, Any]]:
    """The same devices as those who hold them in their hands know them."""
    kinds = ("serial_number", "iccid", "imei", "serial_number")
    return [
        {kind: label[kind], "name": f"unit-{index}", "groups": ["north"]}
        for index, (kind, label) in enumerate(zip(kinds, ground.devices, strict=True))
    ]


def in_file(ground: Ground, manifest: Mapping[str, Any]) -> str:
    """The path of a file that holds the manifest."""
    file = ground.folder / "fleet.yml"
    file.write_text(json.dumps(manifest), encoding="utf-8")  # JSON is YAML
    return str(file)


def in_table(ground: Ground) -> str:
    """The path of a table of the devices."""
    file = ground.folder / "fleet.csv"
    with file.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["serial_number", "groups", "mesh.network", "mesh.role"])
        for index, label in enumerate(ground.devices):
            rows.writerow([label["serial_number"], "north;beta", "barn", "node" if index else "gateway"])
    return str(file)


def own(ground: Ground, *, claimed: bool) -> dict[str, Any]:
    """The account's own devices, from now on or no longer."""
    more = [{"name": f"own-{id[-4:]}"} if claimed else {} for id in ground.ids]
    return {"devices": [{"id": id, "claimed": claimed, **fields} for id, fields in zip(ground.ids, more, strict=True)]}


def half_as_hosts(ground: Ground) -> dict[str, Any]:
    """The first two devices as hosts; of the others the inventory knows nothing."""
    return dict(list(as_hosts(ground).items())[:2])


def as_hosts(ground: Ground) -> dict[str, Any]:
    """Each device a host."""
    return {
        f"{ground.product}-{index}": {"particle_device": {"id": id, "name": f"host-{index}", "groups": ["north"]}}
        for index, id in enumerate(ground.ids)
    }


# --- tasks that several cases share ---


def whole(ground: Ground) -> list[Task]:
    return [fleet(manifest=barn(ground))]


def half(ground: Ground) -> list[Task]:
    return [fleet(product=ground.product, devices=[{"id": id, "notes": "old"} for id in ground.ids[:2]])]


def claimed(ground: Ground) -> list[Task]:
    return [fleet(**own(ground, claimed=True))]


def registered(ground: Ground) -> list[Task]:
    return [fleet(manifest=in_networks(ground, {"barn": {"backend": "networks"}}, "barn"))]


def formed(ground: Ground) -> list[Task]:
    return [fleet(**own(ground, claimed=True)), network(gateway=ground.ids[0], members=ground.ids[1:3])]


def of_inventory(ground: Ground) -> list[Task]:
    task = fleet(product=ground.product, from_inventory=True, fail=False)
    outcome = {"name": "Outcome", "meshfleet.particle.fleet_outcome": {"fleet": "{{ fleet }}"}}
    return [{**task, "run_once": True, "register": "fleet"}, outcome]


def of_inventory_without_barn(ground: Ground) -> list[Task]:
    play, outcome = of_inventory(ground)
    options = {**play["meshfleet.particle.fleet"], "networks": {"barn": {"state": "absent"}}}
    return [{**play, "meshfleet.particle.fleet": options}, outcome]


def gateway(ground: Ground) -> list[Task]:
    return [
        device(
            product=ground.product,
            serial_number=ground.devices[0]["serial_number"],
            name="gateway",
            groups=["north"],
            claimed=True,
            networks={"barn": {"parameters": {"key": "join-key"}}},
            mesh={"network": "barn", "role": "gateway"},
        )
    ]


def keep(ground: Ground) -> list[Task]:
    return [token(**ground.account, token_file=str(ground.tokens))]


def revoke_kept(ground: Ground) -> list[Task]:
    path = f"(lookup('ansible.builtin.file', '{ground.tokens}') | from_json).tokens[0].access_token"
    return [token(state="absent", access_token="{{ " + path + " }}")]


# --- the cases ---

OF_FLEETS = (
    Case("a fleet from nothing", whole),
    Case("a fleet that is all there", whole, before=whole, changes=False),
    Case("a fleet half of which is there", lambda on: [fleet(manifest=in_file(on, barn(on)))], before=half),
    Case("a fleet that moves", lambda on: [fleet(**moved(on))], before=whole),
    Case("a fleet by its labels", lambda on: [fleet(product=on.product, devices=by_labels(on))]),
    Case(
        "a fleet in a table",
        lambda on: [
            fleet(manifest=in_table(on), product=on.product, name_template="{role}-{index:2}", verify="online")
        ],
    ),
    Case(
        "a fleet that is claimed",
        lambda on: [fleet(product=on.product, devices=[{"id": id, "claimed": True} for id in on.ids])],
        before=half,
    ),
    Case("a fleet that goes", lambda on: [fleet(manifest=barn(on), state="absent", confirm=True)], before=whole),
    Case("devices that become the account's own", claimed),
    Case(
        "own devices by their labels",
        lambda on: [fleet(devices=[{"serial_number": it["serial_number"], "claimed": True} for it in on.devices])],
    ),
    Case(
        "own devices that are given up",
        lambda on: [fleet(**own(on, claimed=False), state="absent", confirm=True)],
        before=claimed,
    ),
    Case("hosts of an inventory", of_inventory, hosts=as_hosts),
    Case(
        "hosts of an inventory some of whose network are none",
        of_inventory_without_barn,
        before=lambda on: [{**task, "run_once": True} for task in whole(on)],
        hosts=half_as_hosts,
    ),
)

OF_NETWORKS = (
    Case("networks of the registry", registered),
    Case(
        "networks that move from the registry to a ledger",
        lambda on: [fleet(manifest=in_networks(on, {"barn": {"backend": "networks"}, "shed": {}}, "barn", "shed"))],
        before=registered,
    ),
    Case(
        "networks of the registry that are dissolved",
        lambda on: [fleet(manifest=dissolved(on, "networks"))],
        before=registered,
    ),
    Case("networks of a ledger that are dissolved", lambda on: [fleet(manifest=dissolved(on, "ledger"))], before=whole),
    Case(
        "a network",
        lambda on: [network(gateway=on.ids[0], members=on.ids[1:], type="micro_cellular")],
        before=claimed,
    ),
    Case(
        "a network that changes",
        lambda on: [network(gateway=on.ids[3], members=on.ids[1:2], exact=True)],
        before=formed,
    ),
    Case("a network that is there", lambda on: [network(gateway=on.ids[0])], before=formed, changes=False),
    Case("a network that is dissolved", lambda on: [network(state="absent")], before=formed),
)

OF_DEVICES = (
    Case("a device", gateway),
    Case(
        "a device that changes",
        lambda on: [
            device(
                product=on.product,
                id=on.ids[0],
                notes="moved",
                groups=["south"],
                groups_mode="exact",
                mesh={"state": "absent"},
            )
        ],
        before=gateway,
    ),
    Case(
        "a device that goes",
        lambda on: [device(product=on.product, id=on.ids[0], claimed=False, state="absent")],
        before=gateway,
    ),
)

OF_ROLES = (
    Case("the role with a manifest", lambda on: [provision(on, manifest=barn(on), verify="online")]),
    Case("the role over hosts", lambda on: [provision(on, from_inventory=True, product=on.product)], hosts=as_hosts),
    Case(
        "the role on the way out",
        lambda on: [provision(on, manifest=barn(on), state="absent", confirm=True)],
        before=whole,
    ),
    Case("the report of a product", lambda on: [report(on, products=[on.product])], before=whole),
)

OF_TOKENS = (
    Case("a token", lambda on: [token(**on.account, expires_in=600)]),
    Case("a token of a client", lambda on: [token(grant="client_credentials", **on.client)]),
    Case("a token to keep", keep),
    Case("a token that is kept", keep, before=keep, changes=False),
    Case(
        "a token that is rotated",
        lambda on: [token(**on.account, state="rotated", token_file=str(on.tokens))],
        before=keep,
    ),
    Case("a token that is revoked", revoke_kept, before=keep),
    Case(
        "all tokens of an account",
        lambda on: [token(**on.account, state="absent", which="all", confirm=True)],
        before=keep,
    ),
)

CASES = (*OF_FLEETS, *OF_NETWORKS, *OF_DEVICES, *OF_ROLES, *OF_TOKENS)
