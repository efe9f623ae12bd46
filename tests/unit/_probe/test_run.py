# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the probe against clouds that fail, differ from the facts, or hide data of users in names of fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.findings import Findings
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import Content, Read
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.report import format_report
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.run import Probe, ProbeOptions
from support.scripted import ScriptedCloud

ONE, TWO, THREE, FOUR = (
    Read(name, "documented", f"/v1/{name}", body={"rows": [{"id": "str"}]}) for name in ("one", "two", "three", "four")
)
ROWS = {"rows": [{"id": "a"}]}
FINE = {"json": ROWS}
PAGED = Read("paged", "documented", "/v1/paged", body=ONE.body, pages=("perPage", "per_page"), rows={"rows": 2})


def probe(http: Http, reads: Sequence[Read], **options: Any) -> Findings:
    """Probe the scripted cloud."""
    return Probe(http, ProbeOptions(**options)).run(reads)


def describe(findings: Findings) -> list[str]:
    """Return the deviations as texts."""
    return [f"{each.place}: {each.documented} != {each.found} x{each.count}" for each in findings.deviations]


def write_report(findings: Findings) -> str:
    """Return the report, which must be valid YAML."""
    report = format_report(findings, date="2026-03-02", cloud="another cloud")
    assert yaml.safe_load(report)["requests"]["sent"] == findings.requests
    return report


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"status": 503, "json": {"error": "server_error"}}, 503, "cloud_error"),
        ({"effect": "reset"}, None, "unreachable"),
        ({"json": ROWS, "effect": "truncate"}, None, "unreachable"),
    ],
)
def test_failed_request_is_reported_and_does_not_stop_the_others(
    http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, Any], status: int | None, code: str
) -> None:
    scripted_cloud.answer("GET", "/v1/one", **FINE).answer("GET", "/v1/two", **answer).answer(
        "GET", "/v1/three", **FINE
    )
    findings = probe(http, [ONE, TWO, THREE])
    assert [(each.request, each.status, each.code) for each in findings.failures] == [("GET /v1/two", status, code)]
    assert (findings.compared, findings.requests, describe(findings)) == (2, 3, [])
    assert "GET /v1/two" in write_report(findings)


@pytest.mark.parametrize(
    ("answer", "deviations"),
    [
        ({"json": {"rows": [{"id": 1}, {"id": 2}]}}, ["rows[].id: str != int x2"]),
        ({"json": {}}, ["rows: list != no field x1"]),
        ({"json": {**ROWS, "hue": 1}}, ["hue: no field != int x1"]),
        ({"status": 201, "json": ROWS}, ["status: 200 != 201 x1"]),
        ({"status": 404, "json": {"ok": False, "error": "x"}}, ["status: 200 != 404 x1"]),
        ({"status": 404, "json": {"reason": "x"}}, ["status: 200 != 404 x1", "error_body.reason: no field != str x1"]),
        ({"status": 302, "headers": {"Location": "/"}}, ["status: 200 != 302 x1"]),
        (
            {"json": ROWS, "headers": {"Content-Type": "text/plain"}},
            ["header Content-Type: application/json != text/plain x1"],
        ),
        (
            {"json": ROWS, "headers": {"Content-Type": "/secret/"}},
            ["header Content-Type: application/json != another one x1"],
        ),
        (
            {"body": "<html>canary</html>"},
            [
                "header Content-Type: application/json != text/html x1",
                "body: complete JSON without an error != not a cloud x1",
            ],
        ),
        ({"json": {"ok": False, "error": "canary"}}, ["body: complete JSON without an error != cloud error x1"]),
    ],
)
def test_deviation_is_reported(
    http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, Any], deviations: list[str]
) -> None:
    scripted_cloud.answer("GET", "/v1/one", **answer)
    findings = probe(http, [ONE])
    assert describe(findings) == deviations
    assert "canary" not in write_report(findings)
    assert findings.requests == 1


@pytest.mark.parametrize("status", [403, 404])
def test_documented_refusal_is_not_a_deviation(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    read = Read("one", "documented", "/v1/one", accepts=(404,))
    scripted_cloud.answer("GET", "/v1/one", status, json={"error": "Permission Denied", "info": "canary"})
    findings = probe(http, [read])
    assert ([each.status for each in findings.refused], describe(findings)) == ([status], [])
    assert "canary" not in write_report(findings)


def test_probe_ends_when_the_cloud_no_longer_responds(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/one", **FINE)
    more = [Read(str(number), "documented", f"/v1/more/{number}") for number in range(5)]
    for read in more:
        scripted_cloud.answer("GET", read.path, effect="reset", repeat=True)
    findings = probe(http, [ONE, *more])
    assert (len(findings.failures), findings.requests) == (3, 4)
    assert [each.reason for each in findings.not_tried[:2]] == ["the cloud did not respond to 3 requests in a row"] * 2


def test_probe_fails_if_the_cloud_never_responds(http: Http, scripted_cloud: ScriptedCloud) -> None:
    for read in (ONE, TWO, THREE):
        scripted_cloud.answer("GET", read.path, effect="reset", repeat=True)
    with pytest.raises(ParticleError) as error:
        probe(http, [ONE, TWO, THREE, FOUR])
    assert error.value.code == "unreachable"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, {"error": "invalid_token", "error_description": "The access token provided has expired."}, "token"),
        (429, {"error": "rate_limit_exceeded"}, "too many requests"),
    ],
)
def test_probe_ends_when_no_request_can_succeed(
    http: Http, scripted_cloud: ScriptedCloud, status: int, body: dict[str, str], reason: str
) -> None:
    http.use_token("0" * 40)
    headers = {"Retry-After": "999", "X-RateLimit-Remaining": "0", "X-Canary": "x"}
    scripted_cloud.answer("GET", "/v1/one", **FINE).answer("GET", "/v1/two", status, json=body, headers=headers)
    findings = probe(http, [ONE, TWO, THREE])
    assert [each.request for each in findings.failures] == ["GET /v1/two"]
    assert reason in findings.not_tried[0].reason
    assert findings.limit_headers == {"retry-after", "x-ratelimit-remaining"}
    assert findings.requests == 2


def test_no_more_requests_are_sent_than_allowed(http: Http, scripted_cloud: ScriptedCloud) -> None:
    reads = [Read(str(number), "documented", f"/v1/{number}") for number in range(5)]
    for read in reads[:3]:
        scripted_cloud.answer("GET", read.path, json={})
    findings = probe(http, reads, max_requests=3)
    assert findings.requests == len(scripted_cloud.requests) == 3
    assert [each.reason for each in findings.not_tried[:2]] == ["max_requests allows 3 requests"] * 2


def test_at_most_six_requests_are_sent_to_one_endpoint(http: Http, scripted_cloud: ScriptedCloud) -> None:
    reads = [Read("one", "documented", f"/v1/{number}") for number in range(8)]
    for read in reads[:6]:
        scripted_cloud.answer("GET", read.path, json={})
    assert probe(http, reads).requests == 6


def test_request_waits_for_the_value_that_another_gives(http: Http, scripted_cloud: ScriptedCloud) -> None:
    first = Read("first", "documented", "/v1/rows/:row", query={"size": ":size"})
    second = Read("second", "documented", "/v1/rows", gives={"row": "rows[].id", "size": "rows[].size"})
    third = Read("third", "documented", "/v1/:barn")
    scripted_cloud.answer("GET", "/v1/rows", json={"rows": [{"id": "a b", "size": 3}]})
    scripted_cloud.answer("GET", "/v1/rows/a%20b", json={})
    findings = probe(http, [first, second, third])
    assert [seen.query for seen in scripted_cloud.requests] == [{}, {"size": "3"}]
    assert findings.not_tried[0].reason == "no value for :barn was found in the account"


@pytest.mark.parametrize("value", ["", ".", "..", "\ud800", "x" * 201])
def test_value_that_no_request_can_contain_is_not_used(http: Http, scripted_cloud: ScriptedCloud, value: str) -> None:
    first = Read("first", "documented", "/v1/rows", gives={"row": "rows[]"})
    scripted_cloud.answer("GET", "/v1/rows", json={"rows": [value, "a"]}).answer("GET", "/v1/rows/a", json={})
    findings = probe(http, [first, Read("second", "documented", "/v1/rows/:row")])
    assert (findings.compared, findings.failures) == (2, [])


def test_product_that_no_path_can_contain_is_refused(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/one", **FINE)
    with pytest.raises(ParticleError) as error:
        probe(http, [ONE, Read("two", "documented", "/v1/products/:product")], product="..")
    assert (error.value.code, len(scripted_cloud.requests)) == ("not_found", 1)


def test_only_the_head_of_a_stream_is_read(http: Http, scripted_cloud: ScriptedCloud) -> None:
    read = Read("events", "documented", "/v1/events", content=Content.EVENTS)
    endless = {"Content-Type": "text/event-stream", "Content-Length": "999999"}
    scripted_cloud.answer("GET", "/v1/events", body=":ok\n\n", headers=endless)
    findings = probe(http, [read])
    assert (findings.compared, findings.failures, describe(findings)) == (1, [], [])
    assert scripted_cloud.requests[0].headers["Accept"] == "text/event-stream"


def answer_pages(cloud: ScriptedCloud, *pages: list[str], total: int = 2) -> None:
    """Script the responses to the requests for the pages of a list."""
    for ids in pages:
        cloud.answer("GET", PAGED.path, json={"rows": [{"id": each} for each in ids], "meta": {"total_pages": total}})


READ_PAGES = {**PAGED.__dict__, "body": {"rows": [{"id": "str"}], "meta": {"total_pages": "int"}}}


@pytest.mark.parametrize(
    ("pages", "deviations"),
    [
        ([["a", "b"], ["a"], ["b"], ["a"]], []),
        ([["a", "b"], ["a"], ["b"], ["a", "b"]], ["parameter per_page: 1 row with per_page=1 != 2 rows x1"]),
        ([["a", "b"], ["a"], ["a"], ["a"]], ["parameter page: page 2 has other rows than page 1 != the same row x1"]),
        ([["a", "b", "c"], ["a"], ["b"], ["a"]], ["rows: at most 2 elements != 3 elements x1"]),
    ],
)
def test_pages_are_compared(
    http: Http, scripted_cloud: ScriptedCloud, pages: list[list[str]], deviations: list[str]
) -> None:
    answer_pages(scripted_cloud, *pages)
    findings = probe(http, [Read(**READ_PAGES)])
    assert describe(findings) == deviations
    assert [seen.query for seen in scripted_cloud.requests] == [
        {},
        {"page": "1", "perPage": "1"},
        {"page": "2", "perPage": "1"},
        {"page": "1", "per_page": "1"},
    ]


def test_wrong_number_of_pages_is_a_deviation(http: Http, scripted_cloud: ScriptedCloud) -> None:
    answer_pages(scripted_cloud, ["a", "b"], ["a"], ["b"], ["a"], total=1)
    assert [each.place for each in probe(http, [Read(**READ_PAGES)]).deviations] == ["meta.total_pages"]


@pytest.mark.parametrize("page", [{"json": ["x"]}, {"json": {"meta": []}}, {"json": {"ok": False}}, {"body": "<html>"}])
def test_page_of_another_form_is_a_deviation(http: Http, scripted_cloud: ScriptedCloud, page: dict[str, Any]) -> None:
    answer_pages(scripted_cloud, ["a", "b"], total=1)
    scripted_cloud.answer("GET", PAGED.path, **page, repeat=True)
    assert describe(probe(http, [Read(**READ_PAGES)])) == [
        "parameter perPage: 1 row with perPage=1 != 0 rows x1",
        "parameter per_page: 1 row with per_page=1 != 0 rows x1",
    ]


@pytest.mark.parametrize("page", [{"status": 503}, {"status": 429, "headers": {"Retry-After": "999"}}])
def test_page_that_fails_is_not_a_deviation(http: Http, scripted_cloud: ScriptedCloud, page: dict[str, Any]) -> None:
    answer_pages(scripted_cloud, ["a", "b"])
    scripted_cloud.answer("GET", PAGED.path, json={"error": "x"}, **page, repeat=True)
    findings = probe(http, [Read(**READ_PAGES)])
    assert describe(findings) == []
    assert {(each.request, each.status) for each in findings.failures} == {("GET /v1/paged with pages", page["status"])}


def test_keys_that_users_choose_are_withheld(http: Http, scripted_cloud: ScriptedCloud) -> None:
    groups = {f"canary_{letter}": "x" for letter in "abcdefghijklmnopqrstuvwxyz"}
    body = {
        "rows": [{"id": "canary_north", "canary_north": 1, "e00fce68aabbccddeeff0022": 2}, {"id": "a", **groups}],
        "canary@example.com": {"canary_below": "canary"},
    }
    scripted_cloud.answer("GET", "/v1/one", json=body)
    findings = probe(http, [ONE])
    assert describe(findings) == [
        "rows[].(name withheld): no field != int x2",
        "rows[].(name withheld): no field != str x26",
        "(name withheld): no field != object x1",
    ]
    report = write_report(findings)
    assert "canary" not in report
    assert "e00fce68" not in report
