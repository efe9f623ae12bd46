# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the base classes of all action plugins. Private to this collection.

An action plugin does the work of the module with the same name. The work is done on the controller. The options and the
result are those of the module.
"""

from __future__ import annotations

import datetime
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import strategy_loader
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_size
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REQUESTS_IMPORT_ERROR
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import import_backends
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    Work,
    build_library_error,
    carry_out_work,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    build_shared_spec,
    find_secrets,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import (
    add_suggestions,
    build_option_error,
    find_wrong_mappings,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._environment import build_environment
from ansible_collections.meshfleet.particle.plugins.plugin_utils._result_size import (
    MAX_STORED_SIZE,
    describe_large_result,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._role_options import RoleOptions, read_role_options
from ansible_collections.meshfleet.particle.plugins.plugin_utils._screen import is_run_by_controller
from ansible_collections.meshfleet.particle.plugins.plugin_utils._text_lists import split_text_lists

display = Display()

import_backends()


class ParticleAction(ActionBase):
    """An action plugin whose subclass sets the argument spec ``SPEC`` and implements :meth:`work`."""

    SPEC: ClassVar[Mapping[str, Any]]

    CONNECTS: ClassVar[bool] = True
    """Whether the action connects to a cloud. Otherwise, it has no connection options, ignores those of
    ``module_defaults`` and of the environment, and returns nothing about a cloud."""

    _requires_connection = False
    _supports_check_mode = True

    @abstractmethod
    def work(self, task: Task) -> dict[str, Any]:
        """Carry out the task and return its result.

        :raises ParticleError: when the task fails. The error is converted to the documented result of a failed task.
        """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Add the options of the role that the task belongs to, then run the task and return its result."""
        self._task_vars = task_vars or {}
        module = type(self).__module__.rpartition(".")[2]
        role = read_role_options(self._task_vars, self._templar.template, module, connects=self.CONNECTS)
        if role is not None:
            self._task.args = self._merge_role_options(role)
        if not self.CONNECTS:
            self._task.args = {
                name: value for name, value in self._task.args.items() if name not in build_shared_spec()
            }
        self._task.args = split_text_lists(self._task.args, self.SPEC)
        self._role_options = role
        return self._run_task(super().run(tmp, task_vars))

    def _merge_role_options(self, role: RoleOptions) -> dict[str, Any]:
        """Return the options of the task, with those that the variables of the role give to this module."""
        return role.merge(self._task.args)

    def _run_task(self, result: dict[str, Any]) -> dict[str, Any]:
        """Validate the options, carry out the work and return its result.

        :param result: the result of the base class, to which the result of the work is added.
        """
        if REQUESTS_IMPORT_ERROR is not None:
            return {**result, **build_library_error().as_failure(), "exception": REQUESTS_IMPORT_ERROR}
        wrong = find_wrong_mappings(self._task.args, self.SPEC)
        given = {name: value for name, value in self._task.args.items() if name not in wrong}
        validation = ArgumentSpecValidator(dict(self.SPEC)).validate(given)
        if wrong or validation.error_messages:
            # Ansible's own error would quote the lines of the play, including secrets.
            message = add_suggestions([*wrong.values(), *validation.error_messages], given, self.SPEC)
            if self._role_options is not None:
                message = self._role_options.name_variables(message)
            return {**result, **build_option_error(self._build_redactor()(message)).as_failure()}
        task = Task(
            validation.validated_parameters,
            bool(self._task.check_mode),
            display.warning,
            display.v,
            environment=self._build_environment(),
            deprecate=_show_deprecation,
            diff_mode=bool(self._task.diff),
            is_verbose=display.verbosity > 0,
        )
        done = carry_out_work(task, self.work)
        hidden = () if self.CONNECTS else ("credentials_source", "cloud")
        return {**result, **{name: value for name, value in done.items() if name not in hidden}}

    def _build_environment(self) -> dict[str, str]:
        """Return the environment variables of the task."""
        found = build_environment(self._task.environment, self._templar.template)
        return {name: value for name, value in found.items() if self.CONNECTS or not name.startswith("PARTICLE_")}

    def can_show_progress(self, task: Task) -> bool:
        """Return whether a task with the option ``progress`` may show its progress.

        It may not in check mode, with ``no_log`` or with ``progress: false``.
        """
        return bool(task.options["progress"]) and not task.check_mode and not self._task.no_log

    def refuse_repeated_run(self) -> None:
        """Refuse a task that must run once for all hosts, but would run once for each host.

        :raises ParticleError: ``invalid_option`` when the strategy of a play with several hosts ignores ``run_once``.
        """
        # Unlike ansible_play_batch, this list also contains hosts that have failed.
        hosts = self._task_vars.get("ansible_play_hosts_all") or []
        strategy = self._task.get_play().strategy
        if len(hosts) > 1 and _ignores_run_once(strategy):
            message = (
                f"Strategy {strategy} ignores run_once, so this task would run for each of the {len(hosts)} hosts of "
                "the play."
            )
            raise ParticleError("invalid_option", message, hint="Set strategy: linear in the play.")

    def _build_redactor(self) -> Redactor:
        redact = Redactor()
        redact.add_secrets(
            find_secrets(self._task.args, [name for name, option in self.SPEC.items() if option.get("no_log")])
        )
        return redact


def _show_deprecation(text: str) -> None:
    display.deprecated(text, version="1.0.0", collection_name="meshfleet.particle")


def _ignores_run_once(strategy: str) -> bool:
    """Return whether a strategy ignores ``run_once``, as ``free`` and the strategies that are based on it do."""
    found = strategy_loader.get(strategy, class_only=True)
    # Ansible loads the module of a strategy again for its full name, so its classes cannot be compared.
    names = [base.__module__.rpartition(".")[2] for base in getattr(found, "__mro__", ())]
    return "free" in names


def _format_dates(value: Any) -> Any:
    """Return a value with texts in place of dates and times, as a module on another host receives it from Ansible."""
    if isinstance(value, Mapping):
        return {key: _format_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_format_dates(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


class ModuleAction(ParticleAction):
    """An action plugin that does the work of its module on the controller, without starting another interpreter.

    A subclass sets ``SPEC`` and ``MODULE``. ``MODULE`` is the function that does the work of the module. The module
    itself runs only if the task is ``async`` or is delegated to a host whose connection is not local.
    """

    MODULE: ClassVar[Work]
    SIZE_ADVICE: ClassVar[str] = ""
    """An instruction that makes a result small enough for an automation controller; empty if all results are small."""

    _supports_async = True

    def _run_task(self, result: dict[str, Any]) -> dict[str, Any]:
        """Do the work on the controller, or run the module on another host or in the background."""
        if self._is_run_elsewhere():
            done: dict[str, Any] = self._execute_module(
                task_vars=self._task_vars, wrap_async=bool(self._task.async_val)
            )
        else:
            self._task.args = _format_dates(self._task.args)
            done = super()._run_task(result)
        if self.SIZE_ADVICE and is_run_by_controller() and measure_size(done) > MAX_STORED_SIZE:
            display.warning(describe_large_result(self.SIZE_ADVICE))
        return done

    def work(self, task: Task) -> dict[str, Any]:
        """Do the work of the module, and mask known secrets in the result, as Ansible does when it runs a module."""
        result: dict[str, Any] = remove_values(self.call_module(task), task.redact.secrets)
        return result

    def call_module(self, task: Task) -> dict[str, Any]:
        """Call the function that does the work of the module."""
        return type(self).MODULE(task)

    def _is_run_elsewhere(self) -> bool:
        is_delegated = bool(self._task.delegate_to) and self._connection.transport != "local"
        return is_delegated or bool(self._task.async_val)
