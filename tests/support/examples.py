# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read all examples in the pages of the documentation and in the EXAMPLES of modules and plugins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.paths import ROOT

SHOWN_LANGUAGES = frozenset({"text", "cpp", "sh"})
"""Languages of examples that tests do not run: program output, firmware, and scripts that the collection replaces."""

TUTORIAL = "docs/tutorial.md"

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# (?P<name>[\w./-]+\.(?:yml|json|csv))\b")
_ITEM = re.compile(r"^- ", re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """A YAML loader that accepts the tag `!unsafe`. This tag marks strings whose braces are not Jinja templates."""


def _construct_unsafe(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _construct_unsafe)


@dataclass(frozen=True)
class Example:
    """One example, with its source file, line, kind and content.

    `kind` is `tasks`, `plays`, `rulebook`, `manifest`, `definition`, `inventory`, `hosts`, `requirements`,
    `advisories`, `settings`, `credential type`, `execution environment`, `table`, `schema` or `commands`.
    """

    source: str
    line: int
    kind: str
    text: str

    @property
    def name(self) -> str:
        """The position of the example as `FILE:LINE`."""
        return f"{self.source}:{self.line}"

    @property
    def folder(self) -> str:
        """The name of the folder for the examples of one source file. These examples can use each other's files."""
        return self.source.replace("/", "-")

    @property
    def file_name(self) -> str | None:
        """The file name in a comment on the first line, or None if there is no such comment."""
        found = _FILE_NAME.match(self.text)
        return found["name"] if found else None


def list_examples() -> list[Example]:
    """Return all examples: first those of the README and other pages, then those of the plugins.

    The tutorial is not among the pages, because `test_tutorial.py` runs its files and commands in their order.
    """
    pages = ["README.md", "CONTRIBUTING.md", *_list_files("roles/*/README.md"), *_list_files("docs/*.md")]
    pages.remove(TUTORIAL)
    plugins = [*_list_files("plugins/*/*.py"), *_list_files("plugins/filter/*.yml")]
    return [*(e for page in pages for e in _read_page(page)), *(e for plugin in plugins for e in _read_plugin(plugin))]


def _list_files(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


def list_blocks(page: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the language and the text of each code block of a page."""
    content = (ROOT / page).read_text(encoding="utf-8")
    for fence in _FENCE.finditer(content):
        text = re.sub(f"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE)
        yield content.count("\n", 0, fence.start("text")) + 1, fence["language"], text


def _read_page(page: str) -> Iterator[Example]:
    for line, language, text in list_blocks(page):
        if language not in SHOWN_LANGUAGES:
            yield from _split_documents(page, line, language, text)


def _read_plugin(plugin: str) -> Iterator[Example]:
    content = (ROOT / plugin).read_text(encoding="utf-8")
    text = _read_python_examples(content) if plugin.endswith(".py") else yaml.safe_load(content)["EXAMPLES"]
    if text:
        first = text.strip("\n").splitlines()[0]
        line = [row.strip() for row in content.splitlines()].index(first.strip()) + 1
        yield from _split_documents(plugin, line, "yaml", text.strip("\n") + "\n")


def _read_python_examples(content: str) -> str | None:
    for statement in ast.parse(content).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "EXAMPLES":
            return str(ast.literal_eval(statement.value))
    return None


def _split_documents(source: str, line: int, language: str, text: str) -> Iterator[Example]:
    """Yield one example for each YAML document in a code block.

    A list that contains tasks, plays and rulesets is split into several examples. A block in another language than
    YAML is one example.
    """
    if language != "yaml":
        kinds = {"console": "commands", "csv": "table", "json": "schema"}
        yield Example(source, line, kinds[language], text)
        return
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        content = yaml.load(document, _Loader)
        if isinstance(content, list):
            yield from _split_tasks_and_plays(source, line, document, content)
        elif content is not None:
            yield Example(source, line, _find_kind(content), document)
        line += document.count("\n") + 1


def _split_tasks_and_plays(source: str, line: int, text: str, items: list[dict[str, Any]]) -> Iterator[Example]:
    starts = [found.start() for found in _ITEM.finditer(text)]
    assert len(starts) == len(items), f"{source}:{line}: each item of the list must begin in the first column"
    kinds = ["rulebook" if "sources" in item else "plays" if "hosts" in item else "tasks" for item in items]
    starts_of_kinds = [number for number, kind in enumerate(kinds) if number == 0 or kind != kinds[number - 1]]
    for first_item, end in zip(starts_of_kinds, [*starts_of_kinds[1:], len(items)], strict=True):
        start = starts[first_item] if first_item else 0
        part = text[start : starts[end] if end < len(items) else None]
        yield Example(source, line + text.count("\n", 0, start), kinds[first_item], part)


def _find_kind(content: dict[str, Any]) -> str:
    """Return the kind of an example whose YAML content is a mapping.

    Each kind is recognised by a key that no other kind has.
    """
    kinds = {
        "plugin": "inventory",
        "devices": "manifest",
        "groups": "definition",
        "all": "hosts",
        "collections": "requirements",
        "advisories": "advisories",
        "cache": "settings",
        "fields": "credential type",
        "env": "credential type",
        "images": "execution environment",
    }
    found = [kind for key, kind in kinds.items() if key in content]
    assert found, f"an example has no key of any kind of example, only: {', '.join(content)}"
    return found[0]


def write_example(example: Example, folder: Path) -> Path:
    """Write an example to a file below `folder`, and return the path of the file.

    The name of the file is `file_name` of the example, or else is made from the position of the example.
    """
    ending = {"commands": "sh", "table": "csv", "schema": "json", "inventory": "particle.yml"}.get(example.kind, "yml")
    path = folder / example.folder / (example.file_name or f"{Path(example.source).stem}-{example.line}.{ending}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.text, encoding="utf-8")
    return path
