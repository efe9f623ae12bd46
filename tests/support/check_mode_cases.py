# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test cases for check mode, with tasks for everything that the collection can change.

Add a case for each new module, and for each new kind of change that a module makes. `test_check_mode.py` fails if a
module has no case. `test_check_mode.py` also lists the modules that need no case, with a reason for each.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.firmware import make_binary
from support.simulator import PASSWORD, PRODUCT_SLUG

Task = dict[str, Any]

DEVICES = 4
"""The number of devices in each test case."""


@dataclass(frozen=True)
class Tenant:
    """The resources of one test case: an account with an empty product, new devices, and a folder."""

    username: str
    client: Mapping[str, str]
    product: str
    devices: tuple[Mapping[str, Any], ...]
    folder: Path

    @property
    def ids(self) -> list[str]:
        """The device ids."""
        return [str(device["id"]) for device in self.devices]

    @property
    def tokens(self) -> Path:
        """The path of the token file."""
        return self.folder / "tokens.json"

    @property
    def account(self) -> dict[str, str]:
        """The module options for a login with this account."""
        return {"username": self.username, "password": PASSWORD}


Tasks = Callable[[Tenant], list[Task]]


def no_tasks(tenant: Tenant) -> list[Task]:
    """Return no tasks. A case that starts with an empty product needs no preparation."""
    return []


@dataclass(frozen=True)
class Case:
    """A test case: tasks that run first in check mode and then without check mode.

    :param before: tasks that run before the run in check mode, to prepare the cloud.
    :param hosts: the variables of each host of the play, keyed by host name; by default one host without variables.
    :param changes: whether `tasks` change anything in the prepared cloud.
    """

    name: str
    tasks: Tasks
    before: Tasks = no_tasks
    hosts: Callable[[Tenant], dict[str, Any]] | None = None
    changes: bool = True


def fleet_task(**options: Any) -> Task:
    """Build a task that calls the module `fleet`."""
    return {"name": "Fleet", "meshfleet.particle.fleet": options}


def device_task(**options: Any) -> Task:
    """Build a task that calls the module `device`."""
    return {"name": "Device", "meshfleet.particle.device": options}


def network_task(**options: Any) -> Task:
    """Build a task that calls the module `network` for the network `barn`."""
    return {"name": "Network", "meshfleet.particle.network": {"name": "barn", **options}}


def integration_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `integration`."""
    return {"name": "Integration", "meshfleet.particle.integration": {"product": tenant.product, **options}}


def group_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `device_group` for the group `canary`."""
    given = {"product": tenant.product, "name": "canary", **options}
    return {"name": "Group", "meshfleet.particle.device_group": given}


def product_task(tenant: Tenant, **definition: Any) -> Task:
    """Build a task that calls the module `product`, and removes device groups that the definition does not declare."""
    given = {"product": tenant.product, "definition": definition, "prune": ["groups"]}
    return {"name": "Product", "meshfleet.particle.product": given}


def apply_product(tenant: Tenant) -> list[Task]:
    """Apply a definition with two kinds of resources."""
    hook = {"event": "reading", "url": "https://hooks.example.net/in", "headers": {"X-Site": "barn"}}
    return [product_task(tenant, groups={"canary": {"description": "On our roof"}}, integrations={"readings": hook})]


def secret_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `secret` for the secret `API_KEY`."""
    return {"name": "Secret", "meshfleet.particle.secret": {"product": tenant.product, "name": "API_KEY", **options}}


def ledger_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `ledger` for the ledger `settings`."""
    return {"name": "Ledger", "meshfleet.particle.ledger": {"product": tenant.product, "name": "settings", **options}}


def sim_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `sim` for the SIM of the first device."""
    given = {"product": tenant.product, "iccid": tenant.devices[0]["iccid"], **options}
    return {"name": "SIM", "meshfleet.particle.sim": given}


def call_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls a function on all devices of the product."""
    given = {"product": tenant.product, "function": "led", "argument": "on", **options}
    return {"name": "Call", "meshfleet.particle.device_call": given}


def environment_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `product_environment`."""
    return {"name": "Environment", "meshfleet.particle.product_environment": {"product": tenant.product, **options}}


def user_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `api_user` for the API user `nightly`."""
    given = {"product": tenant.product, "name": "nightly", "user_token_file": str(tenant.folder / "nightly.json")}
    return {"name": "User", "meshfleet.particle.api_user": {**given, **options}}


def request_task(tenant: Tenant, method: str, path: str, **body: Any) -> Task:
    """Build a task that calls the module `api_request` for a route of the product."""
    given = {"method": method, "path": f"/v1/products/{tenant.product}{path}", "body": body or None}
    return {"name": "Request", "meshfleet.particle.api_request": given}


def event_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `publish_event` for the product."""
    given = {"product": tenant.product, "name": "report-now", **options}
    return {"name": "Event", "meshfleet.particle.publish_event": given}


def firmware_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `firmware`."""
    return {"name": "Firmware", "meshfleet.particle.firmware": {"product": tenant.product, **options}}


def rollout_task(tenant: Tenant, **options: Any) -> Task:
    """Build a task that calls the module `rollout` for version 7, and does not wait."""
    given = {"product": tenant.product, "version": 7, "waves": [{"count": 2}, {"percent": 100}], "wait": False}
    return {"name": "Rollout", "meshfleet.particle.rollout": {**given, **options}}


def token_task(**options: Any) -> Task:
    """Build a task that calls the module `access_token`."""
    return {"name": "Token", "meshfleet.particle.access_token": options}


def provision_task(tenant: Tenant, **variables: Any) -> Task:
    """Build a task that includes the role `provision`."""
    return role_task("provision", tenant, **variables)


def report_task(tenant: Tenant, **variables: Any) -> Task:
    """Build a task that includes the role `report`. The role writes its files into the tenant's folder."""
    return role_task("report", tenant, dest=str(tenant.folder), **variables)


def role_task(name: str, tenant: Tenant, **variables: Any) -> Task:
    given = {"username": tenant.username, "password": PASSWORD, **variables}
    return {
        "name": name.capitalize(),
        "ansible.builtin.include_role": {"name": f"meshfleet.particle.{name}"},
        "vars": {f"{name}_{variable}": value for variable, value in given.items()},
    }


# --- manifests ---


def build_barn(tenant: Tenant) -> dict[str, Any]:
    """Build a manifest with all devices in the network `barn`. Each device has a value for almost every field."""
    return {
        "product": tenant.product,
        "networks": {"barn": {"parameters": {"channel": 15, "key": "join-key"}}},
        "devices": [
            {
                "id": id,
                "name": f"unit-{index}",
                "notes": "north wall",
                "groups": ["north", "beta"],
                "development": True,
                "firmware_lock": 7,
                "mesh": {"network": "barn", "role": "node" if index else "gateway"},
            }
            for index, id in enumerate(tenant.ids)
        ],
    }


def build_moved_fleet(tenant: Tenant) -> dict[str, Any]:
    """Build a manifest that changes each device in the manifest of `build_barn`.

    The first device gets its own value of the network parameter `key`, two devices move to the network `shed`, and the
    last device leaves the network.
    """
    one, two, three, four = tenant.ids
    return {
        "product": tenant.product,
        "groups_mode": "exact",
        "networks": {"barn": {"parameters": {"channel": 16, "key": "another-key"}}, "shed": {}},
        "devices": [
            {
                "id": one,
                "groups": ["south"],
                "mesh": {"network": "barn", "role": "gateway", "parameters": {"key": "its-own"}},
            },
            {"id": two, "notes": "", "development": False, "mesh": {"network": "shed", "role": "gateway"}},
            {"id": three, "name": "moved", "firmware_lock": "unlocked", "mesh": {"network": "shed"}},
            {"id": four, "groups": [], "mesh": {"state": "absent"}},
        ],
    }


def build_networks(tenant: Tenant, networks: Mapping[str, Any], *homes: str) -> dict[str, Any]:
    """Build a manifest that distributes the devices over the networks named in `homes`.

    The first device of each network is its gateway.
    """
    return {
        "product": tenant.product,
        "networks": dict(networks),
        "devices": [
            {
                "id": id,
                "mesh": {"network": homes[index % len(homes)], "role": "gateway" if index < len(homes) else "node"},
            }
            for index, id in enumerate(tenant.ids)
        ],
    }


def build_dissolved(tenant: Tenant, backend: str) -> dict[str, Any]:
    """Build a manifest that removes the network `barn` and declares no devices."""
    return {"product": tenant.product, "networks": {"barn": {"backend": backend, "state": "absent"}}, "devices": []}


def list_labelled_devices(tenant: Tenant) -> list[dict[str, Any]]:
    """Return manifest entries that identify the devices by serial number, ICCID or IMEI."""
    kinds = ("serial_number", "iccid", "imei", "serial_number")
    return [
        {kind: label[kind], "name": f"unit-{index}", "groups": ["north"]}
        for index, (kind, label) in enumerate(zip(kinds, tenant.devices, strict=True))
    ]


def write_manifest(tenant: Tenant, manifest: Mapping[str, Any]) -> str:
    """Write a manifest to a YAML file, and return the path of the file."""
    file = tenant.folder / "fleet.yml"
    file.write_text(json.dumps(manifest), encoding="utf-8")  # JSON is YAML
    return str(file)


def write_table(tenant: Tenant) -> str:
    """Write a CSV file that declares the devices, and return the path of the file."""
    file = tenant.folder / "fleet.csv"
    with file.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["serial_number", "groups", "mesh.network", "mesh.role"])
        for index, label in enumerate(tenant.devices):
            rows.writerow([label["serial_number"], "north;beta", "barn", "node" if index else "gateway"])
    return str(file)


def build_own_devices(tenant: Tenant, *, claimed: bool) -> dict[str, Any]:
    """Build options of `fleet` that claim or unclaim the devices, without a product."""
    more = [{"name": f"own-{id[-4:]}"} if claimed else {} for id in tenant.ids]
    return {"devices": [{"id": id, "claimed": claimed, **fields} for id, fields in zip(tenant.ids, more, strict=True)]}


def build_half_of_hosts(tenant: Tenant) -> dict[str, Any]:
    """Build inventory hosts for only the first two devices. Return the host variables, keyed by host name."""
    return dict(list(build_hosts(tenant).items())[:2])


def build_hosts(tenant: Tenant) -> dict[str, Any]:
    """Build one inventory host for each device. Return the host variables, keyed by host name."""
    return {
        f"{tenant.product}-{index}": {"particle_device": {"id": id, "name": f"host-{index}", "groups": ["north"]}}
        for index, id in enumerate(tenant.ids)
    }


# --- tasks that several cases share ---


def apply_whole_fleet(tenant: Tenant) -> list[Task]:
    return [fleet_task(manifest=build_barn(tenant))]


def remove_devices(tenant: Tenant, *ids: str) -> dict[str, Any]:
    """Build the manifest of `build_barn` in which some devices have the state absent."""
    built = build_barn(tenant)
    devices = [{**it, "state": "absent"} if it["id"] in ids else it for it in built["devices"]]
    return {"manifest": {**built, "devices": devices}}


def apply_half_fleet(tenant: Tenant) -> list[Task]:
    return [fleet_task(product=tenant.product, devices=[{"id": id, "notes": "old"} for id in tenant.ids[:2]])]


def claim_devices(tenant: Tenant) -> list[Task]:
    return [fleet_task(**build_own_devices(tenant, claimed=True))]


def register_networks(tenant: Tenant) -> list[Task]:
    return [fleet_task(manifest=build_networks(tenant, {"barn": {"backend": "networks"}}, "barn"))]


def form_network(tenant: Tenant) -> list[Task]:
    return [
        fleet_task(**build_own_devices(tenant, claimed=True)),
        network_task(gateway=tenant.ids[0], members=tenant.ids[1:3]),
    ]


def apply_inventory(tenant: Tenant) -> list[Task]:
    task = fleet_task(product=tenant.product, from_inventory=True, fail=False)
    outcome = {"name": "Outcome", "meshfleet.particle.fleet_outcome": {"fleet": "{{ fleet }}"}}
    return [{**task, "run_once": True, "register": "fleet"}, outcome]


def apply_inventory_without_barn(tenant: Tenant) -> list[Task]:
    play, outcome = apply_inventory(tenant)
    options = {**play["meshfleet.particle.fleet"], "networks": {"barn": {"state": "absent"}}}
    return [{**play, "meshfleet.particle.fleet": options}, outcome]


def apply_gateway(tenant: Tenant) -> list[Task]:
    return [
        device_task(
            product=tenant.product,
            serial_number=tenant.devices[0]["serial_number"],
            name="gateway",
            groups=["north"],
            claimed=True,
            networks={"barn": {"parameters": {"key": "join-key"}}},
            mesh={"network": "barn", "role": "gateway"},
        )
    ]


def declare_variables(tenant: Tenant, environment: Mapping[str, Any], *ids: str) -> list[Task]:
    """Declare the same environment variables for some devices."""
    devices = [{"id": device, "environment": environment} for device in ids]
    return [fleet_task(product=tenant.product, devices=devices)]


def apply_webhook(tenant: Tenant) -> list[Task]:
    options = {
        "event": "reading",
        "url": "https://hooks.example.net/in",
        "json": {"value": "{{ '{{{PARTICLE_EVENT_VALUE}}}' }}"},
        "headers": {"Authorization": "Bearer hook-token"},
    }
    return [integration_task(tenant, name="readings", **options)]


def change_webhook(tenant: Tenant) -> list[Task]:
    options = {"disabled": True, "auth": {"username": "hook", "password": "hook-password"}}
    return [integration_task(tenant, name="readings", form={"value": "1"}, headers={}, **options)]


def apply_integrations(tenant: Tenant) -> list[Task]:
    """Send events to Azure and Google."""
    azure = {"hub_name": "barn", "policy_name": "device", "policy_key": "hub-key", "json": {"value": 1}}
    return [
        integration_task(tenant, name="azure", type="azure_iot_hub", event="reading", **azure),
        integration_task(tenant, name="topic", type="google_pubsub", event="reading", topic="projects/p/topics/t"),
        integration_task(tenant, name="maps", type="google_maps", event="position", api_key="maps-key"),
    ]


def change_integrations(tenant: Tenant) -> list[Task]:
    """Change two integrations, and remove the third."""
    return [
        integration_task(tenant, name="azure", policy_key="other-key", json=""),
        integration_task(tenant, name="topic", topic="projects/p/topics/other", disabled=True),
        integration_task(tenant, name="maps", state="absent"),
    ]


def create_secret(tenant: Tenant) -> list[Task]:
    return [secret_task(tenant, value="secret-value")]


def create_ledger(tenant: Tenant) -> list[Task]:
    return [ledger_task(tenant, scope="device", direction="downstream", description="What each logger measures")]


def import_devices(tenant: Tenant) -> list[Task]:
    """Import all devices into the product."""
    return [fleet_task(product=tenant.product, devices=[{"id": device} for device in tenant.ids])]


def begin_rollout(tenant: Tenant) -> list[Task]:
    """Begin a rollout, or continue it."""
    return [rollout_task(tenant)]


def import_and_begin_rollout(tenant: Tenant) -> list[Task]:
    """Import all devices into the product, and begin a rollout."""
    return [*import_devices(tenant), *begin_rollout(tenant)]


def upload_firmware(tenant: Tenant) -> list[Task]:
    file = tenant.folder / "app.bin"
    file.write_bytes(make_binary(8))
    return [firmware_task(tenant, file=str(file), title="Faster reconnect")]


def keep_token(tenant: Tenant) -> list[Task]:
    return [token_task(**tenant.account, token_file=str(tenant.tokens))]


def revoke_kept_token(tenant: Tenant) -> list[Task]:
    path = f"(lookup('ansible.builtin.file', '{tenant.tokens}') | from_json).tokens[0].access_token"
    return [token_task(state="absent", access_token="{{ " + path + " }}")]


# --- the cases ---

FLEET_CASES = (
    Case("new fleet", apply_whole_fleet),
    Case("unchanged fleet", apply_whole_fleet, before=apply_whole_fleet, changes=False),
    Case(
        "half-provisioned fleet",
        lambda tenant: [fleet_task(manifest=write_manifest(tenant, build_barn(tenant)))],
        before=apply_half_fleet,
    ),
    Case(
        "fleet that changes networks",
        lambda tenant: [fleet_task(**build_moved_fleet(tenant))],
        before=apply_whole_fleet,
    ),
    Case(
        "fleet by labels",
        lambda tenant: [fleet_task(product=tenant.product, devices=list_labelled_devices(tenant))],
    ),
    Case(
        "fleet in a table",
        lambda tenant: [
            fleet_task(
                manifest=write_table(tenant), product=tenant.product, name_template="{role}-{index:2}", verify="online"
            )
        ],
    ),
    Case(
        "claimed fleet",
        lambda tenant: [fleet_task(product=tenant.product, devices=[{"id": id, "claimed": True} for id in tenant.ids])],
        before=apply_half_fleet,
    ),
    Case(
        "removed fleet",
        lambda tenant: [fleet_task(manifest=build_barn(tenant), state="absent", confirm=True)],
        before=apply_whole_fleet,
    ),
    Case(
        "devices that are moved between products",
        lambda tenant: [
            fleet_task(product=tenant.product, devices=[{"id": id, "from_product": PRODUCT_SLUG} for id in tenant.ids])
        ],
        before=lambda tenant: [
            fleet_task(product=PRODUCT_SLUG, devices=[{"id": id, "name": id[-4:], "groups": ["north"]}])
            for id in tenant.ids[:3]
        ],
    ),
    Case(
        "devices that take the place of others",
        lambda tenant: [
            fleet_task(
                product=tenant.product,
                devices=[
                    {"id": tenant.ids[2], "replaces": {"device": "unit-0", "environment": True}},
                    {"serial_number": tenant.devices[3]["serial_number"], "replaces": tenant.ids[1]},
                ],
                confirm=["replace_online"],
            )
        ],
        before=lambda tenant: [
            fleet_task(
                product=tenant.product,
                devices=[
                    {"id": id, "name": f"unit-{n}", "groups": ["north"], "environment": {"SITE": n}}
                    for n, id in enumerate(tenant.ids[:2])
                ],
            )
        ],
    ),
    Case(
        "devices of a fleet that are removed",
        lambda tenant: [fleet_task(**remove_devices(tenant, *tenant.ids[2:]), confirm=["removals"])],
        before=apply_whole_fleet,
    ),
    Case(
        "environment variables of old and new devices",
        lambda tenant: declare_variables(tenant, {"POLL_S": 60, "DEBUG": {"state": "absent"}}, *tenant.ids[:3]),
        before=lambda tenant: declare_variables(tenant, {"POLL_S": 30, "DEBUG": True}, *tenant.ids[:2]),
    ),
    Case("claimed devices without a product", claim_devices),
    Case(
        "claimed devices by labels",
        lambda tenant: [
            fleet_task(devices=[{"serial_number": it["serial_number"], "claimed": True} for it in tenant.devices])
        ],
    ),
    Case(
        "unclaimed devices",
        lambda tenant: [fleet_task(**build_own_devices(tenant, claimed=False), state="absent", confirm=True)],
        before=claim_devices,
    ),
    Case("inventory hosts", apply_inventory, hosts=build_hosts),
    Case(
        "inventory hosts without some members",
        apply_inventory_without_barn,
        before=lambda tenant: [{**task, "run_once": True} for task in apply_whole_fleet(tenant)],
        hosts=build_half_of_hosts,
    ),
)

NETWORK_CASES = (
    Case("registry networks", register_networks),
    Case(
        "networks moved from the registry to a ledger",
        lambda tenant: [
            fleet_task(manifest=build_networks(tenant, {"barn": {"backend": "networks"}, "shed": {}}, "barn", "shed"))
        ],
        before=register_networks,
    ),
    Case(
        "removed registry networks",
        lambda tenant: [fleet_task(manifest=build_dissolved(tenant, "networks"))],
        before=register_networks,
    ),
    Case(
        "removed ledger networks",
        lambda tenant: [fleet_task(manifest=build_dissolved(tenant, "ledger"))],
        before=apply_whole_fleet,
    ),
    Case(
        "new network",
        lambda tenant: [network_task(gateway=tenant.ids[0], members=tenant.ids[1:], type="micro_cellular")],
        before=claim_devices,
    ),
    Case(
        "changed network",
        lambda tenant: [network_task(gateway=tenant.ids[3], members=tenant.ids[1:2], exact=True)],
        before=form_network,
    ),
    Case(
        "unchanged network",
        lambda tenant: [network_task(gateway=tenant.ids[0])],
        before=form_network,
        changes=False,
    ),
    Case("removed network", lambda tenant: [network_task(state="absent")], before=form_network),
)

DEVICE_CASES = (
    Case("new device", apply_gateway),
    Case(
        "changed device",
        lambda tenant: [
            device_task(
                product=tenant.product,
                id=tenant.ids[0],
                notes="moved",
                groups=["south"],
                groups_mode="exact",
                mesh={"state": "absent"},
            )
        ],
        before=apply_gateway,
    ),
    Case(
        "removed device",
        lambda tenant: [device_task(product=tenant.product, id=tenant.ids[0], claimed=False, state="absent")],
        before=apply_gateway,
    ),
)

CALL_CASES = (
    Case("called devices", lambda tenant: [call_task(tenant)], before=import_devices),
    Case("call without devices", lambda tenant: [call_task(tenant)], changes=False),
)

PRODUCT_CASES = (
    Case("new webhook", apply_webhook),
    Case("unchanged webhook", apply_webhook, before=apply_webhook, changes=False),
    Case("changed webhook", change_webhook, before=apply_webhook),
    Case(
        "removed webhook",
        lambda tenant: [integration_task(tenant, name="readings", state="absent")],
        before=apply_webhook,
    ),
    Case(
        "absent webhook",
        lambda tenant: [integration_task(tenant, name="readings", state="absent")],
        changes=False,
    ),
    Case("new product", apply_product),
    Case("unchanged product", apply_product, before=apply_product, changes=False),
    Case("pruned product", lambda tenant: [product_task(tenant, groups={"north": {}})], before=apply_product),
    Case("new integrations", apply_integrations),
    Case("unchanged integrations", apply_integrations, before=apply_integrations, changes=False),
    Case("changed integrations", change_integrations, before=apply_integrations),
    Case("new API user", lambda tenant: [user_task(tenant, scopes=["devices:list"])]),
    Case(
        "changed API user",
        lambda tenant: [user_task(tenant, scopes_for=["device_facts"])],
        before=lambda tenant: [user_task(tenant, scopes=["devices:list"])],
    ),
    Case(
        "removed API user",
        lambda tenant: [user_task(tenant, state="absent")],
        before=lambda tenant: [user_task(tenant, scopes=["devices:list"])],
    ),
    Case("new group", lambda tenant: [group_task(tenant, description="On our roof")]),
    Case(
        "changed group",
        lambda tenant: [group_task(tenant, color="#ff8800")],
        before=lambda tenant: [group_task(tenant)],
    ),
    Case(
        "removed group",
        lambda tenant: [group_task(tenant, state="absent")],
        before=lambda tenant: [group_task(tenant)],
    ),
    Case("new secret", create_secret),
    Case("unchanged secret", create_secret, before=create_secret, changes=False),
    Case(
        "replaced secret",
        lambda tenant: [secret_task(tenant, value="other-value", update_secrets="always")],
        before=create_secret,
    ),
    Case("removed secret", lambda tenant: [secret_task(tenant, state="absent")], before=create_secret),
    Case("new ledger", create_ledger),
    Case("described ledger", lambda tenant: [ledger_task(tenant, description="")], before=create_ledger),
    Case("archived ledger", lambda tenant: [ledger_task(tenant, state="absent")], before=create_ledger),
    Case("new SIM", lambda tenant: [sim_task(tenant, country="US")]),
    Case("unchanged SIM", lambda tenant: [sim_task(tenant)], before=import_devices, changes=False),
    Case("inactive SIM", lambda tenant: [sim_task(tenant, state="inactive")], before=import_devices),
    Case(
        "released SIM",
        lambda tenant: [sim_task(tenant, state="released", confirm=["sim_release"])],
        before=import_devices,
    ),
    Case(
        "changed environment",
        lambda tenant: [environment_task(tenant, variables={"SECONDS": 30, "DEBUG": True}, state="exact")],
        before=lambda tenant: [environment_task(tenant, variables={"SECONDS": 60, "UNITS": "metric"})],
    ),
    Case("new firmware", upload_firmware),
    Case("unchanged firmware", upload_firmware, before=upload_firmware, changes=False),
    Case(
        "changed firmware",
        lambda tenant: [firmware_task(tenant, version=8, description="Less data", mandatory=True)],
        before=upload_firmware,
    ),
    Case(
        "removed firmware",
        lambda tenant: [firmware_task(tenant, version=8, state="absent")],
        before=upload_firmware,
    ),
)

REQUEST_CASES = (
    Case("request that creates", lambda tenant: [request_task(tenant, "POST", "/groups", name="canary")]),
    Case("request that reads", lambda tenant: [request_task(tenant, "GET", "/groups")], changes=False),
    Case("event", lambda tenant: [event_task(tenant, data={"seconds": 60})]),
)

ROLLOUT_CASES = (
    Case("new rollout", begin_rollout, before=import_devices),
    Case("unchanged rollout", begin_rollout, before=import_and_begin_rollout, changes=False),
    Case(
        "rollout that waits for approval",
        lambda tenant: [rollout_task(tenant, approve="each")],
        before=import_devices,
    ),
    Case(
        "paused rollout",
        lambda tenant: [rollout_task(tenant, state="paused")],
        before=import_and_begin_rollout,
    ),
    Case(
        "aborted rollout",
        lambda tenant: [rollout_task(tenant, state="aborted")],
        before=import_and_begin_rollout,
    ),
    Case(
        "superseded rollout",
        lambda tenant: [rollout_task(tenant, supersede=True, unavailable={"most": "25%"})],
        before=lambda tenant: [*import_and_begin_rollout(tenant), rollout_task(tenant, state="aborted")],
    ),
)

ROLE_CASES = (
    Case(
        "provision role with a manifest",
        lambda tenant: [provision_task(tenant, manifest=build_barn(tenant), verify="online")],
    ),
    Case(
        "provision role with inventory hosts",
        lambda tenant: [provision_task(tenant, from_inventory=True, product=tenant.product)],
        hosts=build_hosts,
    ),
    Case(
        "provision role that removes the fleet",
        lambda tenant: [provision_task(tenant, manifest=build_barn(tenant), state="absent", confirm=True)],
        before=apply_whole_fleet,
    ),
    Case(
        "report role",
        lambda tenant: [report_task(tenant, products=[tenant.product])],
        before=apply_whole_fleet,
    ),
    Case(
        "rollout role",
        lambda tenant: [role_task("rollout", tenant, product=tenant.product, version=7, wait=False)],
        before=import_devices,
    ),
)

TOKEN_CASES = (
    Case("new token", lambda tenant: [token_task(**tenant.account, expires_in=600)]),
    Case("new client token", lambda tenant: [token_task(grant="client_credentials", **tenant.client)]),
    Case("new token in a file", keep_token),
    Case("unchanged token in a file", keep_token, before=keep_token, changes=False),
    Case(
        "rotated token",
        lambda tenant: [token_task(**tenant.account, state="rotated", token_file=str(tenant.tokens))],
        before=keep_token,
    ),
    Case("revoked token", revoke_kept_token, before=keep_token),
    Case(
        "all tokens revoked",
        lambda tenant: [token_task(**tenant.account, state="absent", which="all", confirm=True)],
        before=keep_token,
    ),
)

CASES = (
    *(*FLEET_CASES, *NETWORK_CASES, *DEVICE_CASES, *CALL_CASES, *PRODUCT_CASES, *ROLLOUT_CASES),
    *(*REQUEST_CASES, *ROLE_CASES, *TOKEN_CASES),
)
