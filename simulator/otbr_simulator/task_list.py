# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The list of tasks of a border router, and the life of a task from `pending` to its end (otbr-rest.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otbr_simulator import task_runs
from otbr_simulator.errors import Refusal
from otbr_simulator.task_forms import check_task
from otbr_simulator.task_runs import COMPLETED, FAILED, PENDING, STOPPED

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter
    from otbr_simulator.commissioner import Joiner
    from otbr_simulator.world import World

MAX_TASKS = 200
LOOP_SECONDS = 10.0
"""The longest time between two turns of the main loop of an idle border router."""
SMALL_LIST = 10
"""Up to this length, lists show the newest task first. Longer lists have no order."""

ENDED = (COMPLETED, STOPPED, FAILED)


@dataclass(eq=False, slots=True)
class Task:
    """A task.

    :ivar deadline: the time at which the timeout of the task is over.
    :ivar ends_itself: whether the task ends at a planned moment, so that its timeout does not end it.
    :ivar result: the type and the id of the result, or None.
    """

    id: str
    type: str
    attributes: dict[str, Any]
    created: float
    deadline: float
    status: str = PENDING
    ends_itself: bool = False
    joiner: Joiner | None = None
    result: tuple[str, str] | None = field(default=None)

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended, in whatever way."""
        return self.status in ENDED

    def show_attributes(self, now: float) -> dict[str, Any]:
        """Return the attributes. `timeout` counts down, and disappears at the end."""
        shown = {name: value for name, value in self.attributes.items() if name != "timeout"}
        if not self.has_ended:
            shown["timeout"] = max(0, round(self.deadline - now))
        return {**shown, "status": self.status}

    def show(self, now: float) -> dict[str, Any]:
        """Return the item of the list of tasks."""
        item = {
            "id": self.id,
            "type": self.type,
            "attributes": {**self.show_attributes(now), "created": format_time(self.created)},
        }
        if self.result is not None:
            kind, key = self.result
            item["relationships"] = {"result": {"data": {"type": kind, "id": key}}}
        return item


def format_time(moment: float) -> str:
    """Return a time in ISO 8601 with the offset +00:00."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


class TaskList:
    """The tasks of one border router. They are in its memory only."""

    def __init__(self, world: World, router: BorderRouter) -> None:
        self._world = world
        self._router = router
        self._tasks: dict[str, Task] = {}
        self._turn_planned = False

    @property
    def running(self) -> list[Task]:
        """The tasks that have not ended, oldest first."""
        return [task for task in self._tasks.values() if not task.has_ended]

    @property
    def pending_count(self) -> int:
        """The number of tasks that wait for their start."""
        return sum(task.status == PENDING for task in self._tasks.values())

    def add(self, content: Any) -> list[Task]:
        """Add the tasks of a request. If the form of one is wrong, add none."""
        items = content.get("data") if isinstance(content, dict) else None
        if not isinstance(items, list):
            raise Refusal(422)
        checked = [check_task(item) for item in items]
        if self.pending_count >= MAX_TASKS:
            raise Refusal(503)
        return [self._add_task(kind, attributes) for kind, attributes in checked]

    def _add_task(self, kind: str, attributes: dict[str, Any]) -> Task:
        now = self._world.now()
        task = Task(self._world.make_uuid(), kind, attributes, now, now + attributes["timeout"])
        while len(self._tasks) >= MAX_TASKS:
            # The oldest task is removed, even if it still runs.
            self.remove(next(iter(self._tasks)))
        self._tasks[task.id] = task
        task_runs.start_task(self._world, self._router, task)
        self._plan_turn()
        return task

    def find(self, task_id: str) -> Task:
        """Return a task, or raise a `Refusal` with status 404."""
        task = self._tasks.get(task_id)
        if task is None:
            raise Refusal(404)
        return task

    def remove(self, task_id: str) -> None:
        """Cancel a task if it still runs, and remove it."""
        task = self.find(task_id)
        if not task.has_ended:
            self.end(task, STOPPED)
        del self._tasks[task_id]

    def remove_all(self) -> None:
        """Cancel and remove all tasks, including those of other clients."""
        for task_id in list(self._tasks):
            self.remove(task_id)

    def end(self, task: Task, status: str) -> None:
        """End a task. The commissioner stops with the last task that needs it."""
        task.status = status
        if task.joiner is not None:
            self._router.commissioner.remove(task.joiner)
            task.joiner = None
        task_runs.release_commissioner(self._router)

    def turn(self) -> None:
        """Run one turn of the main loop: end the tasks whose time is over, then start those that wait."""
        now = self._world.now()
        for task in self.running:
            if task.deadline <= now and not task.ends_itself:
                task_runs.end_at_timeout(self._router, task)
        for task in self.running:
            if task.status == PENDING:
                task_runs.start_task(self._world, self._router, task)

    def _plan_turn(self) -> None:
        if not self._turn_planned and self.running:
            self._turn_planned = True
            self._world.plan(LOOP_SECONDS, self._take_planned_turn)

    def _take_planned_turn(self) -> None:
        self._turn_planned = False
        if self._router.tasks is self:
            self.turn()
            self._plan_turn()

    def show(self) -> list[Task]:
        """Return all tasks in the order of the list, which is not the order of their creation."""
        tasks = list(reversed(self._tasks.values()))
        if len(tasks) > SMALL_LIST:
            self._world.random.shuffle(tasks)
        return tasks
