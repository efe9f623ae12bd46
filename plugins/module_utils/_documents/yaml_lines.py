# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse YAML and JSON files, and record the line of every value. Private to this collection."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    FREE_ALIAS_NODES,
    MAX_ALIAS_GROWTH,
    MAX_MANIFEST_BYTES,
    MAX_MANIFEST_NODES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.file_forms import is_json
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

# YAML is parsed only on the controller, where PyYAML is installed as a dependency of ansible-core. A module on another
# host imports this file too, but works without PyYAML.
with contextlib.suppress(ImportError):
    import yaml

Place: TypeAlias = "tuple[str | int, ...]"
"""The path of a value in a document, such as ``("devices", 3, "id")``."""

Where = Callable[[Place], str]
"""A function that returns a description of a place for the user, such as ``fleet.yml:12 devices[3].id``."""

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_MERGE, _EQUALS_SIGN = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"
_FLOAT_OF_JSON = re.compile(r"-?(0|[1-9]\d*)(\.\d+([eE][+-]?\d+)?|[eE][+-]?\d+)", re.ASCII)
_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}")


# In YAML 1.1, 010 is the octal number 8, and 12:30 is the number 750. In a manifest, both are versions, ids or names.
_SPECIAL_NUMBER = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)", re.ASCII)

_MAX_PLAIN_LENGTH = 1000
"""The maximum number of characters of a number or a date."""

_FOREIGN_TAG = "tags are not supported; put a value that begins with ! in quotes"
_SECOND_DOCUMENT = (
    "a second document begins here; write one mapping, for example {devices: [...]} around all lines of JSON Lines"
)
_NO_TOKEN = "no value begins with this character; use spaces, not tabs, and put a value that begins with @ in quotes"
_NO_ANCHOR = "this alias has no anchor; put a value that begins with * in quotes"
_REPLACED_PROBLEMS = {
    "could not determine a constructor": _FOREIGN_TAG,
    "found undefined tag handle": _FOREIGN_TAG,
    "found undefined alias": _NO_ANCHOR,
    "did not find expected <document start>": _SECOND_DOCUMENT,
    "found character that cannot start any token": _NO_TOKEN,
    "but found another document": _SECOND_DOCUMENT,
}
"""Messages to show instead of messages of PyYAML, keyed by the beginning of the PyYAML message. The PyYAML messages
quote text from the file. The quoted text can be a password."""


def format_place(place: Place) -> str:
    """Return a place as a dotted path, such as ``devices[3].mesh.network``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "the manifest"


def parse_yaml(text: str, name: str, kind: str = "manifest") -> tuple[Any, Where]:
    """Parse the content of a YAML or JSON file.

    :param text: the content of the file.
    :param name: the name of the file, for messages.
    :param kind: the word for the document in messages, such as ``manifest``.
    :returns: the parsed data, and a function that returns a description of a place for the user, including the line.
    :raises ParticleError: ``invalid_manifest`` when ``text`` is not valid YAML, has a duplicate key or is too large.
        The message contains the line.
    """
    hint = f"Correct the {kind} and run again; no request was sent."
    check_size(text, name, kind)
    loader: Any = None
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(_join_escapes(text))  # may raise a YAMLError
        node = loader.get_single_node()
        reader = _Reader(loader, json=is_json(text))
        if node is not None:
            reader.check_aliases(node, _check_nodes(node), f"The {kind} {name}")
        data = None if node is None else reader.read(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{name}:{mark.line + 1}" if mark else name
        message = f"The {kind} is not valid YAML:\n  {line} {_translate_problem(str(error.problem))}"
        raise ParticleError("invalid_manifest", message, hint=hint) from None
    except yaml.YAMLError as error:
        message = f"The {kind} is not valid YAML:\n  {name} {error}"
        raise ParticleError("invalid_manifest", message, hint=hint) from None
    except RecursionError:
        raise ParticleError("invalid_manifest", f"The {kind} {name} is nested too deeply.", hint=hint) from None
    finally:
        if loader is not None:
            loader.dispose()
    lines = reader.lines

    def describe_place(place: Place) -> str:
        known = next(place[:end] for end in range(len(place), -1, -1) if place[:end] in lines or not end)
        return f"{name}:{lines.get(known, 1)} {format_place(place) if place else f'the {kind}'}"

    return data, describe_place


def _translate_problem(problem: str) -> str:
    """Return the message to show for a problem that PyYAML reports."""
    return next((words for start, words in _REPLACED_PROBLEMS.items() if problem.startswith(start)), problem)


def _join_escapes(text: str) -> str:
    """Replace each surrogate pair in a JSON document by its character. Return other documents unchanged.

    A surrogate pair represents one character by two escapes. YAML parsers can read all of JSON except surrogate pairs.
    """
    if not is_json(text):
        return text
    return _SURROGATE_PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), text)


def _check_nodes(root: yaml.Node) -> int:
    """Check that no key is a list, a mapping or a duplicate, and that no list or mapping has an unknown tag.

    Keys are checked before ``<<`` is resolved, because a mapping may repeat a merged key on purpose.

    :returns: the number of keys and values, where an alias counts as one value.
    :raises yaml.MarkedYAMLError: when a check fails. The error contains the line.
    """
    waiting, known = [root], set[int]()
    count = 1
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode) or id(node) in known:
            continue
        known.add(id(node))
        if node.tag not in _COLLECTIONS:
            raise yaml.MarkedYAMLError(problem=_FOREIGN_TAG, problem_mark=node.start_mark)
        count += len(node.value)
        if isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
            continue
        count += len(node.value)
        seen: set[str] = set()
        for key, _unused in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a string", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"duplicate key {key.value}", problem_mark=key.start_mark)
            seen.add(key.value)
        waiting += [value for _unused, value in reversed(node.value)]
    return count


def check_size(text: str, name: str, kind: str) -> None:
    """Check that a document needs only so much time and memory.

    :param kind: the word for the document in messages, such as ``manifest``.
    :raises ParticleError: ``invalid_manifest`` when the document has too many characters, or too many keys and values.
    """
    if len(text) > MAX_MANIFEST_BYTES:
        size = f"{len(text)} characters, and at most {MAX_MANIFEST_BYTES}"
        raise ParticleError("invalid_manifest", f"The {kind} {name} has {size} are read.")
    # Every key and every value of YAML, JSON and CSV follows one of these characters.
    if len(text) > MAX_MANIFEST_NODES and sum(map(text.count, ",;\t:\n[{-")) > MAX_MANIFEST_NODES:
        raise ParticleError(
            "invalid_manifest", f"The {kind} {name} has more than {MAX_MANIFEST_NODES} values, the most that are read."
        )


_Pairs: TypeAlias = "dict[tuple[str, str], tuple[yaml.ScalarNode, yaml.Node]]"
"""The pairs of a YAML mapping: ``{(tag of the key, string of the key): (node of the key, node of the value)}``."""


class _Reader:
    """A converter from YAML nodes to plain data.

    :param json: whether the document is JSON.
    :ivar lines: the line number of each converted node, keyed by the path of the node in the document (:data:`Place`).
        The first line of the file has number 1.
    """

    def __init__(self, loader: Any, *, json: bool) -> None:
        self._loader = loader
        self._json = json
        self._open: set[int] = set()
        self._merged: dict[int, _Pairs] = {}
        self._sizes: dict[int, int] = {}
        self._visited = 0
        self.lines: dict[Place, int] = {}

    def check_aliases(self, root: yaml.Node, written: int, document: str) -> None:
        """Check how large a document becomes when each alias is replaced by the value that it stands for.

        Ten lines of aliases can stand for billions of values, so the values are counted before they are created.

        :param written: the number of keys and values of the document as it is written.
        :param document: the document, as the subject of a message.
        :raises ParticleError: ``invalid_manifest`` when the document becomes too large.
        """
        most = min(MAX_MANIFEST_NODES, max(FREE_ALIAS_NODES, MAX_ALIAS_GROWTH * written))
        if self._count_values(root, most) > most:
            message = f"{document} has more than {most} values when its aliases are replaced, the most that are read."
            raise ParticleError("invalid_manifest", message, hint="Use fewer aliases, or split the file.")

    def _count_values(self, node: yaml.Node, most: int) -> int:
        """Return the number of keys and values in a node. Stop counting when there are more than ``most``."""
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in self._sizes:
            self._sizes[id(node)] = 1  # for an alias that contains itself, which `read` reports
            parts = node.value
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in self._collect_pairs(node).values() for part in pair]
            self._visited += len(parts)  # counts what ``<<`` copies, too
            size = 1
            for part in parts:
                size += self._count_values(part, most)
                if max(size, self._visited) > most:
                    return most + 1
            self._sizes[id(node)] = size
        return self._sizes[id(node)]

    def read(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node)
        if id(node) in self._open:
            raise yaml.MarkedYAMLError(problem="an alias contains itself", problem_mark=node.start_mark)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
            return self._read_mapping(node, place)
        finally:
            self._open.remove(id(node))

    def _read_scalar(self, node: yaml.ScalarNode) -> Any:
        if self._json and not node.style and _FLOAT_OF_JSON.fullmatch(node.value):
            return float(node.value)  # YAML 1.1 would read some of these numbers as strings
        try:
            if not node.style and len(node.value) > _MAX_PLAIN_LENGTH and not node.tag.endswith(":str"):
                raise ValueError("PyYAML needs hours for a number of this length")
            if not node.style and node.tag in _NUMBERS and _SPECIAL_NUMBER.fullmatch(node.value):
                return node.value
            return self._loader.construct_object(node)
        except (ArithmeticError, AttributeError, LookupError, ValueError):  # e.g. a date with day 99, or `!!bool maybe`
            kind = node.tag.rpartition(":")[2]
            problem = f"this is not a valid {kind}; put it in quotes if it is a string"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None

    def _read_mapping(self, node: yaml.Node, place: Place) -> dict[Hashable, Any]:
        data: dict[Hashable, Any] = {}
        for key, value in self._collect_pairs(node).values():
            name = key.value if key.tag == _EQUALS_SIGN else self._read_scalar(key)
            data[name] = self.read(value, (*place, name))
        return data

    def _collect_pairs(self, node: yaml.Node) -> _Pairs:
        """Return the pairs of a YAML mapping, including the pairs that ``<<: *alias`` merges into the mapping.

        The keys of the mapping itself override merged keys.
        """
        # ``flatten_mapping`` of PyYAML 6.0.4 is not used, because of a fault: if mapping A merges mapping B, B merges
        # mapping C, and B overrides a key of C, then A gets the value of C.
        known = self._merged.get(id(node))
        if known is not None:
            return known
        own = {(key.tag, key.value): (key, value) for key, value in node.value if key.tag != _MERGE}
        if len(own) == len(node.value):
            return own
        self._merged[id(node)] = own  # so that a mapping that merges itself does not recurse forever
        merged: _Pairs = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for source in reversed(_list_merged(value)):
                    merged |= self._collect_pairs(source)
        self._merged[id(node)] = merged | own
        return self._merged[id(node)]


def _list_merged(node: yaml.Node) -> list[yaml.Node]:
    """Return the nodes of the mappings that a ``<<`` key merges. Earlier mappings take precedence.

    :param node: the value of the ``<<`` key.
    :raises yaml.MarkedYAMLError: when a merged node is not a mapping.
    """
    sources: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for source in sources:
        if not isinstance(source, yaml.MappingNode):
            problem = "expected a mapping or list of mappings for merging"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=source.start_mark)
    return sources
