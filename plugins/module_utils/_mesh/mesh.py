# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Combine all mesh backends into one object, :class:`Mesh`. Private to this collection.

A fleet can have networks of several backends, and a device can move from one backend to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    Rules,
    SharedWrite,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.order import order_moves

_MAX_REFUSALS = 100
_IGNORED_CODES = ("unsupported", "missing_scope", "forbidden", "conflict")


@dataclass(frozen=True)
class BackendWrite:
    """A write of a plan, together with the name of its backend.

    :param backend: the name of the backend that carries out the write.
    :param write: the write, in the form that the backend has planned.
    """

    backend: str
    write: Any


class Mesh:
    """All mesh backends of one task. The end of the ``with`` block closes the backends.

    :param options: the options of the task. A missing backend option has its default value.
    :raises ParticleError: ``invalid_option`` when a backend option is not valid.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        given = options or {}
        self._rows = dict(BACKENDS)
        self._backends = {name: row.open(given) for name, row in self._rows.items()}

    def __enter__(self) -> Mesh:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for backend in self._backends.values():
            backend.close()

    def find_members(
        self, target: Target, declared: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> dict[str, str | None]:
        """Find the devices, declared or undeclared, that must leave a network before the network is dissolved.

        :param declared: the declared networks by name.
        :param hardware_of: the hardware of the declared devices.
        :returns: for each device, the key in :attr:`Rules.identities` that identifies the device, or ``None`` if the
            Particle cloud knows the device.
        """
        found: dict[str, str | None] = {}
        for name, backend in self._backends.items():
            absent = {one.name: one for one in declared.values() if one.absent and one.backend == name}
            if absent:
                found.update(backend.find_members(target, absent, hardware_of))
        return found

    def plan(
        self,
        target: Target,
        declared: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        hardware_of: Mapping[str, Hardware],
    ) -> MeshPlan:
        """Read the current state of the networks, and plan the changes that lead to the declared state.

        :param declared: the declared networks by name.
        :param wanted: for each device, the declared membership, or ``None`` if the device must be in no network.
        :param groups_of: the device groups of each device in ``wanted``.
        :param hardware_of: the hardware of each device in ``wanted``.
        :raises ParticleError: ``unsupported`` when the cloud does not support the backend of a declared network.
        """
        plans: dict[str, MeshPlan] = {}
        for name, backend in self._backends.items():
            rules = self._rows[name].rules
            own = {network.name: network for network in declared.values() if network.backend == name}
            mine = _select_devices(rules, target.product, own, wanted, groups_of, hardware_of)
            looked_at = _select_networks(rules, own, mine)
            if not mine and not looked_at:
                continue
            of_mine = {
                device: replace(hardware_of.get(device, Hardware()), leaves_network=membership is None)
                for device, membership in mine.items()
            }
            try:
                seen = backend.observe(target, looked_at, of_mine)
            except ParticleError as error:
                shown = [d for d in mine if rules.is_shown(groups_of.get(d, frozenset()), of_mine[d])]
                if looked_at or not _may_stay_unread(error, [wanted[device] for device in shown]):
                    raise
                if shown:
                    target.warn(
                        f"Devices ({len(shown)}) join another backend, but cannot leave backend {name}: {error.message}"
                    )
                continue
            plans[name] = backend.plan(looked_at, mine, groups_of, seen)
        to = {
            device: _mark_membership(declared[membership.network].backend, membership) if membership else None
            for device, membership in wanted.items()
        }
        return _order_plan(_combine_plans(plans, to), plans, to)

    def apply_write(self, target: Target, write: BackendWrite) -> None:
        """Carry out one write of a plan."""
        self._backends[write.backend].apply_write(target, write.write)

    def verify(
        self, target: Target, declared: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> dict[str, str]:
        """Return the state of each member in ``wanted``: ``joined``, ``pending``, ``lost`` or ``wrong_network``."""
        states: dict[str, str] = {}
        for name, backend in self._backends.items():
            own = {network.name: network for network in declared.values() if network.backend == name}
            mine = {device: to for device, to in wanted.items() if to.network in own}
            if mine:
                states |= backend.verify(target, own, mine)
        return states

    def read_states(self, target: Target, rules: Rules, wanted: Mapping[str, Membership]) -> Mapping[str, str]:
        """Return the state of each member in ``wanted``, without a manifest. All members are of one backend.

        :param rules: the rules of the backend.
        :param wanted: the memberships that the lists of the cloud show.
        """
        return self._backends[rules.name].verify(target, {}, wanted)

    def list_members(self) -> list[Mapping[str, Any]]:
        """List the members that are unknown to the Particle cloud.

        :returns: one row for each member, with the same keys as in the device lists of the cloud.
        """
        return [row for backend in self._backends.values() for row in backend.list_members()]


def _select_devices(
    rules: Rules,
    product: Product | None,
    own: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    groups_of: Mapping[str, frozenset[str]],
    hardware_of: Mapping[str, Hardware],
) -> dict[str, Membership | None]:
    """Return the declared memberships of the devices that concern a backend.

    The membership of a device that may have to leave a network of this backend is ``None``.

    :param own: the declared networks of the backend.
    """
    found: dict[str, Membership | None] = {}
    for device, membership in wanted.items():
        groups, hardware = groups_of.get(device, frozenset()), hardware_of.get(device, Hardware())
        if membership is not None and membership.network in own:
            found[device] = membership
        elif _may_have_to_leave(rules, product, groups, hardware):
            found[device] = None
    return found


def _may_stay_unread(error: ParticleError, memberships: Sequence[Membership | None]) -> bool:
    """Return whether a backend can be left out of a plan in which no device joins one of its networks.

    The error matters only if the lists of the cloud show a device in a network of this backend, because the device must
    leave that network. There is one exception: if the cloud no longer supports this backend, the lists are outdated,
    and the device may join a network of another backend.

    :param error: why the networks of the backend cannot be read.
    :param memberships: the declared memberships of the devices that the lists show in these networks.
    """
    if error.code not in _IGNORED_CODES:
        return False
    return not memberships or (error.code == "unsupported" and None not in memberships)


def _select_networks(
    rules: Rules, own: Mapping[str, Network], wanted: Mapping[str, Membership | None]
) -> dict[str, Network]:
    """Return the networks of a backend that must be observed and planned.

    :param own: the declared networks of the backend.
    :param wanted: the declared memberships of the devices that concern the backend.
    """
    used = {to.network for to in wanted.values() if to is not None}
    return {name: network for name, network in own.items() if network.absent or name in used or rules.forms_networks}


def _may_have_to_leave(rules: Rules, product: Product | None, groups: frozenset[str], hardware: Hardware) -> bool:
    """Return whether a device that declares no network of a backend may still be in a network of this backend."""
    if not hardware.identities.keys().isdisjoint(rules.identities):
        return True
    if hardware.is_outside_cloud:
        return False
    return rules.is_shown(groups, hardware) or (rules.hides_members and product is not None)


def _mark_membership(backend: str, membership: Membership) -> Membership:
    """Return a copy of a membership in which the network is named ``<backend> <network>``.

    Two networks of different backends can have the same name. The prefix makes their names different.
    """
    return Membership(f"{backend} {membership.network}", membership.role)


def _combine_plans(plans: Mapping[str, MeshPlan], to: Mapping[str, Membership | None]) -> MeshPlan:
    """Combine the plans of all backends into one plan.

    In the combined plan, each write is a :class:`BackendWrite`, and each observed membership has been changed by
    :func:`_mark_membership`.

    :param plans: the plans, keyed by backend.
    :param to: the declared membership of each device, also changed by :func:`_mark_membership`.
    """
    members: dict[str, MemberPlan] = {}
    for name, part in plans.items():
        for device, member in part.members.items():
            writes = tuple(BackendWrite(name, write) for write in member.writes)
            own = replace(
                member, writes=writes, before=_mark_membership(name, member.before) if member.before else None
            )
            if device in members:
                declared = to[device]
                joins = declared is not None and declared.network.startswith(f"{name} ")
                own = _plan_move(members[device], own) if joins else _plan_move(own, members[device])
            members[device] = own

    def combine_writes(shared: Callable[[MeshPlan], tuple[SharedWrite, ...]]) -> tuple[SharedWrite, ...]:
        found = ((name, one) for name, part in plans.items() for one in shared(part))
        return tuple(replace(one, write=BackendWrite(name, one.write)) for name, one in found)

    return MeshPlan(
        members,
        setup=combine_writes(lambda part: part.setup),
        teardown=combine_writes(lambda part: part.teardown),
        created_names=_merge_names(part.created_names for part in plans.values()),
        changed_names=_merge_names(part.changed_names for part in plans.values()),
        removed_names=_merge_names(part.removed_names for part in plans.values()),
        refusals=tuple(refusal for part in plans.values() for refusal in part.refusals),
        warnings=tuple(warning for part in plans.values() for warning in part.warnings),
    )


def _plan_move(leaves: MemberPlan, joins: MemberPlan) -> MemberPlan:
    """Combine two plans for one device: leave a network of one backend, then join a network of another backend."""
    changes = {**{name: change for name, change in leaves.changes.items() if name != "mesh"}, **joins.changes}
    if "mesh" in leaves.changes:
        after = changes.get("mesh", (None, None))[1]
        changes["mesh"] = (leaves.changes["mesh"][0], after)
    return MemberPlan(
        add_groups=leaves.add_groups | joins.add_groups,
        remove_groups=leaves.remove_groups | joins.remove_groups,
        writes=leaves.writes + joins.writes,
        changes=changes,
        before=joins.before or leaves.before,
        pending=joins.pending or leaves.pending,
        completes_earlier_run=leaves.completes_earlier_run and not joins.changes,
    )


def _merge_names(listed: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for one in listed:
        for what, names in one.items():
            found.setdefault(what, set()).update(names)
    return {what: tuple(sorted(names)) for what, names in found.items()}


def _order_plan(whole: MeshPlan, plans: Mapping[str, MeshPlan], to: Mapping[str, Membership | None]) -> MeshPlan:
    """Return a copy of the plan in which ``stage``, ``needs`` and ``frees_place`` of each member are set.

    If gateways can never move because they wait for each other, a refusal is added.

    :param whole: the combined plan.
    :param plans: the plans, keyed by backend.
    :param to: the declared membership of each device, changed by :func:`_mark_membership`.
    """
    moves = {device: (member.before, to[device]) for device, member in whole.members.items()}
    staying = {
        f"{name} {network}": count
        for name, part in plans.items()
        for network, count in part.staying_gateways.items()
        if count
    }
    one_gateway = frozenset(f"{name} {network}" for name, part in plans.items() for network in part.one_gateway)
    free_places = {
        f"{name} {network}": more for name, part in plans.items() for network, more in part.free_places.items()
    }
    limited = one_gateway | free_places.keys()
    order = order_moves(
        moves,
        staying,
        one_gateway=one_gateway,
        free_places=free_places,
        updated={
            device for device, (before, after) in moves.items() if before == after and whole.members[device].writes
        },
    )
    members = {
        device: replace(
            member,
            stage=order.stages.get(device, 0),
            needs=order.needs[device],
            frees_place=member.before is not None and member.before.network in limited,
        )
        for device, member in whole.members.items()
    }
    refusals = whole.refusals
    if order.deadlocked:
        devices = ", ".join(sorted(order.deadlocked))
        refusals += (
            f"the only gateways of several networks change places ({devices}), and the first one to move would leave "
            "its nodes without a gateway; declare another gateway for one of these networks, run, and then remove it",
        )
    return replace(whole, members=members, refusals=refusals)


def raise_refusals(plan: MeshPlan) -> None:
    """Raise an error if a plan has refusals.

    :raises ParticleError: ``conflict`` when there are refusals. The message lists the refusals.
    """
    if not plan.refusals:
        return
    message = "The networks cannot be formed as declared:\n  " + "\n  ".join(list_lines(plan.refusals, _MAX_REFUSALS))
    raise ParticleError("conflict", message, hint="Correct these declarations and run again.")
