# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test reading lists in pages, and running work in parallel."""

from __future__ import annotations

import signal
import threading
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import (
    list_account_devices,
    look_up_serial_number,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.integrations import list_integrations
from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import list_instances, list_ledgers
from ansible_collections.meshfleet.particle.plugins.module_utils._api.mesh_registry import (
    find_network,
    list_members,
    list_networks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import (
    DEFAULT_OPTIONS,
    PAGE_SIZE,
    Listing,
    ListOptions,
    Watch,
    read_pages,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    list_product_devices,
    list_products,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import DEVICE_ROWS, RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import list_account_tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import DEFAULT_WORKERS, Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud

ROUTE, PATH = "GET /v1/products/:p/devices", "/v1/products/7/devices"


def read_devices(
    http: Http, options: ListOptions = DEFAULT_OPTIONS, query: Mapping[str, str] | None = None, private: bool = False
) -> Listing:
    request = Request(ROUTE, "list devices", {"p": 7}, query=query, private=private)
    return read_pages(http, request, RowForm(("devices", "data")), options)


def build_page(*names: str, total: object) -> dict[str, object]:
    return {"devices": [{"id": name} for name in names], "meta": {"total_pages": total}}


def test_every_page_is_read_once(http: Http, scripted_cloud: ScriptedCloud) -> None:
    for names in ("ab", "cd", "e"):
        scripted_cloud.answer("GET", PATH, json=build_page(*names, total=3))
    listing = read_devices(http)
    assert sorted(row["id"] for row in listing.rows) == list("abcde")
    assert (listing.pages, listing.complete) == (3, True)
    assert sorted(request.query["page"] for request in scripted_cloud.requests) == ["1", "2", "3"]


def test_page_size_is_sent_in_both_spellings_beside_the_filters(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page("a", total=1))
    read_devices(http, query={"groups": "north"})
    size = str(PAGE_SIZE)
    assert scripted_cloud.requests[0].query == {"groups": "north", "page": "1", "perPage": size, "per_page": size}


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "a"}],
        {"devices": [{"id": "a"}]},
        {"data": [{"id": "a"}], "meta": None},
        build_page("a", total=0),
        build_page("a", total=None),
        build_page("a", total="1"),
    ],
)
def test_list_without_valid_page_count_is_one_complete_page(
    http: Http, scripted_cloud: ScriptedCloud, body: Any
) -> None:
    scripted_cloud.answer("GET", PATH, json=body)
    assert read_devices(http) == Listing(({"id": "a"},), 1, True)


def test_empty_list_is_complete(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page(total=0))
    assert read_devices(http) == Listing((), 1, True)


def test_only_requested_keys_of_each_row_are_returned(http: Http, scripted_cloud: ScriptedCloud) -> None:
    rows = [{"id": "a", "name": "one", "vitals": {"much": "more"}}, {"id": "b"}]
    scripted_cloud.answer("GET", PATH, json={"devices": rows, "meta": {"total_pages": 1}})
    assert read_devices(http, ListOptions(keep=frozenset({"id", "name"}))).rows == (
        {"id": "a", "name": "one"},
        {"id": "b"},
    )


def test_list_that_grows_while_it_is_read_is_not_complete(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page("a", total=2)).answer("GET", PATH, json=build_page("b", total=3))
    assert read_devices(http).complete is False


@pytest.mark.parametrize("total", [100_001, 10**12])
def test_list_with_too_many_pages_fails_after_the_first_page(
    http: Http, scripted_cloud: ScriptedCloud, total: int
) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page("a", total=total))
    with pytest.raises(ParticleError, match=f"announces {total} pages") as caught:
        read_devices(http)
    assert caught.value.code == "bad_response"
    assert len(scripted_cloud.requests) == 1


def test_whole_list_fails_if_one_page_fails(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page("a", total=3)).answer("GET", PATH, json=build_page("b", total=3))
    scripted_cloud.answer("GET", PATH, 403, json={"error": "No"})
    with pytest.raises(ParticleError) as caught:
        read_devices(http)
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("data", [None, {}, {"devices": None}, {"devices": {}}, ["a"], {"devices": [1]}, "[]", 7])
def test_answer_without_rows_is_a_bad_response(data: Any) -> None:
    with pytest.raises(ParticleError) as caught:
        extract_rows(data, DEVICE_ROWS, Request(ROUTE, "list devices", {"p": 7}))
    assert (caught.value.code, caught.value.route) == ("bad_response", ROUTE)


def test_parallel_work_runs_concurrently_and_keeps_its_order() -> None:
    barrier = threading.Barrier(4, timeout=5)

    def double(number: int) -> int:
        barrier.wait()
        return 2 * number

    assert map_in_parallel(double, range(8), 4) == [2 * number for number in range(8)]


def test_first_failure_cancels_the_items_that_have_not_started() -> None:
    started: list[int] = []

    def work(number: int) -> None:
        started.append(number)
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 0"):
        map_in_parallel(work, range(1000), 1)
    assert started == [0]


def test_interrupt_cancels_the_items_that_have_not_started() -> None:
    interrupted = threading.Event()
    started: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def work(number: int) -> None:
        started.append(number)
        if number == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert interrupted.wait(10)
        threading.Event().wait(0.001)  # takes as long as a short request

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            map_in_parallel(work, range(10_000), 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(started) < 10_000


def test_waiting_items_use_little_memory() -> None:
    tracemalloc.start()
    try:
        map_in_parallel(lambda number: None, range(100_000), 4)
        _unused, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000 * 100  # the numbers and two lists, but no object for each waiting item


def test_no_items_give_an_empty_result() -> None:
    assert map_in_parallel(str, [], 16) == []


# Lists that announce more than they have


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ([], []),
        (["a"], []),
        (["a", "b"], ["a", "b"]),
        (["a", "b"], ["b", "a", "a"]),
        ([f"{number}" for number in range(100)], ["0"]),
    ],
)
@pytest.mark.parametrize("total", [99_999, 2_000])
@pytest.mark.parametrize("watch", Watch)
def test_pages_without_new_rows_end_the_list(
    http: Http, scripted_cloud: ScriptedCloud, first: list[str], later: list[str], total: int, watch: Watch
) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page(*first, total=total))
    scripted_cloud.answer("GET", PATH, json=build_page(*later, total=total), repeat=True)
    with pytest.raises(ParticleError, match="different rows, and the cloud announces more pages") as caught:
        read_devices(http, ListOptions(watch=watch))
    assert caught.value.code == "bad_response"
    assert len(scripted_cloud.requests) < 25 + DEFAULT_WORKERS


def test_list_that_becomes_shorter_while_it_is_read_is_not_an_error(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json=build_page("a", "b", total=15))
    scripted_cloud.answer("GET", PATH, json=build_page(total=1), repeat=True)
    listing = read_devices(http)
    assert (len(listing.rows), listing.complete) == (2, False)


# Rows that nothing identifies


UNUSABLE = [None, 5, "", " ", [], {}, True, 1.5, ["a"], {"id": "a"}]
LISTS: dict[str, tuple[str, str, Callable[[Http], object]]] = {
    "claimed devices": ("/v1/devices", "id", list_account_devices),
    "product's devices": ("/v1/products/7/devices", "id", lambda http: list_product_devices(http, "7")),
    "device groups": ("/v1/products/7/groups", "name", lambda http: list_groups(http, "7")),
    "integrations": ("/v1/products/7/integrations", "id", lambda http: list_integrations(http, "7")),
    "ledgers": ("/v1/ledgers", "name", lambda http: list_ledgers(http, None)),
    "ledgers of an organization": ("/v1/orgs/acme/ledgers", "name", lambda http: list_ledgers(http, "acme")),
    "ledger instances": ("/v1/ledgers/mesh/instances", "scope", lambda http: list_instances(http, None, "mesh")),
    "tokens": ("/v1/access_tokens", "token", lambda http: list_account_tokens(http, "a@b.c", "pw")),
    "networks": ("/v1/networks", "id", list_networks),
    "network's devices": ("/v1/networks/n/devices", "id", lambda http: list_members(http, "n", "barn")),
    "products": ("/v1/orgs/acme/products", "id", lambda http: list_products(http, "acme")),
}


@pytest.mark.parametrize("name", LISTS)
def test_row_without_a_usable_identity_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud, name: str) -> None:
    path, key, read = LISTS[name]
    values = [value for value in UNUSABLE if not (name == "products" and value == 5)]
    rows = [{}, "row", None, 5, [], *({key: value, "notes": "x"} for value in values)]
    for row in rows:
        scripted_cloud.answer("GET", path, json=[row])
        with pytest.raises(ParticleError, match="item 1 of the list") as caught:
            read(http)
        assert caught.value.code == "bad_response"
    assert len(scripted_cloud.requests) == len(rows)


@pytest.mark.parametrize("data", [{}, [], {"id": None}, {"id": 5}, {"id": ""}, {"id": "not hexadecimal"}])
def test_single_answer_without_a_usable_id_is_a_bad_response(
    http: Http, scripted_cloud: ScriptedCloud, data: Any
) -> None:
    device_id = data.get("id") if isinstance(data, dict) else None
    scripted_cloud.answer("GET", "/v1/serial_numbers/S1", json={"device_id": device_id})
    with pytest.raises(ParticleError, match="contains no id"):
        look_up_serial_number(http, "S1")
    if device_id != "not hexadecimal":  # a network has an id of any form
        scripted_cloud.answer("GET", "/v1/networks/barn", json=data)
        with pytest.raises(ParticleError, match="contains no network"):
            find_network(http, "barn")
