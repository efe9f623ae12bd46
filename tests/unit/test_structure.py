# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Files, imports and layers of the collection follow its documented structure."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.paths import ROOT, SIMULATOR
from support.structure import (
    find_backend_names,
    find_import_cycle,
    find_imports,
    find_impure_imports,
    find_wrong_imports,
)

PLUGINS = ROOT / "plugins"
# REUSE-IgnoreStart
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
# REUSE-IgnoreEnd
OURS = "ansible_collections.meshfleet.particle.plugins"

MAX_FILES = 16
MAX_TEST_NAME = 70
ONE_FILE_PER_THING = {"_api", "kinds", "logins"}
"""Packages without a maximum number of files, because they have a file for each resource, kind or way to log in."""

# Folders that the Makefile and the tools create. They are not part of the project.
WORKING_FOLDERS = set(
    ".ansible .cache .collections .git .hypothesis .mypy_cache .pytest_cache .ruff_cache .venv "
    "__pycache__ dist node_modules".split()
)

# Home and work folders. The pattern is concatenated, so that it does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~}>-])/(?:home|Users|root|work|workspace)" + r"/[\w.$-]")
DOWNLOAD_ADDRESS = re.compile(r'"resolved"' + r": *\"http")


def find_project_files() -> Iterator[Path]:
    """Yield the files of the project. Git is not used, because an unpacked archive has no repository."""
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(name for name in subfolders if name not in WORKING_FOLDERS)
        for name in sorted(names):
            if not name.endswith((".pyc", ".tar.gz")) and name not in {".coverage", ".git"}:
                yield Path(folder, name)


def list_python_files() -> list[Path]:
    """Return the Python files of the project."""
    return [path for path in find_project_files() if path.suffix == ".py"]


def to_relative(path: Path) -> str:
    """Return the path from the root of the project."""
    return path.relative_to(ROOT).as_posix()


def test_plugins_import_only_from_lower_layers() -> None:
    assert find_wrong_imports(PLUGINS) == []


def test_plugins_have_no_import_cycle() -> None:
    assert find_import_cycle(PLUGINS) == []


def test_module_utils_has_only_packages_bounds_and_the_frame() -> None:
    files = {path.name for path in (PLUGINS / "module_utils").iterdir() if path.is_file()}
    assert files <= {"__init__.py", "_bounds.py", "_module.py"}


def test_no_package_has_more_than_sixteen_files() -> None:
    files = Counter(path.parent for path in (PLUGINS / "module_utils").rglob("*.py") if path.name != "__init__.py")
    large = {to_relative(folder): number for folder, number in files.items() if number > MAX_FILES}
    assert {name for name in large if Path(name).name not in ONE_FILE_PER_THING} == set(), large


def test_manifest_and_plan_have_no_input_or_output() -> None:
    assert find_impure_imports(PLUGINS) == []


def test_mesh_backends_are_named_only_in_their_files_and_rows() -> None:
    assert find_backend_names(PLUGINS) == []


def test_the_simulator_imports_nothing_of_the_collection() -> None:
    files = sorted(SIMULATOR.rglob("*.py"))
    assert files, "the simulator has no files"
    found = [
        f"{to_relative(path)}:{found.line}"
        for path in files
        for found in find_imports(path)
        if found.dotted[0] in {"ansible", "ansible_collections", "plugins"}
    ]
    assert found == []


@pytest.mark.parametrize("package", ["otbr_simulator", "particle_simulator", "simulator_base"])
def test_simulators_share_only_their_common_base(package: str) -> None:
    allowed = {package, "simulator_base"}
    simulators = {path.name for path in SIMULATOR.iterdir() if (path / "__init__.py").exists()}
    found = [
        f"{to_relative(path)}:{found.line}"
        for path in sorted((SIMULATOR / package).rglob("*.py"))
        for found in find_imports(path)
        if found.dotted[0] in simulators - allowed
    ]
    assert found == []


def test_plugins_do_not_mention_the_simulator() -> None:
    files = sorted(PLUGINS.rglob("*.py"))
    assert files, "the collection has no plugins"
    assert [to_relative(path) for path in files if "simulator" in path.read_text(encoding="utf-8").lower()] == []


def test_action_group_contains_exactly_the_modules() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if not path.stem.startswith("_"))
    assert runtime["action_groups"]["particle"] == modules


def test_every_python_file_names_its_licence() -> None:
    # An empty file has nothing to license, and ansible-test wants __init__.py below module_utils empty.
    texts = {to_relative(path): path.read_text(encoding="utf-8") for path in list_python_files()}
    assert [name for name, text in texts.items() if text and SPDX not in text.splitlines()[:4]] == []


@pytest.mark.parametrize("kind", ["inventory", "lookup", "modules"])
def test_documented_plugin_names_its_licence_in_full(kind: str) -> None:
    # The sanity test validate-modules of ansible-test requires this line.
    texts = {to_relative(path): path.read_text(encoding="utf-8") for path in (PLUGINS / kind).glob("[a-z]*.py")}
    line = "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)"
    assert texts
    assert [name for name, text in texts.items() if line not in text.splitlines()[:20]] == []


def test_no_test_name_is_longer_than_its_limit() -> None:
    names = re.findall(r"^ *def (test_\w+)", "\n".join(path.read_text() for path in list_python_files()), re.MULTILINE)
    assert len(names) > 1000
    assert [name for name in names if len(name) > MAX_TEST_NAME] == []


def test_no_file_contains_a_machine_path_or_a_download_address() -> None:
    found = []
    for path in find_project_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if str(ROOT) in line or MACHINE_PATH.search(line) or DOWNLOAD_ADDRESS.search(line):
                found.append(f"{to_relative(path)}:{number}: {line.strip()[:120]}")
    assert found == []


class TestStructureChecker:
    """Each violation of the rules above is found."""

    @pytest.fixture
    def plugins(self, tmp_path: Path) -> Path:
        return tmp_path / "plugins"

    @staticmethod
    def write(plugins: Path, name: str, text: str) -> None:
        path = plugins / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("module_utils/_http/client.py", f"from {OURS}.module_utils._module import run"),
            ("module_utils/_http/client.py", f"from {OURS}.module_utils import _api"),
            ("module_utils/_http/client.py", f"import {OURS}.module_utils._api.devices"),
            ("module_utils/_http/client.py", "from .._options import spec"),
            ("module_utils/_auth/token_expiry.py", "from .._mesh import ledger"),
            ("module_utils/_budget/budget.py", "from .._local.private_file import write"),
            ("module_utils/_errors/error.py", "def late():\n    from .._budget.budget import Budget"),
            ("modules/fleet.py", f"from {OURS}.action.fleet import ActionModule"),
            ("lookup/access_token.py", f"from {OURS}.modules.access_token import main"),
            ("doc_fragments/common.py", f"from {OURS}.module_utils import _errors"),
            ("doc_fragments/common.py", "from .other import ModuleDocFragment"),
        ],
    )
    def test_import_from_a_higher_or_equal_layer_is_found(self, plugins: Path, name: str, text: str) -> None:
        self.write(plugins, name, text)
        (sentence,) = find_wrong_imports(plugins)
        assert sentence.startswith(f"{name}:")
        assert "must not import" in sentence

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("modules/fleet.py", f"from {OURS}.module_utils._module import run"),
            ("action/fleet.py", f"from {OURS}.modules.fleet import ARGUMENTS"),
            ("action/fleet.py", "from ..plugin_utils._action import Action"),
            ("module_utils/_fleet/apply.py", "from .._mesh import ledger\nfrom . import plan\nimport json"),
            (
                "module_utils/_api/devices.py",
                "from .._errors import ParticleError\nfrom .paging import pages",
            ),
        ],
    )
    def test_import_from_a_lower_layer_passes(self, plugins: Path, name: str, text: str) -> None:
        self.write(plugins, name, text)
        assert find_wrong_imports(plugins) == []

    def test_import_cycle_is_found(self, plugins: Path) -> None:
        self.write(plugins, "module_utils/_fleet/plan.py", "from . import apply")
        self.write(plugins, "module_utils/_fleet/apply.py", "def late():\n    from .plan import make_plan")
        assert sorted(set(find_import_cycle(plugins))) == [
            "module_utils/_fleet/apply.py",
            "module_utils/_fleet/plan.py",
        ]

    def test_file_without_a_layer_is_found(self, plugins: Path) -> None:
        self.write(plugins, "module_utils/_extra.py", "")
        self.write(plugins, "modules/fleet.py", f"from {OURS}.module_utils._extra import more")
        without_layer, unknown = find_wrong_imports(plugins)
        assert "_extra.py is in no layer" in without_layer
        assert unknown.startswith("modules/fleet.py:1 ")

    @pytest.mark.parametrize(
        "text",
        [
            "import requests",
            "import os.path",
            "from pathlib import Path",
            "from urllib.request import urlopen",
            "from .._api import devices",
            f"from {OURS}.module_utils._http import Http",
            "def read(name):\n    return open(name)",
        ],
    )
    def test_input_or_output_in_a_plan_is_found(self, plugins: Path, text: str) -> None:
        self.write(plugins, "module_utils/_fleet/plan.py", text)
        assert len(find_impure_imports(plugins)) == 1

    def test_input_or_output_through_another_file_is_found(self, plugins: Path) -> None:
        self.write(plugins, "module_utils/_manifest/reader.py", "from .._documents.words import WORDS")
        self.write(plugins, "module_utils/_documents/words.py", "import socket")
        assert find_impure_imports(plugins) == [
            "module_utils/_manifest/reader.py reaches socket through module_utils/_documents/words.py, line 1"
        ]

    @pytest.mark.parametrize("name", ["_manifest/new.py", "_manifest/forms/new.py", "_mesh/new/plan.py"])
    def test_new_files_of_the_manifest_and_new_plans_are_searched(self, plugins: Path, name: str) -> None:
        self.write(plugins, f"module_utils/{name}", "import threading")
        assert find_impure_imports(plugins) == [f"module_utils/{name} reaches threading, line 1"]

    @pytest.mark.parametrize(
        "text",
        [
            "import json\nfrom urllib.parse import quote",
            "from io import StringIO",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .._http.client import Http",
        ],
    )
    def test_file_without_input_or_output_passes(self, plugins: Path, text: str) -> None:
        self.write(plugins, "module_utils/_fleet/plan.py", text)
        assert find_impure_imports(plugins) == []

    def test_backend_row_may_import_its_client_in_a_function(self, plugins: Path) -> None:
        text = "def open_ledger():\n    from .._http.client import Http"
        self.write(plugins, "module_utils/_manifest/reader.py", "from .._mesh.backends import BACKENDS")
        self.write(plugins, "module_utils/_mesh/backends.py", text)
        assert find_impure_imports(plugins) == []
        self.write(plugins, "module_utils/_mesh/backends.py", "from .._http.client import Http")
        assert len(find_impure_imports(plugins)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "from .._mesh.ledger import rules",
            'if network.backend == "networks":',
            "from .._mesh.contract import NETWORKS",
            '"""What the Ledgers say."""',
            'NETWORK = {"backend": "networks"}',
        ],
    )
    def test_name_of_a_mesh_backend_is_found(self, plugins: Path, text: str) -> None:
        self.write(plugins, "module_utils/_mesh/ledger/rules.py", text)
        self.write(plugins, "module_utils/_manifest/reader.py", f'TOP = ("networks", "devices")\n{text}')
        assert find_backend_names(plugins) == [f"module_utils/_manifest/reader.py:2: {text}"]

    def test_import_for_types_counts_as_an_import(self, plugins: Path) -> None:
        text = "import typing\nif typing.TYPE_CHECKING:\n    from .._module import run"
        self.write(plugins, "module_utils/_http/client.py", text)
        assert len(find_wrong_imports(plugins)) == 1

    @pytest.mark.parametrize("place", ["home/somebody", "Users/somebody", "root/x", "work/main"])
    def test_machine_path_is_recognised(self, place: str) -> None:
        assert MACHINE_PATH.search(f"see /{place}/notes.txt")
        assert not MACHINE_PATH.search(f"https://example.com/{place}/notes.txt")
