# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The settings of Ansible that all runs of the tests share, so that the fork server can read them once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from support.paths import COLLECTIONS, ROOT, TESTS

LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

# Ansible does not read these variables while it is imported. The callback plugin `record`, the collection, an example
# and the measurement of coverage read them during the run.
OTHER_VARIABLES = ("HOME", "RECORD_FILE", "PARTICLE_", "XDG_", "WORKSHOP_", "COVERAGE_")


def read_settings() -> dict[str, str]:
    """Return the environment variables that are the same for all runs: settings of Ansible, the locale, and PATH."""
    venv_bin = Path(sys.executable).parent
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "ANSIBLE_CALLBACK_PLUGINS": str(TESTS / "support" / "callback_plugins"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        # Without this file, Ansible would search for an ansible.cfg in the working folder, the home folder and /etc.
        "ANSIBLE_CONFIG": str(TESTS / "support" / "ansible.cfg"),
        "ANSIBLE_HOME": str(ROOT / ".cache" / "ansible"),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        **LOCALE,
        "PATH": f"{venv_bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def select_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that Ansible, or a library of it, may read while it is imported."""
    return {name: value for name, value in env.items() if not name.startswith(OTHER_VARIABLES)}
