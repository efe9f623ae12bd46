# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""API users are created, changed and removed, and an interrupted replacement of a token is continued."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import OURS

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.api_users import API_USERS, REPLACED
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import reconcile_resources
from support.in_process import TOKEN, URL, InProcessSimulator

NAME = "nightly-report"
TEAM = "/v1/products/field-logger/team"
READ = ["devices:list", "products:get"]
WRITE = [*READ, "devices:update"]


class Killed(BaseException):
    """The end of a process in a test. It is not an error, so that no code handles it like one."""


class Cloud(InProcessSimulator):
    """A simulator that can kill its client at one of the next requests, or fail one of them.

    :ivar kill_at: the number of requests until the client is killed; ``None`` if it is not killed.
    :ivar is_carried_out: whether the cloud carries out the request at which the client is killed.
    :ivar known: the only tokens that the cloud accepts when they are checked; empty if it accepts all valid tokens.
    :ivar refusals: the status and body of the response to the next request with a method, in place of its effect.
    """

    def __init__(self) -> None:
        super().__init__([])
        self.kill_at: int | None = None
        self.is_carried_out = False
        self.refusals: dict[str, list[tuple[int, bytes]]] = {}
        self.lost: set[str] = set()
        self.known: tuple[str, ...] = ()

    def answer(self, method: str, path: str, query: str, headers: Any, **content: Any) -> tuple[int, bytes, Any]:
        if self.kill_at == 0:
            raise Killed
        if self.kill_at is not None:
            self.kill_at -= 1
        if self.kill_at == 0 and not self.is_carried_out:
            raise Killed
        known = [f"Bearer {token}" for token in self.known]
        if known and path.endswith("/current") and headers["Authorization"] not in known:
            return 401, b'{"error":"invalid_token"}', {"Content-Type": "application/json"}
        if self.refusals.get(method):
            status, body = self.refusals[method].pop(0)
            return status, body, {"Content-Type": "application/json"}
        answer = super().answer(method, path, query, headers, **content)
        if self.kill_at == 0:
            raise Killed
        if method in self.lost:
            self.lost.remove(method)
            return answer[0], answer[1][: len(answer[1]) // 2], answer[2]
        return answer

    def call(self, method: str, path: str = TEAM, **content: Any) -> Any:
        """Send a request for the product without the collection."""
        status, body, _unused = InProcessSimulator.answer(
            self, method, path, "", {"Authorization": f"Bearer {TOKEN}"}, **content
        )
        assert status == 200, body
        return json.loads(body)

    def create(self, name: str, scopes: list[str]) -> tuple[str, str]:
        """Create an API user, and return its username and token."""
        created = self.call("POST", fields={"friendly_name": name, "scopes": scopes})["created"]
        return created["username"], created["tokens"][0]["token"]

    def list_users(self) -> dict[str, dict[str, Any]]:
        """Return the API users by username."""
        return {row["username"]: row for row in self.call("GET")["team"] if row.get("is_programmatic")}

    def describe_users(self) -> list[tuple[str, list[str]]]:
        """Return the name and the scopes of each API user."""
        return [(row["friendly_name"], sorted(row["scopes"])) for row in self.list_users().values()]

    def accepts(self, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return InProcessSimulator.answer(self, "GET", "/v1/access_tokens/current", "", headers)[0] == 200

    def count_writes(self) -> int:
        return int(self.stats()["writes"])


@pytest.fixture(scope="module")
def _cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    """A cloud whose product has no API user."""
    _cloud.kill_at, _cloud.refusals, _cloud.lost, _cloud.known = None, {}, set(), ()
    _cloud.reset()
    return _cloud


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def connect(cloud: Cloud, token: str = TOKEN) -> Target:
    return Target(cloud.connect(SYSTEM_CLOCK, token), OURS, lambda text: None)


def declare(scopes: list[str] | None = None, file: Path | None = None, **values: Any) -> Declared:
    given = {"scopes": scopes, "user_token_file": None if file is None else str(file), **values}
    return Declared(NAME, {name: value for name, value in given.items() if value is not None})


def run(cloud: Cloud, declared: Declared, *, check_mode: bool = False, token: str = TOKEN) -> dict[str, Any]:
    """Bring the API user to its declared state, and return the result of the module."""
    result = reconcile_resource(connect(cloud, token), API_USERS, declared, check_mode=check_mode)
    assert "error" not in result, result["error"]
    return result


def fail(cloud: Cloud, declared: Declared, **options: Any) -> ParticleError:
    """Bring the API user to its declared state, which must fail, and return the error."""
    try:
        outcome: Outcome = reconcile_resources(connect(cloud, **options), API_USERS, [declared], check_mode=False)
    except ParticleError as error:
        return error
    assert outcome.error is not None
    return outcome.error


def read_token(file: Path) -> str:
    """Return the token that other tasks read from the file."""
    token = TokenStore(file).find_usable_token(URL, NAME, 0.0)
    assert token is not None
    return token


# --- what users do ---


def test_new_user_returns_its_token_once(cloud: Cloud) -> None:
    created = run(cloud, declare(READ))
    assert cloud.describe_users() == [(NAME, READ)]
    assert cloud.accepts(created["api_user"]["token"])
    writes = cloud.count_writes()
    second = run(cloud, declare(READ[::-1]))
    assert (second["changed"], cloud.count_writes()) == (False, writes)
    assert "token" not in second["api_user"]


def test_token_is_stored_and_not_returned_if_there_is_a_file(cloud: Cloud, file: Path) -> None:
    created = run(cloud, declare(READ, file))
    assert cloud.accepts(read_token(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_token(file) not in str(created)
    writes = cloud.count_writes()
    assert not run(cloud, declare(READ, file))["changed"]
    assert cloud.count_writes() == writes


@pytest.mark.parametrize("stores", [True, False])
def test_changed_scopes_replace_the_user_and_its_token(cloud: Cloud, file: Path, stores: bool) -> None:
    declared = [declare(scopes, file if stores else None) for scopes in (READ, WRITE)]
    first = run(cloud, declared[0])
    old = read_token(file) if stores else first["api_user"]["token"]
    predicted = run(cloud, declared[1], check_mode=True)
    assert predicted["changes"]["token"] == {"before": None, "after": REPLACED}
    assert cloud.accepts(old)
    changed = run(cloud, declared[1])
    new = read_token(file) if stores else changed["api_user"]["token"]
    assert changed["changes"] == predicted["changes"]
    assert cloud.describe_users() == [(NAME, sorted(WRITE))]
    assert (cloud.accepts(old), cloud.accepts(new)) == (False, True)
    assert not run(cloud, declared[1])["changed"]


def test_old_token_works_until_the_new_one_is_stored(cloud: Cloud, file: Path) -> None:
    run(cloud, declare(READ, file))
    old = read_token(file)
    cloud.refusals["DELETE"] = [(400, b"{}")]
    fail(cloud, declare(WRITE, file))
    assert cloud.accepts(old)
    assert cloud.accepts(read_token(file))
    assert read_token(file) != old


def test_rotation_replaces_the_token_in_every_run(cloud: Cloud, file: Path) -> None:
    tokens = []
    for _unused in range(3):
        assert run(cloud, declare(READ, file, rotate=True))["changed"]
        tokens.append(read_token(file))
    assert [cloud.accepts(token) for token in tokens] == [False, False, True]
    assert cloud.describe_users() == [(NAME, READ)]


def test_removed_user_and_its_stored_token_are_gone(cloud: Cloud, file: Path) -> None:
    run(cloud, declare(READ, file))
    token = read_token(file)
    assert run(cloud, Declared(NAME, {"user_token_file": str(file)}, absent=True))["changed"]
    assert cloud.list_users() == {}
    assert token not in file.read_text()
    assert not run(cloud, Declared(NAME, {"user_token_file": str(file)}, absent=True))["changed"]


def test_undeclared_scopes_remain(cloud: Cloud, file: Path) -> None:
    run(cloud, declare(READ, file))
    assert run(cloud, declare(file=file, rotate=True))["changed"]
    assert cloud.describe_users() == [(NAME, READ)]


def test_other_users_and_people_are_left_alone(cloud: Cloud) -> None:
    other = cloud.create("other", WRITE)
    people = [row for row in cloud.call("GET")["team"] if not row.get("is_programmatic")]
    run(cloud, declare(READ))
    run(cloud, declare(WRITE))
    run(cloud, Declared(NAME, absent=True))
    assert list(cloud.list_users()) == [other[0]]
    assert [row for row in cloud.call("GET")["team"] if not row.get("is_programmatic")] == people


# --- tokens that the file does not contain ---


def test_existing_user_without_stored_token_is_refused(cloud: Cloud, file: Path) -> None:
    token = cloud.create(NAME, READ)[1]
    error = fail(cloud, declare(READ, file))
    assert error.code == "conflict"
    assert "set rotate to true" in error.hint
    assert cloud.accepts(token)
    run(cloud, declare(READ, file, rotate=True))
    assert cloud.accepts(read_token(file))


def test_stored_token_that_is_refused_is_replaced(cloud: Cloud, file: Path) -> None:
    run(cloud, declare(READ, file))
    (username,) = cloud.list_users()
    cloud.call("PUT", f"{TEAM}/{username}/token", fields={})
    assert not cloud.accepts(read_token(file))
    assert run(cloud, declare(READ, file))["changed"]
    assert cloud.accepts(read_token(file))


def test_twins_are_refused_with_their_usernames(cloud: Cloud) -> None:
    usernames = sorted(cloud.create(NAME, READ)[0] for _unused in range(2))
    error = fail(cloud, declare(WRITE))
    assert error.code == "twins"
    assert all(username in error.message for username in usernames)
    assert sorted(cloud.list_users()) == usernames


# --- interrupted runs ---


def prepare_nothing(cloud: Cloud, file: Path | None) -> None:
    """Prepare a run that creates the API user."""


def prepare_user(cloud: Cloud, file: Path | None) -> None:
    """Prepare a run that replaces the token of an existing API user."""
    run(cloud, declare(READ, file))


def list_kills(
    cloud: Cloud, prepare: Callable[[Cloud, Path | None], None], file: Path | None, step: int = 1
) -> Iterator[str]:
    """Kill a run before and after each of its requests, in the cloud that `prepare` leaves; yield after each kill.

    :param step: 2 to kill it only before the requests.
    """
    for moment in itertools.count(2, step):
        number, is_carried_out = divmod(moment, 2)
        cloud.kill_at = None
        cloud.reset()
        if file is not None:
            file.unlink(missing_ok=True)
        prepare(cloud, file)
        cloud.kill_at, cloud.is_carried_out = number, bool(is_carried_out)
        try:
            run(cloud, declare(WRITE, file))
        except Killed:
            cloud.kill_at = None
            yield f"killed {'after' if is_carried_out else 'before'} request {number}"
        else:
            assert number > 5
            return


@pytest.mark.parametrize("prepare", [prepare_nothing, prepare_user])
def test_killed_run_is_continued_by_the_next_run(
    cloud: Cloud, file: Path, prepare: Callable[[Cloud, Path | None], None]
) -> None:
    for moment in list_kills(cloud, prepare, file):
        if prepare is prepare_user:
            assert cloud.accepts(read_token(file)), moment
        run(cloud, declare(WRITE, file))
        assert cloud.describe_users() == [(NAME, sorted(WRITE))], moment
        assert cloud.accepts(read_token(file)), moment
        assert "next" not in json.loads(file.read_text())["tokens"][0], moment
        writes = cloud.count_writes()
        assert not run(cloud, declare(WRITE, file))["changed"], moment
        assert cloud.count_writes() == writes, moment


def test_killed_run_without_a_file_leaves_one_user(cloud: Cloud) -> None:
    for moment in list_kills(cloud, prepare_user, None):
        result = run(cloud, declare(WRITE))
        assert cloud.describe_users() == [(NAME, sorted(WRITE))], moment
        # A run that was killed after its last write has done everything, but returned no token.
        assert "token" not in result["api_user"] or cloud.accepts(result["api_user"]["token"]), moment


@pytest.mark.parametrize("prepare", [prepare_nothing, prepare_user])
def test_user_of_a_killed_run_is_removed_completely(
    cloud: Cloud, file: Path, prepare: Callable[[Cloud, Path | None], None]
) -> None:
    for moment in list_kills(cloud, prepare, file, step=2):
        run(cloud, Declared(NAME, {"user_token_file": str(file)}, absent=True))
        assert cloud.list_users() == {}, moment


def test_scopes_that_change_after_a_kill_are_set(cloud: Cloud, file: Path) -> None:
    for moment in list_kills(cloud, prepare_user, file, step=2):
        run(cloud, declare([*READ, "events:get"], file))
        assert cloud.describe_users() == [(NAME, sorted([*READ, "events:get"]))], moment
        assert cloud.accepts(read_token(file)), moment


def test_check_mode_after_a_kill_changes_nothing(cloud: Cloud, file: Path) -> None:
    for moment in list_kills(cloud, prepare_user, file, step=2):
        writes, stored = cloud.count_writes(), file.read_text()
        predicted = run(cloud, declare(WRITE, file), check_mode=True)
        assert (cloud.count_writes(), file.read_text()) == (writes, stored), moment
        assert run(cloud, declare(WRITE, file))["changed"] == predicted["changed"], moment


# --- failures ---


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize("stores", [True, False])
def test_lost_response_ends_in_the_declared_state(cloud: Cloud, file: Path, method: str, stores: bool) -> None:
    place = file if stores else None
    run(cloud, declare(READ, place))
    cloud.lost = {method}
    result = run(cloud, declare(WRITE, place))
    assert cloud.lost == set()
    assert cloud.describe_users() == [(NAME, sorted(WRITE))]
    assert cloud.accepts(read_token(file) if stores else result["api_user"]["token"])


def test_lost_response_to_a_creation_leaves_one_user(cloud: Cloud, file: Path) -> None:
    cloud.lost = {"POST"}
    run(cloud, declare(READ, file))
    assert cloud.describe_users() == [(NAME, READ)]
    assert cloud.accepts(read_token(file))


def test_user_is_removed_if_its_token_cannot_be_stored(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ParticleError("unsafe_file", "The disk is full.")

    def refuse(*given: Any) -> None:
        raise full

    module = "ansible_collections.meshfleet.particle.plugins.module_utils._resource.api_user_tokens"
    monkeypatch.setattr(f"{module}._Tokens.store_next", refuse)
    assert fail(cloud, declare(READ, file)) is full
    assert cloud.list_users() == {}


@pytest.mark.parametrize("stores", [True, False])
def test_new_user_is_removed_if_the_cloud_refuses_its_token(cloud: Cloud, file: Path, stores: bool) -> None:
    place = file if stores else None
    run(cloud, declare(READ, place))
    users, cloud.known = cloud.list_users(), (TOKEN, *([read_token(file)] if stores else []))
    error = fail(cloud, declare(WRITE, place))
    assert error.code == "cloud_error"
    assert "does not accept the token that it has issued" in error.message
    assert cloud.list_users() == users
    cloud.known = ()
    assert run(cloud, declare(WRITE, place))["changed"]


def test_user_that_cannot_be_removed_is_named(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise ParticleError("unsafe_file", "The disk is full.")

    module = "ansible_collections.meshfleet.particle.plugins.module_utils._resource.api_user_tokens"
    monkeypatch.setattr(f"{module}._Tokens.store_next", refuse)
    cloud.refusals["DELETE"] = [(400, b"{}")]
    error = fail(cloud, declare(READ, file))
    (username,) = cloud.list_users()
    assert "The disk is full." in error.message
    assert username in error.message
    assert username in error.hint


def test_folder_that_does_not_exist_is_refused_before_a_write(cloud: Cloud, tmp_path: Path) -> None:
    writes = cloud.count_writes()
    assert fail(cloud, declare(READ, tmp_path / "missing" / "tokens.json")).code == "unsafe_file"
    assert cloud.count_writes() == writes


def test_refused_creation_leaves_no_trace_in_the_file(cloud: Cloud, file: Path) -> None:
    cloud.refusals["POST"] = [(403, b"{}")]
    assert fail(cloud, declare(READ, file)).code == "forbidden"
    token = cloud.create(NAME, READ)[1]
    assert "does not contain its token" in fail(cloud, declare(READ, file)).message
    assert cloud.accepts(token)


def test_token_of_an_api_user_cannot_manage_api_users(cloud: Cloud) -> None:
    words = b'{"error":"unauthorized","error_description":"API users are not allowed to call this endpoint"}'
    cloud.refusals["GET"] = [(400, words)]
    error = fail(cloud, declare(READ))
    assert error.code == "missing_scope"
    assert "API users cannot make this call" in error.message
    assert "Use the token of a person" in error.hint


@pytest.mark.parametrize("declared", [Declared(NAME, absent=True), declare(READ)], ids=["removed", "changed"])
def test_user_whose_token_is_in_use_is_left_alone(cloud: Cloud, declared: Declared) -> None:
    scopes = [*READ, *(f"teams.users:{action}" for action in ("invite", "list", "remove", "update"))]
    token = cloud.create(NAME, scopes)[1]
    writes = cloud.count_writes()
    error = fail(cloud, declared, token=token)
    assert "This task may use the token of API user nightly-report" in error.message
    assert cloud.count_writes() == writes
    run(cloud, declared)


def test_all_mistakes_of_a_declaration_are_named() -> None:
    declared = Declared("x (next)", {"scopes": ["device:list"], "scopes_for": ["device_inf", "device_info"]})
    with pytest.raises(ParticleError) as caught:
        check_declared(API_USERS, declared)
    assert "names that end with ' (next)' are reserved" in caught.value.message
    assert "'device:list' is not a scope of API users (did you mean devices:list?)" in caught.value.message
    assert "'device_inf' is not content with known scopes (did you mean device_info?)" in caught.value.message


def test_scopes_of_contents_are_added_to_declared_scopes(cloud: Cloud) -> None:
    run(cloud, declare(["events:get"], scopes_for=["device_info"]))
    ((_name, scopes),) = cloud.describe_users()
    assert {"events:get", "devices:list", "products:get"} <= set(scopes)


def test_user_cannot_be_created_without_scopes(cloud: Cloud, file: Path) -> None:
    assert "cannot be created without scopes" in fail(cloud, declare(file=file)).message
