# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module gets: spec, settings, session, result, failure. Private to this collection.

The work of a module is one function from a :class:`Task` to its result. Whether Ansible runs it as a module or
inside an action plugin makes no difference to it: :func:`carry_out` is the one place where results are finished
and where an error becomes the documented failure.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import CUSTOMARY_CLIENT
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, session_file
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import (
    MOST_WORKERS,
    REQUESTS_IMPORT_ERROR,
    WORKERS,
    Http,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import own_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import secret_options
from ansible_collections.meshfleet.particle.plugins.module_utils._options.budget import budget_from
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    NOWHERE,
    Settings,
    account_given,
    settings_from,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    CREDENTIALS,
    SECRETS,
    secrets_in,
    secrets_of_store,
    shared_argument_spec,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import told


def argument_spec(**own: Mapping[str, Any]) -> dict[str, Any]:
    """The shared options and a module's own."""
    return {**shared_argument_spec(), **own}


@dataclass
class Task:
    """What Ansible asks for, and the conversation that answers it.

    :param options: validated, with ``None`` for what is not given.
    :param warn: shows a sentence to the user; ``say`` only with ``-v``.
    """

    options: Mapping[str, Any] = field(repr=False)
    check_mode: bool
    warn: Callable[[str], None]
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    redact: Redactor = field(default_factory=Redactor, repr=False)
    http: Http | None = field(default=None, repr=False)
    credentials_source: str | None = None
    """Where the credentials come from, in words; ``None`` as long as nobody has looked for them."""

    def settings(self, credentials: tuple[str, ...] = CREDENTIALS) -> Settings:
        """Connection and login as options and environment say. :raises ParticleError: when they make no sense."""
        settings = settings_from(self.options, self.environment, credentials=credentials, now=time.time())
        if settings.login is not None:
            settings.login.teach(self.redact)
        self.settle_source(settings.source)
        for warning in settings.warnings:
            self.warn(warning)
        return settings

    def settle_source(self, source: str) -> None:
        """Let the user know where the credentials come from, with ``-v`` and in the result."""
        self.credentials_source = source
        if source != NOWHERE:
            self.say(f"Credentials come from {source}.")

    def account(self) -> PasswordLogin | None:
        """Username and password, also beside a token. :raises ParticleError: for half of them."""
        account = account_given(self.options, self.environment)
        if account is not None:
            account.teach(self.redact)
        return account

    def sessions(self) -> SessionStore:
        """The logins that all processes of this user share. Their place is looked for once it is needed."""
        return SessionStore(lambda: session_file(self.environment))

    def connect(self, settings: Settings) -> Http:
        """A conversation that is not logged in; its cost becomes the result's ``cloud``.

        :raises ParticleError: for a number of workers or a budget that cannot be meant, or that cannot be kept.
        """
        given = self.options.get("workers")
        workers = WORKERS if given is None else given
        if not 1 <= workers <= MOST_WORKERS:
            message = f"workers must be a number from 1 to {MOST_WORKERS}, got {workers}."
            raise ParticleError("invalid_option", message, hint="Correct workers.")
        connection = replace(settings.connection, environment=self.environment)
        self.http = Http(connection, redact=self.redact, budget=self._budget(connection.api_url), workers=workers)
        return self.http

    def _budget(self, api_url: str) -> Budget:
        """The requests that this cloud allows, as all processes of this user share them, or all with one store."""
        limits, share, store = budget_from(self.options, self.environment)
        if store is not None:
            self.redact.learn_all(secrets_of_store(store))
            return Budget(limits, share=share, store=store, cloud=api_url.lower())
        try:
            folder = own_folder(self.environment, "Budgets", "let each task pace itself")
        except ParticleError:  # then it does: that is no reason to do nothing
            folder = None
        return Budget(limits, share=share, folder=folder, cloud=api_url.lower())

    def session(self) -> Session:
        """A logged-in conversation, for ``with``. :raises ParticleError: before any request, for bad credentials."""
        settings = self.settings()
        login = settings.require_login()
        return Session(self.connect(settings), login, self.sessions, self.warn)

    def conversation(self, *, needs_login: bool) -> AbstractContextManager[Http]:
        """A logged-in conversation, or one for work that sends nothing to the Particle cloud; for ``with``."""
        return self.session() if needs_login else nullcontext(self.connect(self.settings(credentials=())))


Work = Callable[[Task], dict[str, Any]]


def carry_out(task: Task, work: Work) -> dict[str, Any]:
    """Do the work; whatever happens, give back a result of the documented form, free of secrets in a failure."""
    task.redact.learn_all(secrets_in(task.options, (*SECRETS, *secret_options())))
    try:
        result = work(task)
    except ParticleError as error:
        result = error.as_failure()
    except Exception as error:
        unexpected = ParticleError("internal", f"Unexpected {type(error).__name__}: {error}")
        result = {**unexpected.as_failure(), "exception": traceback.format_exc()}
    finally:
        if task.http is not None:
            task.http.close()
    if task.credentials_source is not None:
        result["credentials_source"] = task.credentials_source
    if task.http is not None:
        result["cloud"] = task.http.usage.as_result()
    if result.get("failed"):
        cleaned: dict[str, Any] = task.redact.clean(result)
        return cleaned
    return result


def missing_library() -> str:
    """What to say where `REQUESTS_IMPORT_ERROR` is set: a module and a plugin may run in Pythons of their own."""
    return f"The Python library requests is missing. Install it with: {sys.executable} -m pip install requests"


class _Module(AnsibleModule):
    """A module that says of a refused option which one was probably meant, as its action would."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__(argument_spec=dict(spec), supports_check_mode=True)

    def fail_json(self, msg: str, **result: Any) -> None:
        """Ansible's own way out, which its validation of the options takes too."""
        # What fails before the validation has none.
        validation = getattr(self, "validation_result", None)
        if validation is not None and validation.error_messages:
            msg = told(validation.error_messages, self.params, self.argument_spec)
        super().fail_json(msg, **result)


def run_module(spec: Mapping[str, Any], work: Work) -> None:
    """The main of a module that runs where Ansible puts it."""
    module = _Module(spec)
    if REQUESTS_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_library(), exception=REQUESTS_IMPORT_ERROR)
    task = Task(module.params, module.check_mode, module.warn, module.debug)
    result = carry_out(task, work)
    # Ansible masks the values of no_log options by itself, but not what came from the environment or the cloud.
    # A word that everybody knows, see secrets_in; a real secret of the same letters is added again below.
    module.no_log_values.discard(CUSTOMARY_CLIENT.secret)
    module.no_log_values |= task.redact.secrets
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def run_by_action(spec: Mapping[str, Any]) -> None:
    """The main of a module that its action plugin carries out: it is reached only where Ansible does not find that."""
    module = _Module(spec)
    module.fail_json(
        msg="The action plugin that carries out this module was not found. Install the whole collection, and call the "
        "module by its full name, which begins with meshfleet.particle."
    )
