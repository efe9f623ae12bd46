# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``api_user`` on the controller: manage an API user of a product, and replace its token."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import read_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.api_users import API_USERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.modules.api_user import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_token_file import refuse_own_token_file


class ActionModule(ParticleAction):
    """The action plugin of module ``api_user``."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        """Bring the API user to the state that the options declare. Hide a result that contains a token."""
        done = manage_api_user(task)
        token = None if done.get("failed") else (done["api_user"] or {}).pop("token", None)
        result: dict[str, Any] = remove_values(done, task.redact.secrets)
        if token is None:
            return result
        # Hide the result from all output; the registered variable stays complete.
        return {**result, "api_user": {**result["api_user"], "token": token}, "_ansible_no_log": True}


def manage_api_user(task: Task) -> dict[str, Any]:
    """Bring an API user to the state that the options declare, and return the documented result.

    :raises ParticleError: ``invalid_option`` when the options are not valid.
    """
    refuse_own_token_file(task, [task.options["user_token_file"]])
    declared = read_declared(API_USERS, task.options)
    with task.open_product() as target:
        result = reconcile_resource(target, API_USERS, declared, check_mode=task.check_mode)
    user = result["api_user"]
    if user is not None:
        username = user.pop("id")
        # Every change creates an API user, whose username the cloud generates.
        user["username"] = None if task.check_mode and result["changed"] else username
    return task.show_diff(result)
