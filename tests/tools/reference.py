#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write the pages of the reference that antsibull-docs does not build, for `make docs`.

reference.py FOLDER

antsibull-docs documents modules, plugins and roles. This program adds pages about the playbooks, about the event
source, the event filter and the rulebooks of Event-Driven Ansible, and about the credential types. It reads all of this
from the files themselves: the documentation in the plugins, and the comments at the beginning of playbooks and
rulebooks.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from antsibull_docs_parser.parser import Context, parse
from antsibull_docs_parser.rst import to_rst_plain

ROOT = Path(__file__).resolve().parents[2]
EDA = ROOT / "extensions" / "eda"
CREDENTIAL_TYPES = EDA / "plugins" / "event_source" / "credential_types"
COLLECTION = "meshfleet.particle"

_COPYRIGHT = ("SPDX-", "Copyright ")


def main(arguments: list[str]) -> int:
    """Write the pages into a folder, and return the exit status."""
    parser = argparse.ArgumentParser(description="Write the pages of the reference that antsibull-docs does not build.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    for name, build_page in PAGES.items():
        (folder / f"{name}.rst").write_text("\n".join(build_page()) + "\n", encoding="utf-8")
    return 0


def build_playbooks_page() -> Iterator[str]:
    """Yield the lines of the page about the playbooks."""
    yield from build_title("Playbooks", "=")
    yield "These playbooks are part of the collection. Run them by their full names, as shown for each of them."
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        yield from build_program(path, "-")


def build_events_page() -> Iterator[str]:
    """Yield the lines of the page about the plugins and rulebooks of Event-Driven Ansible."""
    yield from build_title("Event-Driven Ansible", "=")
    yield "The guide to :doc:`events </docs/guide_events>` shows how to use these plugins and rulebooks."
    yield from build_plugin("Event source", EDA / "plugins" / "event_source" / "events.py")
    yield from build_plugin("Event filter", EDA / "plugins" / "event_filter" / "hosts.py")
    yield from build_title("Rulebooks", "-")
    for path in sorted((EDA / "rulebooks").glob("*.yml")):
        yield from build_program(path, "~")


def build_credential_types_page() -> Iterator[str]:
    """Yield the lines of the page about the credential types."""
    yield from build_title("Credential types", "=")
    yield "An automation controller passes credentials to jobs as their credential type says. To create one of these"
    yield "types, copy both of its parts, as the guide to :doc:`events </docs/guide_events>` describes."
    for folder in sorted(path for path in CREDENTIAL_TYPES.iterdir() if path.is_dir()):
        inputs = folder / "inputs.yml"
        yield from build_title(folder.name, "-")
        for field in load(inputs)["fields"]:
            yield from build_option(field["id"], describe_type(field), [field.get("help_text") or field["label"]])
        for title, path in (("Input configuration", inputs), ("Injector configuration", folder / "injectors.yml")):
            yield from build_title(title, "~")
            text = yaml.safe_dump(load(path), sort_keys=False, width=100)
            yield from build_code("yaml", text)


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "playbooks": build_playbooks_page,
    "events": build_events_page,
    "credential_types": build_credential_types_page,
}
"""The pages, by the names of their files."""


def load(path: Path) -> dict[str, Any]:
    """Read a YAML file whose content is a mapping."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def build_title(title: str, underline: str) -> Iterator[str]:
    """Yield a heading, with an empty line before and after it."""
    yield from ("", title, underline * len(title), "")


def build_code(language: str, text: str) -> Iterator[str]:
    """Yield a code block."""
    yield from ("", f".. code-block:: {language}", "", textwrap.indent(text.rstrip(), "   "), "")


def build_plugin(kind: str, path: Path) -> Iterator[str]:
    """Yield the documentation of a plugin of Event-Driven Ansible, with its options and examples."""
    values = read_constants(path)
    documentation = yaml.safe_load(values["DOCUMENTATION"])
    yield from build_title(f"{kind} {COLLECTION}.{path.stem}", "-")
    yield from render(documentation["description"])
    yield from build_options(documentation["options"], "~")
    yield from render(documentation.get("notes", []))
    yield from build_title(f"Examples of {path.stem}", "~")
    yield from build_code("yaml", values["EXAMPLES"])


def build_options(options: Mapping[str, Any], underline: str) -> Iterator[str]:
    """Yield the options of a plugin, and the suboptions of each of them."""
    yield from build_title("Options", underline)
    for name, option in options.items():
        yield from build_option(name, describe_type(option), option["description"])
        for key, suboption in option.get("suboptions", {}).items():
            yield from build_option(f"{name}.{key}", describe_type(suboption), suboption["description"])


def build_option(name: str, description: str, text: str | list[str]) -> Iterator[str]:
    """Yield an option: its name with its type on one line, and its description below."""
    yield f"``{name}`` ({description})"
    yield from (textwrap.indent(line, "   ") for line in render(text))


def describe_type(option: Mapping[str, Any]) -> str:
    """Describe the type of an option, whether it is required or secret, and its default."""
    words = [f"{option['type']} of {option['elements']}" if "elements" in option else str(option["type"])]
    words += [word for word in ("required", "secret") if option.get(word)]
    if option.get("choices"):
        words.append("one of " + ", ".join(f"``{choice}``" for choice in option["choices"]))
    if option.get("default") not in (None, []):
        default = option["default"]
        words.append(f"default ``{str(default).lower() if isinstance(default, bool) else default}``")
    return ", ".join(words)


def build_program(path: Path, underline: str) -> Iterator[str]:
    """Yield the documentation of a playbook or a rulebook: its name, its command and its description."""
    command, description = read_comment(path)
    yield from build_title(f"{COLLECTION}.{path.stem}", underline)
    if command:
        yield from build_code("shell", " \\\n  ".join(command))
    # The comments write names in single backticks, as Markdown does.
    yield re.sub(r"`([^`]+)`", r"``\1``", description)


def read_comment(path: Path) -> tuple[list[str], str]:
    """Read the comment at the beginning of a file, and return the lines of its command and its description.

    The command is indented. The comment ends before the first line that is not a comment.
    """
    command: list[str] = []
    description: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line == "---":
            continue
        if not line.startswith("#"):
            break
        text = line.removeprefix("#")
        if text.startswith("   "):
            command.append(text.strip())
        elif not text.strip().startswith(_COPYRIGHT):
            description.append(text.strip())
    return command, " ".join(description).strip()


def read_constants(path: Path) -> dict[str, str]:
    """Return the constants of a Python file whose values are literal strings, by name. The file is not imported."""
    return {
        statement.targets[0].id: statement.value.value
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }


def render(text: str | list[str]) -> Iterator[str]:
    """Yield paragraphs of reStructuredText for a text with the markup of Ansible, each followed by an empty line."""
    for paragraph in [text] if isinstance(text, str) else text:
        yield from (to_rst_plain(parse(paragraph, Context(), errors="exception")), "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
