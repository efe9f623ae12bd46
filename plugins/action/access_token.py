# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Obtain and revoke access tokens: the module of the same name, on the controller."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth import check_grants
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.states import absent, present
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options import ACCOUNT, TOKEN
from ansible_collections.meshfleet.particle.plugins.modules.access_token import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction


class ActionModule(ParticleAction):
    """``state: present`` logs in, ``state: absent`` revokes."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        notes = check_grants.folder(task.environment)
        account = task.settings(ACCOUNT)
        if task.options["state"] == "present":
            login = account.require_login()
            result = present(
                task.connect(account), login, task.options["expires_in"], check_mode=task.check_mode, notes=notes
            )
            # Hides the result from every display; what is registered stays whole.
            return {**result, "_ansible_no_log": True}
        given = task.settings(TOKEN)
        if not isinstance(given.login, ReadyToken):
            raise ParticleError("token_invalid", "No access token is given to revoke.")
        given.require_login()
        pair = (account.login.username, account.login.password) if isinstance(account.login, PasswordLogin) else None
        return absent(task.connect(given), given.login.access_token, pair, check_mode=task.check_mode, notes=notes)
