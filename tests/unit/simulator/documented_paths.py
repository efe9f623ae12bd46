# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The paths of the endpoints in docs/facts/endpoints.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PATH_KEYS = ("path", "product_path", "org_path", "alt_path")


def expand_path(templates: str) -> Iterator[str]:
    """Yield the paths of a template: ``/a[/:b]`` has two, and so has ``/a/(b|c)``.

    A comma separates several templates, and white space separates a template from a note.
    """
    for template in re.findall(r"(?<!\S)(?:/|<scope>)[^\s,]*", templates):
        yield from _expand_options(template)


def _expand_options(template: str) -> Iterator[str]:
    if template.startswith("<scope>"):
        for scope in ("/v1/env", "/v1/env/:deviceId", "/v1/products/:p/env", "/v1/orgs/:org/env"):
            yield scope + template.removeprefix("<scope>")
    elif optional := re.search(r"\[([^\[\]]*)\]", template):
        for part in ("", optional[1]):
            yield from _expand_options(template[: optional.start()] + part + template[optional.end() :])
    elif choice := re.search(r"\(([^()]*)\)", template):
        for part in choice[1].split("|"):
            yield from _expand_options(template[: choice.start()] + part + template[choice.end() :])
    else:
        yield template


def strip_parameter_names(path: str) -> str:
    """Remove the names of parameters from a path."""
    # The facts and the simulator may name a parameter differently.
    return re.sub(r":\w+", ":", path)


def list_documented_paths(endpoint: dict[str, Any]) -> set[str]:
    """Return all paths of an endpoint, without the names of parameters."""
    templates = [endpoint[key] for key in PATH_KEYS if key in endpoint]
    return {strip_parameter_names(path) for template in templates for path in expand_path(template)}
