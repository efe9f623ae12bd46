# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check the imports between the files of the collection.

The collection is built in layers. A file may import only from its own layer and from lower layers. The checks parse the
files and do not import them, so that files that cannot be run are checked, too.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PLUGINS = ("ansible_collections", "meshfleet", "particle", "plugins")

# The rank of each layer. A file may import from its own layer, and from layers with a lower rank. Two layers with the
# same rank must not import each other. A file of rank 0 must not import from this collection.
RANKS: dict[tuple[str, ...], int] = {
    ("modules",): 17,
    ("action",): 17,
    ("inventory",): 17,
    ("lookup",): 17,
    ("filter",): 17,
    ("plugin_utils",): 16,
    ("module_utils", "_module"): 15,
    ("module_utils", "_product"): 14,
    ("module_utils", "_resource"): 13,
    ("module_utils", "_calls"): 13,
    ("module_utils", "_rollout"): 11,
    ("module_utils", "_firmware"): 10,
    ("module_utils", "_fleet"): 12,
    ("module_utils", "_options"): 9,
    ("module_utils", "_facts"): 8,
    ("module_utils", "_manifest"): 7,
    ("module_utils", "_mesh"): 6,
    ("module_utils", "_auth"): 5,
    ("module_utils", "_probe"): 5,
    ("module_utils", "_api"): 4,
    ("module_utils", "_http"): 3,
    ("module_utils", "_budget"): 2,
    ("module_utils", "_local"): 2,
    ("module_utils", "_documents"): 2,
    ("module_utils", "_errors"): 1,
    ("module_utils", "_bounds"): 0,
    ("doc_fragments",): 0,
}

# Pairs of a layer and a layer of the same rank from which it may import. An action plugin reads the options of its
# module from the file of the module.
ALSO_ALLOWED = {(("action",), ("modules",))}

# Files that must not reach input or output, so that their tests are fast. Every file `plan.py` and every file of
# `_manifest` is one of them, too; see `list_pure_files`.
PURE = (
    *(("module_utils", "_mesh", "thread", name) for name in ("dataset", "forms", "rules")),
    ("module_utils", "_firmware", "binary"),
    ("module_utils", "_firmware", "limits"),
    *(("module_utils", "_resource", name) for name in ("comparison", "declarations", "display", "secrets")),
    *(("module_utils", "_rollout", name) for name in ("begin", "brake", "decision", "ending", "health")),
    *(("module_utils", "_rollout", name) for name in ("model", "view", "waves")),
    ("module_utils", "_rollout", "storage", "record"),
    *(
        ("module_utils", "_probe", name)
        for name in ("answers", "findings", "names", "paging", "read", "report", "shapes")
    ),
    ("module_utils", "_product", "definition"),
    ("module_utils", "_product", "export"),
    ("module_utils", "_documents", "checks"),
    ("module_utils", "_facts", "advisories"),
)
OUTSIDE_WORLD = frozenset(
    "asyncio concurrent ftplib glob http io multiprocessing os pathlib requests select selectors shutil "
    "signal socket ssl subprocess tempfile threading time urllib.request urllib3".split()
)
# An exception to OUTSIDE_WORLD: a file-like object in memory.
INSIDE_MEMORY = frozenset({("io", "StringIO")})
OUTSIDE_LAYERS = frozenset({("module_utils", "_http"), ("module_utils", "_api"), ("module_utils", "_auth")})
# Exceptions to OUTSIDE_LAYERS: files without input or output.
INSIDE_AFTER_ALL = frozenset(("module_utils", "_api", name) for name in ("ledger_names", "platforms", "rows"))


# Files whose imports inside functions do not count as input or output. These functions are called only by code that
# sends requests.
LATE_AFTER_ALL = frozenset({("module_utils", "_mesh", "backends")})


# The names of the mesh backends in code, and the files that may contain these names: the folder of each backend,
# `backends.py`, and files that are about one backend.
BACKENDS = ("ledger", "registry")
KNOWS_BACKENDS = (
    *(f"module_utils/_mesh/{backend}/" for backend in (*BACKENDS, "thread")),
    "module_utils/_mesh/backends.py",
    "module_utils/_mesh/audit.py",
    "module_utils/_fleet/registry_network.py",
)
FREE_OF_BACKENDS = ("_mesh", "_manifest", "_facts", "_options", "_fleet", "_documents", "_module.py")
# The registry backend has the name `networks`, which is also a key of manifests. The word therefore counts as the name
# of a backend only if it is the constant NETWORKS or follows the word `backend`.
_BACKEND = re.compile(
    "|".join((*(f"(?i:{backend})" for backend in BACKENDS), r"\bNETWORKS\b", r"\bbackend\W{1,8}networks\b"))
)


@dataclass(frozen=True)
class Import:
    """One imported name. `dotted` contains the parts of the full dotted name."""

    line: int
    dotted: tuple[str, ...]
    for_types_only: bool = False
    """True if the import is inside `if TYPE_CHECKING:`. The rules for layers apply, but the import is not executed."""
    late: bool = False
    """True if the import is inside a function. The import is executed only when the function is called."""

    @property
    def ours(self) -> tuple[str, ...] | None:
        """The parts of the name after `plugins`, or None if the name is not part of this collection."""
        length = len(PLUGINS)
        return self.dotted[length:] if self.dotted[:length] == PLUGINS else None


def find_imports(path: Path, package: tuple[str, ...] = ()) -> Iterator[Import]:
    """Yield all imports of a file, including those inside functions and conditions.

    :param package: the parts of the name of the package that contains the file; needed for relative imports.
    """
    return _find_imports_below(ast.parse(path.read_text(encoding="utf-8"), str(path)), package)


def _find_imports_below(
    node: ast.AST, package: tuple[str, ...], *, for_types: bool = False, in_function: bool = False
) -> Iterator[Import]:
    """Yield all imports below a node of a syntax tree; see :func:`find_imports`."""
    in_function = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    checked = set(node.body) if isinstance(node, ast.If) and _names_type_checking(node.test) else set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # an expression contains no statement
        is_for_types = for_types or child in checked
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            for dotted in _list_imported_names(child, package):
                yield Import(child.lineno, dotted, is_for_types, in_function)
        yield from _find_imports_below(child, package, for_types=is_for_types, in_function=in_function)


def _list_imported_names(statement: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the parts of each name that a statement imports."""
    if isinstance(statement, ast.Import):
        return [tuple(alias.name.split(".")) for alias in statement.names]
    base = package[: len(package) - statement.level + 1] if statement.level else ()
    base += tuple(statement.module.split(".")) if statement.module else ()
    return [(*base, alias.name) for alias in statement.names]


def _names_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def find_wrong_imports(plugins: Path) -> list[str]:
    """Find the imports that break the order of the layers. Return one sentence for each of these imports.

    :param plugins: the folder `plugins` of the collection.
    """
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
    """Find files that import each other in a cycle. Imports inside `if TYPE_CHECKING:` count.

    :returns: the files of one cycle, whose first file is repeated at the end; an empty list if there is no cycle.
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
    """Find the lines that name a mesh backend, in files that must not name a mesh backend.

    :returns: one string for each line, with the file name, the line number and the line itself.
    """
    found = []
    for part in FREE_OF_BACKENDS:
        start = plugins / "module_utils" / part
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start]:
            name = path.relative_to(plugins).as_posix()
            if not name.startswith(KNOWS_BACKENDS) and path.exists():
                lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                found += [f"{name}:{number}: {line.strip()}" for number, line in lines if _BACKEND.search(line)]
    return found


def list_pure_files(plugins: Path) -> list[Path]:
    """Return the existing files that must not reach input or output."""
    folder = plugins / "module_utils"
    named = [plugins.joinpath(*pure).with_suffix(".py") for pure in PURE]
    found = {*named, *folder.rglob("plan.py"), *(folder / "_manifest").rglob("*.py")}
    return sorted(path for path in found if path.exists())


def find_impure_imports(plugins: Path) -> list[str]:
    """Find the code through which a file can do input or output although it must not.

    Return one sentence for each line of code.
    The code imports a module for input or output, or calls `open`. Files that the file imports are searched, too.
    Imports inside `if TYPE_CHECKING:` do not count.
    """
    wrong = []
    # Most files are reached from many pure files, and parsing them takes most of the time.
    list_outside_imports = functools.cache(lambda path: list(_find_outside_imports(path, plugins)))
    list_running_imports = functools.cache(lambda path: _find_running_imports(path, plugins))
    for start in list_pure_files(plugins):
        pure = start.relative_to(plugins).with_suffix("").as_posix()
        waiting, known = [start], {start}
        while waiting:
            path = waiting.pop()
            via = "" if path == start else f" through {path.relative_to(plugins).as_posix()}"
            for line, what in list_outside_imports(path):
                wrong.append(f"{pure}.py reaches {what}{via}, line {line}")
            for found in list_running_imports(path):
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
                dotted = ".".join(found.dotted[:length])
                if dotted in OUTSIDE_WORLD and found.dotted not in INSIDE_MEMORY:
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
    """Return the file that defines an imported name, or None if there is no such file.

    The name can belong to a module, to a package, or to an object inside a module or a package.
    """
    for length in (len(place), len(place) - 1):
        path = plugins.joinpath(*place[:length])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if length > 0 and candidate.is_file():
                return candidate
    return None
