# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the identities of processes, by which a later run sees whether a process has ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import (
    find_parent_id,
    has_ended,
    identify_process,
)
from support.token_cloud import run_child

ORPHANED_WORKER = f"""
import multiprocessing, os, time
from {find_parent_id.__module__} import find_parent_id

def work(parent):
    while os.getppid() == parent:
        time.sleep(0.01)
    print(find_parent_id() == parent, flush=True)

multiprocessing.get_context("fork").Process(target=work, args=(os.getpid(),)).start()
os._exit(0)
"""


def test_running_process_has_not_ended() -> None:
    assert has_ended(identify_process(os.getpid())) is False


@pytest.mark.parametrize("is_reaped", [True, False], ids=["reaped", "not reaped"])
def test_killed_process_has_ended(is_reaped: bool) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    identity = identify_process(child.pid)
    assert has_ended(identity) is False
    child.kill()
    if is_reaped:
        child.wait()
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(identity) is True
    child.communicate()


def test_process_that_had_ended_before_it_was_identified_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert has_ended(identify_process(child.pid)) is True


def test_parent_of_a_worker_is_found_after_the_parent_has_ended() -> None:
    result = run_child(ORPHANED_WORKER)
    assert (result.stdout, result.stderr) == ("True\n", "")


def test_process_with_the_same_id_is_another_process() -> None:
    assert has_ended({**identify_process(os.getpid()), "started": "1"}) is True


def test_process_from_before_a_restart_of_the_machine_has_ended() -> None:
    assert has_ended({**identify_process(os.getpid()), "boot": "another boot"}) is True


@pytest.mark.parametrize("place", ["host", "namespace"])
def test_process_in_another_container_may_still_run(place: str) -> None:
    assert has_ended({**identify_process(os.getpid()), place: "another"}) is None
