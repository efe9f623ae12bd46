# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass the outcomes of all devices from a task to later tasks in a temporary file. Private to this collection.

The registered result of a task is also the result that an automation controller stores, which must be small. The file
has the outcome of each device as one line of JSON. It is in Ansible's temporary folder on the controller, which only
this user can read and which is deleted when ``ansible-playbook`` ends.
"""

from __future__ import annotations

import errno
import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import find_file_mistake

_HOST_KEY = "host"
_HOST_LINE = f'{{"{_HOST_KEY}": '
"""The beginning of each line with the outcome of a host."""

_NEWLINE = "\n"


def write_outcomes(outcomes: Iterable[Mapping[str, Any]]) -> str:
    """Write one line of JSON for each outcome to a new file, and return the path of the file.

    :raises OSError: when the file cannot be written.
    """
    descriptor, path = tempfile.mkstemp(prefix="fleet-outcomes-", suffix=".jsonl", dir=constants.DEFAULT_LOCAL_TMP)
    with open(descriptor, "w", encoding="ascii") as file:
        file.writelines(json.dumps(outcome) + _NEWLINE for outcome in outcomes)
    return path


def add_host(host: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outcome for :func:`write_outcomes` that :func:`read_outcome` can find by the name of its host."""
    return {_HOST_KEY: host, **outcome}  # the first key, because the search compares the beginnings of lines


def read_outcome(path: str, host: str) -> dict[str, Any] | None:
    """Return the outcome of a host from a file of :func:`write_outcomes`; ``None`` if the host declares no device.

    Only the line of the host is parsed, so that the time per host hardly grows with the number of hosts.

    :raises ParticleError: ``invalid_option`` when the file cannot be read, for example in a later playbook, or contains
        no outcomes of hosts.
    """
    begin = f"{_HOST_LINE}{json.dumps(host)}, "
    try:
        if find_file_mistake(Path(path), sys.maxsize) is not None:
            raise OSError(errno.EINVAL, "it is not a regular file")
        with open(path, encoding="ascii") as file:
            first = file.readline()
            line = next((line for line in itertools.chain((first,), file) if line.startswith(begin)), None)
        outcome = None if line is None else json.loads(line)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        message = f"The file with the outcomes of the hosts cannot be read: {reason}."
        hint = "Run fleet_outcome in the same playbook as fleet."
        raise ParticleError("invalid_option", message, hint=hint) from None
    if first and not first.startswith(_HOST_LINE):
        message = "The value of the option fleet contains no results of hosts."
        raise ParticleError("invalid_option", message, hint="Run module fleet with from_inventory.")
    return None if outcome is None else {name: value for name, value in outcome.items() if name != _HOST_KEY}
