# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""YAML and JSON text is parsed into data, and every value knows its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import format_place, parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

MANIFEST = """\
product: field-logger

networks:
  barn:
    parameters: {channel: 15}
devices:
  # the north wall
  - id: e00fce68aabbccddeeff0022
    mesh:
      network: barn
  - id: e00fce68aabbccddeeff0023
"""

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**24), 10**24) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
FOREIGN_TAG = "tags are not supported; put a value that begins with ! in quotes"


def refusal(text: str) -> str:
    """Return the message about a text that cannot be read."""
    with pytest.raises(ParticleError) as caught:
        parse_yaml(text, "fleet.yml")
    assert caught.value.code == "invalid_manifest"
    return caught.value.message


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((), "the manifest"),
        (("devices",), "devices"),
        (("devices", 3, "id"), "devices[3].id"),
        (("networks", "barn", "gateways", 0), "networks.barn.gateways[0]"),
    ],
)
def test_place_is_written_as_the_path_of_the_value(place: tuple[str | int, ...], expected: str) -> None:
    assert format_place(place) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((), "fleet.yml:1 the manifest"),
        (("networks", "barn", "parameters", "channel"), "fleet.yml:5 networks.barn.parameters.channel"),
        (("devices", 0, "id"), "fleet.yml:8 devices[0].id"),
        (("devices", 0, "mesh", "network"), "fleet.yml:10 devices[0].mesh.network"),
        (("devices", 1), "fleet.yml:11 devices[1]"),
    ],
)
def test_place_in_a_file_has_its_line(place: tuple[str | int, ...], expected: str) -> None:
    _unused, where = parse_yaml(MANIFEST, "fleet.yml")
    assert where(place) == expected


def test_missing_key_has_the_line_of_its_parent() -> None:
    _unused, where = parse_yaml(MANIFEST, "fleet.yml")
    assert where(("devices", 1, "mesh", "role")) == "fleet.yml:11 devices[1].mesh.role"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n", "~"])
def test_empty_file_is_read_as_none(text: str) -> None:
    data, where = parse_yaml(text, "fleet.yml")
    assert data is None
    assert where(()).startswith("fleet.yml:")


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_json_is_read_like_yaml(indent: int | str | None, ensure_ascii: bool) -> None:
    data = {
        "product": "field-logger",
        "devices": [{"id": "e00fce68aabbccddeeff0022", "name": 'Süd 🐄 "B" \\ud83d\\ude00', "claimed": True}],
    }
    read, _unused = parse_yaml(json.dumps(data, indent=indent, ensure_ascii=ensure_ascii), "fleet.json")
    assert read == data


def test_byte_order_mark_is_ignored() -> None:
    assert parse_yaml("\ufeffproduct: 1", "fleet.yml")[0] == {"product": 1}


@given(DATA)
def test_any_json_is_read_unchanged(data: Any) -> None:
    text = json.dumps({"it": data})
    assert parse_yaml(text, "fleet.json")[0] == {"it": data}


def test_json_numbers_are_numbers_in_every_notation() -> None:
    text = '{"it": [1e-07, 1e22, -2E+3, 0.5, 12, "1e5", "1e-07"]}'
    read = parse_yaml(text, "fleet.json")[0]["it"]
    assert read == json.loads(text)["it"]
    assert [type(value) for value in read] == [float, float, float, float, int, str, str]


def test_json_notation_of_a_number_is_text_in_yaml() -> None:
    assert parse_yaml("name: 1e22\n", "fleet.yml")[0] == {"name": "1e22"}


@pytest.mark.parametrize("text", ["010", "012345670123456701234567", "12:30", "12:30:45.5", "-010"])
def test_octal_and_sexagesimal_numbers_are_text(text: str) -> None:
    assert parse_yaml(f"it: {text}\n", "fleet.yml")[0] == {"it": text}


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-7", -7), ("0x1F", 31), ("0.5", 0.5), ("1_000", 1000)])
def test_other_numbers_stay_numbers(text: str, number: float) -> None:
    assert parse_yaml(f"it: {text}\n", "fleet.yml")[0] == {"it": number}


@pytest.mark.parametrize("text", ['{"id": 1}\n{"id": 2}\n', "a: 1\n---\nb: 2\n"])
def test_second_document_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ParticleError, match=r"fleet\.yml:2 a second document begins here; write one mapping"):
        parse_yaml(text, "fleet.yml")


def find_error_code(text: str) -> str | None:
    """Return the error code of a text that is refused, or ``None``."""
    try:
        parse_yaml(text, "fleet.yml")
    except ParticleError as error:
        return error.code
    return None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert find_error_code(text) in (None, "invalid_manifest")


@given(
    st.lists(st.sampled_from([*"[]{}&*<:-?,!|>\"'#ab1 \n", "<<: ", "*a", "&a ", "- ", "!!int ", "\n  "]), max_size=25)
)
def test_any_sequence_of_yaml_characters_is_read_or_refused(parts: list[str]) -> None:
    assert find_error_code("".join(parts)) in (None, "invalid_manifest")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("product: a\ndevices: [\n", "fleet.yml:3 "),
        ("product: a\nproduct: b\n", "fleet.yml:2 duplicate key product"),
        ("devices:\n  - id: x\n    name: y\n    id: z\n", "fleet.yml:4 duplicate key id"),
        ('{"product": 1,\n "devices": [],\n "product": 2}', "fleet.yml:3 duplicate key product"),
        ("a: &one\n  - *one\n", "fleet.yml:1 an alias contains itself"),
        ("a:\n  b: &one {c: *one}\n", "fleet.yml:2 an alias contains itself"),
        (
            "a: *nobody\n",
            "fleet.yml:1 this alias has no anchor; put a value that begins with * in quotes",
        ),
        ("a: {}\nb: {<<: 5}\n", "fleet.yml:2 expected a mapping or list of mappings for merging"),
        ("a: 1\n? [b]\n: 2\n", "fleet.yml:2 a key must be a string"),
        ("a: 1\n---\nb: 2\n", "fleet.yml:2 a second document begins here; write one mapping"),
        ("\nname: !vault abc\n", f"fleet.yml:2 {FOREIGN_TAG}"),
        ("a: 1\ndevices: !include [more.yml]\n", f"fleet.yml:2 {FOREIGN_TAG}"),
        ("a: 1\ndevices: !those {x: 1}\n", f"fleet.yml:2 {FOREIGN_TAG}"),
        ("a: !!set {x, y}\n", f"fleet.yml:1 {FOREIGN_TAG}"),
        ("a: 1\nnotes: 2024-13-45\n", "fleet.yml:2 this is not a valid timestamp; put it in quotes"),
        ("a: !!bool maybe\n", "fleet.yml:1 this is not a valid bool"),
        ("a: !!int ''\n", "fleet.yml:1 this is not a valid int"),
        (f"a: {'1' * 5000}\n", "fleet.yml:1 this is not a valid int"),
        ("2024-13-45: a\n", "fleet.yml:1 this is not a valid timestamp"),
        ("a: \x07\n", "fleet.yml unacceptable character #x0007"),
    ],
)
def test_invalid_text_is_refused_with_its_place(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    "value",
    [
        "!hush-9f",
        "!!hush-9f",
        "!hush-9f {}",
        "!hush-9f [1]",
        "!hush-9f!x y",
        "!<hush-9f",
        "*hush-9f",
        "*hush-9f!",
        "&hush-9f *b",
        "&hush-9f x\nother: &hush-9f ]",
        "%hush-9f",
        "@hush-9f",
        "|hush-9f",
        '"hush-9f',
        '"hush-9f\\9"',
        "hush-9f: x",
        "hush-9f\x07",
        "[hush-9f",
        "'x' hush-9f",
        "!!int hush-9f",
        "!!float hush-9f",
        "!!bool hush-9f",
        "!!binary hush-9f",
        "!!timestamp hush-9f",
    ],
)
def test_unquoted_secret_is_not_repeated_in_the_message(
    monkeypatch: pytest.MonkeyPatch, loader: str, value: str
) -> None:
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, loader))
    assert "hush" not in refusal(f"key: {value}\n")


def test_deeply_nested_text_is_refused() -> None:
    assert "nest" in refusal("[" * 3000 + "]" * 3000)  # reported by PyYAML since 6.0.4, before that by the collection


def test_equals_sign_may_be_a_key() -> None:
    assert parse_yaml("=: 1\n", "fleet.yml")[0] == {"=": 1}


class TestAnchors:
    """Anchors, aliases and merge keys are resolved."""

    def test_alias_has_the_value_and_line_of_its_anchor(self) -> None:
        data, where = parse_yaml("a: &one {x: 1}\nb: *one\n", "fleet.yml")
        assert data == {"a": {"x": 1}, "b": {"x": 1}}
        assert where(("b", "x")) == "fleet.yml:1 b.x"

    def test_keys_of_the_mapping_override_merged_keys(self) -> None:
        text = "base: &base {role: node, network: barn}\nmesh:\n  <<: *base\n  role: gateway\n"
        data, where = parse_yaml(text, "fleet.yml")
        assert data["mesh"] == {"network": "barn", "role": "gateway"}
        assert where(("mesh", "role")) == "fleet.yml:4 mesh.role"

    def test_first_of_several_merged_mappings_is_preferred(self) -> None:
        text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n"
        assert parse_yaml(text, "fleet.yml")[0]["c"] == {"x": 1, "y": 2}

    def test_alias_of_a_merged_mapping_has_no_duplicate_keys(self) -> None:
        text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: *b\nd: {<<: *b, y: 3}\n"
        data, _unused = parse_yaml(text, "fleet.yml")
        assert (data["c"], data["d"]) == ({"x": 2, "y": 1}, {"x": 2, "y": 3})

    def test_mapping_that_is_merged_many_times_is_read_once(self) -> None:
        chain = [f"l{level}: &l{level} {{<<: [{', '.join([f'*l{level - 1}'] * 9)}]}}" for level in range(1, 40)]
        text = "\n".join(["l0: &l0 {x: 1}", *chain])
        assert parse_yaml(text, "fleet.yml")[0]["l39"] == {"x": 1}

    def test_mapping_that_merges_its_parent_is_refused(self) -> None:
        assert "fleet.yml:1 an alias contains itself" in refusal("a: &a {x: 1, b: {y: 2, <<: *a}}\n")

    @pytest.mark.parametrize("merged", ["5", "[5]", "[{x: 1}, no]"])
    def test_only_mappings_can_be_merged(self, merged: str) -> None:
        assert "fleet.yml:2 expected a mapping or list of mappings for merging" in refusal(
            f"a: {{}}\nb: {{<<: {merged}}}"
        )

    def test_duplicate_key_in_a_merged_mapping_is_refused(self) -> None:
        assert "fleet.yml:1 duplicate key x" in refusal("a: {<<: {x: 1, x: 2}}\n")

    def test_mapping_that_merges_itself_directly_is_read(self) -> None:
        assert parse_yaml("a: &a {x: 1, <<: *a}\n", "fleet.yml")[0] == {"a": {"x": 1}}
