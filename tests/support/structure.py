# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read the imports of Python files, and find those that break the order of the layers.

The collection is built in layers, and a file may import only from lower ones. The files are read and not imported, so
files that cannot run are checked, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PLUGINS = ("ansible_collections", "meshfleet", "particle", "plugins")

# A higher rank may import a lower one. Equal ranks may import each other only within a folder or package.
RANKS: dict[tuple[str, ...], int] = {
    ("modules",): 15,
    ("action",): 15,
    ("inventory",): 15,
    ("lookup",): 15,
    ("filter",): 15,
    ("plugin_utils",): 14,
    ("module_utils", "_module"): 13,
    ("module_utils", "_resource"): 11,
    ("module_utils", "_fleet"): 10,
    ("module_utils", "_options"): 9,
    ("module_utils", "_facts"): 8,
    ("module_utils", "_manifest"): 7,
    ("module_utils", "_mesh"): 6,
    ("module_utils", "_auth"): 5,
    ("module_utils", "_api"): 4,
    ("module_utils", "_http"): 3,
    ("module_utils", "_budget"): 2,
    ("module_utils", "_local"): 2,
    ("module_utils", "_documents"): 2,
    ("module_utils", "_errors"): 1,
    ("doc_fragments",): 0,
}

# An action plugin runs its module, and reads the options from there.
ALSO_ALLOWED = {(("action",), ("modules",))}

# These files only compute, without input or output, so that tests of them are fast.
PURE = (
    ("module_utils", "_mesh", "ledger", "plan"),
    ("module_utils", "_fleet", "plan"),
    ("module_utils", "_resource", "plan"),
    ("module_utils", "_manifest", "reader"),
    ("module_utils", "_manifest", "networks"),
    ("module_utils", "_manifest", "device_fields"),
    ("module_utils", "_manifest", "name_template"),
    ("module_utils", "_manifest", "export"),
    ("module_utils", "_documents", "checks"),
    ("module_utils", "_facts", "advisories"),
)
OUTSIDE_WORLD = frozenset(
    "asyncio concurrent ftplib glob http io multiprocessing os pathlib requests select selectors shutil "
    "signal socket ssl subprocess tempfile threading time urllib.request urllib3".split()
)
OUTSIDE_LAYERS = frozenset({("module_utils", "_http"), ("module_utils", "_api"), ("module_utils", "_auth")})
# Files of these layers without input or output.
INSIDE_AFTER_ALL = frozenset({("module_utils", "_api", "rows"), ("module_utils", "_api", "platforms")})


# Imports inside functions of these files do not count, because only code that sends requests calls the functions.
LATE_AFTER_ALL = frozenset({("module_utils", "_mesh", "backends")})


# Only these files may name a mesh backend: its own folder, `backends.py`, and files that are about one backend.
BACKENDS = ("ledger", "registry")
KNOWS_BACKENDS = (
    *(f"module_utils/_mesh/{backend}/" for backend in BACKENDS),
    "module_utils/_mesh/backends.py",
    "module_utils/_mesh/audit.py",
    "module_utils/_fleet/firmware_guard.py",
    "module_utils/_fleet/registry_network.py",
)
FREE_OF_BACKENDS = ("_mesh", "_manifest", "_facts", "_options", "_fleet", "_documents", "_module.py")
# `networks` is also a key of manifests, so it names a backend only beside the word `backend` or as a constant.
_BACKEND = re.compile(
    "|".join((*(f"(?i:{backend})" for backend in BACKENDS), r"\bNETWORKS\b", r"\bbackend\W{1,8}networks\b"))
)


@dataclass(frozen=True)
class Import:
    """A name that a file imports; `dotted` is the full name."""

    line: int
    dotted: tuple[str, ...]
    for_types_only: bool = False
    """Whether it is below `if TYPE_CHECKING:`, so that it counts for the layers but imports nothing at run time."""
    late: bool = False
    """Whether it is inside a function, so that it imports nothing until the function is called."""

    @property
    def ours(self) -> tuple[str, ...] | None:
        """The place below plugins/, or `None` for an import from elsewhere."""
        length = len(PLUGINS)
        return self.dotted[length:] if self.dotted[:length] == PLUGINS else None


def find_imports(path: Path, package: tuple[str, ...] = ()) -> Iterator[Import]:
    """Find all imports anywhere in a file that is in `package`."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    in_functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        else:
            continue
        for dotted in names:
            yield Import(node.lineno, dotted, id(node) in for_types, id(node) in in_functions)


def find_wrong_imports(plugins: Path) -> list[str]:
    """Find the imports below `plugins` that break the order of the layers, and describe each in a sentence."""
    wrong = []
    for path in sorted(plugins.rglob("*.py")):
        name = path.relative_to(plugins).as_posix()
        layer = _find_layer(path.relative_to(plugins).with_suffix("").parts)
        if layer is None:
            wrong.append(f"{name} is in no layer; give it a rank in tests/support/structure.py")
            continue
        for found in _find_own_imports(path, plugins):
            target = _find_layer(found.ours or ())
            if target is None:
                wrong.append(f"{name}:{found.line} imports {'.'.join(found.dotted)}, which is in no layer")
            elif not _is_allowed(layer, target):
                wrong.append(f"{name}:{found.line} ({'/'.join(layer)}) must not import {'/'.join(target)}")
    return wrong


def find_import_cycle(plugins: Path) -> list[str]:
    """Find the files of one import cycle, with the first also as the last; the list is empty without a cycle.

    Imports that only serve the type checker count, too.
    """
    imported = {
        path: {
            following
            for found in _find_own_imports(path, plugins)
            if (following := _find_file(found.ours or (), plugins))
        }
        for path in sorted(plugins.rglob("*.py"))
    }
    try:
        TopologicalSorter({path: files - {path} for path, files in imported.items()}).prepare()
    except CycleError as error:
        return [path.relative_to(plugins).as_posix() for path in error.args[1]]
    return []


def find_backend_names(plugins: Path) -> list[str]:
    """Find the lines that name a mesh backend in files that must not, and return each with its position."""
    found = []
    for part in FREE_OF_BACKENDS:
        start = plugins / "module_utils" / part
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start]:
            name = path.relative_to(plugins).as_posix()
            if not name.startswith(KNOWS_BACKENDS) and path.exists():
                lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                found += [f"{name}:{number}: {line.strip()}" for number, line in lines if _BACKEND.search(line)]
    return found


def find_impure_imports(plugins: Path) -> list[str]:
    """Find the ways by which files that must only compute reach input or output, and describe each in a sentence.

    Files that such a file imports are checked, too. Imports that only serve the type checker do not count.
    """
    wrong = []
    for pure in PURE:
        start = plugins.joinpath(*pure).with_suffix(".py")
        waiting, known = [start] if start.exists() else [], {start}
        while waiting:
            path = waiting.pop()
            via = "" if path == start else f" through {path.relative_to(plugins).as_posix()}"
            for line, what in _find_outside_imports(path, plugins):
                wrong.append(f"{'/'.join(pure)}.py reaches {what}{via}, line {line}")
            for found in _find_running_imports(path, plugins):
                following = _find_file(found.ours, plugins) if found.ours else None
                if following is not None and following not in known:
                    known.add(following)
                    waiting.append(following)
    return wrong


def _find_outside_imports(path: Path, plugins: Path) -> Iterator[tuple[int, str]]:
    for found in _find_running_imports(path, plugins):
        if found.ours is not None:
            if found.ours[:2] in OUTSIDE_LAYERS and found.ours[:3] not in INSIDE_AFTER_ALL:
                yield found.line, "/".join(found.ours[:2])
        else:
            for length in range(1, len(found.dotted) + 1):
                if (dotted := ".".join(found.dotted[:length])) in OUTSIDE_WORLD:
                    yield found.line, dotted
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            yield node.lineno, "open()"


def _find_running_imports(path: Path, plugins: Path) -> list[Import]:
    names_only = path.relative_to(plugins).with_suffix("").parts in LATE_AFTER_ALL
    return [
        found
        for found in find_imports(path, _find_package(path, plugins))
        if not found.for_types_only and not (names_only and found.late)
    ]


def _find_own_imports(path: Path, plugins: Path) -> list[Import]:
    return [found for found in find_imports(path, _find_package(path, plugins)) if found.ours is not None]


def _find_package(path: Path, plugins: Path) -> tuple[str, ...]:
    return PLUGINS + path.parent.relative_to(plugins).parts


def _find_layer(place: tuple[str, ...]) -> tuple[str, ...] | None:
    return next((place[:length] for length in (2, 1) if place[:length] in RANKS), None)


def _is_allowed(layer: tuple[str, ...], target: tuple[str, ...]) -> bool:
    if RANKS[layer] == 0:
        return False
    return layer == target or RANKS[layer] > RANKS[target] or (layer, target) in ALSO_ALLOWED


def _find_file(place: tuple[str, ...], plugins: Path) -> Path | None:
    """Find the file of an imported name, which may be a module, a package, or a name inside one."""
    for length in (len(place), len(place) - 1):
        path = plugins.joinpath(*place[:length])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if length > 0 and candidate.is_file():
                return candidate
    return None
