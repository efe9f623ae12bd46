# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A module that needs its action plugin fails with an explanation when Ansible has not found the plugin."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

PLUGINS = "ansible_collections.meshfleet.particle.plugins"
MODULES = (Path(__file__).parents[3] / "plugins" / "modules").glob("[a-z]*.py")
BY_ACTION = sorted(path.stem for path in MODULES if "run_by_action" in path.read_text(encoding="utf-8"))
REQUIRED_OPTIONS: dict[str, dict[str, object]] = {
    "api_user": {"product": "field-logger", "name": "nightly-report"},
    "device_call": {"function": "led"},
    "fleet_outcome": {"fleet": {}},
    "product": {"product": "field-logger", "definition": {}},
    "thread_network": {"name": "barn", "border_routers": [{"url": "http://127.0.0.1:8081"}]},
}


@pytest.mark.parametrize("name", BY_ACTION)
def test_module_without_its_action_says_how_to_call_it(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"{PLUGINS}.modules.{name}", raising=False)
    with patch_module_args(REQUIRED_OPTIONS.get(name, {})), pytest.raises(SystemExit) as exit_info:
        runpy.run_module(f"{PLUGINS}.modules.{name}", run_name="__main__", alter_sys=True)
    result = json.loads(capsys.readouterr().out)
    assert (exit_info.value.code, result["failed"]) == (1, True)
    assert "call the module by its full name, which begins with meshfleet.particle." in result["msg"]
