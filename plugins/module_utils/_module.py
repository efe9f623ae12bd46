# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the modules of this collection, and build their results. Private to this collection.

The work of a module is one function that takes a :class:`Task` and returns the result. The module and its action plugin
share this function. :func:`carry_out_work` calls this function, and turns an error into the documented failure.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import DEFAULT_CLIENT
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    RequestLog,
    hash_token,
    locate_request_file,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import (
    SessionStore,
    locate_session_file,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import (
    MAX_TEXT_SIZE,
    describe_diff,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import (
    DEFAULT_WORKERS,
    MAX_WORKERS,
    REQUESTS_IMPORT_ERROR,
    Http,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import ensure_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_secret_options
from ansible_collections.meshfleet.particle.plugins.module_utils._options.budget import read_budget
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    NO_SOURCE,
    Settings,
    list_token_files,
    list_tokens_in_use,
    read_account,
    read_settings,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    CREDENTIALS,
    SECRETS,
    build_shared_spec,
    find_secrets,
    find_url_secrets,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import (
    add_suggestions,
    build_option_error,
)


def build_argument_spec(**own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument spec with the shared options and a module's own options."""
    return {**build_shared_spec(), **own}


@dataclass
class Task:
    """An Ansible task, with the options of the task and the connection to a cloud.

    :param options: the validated options; ``None`` for an option that is not set.
    :param warn: a function that shows a warning to the user.
    :param say: a function that shows a message to the user if Ansible runs with ``-v``.
    :param redact: the object that masks the secrets of the task.
    :param http: the HTTP client for the cloud; ``None`` until the task connects.
    :param deprecate: a function that shows a deprecation to the user.
    :param diff_mode: whether the result must show what the task changes.
    :param is_verbose: whether Ansible runs with ``-v``.
    """

    options: Mapping[str, Any] = field(repr=False)
    check_mode: bool
    warn: Callable[[str], None]
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    redact: Redactor = field(default_factory=Redactor, repr=False)
    http: Http | None = field(default=None, repr=False)
    deprecate: Callable[[str], None] = lambda text: None
    diff_mode: bool = False
    is_verbose: bool = False
    credentials_source: str | None = None
    """Name of the source of the credentials; ``None`` until the credentials are read."""

    def read_settings(self, credentials: tuple[str, ...] = CREDENTIALS) -> Settings:
        """Return the connection and the login that the options and the environment describe.

        :raises ParticleError: when options are not valid, or credentials are incomplete.
        """
        settings = read_settings(self.options, self.environment, credentials=credentials, now=time.time())
        if settings.login is not None:
            settings.login.mask_secrets(self.redact)
        self.note_source(settings.source)
        for warning in settings.warnings:
            self.warn(warning)
        return settings

    def note_source(self, source: str) -> None:
        """Record the source of the credentials for the result.

        If Ansible runs with ``-v``, show the source to the user.
        """
        self.credentials_source = source
        if source != NO_SOURCE:
            self.say(f"Credentials come from {source}.")

    def read_account(self) -> PasswordLogin | None:
        """Return the login with username and password, even if an access token is given too.

        :returns: ``None`` if neither a username nor a password is given, or if a username without a password selects a
            token in ``token_file``.
        :raises ParticleError: when only one of username and password is given.
        """
        account = read_account(self.options, self.environment)
        if account is not None:
            account.mask_secrets(self.redact)
        return account

    def open_sessions(self) -> SessionStore:
        """Return the store of shared logins. The path of its file is determined when the store is first used."""
        requests = RequestLog(lambda: locate_request_file(self.environment), self.warn)
        return SessionStore(lambda: locate_session_file(self.environment), warn=self.warn, requests=requests)

    def search_orphans(self, http: Http) -> OrphanSearch:
        """Return the search for orphaned tokens, with all files and options in which this user has tokens.

        :raises ParticleError: ``invalid_option`` when the home folder in the path of a token file is not known.
        """
        stores = tuple(map(TokenStore, list_token_files(self.options, self.environment)))
        in_use = frozenset(map(hash_token, list_tokens_in_use(self.options, self.environment)))
        return OrphanSearch(http, self.open_sessions(), stores, in_use, self.warn)

    def connect(self, settings: Settings) -> Http:
        """Return an HTTP client that is not logged in. The task result reports the usage of this client as ``cloud``.

        :raises ParticleError: when ``workers`` or an option of the budget is not valid, or when the Redis server of the
            budget cannot be used.
        """
        given = self.options.get("workers")
        workers = DEFAULT_WORKERS if given is None else given
        if not 1 <= workers <= MAX_WORKERS:
            message = f"workers must be a number from 1 to {MAX_WORKERS}, got {workers}."
            raise ParticleError("invalid_option", message, hint="Correct workers.")
        connection = replace(settings.connection, environment=self.environment)
        self.http = Http(connection, redact=self.redact, budget=self._open_budget(connection.cloud), workers=workers)
        return self.http

    def _open_budget(self, cloud: str) -> Budget:
        """Return the request budget for a cloud.

        If a Redis server is given, all machines that use this server share the budget. Otherwise, all processes of this
        user share the budget.
        """
        allowance, store = read_budget(self.options, self.environment)
        if store is not None:
            self.redact.add_secrets(find_url_secrets(store))
            return Budget(allowance, store=store, cloud=cloud)
        try:
            folder = ensure_folder(self.environment, "Budgets", "let each task pace itself")
        except ParticleError:  # not an error: this task has a budget of its own
            folder = None
        return Budget(allowance, folder=folder, cloud=cloud)

    def open_session(self) -> Session:
        """Return a session. The session logs in at the start of its ``with`` block.

        :raises ParticleError: when the credentials are missing or not valid. In this case, no request is sent.
        """
        settings = self.read_settings()
        login = settings.require_login()
        return Session(self.connect(settings), login, self.open_sessions, self.warn)

    @contextmanager
    def open_product(self) -> Iterator[Target]:
        """Open a session for a ``with`` statement, and return the product that the option ``product`` names.

        :raises ParticleError: when the session cannot be opened, or when there is no such product.
        """
        with self.open_session() as http:
            yield Target(http, get_product(http, self.options["product"]), self.warn)

    def open_client(self, *, needs_login: bool) -> AbstractContextManager[Http]:
        """Return an HTTP client for a ``with`` statement. If ``needs_login`` is true, the client is logged in."""
        return self.open_session() if needs_login else nullcontext(self.connect(self.read_settings(credentials=())))

    def show_diff(
        self, result: Mapping[str, Any], *, uncertain: Sequence[str] = (), max_size: int = MAX_TEXT_SIZE
    ) -> dict[str, Any]:
        """Return a result with its ``diff`` as text. Without diff mode, return the result without ``diff``.

        The text is short unless Ansible runs with ``-v``.

        :param result: the result of a module, whose ``diff`` is the changes of the task.
        :param uncertain: the identifiers of the devices for which check mode cannot predict the changes of the task.
        :param max_size: the maximum size of the text with ``-v``.
        """
        shown = {name: value for name, value in result.items() if name != "diff"}
        if not self.diff_mode:
            return shown
        limit = max_size if self.is_verbose else None
        text = describe_diff(result["diff"], self.redact.mask_values, uncertain=uncertain, max_size=limit)
        return {**shown, "diff": {"prepared": text}}


Work = Callable[[Task], dict[str, Any]]


def carry_out_work(task: Task, work: Work) -> dict[str, Any]:
    """Do the work of a module and return the documented result.

    Every exception becomes a failed result. In a failed result, all secrets are masked.
    """
    task.redact.add_secrets(find_secrets(task.options, (*SECRETS, *list_secret_options())))
    try:
        result = work(task)
    except ParticleError as error:
        result = error.as_failure()
    except Exception as error:
        unexpected = ParticleError("internal", task.redact(f"Unexpected {type(error).__name__}: {error}"))
        result = {**unexpected.as_failure(), "exception": task.redact(traceback.format_exc())}
    finally:
        if task.http is not None:
            task.http.close()
    if task.credentials_source is not None:
        result["credentials_source"] = task.credentials_source
    if task.http is not None:
        result["cloud"] = task.http.usage.as_result()
    if result.get("failed"):
        cleaned: dict[str, Any] = task.redact.mask_values(result)
        return cleaned
    return result


def build_library_error() -> ParticleError:
    """Return the error about the missing library `requests`. The hint names the Python interpreter."""
    # Modules and plugins may run with different interpreters.
    hint = f"Install it with: {sys.executable} -m pip install requests"
    return ParticleError("unsupported", "The Python library requests is missing.", hint=hint)


class _Module(AnsibleModule):
    """An Ansible module that suggests similar names for invalid options. The action plugins suggest the same names."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__(argument_spec=dict(spec), supports_check_mode=True)

    def fail_json(self, msg: str, **result: Any) -> None:
        """Fail the task. If Ansible's validation of the options has failed, fail with an error about the options."""
        # A failure before the validation has no validation_result.
        validation = getattr(self, "validation_result", None)
        if validation is not None and validation.error_messages:
            text = add_suggestions(validation.error_messages, self.params, self.argument_spec)
            self.fail_with(build_option_error(text))
        super().fail_json(msg, **result)

    def fail_with(self, error: ParticleError, **result: Any) -> None:
        """Fail the task with an error."""
        failure = error.as_failure()
        super().fail_json(failure["msg"], error=failure["error"], **result)


def run_module(spec: Mapping[str, Any], work: Work) -> None:
    """Call ``work`` in the process of the module, and exit with the result."""
    module = _Module(spec)
    if REQUESTS_IMPORT_ERROR is not None:
        module.fail_with(build_library_error(), exception=REQUESTS_IMPORT_ERROR)
    task = Task(
        module.params,
        module.check_mode,
        module.warn,
        module.debug,
        diff_mode=module._diff,
        is_verbose=module._verbosity > 0,
    )
    result = carry_out_work(task, work)
    # Ansible masks the values of no_log options itself, but not secrets from the environment or the cloud. The public
    # secret of the default client must not be masked, see find_secrets. If it is a real secret too, it is added again.
    module.no_log_values.discard(DEFAULT_CLIENT.secret)
    module.no_log_values |= task.redact.secrets
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def run_by_action(spec: Mapping[str, Any]) -> None:
    """Fail with a message about a missing action plugin.

    Only the action plugin can do the work of this module. Ansible runs the module itself only if the action plugin is
    missing.
    """
    module = _Module(spec)
    message = "The action plugin that carries out this module was not found."
    hint = "Install the whole collection, and call the module by its full name, which begins with meshfleet.particle."
    module.fail_with(ParticleError("unsupported", message, hint=hint))
