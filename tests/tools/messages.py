#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Print every error message in the plugins with its line, error code and hint, for `make messages`.

messages.py FOLDER

Read the list to find messages whose wording differs from other messages. An expression in braces stands for a value
that is inserted at run time.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ERRORS = {"ParticleError", "AnsibleError", "AnsibleActionFail", "AnsibleFilterError", "AnsibleParserError", "_Finding"}
"""The classes of errors and findings whose messages users see."""

CODED = {"ParticleError", "_Finding"}
"""The classes whose first argument is an error code or a status, and not the message."""

Blocks = tuple[tuple[ast.AST, str], ...]
"""Blocks of statements, each as the node that contains the block and the name of the node's field."""

MISTAKES = "add_mistake"
"""The name of the method that reports a mistake in a manifest. Its second argument is the message."""


@dataclass(frozen=True)
class Message:
    """A message in the source code.

    :ivar place: the file and the line of the message.
    :ivar code: the error code, or the name of the class if the class has no codes.
    :ivar texts: the message; several strings if a variable or a condition chooses between several messages.
    :ivar hint: the hint, or an empty string if users see the default hint of the error code.
    """

    place: str
    code: str
    texts: tuple[str, ...]
    hint: str

    def __str__(self) -> str:
        lines = [f"{self.place}  {self.code}", *(f"    {text}" for text in self.texts)]
        return "\n".join([*lines, f"    -> {self.hint}"] if self.hint else lines)


def main(folder: str) -> int:
    """Print the messages in all Python files of a folder. Return the exit status 1 if there are no messages."""
    messages = [message for path in sorted(Path(folder).rglob("*.py")) for message in find_messages(path)]
    print(*messages, sep="\n")
    print(f"{len(messages)} messages")
    return 0 if messages else 1


def find_messages(path: Path) -> Iterator[Message]:
    """Yield the messages in the functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope in scopes:
        blocks = _list_blocks(scope)
        calls = [node for node in ast.walk(scope) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda node: node.lineno):
            assigned = _find_assigned_texts(scope, call, blocks)
            if message := _read_call(call, assigned, f"{path}:{call.lineno}"):
                yield message


def _read_call(call: ast.Call, assigned: dict[str, list[ast.expr]], place: str) -> Message | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    arguments = list(call.args)
    if name == MISTAKES and len(arguments) == 2:
        return Message(place, "invalid_manifest", tuple(_texts(arguments[1], assigned)), "")
    if name not in ERRORS or not arguments:
        return None
    code = "/".join(_texts(arguments.pop(0), assigned)) if name in CODED else name
    hint = next((" / ".join(_texts(word.value, assigned)) for word in call.keywords if word.arg == "hint"), "")
    return Message(place, code, tuple(_texts(arguments[0], assigned)) if arguments else (), hint)


def _list_blocks(scope: ast.AST, outer: Blocks = ()) -> dict[ast.AST, Blocks]:
    """Return for each node of a function the blocks around the node, from the outermost to the innermost.

    A block is a list of statements: the body of a function, of an ``if`` or of a loop, or an ``else`` branch.
    """
    found: dict[ast.AST, Blocks] = {}
    for name, value in ast.iter_fields(scope):
        is_block = isinstance(value, list) and any(isinstance(item, ast.stmt) for item in value)
        inner = (*outer, (scope, name)) if is_block else outer
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                found[node] = inner
                found |= _list_blocks(node, inner)
    return found


def _find_assigned_texts(
    scope: ast.FunctionDef, call: ast.Call, blocks: dict[ast.AST, Blocks]
) -> dict[str, list[ast.expr]]:
    """Return the values that each variable of a function may have at a call.

    An assignment in a block around the call replaces the earlier values. An assignment in another block, such as the
    branch of an ``if`` before the call, adds a value.
    """
    found: dict[str, list[ast.expr]] = {}
    nodes = [node for node in ast.walk(scope) if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))]
    for node in sorted((node for node in nodes if node.lineno < call.lineno), key=lambda node: node.lineno):
        if node.value is None:
            continue
        replaces = blocks[node][-1] in blocks[call] and not isinstance(node, ast.AugAssign)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name, value in _pair(target, node.value):
                found[name] = [value] if replaces else [*found.get(name, []), value]
    return found


def _pair(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield each variable of an assignment with its value."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for part, part_value in zip(target.elts, value.elts, strict=True):
            yield from _pair(part, part_value)


def _texts(value: ast.expr, assigned: dict[str, list[ast.expr]]) -> list[str]:
    """Return the strings to which an expression can evaluate.

    A part of the expression whose value is known only at run time is returned as source code in braces.
    """
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    if isinstance(value, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in value.values
            if isinstance(part, (ast.Constant, ast.FormattedValue))
        ]
        return ["".join(parts)]
    if isinstance(value, ast.IfExp):
        return [*_texts(value.body, assigned), *_texts(value.orelse, assigned)]
    if isinstance(value, ast.Name) and value.id in assigned:
        # Without the variable itself, because the value of a variable may contain the same variable.
        without = {name: values for name, values in assigned.items() if name != value.id}
        return [text for each in assigned[value.id] for text in _texts(each, without)]
    return [f"{{{ast.unparse(value)}}}"]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
