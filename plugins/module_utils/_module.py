# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module gets: spec, settings, session, result, failure. Private to this collection.

The work of a module is one function from a :class:`Task` to its result. Whether Ansible runs it as a module or
inside an action plugin makes no difference to it: :func:`carry_out` is the one place where results are finished
and where an error becomes the documented failure.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session_store import SessionStore, session_file
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http import (
    REQUESTS_IMPORT_ERROR,
    WORKERS,
    Http,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options import (
    CREDENTIALS,
    SECRETS,
    Settings,
    settings_from,
    shared_argument_spec,
)


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

    def settings(self, credentials: tuple[str, ...] = CREDENTIALS) -> Settings:
        """Connection and login as options and environment say. :raises ParticleError: when they make no sense."""
        settings = settings_from(self.options, self.environment, credentials=credentials, now=time.time())
        if settings.login is not None:
            settings.login.teach(self.redact)
            self.say(f"Credentials come from {settings.source}.")
        for warning in settings.warnings:
            self.warn(warning)
        return settings

    def sessions(self) -> SessionStore:
        """The logins that all processes of this user share. :raises ParticleError: when there is no place for them."""
        return SessionStore(session_file(self.environment))

    def connect(self, settings: Settings) -> Http:
        """A conversation that is not logged in; its cost becomes the result's ``cloud``."""
        workers = self.options.get("workers") or WORKERS
        self.http = Http(settings.connection, redact=self.redact, workers=workers)
        return self.http

    def session(self) -> Session:
        """A logged-in conversation, for ``with``. :raises ParticleError: before any request, for bad credentials."""
        settings = self.settings()
        login = settings.require_login()
        return Session(self.connect(settings), login, self.sessions, self.warn)


Work = Callable[[Task], dict[str, Any]]


def carry_out(task: Task, work: Work) -> dict[str, Any]:
    """Do the work; whatever happens, give back a result of the documented form, free of secrets in a failure."""
    task.redact.learn_all(str(task.options[name]) for name in SECRETS if task.options.get(name))
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
    if task.http is not None:
        result["cloud"] = task.http.usage.as_result()
    if result.get("failed"):
        cleaned: dict[str, Any] = task.redact.clean(result)
        return cleaned
    return result


def run_module(spec: Mapping[str, Any], work: Work) -> None:
    """The main of a module that runs where Ansible puts it."""
    module = AnsibleModule(argument_spec=dict(spec), supports_check_mode=True)
    if REQUESTS_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)
    task = Task(module.params, module.check_mode, module.warn, module.debug)
    result = carry_out(task, work)
    # Ansible masks the values of no_log options by itself, but not what came from the environment or the cloud.
    module.no_log_values |= task.redact.secrets
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
