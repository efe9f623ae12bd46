# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The JSON Schemas in docs/ are those of the code, and accept what the readers of manifests and definitions accept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import (
    MANIFEST_KEYS,
    list_device_keys,
    read_manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS
from support.definition_schema import VALUE_FORMS
from support.examples import Example, list_examples
from support.paths import ROOT, TESTS
from support.schema_checks import DEFINITION, MANIFEST, find_faults, load_validator
from support.schema_parts import remove_markup

TOOL = TESTS / "tools" / "schemas.py"
THREAD = {"backend": "thread", "border_routers": [{"url": "http://127.0.0.1:8081"}]}
"""The settings of a Thread network."""

VALIDATORS = {"definition": load_validator(DEFINITION), "manifest": load_validator(MANIFEST)}
DEVICE = "e00fce68aabbccddeeff0022"

KEYWORDS = frozenset(jsonschema.Draft7Validator.VALIDATORS) | {"$schema", "$id", "$defs", "title", "description"}
"""The keywords of draft 7, and the name of the place for definitions that draft 7 does not evaluate."""
CONDITIONS = {"then", "else", "deprecationMessage"}
"""Keywords that belong to `if`, and a keyword of yaml-language-server, which other validators ignore."""


def run_tool(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tool on a folder."""
    argv = [sys.executable, str(TOOL), *options, str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def list_schemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all schemas in it."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            parts = list(value.values())
        elif key in ("allOf", "anyOf"):
            parts = value
        else:
            parts = [value] if key in ("additionalProperties", "else", "if", "items", "not", "then") else []
        for part in parts:
            yield from list_schemas(part)


class TestTool:
    """`make schemas` writes the schemas, and `make lint` finds a schema that is out of date."""

    def test_shipped_schemas_are_those_of_the_code(self) -> None:
        done = run_tool(ROOT / "docs", "--check")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_changed_schema_is_found_and_rewritten(self, tmp_path: Path) -> None:
        (tmp_path / MANIFEST).write_text("{}\n")
        found = run_tool(tmp_path, "--check")
        assert found.returncode == 1
        assert f"{tmp_path / MANIFEST}: the file differs" in found.stdout
        assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]
        assert run_tool(tmp_path).returncode == 0
        assert all(
            (tmp_path / name).read_bytes() == (ROOT / "docs" / name).read_bytes() for name in (MANIFEST, DEFINITION)
        )

    @pytest.mark.parametrize("validator", VALIDATORS.values(), ids=VALIDATORS)
    def test_schema_has_only_keywords_that_editors_read(self, validator: Any) -> None:
        validator.check_schema(validator.schema)
        jsonschema.Draft7Validator.check_schema(
            {**validator.schema, "$schema": jsonschema.Draft7Validator.META_SCHEMA["$schema"]}
        )
        used = {key for schema in list_schemas(validator.schema) for key in schema}
        assert used <= KEYWORDS | CONDITIONS

    @pytest.mark.parametrize(
        ("text", "plain"),
        [
            (
                "V(7) of O(a.b=c), see O(meshfleet.particle.device#module:name)",
                "7 of a.b=c, see name of meshfleet.particle.device",
            ),
            (
                "C({{{X}}}) M(a.b.c) L(page,https://example.net) RV(error.code)",
                "{{{X}}} a.b.c page (https://example.net) error.code",
            ),
        ],
    )
    def test_descriptions_have_no_markup(self, text: str, plain: str) -> None:
        assert remove_markup(text) == plain


# --- the documentation ---


def find_documents(example: Example) -> Iterator[tuple[str, Any]]:
    """Yield each manifest and definition in an example, with its kind. Those with templates are left out."""
    if "{{" in example.text.replace("{{{", "").replace("}}}", "") and example.kind not in VALIDATORS:
        return
    content = yaml.load(example.text, _Loader)
    if example.kind in VALIDATORS:
        yield example.kind, content
        return
    for mapping in list_mappings(content):
        fleet, product = mapping.get("meshfleet.particle.fleet"), mapping.get("meshfleet.particle.product")
        if isinstance(fleet, Mapping):
            manifest = fleet.get("manifest")
            names = VALIDATORS["manifest"].schema["properties"]
            yield (
                "manifest",
                manifest if isinstance(manifest, Mapping) else {n: v for n, v in fleet.items() if n in names},
            )
        if isinstance(product, Mapping) and isinstance(product["definition"], Mapping):
            yield "definition", product["definition"]


class _Loader(yaml.SafeLoader):
    """A YAML loader that accepts the tag `!unsafe`."""


_Loader.add_constructor("!unsafe", lambda loader, node: str(loader.construct_scalar(node)))


def list_mappings(content: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all mappings in the content of a YAML file."""
    if isinstance(content, Mapping):
        yield content
    for part in content.values() if isinstance(content, Mapping) else content if isinstance(content, list) else ():
        yield from list_mappings(part)


DOCUMENTS = [
    pytest.param(kind, data, id=f"{example.name}-{number}")
    for example in list_examples()
    if example.kind in ("tasks", "plays", *VALIDATORS)
    for number, (kind, data) in enumerate(find_documents(example))
]


@pytest.mark.parametrize(("kind", "data"), DOCUMENTS)
def test_documented_files_match_their_schema(kind: str, data: Any) -> None:
    assert find_faults(VALIDATORS[kind], data) == []


# --- definitions ---

WHOLE = {name for name, _field in VALUE_FORMS}
FORM = {name: kind if name in WHOLE else replace(kind, check=lambda declared: ()) for name, kind in KINDS.items()}
"""The kinds. Those that are not in `WHOLE` have rules that the schema does not have, which are left out here."""

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("Cc", "Cs")), max_size=8)
SECRETS = st.builds(lambda name: {"secret": name}, NAMES)
LEAVES = st.booleans() | st.integers(-9, 99) | st.floats(-9, 9) | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2), max_leaves=4
)
ANYTHING = JSON | st.none() | SECRETS | st.builds(lambda name: {"secret": name}, JSON)


def build_valid(spec: Mapping[str, Any], *, secret: bool) -> st.SearchStrategy[Any]:
    """Return a strategy for valid values of the type in an argument spec. They are not empty."""
    if spec["type"] == "list":
        items = st.sampled_from(spec["choices"]) if "choices" in spec else TEXTS
        valid: st.SearchStrategy[Any] = st.lists(items, min_size=1, max_size=2)
    elif "choices" in spec:
        valid = st.sampled_from(spec["choices"])
    elif spec["type"] == "dict" and "options" in spec:
        together = {name for names in spec.get("required_together", ()) for name in names}
        parts = {name: build_valid(part, secret=secret) for name, part in spec["options"].items()}
        needed = {name: part for name, part in parts.items() if name in together}
        valid = st.fixed_dictionaries(needed, optional={name: parts[name] for name in parts.keys() - together})
    else:
        valid = {
            "bool": st.booleans(),
            "dict": st.dictionaries(TEXTS.filter(lambda name: name != "secret"), JSON, min_size=1, max_size=2),
            "raw": LEAVES.filter(lambda value: value != ""),
        }.get(spec["type"], TEXTS.filter(bool))
    return valid | SECRETS if secret else valid


def build_keys(kind: Kind) -> st.SearchStrategy[Any]:
    """Return a strategy for names of resources that match the form of the kind."""
    form = VALIDATORS["definition"].schema["properties"][kind.name].get("propertyNames", {"pattern": "^a*$"})
    return st.from_regex(form["pattern"], fullmatch=True).filter(lambda name: name.isascii() and name[-1:] != "\n")


def build_values(kind: Kind) -> dict[str, st.SearchStrategy[Any]]:
    """Return a strategy for valid values of each field."""
    values = {each.name: build_valid(each.spec, secret=each.may_hold_secret) for each in kind.fields}
    for (name, field), form in VALUE_FORMS.items():
        if name == kind.name:
            is_valid = jsonschema.Draft202012Validator({"anyOf": [form, {"type": "object"}]}).is_valid
            values[field] = values[field].filter(is_valid)
    return values


def build_valid_entry(kind: Kind) -> st.SearchStrategy[Any]:
    """Return a strategy for valid declarations of one resource."""
    values = build_values(kind)
    variants = kind.variant.spec["choices"] if kind.variant is not None else [None]
    entry = st.none()
    for variant in variants:
        own = {each.name for each in kind.fields if not each.only or variant in each.only} - {*kind.exclusive[1:]}
        optional = {"state": st.sampled_from(["present", "absent"]), **{name: values[name] for name in own}}
        needed = {} if kind.variant is None else {kind.variant.name: st.just(variant)}
        entry |= st.fixed_dictionaries(needed, optional={k: v for k, v in optional.items() if k not in needed})
    return entry if kind.short is None else entry | values[kind.short]


def build_any_entry(kind: Kind) -> st.SearchStrategy[Any]:
    """Return a strategy for declarations of one resource, of which some have mistakes."""
    values = {name: value | ANYTHING for name, value in build_values(kind).items()}
    values = {"state": st.just("present") | ANYTHING, "unknown": JSON, **values}
    return build_valid_entry(kind) | st.fixed_dictionaries({}, optional=values) | ANYTHING


def build_definition(*, valid: bool) -> st.SearchStrategy[Any]:
    """Return a strategy for definitions.

    :param valid: whether all definitions are valid.
    """
    build = build_valid_entry if valid else build_any_entry
    sections: dict[str, st.SearchStrategy[Any]] = {
        name: st.none() | st.dictionaries(build_keys(kind), build(kind), max_size=2) for name, kind in KINDS.items()
    }
    whole = st.fixed_dictionaries({}, optional=sections if valid else {**sections, "unknown": JSON})
    return st.none() | whole if valid else whole | ANYTHING


def is_read(data: Any) -> bool:
    """Return whether a definition is read without a mistake."""
    try:
        read_definition(data, FORM)
    except ParticleError:
        return False
    return True


class TestDefinition:
    """An editor accepts the same definitions as module `product`."""

    @given(build_definition(valid=True))
    def test_valid_definition_is_accepted_by_schema_and_reader(self, data: Any) -> None:
        assert find_faults(VALIDATORS["definition"], data) == []
        assert is_read(data)

    @given(build_definition(valid=False))
    def test_schema_refuses_what_the_reader_refuses(self, data: Any) -> None:
        assert (find_faults(VALIDATORS["definition"], data) == []) == is_read(data)

    @pytest.mark.parametrize(
        "data",
        [
            {"group": {}},
            {"groups": []},
            {"groups": ["canary"]},
            {"groups": {"Canary": {}}},
            {"groups": {"mesh-barn": {}}},
            {"groups": {"a": {"colour": "#ff0000"}}},
            {"groups": {"a": {"description": 5}}},
            {"groups": {"a": {"description": {"secret": "X"}}}},
            {"groups": {"a": {"state": "gone"}}},
            {"integrations": {"a": {"method": "PATCH"}}},
            {"integrations": {"a": {"json": {"b": "c"}, "body": "d"}}},
            {"integrations": {"a": {"auth": {"username": "u"}}}},
            {"integrations": {"a": {"response_template": {"secret": "X"}}}},
            {"integrations": {"a": {"url": {"secret": "two words"}}}},
            {"integrations": {"a": {"no_defaults": "yes"}}},
            {"integrations": {"a": {"event": ""}}},
            {"integrations": {"a": {"type": "google_maps", "url": "https://example.net"}}},
            {"ledgers": {"Config": {}}},
            {"secrets": {"api-key": {}}},
            {"secrets": {"API_KEY": ""}},
            {"secrets": {"API_KEY": 5}},
            {"environment": {"interval": 5}},
            {"environment": {"PARTICLE_ID": 5}},
            {"environment": {"INTERVAL": [5]}},
            {"environment": {"INTERVAL": {"secret": "INTERVAL"}}},
            {"sims": {"8934": {}}},
            {"firmware": {"v1": {}}},
            {"firmware": {"7": {"release": {"groups": "a"}}}},
            {"firmware": {"7": {"release": {"everyone": True}}}},
            {"firmware": {"7": {"title": None}}},
        ],
        ids=str,
    )
    def test_wrong_definition_is_refused_by_schema_and_reader(self, data: Any) -> None:
        assert find_faults(VALIDATORS["definition"], data)
        with pytest.raises(ParticleError, match="The definition has a mistake"):
            read_definition(data, KINDS)

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_secrets_are_accepted_only_where_they_are_allowed(self, kind: Kind) -> None:
        whole = VALIDATORS["definition"].schema
        entry = VALIDATORS["definition"].evolve(schema={**whole["$defs"][kind.name], "$defs": whole["$defs"]})
        fields = {each.name: each.may_hold_secret for each in kind.fields}
        assert {name: not find_faults(entry, {name: {"secret": "TOKEN"}}) for name in fields} == fields


# --- manifests ---


def declare(**device: Any) -> dict[str, Any]:
    """Return a manifest with one device."""
    return {
        "product": "field-logger",
        "networks": {"barn": {"gateways": [DEVICE]}},
        "devices": [{"id": DEVICE[::-1], **device}],
    }


def is_manifest(data: Any) -> bool:
    """Return whether a manifest is read without a mistake. A product may still be missing."""
    try:
        read_manifest(data)
    except ParticleError as error:
        return error.code == "unsupported"
    return True


PLACES: Mapping[str, tuple[Sequence[str], Callable[[str, Any], dict[str, Any]]]] = {
    "manifest": (MANIFEST_KEYS, lambda key, value: {"devices": [], key: value}),
    "device": (list_device_keys(), lambda key, value: declare(**{key: value})),
    "mesh": (("role", "parameters", "state"), lambda key, value: declare(mesh={"network": "barn", key: value})),
    "network": (
        ("backend", "state", "parameters", "gateways"),
        lambda key, value: {"product": "field-logger", "devices": [], "networks": {"barn": {key: value}}},
    ),
}
"""The keys of each mapping in a manifest, with a function that returns a manifest with one value for one key."""

NUMBERS = [-1, 0, 42, 65535, 65536, 1.5]
WORDS = ["", " ", "x", "yes", "42", "unlocked", "approved", "add", "report", "absent", "gateway", "ledger", "networks"]
LABELS = [DEVICE, DEVICE.upper(), f" {DEVICE}", DEVICE[1:], "P046AB1", "8901410300000000001", "352753000000001"]
LISTS = [[], ["north"], ["Nord West"], ["mesh-barn"], [5], [DEVICE], [{"id": DEVICE}], [{"name": "barn-door"}]]
MAPPINGS: list[Any] = [{}, {"barn": {}}, {"barn": {"state": "absent"}}, {"network": "barn"}, {"state": "absent"}]
VARIABLES = [{"A": 5}, {"A": {"state": "absent"}}, {"A": {}}, {"A": None}, {"PARTICLE_A": ""}]
VALUES = [None, True, False, *VARIABLES, *NUMBERS, *WORDS, *LABELS, *LISTS, *MAPPINGS]

NOT_COMPARED = {"devices": "a text is the path of a table", "name_template": "its placeholders are checked"}
"""Keys whose texts only the reader checks, each with the reason."""


class TestManifest:
    """An editor marks the mistakes of a manifest that concern a single value."""

    @pytest.mark.parametrize(
        "data",
        [
            [],
            {"device": []},
            {"devices": {"id": DEVICE}},
            {"devices": [DEVICE]},
            {"devices": [{"name": "barn-door"}]},
            {"devices": [{"id": "e00fce68"}]},
            {"devices": [{"imei": "89014103"}]},
            {"devices": [], "product": True},
            {"devices": [], "groups_mode": "all"},
            {"devices": [], "unique_names": "yes"},
            {"devices": [], "undeclared": "keep"},
            {"devices": [], "columns": {"Label": "name"}},
            {"devices": [], "networks": []},
            {"devices": [], "networks": {"Barn": {}}},
            {"devices": [], "networks": {"node": {}}},
            {"devices": [], "networks": {"barn": {"backend": "zigbee"}}},
            {"devices": [], "networks": {"barn": {"channel": 15}}},
            {"devices": [], "networks": {"barn": {"gateways": ["barn-gateway"]}}},
            {"devices": [], "networks": {"barn": {"state": "absent", "parameters": {}}}},
            {"devices": [], "networks": {"barn": {"backend": "networks", "parameters": {"channel": 15}}}},
            {"devices": [], "networks": {"barn": {"backend": "networks", "parameters": {"limit": 0}}}},
            {"devices": [], "networks": {"barn": {"backend": "thread"}}},
            {"devices": [], "networks": {"barn": {"border_routers": [{"url": "http://127.0.0.1:8081"}]}}},
            {"devices": [], "networks": {"barn": {**THREAD, "parameters": {"channel": 27}}}},
            {"devices": [], "networks": {"barn": {**THREAD, "parameters": {"limit": 10}}}},
            declare(nmae="barn-door"),
            declare(name=""),
            declare(name=" barn-door"),
            declare(name="x" * 256),
            declare(notes=None),
            declare(notes=5),
            declare(groups="north"),
            declare(groups=["North"]),
            declare(groups=["mesh-barn"]),
            declare(development="yes"),
            declare(firmware_lock=-1),
            declare(firmware_lock="latest"),
            declare(firmware_lock=1, firmware_version=1),
            declare(approval="quarantined"),
            declare(claimed=None),
            declare(environment=["POLL_S=30"]),
            declare(environment={"poll_s": 30}),
            declare(environment={"PARTICLE_ID": "1"}),
            declare(environment={"POLL_S": None}),
            declare(environment={"POLL_S": {"state": "present"}}),
            declare(mesh="barn"),
            declare(mesh={"role": "node"}),
            declare(mesh={"network": "barn", "role": "router"}),
            declare(mesh={"network": "barn", "channel": 15}),
            declare(mesh={"network": "barn", "parameters": []}),
            declare(mesh={"network": "barn", "state": "absent"}),
        ],
        ids=lambda data: str(data)[-70:],
    )
    def test_wrong_manifest_is_refused_by_schema_and_reader(self, data: Any) -> None:
        assert find_faults(VALIDATORS["manifest"], data)
        with pytest.raises(ParticleError) as caught:
            read_manifest(data)
        assert caught.value.code == "invalid_manifest"

    @pytest.mark.parametrize(
        ("place", "key"), [(place, key) for place, (keys, _declare) in PLACES.items() for key in keys]
    )
    def test_schema_and_reader_agree_about_each_value(self, place: str, key: str) -> None:
        for value in VALUES:
            if not (key in NOT_COMPARED and isinstance(value, str)):
                data = PLACES[place][1](key, value)
                assert (find_faults(VALIDATORS["manifest"], data) == []) == is_manifest(data), value

    @pytest.mark.parametrize(
        "data",
        [
            {"devices": "batch.csv", "columns": {"Label": "name", "Box": None}, "ignore_columns": ["Result"]},
            {"product": 31337, "networks": {"barn": None}},
            {"networks": {"Barn 1": {"backend": "networks", "parameters": {"type": "large_site", "limit": 10}}}},
            declare(firmware_version="unlocked"),
            declare(mesh={"state": "absent"}),
        ],
        ids=str,
    )
    def test_manifest_file_may_leave_a_part_to_the_task(self, data: Any) -> None:
        assert find_faults(VALIDATORS["manifest"], data) == []
