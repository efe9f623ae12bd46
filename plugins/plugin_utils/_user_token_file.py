# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the files for the tokens of API users. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import list_token_files


def refuse_own_token_file(task: Task, given: Iterable[str | None]) -> None:
    """Refuse a file for the token of an API user from which tasks of this user take their credentials.

    :param given: the values of ``user_token_file``; ``None`` where it is not set.
    :raises ParticleError: ``invalid_option`` when ``user_token_file`` is also given as ``token_file``.
    """
    own = list_token_files(task.options, task.environment)
    if any(path is not None and Path(path).expanduser() in own for path in given):
        message = "user_token_file and token_file name the same file."
        hint = (
            "Name another user_token_file. Otherwise, tasks with this token_file would use the token of the API user, "
            "which never expires, instead of your own."
        )
        raise ParticleError("invalid_option", message, hint=hint)
