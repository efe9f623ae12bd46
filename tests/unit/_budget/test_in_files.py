# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""All processes of a user share one budget through files, and nothing that happens to those ends or hangs a run."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_cloud import CHILD_SECONDS, child_environment, mode, run_child
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._budget import in_files
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    EVERY_ROUTE,
    MAX_TRAVEL_SECONDS,
    Allowance,
    Limit,
)
from support.counts import count

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"
TEN = {EVERY_ROUTE: Limit(10, 60)}
WINDOW = 60 + MAX_TRAVEL_SECONDS

# Processes, each with threads, that go by one turned clock: a number in memory that they share. Each tells the moment
# that the budget took down for each request, which is the last that it was told by the clock in that thread.
TOGETHER = """
import fcntl, mmap, os, struct, sys, tempfile, threading
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit

folder, processes, threads, each = Path(sys.argv[1]), *map(int, sys.argv[2:5])
shares = [float(share) for share in sys.argv[5:]]
time, seen = mmap.mmap(-1, 8), threading.local()

def clock():
    seen.moment = struct.unpack("d", time[:8])[0]
    return seen.moment

def sleep(seconds):
    end = clock() + seconds
    with open(folder / "turning", "a") as turning:
        fcntl.flock(turning, fcntl.LOCK_EX)
        if clock() < end:
            time[:8] = struct.pack("d", end)

def work(budget):
    lines = []
    for number in range(each):
        route, waited = ("POST /oauth/token" if number % 5 == 0 else "GET /v1/devices"), 0.0
        while delay := budget.take_place(route, waited):
            sleep(delay)
            waited += delay
        lines.append(f"{route.split()[0]} {seen.moment}\\n")
    os.write(1, "".join(lines).encode())

inherited = Budget(Allowance({EVERY_ROUTE: Limit(40, 60), "POST /oauth/token": Limit(10, 90)},
                   shares[0]), folder=folder, cloud="x", clock=clock)
children = []
for number in range(processes):
    child = os.fork()
    if child == 0:
        budget = inherited if number == 0 else Budget(
            Allowance({EVERY_ROUTE: Limit(40, 60), "POST /oauth/token": Limit(10, 90)}, shares[number % len(shares)]),
            folder=folder, cloud="x", clock=clock)
        workers = [threading.Thread(target=work, args=(budget,)) for _ in range(threads)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""

# Says that it is there, then asks for as long as it is left alive.
ASKING = """
import os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit

budget = Budget(Allowance({EVERY_ROUTE: Limit(10, 60)}, 1), folder=Path(sys.argv[1]), cloud="https://cloud.example.com")
while True:
    budget.take_place("GET /v1/devices")
    os.write(1, b"x")
"""

# Forks while another thread is in the middle of asking; the child asks too.
FORKED_MEANWHILE = """
import os, sys, threading
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit

inside, leave = threading.Event(), threading.Event()

def clock():
    if threading.current_thread() is asking:
        inside.set()
        leave.wait()
    return 1000.0

budget = Budget(Allowance({EVERY_ROUTE: Limit(10, 60)}, 1), folder=Path(sys.argv[1]), cloud="x", clock=clock)
asking = threading.Thread(target=budget.take_place, args=("GET /v1/devices",))
asking.start()
inside.wait()
started, begun = os.pipe()
child = os.fork()
if child == 0:
    os.write(begun, b"x")
    os._exit(budget.take_place("GET /v1/devices") != 0)
os.read(started, 1)
leave.set()
asking.join()
print(os.waitpid(child, 0)[1], budget.get_used_share())
"""

# Forks in the middle of asking; the child does nothing, for as long as the parent looks at the file.
FORKED_INSIDE = """
import fcntl, os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit

stay, leave = os.pipe()

def clock():
    if os.fork() == 0:
        os.close(leave)
        os.read(stay, 1)
        os._exit(0)
    return 1000.0

budget = Budget(Allowance({EVERY_ROUTE: Limit(10, 60)}), folder=Path(sys.argv[1]), cloud="x", clock=clock)
budget.take_place("GET /v1/devices")
(path,) = Path(sys.argv[1]).iterdir()
with open(path, "rb") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def budget_in(folder: Path, clock: TurnedClock, **options: Any) -> Budget:
    allowance = Allowance(options.pop("limits", TEN), options.pop("share", 1))
    return Budget(allowance, **{"folder": folder, "cloud": CLOUD, "clock": clock, **options})


def the_file(folder: Path) -> Path:
    (path,) = folder.glob("budget-*.ring")
    return path


def burst(budget: Budget) -> int:
    """How many requests may be sent at once."""
    return next(number for number in range(1000) if budget.take_place(LIST) > 0)


def most_in_any_window(moments: list[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in moments) for start in moments)


# One budget for all


@pytest.mark.parametrize("shares", [("1",), ("1", "0.5"), ("0.95",)])
def test_processes_and_threads_together_never_send_more_than_one_budget(folder: Path, shares: tuple[str, ...]) -> None:
    each = count(quick=60, full=1000)
    child = run_child(TOGETHER, folder, 4, 4, each, *shares)
    assert child.returncode == 0, child.stderr
    sent = [(method, float(moment)) for method, moment in map(str.split, child.stdout.splitlines())]
    assert len(sent) == 4 * 4 * each
    assert most_in_any_window([moment for _unused, moment in sent], 60) <= 40
    assert most_in_any_window([moment for method, moment in sent if method == "POST"], 90) <= 10


def test_what_one_has_sent_another_may_not(folder: Path, clock: TurnedClock) -> None:
    one, another = budget_in(folder, clock), budget_in(folder, clock)
    assert [one.take_place(LIST) for _unused in range(7)] == [0] * 7
    assert burst(another) == 3
    assert another.take_place(LIST) == one.take_place(LIST) == WINDOW


def test_what_an_ended_process_has_sent_counts_still(folder: Path, clock: TurnedClock) -> None:
    burst(budget_in(folder, clock))
    clock.now = 30
    assert budget_in(folder, clock).take_place(LIST) == WINDOW - 30


def test_clouds_do_not_share(folder: Path, clock: TurnedClock) -> None:
    burst(budget_in(folder, clock))
    assert burst(budget_in(folder, clock, cloud="https://other.example.com")) == 10


def test_who_knows_another_limit_keeps_a_record_of_its_own(folder: Path, clock: TurnedClock) -> None:
    burst(budget_in(folder, clock))
    assert burst(budget_in(folder, clock, limits={EVERY_ROUTE: Limit(20, 60)})) == 20
    assert burst(budget_in(folder, clock)) == 0


def test_routes_with_limits_of_their_own_are_shared_too(folder: Path, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(2, 60)}
    one, another = (budget_in(folder, clock, limits=limits) for _unused in range(2))
    assert [one.take_place(LOGIN), another.take_place(LOGIN), one.take_place(LOGIN)] == [0, 0, WINDOW]
    assert burst(another) == 8


def test_two_processes_by_the_clock_of_the_machine_agree(folder: Path) -> None:
    # Without a clock given, as it is used: no process may have one of its own.
    code = f"""
import sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit
budget = Budget(Allowance({{EVERY_ROUTE: Limit(10, 1000)}}, 1), folder=Path(sys.argv[1]), cloud={CLOUD!r})
print(sum(budget.take_place({LIST!r}) == 0 for _ in range(6)))
"""
    assert [run_child(code, folder).stdout for _unused in range(3)] == ["6\n", "4\n", "0\n"]


# The files


def test_a_file_is_for_its_user_alone_whatever_the_umask(folder: Path, clock: TurnedClock) -> None:
    before = os.umask(0)
    try:
        burst(budget_in(folder, clock))
        os.umask(0o777)
        burst(budget_in(folder, clock, cloud="https://other.example.com"))
    finally:
        os.umask(before)
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2


def test_a_file_names_no_cloud_and_holds_moments_alone(folder: Path, clock: TurnedClock) -> None:
    budget_in(folder, clock).take_place(LIST)
    assert "example" not in the_file(folder).name
    assert the_file(folder).read_bytes() == struct.pack("<q11d", 1, 0.0, *[float("-inf")] * 10)


def test_only_routes_that_are_used_have_a_file(folder: Path, clock: TurnedClock) -> None:
    budget = Budget(folder=folder, cloud=CLOUD, clock=clock)
    assert list(folder.iterdir()) == []
    budget.take_place(LIST)
    assert len(list(folder.iterdir())) == 1
    budget.take_place(LOGIN)
    assert len(list(folder.iterdir())) == 2


def test_files_of_clouds_that_nobody_has_asked_for_long_are_removed(folder: Path, clock: TurnedClock) -> None:
    for number in range(5):
        budget_in(folder, clock, cloud=f"http://127.0.0.1:{number}").take_place(LIST)
    *old, recent = folder.iterdir()
    for path in old:
        os.utime(path, (0, time.time() - 3 * 3600))
    (folder / "sessions.json").touch()
    os.utime(folder / "sessions.json", (0, 0))
    budget_in(folder, clock).take_place(LIST)
    assert {path.name for path in folder.iterdir()} == {the_name(folder, clock), recent.name, "sessions.json"}


def the_name(folder: Path, clock: TurnedClock) -> str:
    """The name of the file of our cloud."""
    other = folder / "other"
    other.mkdir()
    budget_in(other, clock).take_place(LIST)
    name = the_file(other).name
    the_file(other).unlink()
    other.rmdir()
    return name


# What may happen to a file


def test_who_is_killed_while_waiting_has_taken_nothing(folder: Path, clock: TurnedClock) -> None:
    waiting = budget_in(folder, clock)
    burst(waiting)
    for _unused in range(100):
        assert waiting.take_place(LIST) == WINDOW
    clock.now = WINDOW
    assert burst(budget_in(folder, clock)) == 10


def test_who_is_killed_while_taking_has_taken_nothing(
    folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def write_the_moment_alone(file: int, content: bytes, begin: int) -> int:
        if begin == 0:
            raise Killed
        return pwrite(file, content, begin)

    budget, pwrite = budget_in(folder, clock), os.pwrite
    for _unused in range(5):
        budget.take_place(LIST)
    with monkeypatch.context() as killing:
        killing.setattr(os, "pwrite", write_the_moment_alone)
        with pytest.raises(Killed):
            budget.take_place(LIST)
    assert burst(budget_in(folder, clock)) == 5


@contextmanager
def child_of(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that prints a byte when it is at work, and that is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=child_environment(), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.read(1) == b"x"
        yield process
    finally:
        process.kill()
        process.wait(CHILD_SECONDS)
        process.stdout.close()


def test_who_is_killed_at_any_moment_leaves_a_file_that_serves_the_others(folder: Path) -> None:
    moments = random.Random(1)
    for _unused in range(count(quick=5, full=50)):
        with child_of(ASKING, folder) as process:
            assert process.stdout is not None
            asked = 1 + len(process.stdout.read(moments.randrange(20)))
            process.send_signal(signal.SIGKILL)
            asked += len(process.stdout.read())
        clock = TurnedClock()
        clock.now = time.time()
        budget = budget_in(folder, clock)
        # It may have taken one more, and had no time to say so.
        assert burst(budget) in {10 - min(10, asked), 10 - min(10, asked + 1)}
        assert the_file(folder).stat().st_size == 8 * 12
        clock.now += 60 + WINDOW
        assert burst(budget) == 10
        the_file(folder).unlink()


def test_a_lock_ends_with_its_holder_however_that_ends(folder: Path, clock: TurnedClock) -> None:
    budget = budget_in(folder, clock)
    budget.take_place(LIST)
    holding = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
os.write(1, b"x")
sys.stdin.read()
time.sleep(600)
"""
    with child_of(holding, the_file(folder)) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(CHILD_SECONDS)
        budget.take_place(LIST)
    assert burst(budget_in(folder, clock)) == 8


def test_whoever_sits_on_a_file_keeps_nobody_waiting_for_long(
    folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_files, "_LOCK_SECONDS", 0.02)
    budget = budget_in(folder, clock)
    budget.take_place(LIST)
    with open(the_file(folder), "rb") as file:  # as a process does that was stopped just then
        fcntl.flock(file, fcntl.LOCK_EX)
        assert burst(budget) == 10  # by itself, then
        assert budget.take_place(LIST) == WINDOW


def test_a_process_that_forks_in_the_middle_of_asking_hangs_neither_child_nor_parent(folder: Path) -> None:
    child = run_child(FORKED_MEANWHILE, folder)
    assert child.stdout.split() == ["0", "0.2"], child.stderr


def test_a_child_that_was_forked_in_the_middle_of_asking_does_not_keep_the_file(folder: Path) -> None:
    child = run_child(FORKED_INSIDE, folder)
    assert child.stdout == "free\n", child.stderr


def test_threads_with_budgets_of_their_own_share_too(folder: Path, clock: TurnedClock) -> None:
    taken: list[float] = []
    workers = [
        threading.Thread(
            target=lambda: taken.extend(budget_in(folder, clock).take_place(LIST) for _unused in range(10))
        )
        for _unused in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [0] * 10 + [WINDOW] * 30


def test_a_file_that_somebody_removes_is_begun_anew_by_all(folder: Path, clock: TurnedClock) -> None:
    one, another = budget_in(folder, clock), budget_in(folder, clock)
    burst(one)
    the_file(folder).unlink()
    assert (one.take_place(LIST), another.take_place(LIST)) == (0, 0)
    assert burst(one) == 8
    assert another.take_place(LIST) == WINDOW


@given(content=st.binary(max_size=100) | st.binary(min_size=96, max_size=96))
def test_whatever_a_file_holds_nobody_waits_for_more_than_a_window_and_then_it_is_whole(content: bytes) -> None:
    clock = TurnedClock()
    clock.now = 1_000_000.0
    with TemporaryDirectory() as name:
        folder = Path(name)
        budget_in(folder, clock).take_place(LIST)
        the_file(folder).write_bytes(content)
        budget = budget_in(folder, clock)
        sent: list[float] = []
        while len(sent) < 40:
            delay = budget.take_place(LIST)
            assert 0 <= delay <= WINDOW
            clock.sleep(delay)
            if delay == 0:
                sent.append(clock.now)
        burst(budget)
        assert budget_in(folder, clock).take_place(LIST) > 0  # and everybody shares it again
    assert sent[20] - sent[10] >= WINDOW
    assert sent[39] <= 1_000_000.0 + 5 * WINDOW


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), 1e300, 2_000_000.0])
@pytest.mark.parametrize("place", [0, 7, -1, -(2**63), 2**63 - 1])
def test_moments_that_cannot_be_count_as_now(folder: Path, clock: TurnedClock, moment: float, place: int) -> None:
    clock.now = 1_000_000.0
    budget_in(folder, clock).take_place(LIST)
    the_file(folder).write_bytes(struct.pack("<q11d", place, *[moment] * 11))
    budget = budget_in(folder, clock)
    assert budget.take_place(LIST) == WINDOW
    assert budget.get_used_share() == 1
    clock.sleep(WINDOW)
    assert burst(budget) == 10


def test_a_clock_that_is_set_back_costs_a_window_and_no_more(folder: Path, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = budget_in(folder, clock)
    burst(budget)
    clock.now -= 3600
    assert budget.take_place(LIST) == WINDOW
    clock.sleep(WINDOW)
    assert burst(budget) == 10


def test_a_clock_that_is_set_back_a_little_counts_twice_what_was_sent_then(folder: Path, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = budget_in(folder, clock)
    burst(budget)
    clock.now -= 30
    assert budget.take_place(LIST) == WINDOW


def test_a_clock_that_is_set_forward_forgets(folder: Path, clock: TurnedClock) -> None:
    budget = budget_in(folder, clock)
    burst(budget)
    clock.now += 3600
    assert burst(budget) == 10


# Where no file can be


def obstacle(folder: Path, name: str, kind: str) -> Path:
    """A folder in which the file called `name` cannot be used; the folder to name."""
    if kind == "no folder":
        return folder / "missing"
    if kind == "a file for a folder":
        (folder / "taken").touch()
        return folder / "taken"
    path = folder / name
    if kind == "a folder for the file":
        path.mkdir()
    elif kind == "a link":
        (folder / "elsewhere").touch()
        path.symlink_to(folder / "elsewhere")
    else:
        os.mkfifo(path)
    return folder


@pytest.mark.parametrize("kind", ["no folder", "a file for a folder", "a folder for the file", "a link", "a pipe"])
def test_where_no_file_can_be_kept_a_process_paces_itself_alone(folder: Path, clock: TurnedClock, kind: str) -> None:
    budget = budget_in(obstacle(folder, the_name(folder, clock), kind), clock)
    assert burst(budget) == 10
    assert budget.take_place(LIST) == WINDOW
    assert budget.get_used_share() == 1
    assert all(path.stat().st_size == 0 for path in folder.iterdir() if path.is_file())


def test_what_was_sent_alone_is_not_forgotten_when_a_route_finds_no_file(folder: Path, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(5, 60)}
    budget = budget_in(folder / "missing", clock, limits=limits)
    assert burst(budget) == 10
    assert budget.take_place(LOGIN) == WINDOW


def test_a_file_that_somebody_cuts_off_meanwhile_is_no_failure(
    folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = budget_in(folder, clock)
    budget.take_place(LIST)
    monkeypatch.setattr(os, "pread", lambda *_unused: b"")
    assert burst(budget) == 10


def test_a_disk_that_is_full_is_no_failure(folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = budget_in(folder, clock)
    assert [budget.take_place(LIST) for _unused in range(3)] == [0] * 3

    def full(*_unused: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert burst(budget) == 10
