# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that ansible-builder finds the requirements of the collection for execution environments."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from support.paths import COLLECTIONS, ROOT
from support.playbooks import ansible_environment

BUILDER = Path(sys.executable).with_name("ansible-builder")
GALAXY = Path(sys.executable).with_name("ansible-galaxy")


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command, which must succeed, and return its output."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarball of the collection."""
    folder = tmp_path_factory.mktemp("dist")
    environment = ansible_environment(folder)
    run(GALAXY, "collection", "build", "--output-path", folder, ROOT, cwd=folder, env=environment)
    (built,) = folder.glob("meshfleet-particle-*.tar.gz")
    return built


@pytest.fixture
def installed(tarball: Path, tmp_path: Path) -> Path:
    """A folder in which only the collection is installed, from the tarball."""
    folder = tmp_path / "collections"
    # If ansible-galaxy found the checkout, it would install nothing.
    environment = ansible_environment(tmp_path, {"ANSIBLE_COLLECTIONS_PATH": str(folder)})
    run(GALAXY, "collection", "install", "--no-deps", "--offline", "-p", folder, tarball, cwd=tmp_path, env=environment)
    return folder


def test_builder_finds_the_python_requirements_of_the_collection(installed: Path, tmp_path: Path) -> None:
    pip, bindep = tmp_path / "pip.txt", tmp_path / "bindep.txt"
    run(BUILDER, "introspect", "--write-pip", pip, "--write-bindep", bindep, installed, cwd=tmp_path)
    requirements = [line.partition("#")[0].strip() for line in pip.read_text().splitlines()]
    declared = (ROOT / "requirements.txt").read_text().splitlines()
    assert list(filter(None, requirements)) == [line for line in declared if line and not line.startswith("#")]
    assert "meshfleet.particle" in pip.read_text()
    assert not bindep.exists(), "no system package is required"


def test_requirements_have_no_upper_bound_and_exclude_ansible() -> None:
    # Certified collections must not restrict execution environments that other collections share.
    meta = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text())
    lines = (ROOT / meta["dependencies"]["python"]).read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in requirements if not re.fullmatch(r"[a-z-]+(>=[0-9.]+)?", line)] == []
    assert [line for line in requirements if line.startswith("ansible")] == []


def test_builder_creates_a_context_from_the_definition_of_the_guide(tarball: Path, tmp_path: Path) -> None:
    # Given the definition of the guide, with the tarball in place of the repository.
    page = (ROOT / "docs" / "guide_execution_environment.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(# execution-environment\.yml\n.*?)```", page, re.DOTALL)
    definition = yaml.safe_load(block)
    definition["dependencies"]["galaxy"]["collections"] = [{"name": f"/collections/{tarball.name}", "type": "file"}]
    definition["additional_build_files"] = [{"src": str(tarball), "dest": "collections"}]
    (tmp_path / "execution-environment.yml").write_text(yaml.safe_dump(definition))
    run(BUILDER, "create", "--context", "context", "--output-filename", "Containerfile", cwd=tmp_path)
    context = tmp_path / "context"
    galaxy_requirements = yaml.safe_load((context / "_build" / "requirements.yml").read_text())
    assert galaxy_requirements == definition["dependencies"]["galaxy"]
    assert (context / "_build" / "collections" / tarball.name).read_bytes() == tarball.read_bytes()
    containerfile = (context / "Containerfile").read_text()
    assert "ansible-galaxy collection install" in containerfile
    assert "FROM $EE_BASE_IMAGE" in containerfile
    assert "redis>=6.4" in (context / "_build" / "requirements.txt").read_text()
    assert "introspect" in containerfile


def test_builder_finds_the_requirements_in_the_link_tree_of_a_checkout(tmp_path: Path) -> None:
    assert "requests" in run(BUILDER, "introspect", COLLECTIONS, cwd=tmp_path)
