# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the types of backend ``thread``: what was observed, and the writes of a plan. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import Dataset, Pending

DISABLED = "disabled"
ATTACHED = ("leader", "router", "child")
"""The states of a border router that is in a network (otbr-rest.md, section 2)."""


@dataclass(frozen=True)
class ObservedRouter:
    """The observed state of one border router.

    :param state: the state, such as ``disabled`` or ``leader``.
    :param has_tasks: whether the border router has tasks, with which members are listed.
    :param has_joiners: whether the border router can let devices join.
    :param dataset: the dataset; ``None`` if the border router has none.
    :param pending: a changed dataset that has not taken effect yet; ``None`` if there is none.
    """

    url: str
    state: str
    has_tasks: bool
    has_joiners: bool = True
    dataset: Dataset | None = field(default=None, repr=False)
    pending: Pending | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ObservedNetwork:
    """The observed state of one declared network.

    :param routers: the declared border routers that answer, in the order of the declaration.
    :param members: the extended addresses of the members that were found just now, keyed by EUI-64.
    :param known: the EUI-64s of the devices that earlier runs have found in the network.
    :param leftovers: the ids of joiner tasks of declared devices that earlier runs have left.
    :param is_commissioned_elsewhere: whether another program currently lets devices join.
    :param unreachable: the URLs of the declared border routers that do not answer.
    """

    routers: tuple[ObservedRouter, ...]
    members: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
    is_commissioned_elsewhere: bool = False
    unreachable: tuple[str, ...] = ()

    @property
    def dataset(self) -> Dataset | None:
        """Return the dataset of the first border router that has one."""
        return next((router.dataset for router in self.routers if router.dataset is not None), None)


@dataclass(frozen=True)
class Observed:
    """The observed state of all declared networks.

    :param networks: the networks by name.
    :param hardware_of: the hardware of the declared devices.
    """

    networks: Mapping[str, ObservedNetwork]
    hardware_of: Mapping[str, Hardware] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class FormNetwork:
    """A write that stores a new dataset at a border router.

    :param values: the declared values in the JSON form of a dataset. The border router generates the others.
    """

    network: str
    url: str
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class StartRouter:
    """A write that starts a border router that has a dataset but is in no network."""

    network: str
    url: str


@dataclass(frozen=True)
class ExtendNetwork:
    """A write that lets a further border router join the network of another one.

    :param source: the URL of the border router from which the dataset is read.
    """

    network: str
    source: str
    url: str


@dataclass(frozen=True)
class ChangeNetwork:
    """A write that changes the dataset of a running network.

    :param parameters: the declared parameters that differ.
    :param delay: the number of seconds after which the change takes effect.
    """

    network: str
    url: str
    parameters: Mapping[str, Any] = field(repr=False)
    delay: float = 300


@dataclass(frozen=True)
class Joiner:
    """A device that must join.

    :param device: the device id, or the EUI-64 of a device that the Particle cloud does not know.
    """

    device: str
    eui64: str
    pskd: str = field(repr=False)


@dataclass(frozen=True)
class Commission:
    """A write that lets devices join a network, and finds out which devices have joined.

    The write does not fail if devices do not join. :class:`ConfirmJoined` reports this for each device.

    :param leftovers: the ids of tasks to delete first.
    :param joiner_timeout: how long to wait for one device, in seconds.
    :param time_limit: how long to wait for all devices together, in seconds.
    """

    network: str
    url: str
    joiners: tuple[Joiner, ...]
    leftovers: tuple[str, ...] = ()
    joiner_timeout: float = 180
    time_limit: float = 3600


@dataclass(frozen=True)
class ConfirmJoined:
    """A write that sends nothing, and reports why a device has not joined its network."""

    network: str
    device: str
    has_joiner: bool = True


Write: TypeAlias = "FormNetwork | StartRouter | ExtendNetwork | ChangeNetwork | Commission | ConfirmJoined"
