#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write the JSON Schemas of the files that users write, for `make schemas` and `make lint`.

schemas.py [--check] FOLDER

The program builds the schemas of a manifest and of the definition of a product from the code and the documentation of
the modules, and writes them into FOLDER. With --check, the program writes no file, and the exit status is 1 if a file
differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS
from support import definition_schema, manifest_schema


def main(arguments: list[str]) -> int:
    """Write the schemas. With `--check`, only report the files that differ.

    :returns: the exit status: 1 if a file differs with `--check`, else 0.
    """
    parser = argparse.ArgumentParser(description="Write the JSON Schemas of the files that users write.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a file differs")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    schemas = {
        definition_schema.NAME: definition_schema.build_definition_schema(KINDS),
        manifest_schema.NAME: manifest_schema.build_manifest_schema(),
    }
    texts = {given.folder / name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}
    differing = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in differing:
        if given.check:
            print(f"{path}: the file differs from the code and the documentation; run make schemas.")
        else:
            path.write_text(texts[path], encoding="utf-8")
            print(f"{path}: the schema was written.")
    print(f"{len(texts)} schemas were built, and {len(differing)} of the files differed.")
    return 1 if given.check and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
