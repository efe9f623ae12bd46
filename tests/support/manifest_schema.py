# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the JSON Schema of a manifest from the keys and forms that the collection declares.

The types come from the documentation of module `fleet`, whose keys, choices and defaults are those of the reader. Rules
that concern several devices, such as duplicate names, are not part of the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    DEVICE_ID,
    GROUP_NAME,
    ICCID,
    IMEI,
    MAX_FIRMWARE_VERSION,
    MIN_FIRMWARE_VERSION,
    SERIAL_NUMBER,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import MAX_NAME_LENGTH
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import (
    RESERVED_NAMES,
    VARIABLE_NAME,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    UNLOCKED,
    list_former_names,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import (
    COLUMN_KEYS,
    MANIFEST_KEYS,
    list_device_keys,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS, list_identity_keys
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    NETWORK_NAME,
    RESERVED_GROUPS,
    ROLES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import LEDGER
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.forms import MAX_CHANNEL, MIN_CHANNEL
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import PARAMETERS, THREAD
from support.schema_parts import (
    Schema,
    build_object,
    build_schema,
    build_value,
    describe,
    forbid,
    read_options,
    translate_form,
)

NAME = "manifest.schema.json"

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "string", "pattern": translate_form(DEVICE_ID, loose=True)}
VARIABLE: Schema = {
    "anyOf": [
        {"type": ["boolean", "number", "string"]},
        build_object({"state": {"const": "absent"}}, required=["state"]),
    ]
}
"""The schema of the value of an environment variable, or of its removal."""

GROUP: Schema = {"type": "string", "pattern": f"^(?!{RESERVED_GROUPS}){translate_form(GROUP_NAME)[1:]}"}

PRODUCT: Schema = {"type": ["string", "integer"], "pattern": r"\S"}
"""The schema of the id or slug of a product."""

NAMED: Schema = {"type": "string", "pattern": r"\S"}
"""The schema of the id, label or name of another device."""

DEVICE_FORMS: Mapping[str, Schema] = {
    "from_product": PRODUCT,
    "replaces": {
        "anyOf": [NAMED, build_object({"device": NAMED, "environment": {"type": "boolean"}}, required=["device"])]
    },
    "id": ID,
    **{
        name: {"type": "string", "pattern": translate_form(form, loose=True)}
        for name, form in {"serial_number": SERIAL_NUMBER, "iccid": ICCID, "imei": IMEI}.items()
    },
    "name": {"type": "string", "pattern": r"^\S(.*\S)?$", "maxLength": MAX_NAME_LENGTH},
    "groups": {"type": "array", "items": GROUP},
    "eui64": {"type": "string", "pattern": r"^\s*(0[xX])?([\s:.-]*[0-9a-fA-F]){16}[\s:.-]*$"},
    "environment": {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {f"^(?!{RESERVED_NAMES}){translate_form(VARIABLE_NAME)[1:]}": VARIABLE},
    },
    "firmware_lock": {
        "anyOf": [
            {"type": "integer", "minimum": MIN_FIRMWARE_VERSION, "maximum": MAX_FIRMWARE_VERSION},
            {"type": "string", "pattern": f"^([0-9]{{1,5}}|{UNLOCKED})$"},
        ]
    },
}
"""The schemas of the keys of a device whose documentation tells only a type."""

LEDGER_NETWORK = f"^(?!({'|'.join(ROLES)})$){translate_form(NETWORK_NAME)[1:]}"
"""The form of the name of a network with backend `ledger`."""

IS_ABSENT: Schema = {"required": ["state"], "properties": {"state": {"const": "absent"}}}


def build_manifest_schema() -> Schema:
    """Return the schema of a manifest."""
    options = read_options("fleet")
    keys = {name: {**describe(options[name]), **_build_top(name, options)} for name in MANIFEST_KEYS}
    has_list = {"required": ["devices"], "properties": {"devices": {"type": "array"}}}
    return build_schema(
        NAME,
        "Manifest of a fleet",
        "The file that the option manifest of module meshfleet.particle.fleet names. It declares the state of a fleet. "
        "A key that is missing remains unchanged.",
        {
            "device": _build_device(options["devices"]["suboptions"]),
            "network": _build_network(options["networks"]["suboptions"]["<name>"]),
        },
        {**build_object(keys), "if": has_list, "then": forbid(COLUMN_KEYS)},
    )


def _build_top(name: str, options: Mapping[str, Any]) -> Schema:
    """Return the schema of the value of a top-level key."""
    network: Schema = {"$ref": "#/$defs/network"}
    others = [backend for backend in BACKENDS if backend != LEDGER.name]
    has_other_backend = {"required": ["backend"], "properties": {"backend": {"enum": others}}}
    forms: Mapping[str, Schema] = {
        "product": PRODUCT,
        "networks": {
            "type": ["object", "null"],
            "patternProperties": {LEDGER_NETWORK: network},
            # Only the other backends have networks with other names.
            "additionalProperties": {"allOf": [network, {"type": "object", **has_other_backend}]},
        },
        "devices": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/device"}}, TEXT]},
        "columns": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    }
    return forms[name] if name in forms else build_value(options[name])


def _build_device(options: Mapping[str, Any]) -> Schema:
    """Return the schema of one device, given the documentation of its keys."""
    keys = {
        name: {**describe(options[name]), **DEVICE_FORMS.get(name, build_value(options[name]))}
        for name in list_device_keys()
    }
    keys["mesh"] = _build_mesh(options["mesh"])
    both = list[Schema]()
    for former, name in list_former_names().items():
        keys[former] = {**keys[name], "deprecationMessage": f"The key {former} was renamed; use {name}."}
        both.append({"if": {"required": [name]}, "then": forbid([former])})
    identifiers = [{"required": [name]} for name in (*IDENTIFIERS, *list_identity_keys())]
    return build_object(keys, anyOf=identifiers, allOf=both)


def _build_mesh(option: Mapping[str, Any]) -> Schema:
    """Return the schema of the membership of a device."""
    options = option["suboptions"]
    keys = {name: {**describe(each), **build_value(each)} for name, each in options.items()}
    conditions = {"if": IS_ABSENT, "then": forbid(("network", "role", "parameters")), "else": {"required": ["network"]}}
    return {**describe(option), **build_object(keys, **conditions)}


def _build_network(option: Mapping[str, Any]) -> Schema:
    """Return the schema of one network."""
    options = option["suboptions"]
    keys = {name: {**describe(each), **build_value(each)} for name, each in options.items()}
    keys["gateways"]["items"] = ID
    parameters = {
        name: {**describe(each), **build_value(each)} for name, each in options["parameters"]["suboptions"].items()
    }
    parameters["limit"]["minimum"] = 1
    parameters["channel"] |= {"minimum": MIN_CHANNEL, "maximum": MAX_CHANNEL}
    of_thread = {name: parameters.pop(name) for name in PARAMETERS}
    is_registry, is_thread = (
        {"required": ["backend"], "properties": {"backend": {"const": backend.name}}} for backend in (REGISTRY, THREAD)
    )
    keys["border_routers"]["minItems"] = 1
    needs_routers = {"required": ["border_routers"], "properties": {"parameters": build_object(of_thread)}}
    conditions = [
        {"if": IS_ABSENT, "then": forbid(("parameters", "gateways"))},
        {"if": is_registry, "then": {"properties": {"parameters": build_object(parameters)}}},
        {"if": is_thread, "then": needs_routers, "else": forbid(THREAD.network_keys)},
    ]
    return {**describe(option), **build_object(keys, type=["object", "null"], allOf=conditions)}
