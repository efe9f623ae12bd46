# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Event-Driven Ansible and Galaxy find the event plugins of the collection."""

from __future__ import annotations

import yaml

from support.paths import ROOT


def test_galaxy_metadata_names_both_folders_of_event_plugins() -> None:
    declared = yaml.safe_load((ROOT / "meta" / "extensions.yml").read_text(encoding="utf-8"))
    folders = [extension["args"]["ext_dir"] for extension in declared["extensions"]]
    assert folders == ["eda/plugins/event_source", "eda/plugins/event_filter"]


def test_collection_has_the_tag_of_event_driven_ansible() -> None:
    assert "eda" in yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["tags"]
