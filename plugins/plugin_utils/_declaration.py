# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the declaration of a fleet from a file, a text, a mapping and the options of a task. Private to this collection.

A declaration consists of a manifest and options. Its devices can be a list, or the path of a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.encoding import decode_text
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import (
    Where,
    check_size,
    format_place,
    parse_yaml,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import read_column_options
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    FAIL,
    IGNORE,
    REMOVE,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import COLUMN_KEYS, MANIFEST_KEYS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import (
    is_table_text,
    parse_device_table,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._host_devices import HOST_VARIABLE
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_files import (
    ReadFile,
    has_line_break,
    is_mapping_text,
)

_TABLES = (".csv", ".tsv", ".txt")

_TEXT_NAME = "manifest"
"""The name for messages of a manifest that is given as a text and not as a file."""


@dataclass(frozen=True)
class Declaration:
    """The declaration of a fleet, before it is checked.

    :param data: the data of the manifest.
    :param where: describes a place in ``data`` for messages.
    :param items: the word for the declared devices in messages, such as ``rows``.
    """

    data: Any
    where: Where = format_place
    items: str = "devices"


def read_declaration(options: Mapping[str, Any], read_file: ReadFile) -> Declaration:
    """Return the declaration in the options of module ``fleet``.

    :param options: the options of the task, of which ``manifest`` and the keys of a manifest are read.
    :raises ParticleError: ``invalid_manifest`` when no devices are declared, when a file cannot be read or has a wrong
        form, or when the manifest and the task set the same key.
    """
    given = {name: options[name] for name in MANIFEST_KEYS if options[name] is not None}
    manifest = options["manifest"]
    if manifest is None:
        if "devices" not in given and not options["from_inventory"]:
            hint = (
                "Set manifest to the path or the content of a manifest, or set devices or from_inventory. In role "
                "provision, these are provision_manifest, provision_devices and provision_from_inventory."
            )
            raise ParticleError("invalid_manifest", "No devices are declared.", hint=hint)
        return Declaration(given)
    source = _read_text_or_path(str(manifest), read_file) if isinstance(manifest, str) else Declaration(manifest)
    if not isinstance(source.data, Mapping):
        return source  # the reader of manifests reports a manifest that is not a mapping
    merged = replace(source, data=_merge_options(source.data, given))
    return _read_table(merged, read_file) if isinstance(merged.data.get("devices"), str) else merged


def _read_text_or_path(manifest: str, read_file: ReadFile) -> Declaration:
    """Return the declaration in a text, or in the file that a path names. A table is not read yet."""
    if is_mapping_text(manifest):
        return Declaration(*parse_yaml(manifest, _TEXT_NAME))
    if is_table_path(manifest) or _is_table_text(manifest):
        return Declaration({"devices": manifest})
    if has_line_break(manifest):
        return Declaration(*parse_yaml(manifest, _TEXT_NAME))
    path = manifest.strip()
    text = decode_text(read_file(path), path)
    if _is_table_text(text):
        hint = f"Give the file one of the extensions {', '.join(_TABLES)}."
        raise ParticleError("invalid_manifest", f"The manifest {path} is a table, not YAML or JSON.", hint=hint)
    return Declaration(*parse_yaml(text, Path(path).name))


def is_table_path(path: str) -> bool:
    """Return whether a path names a table, or a list of ids and labels."""
    return path.strip().lower().endswith(_TABLES) and not has_line_break(path)


def _read_table(declared: Declaration, read_file: ReadFile) -> Declaration:
    """Replace the path or the text of a table in the key ``devices`` by the devices of the table."""
    data = {key: value for key, value in declared.data.items() if key not in COLUMN_KEYS}
    table = str(data["devices"]).strip() if is_table_path(data["devices"]) else str(data["devices"])
    if not is_table_path(table) and not _is_table_text(table):
        return declared  # the reader of manifests reports devices that are not a list
    options = read_column_options(*(declared.data.get(key) for key in COLUMN_KEYS))
    is_path = is_table_path(table)
    text = decode_text(read_file(table), table) if is_path else table
    name = Path(table).name if is_path else _TEXT_NAME
    check_size(text, name, "manifest")
    content, where = parse_device_table(text, name, options)
    data["devices"] = content["devices"]
    networks = data.get("networks")
    # The reader of manifests reports networks that are not a mapping.
    if (implied := content.get("networks")) and isinstance(networks, (Mapping, type(None))):
        data["networks"] = {**implied, **(networks or {})}
    outer = declared.where

    def describe_place(place: tuple[str | int, ...]) -> str:
        return where(place) if outer is format_place or place[:1] == ("devices",) else outer(place)

    return Declaration(data, describe_place, "rows")


def _is_table_text(manifest: str) -> bool:
    return has_line_break(manifest) and is_table_text(manifest)


def _merge_options(manifest: Mapping[str, Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the keys from the task's options to the manifest, and return the result.

    :raises ParticleError: ``invalid_manifest`` when the manifest and the options contain the same key.
    """
    twice = [name for name in MANIFEST_KEYS if name in manifest and name in options]
    if twice:
        message = f"The manifest and the task both set {' and '.join(twice)}."
        raise ParticleError("invalid_manifest", message, hint="Give each of them in one place only.")
    return {**manifest, **options}


def limit_undeclared(declared: Declaration, part: str | None) -> Declaration:
    """Return the declaration. If it declares only a part of the fleet, the run ignores undeclared devices.

    :param part: why the task declares only a part of the fleet; ``None`` if it may declare the whole fleet.
    :raises ParticleError: ``invalid_option`` when such a task sets ``undeclared`` to ``fail`` or ``remove``.
    """
    if part is None or not isinstance(declared.data, Mapping):
        return declared
    if (undeclared := declared.data.get("undeclared", IGNORE)) in (FAIL, REMOVE):
        message = f"undeclared cannot be {undeclared}, because the task declares only a part of the fleet: {part}."
        raise ParticleError("invalid_option", message, hint="Declare the whole fleet in one task, or set ignore.")
    return replace(declared, data={"undeclared": IGNORE, **declared.data})


def refuse_vague_removals(manifest: Manifest, hosts: Sequence[str]) -> None:
    """Refuse to remove undeclared devices if the declaration is empty or has gaps.

    :param hosts: the hosts of the task that declare no device, although the devices are declared by the hosts.
    :raises ParticleError: ``invalid_manifest`` when the run would remove devices that may only lack a declaration.
    """
    if manifest.undeclared != REMOVE:
        return
    if hosts:
        message = f"undeclared cannot be {REMOVE}, because hosts declare no device: {list_names(hosts)}."
        hint = f"Set {HOST_VARIABLE} for these hosts, leave them out of the play, or set undeclared to {IGNORE}."
        raise ParticleError("invalid_manifest", message, hint=hint)
    if not manifest.devices:
        message = f"undeclared cannot be {REMOVE}, because the manifest declares no devices: all would be removed."
        hint = f"Declare the devices to keep, or set undeclared to {IGNORE}."
        raise ParticleError("invalid_manifest", message, hint=hint)
