# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Settings of Sphinx for `make docs`, which lays out what is built below .cache/docs/source."""

from pathlib import Path

import yaml
from pygments.lexers.special import TextLexer
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

html_theme = "sphinx_ansible_theme"
html_title = html_short_title = project
html_theme_options = {"documentation_home_url": "index.html", "topbar_links": {}, "vcs_pageview_mode": ""}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_use_index = False
highlight_language = "YAML+Jinja"
pygments_style = "ansible"
