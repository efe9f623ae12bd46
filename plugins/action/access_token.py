# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``access_token`` on the controller: obtain, store, rotate and revoke access tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import revoke_orphans
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.two_step import TwoStepLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_seconds_until
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import (
    build_encryption_warnings,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    Settings,
    find_source,
    raise_problems,
    read_client,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import ACCOUNT
from ansible_collections.meshfleet.particle.plugins.modules.access_token import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._role_options import RoleOptions, find_module_defaults

_ALLOWED_WITH_PRIVATE = {"state": ("present", "absent"), "grant": ("password",), "which": ("given",)}
_ROLE_TASK_OPTIONS = {"present": ("state", "private", "expires_in"), "absent": ("state", "private")}
"""The options that the tasks of a role set, for each state."""


class ActionModule(ParticleAction):
    """The action plugin of module ``access_token``."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        """Log in for state ``present`` or ``rotated``, or revoke tokens for state ``absent``."""
        _check_private(task.options)
        if task.options["state"] == "absent":
            return _revoke_tokens(task)
        if self._task.run_once:
            self.refuse_repeated_run()  # each host would obtain a token, and not all of them would revoke it
        if task.options["private"]:
            return {**_obtain_private_token(task), "_ansible_no_log": True}
        # The other grants need no username and password, and accept one without the other.
        needs_account = task.options["grant"] in ("password", "session")
        settings = task.read_settings(ACCOUNT if needs_account else ())
        login = _choose_login(task, settings)
        account, client = login.display_names
        label = Label(settings.connection.api_url, account, client, task.options["purpose"])
        requested = _read_lifetime(task.options)
        tokens = _open_tokens(task, settings)
        with tokens.hand_over():
            if task.options["state"] == "rotated":
                result = tokens.rotate(login, label, requested, check_mode=task.check_mode)
            else:
                days = task.options["renew_before"]
                renew_before = None if days is None else days * DAY
                result = tokens.ensure_present(login, label, requested, renew_before, check_mode=task.check_mode)
        # Hide the result from all output; the registered variable stays complete.
        return {**result, "_ansible_no_log": True}

    def _merge_role_options(self, role: RoleOptions) -> dict[str, Any]:
        """Return the options of the task, so that the task logs in where the main module of the role would log in."""
        if role.main_module is None:
            return role.merge(self._task.args)
        # The options that module_defaults set for this module alone are for the tasks of the play, and the task already
        # has them. They could send a password to another cloud, or leave the role with a token that never expires.
        args = self._task.args
        own = {name: args[name] for name in _ROLE_TASK_OPTIONS[args["state"]] if name in args}
        groups = self._task.get_play()._action_groups or {}
        defaults = find_module_defaults(self._task.module_defaults, groups, role.main_module, self._templar.template)
        return role.merge({**defaults, **own})


def _check_private(options: Mapping[str, Any]) -> None:
    """Check the options that cannot be combined with ``private``.

    :raises ParticleError: ``invalid_option`` when another option cannot be combined with ``private``.
    """
    given = {name: options[name] for name, allowed in _ALLOWED_WITH_PRIVATE.items() if options[name] not in allowed}
    if options["private"] and given:
        phrase = " and ".join(f"{name} {value}" for name, value in given.items())
        raise ParticleError(
            "invalid_option", f"private cannot be combined with {phrase}.", hint="Leave one of them out."
        )


def _obtain_private_token(task: Task) -> dict[str, Any]:
    """Obtain a token if the other tasks would log in with username and password; otherwise, change nothing."""
    settings = task.read_settings()
    if settings.login is None and not settings.problems:
        return {"changed": False}
    login = settings.require_login()
    if isinstance(login, ReadyToken):
        return {"changed": False}
    tokens = _open_tokens(task, settings)
    account, client = login.display_names
    label = Label(settings.connection.api_url, account, client, task.options["purpose"])
    lifetime = _read_lifetime(task.options)
    with tokens.hand_over():
        result = tokens.ensure_present(login, label, lifetime, None, check_mode=task.check_mode)
    return {**result, "api_url": settings.connection.api_url}


def _open_tokens(task: Task, settings: Settings) -> Tokens:
    kept = TokenStore(settings.token_file) if settings.token_file and not task.options["private"] else None
    is_private = task.options["private"]
    return Tokens(task.connect(settings), task.open_sessions(), kept, task.warn, is_temporary=is_private)


def _choose_login(task: Task, settings: Settings) -> Login:
    """Return the login for the grant in option ``grant``.

    :raises ParticleError: when the credentials for this grant are missing or invalid.
    """
    options = task.options
    login: Login
    if options["grant"] == "password":
        login = settings.require_login()
    elif options["grant"] == "session":
        account = settings.require_login().account or ("", "")
        login = TwoStepLogin(
            *account, _require_option(options, "session_login_url"), _require_option(options, "session_token_url")
        )
    else:
        task.note_source(find_source(options, task.environment, ("client_id", "client_secret")))
        client = read_client(options, task.environment)
        if client is None:
            message = f"The grant {options['grant']} requires an OAuth client, but none is given."
            raise ParticleError("invalid_option", message, hint="Give client_id and client_secret.")
        if options["grant"] == "refresh_token":
            kept = options["refresh_token"] is None and settings.token_file is not None
            login = RefreshToken(None if kept else _require_option(options, "refresh_token"), client)
        else:
            login = ClientCredentials(client, options["scope"])
    login.mask_secrets(task.redact)
    raise_problems(login.find_problems())
    if isinstance(login, TwoStepLogin):
        for warning in build_encryption_warnings(login.login_url, login.token_url):
            task.warn(warning)
    return login


def _require_option(options: Mapping[str, Any], name: str) -> str:
    if options[name] is None:
        message = f"The grant {options['grant']} requires {name}, which is missing."
        raise ParticleError("invalid_option", message, hint=f"Give {name}.")
    return str(options[name])


def _read_lifetime(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the lifetime fields of the token request. Without these fields, the cloud chooses the lifetime.

    :raises ParticleError: ``invalid_option`` when the options are invalid or cannot be combined.
    """
    given = [name for name in ("expires_in", "expires_at", "never_expires") if options[name]]
    if given and options["grant"] in ("refresh_token", "session"):
        message = (
            f"{' and '.join(given)} cannot be combined with grant {options['grant']}: "
            "the cloud alone decides the lifetime."
        )
        hint = f"Leave {' and '.join(given)} out, or choose another grant."
        raise ParticleError("invalid_option", message, hint=hint)
    if options["expires_in"] is not None and options["expires_in"] <= 0:
        hint = "Give a number of seconds, or set never_expires for a token that never expires."
        raise ParticleError("invalid_option", f"expires_in must be above 0, got {options['expires_in']}.", hint=hint)
    if len(given) > 1:
        message = f"{' and '.join(given)} cannot be combined."
        raise ParticleError("invalid_option", message, hint="Give only one of them.")
    if options["expires_at"] is not None and compute_seconds_until(options["expires_at"], 0) is None:
        hint = "Give a time like 2026-12-31T12:00:00Z."
        raise ParticleError("invalid_option", f"{options['expires_at']!r} is not a valid expires_at.", hint=hint)
    if options["never_expires"]:
        return {"expires_in": "0"}
    return {name: str(options[name]) for name in given}


def _revoke_orphans(task: Task) -> dict[str, Any]:
    search = task.search_orphans(task.connect(task.read_settings()))
    return revoke_orphans(search, task.read_account(), task.warn, check_mode=task.check_mode)


def _revoke_tokens(task: Task) -> dict[str, Any]:
    which = task.options["which"]
    if which == "orphaned":
        return _revoke_orphans(task)
    if which == "given" and task.options["access_token"] is None:
        # Do not revoke a token from another source, such as a person's login, because a variable was not set.
        hint = "Give access_token, or set which: current to revoke the token in use."
        raise ParticleError("invalid_option", "The token to revoke is not given.", hint=hint)
    settings = task.read_settings()
    login = settings.require_login()
    account = task.read_account()
    tokens = _open_tokens(task, settings)
    if isinstance(login, ReadyToken):
        token: str | None = login.access_token
    else:
        token = tokens.sessions.find_token(identify_login(settings.connection, login))
    pair = account.account if account else None
    if which == "all":
        if not task.options["confirm"]:
            message = "All tokens of the account would be revoked, including those that other people and devices use."
            raise ParticleError("invalid_option", message, hint="Set confirm: true to revoke all of them.")
        if token is None:
            token = tokens.log_in(login)
        return tokens.revoke_all_tokens(token, pair[0] if pair else None, check_mode=task.check_mode)
    if token is None:
        return {"changed": False, "fingerprint": None}
    return tokens.revoke_one(token, pair, check_mode=task.check_mode)
