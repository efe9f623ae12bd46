# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Playbooks of rulebooks say why a message was not sent, and never show the address of its receiver."""

from __future__ import annotations

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.scripted import ScriptedCloud

CANARY = "message-canary-7d1f"
FAIL = "Fail if the message was not accepted"

pytestmark = pytest.mark.only_full


def send(url: str) -> PlaybookRun:
    variables = {"product": "field-logger", "error": "hook-error/reading/0"}
    env = {"MESSAGE_URL": f"{url}/{CANARY}"} if url else {}
    return run_playbook("meshfleet.particle.webhook_errors", extra_vars=variables, env=env, args=["-vvvv"])


def test_refused_message_fails_with_the_status(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", f"/{CANARY}", status=404)
    done = send(scripted_cloud.url)
    assert done.rc == 2
    assert done.result(FAIL)["msg"] == (
        "The message was not sent: the address in MESSAGE_URL answered with HTTP status 404. Check the address."
    )
    assert CANARY not in done.output


def test_message_to_no_receiver_fails() -> None:
    done = send("http://127.0.0.1:1")
    assert done.rc == 2
    assert done.result(FAIL)["msg"] == (
        "The message was not sent: the address in MESSAGE_URL did not answer. Check the address."
    )
    assert CANARY not in done.output


def test_message_is_only_shown_without_an_address() -> None:
    done = send("").succeeded()
    assert done.result("Show the message")["msg"].startswith("A webhook of field-logger has failed: ")
