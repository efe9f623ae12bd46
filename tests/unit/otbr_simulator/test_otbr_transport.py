# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Headers, bodies, methods and errors of the simulated border router (otbr-rest.md, section 1)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support.otbr_client import JSON_API, NODES, Router

COLLECTIONS = ("/api/actions", "/api/devices", "/api/diagnostics")
EMPTY = '{"data":[]}'


def test_discovery_document_names_the_version_and_the_links(router: Router) -> None:
    document = router.get("/.well-known/thread/br-rest")
    assert document["api"] == {"version": "0.5.0", "base": "/api/"}
    links = {link["rel"]: link["href"] for link in document["links"]}
    assert links["task"] == "/api/actions"
    assert set(links) == {"self", "node", "task", "device", "diagnostic"}
    assert all(isinstance(link["type"], list) for link in document["links"])


@pytest.mark.parametrize("path", ["/diagnostics", "/networks/current", "/node/coprocessor", "/api", "/", "/node/"])
def test_paths_of_earlier_versions_are_gone(router: Router, path: str) -> None:
    answer = router.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"title": "Not Found", "status": 404, "detail": ""})


def test_every_response_allows_every_web_page_to_read_it(router: Router) -> None:
    for path in ("/node", "/api/actions", "/nothing"):
        answer = router.call("GET", path)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, GET, OPTIONS, POST, PUT"


def test_error_body_is_indented_with_tabs_and_has_no_detail(router: Router) -> None:
    answer = router.call("PUT", "/node/state", "enable")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == '{\n\t"title": "Bad Request",\n\t"status": 400,\n\t"detail": ""\n}'


@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
def test_method_that_is_not_supported_is_refused_with_405(router: Router, method: str) -> None:
    answer = router.call(method, "/node/dataset/active")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    if method == "PATCH":
        assert answer.json()["detail"] == "method not supported"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/actions"),
        ("POST", "/api/actions/0d71a26c-c9aa-447e-aa9a-3a640ca7f1d8"),
        ("POST", "/api/devices"),
        ("DELETE", "/node/dataset/active"),
        ("DELETE", "/node/dataset/pending"),
        ("POST", "/node/dataset/active"),
        ("OPTIONS", "/api/node"),
    ],
)
def test_known_path_with_another_method_is_not_found(router: Router, method: str, path: str) -> None:
    assert router.call(method, path).status_code == 404


@pytest.mark.parametrize("path", ["/node/state", "/node/dataset/active", "/node/commissioner/joiner"])
def test_options_of_the_older_family_is_an_empty_200(router: Router, path: str) -> None:
    answer = router.call("OPTIONS", path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", [*COLLECTIONS, "/.well-known/thread/br-rest"])
def test_options_of_the_newer_family_is_a_204_with_allow(router: Router, path: str) -> None:
    answer = router.call("OPTIONS", path)
    assert answer.status_code == 204
    assert {"GET", "OPTIONS"} <= set(answer.headers["Allow"].split(", "))


class TestAccept:
    """The header `Accept` must be one of three texts (otbr-rest.md, section 1.1)."""

    @pytest.mark.parametrize("path", COLLECTIONS)
    @pytest.mark.parametrize("accept", [JSON_API, "application/json", "*/*"])
    def test_three_texts_are_accepted(self, router: Router, path: str, accept: str) -> None:
        assert router.call("GET", path, Accept=accept).status_code == 200

    @pytest.mark.parametrize("path", COLLECTIONS)
    @pytest.mark.parametrize("accept", [None, "application/*", f"{JSON_API}, */*", "text/html"])
    def test_every_other_text_is_refused(self, router: Router, path: str, accept: str | None) -> None:
        assert router.call("GET", path, Accept=accept).status_code == 406

    def test_items_follow_the_same_rule(self, leader: Router) -> None:
        task = leader.start_join(0)
        assert leader.call("GET", f"/api/actions/{task}", Accept="application/*").status_code == 406

    def test_older_family_accepts_everything(self, router: Router) -> None:
        assert router.call("GET", "/node", Accept="text/html, */*").status_code == 200

    def test_plain_json_leaves_out_ids_and_types(self, leader: Router) -> None:
        leader.start_join(0)
        (item,) = leader.call("GET", "/api/actions", Accept="application/json").json()
        assert item["eui"] == NODES[0]
        assert not {"id", "type"} & set(item)


class TestContentType:
    """New tasks need one exact content type (otbr-rest.md, section 1.1)."""

    @pytest.mark.parametrize(
        ("content_type", "status"),
        [(JSON_API, 200), (None, 406), ("application/json", 415), (f"{JSON_API}; charset=utf-8", 415)],
    )
    def test_content_type_of_new_tasks(self, router: Router, content_type: str | None, status: int) -> None:
        headers = {} if content_type is None else {"Content_Type": content_type}
        assert router.call("POST", "/api/actions", EMPTY.encode(), **headers).status_code == status

    @pytest.mark.parametrize("content_type", [None, "application/json", "text/html", "text/plain; charset=utf-8"])
    def test_dataset_is_json_unless_the_type_is_text(self, router: Router, content_type: str | None) -> None:
        headers = {} if content_type is None else {"Content_Type": content_type}
        answer = router.call("PUT", "/node/dataset/active", b'{"channel": 20}', **headers)
        assert answer.status_code == 201
        assert answer.content == b""
        assert "Content-Type" not in answer.headers
        assert router.active()["channel"] == 20


class TestCharacters:
    """Only some characters may be sent to the newer family (otbr-rest.md, section 1.1)."""

    @pytest.mark.parametrize("character", ["\t", "\r", "\\", "&", "@", "'", "\u00e9"])
    def test_forbidden_character_in_a_body_is_refused(self, router: Router, character: str) -> None:
        body = EMPTY.replace("[", character + "[").encode()
        assert router.call("POST", "/api/actions", body, Content_Type=JSON_API).status_code == 400

    @pytest.mark.parametrize("character", list("@~'&|!#<>"))
    @pytest.mark.parametrize("path", [*COLLECTIONS, "/api/node", "/.well-known/thread/br-rest"])
    def test_forbidden_character_in_a_header_is_refused(self, router: Router, path: str, character: str) -> None:
        assert router.call("GET", path, X_Note=f"a{character}b").status_code == 400

    @pytest.mark.parametrize(
        "value",
        [
            "python-requests/2.32.3",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
            "Bearer abc.def-ghi_jkl==",
            "a=b; c=d",
            "100%20",
        ],
    )
    def test_usual_header_passes(self, router: Router, value: str) -> None:
        assert router.call("GET", "/api/actions", X_Note=value).status_code == 200

    @pytest.mark.parametrize("value", ["100%", "%zz", "%40"])
    def test_percent_sign_must_escape_an_allowed_character(self, router: Router, value: str) -> None:
        assert router.call("GET", "/api/actions", X_Note=value).status_code == 400

    def test_items_and_the_older_family_are_not_checked(self, leader: Router) -> None:
        task = leader.start_join(0)
        assert leader.call("GET", f"/api/actions/{task}", X_Note="a@b").status_code == 200
        assert leader.call("GET", "/node", X_Note="a@b").status_code == 200

    def test_too_many_headers_and_parameters_are_refused(self, router: Router) -> None:
        many = {f"X_Note_{number}": "a" for number in range(32)}
        assert router.call("GET", "/api/actions", **many).status_code == 400
        query = "&".join(f"a{number}=b" for number in range(16))
        assert router.call("GET", f"/api/actions?{query}").status_code == 400
        assert router.call("GET", f"/api/actions?{query.rpartition('&')[0]}").status_code == 200


class TestSparseFields:
    """Lists can be filtered by type and attribute (otbr-rest.md, section 1.1)."""

    def test_fields_filter_the_attributes(self, leader: Router) -> None:
        leader.refresh()
        (item,) = leader.get("/api/devices?fields[threadBorderRouter]=extAddress,role")["data"]
        assert set(item["attributes"]) == {"extAddress", "role", "created"}

    def test_type_that_is_missing_leaves_the_total(self, leader: Router) -> None:
        leader.refresh()
        answer = leader.get("/api/devices?fields[nothing]=role")
        assert (answer["data"], answer["meta"]["collection"]["total"]) == ([], 1)

    def test_pages_are_ignored(self, leader: Router) -> None:
        leader.refresh()
        assert len(leader.get("/api/devices?page[limit]=0")["data"]) == 1


def test_connection_ends_after_a_hundred_requests(router: Router) -> None:
    with requests.Session() as session:
        session.trust_env = False
        closing = [
            session.get(f"{router.url}/node/state", timeout=60).headers.get("Connection", "") for _unused in range(101)
        ]
    assert closing.index("close") == 99
    assert closing.count("close") == 1


def test_large_body_is_read(router: Router) -> None:
    body = json.dumps({"channel": 20, "unknown": "x" * 20_000_000})
    assert router.call("PUT", "/node/dataset/active", body).status_code == 201


def test_requests_of_threads_are_all_answered(router: Router) -> None:
    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(lambda _number: router.call("GET", "/node").status_code, range(100)))
    assert statuses == [200] * 100
