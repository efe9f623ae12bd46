# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run rulebooks with `ansible-rulebook`, against the simulator."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.paths import ROOT
from support.playbooks import ansible_environment
from support.processes import ChildProcess, running, wait_until
from support.programs import program_path
from support.simulator import ADMIN_TIMEOUT, PRODUCT_SLUG, Simulator

FOLDER = ROOT / "extensions" / "eda" / "rulebooks"

needs_java = pytest.mark.skipif(
    shutil.which("java") is None,
    reason="ansible-rulebook needs Java 17 or newer, which is not installed. Run `make packages` as root.",
)
"""A mark for tests that run the real rule engine."""

_INVENTORY = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}
_THROTTLES = re.compile(r"(?<=once_after: )\d+ minutes?\b")


def load_rulebook(name: str) -> list[dict[str, Any]]:
    """Return the content of a rulebook of the collection, with throttles of a second in place of minutes."""
    text = (FOLDER / f"{name}.yml").read_text(encoding="utf-8")
    content: list[dict[str, Any]] = yaml.safe_load(_THROTTLES.sub("1 second", text))
    return content


def end_after(rulebook: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    """Change a rulebook so that the run ends after the action of a rule."""
    (found,) = [each for ruleset in rulebook for each in ruleset["rules"] if each["name"] == rule]
    found["actions"] = [found.pop("action"), {"shutdown": {"kind": "now"}}]
    return rulebook


class RulebookRun:
    """A running `ansible-rulebook`."""

    def __init__(self, process: ChildProcess) -> None:
        self._process = process

    @property
    def output(self) -> str:
        """The output so far, from standard output and standard error."""
        return self._process.output

    def wait_for_end(self) -> str:
        """Wait until the run ends by itself, check that it has succeeded, and return its output."""
        wait_until(lambda: self._process.returncode is not None)
        assert self._process.returncode == 0, f"ansible-rulebook ended with {self._process.returncode}:\n{self.output}"
        return self.output

    def wait_for_text(self, text: str) -> None:
        """Wait until the output contains a text."""
        wait_until(lambda: text in self.output or self._process.returncode is not None)
        assert text in self.output, self.output


@contextmanager
def running_rulebook(
    rulebook: str | Sequence[Mapping[str, Any]],
    home: Path,
    *args: str,
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[RulebookRun]:
    """Run a rulebook until the end of the block, or until a rule ends the run.

    :param rulebook: the full name of a rulebook in a collection, or the content of a rulebook.
    :param home: an empty folder, which becomes the home folder of the run.
    :param args: more command line arguments.
    :param variables: the variables of the rulebook. They are passed in a private file.
    :param env: more environment variables of the engine and of its playbooks.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    argv = [program_path("ansible-rulebook")]
    for option, content in (("rulebook", rulebook), ("inventory", _INVENTORY), ("vars", variables or {})):
        argv += [f"--{option}", content if isinstance(content, str) else write_private(home / f"{option}.yml", content)]
    # Ansible creates sockets in TMPDIR, whose paths must be short.
    with tempfile.TemporaryDirectory() as short:
        folders = {"XDG_RUNTIME_DIR": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": short}
        environment = ansible_environment(home, {**folders, **(env or {})})
        with running([*argv, *args], cwd=home, env=environment) as process:
            yield RulebookRun(process)


def write_private(path: Path, content: Any) -> str:
    """Write a new YAML file that only this user can read, and return its path."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)  # JSON is YAML
    return str(path)


def wait_for_stream(simulator: Simulator, run: RulebookRun) -> None:
    """Wait until a run has opened its event stream."""
    wait_until(lambda: simulator.stats()["streams"] > 0 or "ERROR" in run.output)
    assert simulator.stats()["streams"] > 0, run.output


def read_command_lines() -> set[str]:
    """Return the command lines of all processes of this machine, as every user of the machine can read them."""
    argv = ["ps", "-eww", "-o", "args"]
    return set(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines())


class Publisher:
    """Publishes events of a product."""

    def __init__(self, simulator: Simulator, token: str) -> None:
        self._url = f"{simulator.url}/v1/products/{PRODUCT_SLUG}/events"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def publish(self, name: str, data: str, device: str | None = None) -> None:
        """Publish an event, as a device of the product if `device` is an id."""
        body = {"name": name, "data": data, **({"as_device_id": device} if device else {})}
        self._session.post(self._url, json=body, timeout=ADMIN_TIMEOUT).raise_for_status()
