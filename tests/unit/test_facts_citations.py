# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Every citation of an entry of docs/facts names an entry that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import facts as scanner
from support.facts import Citation, can_be_opened, find_citations, find_error_bodies, load_facts, text_files
from support.paths import ROOT, SIMULATOR

DOCS = ROOT / "docs"
PLACES = [ROOT / name for name in ("plugins", "roles", "playbooks", "extensions", "tests")]
PAGES = [*sorted(DOCS.glob("*.md")), DOCS / "decisions", *(ROOT / name for name in ("CONTRIBUTING.md", "README.md"))]
MIN_CITATIONS = 70
"""The project has about 90 citations. Far fewer mean that the scanner no longer finds them."""


def list_citing_files() -> list[Path]:
    """Return the files of the project, without the scanner and its tests: they name files of facts but cite none."""
    left_out = {Path(__file__).resolve(), Path(scanner.__file__).resolve()}
    return [path for path in text_files(*PLACES, SIMULATOR, *PAGES) if path not in left_out]


def find_broken_citations(text: str) -> list[str]:
    """Return the citations in a text that name no existing entry."""
    facts = load_facts()
    return [str(found) for found in find_citations(text, facts) if not can_be_opened(found, facts)]


def test_every_citation_in_the_project_names_an_entry() -> None:
    assert [
        f"{path.relative_to(ROOT)}, {citation}"
        for path in list_citing_files()
        for citation in find_broken_citations(path.read_text(encoding="utf-8"))
    ] == []


def test_every_error_body_named_in_the_code_is_in_the_table() -> None:
    facts = load_facts()
    assert [
        f"{path.relative_to(ROOT)}, {found}"
        for path in text_files(ROOT / "plugins", SIMULATOR, DOCS / "simulator.md")
        for found in find_error_bodies(path.read_text(encoding="utf-8"))
        if not can_be_opened(found, facts)
    ] == []


def test_scanner_finds_the_citations_of_the_project() -> None:
    facts = load_facts()
    found = [each for path in list_citing_files() for each in find_citations(path.read_text(encoding="utf-8"), facts)]
    assert len(found) >= MIN_CITATIONS


def test_facts_have_endpoints_sections_and_error_bodies() -> None:
    facts = load_facts()
    assert {"device_update", "token_refresh"} <= set(facts.endpoints)
    assert {"devices", "device_owned", "paging_styles", "client_basic", "scope_errors"} <= facts.names
    assert {"1", "4.2"} <= facts.sections["firmware-and-events.md"]
    assert {"1.1", "4.2", "12"} <= facts.sections["otbr-rest.md"]
    assert facts.bodies == {f"E{number}" for number in range(1, 15)}


@pytest.mark.parametrize(
    "text",
    [
        '"""Set one field (endpoints.yml: device_update)."""',
        "(endpoints.yml: device_update; errors-and-limits.md, section 7)",
        "(endpoints.yml: products, devices)",
        "(endpoints.yml: paging_styles)",
        "(endpoints.yml: group_create, errors)",
        "(firmware-and-events.md, section 4.2)",
        "(otbr-rest.md, section 4.2)",
        "(errors-and-limits.md, section 1, E1 to E14)",
        '"""errors-and-limits.md, section 5: why this is so."""',
        "[the endpoints](facts/endpoints.yml) and [the mesh](docs/facts/mesh.md)",
        "[Networks](guide_mesh.md)",
    ],
)
def test_citation_of_an_entry_passes(text: str) -> None:
    assert find_broken_citations(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "(endpoints.yml: device_updat)",
        "(endpoints.yml: device_update, device_updat)",
        "(endpoints.yml: errors)",
        "(endpoints.yml: devices_list, org_path)",
        "(endpoints.yml: note)",
        "(endpoints.yml: device_update, product form)",
        "(endpoints.yml, device shapes)",
        "as in endpoints.yml",
        "(errors-and-limits.md, section 77)",
        "(firmware-and-events.md, section 4.20)",
        "(otbr-rest.md, section 4.20)",
        "(errors-and-limits.md, section 1, E1 to E15)",
        "(errors-and-limits.md, section 7, E1)",
        "(mesh.md)",
    ],
)
def test_citation_of_an_unknown_entry_is_reported(text: str) -> None:
    assert len(find_broken_citations(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '"""Look at it (endpoints.yml:\n    device_updat).\n    """',
        "# Look at it (endpoints.yml:\n    # device_updat).",
        "// Look at it (endpoints.yml: device_update,\n// device_updat).",
        "x = 1\n# errors-and-limits.md, section\n# 77",
        "(errors-and-limits.md,\n section 77)",
    ],
)
def test_unknown_entry_is_reported_across_a_line_end(text: str) -> None:
    found = find_broken_citations(text)
    assert len(found) == 1
    assert "device_updat" in found[0] or "section 77" in found[0]


def test_report_names_the_line_the_file_and_the_entry() -> None:
    assert find_broken_citations("\n\n(endpoints.yml: device_updat)") == ["line 3: endpoints.yml device_updat"]


def test_error_body_that_is_not_in_the_table_is_reported() -> None:
    facts = load_facts()
    found = list(find_error_bodies("E4 is known.\nE15 is not."))
    assert found[0] == Citation(1, "errors-and-limits.md", section="1", bodies=("E4",))
    assert [can_be_opened(each, facts) for each in found] == [True, False]
