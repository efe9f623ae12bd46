# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read the facts about the Particle cloud in docs/facts, and find citations of these facts in this repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support.paths import ROOT

FACTS = ROOT / "docs" / "facts"
ENDPOINTS = "endpoints.yml"
ERROR_BODIES = ("errors-and-limits.md", "1")
"""The page and the section that contain the table of error bodies."""

# White space. If it includes the end of a line, the next line may begin with a comment sign.
_GAP = r"\s+(?:(?:#|//)\s*)?"
# Paths and links do not count as citations, because they name only the file and no entry.
_ALONE = r"(?<![\w/.\[-])"
_NAME = r"[a-z][a-z0-9_]*"
_ENDPOINTS = re.compile(
    rf"{_ALONE}endpoints\.yml(?:(?P<names>:{_GAP}{_NAME}(?:,{_GAP}{_NAME})*)(?=[);]|\.?$))?", re.MULTILINE
)
_SECTION = (
    rf",{_GAP}section{_GAP}(?P<section>\d+(?:\.\d+)*)(?:,{_GAP}(?P<first>E\d+)(?:{_GAP}to{_GAP}(?P<last>E\d+))?)?"
)
_HEADING = re.compile(r"^#{2,} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
_BODY = re.compile(r"^\| (E\d+) \|", re.MULTILINE)
_BARE_BODY = re.compile(r"(?<![\w-])E\d{1,2}\b")


@dataclass(frozen=True)
class Citation:
    """A citation of one or more entries of a file in docs/facts.

    :ivar line: the line that contains the citation.
    :ivar file: the name of the cited file.
    :ivar names: the cited names in endpoints.yml.
    :ivar section: the cited section of a page.
    :ivar bodies: the names of the cited error bodies, for example E4. For a range, only the first and the last name.
    """

    line: int
    file: str
    names: tuple[str, ...] = ()
    section: str | None = None
    bodies: tuple[str, ...] = ()

    def __str__(self) -> str:
        section = f"section {self.section}" if self.section else ""
        return f"line {self.line}: {self.file} {' '.join(filter(None, (*self.names, section, *self.bodies)))}".rstrip()


@dataclass(frozen=True)
class Facts:
    """The entries that can be cited.

    :ivar endpoints: the keys of each endpoint in endpoints.yml, keyed by the id of the endpoint.
    :ivar names: the names in endpoints.yml that can be cited without the id of an endpoint.
    :ivar sections: the section numbers of each page, keyed by file name.
    :ivar bodies: the names in the table of error bodies.
    """

    endpoints: Mapping[str, frozenset[str]]
    names: frozenset[str]
    sections: Mapping[str, frozenset[str]]
    bodies: frozenset[str]


def load_endpoints() -> dict[str, list[dict[str, Any]]]:
    """Return the endpoints in endpoints.yml, keyed by the name of their group."""
    return {group["group"]: group["endpoints"] for group in read_endpoints()["groups"]}


def load_shape(name: str) -> dict[str, Any]:
    """Return the fields of an object that responses contain, from endpoints.yml, keyed by the name of the field."""
    shape: dict[str, Any] = read_endpoints()["shapes"][name]
    return shape


@cache
def load_facts() -> Facts:
    """Read all files in docs/facts except README.md, and return their entries."""
    content = read_endpoints()
    groups = content["groups"]
    beside_endpoints = {name for group in groups for name in group if name not in ("group", "endpoints", "note")}
    pages = {
        page.name: page.read_text(encoding="utf-8") for page in sorted(FACTS.glob("*.md")) if page.name != "README.md"
    }
    page, section = ERROR_BODIES
    return Facts(
        endpoints={endpoint["id"]: frozenset(endpoint) for group in groups for endpoint in group["endpoints"]},
        names=frozenset(
            {"shapes", *content["shapes"], *_keys_of(content["meta"])}
            | {group["group"] for group in groups}
            | beside_endpoints
        ),
        sections={name: frozenset(_HEADING.findall(text)) for name, text in pages.items()},
        bodies=frozenset(_BODY.findall(_text_of_section(pages[page], section))),
    )


def find_citations(text: str, facts: Facts) -> Iterator[Citation]:
    """Yield a citation for each mention of a file in docs/facts, except in paths and links.

    If the mention does not have the form of a citation, the yielded citation contains no entries.
    """
    for match in _ENDPOINTS.finditer(text):
        names = tuple(re.findall(_NAME, match["names"] or ""))
        yield Citation(_line(text, match), ENDPOINTS, names)
    pages = "|".join(map(re.escape, facts.sections))
    for match in re.finditer(rf"{_ALONE}(?P<page>{pages})(?:{_SECTION})?", text):
        bodies = tuple(filter(None, (match["first"], match["last"])))
        yield Citation(_line(text, match), match["page"], section=match["section"], bodies=bodies)


def find_error_bodies(text: str) -> Iterator[Citation]:
    """Yield a citation for each name of an error body, for example E4, with or without a file name before it."""
    for match in _BARE_BODY.finditer(text):
        yield Citation(_line(text, match), *ERROR_BODIES[:1], section=ERROR_BODIES[1], bodies=(match[0],))


def can_be_opened(citation: Citation, facts: Facts) -> bool:
    """Return whether a citation names at least one entry, and all named entries exist."""
    if citation.file == ENDPOINTS:
        return bool(citation.names) and _are_names(citation.names, facts)
    is_table = (citation.file, citation.section) == ERROR_BODIES
    return (
        citation.section in facts.sections[citation.file]
        and facts.bodies.issuperset(citation.bodies)
        and (is_table or not citation.bodies)
    )


def _are_names(names: tuple[str, ...], facts: Facts) -> bool:
    """Return whether all names exist in endpoints.yml.

    A key of an endpoint must follow the id of the endpoint, for example ``group_create, errors``.
    """
    keys: frozenset[str] = frozenset()
    for name in names:
        if name in facts.endpoints:
            keys = facts.endpoints[name]
        elif name not in facts.names | keys:
            return False
    return True


@cache
def read_endpoints() -> dict[str, Any]:
    """Return the content of endpoints.yml."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C takes a tenth of the time
    content: dict[str, Any] = yaml.load((FACTS / ENDPOINTS).read_text(encoding="utf-8"), loader)
    return content


def _keys_of(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _keys_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from _keys_of(value)


def _text_of_section(page: str, number: str) -> str:
    behind = page.partition(f"\n## {number}. ")[2]
    return behind.partition("\n## ")[0]


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def text_files(*places: Path) -> Iterator[Path]:
    """Yield the text files in the given folders. Files in `node_modules` are skipped.

    :param places: folders, and paths of single files.
    """
    suffixes = {".cfg", ".css", ".j2", ".js", ".md", ".mjs", ".py", ".sh", ".toml", ".yaml", ".yml"}
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in suffixes and path.is_file() and "node_modules" not in path.parts:
                yield path
