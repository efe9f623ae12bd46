#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check the wording of docstrings, comments and messages, for `make lint`, and print each fault with its line.

language.py [--names] FOLDER...

This program checks only rules whose faults it recognises reliably. CONTRIBUTING.md lists all rules. With --names, it
checks only the names of functions.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".py", ".yml", ".j2", ".js", ".md"}

_OPENING = re.compile(r"(Who|Whoever|Those|Of|What|How|Why|Which)\b")
_ALSO = re.compile(r", also (?:if|when|after|while|those|the one|one that)\b")
_PERSON = re.compile(r"\b(somebody|nobody|anybody|everybody|whoever)\b", re.IGNORECASE)
_POOR_WORD = re.compile(r"\b(wish(?:es|ed)?|vain|fates?|doubts)\b", re.IGNORECASE)
# Phrases that are not plain English. "there is no ..." and "is no longer" are allowed.
_ELLIPSIS = re.compile(
    r"(?<!there )\bis no (?!longer\b)|(?<!there )\bis none\b|\bgo(es)? not\b|\bmakes? no sense\b|\bstands? twice\b",
    re.IGNORECASE,
)
# "there_is_no_..." and "is_no_longer_..." are allowed.
_NEGATED_NOUN = re.compile(r"(?<!there)(?:^|_)(?:is|are)_no_(?!longer|more)")


@dataclass(frozen=True, order=True)
class Fault:
    """A fault in the wording: its file, its line, and the rule that it breaks."""

    path: Path
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}"


def main(arguments: list[str]) -> int:
    """Print all faults in the files of the folders. Return the exit status 1 if there are faults, or no files."""
    folders = [argument for argument in arguments if argument != "--names"]
    find = find_faulty_names if len(folders) < len(arguments) else find_faults
    files = sorted(path for folder in folders for path in Path(folder).rglob("*") if path.suffix in SUFFIXES)
    faults = sorted(fault for path in files for fault in find(path))
    print(*faults, sep="\n") if faults else None
    print(f"{len(files)} files were checked for plain wording, and {len(faults)} faults were found.")
    return 1 if faults or not files else 0


def find_faults(path: Path) -> Iterator[Fault]:
    """Yield the faults of a file.

    The rules against words such as "nobody" and phrases such as ", also if" apply to every line of every file. The
    other rules apply to docstrings, comments and messages in Python files.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if word := _PERSON.search(line):
            yield Fault(path, number, f"name the person or the program instead of {word[0]!r}")
        if phrase := _ALSO.search(line):
            yield Fault(path, number, f"write 'even' or 'including' instead of {phrase[0]!r}")
        if word := _POOR_WORD.search(line):
            yield Fault(path, number, f"write a plain word instead of {word[0]!r}")
    yield from find_faulty_names(path)
    if path.suffix == ".py":
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node) for node in _docstrings(tree)}
        for number, text in [*_first_sentences(tree), *_first_comment_lines(path)]:
            if word := _OPENING.match(text):
                yield Fault(path, number, f"do not begin with {word[0]!r}; use the imperative mood or a noun")
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
                continue
            # A string of several lines is documentation, which may quote responses of the cloud.
            if "\n" not in node.value and (phrase := _ELLIPSIS.search(node.value)):
                yield Fault(path, node.lineno, f"write a message in plain English instead of {phrase[0].strip()!r}")


def find_faulty_names(path: Path) -> Iterator[Fault]:
    """Yield the faults in the names of functions of a Python file, such as ``test_comment_is_no_entry``."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _NEGATED_NOUN.search(node.name):
            yield Fault(path, node.lineno, f"write 'is_not_a_...' in the name {node.name!r}")


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield all docstrings of a module, including the docstrings below constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def _first_sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in _docstrings(tree):
        yield node.lineno, str(node.value).lstrip()


def _first_comment_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the first line of each comment block, with its line number. The other lines may continue a sentence."""
    previous = -1
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                line = token.start[0]
                if line != previous + 1:
                    yield line, token.string.lstrip("#").lstrip()
                previous = line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
