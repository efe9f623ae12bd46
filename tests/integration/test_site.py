# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that readers find each page of the documentation, and that the built site works from disk in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.browser import observe_site
from support.counts import FULL
from support.paths import ROOT

DOCS = ROOT / "docs"
MIN_PAGES = 100
BUILD_SECONDS = 1500.0
MAX_PICTURE_BYTES = 300_000
PAGES_OF_WORDS = {
    "drift": "docs/guide_drift.html",
    "fail_on_drift": "reference/fleet_module.html",
    "provision_verify": "reference/provision_role.html",
    "catch_up": "reference/events.html",
    "token_health": "reference/playbooks.html",
    "particle_budget": "reference/credential_types.html",
    "nosuchwordexists": None,
}
"""Words that a reader searches for, each with a page that must be among the results."""

_LINK = re.compile(r"\]\((?P<target>[^)#]+)(?:#[^)]*)?\)")


def list_links(page: str) -> set[str]:
    """Return the files to which a page links, relative to the folder of the page."""
    return set(_LINK.findall((ROOT / page).read_text(encoding="utf-8")))


def list_pages(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.md"))


def test_start_page_links_to_every_guide_and_to_the_tutorial_first() -> None:
    links = list_links("docs/site/index.md")
    # The start page describes the way to the library of the contract.
    assert [name for name in list_pages(DOCS) if f"docs/{name}" not in links] == ["mesh_contract.md"]
    text = (ROOT / "docs/site/index.md").read_text(encoding="utf-8")
    assert next(target for target in _LINK.findall(text) if target.startswith("docs/")) == "docs/tutorial.md"


def test_readme_links_to_the_tutorial_before_any_other_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert next(target for target in _LINK.findall(text) if target.endswith(".md")) == "docs/tutorial.md"


def test_page_of_the_decisions_says_what_each_decision_decides() -> None:
    text = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[[^]]+\]\((\w+\.md)\) \| \S.* \|$", text, re.MULTILINE)
    assert sorted([*listed, "README.md"]) == list_pages(DOCS / "decisions")


def test_every_picture_is_small_and_shown_on_a_page() -> None:
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    pictures = sorted((DOCS / "images").iterdir())
    assert [picture.name for picture in pictures if f"images/{picture.name})" not in text] == []
    assert [picture.name for picture in pictures if picture.stat().st_size > MAX_PICTURE_BYTES] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The observations of a browser that has opened all pages of the site, which `make docs` has built."""
    folder = tmp_path_factory.mktemp("site")
    argv = ["make", "docs", f"SITE={folder / 'work'}", f"DOCS={folder / 'docs'}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE"))}
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return observe_site(folder / "docs", list(PAGES_OF_WORDS), BUILD_SECONDS)


@pytest.mark.skipif(not FULL, reason="It builds the whole site, which takes about a minute of CPU time.")
@pytest.mark.timeout(2 * BUILD_SECONDS)
class TestSite:
    """Tests of the built site."""

    def test_search_finds_pages_without_a_server(self, site: dict[str, Any]) -> None:
        missed = {
            word: site["found"][word]
            for word, page in PAGES_OF_WORDS.items()
            if (page is None) != (site["found"][word] == []) or (page and page not in site["found"][word])
        }
        assert missed == {}

    def test_no_page_is_wider_than_a_phone_or_a_desktop(self, site: dict[str, Any]) -> None:
        assert site["pages"] >= MIN_PAGES
        assert site["wide"] == []

    def test_pages_load_nothing_from_the_network_and_report_no_error(self, site: dict[str, Any]) -> None:
        assert site["requests"] == []
        assert site["console"] == []
