#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Copy the documentation of shared return values into RETURN of each module, for `make returns` and `make lint`.

return_blocks.py [--check] FOLDER

Several modules return the same values. Their documentation is written once, in return_blocks.yml, because ansible-core
2.19 has documentation fragments for options, but not for return values. This program replaces the keys of the same name
in RETURN of each module. It adds no keys, because some modules do not return all shared values. In return_blocks.yml,
the key MODULE.NAME replaces the description of NAME in one module. With --check, the program writes no file, and the
exit status is 1 if a module differs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".yml")

_RETURN = re.compile(r'^RETURN = r"""\n(?P<values>.*?)(?=^""")', re.MULTILINE | re.DOTALL)
_BEFORE_KEY = re.compile(r"^(?=[\w.]+:)", re.MULTILINE)
_TYPE = "  type:"


def main(arguments: list[str]) -> int:
    """Rewrite the modules in a folder. With `--check`, only report the modules that differ.

    :returns: the exit status: 1 if a module differs with `--check`, 2 if there are no modules, else 0.
    """
    parser = argparse.ArgumentParser(description="Copy the shared return values into the documentation of modules.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a module differs")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    shared = split_values(SOURCE.read_text(encoding="utf-8"))
    modules = {path: path.read_text(encoding="utf-8") for path in sorted(given.folder.glob("[!_]*.py"))}
    rewritten = {path: replace_values(text, choose_values(shared, path.stem)) for path, text in modules.items()}
    differing = [path for path, text in modules.items() if rewritten[path] != text]
    for path in differing:
        if given.check:
            print(f"{path}: the shared return values differ from {SOURCE.name}; run make returns.")
        else:
            path.write_text(rewritten[path], encoding="utf-8")
            print(f"{path}: the shared return values were rewritten.")
    print(f"{len(modules)} modules were compared with {SOURCE.name}, and {len(differing)} of them differed.")
    if not modules:
        return 2
    return 1 if given.check and differing else 0


def split_values(text: str) -> dict[str, str]:
    """Split the source of a YAML mapping, and return the lines of each key, keyed by the key itself.

    The keys of the mapping must begin in the first column.
    """
    parts = [part for part in _BEFORE_KEY.split(text) if part and not part.startswith("#")]
    return {part.partition(":")[0]: part for part in parts}


def choose_values(shared: Mapping[str, str], module: str) -> dict[str, str]:
    """Return the YAML lines of each shared value for one module, with the description that belongs to the module."""
    chosen = {name: text for name, text in shared.items() if "." not in name}
    for name, text in shared.items():
        owner, dot, value = name.partition(".")
        if dot and owner == module:
            chosen[value] = text.removeprefix(f"{owner}.") + chosen[value][chosen[value].index(_TYPE) :]
    return chosen


def replace_values(module: str, shared: Mapping[str, str]) -> str:
    """Replace the keys in RETURN that have the name of a shared return value, and return the new source of the module.

    :param module: the source of the module.
    :param shared: the YAML lines of each shared return value, keyed by name.
    """

    def replace(found: re.Match[str]) -> str:
        values = split_values(found["values"])
        return 'RETURN = r"""\n' + "".join(shared.get(name, text) for name, text in values.items())

    return _RETURN.sub(replace, module)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
