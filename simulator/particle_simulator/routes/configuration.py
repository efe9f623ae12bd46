# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the configuration of a product and its devices, and for the JSON Schema of a configuration.

The same paths serve configurations and schemas. The media type `application/schema+json` selects the schema: in the
header Accept of a GET request, and as the content type of a PUT or DELETE request.

The facts name the scope `configuration:get` only for reading a schema. That it also opens the reading of a
configuration is inferred.
"""

from __future__ import annotations

from typing import Any

from particle_simulator.configurations import (
    REJECTED,
    Sections,
    find_device_state,
    find_schema,
    set_device_configuration,
    set_device_schema,
    set_product_configuration,
)
from particle_simulator.errors import Refusal, bad_request
from particle_simulator.json_schema import find_violations
from particle_simulator.messages import SCHEMA, Call, Reply, json_reply, no_content
from particle_simulator.model import Device, Product
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "configuration_and_location"
DEVICE_IDS = "deviceIds"


def _not_set() -> Refusal:
    """Build the `Refusal` for a configuration or a schema that is not set (errors-and-limits.md, section 1, E12)."""
    return Refusal(404, {})


def _is_about_schema(call: Call) -> bool:
    header = "Accept" if call.method == "GET" else "Content-Type"
    return SCHEMA in call.headers.get(header, "").lower()


# ---------------------------------------------------------------------- schemas


def _read_schema(call: Call) -> Sections:
    """Return the JSON Schema in the request body. Raise a `Refusal` with status 422 if it is not a valid schema."""
    violations = find_violations(call.document)
    if violations:
        first = violations[0]
        description = f"{first['dataPath'] or 'The schema'} {first['message']}"
        raise Refusal(422, {"message": "Invalid Schema", "description": description, "violations": violations})
    schema: Sections = call.document
    return schema


def _build_schema_reply(schema: Sections | None) -> Reply:
    if schema is None:
        raise _not_set()
    reply = json_reply(schema)
    reply.content_type = SCHEMA
    return reply


def _check_schema_request(call: Call) -> None:
    """Refuse a DELETE request without the content type of a schema.

    What the cloud does with such a request is not documented. The status is inferred.
    """
    if not _is_about_schema(call):
        raise bad_request(f"The content type must be {SCHEMA}")


def delete_product_schema(world: World, call: Call) -> Reply:
    """Delete the schema of a product (endpoints.yml: config_schema_delete).

    The response for a product without a schema is inferred: the same as for reading the schema.
    """
    product = find_product(world, call)
    _check_schema_request(call)
    if product.resources.configuration.schema is None:
        raise _not_set()
    product.resources.configuration.schema = None
    return no_content()


def delete_device_schema(world: World, call: Call) -> Reply:
    """Delete the schema of a device (endpoints.yml: config_device_schema_delete).

    The device uses the schema of its product again. The response for a device without a schema of its own is inferred.
    """
    product, device = find_product_device(world, call)
    _check_schema_request(call)
    state = product.resources.configuration.devices.get(device.id)
    if state is None or state.schema is None:
        raise _not_set()
    set_device_schema(product, device, None)
    return no_content()


# ---------------------------------------------------------------------- the product


def get_product_configuration(world: World, call: Call) -> Reply:
    """Respond with the configuration or the schema of a product (endpoints.yml: config_product_get)."""
    configuration = find_product(world, call).resources.configuration
    if _is_about_schema(call):
        return _build_schema_reply(configuration.schema)
    if configuration.sections is None:
        raise _not_set()
    return json_reply({"configuration": configuration.sections})


def put_product_configuration(world: World, call: Call) -> Reply:
    """Replace the configuration or the schema of a product (endpoints.yml: config_product_set, config_schema_set).

    The field `deviceIds` limits the change to some devices. Without sections, it resets these devices. The error
    responses are inferred, not documented.
    """
    product = find_product(world, call)
    if _is_about_schema(call):
        product.resources.configuration.schema = _read_schema(call)
        return _build_schema_reply(product.resources.configuration.schema)
    sections = _read_sections(call.fields)
    if DEVICE_IDS in call.fields:
        for device in _read_devices(product, call.fields[DEVICE_IDS]):
            set_device_configuration(product, device, sections)
    elif sections:
        set_product_configuration(product, sections)
    else:
        raise bad_request("The configuration must have a section")
    return json_reply({}, 202)


def _read_sections(fields: dict[str, Any]) -> Sections:
    sections = {name: section for name, section in fields.items() if name != DEVICE_IDS}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise bad_request(f"{name} must be an object")
    return sections


def _read_devices(product: Product, value: Any) -> list[Device]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise bad_request(f"{DEVICE_IDS} must be a list of device ids")
    for device_id in value:
        if device_id.lower() not in product.devices:
            raise bad_request(f"Device {device_id} is not in the product")
    return [product.devices[device_id.lower()] for device_id in value]


# ---------------------------------------------------------------------- one device


def get_device_configuration(world: World, call: Call) -> Reply:
    """Respond with the configuration of a device (endpoints.yml: config_device_get).

    `pending` is the configuration that the device has not taken yet. Inferred: a request for the schema is answered
    with the schema that the device uses.
    """
    product, device = find_product_device(world, call)
    if _is_about_schema(call):
        return _build_schema_reply(find_schema(product, device))
    state = find_device_state(product, device)
    if state is None or not (state.current or state.pending):
        raise _not_set()
    return json_reply({"configuration": {"current": state.current, "pending": state.pending or {}}})


def put_device_configuration(world: World, call: Call) -> Reply:
    """Replace the configuration or the schema of a device (endpoints.yml: config_device_set, config_schema_set).

    An online device takes the configuration at once. For an offline device, the configuration waits until the next
    session, and the status is 202.
    """
    product, device = find_product_device(world, call)
    if _is_about_schema(call):
        schema = _read_schema(call)
        set_device_schema(product, device, schema)
        return _build_schema_reply(schema)
    sections = _read_sections(call.fields)
    rejected = set_device_configuration(product, device, sections)
    if rejected:
        raise _device_rejected(rejected, [name for name in sections if name not in rejected])
    return json_reply({}, 200 if device.reachable else 202)


def _device_rejected(rejected: list[str], successful: list[str]) -> Refusal:
    """Build the documented `Refusal` for sections that a device has rejected."""
    errors = ", ".join(f"{name}: {REJECTED}" for name in rejected)
    description = (
        f"Configuration updates failed for some sections: {{{errors}}}, "
        f"these sections were successful: {', '.join(successful)}"
    )
    return Refusal(400, {"error": "device_rejected_configuration", "error_description": description})


PRODUCT = "/v1/products/:p/config"
DEVICE = "/v1/products/:p/config/:deviceId"
READ, UPDATE = "configuration:get", "configuration:update"
ALSO = ("config_schema_set",)

ROUTES = [
    Route(GROUP, "config_product_get", "GET", PRODUCT, get_product_configuration, scope=READ),
    Route(
        GROUP,
        "config_product_set",
        "PUT",
        PRODUCT,
        put_product_configuration,
        kind=Kind.WRITE,
        scope=UPDATE,
        also=ALSO,
    ),
    Route(GROUP, "config_schema_delete", "DELETE", PRODUCT, delete_product_schema, kind=Kind.WRITE, scope=UPDATE),
    Route(GROUP, "config_device_get", "GET", DEVICE, get_device_configuration, scope=READ),
    Route(
        GROUP,
        "config_device_set",
        "PUT",
        DEVICE,
        put_device_configuration,
        kind=Kind.WRITE,
        scope=UPDATE,
        also=ALSO,
    ),
    Route(GROUP, "config_device_schema_delete", "DELETE", DEVICE, delete_device_schema, kind=Kind.WRITE, scope=UPDATE),
]
