# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Open HTML pages in a real browser (npm packages: @sparticuz/chromium and playwright-core)."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.paths import BROWSER, TESTS
from support.processes import HANG_SECONDS, ProcessFailed

PACKAGES = ("@sparticuz/chromium", "playwright-core")


def observe_report(
    page: Path, searched: str, screenshot: Path | None = None, installed: Path = BROWSER
) -> dict[str, Any]:
    """Open a report in the browser with `tests/browser/observe.mjs`, and return the observations of this program.

    :param page: the HTML file of the report.
    :param searched: the string that the program types into the search field of the report.
    :param screenshot: the file for a screenshot, if one is wanted.
    :param installed: the folder into which npm has installed the browser.
    :raises ProcessFailed: if the browser is not installed, or the program fails.
    """
    return _run_browser("observe.mjs", [page, searched, *([screenshot] if screenshot else [])], HANG_SECONDS, installed)


def observe_site(folder: Path, words: Sequence[str], seconds: float, installed: Path = BROWSER) -> dict[str, Any]:
    """Open all pages of the documentation with `tests/browser/site.mjs`, and return the observations of this program.

    :param folder: the folder of the built site.
    :param words: the words for which the program searches the site.
    :param seconds: the time after which the program is ended.
    :param installed: the folder into which npm has installed the browser.
    :raises ProcessFailed: if the browser is not installed, or the program fails.
    """
    return _run_browser("site.mjs", [folder, *words], seconds, installed)


def _run_browser(program: str, arguments: Sequence[str | Path], seconds: float, installed: Path) -> dict[str, Any]:
    """Run a program of `tests/browser`, and return the JSON in the last line of its output."""
    if not all((installed / "node_modules" / name / "package.json").is_file() for name in PACKAGES):
        raise ProcessFailed(
            "The browser is not installed. Run `make test` or `make integration`, which need Node.js with npm."
        )
    argv = ["node", str(TESTS / "browser" / program), *map(str, arguments)]
    # The browser leaves files in its home folder and in TMPDIR.
    with tempfile.TemporaryDirectory(prefix="browser-") as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "BROWSER": str(installed)}
        run = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    if run.returncode != 0:
        raise ProcessFailed(f"the browser ended with {run.returncode}. It printed:\n{run.stdout}\n{run.stderr}")
    return dict(json.loads(run.stdout.splitlines()[-1]))
