# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Settings of Sphinx for `make docs`, which lays out what is built below .cache/docs/source."""

from pathlib import Path

import yaml
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.highlighting import lexers

project = "meshfleet.particle"
author = "meshfleet.particle contributors"
copyright = f"2026 {author}"
release = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text(encoding="utf-8"))["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
# Tables are named as what they are, and Pygments has no colours for them.
lexers["csv"] = TextLexer()
# Links to headings work as they do where the files are read in the repository.
myst_heading_anchors = 3

# The reference links to the documentation of Ansible by labels that only an index from the network would resolve.
# Our own references are checked by `make lint`, and links of the guides have another warning.
suppress_warnings = ["ref.ref"]

# The search works in pages that are opened from disk, where a browser refuses to load the text of results.
html_show_search_summary = False
html_theme = "sphinx_ansible_theme"
html_title = html_short_title = project
html_theme_options = {"documentation_home_url": "index.html", "topbar_links": {}, "vcs_pageview_mode": ""}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_use_index = False
highlight_language = "YAML+Jinja"
pygments_style = "ansible"

FOLDERS = ("docs/decisions/README", "docs/facts/README")
"""Pages that stand for their folder: its other pages are below them in the navigation."""


def add_pages_of_folder(_app: Sphinx, page: str, source: list[str]) -> None:
    """Add the pages of its folder to a page, in a form that the repository would show as code."""
    if page in FOLDERS:
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def setup(app: Sphinx) -> None:
    """Let Sphinx call this file when it reads a page."""
    app.connect("source-read", add_pages_of_folder)
