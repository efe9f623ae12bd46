# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the simulator as an installed package, without the checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from particle_simulator import __version__
from support.paths import ROOT, SIMULATOR_INSTALLED
from support.processes import ProcessFailed, running
from support.simulator import PASSWORD, USERNAME

BIN = SIMULATOR_INSTALLED / "bin"
SECONDS = 60


@pytest.fixture(autouse=True)
def _installed() -> None:
    """Fail, and do not skip the tests, if the package is not installed."""
    if not (SIMULATOR_INSTALLED / ".installed").exists():
        raise ProcessFailed("The simulator is not installed. Run `make test` or `make integration`.")


@pytest.fixture(params=["module", "command"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a running simulator, started in each of the two ways."""
    program = (
        [BIN / "python", "-m", "particle_simulator"] if request.param == "module" else [BIN / "particle-simulator"]
    )
    argv = [*program, "--port", "0", "--port-file", tmp_path / "port"]
    with running(argv, cwd=tmp_path, env={"PATH": os.defpath, "HOME": str(tmp_path)}) as process:
        yield f"http://127.0.0.1:{process.wait_for_port(tmp_path / 'port')}"


def test_installed_simulator_grants_a_token(address: str) -> None:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    answer = requests.post(f"{address}/oauth/token", data=form, auth=("particle", "particle"), timeout=SECONDS)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "bearer")


@pytest.mark.parametrize("program", [["python", "-m", "otbr_simulator"], ["otbr-simulator"]], ids=["module", "command"])
def test_installed_border_router_answers(tmp_path: Path, program: list[str]) -> None:
    argv = [BIN / program[0], *program[1:], "--port-file", tmp_path / "port"]
    with running(argv, cwd=tmp_path, env={"PATH": os.defpath, "HOME": str(tmp_path)}) as process:
        url = f"http://127.0.0.1:{process.wait_for_port(tmp_path / 'port')}"
        assert requests.get(f"{url}/node/state", timeout=SECONDS).json() == "disabled"


def test_installed_package_has_the_version_of_the_collection() -> None:
    code = "from importlib.metadata import version; print(version('particle-simulator'))"
    argv = [BIN / "python", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=True)
    collection = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert done.stdout.strip() == __version__ == collection


def test_installed_package_includes_neither_ansible_nor_the_tests() -> None:
    code = "import importlib.util as u; print([n for n in ('ansible', 'support', 'pytest') if u.find_spec(n)])"
    argv = [BIN / "python", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stdout.strip() == "[]"
