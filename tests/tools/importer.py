#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the collection, and check it with galaxy-importer. Fail if galaxy-importer prints a warning or an error.

Galaxy uses the same program to check uploads.
galaxy-importer requires other versions of libraries than the other tools. It has its own virtual environment in
.cache/importer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".cache" / "importer"

# The importer can run ansible-test only with a container engine. `make sanity` runs ansible-test instead.
SETTINGS = """\
[galaxy-importer]
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
OFFLINE_ANSIBLE_LINT = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
"""


def main() -> int:
    """Print the output of galaxy-importer, and return 1 if it fails or prints a warning or an error."""
    with tempfile.TemporaryDirectory(prefix="importer-") as folder:
        settings = Path(folder) / "importer.cfg"
        settings.write_text(SETTINGS)
        built = build(folder)
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "python", "-m", "galaxy_importer.main", built],
            cwd=folder,
            env={
                **os.environ,
                "GALAXY_IMPORTER_CONFIG": str(settings),
                "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    print(done.stdout, end="")
    complaints = [line for line in done.stdout.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
    print(f"The exit status of galaxy-importer is {done.returncode}. It printed {len(complaints)} warnings and errors.")
    return 1 if done.returncode or complaints else 0


def build(folder: str) -> Path:
    """Build the collection as a tarball in a folder, and return the path of the tarball."""
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", folder, ROOT], stdout=subprocess.DEVNULL, check=True
    )
    (built,) = Path(folder).glob("*.tar.gz")
    return built


if __name__ == "__main__":
    sys.exit(main())
