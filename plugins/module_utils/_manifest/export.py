# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export the current state of a fleet as a manifest. Private to this collection.

The manifest leaves out default values and everything that a manifest cannot declare. Join keys are never exported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID, GROUP_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    DENIED,
    export_fields,
    observe_approval,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import (
    find_identity,
    find_membership,
    list_rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    Membership,
    Rules,
    drop_reserved_groups,
)

Facts = Mapping[str, Any]


MINIMAL, EXACT = MANIFEST_FORMS = ("minimal", "exact")
"""The forms of an exported manifest. ``exact`` also declares default values, so that a run detects every change."""


def export_manifest(
    product: str | None,
    devices: Mapping[str, Facts],
    exported: Collection[str],
    warn: Callable[[str], None],
    form: str = MINIMAL,
    rollout_locks: Collection[str] = (),
) -> dict[str, Any]:
    """Return the manifest that declares the current state of some devices of a product or of the account.

    :param product: the id or slug of the product; ``None`` for the devices of the account.
    :param devices: the facts of all devices, keyed by id. All devices are needed, because an exported network lists its
        gateways even if the gateways are not exported.
    :param exported: the ids of the devices to export.
    :param warn: function that shows a warning to the user. The function is called once for each kind of item that is
        left out.
    :param form: one of :data:`MANIFEST_FORMS`.
    :param rollout_locks: the ids of the devices whose firmware lock belongs to a rollout. The lock is left out.
    :returns: a manifest that ``read_manifest`` accepts. A run with this manifest writes nothing.
    """
    exact = form == EXACT
    approvals = {device: observe_approval(devices[device]) for device in exported}
    declarable = (APPROVED, DENIED) if exact else (APPROVED,)
    waiting = {device for device, approval in approvals.items() if approval not in declarable}
    undeclarable = {device for device in exported if not _can_declare(device, devices[device])}
    taken = sorted(set(exported) - waiting - undeclarable)
    networks = _export_networks(product, devices, taken)
    records = [_export_record(device, devices[device], product, networks, exact=exact) for device in taken]
    of_rollout = [record for record in records if record.get("id") in rollout_locks and "firmware_lock" in record]
    for record in of_rollout:
        del record["firmware_lock"]
    of_product = taken if product is not None else []
    unnamable = {name for device in of_product for name in _list_groups(devices[device]) if not GROUP_NAME.match(name)}
    members = (_find_membership(product, devices[device]) for device in taken)
    lost = {found[1].network for found in members if found is not None} - networks.keys()
    for left_out, what, why in (
        (waiting, "quarantined or denied device", ", which the product does not accept"),
        (undeclarable, "device", " with an id that a manifest cannot contain"),
        (
            unnamable,
            "device group",
            f" with a name that a manifest cannot contain{', and groups_mode' if exact else ''}",
        ),
        (of_rollout, "firmware lock", " of a rollout"),
        (lost, "network", " without a gateway, or with a name that a manifest cannot contain"),
    ):
        if left_out:
            warn(f"The manifest leaves out {format_count(len(left_out), what)}{why}.")
    names = Counter(record["name"] for record in records if "name" in record)
    return {
        **({} if product is None else {"product": product}),
        # With this mode, a run would remove the devices from the groups that are left out.
        **({"groups_mode": "exact"} if exact and product is not None and not unnamable else {}),
        **({"unique_names": False} if any(number > 1 for number in names.values()) else {}),
        **({"networks": networks} if networks else {}),
        "devices": records,
    }


def _can_declare(device: str, facts: Facts) -> bool:
    """Return whether a manifest can contain the identifier of a device."""
    own = find_identity(facts)
    if own is None:
        return DEVICE_ID.match(device) is not None
    probe = ValueReader(format_place)
    (rules,) = (rules for rules in list_rules() if own[0] in rules.identities)
    return rules.read_identity(probe, own[0], own[1], ()) is not None and not probe.found


def _find_membership(product: str | None, facts: Facts) -> tuple[Rules, Membership] | None:
    """Return the rules of a device's mesh backend, and the membership of the device.

    Return ``None`` if the device has no membership, or if a manifest cannot declare the membership.
    """
    found = find_membership(facts)
    if found is None or not found[0].is_exported(facts) or (product is None and found[0].needs_product):
        return None
    return found


def _list_groups(facts: Facts) -> list[str]:
    return sorted(drop_reserved_groups(list_texts(facts.get("groups"))))


def _export_networks(
    product: str | None, devices: Mapping[str, Facts], taken: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the networks of the exported devices, keyed by name.

    The key ``gateways`` of a network contains the gateways that are not exported as devices.

    :param taken: the ids of the exported devices.
    """
    inside = frozenset(taken)
    used: dict[str, Rules] = {}
    for device in taken:
        if (found := _find_membership(product, devices[device])) is not None:
            used.setdefault(found[1].network, found[0])
    members: dict[str, dict[str, Membership]] = {name: {} for name in used}
    for device, facts in sorted(devices.items()):
        found = _find_membership(product, facts)
        if found is not None and used.get(found[1].network) is found[0] and _can_declare(device, facts):
            members[found[1].network][device] = found[1]
    networks: dict[str, dict[str, Any]] = {}
    for name, rules in sorted(used.items()):
        gateways = [device for device, member in members[name].items() if member.role == GATEWAY]
        if not _can_name(rules, name) or (rules.needs_gateway and not gateways):
            continue
        others = [device for device in gateways if device not in inside]
        more = rules.export_network([devices[device] for device in members[name]])
        networks[name] = {"backend": rules.name, **more, **({"gateways": others} if others else {})}
    return networks


def _can_name(rules: Rules, name: str) -> bool:
    probe = ValueReader(format_place)
    rules.check_name(probe, name, ())
    return not probe.found


def _export_record(
    device: str, facts: Facts, product: str | None, networks: Mapping[str, Mapping[str, Any]], *, exact: bool
) -> dict[str, Any]:
    """Return the manifest entry that declares the current state of a device.

    :param exact: whether to declare default values, too.
    """
    if observe_approval(facts) == DENIED:
        return {"id": device, "approval": DENIED}
    found = _find_membership(product, facts)
    mesh: dict[str, Any] = {}
    if found is not None and networks.get(found[1].network, {}).get("backend") == found[0].name:
        mesh["mesh"] = found[1].as_result()
    # Without groups in the facts, it is not known whether the device is in groups or in a network.
    knows_groups = facts.get("groups") is not None
    if exact and product is not None and knows_groups and facts.get("mesh") is None:
        mesh["mesh"] = {"state": "absent"}
    fields = export_fields(facts, product_only=False, exact=exact)
    if (own := find_identity(facts)) is not None:
        return {own[0]: own[1], **{name: value for name, value in fields.items() if name == "name"}, **mesh}
    record: dict[str, Any] = {"id": device, **fields}
    if product is None:
        return {**record, "claimed": True, **mesh}
    groups = [name for name in _list_groups(facts) if GROUP_NAME.match(name)]
    if groups or (exact and knows_groups):
        record["groups"] = groups
    return {**record, **export_fields(facts, product_only=True, exact=exact), **mesh}
