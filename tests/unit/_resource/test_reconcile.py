# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""From declared resources to written and proved ones, with a kind that lives in memory and fails as it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import OURS, RecordingHttp, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Declared, Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ALWAYS, ON_CREATE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import (
    Outcome,
    reconcile_resource,
    reconcile_resources,
)

AMBIGUOUS = ParticleError("ambiguous_write", "Could not learn it.", route="POST /v1/things")
UNREADABLE = ParticleError("bad_response", "Could not read it.", route="PUT /v1/things/:id")
GONE = ParticleError("not_found", "It is gone.", status=404, route="DELETE /v1/things/:id")
REFUSED = ParticleError("cloud_error", "Refused.", status=400, route="POST /v1/things")
DEAD = ParticleError("token_expired", "Expired.", status=401, route="GET /v1/things")


class Store:
    """A cloud in memory. It counts what is asked, and fails before or after it has carried a write out.

    :param faults: errors by `list`, `create`, `update` or `delete`, each with whether the write takes effect.
    """

    def __init__(self, *rows: Mapping[str, Any], mask: bool = False) -> None:
        self.rows = {str(row["id"]): dict(row) for row in rows}
        self.mask = mask
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, list[tuple[ParticleError, bool] | None]] = {}

    def _strike(self, call: str, write: Any = None) -> None:
        self.calls[call] += 1
        fault = self.faults[call].pop(0) if self.faults.get(call) else None
        if write is not None and (fault is None or fault[1]):
            write()
        if fault is not None:
            raise fault[0]

    def list_rows(self, target: Target) -> list[dict[str, Any]]:
        self._strike("list")
        return [{key: row[key] for key in ("id", "name")} for row in self.rows.values()]

    def read_row(self, target: Target, row: Mapping[str, Any]) -> dict[str, Any]:
        self._strike("read")
        found = dict(self.rows[row["id"]])
        return {**found, "token": "********"} if self.mask and "token" in found else found

    def create_row(self, target: Target, body: Mapping[str, Any]) -> None:
        self._strike("create", lambda: self.rows.update({f"new-{len(self.rows)}": self._row(body)}))

    def _row(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "id": f"new-{len(self.rows)}"}

    def update_row(self, target: Target, row: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._strike("update", lambda: self.rows[row["id"]].update(body))

    def delete_row(self, target: Target, row: Mapping[str, Any]) -> None:
        self._strike("delete", lambda: self.rows.pop(row["id"]))

    @property
    def kind(self) -> Kind:
        """Things of this store: a name, a colour and a token."""
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


def keep(target: Target, store: Store, declared: Declared, **options: Any) -> dict[str, Any]:
    return reconcile_resource(target, store.kind, declared, **{"check_mode": False, **options})


def writes(store: Store) -> dict[str, int]:
    return {call: number for call, number in store.calls.items() if call not in ("list", "read")}


class TestOneResource:
    """What a module of a kind gets."""

    def test_new_resource_is_created_and_proved(self, target: Target) -> None:
        store = Store()
        result = keep(target, store, BLUE)
        assert result["changed"]
        assert result["thing"] == {"id": "new-0", "name": "one", "colour": "blue", "token": None}
        assert result["diff"] == {"before": {}, "after": {"one": {"colour": "blue"}}}
        assert store.calls == {"list": 2, "read": 1, "create": 1}

    def test_update_sends_only_what_differs_where_that_is_enough(self, target: Target) -> None:
        store = Store(RED)
        result = keep(target, store, Declared("one", {"colour": "blue", "token": "t0ken"}))
        assert result["diff"] == {"before": {"one": {"colour": "red"}}, "after": {"one": {"colour": "blue"}}}
        assert store.rows["1"] == {**RED, "color": "blue"}
        assert writes(store) == {"update": 1}

    def test_second_run_writes_nothing(self, target: Target) -> None:
        store = Store(RED)
        keep(target, store, BLUE)
        store.calls.clear()
        assert not keep(target, store, BLUE)["changed"]
        assert store.calls == {"list": 1, "read": 1}

    def test_absent_resource_is_removed_once(self, target: Target) -> None:
        store = Store(RED)
        results = [keep(target, store, Declared("one", absent=True)) for _unused in range(2)]
        assert [(result["changed"], result["thing"]) for result in results] == [(True, None), (False, None)]
        assert writes(store) == {"delete": 1}

    @pytest.mark.parametrize("declared", [BLUE, Declared("two", {}), Declared("one", absent=True), Declared("one")])
    def test_check_mode_reads_the_same_and_predicts_the_run(self, target: Target, declared: Declared) -> None:
        predicting, writing = Store(RED), Store(RED)
        predicted, done = keep(target, predicting, declared, check_mode=True), keep(target, writing, declared)
        assert writes(predicting) == {}
        assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
        without_id = [{**(result["thing"] or {}), "id": None} for result in (predicted, done)]
        assert without_id[0] == without_id[1]

    def test_secrets_are_masked_in_what_the_client_says(self, target: Target) -> None:
        keep(target, Store({**RED, "token": "0ld-token"}), Declared("one", {"token": "n3w-token"}), check_mode=True)
        assert target.http.redact("0ld-token and n3w-token") == "******** and ********"

    @pytest.mark.parametrize(
        ("when", "changed", "words"),
        [(ON_CREATE, False, "They were left as they are; set update_secrets"), (ALWAYS, True, "They were written")],
    )
    def test_result_says_what_became_of_masked_secrets(
        self, target: Target, when: str, changed: bool, words: str
    ) -> None:
        store = Store(RED, mask=True)
        result = keep(target, store, Declared("one", {"token": "n3w-token"}), update_secrets=when)
        assert (result["changed"], result["not_compared"]) == (changed, ["token"])
        assert words in result["msg"]
        assert store.rows["1"]["token"] == ("n3w-token" if changed else "t0ken")


class TestDoubt:
    """Answers that are lost, or cannot be read."""

    @pytest.mark.parametrize(("took_effect", "creations"), [(True, 1), (False, 2)])
    def test_lost_answer_to_a_creation_makes_no_twin(self, target: Target, took_effect: bool, creations: int) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, took_effect)]
        result = keep(target, store, Declared("one", {"colour": "blue", "token": "t0ken"}))
        assert (result["changed"], "failed" in result) == (True, False)
        assert (len(store.rows), store.calls["create"]) == (1, creations)

    def test_creation_is_never_repeated_without_a_look(self, target: Target) -> None:
        store = Store()
        store.faults = {"create": [(AMBIGUOUS, True)], "list": [None, (DEAD, False)]}
        result = keep(target, store, BLUE)
        assert (result["failed"], result["error"]["code"], store.calls["create"]) == (True, "ambiguous_write", 1)
        assert not keep(target, store, BLUE)["changed"]
        assert len(store.rows) == 1

    def test_creation_that_stays_in_doubt_fails(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, False)] * 2
        result = keep(target, store, BLUE)
        assert (result["changed"], result["error"]["code"], store.rows) == (False, "ambiguous_write", {})

    def test_twin_that_comes_late_is_reported_with_both_ids(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(AMBIGUOUS, False)]
        create = store.create_row

        def create_late(where: Target, body: Mapping[str, Any]) -> None:
            create(where, body)
            store.rows["late"] = {**body, "id": "late"}  # the first request arrives after the second

        kind = replace(store.kind, create_row=create_late)
        result = reconcile_resource(target, kind, BLUE, check_mode=False)
        assert (result["changed"], result["error"]["code"]) == (True, "conflict")
        assert "2 things are called one: late and new-0" in result["msg"]

    def test_removal_that_finds_nothing_is_done(self, target: Target) -> None:
        store = Store(RED)
        store.faults["delete"] = [(GONE, True)]
        result = keep(target, store, Declared("one", absent=True))
        assert (result["changed"], "failed" in result, writes(store)) == (True, False, {"delete": 1})

    @pytest.mark.parametrize("took_effect", [True, False])
    def test_update_whose_answer_is_unreadable_is_looked_at(self, target: Target, took_effect: bool) -> None:
        store = Store(RED)
        store.faults["update"] = [(UNREADABLE, took_effect)]
        result = keep(target, store, BLUE)
        assert (result["changed"], result.get("failed", False)) == (took_effect, not took_effect)
        assert writes(store) == {"update": 1}

    def test_unseen_secret_of_an_unreadable_update_is_a_failure(self, target: Target) -> None:
        store = Store(RED, mask=True)
        store.faults["update"] = [(UNREADABLE, True)]
        result = keep(target, store, Declared("one", {"token": "n3w-token"}), update_secrets=ALWAYS)
        assert result["error"]["code"] == "bad_response"


class TestFailures:
    """Writes that are refused, or do not last."""

    def test_refused_creation_fails_and_changes_nothing(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(REFUSED, False)]
        result = keep(target, store, BLUE)
        assert (result["changed"], result["failed"], result["thing"]) == (False, True, None)
        assert store.calls == {"list": 1, "create": 1}

    def test_write_that_does_not_last_is_a_failure(self, target: Target) -> None:
        store = Store(RED)
        kind = replace(store.kind, update_row=lambda target, row, body: None)
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
    """What a definition of a product gets."""

    MANY = tuple(Declared(f"thing-{number}", {"colour": "blue"}) for number in range(20))

    def run(self, target: Target, store: Store, **options: Any) -> Outcome:
        return reconcile_resources(target, store.kind, self.MANY, **{"check_mode": False, **options})

    def test_each_is_written_once_and_the_list_is_read_twice(self, target: Target) -> None:
        store = Store()
        outcome = self.run(target, store)
        assert (outcome.error, len(outcome.written)) == (None, 20)
        assert store.calls == {"list": 2, "read": 20, "create": 20}
        assert list(outcome.build_diff()["after"]) == [each.key for each in self.MANY]

    def test_failure_is_that_of_its_resource(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [None, (REFUSED, False), None, (AMBIGUOUS, True)]
        outcome = self.run(target, store)
        assert (list(outcome.errors.values()), outcome.stopped) == ([REFUSED], None)
        assert (len(outcome.written), len(store.rows)) == (19, 19)

    def test_failure_of_all_ends_the_run(self, target: Target) -> None:
        store = Store()
        store.faults["create"] = [(DEAD, False)] * 20
        target.http.workers = 1
        outcome = self.run(target, store)
        assert (outcome.error, outcome.errors, store.calls["create"]) == (DEAD, {}, 1)
