# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the environment variables of a sandbox, an organization, a product or a device.

The path `/v1/env/:x` has two meanings. For PUT and DELETE, `x` is a variable of the sandbox. For GET and PATCH, `x`
is a device.
"""

from __future__ import annotations

from typing import Any

from particle_simulator.environments import (
    Scope,
    build_device_scope,
    build_product_scope,
    build_scope_row,
    change_variables,
    check_key,
    check_value,
    collect_latest,
    collect_on_device,
    collect_rolled_out,
    compare_values,
    roll_out,
)
from particle_simulator.errors import bad_request
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import format_time
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.owners import find_owner
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "environment_variables"
ROLLOUT_TIMES = ("Immediate", "Connect")


def _find_scope(world: World, call: Call) -> Scope:
    """Find the scope in the request path: a device, a product, an organization or the sandbox of the caller.

    If the device is in no product, respond with status 400. This error response is inferred, not documented.
    """
    if "deviceId" in call.path:
        device = find_visible_device(world, call.account, call.path["deviceId"])
        if device.product is None:
            raise bad_request("The device is in no product")
        return build_device_scope(world, device, device.product)
    owner = find_owner(world, call)
    if owner.product is not None:
        return build_product_scope(owner.product)
    return Scope(owner.resources.environment)


def list_variables(world: World, call: Call) -> Reply:
    """Respond with the variables of a scope (endpoints.yml: env_list)."""
    return json_reply(build_scope_row(_find_scope(world, call)))


def patch_variables(world: World, call: Call) -> Reply:
    """Set and unset several variables of a scope (endpoints.yml: env_patch).

    If one operation is invalid, no variable changes.
    """
    scope = _find_scope(world, call)
    operations = call.fields.get("ops")
    if not isinstance(operations, list) or not operations:
        raise bad_request('Validation error: Required at "ops"')
    changes = [_read_operation(operation, f"ops[{index}]") for index, operation in enumerate(operations)]
    change_variables(world, scope, changes, call.account.username)
    return json_reply(build_scope_row(scope))


def _read_operation(operation: Any, where: str) -> tuple[str, str | None]:
    if not isinstance(operation, dict) or operation.get("op") not in ("Set", "Unset"):
        raise bad_request(f'Validation error: Must be Set or Unset at "{where}.op"')
    key = check_key(operation.get("key"), f"{where}.key")
    return key, check_value(operation.get("value"), f"{where}.value") if operation["op"] == "Set" else None


def set_variable(world: World, call: Call) -> Reply:
    """Set a variable (endpoints.yml: env_set)."""
    scope = _find_scope(world, call)
    key = check_key(call.path["key"], "key")
    change_variables(world, scope, [(key, check_value(call.fields.get("value"), "value"))], call.account.username)
    return json_reply(build_scope_row(scope))


def unset_variable(world: World, call: Call) -> Reply:
    """Unset a variable (endpoints.yml: env_unset).

    The request succeeds even if the variable is not set. This behaviour is inferred, not documented.
    """
    scope = _find_scope(world, call)
    change_variables(world, scope, [(check_key(call.path["key"], "key"), None)], call.account.username)
    return json_reply(build_scope_row(scope))


def render_variables(world: World, call: Call) -> Reply:
    """Respond with all values of a scope, including inherited values (endpoints.yml: env_render)."""
    scope = _find_scope(world, call)
    snapshot = scope.environment.snapshot
    return json_reply(
        {
            "env": collect_latest(scope),
            "last_updated_at": format_time(scope.environment.updated_at),
            "rollout_at": format_time(snapshot.rollout_at) if snapshot else None,
            "rollout_by": snapshot.rollout_by if snapshot else None,
        }
    )


def review_rollout(world: World, call: Call) -> Reply:
    """Respond with the changes that a rollout would make (endpoints.yml: env_rollout_review).

    The current values of the scope are compared with the values of the latest rollout. On the device route, the
    current values are also compared with the values that the device uses.
    """
    scope = _find_scope(world, call)
    answer = {"from_snapshot": compare_values(collect_rolled_out(scope), collect_latest(scope))}
    if scope.device is not None:
        answer["from_device"] = compare_values(collect_on_device(scope, scope.device), collect_latest(scope))
    return json_reply(answer)


def start_rollout(world: World, call: Call) -> Reply:
    """Roll out the edited variables of a scope to the devices (endpoints.yml: env_rollout_start)."""
    scope = _find_scope(world, call)
    when = call.fields.get("when")
    if when not in ROLLOUT_TIMES:
        raise bad_request(f'Validation error: Must be {" or ".join(ROLLOUT_TIMES)} at "when"')
    roll_out(world, scope, call.account.username, immediate=when == "Immediate")
    return json_reply({"success": True})


def _build_routes(base: str) -> list[Route]:
    key = f"{base}/:key"
    return [
        Route(GROUP, "env_list", "GET", base, list_variables),
        Route(GROUP, "env_patch", "PATCH", base, patch_variables, kind=Kind.WRITE),
        Route(GROUP, "env_set", "PUT", key, set_variable, kind=Kind.WRITE),
        Route(GROUP, "env_unset", "DELETE", key, unset_variable, kind=Kind.WRITE),
        Route(GROUP, "env_render", "GET", f"{base}/render", render_variables),
        Route(GROUP, "env_rollout_review", "GET", f"{base}/rollout", review_rollout),
        Route(GROUP, "env_rollout_start", "POST", f"{base}/rollout", start_rollout, kind=Kind.WRITE),
    ]


ROUTES = [
    *_build_routes("/v1/env"),
    *_build_routes("/v1/env/:deviceId"),
    *_build_routes("/v1/products/:p/env"),
    *_build_routes("/v1/orgs/:org/env"),
]
