# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change environment variables (endpoints.yml: environment_variables). Private to this collection.

A change is only an edit at first: devices get the edits of a scope with its next rollout. Devices of a product need
Device OS 6.4 or later to get environment variables; older devices never get them, and the cloud reports no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry

CONNECT, IMMEDIATE = "Connect", "Immediate"
"""When devices get a rollout: when they connect the next time, or now, in which case they may restart."""


@dataclass(frozen=True)
class Scope:
    """The product or device that variables belong to.

    :param path: the path template of the scope.
    :param path_params: the values for the placeholders of the path template.
    :param name: the words for the scope in messages, such as ``product field-logger``.
    """

    path: str
    path_params: Mapping[str, object]
    name: str


def build_product_scope(product: str) -> Scope:
    """Return the scope of a product, given its id or slug."""
    return Scope("/v1/products/:p/env", {"p": product}, f"product {product}")


def build_device_scope(device: str) -> Scope:
    """Return the scope of a device. The device must be in a product."""
    return Scope("/v1/env/:deviceId", {"deviceId": device}, f"device {device}")


@dataclass(frozen=True)
class Level:
    """The variables of a scope itself, without the variables that it inherits.

    :param edited: the values with all edits, including those that are not rolled out, keyed by name.
    :param rolled_out: the values of the last rollout, keyed by name; empty before the first rollout.
    :param rolled_out_at: the time of the last rollout; ``None`` before the first rollout.
    """

    edited: Mapping[str, str] = field(default_factory=dict)
    rolled_out: Mapping[str, str] = field(default_factory=dict)
    rolled_out_at: str | None = None

    @property
    def staged(self) -> list[str]:
        """The sorted names of the variables with edits that are not rolled out."""
        names = sorted({**self.edited, **self.rolled_out})
        return [name for name in names if self.edited.get(name) != self.rolled_out.get(name)]

    def edit(self, edits: Mapping[str, str | None]) -> dict[str, str]:
        """Return the edited values after further edits. The value ``None`` removes a variable."""
        return {name: value for name, value in {**self.edited, **edits}.items() if value is not None}


def read_level(http: Http, scope: Scope) -> Level:
    """Return the variables of a scope (endpoints.yml: env_list).

    :raises ParticleError: ``unsupported`` when the cloud has no environment variables; ``bad_response`` when the
        response contains no variables.
    """
    request = Request(f"GET {scope.path}", f"read the environment variables of {scope.name}", scope.path_params)
    try:
        data = http.send(request).data
    except ParticleError as error:
        if error.status != 404:
            raise
        message = f"This cloud has no environment variables for {scope.name} (HTTP 404{error.quoted})."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None
    try:
        snapshot = data.get("last_snapshot") or {"own": {}}
        return Level(_read_own(data["latest"]), _read_own(snapshot), snapshot.get("rollout_at"))
    except (AttributeError, KeyError, TypeError):
        message = f"Could not {request.action}: the response contains no variables."
        raise ParticleError("bad_response", message, status=200, route=request.route) from None


def _read_own(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a scope itself, keyed by name.

    :raises TypeError: when a value is not a string.
    """
    own = {name: item["value"] for name, item in values["own"].items()}
    if not all(isinstance(value, str) for value in own.values()):
        raise TypeError
    return own


def edit_variables(http: Http, scope: Scope, values: Mapping[str, str | None]) -> None:
    """Set and remove variables of a scope, all or none (endpoints.yml: env_patch).

    Devices get the edits with the next rollout.

    :param values: the new values by name. The value ``None`` removes a variable.
    """
    ops = [
        {"op": "Unset", "key": name} if value is None else {"op": "Set", "key": name, "value": value}
        for name, value in values.items()
    ]
    action = f"edit {format_count(len(ops), 'environment variable')} of {scope.name}"
    # The operations name absolute values, so that sending them twice has the same effect as sending them once.
    http.send(Request(f"PATCH {scope.path}", action, scope.path_params, json={"ops": ops}, retry=Retry.SAFE))


def start_rollout(http: Http, scope: Scope, when: str) -> None:
    """Roll out all edits of a scope, including edits of other people (endpoints.yml: env_rollout_start).

    :param when: :data:`CONNECT` or :data:`IMMEDIATE`.
    :raises ParticleError: ``ambiguous_write`` when the result is not known. Read the scope again before a repetition.
    """
    action = f"roll out the edited environment variables of {scope.name}"
    send_create(http, Request(f"POST {scope.path}/rollout", action, scope.path_params, json={"when": when}))
