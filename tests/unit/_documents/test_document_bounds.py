# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A document that would need too much time or memory is refused, with the number of the bound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_MANIFEST_BYTES, MAX_MANIFEST_NODES
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

MEMORY = 300_000_000


def nest_aliases(levels: int, width: int, opening: str = "[{}]") -> str:
    """Return a YAML document in which each line stands for the line before it, several times."""
    lines = ["a0: &a0 x"]
    for level in range(1, levels):
        items = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} " + opening.format(items))
    return "\n".join(lines)


def nest_mappings(levels: int, width: int) -> str:
    lines = ["a0: &a0 x"]
    for level in range(1, levels):
        items = ", ".join(f"k{number}: *a{level - 1}" for number in range(width))
        lines.append(f"a{level}: &a{level} {{{items}}}")
    return "\n".join(lines)


DOCUMENTS: dict[str, tuple[Callable[[], str], str]] = {
    "aliases of lists": (
        lambda: "devices:\n" + nest_aliases(11, 9).replace("a", "  a", 1),
        "more than 100000 values",
    ),
    "aliases of mappings": (lambda: nest_mappings(11, 9), "more than 100000 values"),
    "wide aliases": (
        lambda: "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 1000 + "]",
        "more than 100000 values",
    ),
    "merged aliases": (
        lambda: "a: &a {" + ",".join(f"k{n}: 1" for n in range(500)) + "}\nb: [" + "{<<: *a}," * 1000 + "]",
        "more than 100000 values",
    ),
    "large merged mappings": (
        lambda: "a: &a {" + ",".join(f"k{n}: 1" for n in range(5000)) + "}\nb: [" + "{<<: *a}," * 2_000 + "]",
        "values when its aliases are replaced",
    ),
    "values": (lambda: "[" + "0," * MAX_MANIFEST_NODES + "0]", f"more than {MAX_MANIFEST_NODES} values"),
    "lines": (lambda: "- x\n" * MAX_MANIFEST_NODES, f"more than {MAX_MANIFEST_NODES} values"),
    "empty lists": (lambda: "[" + "[]," * MAX_MANIFEST_NODES + "]", f"more than {MAX_MANIFEST_NODES} values"),
    "characters": (lambda: "x" * (MAX_MANIFEST_BYTES + 1), f"at most {MAX_MANIFEST_BYTES} are read"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_too_large_document_is_refused_with_the_number(name: str) -> None:
    build, number = DOCUMENTS[name]
    text = build()
    tracemalloc.start()
    try:
        with pytest.raises(ParticleError, match=number) as caught:
            parse_yaml(text, "fleet.yml")
        _unused, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "invalid_manifest"
    assert "fleet.yml" in caught.value.message
    assert len(caught.value.message) < 300
    assert peak < MEMORY / 2


@pytest.mark.parametrize("number", ["1" * 5000, "1" + ":59" * 100_000, "1" + ":59" * 100_000 + ".5", "0x" + "f" * 5000])
def test_very_long_number_is_refused_at_once(number: str) -> None:
    with pytest.raises(ParticleError, match=r"fleet\.yml:2 this is not a valid (int|float)"):
        parse_yaml(f"a: 1\nb: {number}", "fleet.yml")


def test_defaults_merged_into_many_devices_are_accepted() -> None:
    text = "d: &d {groups: [north, beta], claimed: true, mesh: {network: barn}}\ndevices:\n"
    text += "".join(f"- {{<<: *d, id: {number:024x}, name: n{number}}}\n" for number in range(4_000))
    data, _unused = parse_yaml(text, "fleet.yml")
    assert len(data["devices"]) == 4_000
    assert data["devices"][-1]["groups"] == ["north", "beta"]
