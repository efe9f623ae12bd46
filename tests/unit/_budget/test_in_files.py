# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""All processes of a user share one budget through files, and no fault of a file fails or hangs a run."""

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

from ansible_collections.meshfleet.particle.plugins.module_utils._budget import in_files
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    EVERY_ROUTE,
    MAX_TRAVEL_SECONDS,
    Allowance,
    Limit,
)
from support.counts import count
from support.token_cloud import CHILD_SECONDS, child_environment, mode, run_child
from support.turned_clock import TurnedClock

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"
TEN_PER_MINUTE = {EVERY_ROUTE: Limit(10, 60)}
WINDOW = 60 + MAX_TRAVEL_SECONDS

# Starts processes with threads. Their clock is a number in shared memory. For each request, a thread prints the time
# that the budget recorded: the last time that the clock returned in this thread.
PROCESSES_WITH_THREADS = """
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

# Prints a byte for each request and sends requests until it is killed.
ENDLESS_REQUESTS = """
import os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit

budget = Budget(Allowance({EVERY_ROUTE: Limit(10, 60)}, 1), folder=Path(sys.argv[1]), cloud="https://cloud.example.com")
while True:
    budget.take_place("GET /v1/devices")
    os.write(1, b"x")
"""

# Forks while another thread takes a place; the child takes a place too.
FORK_IN_ANOTHER_THREAD = """
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

# Forks while it takes a place; the child does nothing until the parent has tried to lock the file.
FORK_IN_THE_SAME_THREAD = """
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


def make_budget(folder: Path, clock: TurnedClock, **options: Any) -> Budget:
    allowance = Allowance(options.pop("limits", TEN_PER_MINUTE), options.pop("share", 1))
    return Budget(allowance, **{"folder": folder, "cloud": CLOUD, "clock": clock, **options})


def find_file(folder: Path) -> Path:
    """Return the only file of a budget."""
    (path,) = folder.glob("budget-*.ring")
    return path


def count_burst(budget: Budget) -> int:
    """Send requests without waiting, and return how many were allowed."""
    return next(number for number in range(1000) if budget.take_place(LIST) > 0)


def count_most_in_period(moments: list[float], seconds: float) -> int:
    """Return the maximum number of `moments` in any period of `seconds`."""
    return max(sum(start <= other < start + seconds for other in moments) for start in moments)


# Sharing


@pytest.mark.parametrize("shares", [("1",), ("1", "0.5"), ("0.95",)])
def test_processes_and_threads_together_stay_within_one_budget(folder: Path, shares: tuple[str, ...]) -> None:
    each = count(quick=60, full=1000)
    child = run_child(PROCESSES_WITH_THREADS, folder, 4, 4, each, *shares)
    assert child.returncode == 0, child.stderr
    sent = [(method, float(moment)) for method, moment in map(str.split, child.stdout.splitlines())]
    assert len(sent) == 4 * 4 * each
    assert count_most_in_period([moment for _unused, moment in sent], 60) <= 40
    assert count_most_in_period([moment for method, moment in sent if method == "POST"], 90) <= 10


def test_two_budgets_share_their_places(folder: Path, clock: TurnedClock) -> None:
    one, other = make_budget(folder, clock), make_budget(folder, clock)
    assert [one.take_place(LIST) for _unused in range(7)] == [0] * 7
    assert count_burst(other) == 3
    assert other.take_place(LIST) == one.take_place(LIST) == WINDOW


def test_requests_of_an_earlier_budget_still_count(folder: Path, clock: TurnedClock) -> None:
    count_burst(make_budget(folder, clock))
    clock.now = 30
    assert make_budget(folder, clock).take_place(LIST) == WINDOW - 30


def test_clouds_have_separate_budgets(folder: Path, clock: TurnedClock) -> None:
    count_burst(make_budget(folder, clock))
    assert count_burst(make_budget(folder, clock, cloud="https://other.example.com")) == 10


def test_different_limits_have_separate_budgets(folder: Path, clock: TurnedClock) -> None:
    count_burst(make_budget(folder, clock))
    assert count_burst(make_budget(folder, clock, limits={EVERY_ROUTE: Limit(20, 60)})) == 20
    assert count_burst(make_budget(folder, clock)) == 0


def test_limits_of_single_routes_are_shared_too(folder: Path, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(2, 60)}
    one, other = (make_budget(folder, clock, limits=limits) for _unused in range(2))
    assert [one.take_place(LOGIN), other.take_place(LOGIN), one.take_place(LOGIN)] == [0, 0, WINDOW]
    assert count_burst(other) == 8


def test_processes_share_the_budget_by_the_clock_of_the_machine(folder: Path) -> None:
    # No clock is given, as in production. All processes must then read the same clock.
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


def test_file_is_private_with_any_umask(folder: Path, clock: TurnedClock) -> None:
    before = os.umask(0)
    try:
        count_burst(make_budget(folder, clock))
        os.umask(0o777)
        count_burst(make_budget(folder, clock, cloud="https://other.example.com"))
    finally:
        os.umask(before)
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2


def test_file_contains_times_only_and_names_no_cloud(folder: Path, clock: TurnedClock) -> None:
    make_budget(folder, clock).take_place(LIST)
    assert "example" not in find_file(folder).name
    assert find_file(folder).read_bytes() == struct.pack("<q11d", 1, 0.0, *[float("-inf")] * 10)


def test_only_used_routes_have_a_file(folder: Path, clock: TurnedClock) -> None:
    budget = Budget(folder=folder, cloud=CLOUD, clock=clock)
    assert list(folder.iterdir()) == []
    budget.take_place(LIST)
    assert len(list(folder.iterdir())) == 1
    budget.take_place(LOGIN)
    assert len(list(folder.iterdir())) == 2


def test_files_unused_for_hours_are_removed(folder: Path, clock: TurnedClock) -> None:
    for number in range(5):
        make_budget(folder, clock, cloud=f"http://127.0.0.1:{number}").take_place(LIST)
    *old, recent = folder.iterdir()
    for path in old:
        os.utime(path, (0, time.time() - 3 * 3600))
    (folder / "sessions.json").touch()
    os.utime(folder / "sessions.json", (0, 0))
    make_budget(folder, clock).take_place(LIST)
    assert {path.name for path in folder.iterdir()} == {build_file_name(folder, clock), recent.name, "sessions.json"}


def build_file_name(folder: Path, clock: TurnedClock) -> str:
    """Return the name of the file for `CLOUD`."""
    other = folder / "other"
    other.mkdir()
    make_budget(other, clock).take_place(LIST)
    name = find_file(other).name
    find_file(other).unlink()
    other.rmdir()
    return name


# Kills, forks, damage and clocks


def test_process_killed_while_waiting_takes_no_place(folder: Path, clock: TurnedClock) -> None:
    waiting = make_budget(folder, clock)
    count_burst(waiting)
    for _unused in range(100):
        assert waiting.take_place(LIST) == WINDOW
    clock.now = WINDOW
    assert count_burst(make_budget(folder, clock)) == 10


def test_process_killed_while_taking_a_place_takes_none(
    folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def write_only_the_time(file: int, content: bytes, begin: int) -> int:
        if begin == 0:
            raise Killed
        return pwrite(file, content, begin)

    budget, pwrite = make_budget(folder, clock), os.pwrite
    for _unused in range(5):
        budget.take_place(LIST)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write_only_the_time)
        with pytest.raises(Killed):
            budget.take_place(LIST)
    assert count_burst(make_budget(folder, clock)) == 5


@contextmanager
def running_child(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that prints a byte when it is ready, and kill it after the block."""
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


def test_process_killed_at_any_moment_leaves_a_usable_file(folder: Path) -> None:
    moments = random.Random(1)
    for _unused in range(count(quick=5, full=50)):
        with running_child(ENDLESS_REQUESTS, folder) as process:
            assert process.stdout is not None
            allowed = 1 + len(process.stdout.read(moments.randrange(20)))
            process.send_signal(signal.SIGKILL)
            allowed += len(process.stdout.read())
        clock = TurnedClock()
        clock.now = time.time()
        budget = make_budget(folder, clock)
        # The process may have taken one more place without having printed it.
        assert count_burst(budget) in {10 - min(10, allowed), 10 - min(10, allowed + 1)}
        assert find_file(folder).stat().st_size == 8 * 12
        clock.now += 60 + WINDOW
        assert count_burst(budget) == 10
        find_file(folder).unlink()


def test_lock_is_released_when_its_process_is_killed(folder: Path, clock: TurnedClock) -> None:
    budget = make_budget(folder, clock)
    budget.take_place(LIST)
    hold_lock = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
os.write(1, b"x")
sys.stdin.read()
time.sleep(600)
"""
    with running_child(hold_lock, find_file(folder)) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(CHILD_SECONDS)
        budget.take_place(LIST)
    assert count_burst(make_budget(folder, clock)) == 8


def test_budget_moves_to_memory_if_its_file_stays_locked(
    folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_files, "_LOCK_SECONDS", 0.02)
    budget = make_budget(folder, clock)
    budget.take_place(LIST)
    with open(find_file(folder), "rb") as file:  # like a process that was stopped while it held the lock
        fcntl.flock(file, fcntl.LOCK_EX)
        assert count_burst(budget) == 10  # counted in memory
        assert budget.take_place(LIST) == WINDOW


def test_fork_during_a_request_hangs_neither_child_nor_parent(folder: Path) -> None:
    child = run_child(FORK_IN_ANOTHER_THREAD, folder)
    assert child.stdout.split() == ["0", "0.2"], child.stderr


def test_child_forked_during_a_request_does_not_keep_the_lock(folder: Path) -> None:
    child = run_child(FORK_IN_THE_SAME_THREAD, folder)
    assert child.stdout == "free\n", child.stderr


def test_threads_with_separate_budgets_share_their_places(folder: Path, clock: TurnedClock) -> None:
    taken: list[float] = []
    workers = [
        threading.Thread(
            target=lambda: taken.extend(make_budget(folder, clock).take_place(LIST) for _unused in range(10))
        )
        for _unused in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [0] * 10 + [WINDOW] * 30


def test_removed_file_is_created_again_and_shared(folder: Path, clock: TurnedClock) -> None:
    one, other = make_budget(folder, clock), make_budget(folder, clock)
    count_burst(one)
    find_file(folder).unlink()
    assert (one.take_place(LIST), other.take_place(LIST)) == (0, 0)
    assert count_burst(one) == 8
    assert other.take_place(LIST) == WINDOW


@given(content=st.binary(max_size=100) | st.binary(min_size=96, max_size=96))
def test_damaged_file_delays_by_one_window_at_most_and_is_repaired(content: bytes) -> None:
    clock = TurnedClock()
    clock.now = 1_000_000.0
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_budget(folder, clock).take_place(LIST)
        find_file(folder).write_bytes(content)
        budget = make_budget(folder, clock)
        sent: list[float] = []
        while len(sent) < 40:
            delay = budget.take_place(LIST)
            assert 0 <= delay <= WINDOW
            clock.sleep(delay)
            if delay == 0:
                sent.append(clock.now)
        count_burst(budget)
        assert make_budget(folder, clock).take_place(LIST) > 0  # because it shares the file again
    assert sent[20] - sent[10] >= WINDOW
    assert sent[39] <= 1_000_000.0 + 5 * WINDOW


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), 1e300, 2_000_000.0])
@pytest.mark.parametrize("place", [0, 7, -1, -(2**63), 2**63 - 1])
def test_impossible_times_count_as_now(folder: Path, clock: TurnedClock, moment: float, place: int) -> None:
    clock.now = 1_000_000.0
    make_budget(folder, clock).take_place(LIST)
    find_file(folder).write_bytes(struct.pack("<q11d", place, *[moment] * 11))
    budget = make_budget(folder, clock)
    assert budget.take_place(LIST) == WINDOW
    assert budget.get_used_share() == 1
    clock.sleep(WINDOW)
    assert count_burst(budget) == 10


def test_clock_set_back_delays_by_one_window(folder: Path, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = make_budget(folder, clock)
    count_burst(budget)
    clock.now -= 3600
    assert budget.take_place(LIST) == WINDOW
    clock.sleep(WINDOW)
    assert count_burst(budget) == 10


def test_clock_set_back_within_a_window_delays_by_one_window(folder: Path, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = make_budget(folder, clock)
    count_burst(budget)
    clock.now -= 30
    assert budget.take_place(LIST) == WINDOW


def test_clock_set_forward_frees_all_places(folder: Path, clock: TurnedClock) -> None:
    budget = make_budget(folder, clock)
    count_burst(budget)
    clock.now += 3600
    assert count_burst(budget) == 10


# Files that cannot be used


def block_file(folder: Path, name: str, kind: str) -> Path:
    """Make the file `name` unusable in one way, and return the folder for the budget."""
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
def test_budget_moves_to_memory_if_its_file_is_unusable(folder: Path, clock: TurnedClock, kind: str) -> None:
    budget = make_budget(block_file(folder, build_file_name(folder, clock), kind), clock)
    assert count_burst(budget) == 10
    assert budget.take_place(LIST) == WINDOW
    assert budget.get_used_share() == 1
    assert all(path.stat().st_size == 0 for path in folder.iterdir() if path.is_file())


def test_requests_in_memory_count_when_another_route_has_no_file(folder: Path, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(5, 60)}
    budget = make_budget(folder / "missing", clock, limits=limits)
    assert count_burst(budget) == 10
    assert budget.take_place(LOGIN) == WINDOW


def test_truncated_file_causes_no_error(folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = make_budget(folder, clock)
    budget.take_place(LIST)
    monkeypatch.setattr(os, "pread", lambda *_unused: b"")
    assert count_burst(budget) == 10


def test_full_disk_causes_no_error(folder: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = make_budget(folder, clock)
    assert [budget.take_place(LIST) for _unused in range(3)] == [0] * 3

    def full(*_unused: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert count_burst(budget) == 10
