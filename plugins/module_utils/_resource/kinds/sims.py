# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "SIM" (endpoints.yml: sims_list, sims_import, sim_release). Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.sims import (
    change_sim,
    import_sims,
    list_sims,
    release_sim,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    ICCID,
    check_device_id,
    describe_damage,
    is_same_label,
    strip_check_digit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    format_count,
    list_names,
    show_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import read_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

ACTIVE, INACTIVE, RELEASED = "active", "inactive", "released"
SIM_RELEASE = "sim_release"
"""The word that confirms the release of SIMs."""

_NEW = "never_before_activated"
_STATES = {
    "active": ACTIVE,
    "inactive": INACTIVE,
    "deactivated": INACTIVE,
    "inactive_user_deactivated": INACTIVE,
    "inactive_data_limit_reached": INACTIVE,
    "inactive_invalid_payment_method": INACTIVE,
    _NEW: INACTIVE,
}
"""The states of SIMs, keyed by their status in the cloud. The sources of the facts use different words."""

_COUNTRY = re.compile(r"[A-Za-z]{2}\Z")


def _match_iccid(shown: str, declared: Collection[str]) -> str | None:
    """Return the declared ICCID that is the same as ``shown``, even if only one of them has its check digit."""
    if shown in declared:
        return shown
    return next((iccid for iccid in declared if is_same_label("iccid", shown, iccid)), None)


def _check_sim(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    mistakes, iccid = [], declared.key
    if not ICCID.match(iccid):
        mistakes.append(describe_damage(iccid, ICCID) or f"{iccid!r} is not a valid ICCID: 18 to 22 digits")
    country = declared.values.get("country")
    if country is not None and not _COUNTRY.match(country):
        mistakes.append(f"{country!r} is not a valid country: use a code of two letters, such as US")
    return mistakes


def _normalize_status(status: Any) -> Any:
    """Convert a status of the cloud to a state. A status that is not known remains unchanged."""
    return _STATES.get(str(status), status)


def _get_country(change: Change) -> str | None:
    country = change.declared.values.get("country")
    return country.upper() if country else None


def _get_iccid(change: Change) -> str:
    """Return the ICCID as the cloud shows it, or the declared ICCID of a SIM that is not in the product."""
    return str(change.row["_id"]) if change.row is not None else change.key


def _get_status(change: Change) -> str:
    return str((change.row or {}).get("status"))


def _needs_import(change: Change) -> bool:
    """Return whether an import activates the SIM: it is not in the product, or was never active before."""
    if change.action is Action.CREATE:
        return True
    return change.action is Action.UPDATE and _get_status(change) == _NEW


def _activates(change: Change) -> bool:
    return change.after.get("state") == ACTIVE and change.action is not Action.DELETE


def _import_sims(target: Target, changes: Sequence[Change]) -> list[str]:
    country = _get_country(changes[0])
    import_sims(target.http, target.required_product.id, [_get_iccid(change) for change in changes], country)
    return [change.key for change in changes]


def _change_sim(target: Target, change: Change) -> None:
    action = "reactivate" if _activates(change) else "deactivate"
    change_sim(target.http, target.required_product.id, _get_iccid(change), action)


def _refuse_creation(target: Target, change: Change) -> None:
    """Refuse to deactivate a SIM that is not in the product.

    :raises ParticleError: ``conflict`` when the SIM is declared as inactive.
    """
    if not _activates(change):
        message = f"SIM {change.key} is not in product {target.required_product.slug}, so it cannot be deactivated."
        hint = (
            "Check the ICCID and the product, or declare the SIM as active to import it. The import activates the SIM, "
            "which is billed."
        )
        raise ParticleError("conflict", message, hint=hint)


def _refuse_unknown_status(target: Target, change: Change) -> None:
    """Refuse to change a SIM whose status is not known.

    :raises ParticleError: ``conflict`` when the cloud shows an unknown status.
    """
    if change.action is Action.UPDATE and (status := _get_status(change)) not in _STATES:
        message = (
            f"SIM {change.key} has the status {show_text(status)!r}. It is not known whether this means active or "
            "inactive, so the SIM is not changed."
        )
        hint = "Change the SIM in the console, or do not declare its state."
        raise ParticleError("conflict", message, hint=hint)


def _find_pending(change: Change) -> str | None:
    """Return why a SIM shows its new state only later (endpoints.yml: sims_import, sim_release).

    A status that is not known may be a state between the old and the new one.
    """
    sim = f"SIM {change.key}"
    if change.action is Action.DELETE:
        text = f"The cloud has accepted the release of {sim}, but still lists the SIM."
    elif _needs_import(change):
        text = f"The cloud has queued the import of {sim}, and reports the result by e-mail."
    elif (status := _get_status(change)) not in _STATES:
        text = f"The cloud has accepted the change of {sim}, and now shows the status {show_text(status)!r}."
    else:
        return None
    return f"{text} Run the task again later to check the result."


def _describe_costs(changes: Sequence[Change]) -> str:
    """Return sentences with the numbers of SIMs that the changes would activate or release; empty if there are none."""
    activated = sum(map(_activates, changes))
    released = sum(change.action is Action.DELETE for change in changes)
    sentences = []
    if activated:
        sentences.append(f"{format_count(activated, 'SIM')} would be activated, and active SIMs are billed.")
    if released:
        count = format_count(released, "SIM")
        sentences.append(f"{count} would be released: deactivated, and no longer owned by you.")
    return " ".join(sentences)


_TEXT: Mapping[str, Any] = {"type": "str"}

SIMS = Kind(
    name="sims",
    module="sim",
    noun="SIM",
    key=Field("iccid", "_id", _TEXT),
    fields=(
        Field(
            "state",
            "status",
            {"type": "str", "choices": [ACTIVE, INACTIVE, RELEASED]},
            required=True,
            normalize=_normalize_status,
        ),
        Field("country", "country", _TEXT, local=True),
    ),
    list_rows=lambda target: list_sims(target.http, target.required_product.id),
    update_row=_change_sim,
    delete_row=lambda target, change: release_sim(target.http, target.required_product.id, _get_iccid(change)),
    write_rows=_import_sims,
    find_batch=lambda change: (_get_country(change),) if _needs_import(change) else None,
    match_key=_match_iccid,
    check=_check_sim,
    refuse_creation=_refuse_creation,
    refuse_existing=_refuse_unknown_status,
    removal_confirmation=SIM_RELEASE,
    describe_costs=_describe_costs,
    absent_state=RELEASED,
    find_pending=_find_pending,
    not_prunable="A release gives up the ownership of a SIM; declare each such SIM with state released.",
    only_if_asked=True,
    id_key="_id",
    shown=("base_country_code", "last_device_id", "last_device_name"),
)


def declare_sim(options: Mapping[str, Any]) -> Declared | None:
    """Return the declaration of the SIM that ``iccid`` names; ``None`` if ``device`` names the SIM by its device.

    :param options: the options of module ``sim``.
    :raises ParticleError: ``invalid_option`` when the options do not fit together, or when the declaration is not
        valid.
    """
    device = options["device"]
    if (options["iccid"] is None) == (device is None):
        problem = "Neither iccid nor device is set." if device is None else "iccid and device cannot be combined."
        raise ParticleError("invalid_option", problem, hint="Set exactly one of them.")
    if device is None:
        return read_declared(SIMS, options)
    if options["country"] is not None:
        message = "country and device cannot be combined: a SIM that is found by its device has been imported already."
        raise ParticleError("invalid_option", message, hint="Remove country, or set iccid instead of device.")
    check_device_id(device, "device")
    return None


def find_sim(target: Target, options: Mapping[str, Any]) -> Declared | None:
    """Return the declaration of the SIM that a device has used last; ``None`` if the SIM is released already.

    :param options: the options of module ``sim``, of which ``device`` names the device.
    :raises ParticleError: ``not_found`` when the product has no such SIM, although it should not be released;
        ``conflict`` when there are several such SIMs.
    """
    device = check_device_id(options["device"], "device")
    rows = list_sims(target.http, target.required_product.id, {"deviceId": device})
    found = sorted(row["_id"] for row in rows if str(row.get("last_device_id")).lower() == device)
    if len(found) > 1:
        message = f"Device {device} is the last device of {len(found)} SIMs: {list_names(found)}."
        raise ParticleError("conflict", message, hint="Set iccid to one of them instead of device.")
    if not found and options["state"] != RELEASED:
        message = f"Product {target.required_product.slug} has no SIM that device {device} has used last."
        raise ParticleError("not_found", message, hint="Set iccid to the ICCID of the SIM instead of device.")
    return read_declared(SIMS, {**options, "iccid": found[0]}) if found else None


def select_sim(declared: Declared) -> Kind:
    """Return the kind, which lists only the declared SIM, because a product may have thousands of SIMs."""
    filters = {"iccid": strip_check_digit("iccid", declared.key)}
    return replace(SIMS, list_rows=lambda target: list_sims(target.http, target.required_product.id, filters))
