# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Declared resources are written and verified, with a kind that is stored in memory and fails on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import OURS, RecordingHttp, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ALWAYS, ON_CREATE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import KindRun, reconcile_resources

AMBIGUOUS = ParticleError("ambiguous_write", "Could not learn it.", route="POST /v1/things")
UNREADABLE = ParticleError("bad_response", "Could not read it.", status=200, route="PUT /v1/things/:id")
GONE = ParticleError("not_found", "It is gone.", status=404, route="DELETE /v1/things/:id")
REFUSED = ParticleError("cloud_error", "Refused.", status=400, route="POST /v1/things")
EXPIRED = ParticleError("token_expired", "Expired.", status=401, route="GET /v1/things")


class Store:
    """A cloud in memory that counts its calls and fails before or after a write takes effect.

    :ivar faults: the errors of the next calls to `list`, `create`, `update`, `delete` or `together`, each with whether
        the write takes effect.
    """

    def __init__(self, *rows: Mapping[str, Any], mask: bool = False) -> None:
        self.rows = {str(row["id"]): dict(row) for row in rows}
        self.mask = mask
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, list[tuple[ParticleError, bool] | None]] = {}

    def _call(self, call: str, write: Any = None) -> None:
        """Count a call and carry out its write, unless the next fault prevents that."""
        self.calls[call] += 1
        fault = self.faults[call].pop(0) if self.faults.get(call) else None
        if write is not None and (fault is None or fault[1]):
            write()
        if fault is not None:
            raise fault[0]

    def list_rows(self, target: Target) -> list[dict[str, Any]]:
        self._call("list")
        return [{key: row.get(key) for key in ("id", "name")} for row in self.rows.values()]

    def read_row(self, target: Target, row: Mapping[str, Any]) -> dict[str, Any]:
        self._call("read")
        found = dict(self.rows[row["id"]])
        return {**found, "token": "********"} if self.mask and "token" in found else found

    def create_row(self, target: Target, change: Change) -> None:
        self._call("create", lambda: self.rows.update({f"new-{len(self.rows)}": self._row(change.body)}))

    def _row(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "id": f"new-{len(self.rows)}"}

    def update_row(self, target: Target, change: Change) -> None:
        self._call("update", lambda: self._find(change).update(change.body))

    def delete_row(self, target: Target, change: Change) -> None:
        self._call("delete", lambda: self.rows.pop(self._find(change)["id"]))

    def write_rows(self, target: Target, changes: Sequence[Change]) -> list[str]:
        """Carry out several changes in one call."""
        self._call("together", lambda: [self._write(change) for change in changes])
        return [change.key for change in changes]

    def _write(self, change: Change) -> None:
        if change.row is None:
            self.rows[change.key] = {**change.body, "id": change.key}
        elif change.declared.absent:
            del self.rows[change.row["id"]]
        else:
            self._find(change).update(change.body)

    def _find(self, change: Change) -> dict[str, Any]:
        assert change.row is not None
        return self.rows[change.row["id"]]

    @property
    def kind(self) -> Kind:
        """The kind of this store: things with a name, a colour and a token."""
        return Kind(
            name="things",
            module="thing",
            noun="thing",
            key=Field("name", "name", {"type": "str"}),
            fields=(
                Field("colour", "color", {"type": "str"}, default="grey"),
                Field("token", "token", {"type": "str", "no_log": True}, secret=True),
            ),
            list_rows=self.list_rows,
            read_row=self.read_row,
            create_row=self.create_row,
            update_row=self.update_row,
            delete_row=self.delete_row,
        )


RED = {"id": "1", "name": "one", "color": "red", "token": "t0ken"}
BLUE = Declared("one", {"colour": "blue"})


@pytest.fixture
def http() -> Iterator[RecordingHttp]:
    with client("http://127.0.0.1:9") as http:
        yield http


@pytest.fixture
def target(http: RecordingHttp) -> Target:
    return Target(http, OURS, lambda sentence: None)


def reconcile(target: Target, store: Store, declared: Declared, **options: Any) -> dict[str, Any]:
    return reconcile_resource(target, store.kind, declared, **{"check_mode": False, **options})


def writes(store: Store) -> dict[str, int]:
    """Return how often each write was called."""
    return {call: number for call, number in store.calls.items() if call not in ("list", "read")}


class TestOneResource:
    """One resource is reconciled, as the module of a kind does."""

    def test_new_resource_is_created_and_verified(self, target: Target) -> None:
        store = Store()
        result = reconcile(target, store, BLUE)
        assert result["changed"]
        assert result["thing"] == {"id": "new-0", "name": "one", "colour": "blue", "token": None}
        assert result["diff"] == Diff((ChangedItem("one", {"colour": (None, "blue")}),))
        assert store.calls == {"list": 2, "read": 1, "create": 1}

    def test_update_changes_only_the_field_that_differs(self, target: Target) -> None:
        store = Store(RED)
        result = reconcile(target, store, Declared("one", {"colour": "blue", "token": "t0ken"}))
        assert result["diff"] == Diff((ChangedItem("one", {"colour": ("red", "blue")}),))
        assert result["changes"] == {"colour": {"before": "red", "after": "blue"}}
        assert store.rows["1"] == {**RED, "color": "blue"}
        assert writes(store) == {"update": 1}

    def test_second_run_writes_nothing(self, target: Target) -> None:
        store = Store(RED)
        reconcile(target, store, BLUE)
        store.calls.clear()
        assert not reconcile(target, store, BLUE)["changed"]
        assert store.calls == {"list": 1, "read": 1}

    def test_absent_resource_is_removed_once(self, target: Target) -> None:
        store = Store(RED)
        results = [reconcile(target, store, Declared("one", absent=True)) for _unused in range(2)]
        assert [(result["changed"], result["thing"]) for result in results] == [(True, None), (False, None)]
        assert writes(store) == {"delete": 1}

    @pytest.mark.parametrize("declared", [BLUE, Declared("two", {}), Declared("one", absent=True), Declared("one")])
    def test_check_mode_writes_nothing_and_predicts_the_run(self, target: Target, declared: Declared) -> None:
        checked_store, written_store = Store(RED), Store(RED)
        predicted = reconcile(target, checked_store, declared, check_mode=True)
        written = reconcile(target, written_store, declared)
        assert writes(checked_store) == {}
        assert (predicted["changed"], predicted["diff"]) == (written["changed"], written["diff"])
        without_id = [{**(result["thing"] or {}), "id": None} for result in (predicted, written)]
        assert without_id[0] == without_id[1]

    @pytest.mark.parametrize("check_mode", [True, False])
    @pytest.mark.parametrize("replaces", [True, False])
    def test_result_contains_facts_that_cannot_be_declared(
        self, target: Target, check_mode: bool, replaces: bool
    ) -> None:
        store = Store({**RED, "seen_at": "noon"})
        kind = replace(store.kind, shown=("seen_at", "users"), replaces=replaces, read_only=frozenset({"seen_at"}))
        result = reconcile_resource(target, kind, BLUE, check_mode=check_mode)
        facts = {"seen_at": "noon", "users": None}
        assert result["thing"] == {"id": "1", "name": "one", "colour": "blue", "token": "********", **facts}

    def test_client_masks_observed_and_declared_secrets(self, target: Target) -> None:
        reconcile(
            target, Store({**RED, "token": "0ld-token"}), Declared("one", {"token": "n3w-token"}), check_mode=True
        )
        assert target.http.redact("0ld-token and n3w-token") == "******** and ********"

    @pytest.mark.parametrize(
        ("when", "changed", "words"),
        [(ON_CREATE, False, "They were left as they are; set update_secrets"), (ALWAYS, True, "They were written")],
    )
    def test_result_says_whether_masked_secrets_were_written(
        self, target: Target, when: str, changed: bool, words: str
    ) -> None:
        store = Store(RED, mask=True)
        result = reconcile(target, store, Declared("one", {"token": "n3w-token"}), update_secrets=when)
        assert (result["changed"], result["not_compared"]) == (changed, ["token"])
        assert words in result["msg"]
        assert store.rows["1"]["token"] == ("n3w-token" if changed else "t0ken")


class TestUncertainWrites:
    """The answer to a write is lost or cannot be read."""

    @pytest.mark.parametrize(("took_effect", "creations"), [(True, 1), (False, 2)])
    def test_lost_answer_to_a_creation_makes_no_duplicate(
        self, target: Target, took_effect: bool, creations: int
    ) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, took_effect)]
        result = reconcile(target, store, Declared("one", {"colour": "blue", "token": "t0ken"}))
        assert (result["changed"], "failed" in result) == (True, False)
        assert (len(store.rows), store.calls["create"]) == (1, creations)

    def test_creation_is_not_repeated_when_the_list_cannot_be_read(self, target: Target) -> None:
        store = Store()
        store.faults = {"create": [(AMBIGUOUS, True)], "list": [None, (EXPIRED, False)]}
        result = reconcile(target, store, BLUE)
        assert (result["failed"], result["error"]["code"], store.calls["create"]) == (True, "ambiguous_write", 1)
        assert not reconcile(target, store, BLUE)["changed"]
        assert len(store.rows) == 1

    def test_creation_that_stays_uncertain_fails(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, False)] * 2
        result = reconcile(target, store, BLUE)
        assert (result["changed"], result["error"]["code"], store.rows) == (False, "ambiguous_write", {})

    def test_late_duplicate_is_reported_with_both_ids(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, False)]
        create = store.create_row

        def create_late(where: Target, change: Change) -> None:
            create(where, change)
            store.rows["late"] = {**change.body, "id": "late"}  # the first request arrives after the second

        kind = replace(store.kind, create_row=create_late)
        result = reconcile_resource(target, kind, BLUE, check_mode=False)
        assert (result["changed"], result["error"]["code"]) == (True, "twins")
        assert "2 things are called one: late and new-0" in result["msg"]

    def test_removal_answered_with_not_found_succeeds(self, target: Target) -> None:
        store = Store(RED)
        store.faults["delete"] = [(GONE, True)]
        result = reconcile(target, store, Declared("one", absent=True))
        assert (result["changed"], "failed" in result, writes(store)) == (True, False, {"delete": 1})

    @pytest.mark.parametrize("took_effect", [True, False])
    def test_update_with_an_unreadable_answer_is_verified(self, target: Target, took_effect: bool) -> None:
        store = Store(RED)
        store.faults["update"] = [(UNREADABLE, took_effect)]
        result = reconcile(target, store, BLUE)
        assert (result["changed"], result.get("failed", False)) == (took_effect, not took_effect)
        assert writes(store) == {"update": 1}

    def test_masked_secret_in_an_unreadable_update_is_a_failure(self, target: Target) -> None:
        store = Store(RED, mask=True)
        store.faults["update"] = [(UNREADABLE, True)]
        result = reconcile(target, store, Declared("one", {"token": "n3w-token"}), update_secrets=ALWAYS)
        assert result["error"]["code"] == "bad_response"


class TestFailures:
    """Writes are refused or have no effect."""

    def test_refused_creation_fails_and_changes_nothing(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(REFUSED, False)]
        result = reconcile(target, store, BLUE)
        assert (result["changed"], result["failed"], result["thing"]) == (False, True, None)
        assert store.calls == {"list": 1, "create": 1}

    def test_update_without_effect_is_a_failure(self, target: Target) -> None:
        store = Store(RED)
        kind = replace(store.kind, update_row=lambda target, change: None)
        result = reconcile_resource(target, kind, BLUE, check_mode=False)
        assert (result["changed"], result["error"]["code"]) == (True, "conflict")
        assert "thing one still differs: colour" in result["msg"]

    @pytest.mark.parametrize(("declared", "words"), [(BLUE, "does not exist"), (Declared("one", absent=True), "still")])
    def test_creation_or_removal_without_effect_is_a_failure(
        self, target: Target, declared: Declared, words: str
    ) -> None:
        store = Store(*([RED] if declared.absent else []))
        kind = replace(store.kind, create_row=lambda *given: None, delete_row=lambda *given: None)
        assert words in reconcile_resource(target, kind, declared, check_mode=False)["msg"]


class TestManyResources:
    """Many resources are reconciled, as for the definition of a product."""

    MANY = tuple(Declared(f"thing-{number}", {"colour": "blue"}) for number in range(20))

    def run(self, target: Target, store: Store, **options: Any) -> Outcome:
        return reconcile_resources(target, store.kind, self.MANY, **{"check_mode": False, **options})

    def test_each_resource_is_written_once_and_the_list_read_twice(self, target: Target) -> None:
        store = Store()
        outcome = self.run(target, store)
        assert (outcome.error, len(outcome.written)) == (None, 20)
        assert store.calls == {"list": 2, "read": 20, "create": 20}
        assert [item.key for item in outcome.diff.items] == [each.key for each in self.MANY]

    def test_failure_of_one_resource_does_not_stop_the_others(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [None, (REFUSED, False), None, (AMBIGUOUS, True)]
        outcome = self.run(target, store)
        assert (list(outcome.errors.values()), outcome.stopped) == ([REFUSED], None)
        assert (len(outcome.written), len(store.rows)) == (19, 19)

    def test_expired_token_ends_the_run(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(EXPIRED, False)] * 20
        target.http.workers = 1
        outcome = self.run(target, store)
        assert (outcome.error, outcome.errors, store.calls["create"]) == (EXPIRED, {}, 1)


TWO = {"id": "2", "name": "two", "color": "red"}
RESERVED = {"id": "3", "name": "mesh-barn", "color": "red"}
NAMELESS = {"id": "4", "color": "red"}


def is_reserved(row: Row) -> bool:
    return str(row["name"]).startswith("mesh-")


def plan_run(target: Target, kind: Kind, *declared: Declared, prune: bool = False) -> KindRun:
    """Begin a run, and plan it."""
    run = KindRun(target, kind, declared, prune=prune)
    run.plan()
    return run


def list_actions(run: KindRun) -> dict[str, Action]:
    return {change.key: change.action for change in run.outcome.changes}


class TestPruning:
    """Resources that are not declared are removed if the user asks for it."""

    def test_undeclared_resources_are_removed_except_reserved_ones(self, target: Target) -> None:
        store = Store(RED, TWO, RESERVED, NAMELESS)
        run = plan_run(target, replace(store.kind, is_reserved=is_reserved), BLUE, prune=True)
        assert list_actions(run) == {"one": Action.UPDATE, "two": Action.DELETE}
        run.apply()
        run.verify()
        assert (run.outcome.error, sorted(store.rows)) == (None, ["1", "3", "4"])

    def test_nothing_undeclared_is_removed_without_prune(self, target: Target) -> None:
        store = Store(RED, TWO)
        assert list_actions(plan_run(target, store.kind, BLUE)) == {"one": Action.UPDATE}

    def test_second_pruning_run_writes_nothing(self, target: Target) -> None:
        store = Store(RED, TWO)
        kind = replace(store.kind, is_reserved=is_reserved)
        plan_run(target, kind, BLUE, prune=True).apply()
        assert list_actions(plan_run(target, kind, BLUE, prune=True)) == {"one": Action.NONE}

    def test_resource_in_use_is_not_pruned(self, target: Target) -> None:
        def refuse(target: Target, row: Row) -> None:
            raise ParticleError("conflict", f"{row['name']} is in use.")

        run = plan_run(target, replace(Store(RED, TWO).kind, refuse_removal=refuse), prune=True)
        with pytest.raises(ParticleError, match="2 resources cannot") as caught:
            run.refuse()
        assert "one is in use.\n  two is in use." in caught.value.message
        run.refuse(force=True)


class TestSteps:
    """Several kinds are planned before the first write, and removals come after all other writes."""

    def test_only_the_given_actions_are_written(self, target: Target) -> None:
        store = Store(RED, TWO)
        run = plan_run(target, store.kind, BLUE, Declared("new"), Declared("two", absent=True))
        run.apply({Action.CREATE, Action.UPDATE})
        assert (writes(store), run.outcome.written) == ({"create": 1, "update": 1}, {"one", "new"})
        run.apply({Action.DELETE})
        assert (writes(store), run.outcome.error) == ({"create": 1, "update": 1, "delete": 1}, None)

    def test_lost_answer_to_one_action_does_not_write_the_others(self, target: Target) -> None:
        store = Store(RED, TWO)
        store.faults["update"] = [(AMBIGUOUS, False)]
        run = plan_run(target, store.kind, BLUE, Declared("two", absent=True))
        run.apply({Action.UPDATE})
        assert (writes(store), "2" in store.rows) == ({"update": 2}, True)

    def test_refused_creations_are_joined_before_any_write(self, target: Target) -> None:
        def refuse(target: Target, change: Change) -> None:
            raise ParticleError("conflict", f"{change.key} is archived.", hint="Restore it.")

        store = Store(RED)
        kind = replace(store.kind, refuse_creation=refuse)
        declared = (BLUE, Declared("two"), Declared("three"))
        for check_mode in (True, False):
            with pytest.raises(ParticleError, match="2 resources cannot reach the declared state") as caught:
                reconcile_resources(target, kind, declared, check_mode=check_mode)
            assert (caught.value.code, caught.value.hint) == ("conflict", "Restore it.")
            assert "two is archived.\n  three is archived." in caught.value.message
        assert writes(store) == {}

    def test_single_refusal_is_reported_unchanged(self, target: Target) -> None:
        def refuse(target: Target, change: Change) -> None:
            raise REFUSED

        kind = replace(Store(RED).kind, refuse_creation=refuse)
        with pytest.raises(ParticleError) as caught:
            reconcile_resources(target, kind, [BLUE, Declared("two")], check_mode=True)
        assert caught.value is REFUSED

    def test_expired_token_is_not_joined_with_refusals(self, target: Target) -> None:
        def refuse(target: Target, change: Change) -> None:
            raise EXPIRED if change.key == "two" else REFUSED

        kind = replace(Store().kind, refuse_creation=refuse)
        with pytest.raises(ParticleError) as caught:
            reconcile_resources(target, kind, [Declared("one"), Declared("two")], check_mode=True)
        assert caught.value is EXPIRED

    def test_existing_resource_that_is_another_thing_is_refused(self, target: Target) -> None:
        def refuse(target: Target, change: Change) -> None:
            raise ParticleError("conflict", f"{change.key} is another thing.")

        kind = replace(Store(RED).kind, refuse_existing=refuse)
        with pytest.raises(ParticleError, match="one is another thing"):
            reconcile_resources(target, kind, [Declared("one"), Declared("two")], check_mode=True)
        reconcile_resources(target, kind, [Declared("one", absent=True), Declared("two")], check_mode=True)


class TestWritingTogether:
    """Some kinds write the changes of several resources with one request."""

    DECLARED = (BLUE, Declared("new", {"colour": "blue"}), Declared("two", absent=True), Declared("none", absent=True))

    def run(self, target: Target, store: Store) -> Outcome:
        kind = replace(store.kind, write_rows=store.write_rows)
        return reconcile_resources(target, kind, self.DECLARED, check_mode=False)

    def test_all_changes_are_written_in_one_call(self, target: Target) -> None:
        store = Store(RED, TWO)
        outcome = self.run(target, store)
        assert (outcome.error, outcome.written, writes(store)) == (None, {"one", "new", "two"}, {"together": 1})
        assert {row["name"]: row["color"] for row in store.rows.values()} == {"one": "blue", "new": "blue"}

    def test_second_run_makes_no_call(self, target: Target) -> None:
        store = Store(RED, TWO)
        self.run(target, store)
        store.calls.clear()
        assert (self.run(target, store).written, writes(store)) == (set(), {})

    def test_error_marks_all_resources_as_failed(self, target: Target) -> None:
        store = Store(RED, TWO)
        store.faults["together"] = [(REFUSED, False)]
        outcome = self.run(target, store)
        assert (set(outcome.errors), outcome.written, outcome.error) == ({"one", "new", "two"}, set(), REFUSED)
        assert writes(store) == {"together": 1}

    @pytest.mark.parametrize(("took_effect", "calls"), [(True, 1), (False, 2)])
    def test_lost_answer_is_settled(self, target: Target, took_effect: bool, calls: int) -> None:
        store = Store(RED, TWO)
        store.faults["together"] = [(AMBIGUOUS, took_effect)]
        outcome = self.run(target, store)
        assert (outcome.error, outcome.written) == (None, {"one", "new", "two"})
        assert (writes(store), len(store.rows)) == ({"together": calls}, 2)

    def test_expired_token_ends_the_run(self, target: Target) -> None:
        store = Store(RED, TWO)
        store.faults["together"] = [(EXPIRED, False)]
        outcome = self.run(target, store)
        assert (outcome.stopped, outcome.errors, outcome.written) == (EXPIRED, {}, set())

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_changes_are_refused_together_before_any_write(self, target: Target, check_mode: bool) -> None:
        seen = list[tuple[list[str], int]]()

        def refuse(changes: Sequence[Change], rows: Sequence[Row]) -> None:
            seen.append(([change.key for change in changes], len(rows)))
            raise REFUSED

        store = Store(RED, TWO)
        kind = replace(store.kind, write_rows=store.write_rows, refuse_changes=refuse)
        with pytest.raises(ParticleError):
            reconcile_resources(target, kind, [BLUE, Declared("two")], check_mode=check_mode)
        assert reconcile_resources(target, kind, [Declared("two")], check_mode=check_mode).changing == ()
        assert (seen, writes(store)) == ([(["one"], 2)], {})

    def test_resource_is_not_written_alone(self, target: Target) -> None:
        field = Field("name", "name", {"type": "str"})
        kind = Kind(name="things", module="thing", noun="thing", key=field, fields=(), list_rows=Store().list_rows)
        with pytest.raises(ParticleError, match="one was to be written alone"):
            kind.create_row(target, Change(BLUE, Action.CREATE))


class TestResponses:
    """Responses to writes may show a secret only once, and changes may take effect only later."""

    def kind(self, store: Store) -> Kind:
        """Return a kind whose responses to creations and updates contain a token."""

        def create(target: Target, change: Change) -> dict[str, str]:
            store.create_row(target, change)
            return {"access_token": f"created-{change.key}"}

        def update(target: Target, change: Change) -> dict[str, str] | None:
            store.update_row(target, change)
            return {"access_token": "updated"} if "token" in change.body else None

        return replace(store.kind, create_row=create, update_row=update)

    def test_secrets_that_are_shown_once_are_in_the_outcome(self, target: Target) -> None:
        declared = [Declared("one", {"token": "n3w"}), Declared("two", {"colour": "blue"}), Declared("new")]
        outcome = reconcile_resources(target, self.kind(Store(RED, TWO)), declared, check_mode=False)
        assert outcome.once == {"one": {"access_token": "updated"}, "new": {"access_token": "created-new"}}
        assert "created-new" not in repr(outcome)

    def test_module_returns_the_secrets_that_are_shown_once(self, target: Target) -> None:
        kind = self.kind(Store())
        results = [reconcile_resource(target, kind, Declared("new"), check_mode=False) for _unused in range(2)]
        assert [result["thing"].get("access_token") for result in results] == ["created-new", None]

    def test_failed_module_warns_that_it_does_not_return_them(self, target: Target) -> None:
        store, warnings = Store(), list[str]()
        store.faults["list"] = [None, (REFUSED, False)]
        result = reconcile_resource(
            replace(target, warn=warnings.append), self.kind(store), Declared("new"), check_mode=False
        )
        assert result["failed"]
        assert "created-new" not in str(result)
        assert warnings == [
            "The result of the failed task does not contain the new secrets of thing new, and the cloud does not show "
            "them again."
        ]

    def test_lost_answer_shows_no_secret(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, True)]
        outcome = reconcile_resources(target, self.kind(store), [Declared("new")], check_mode=False)
        assert (outcome.error, outcome.written, outcome.once) == (None, {"new"}, {})

    def test_resource_that_still_differs_may_be_pending(self, target: Target) -> None:
        kind = replace(
            Store(RED, TWO).kind,
            update_row=lambda target, change: None,
            find_pending=lambda change: "It will be blue later." if change.key == "one" else None,
        )
        result = reconcile_resource(target, kind, BLUE, check_mode=False)
        assert (result["changed"], result["msg"], "failed" in result) == (True, "It will be blue later.", False)
        outcome = reconcile_resources(target, kind, [BLUE, Declared("two", {"colour": "blue"})], check_mode=False)
        assert (outcome.pending, list(outcome.errors)) == ({"one": "It will be blue later."}, ["two"])

    def test_resource_that_is_as_declared_is_not_pending(self, target: Target) -> None:
        kind = replace(Store(RED).kind, find_pending=lambda change: "It will be blue later.")
        outcome = reconcile_resources(target, kind, [BLUE], check_mode=False)
        assert (outcome.pending, outcome.errors) == ({}, {})


class TestBatches:
    """A kind carries out some changes together, and others by their own requests."""

    def test_changes_of_one_batch_are_written_together(self, target: Target) -> None:
        store, batches = Store(RED), list[list[str]]()

        def write(where: Target, changes: Sequence[Change]) -> list[str]:
            batches.append([change.key for change in changes])
            for change in changes:
                store.create_row(where, change)
            return batches[-1]

        def find_batch(change: Change) -> str | None:
            return None if change.row else change.body["color"]

        declared = [BLUE, *(Declared(name, {"colour": color}) for name, color in (("a", "x"), ("b", "y"), ("c", "x")))]
        kind = replace(store.kind, write_rows=write, find_batch=find_batch)
        outcome = reconcile_resources(target, kind, declared, check_mode=False)
        assert (outcome.error, outcome.written) == (None, {"one", "a", "b", "c"})
        assert batches == [["a", "c"], ["b"]]
        assert writes(store) == {"create": 3, "update": 1}

    def test_failed_batch_fails_only_its_own_changes(self, target: Target) -> None:
        store = Store(RED)

        def refuse(where: Target, changes: Sequence[Change]) -> list[str]:
            raise REFUSED

        kind = replace(store.kind, write_rows=refuse, find_batch=lambda change: None if change.row else "new")
        outcome = reconcile_resources(target, kind, [BLUE, Declared("a"), Declared("b")], check_mode=False)
        assert (outcome.written, outcome.errors) == ({"one"}, {"a": REFUSED, "b": REFUSED})


class TestRefusals:
    """A kind refuses changes before the first write."""

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_removal_needs_the_confirmation_of_its_kind(self, target: Target, check_mode: bool) -> None:
        store = Store(RED)
        kind = replace(store.kind, removal_confirmation="thing_removal", describe_costs=lambda changes: "It is dear.")
        removal = [Declared("one", absent=True)]
        with pytest.raises(ParticleError) as caught:
            reconcile_resources(target, kind, removal, check_mode=check_mode, force=True, confirmed=["other"])
        assert (caught.value.code, caught.value.message) == (
            "invalid_option",
            "Removals of things must be confirmed: one. It is dear.",
        )
        assert caught.value.hint == "Set confirm to [thing_removal] to allow this, or correct the declaration."
        assert writes(store) == {}
        assert reconcile_resources(target, kind, removal, check_mode=False, confirmed=["thing_removal"]).written

    def test_check_mode_describes_the_costs(self, target: Target) -> None:
        kind = replace(Store(RED).kind, describe_costs=lambda changes: f"{len(changes)} would cost.")
        assert reconcile_resource(target, kind, BLUE, check_mode=True)["msg"] == "1 would cost."
        assert "msg" not in reconcile_resource(target, kind, BLUE, check_mode=False)

    def test_kind_names_the_state_that_removes_a_resource(self) -> None:
        kind = replace(Store().kind, absent_state="released")
        options = {"name": "one", "colour": None, "token": None}
        states = ("absent", "released")
        assert [kind.read_options({**options, "state": state}).absent for state in states] == [False, True]


class TestLocalFields:
    """Local fields add to declarations, and what they find on this machine changes the plan."""

    def kind(self, store: Store) -> Kind:
        """Return a kind whose resources get the colour of a local file, and are painted again if a file says so."""

        def complete(declared: Declared) -> Declared:
            return replace(declared, values={"colour": "blue", **declared.values})

        def revise(change: Change, just_written: bool) -> Change:
            if change.row is None or not change.row["is_faded"] or just_written:
                return change
            return replace(change, action=Action.UPDATE, after={**change.after, "paint": "new"})

        return replace(
            store.kind,
            complete=complete,
            observe=lambda target, declared, row: {**row, "is_faded": declared.values["colour"] == "blue"},
            revise=revise,
        )

    def test_completed_declaration_is_planned_and_written(self, target: Target) -> None:
        store = Store()
        reconcile_resource(target, self.kind(store), Declared("one"), check_mode=False)
        assert store.rows["new-0"]["color"] == "blue"

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_revised_change_is_predicted_and_written(self, target: Target, check_mode: bool) -> None:
        store = Store({**RED, "color": "blue"})
        result = reconcile_resource(target, self.kind(store), Declared("one"), check_mode=check_mode)
        assert result["changes"] == {"paint": {"before": None, "after": "new"}}
        assert writes(store) == ({} if check_mode else {"update": 1})

    def test_change_that_is_not_revised_writes_nothing(self, target: Target) -> None:
        store = Store(RED)
        result = reconcile_resource(target, self.kind(store), Declared("one", {"colour": "red"}), check_mode=False)
        assert not result["changed"]
        assert writes(store) == {}
