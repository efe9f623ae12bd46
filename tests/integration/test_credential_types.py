# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Jobs of an automation platform log in with the credential type of the collection."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml
from jinja2 import Environment

from support.plays import TASK, run_task
from support.rulebooks import FOLDER
from support.simulator import PASSWORD, USERNAME, Simulator

ACCOUNT = FOLDER.parent / "plugins" / "event_source" / "credential_types" / "particle_account"


def inject(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a job, as a platform builds it: fields without a value are empty."""
    inputs, injectors = (
        yaml.safe_load((ACCOUNT / f"{name}.yml").read_text("utf-8")) for name in ("inputs", "injectors")
    )
    values = {field["id"]: given.get(field["id"], "") for field in inputs["fields"]}
    return {name: Environment().from_string(text).render(values) for name, text in injectors["env"].items()}


@pytest.mark.only_full
def test_job_logs_in_with_a_token_or_with_a_password(simulator: Simulator) -> None:
    for given in ({"access_token": simulator.access_token()}, {"username": USERNAME, "password": PASSWORD}):
        done = run_task("device_info", {}, inject({**given, "api_url": simulator.url}))
        assert done.succeeded().result(TASK)["credentials_source"] == "the environment"
