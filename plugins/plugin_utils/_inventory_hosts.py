# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add devices to the inventory as hosts that do not have names of groups. Private to this collection.

A host and a group must not have the same name: Ansible would then add the group instead of the host to other groups.
Users of the cloud choose the names of devices and of some constructed groups. Therefore, the names of the groups must
be known before the hosts get their names: they are recorded first, and the hosts are added afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.template import trust_as_template
from ansible.utils.path import basedir

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.inventory_names import (
    build_host_names,
    find_names_of_groups,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_identity

# Only this constant is trusted as a template; texts from the cloud never are.
_INTERPRETER = trust_as_template("{{ ansible_playbook_python }}")


class Draft(str):
    """The host name that a device has in templates. It is the final host name, unless a group has the same name.

    :ivar device: the id of the device.
    """

    device: str

    def __new__(cls, name: str, device: str) -> Draft:
        """Return ``name`` with the id of its device."""
        draft = super().__new__(cls, name)
        draft.device = device
        return draft


@dataclass
class DraftHost:
    """A host for which templates are evaluated.

    :param variables: the variables of the host.
    :param groups: the names of the groups that contain the host.
    """

    name: str
    variables: dict[str, Any]
    groups: set[str] = field(default_factory=set)

    def get_vars(self) -> dict[str, Any]:
        """Return the variables of the host, including the names that Ansible defines for each host."""
        short = self.name.split(".", maxsplit=1)[0]
        magic = {"inventory_hostname": self.name, "inventory_hostname_short": short, "group_names": sorted(self.groups)}
        return {**self.variables, **magic}


class ConstructedGroups:
    """A record of the groups and variables that Ansible's ``Constructable`` creates for hosts.

    The methods are those of Ansible's ``InventoryData`` that ``Constructable`` calls. Names of hosts have the type
    :class:`Draft`. A host and a group with the same name are therefore not confused here.

    :param hosts: the hosts, keyed by device id.
    :ivar drafts: the names of the hosts, keyed by device id.
    :ivar members: the ids of the devices in each group, as keys of a mapping, keyed by group name.
    :ivar children: lists of group names, keyed by the name of the parent group.
    :ivar variables: the variables from templates, keyed by device id.
    """

    def __init__(self, hosts: Mapping[str, DraftHost]) -> None:
        self._hosts = hosts
        self.drafts = {device: Draft(host.name, device) for device, host in hosts.items()}
        self.members: dict[str, dict[str, None]] = {}
        self.children: dict[str, list[str]] = {}
        self.variables: dict[str, dict[str, Any]] = {device: {} for device in hosts}

    def get_host(self, name: Draft) -> DraftHost:
        """Return a host."""
        return self._hosts[name.device]

    def set_variable(self, name: Draft, key: str, value: Any) -> None:
        """Record a variable of a host."""
        self.variables[name.device][key] = value
        self._hosts[name.device].variables[key] = value

    def add_group(self, group: str) -> str:
        """Record a group, and return its name. The name has the characters that Ansible's configuration allows.

        :raises AnsibleError: when the name is empty.
        """
        if not group:
            raise AnsibleError("A template has returned an empty name of a group.")
        name: str = group if group in self.members else Group(group).name
        self.members.setdefault(name, {})
        return name

    def add_host(self, name: Draft, group: str) -> None:
        """Record a host as a member of a group."""
        self.members[group][name.device] = None
        self._hosts[name.device].groups.add(group)

    def add_child(self, group: str, child: str) -> None:
        """Record a host or a group as a member of a group."""
        if isinstance(child, Draft):
            self.add_host(child, group)
        elif child not in self.children.setdefault(group, []):
            self.children[group].append(child)


class InventoryHosts:
    """The hosts and groups that this collection adds to an inventory.

    :param inventory: Ansible's ``InventoryData``.
    :param devices: the facts of the devices, keyed by device id.
    :param hostnames: the facts from which host names are taken; an earlier fact takes precedence.
    :param groups: the ids of the devices in each group that the plugin creates, keyed by group name.
    """

    def __init__(
        self,
        inventory: Any,
        devices: Mapping[str, dict[str, Any]],
        hostnames: Sequence[str],
        groups: Mapping[str, Sequence[str]],
    ) -> None:
        self._inventory = inventory
        self._devices = devices
        self._hostnames = hostnames
        self._groups = groups
        self._taken = {name: _find_device(host) for name, host in inventory.hosts.items()}

    def start_record(self) -> ConstructedGroups:
        """Return an empty record of constructed groups. Its hosts have the groups and variables known so far."""
        names = self._build_names({*self._inventory.groups, *self._groups})
        source = self._inventory.current_source
        origin = {"inventory_file": source, "inventory_dir": basedir(source) if source else None}
        hosts: dict[str, DraftHost] = {}
        for device, facts in self._devices.items():
            known = self._inventory.hosts.get(names[device])
            before: dict[str, Any] = known.get_vars() if known else dict(origin)
            groups = set(before.pop("group_names", ()))
            hosts[device] = DraftHost(names[device], {**before, **_build_variables(facts)}, groups)
        for group, members in self._groups.items():
            for device in members:
                hosts[device].groups.add(group)
        return ConstructedGroups(hosts)

    def add(self, constructed: ConstructedGroups) -> list[str]:
        """Add the hosts, the groups and the recorded groups to the inventory, and return warnings about their names."""
        inventory = self._inventory
        groups = {*inventory.groups, *self._groups, *constructed.members}
        names = self._build_names(groups)
        renamed = find_names_of_groups(self._devices, self._hostnames, groups, names)
        renamed = {name: names[device] for device, name in renamed.items()} | self._rename_hosts(groups)
        for device, facts in self._devices.items():
            inventory.add_host(names[device])
            # Set variables on the host, not through the inventory, which would tag every value with its source file.
            # That takes five times as long as everything else. These values have no file, and untagged is untrusted.
            inventory.hosts[names[device]].vars.update(_build_variables(facts))
            for key, value in constructed.variables[device].items():
                inventory.set_variable(names[device], key, value)
        for group, members in (*self._groups.items(), *constructed.members.items()):
            inventory.add_group(group)
            for device in members:
                inventory.add_host(names[device], group)
        for group, children in constructed.children.items():
            for child in children:
                inventory.add_child(group, child)
        return _list_warnings(renamed, sorted(groups & inventory.hosts.keys()))

    def _build_names(self, groups: Set[str]) -> dict[str, str]:
        return build_host_names(self._devices, self._hostnames, self._taken, groups)

    def _rename_hosts(self, groups: Set[str]) -> dict[str, str]:
        """Rename devices from earlier inventory files if this file creates groups with their names.

        :returns: the new names, keyed by old name.
        """
        inventory = self._inventory
        renamed: dict[str, str] = {}
        for name in sorted(groups & inventory.hosts.keys()):
            host = inventory.hosts[name]
            device = _find_device(host)
            if device is not None:
                (new,) = build_host_names({device: host.vars["particle"]}, [], {}, groups).values()
                member_of = [group.name for group in inventory.groups.values() if host in group.hosts]
                inventory.remove_host(host)
                inventory.add_host(new)
                inventory.hosts[new].vars.update(host.vars)
                for group in member_of:
                    inventory.add_host(new, group)
                renamed[name] = new
        return renamed


def _list_warnings(renamed: Mapping[str, str], mixed: Sequence[str]) -> list[str]:
    """Return a warning for each way in which names of hosts and groups are equal.

    :param renamed: the new names of hosts, keyed by the names that also groups have.
    :param mixed: the names of hosts of other inventory sources that also groups have.
    """
    warnings = []
    if renamed:
        shown = list_names([f"{name} ({new})" for name, new in sorted(renamed.items())])
        warnings.append(
            f"A group has the same name as these devices, so their hosts have the names in parentheses: {shown}. "
            f"Rename the devices or the groups."
        )
    if mixed:
        warnings.append(
            f"These hosts of other inventory sources have the name of a group, and host patterns with these names "
            f"select both: {list_names(mixed)}. Rename the hosts, or add a prefix to keyed_groups."
        )
    return warnings


def _find_device(host: Host) -> str | None:
    """Return the key of the device that is a host, or ``None`` if the host is not a device.

    The key is the device id, or the identifier of a mesh member that is not a device of the Particle cloud.
    """
    facts = host.vars.get("particle")
    if not isinstance(facts, dict):
        return None
    own = find_identity(facts)
    return facts.get("id") if own is None else own[1]


def _build_variables(facts: dict[str, Any]) -> dict[str, Any]:
    return {"particle": facts, "ansible_connection": "local", "ansible_python_interpreter": _INTERPRETER}
