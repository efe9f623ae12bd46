# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the modules `firmware` and `firmware_info` against the simulator, with binaries of Particle's own library."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import parse_file
from support.binary_reader import make_files
from support.firmware import make_binary, make_bundle
from support.killing import running_play
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

LIST = "GET /v1/products/:p/firmware"
DOWNLOAD = "GET /v1/products/:p/firmware/:version/binary"
UPLOAD = "POST /v1/products/:p/firmware"
EDIT = "PUT /v1/products/:p/firmware/:version"
RELEASE = "PUT /v1/products/:p/firmware/release"
REMOVE = "DELETE /v1/products/:p/firmware/:version"
WRITES = (UPLOAD, EDIT, RELEASE, REMOVE)
BORON, P2 = 13, 32
ASSETS = {"cat.jpg": b"meow" * 100, "dog.jpg": b"woof"}
NEVER_RUN = {"device_count": 0}


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator("--fleet", "3") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud whose product has two Borons, and the device groups `beta` and `north`."""
    _cloud.reset()
    ids = list_ids(_cloud)
    content = "\n".join(ids[:2]).encode()
    call(_cloud, "POST", "/devices", files={"file": ("devices.txt", content, "text/plain")})
    for name in ("beta", "north"):
        call(_cloud, "POST", "/groups", json={"name": name})
    return _cloud


def list_ids(cloud: Simulator) -> list[str]:
    return sorted(device["id"] for device in cloud.state()["devices"])


def call(cloud: Simulator, method: str, path: str, **request: Any) -> Any:
    """Send a request for the product without this collection."""
    answer = requests.request(
        method,
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}{path}",
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=60,
        **request,
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None


def list_versions(cloud: Simulator) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = call(cloud, "GET", "/firmware")
    return rows


def upload(cloud: Simulator, content: bytes, version: int = 8, **fields: Any) -> None:
    """Upload a binary without this collection."""
    form = {"version": str(version), "title": f"v{version}", **fields}
    call(cloud, "POST", "/firmware", data=form, files={"file": ("app.bin", content, "application/octet-stream")})


def let_run(cloud: Simulator, version: int = 8) -> str:
    """Lock a device to a version and let it update, and return its id."""
    device = list_ids(cloud)[0]
    call(cloud, "PUT", f"/devices/{device}", json={"desired_firmware_version": version, "flash": True})
    cloud.advance(600)
    assert cloud.device(device)["firmware_version"] == version
    return device


def count_writes(cloud: Simulator) -> dict[str, int]:
    """Return how often each write for firmware was sent."""
    return {route: number for route, number in cloud.stats()["by_route"].items() if route in WRITES}


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    return write(tmp_path, "app.bin", make_binary(8))


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run(cloud: Simulator, options: Mapping[str, Any], *args: str, module: str = "firmware") -> PlaybookRun:
    given = {"product": PRODUCT_SLUG, **options}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return run_task(module, given, cloud_environment(cloud.url), *args)


def run_successfully(cloud: Simulator, options: Mapping[str, Any], *args: str, **more: Any) -> dict[str, Any]:
    """Run a task that must succeed, and return its result."""
    return run(cloud, options, *args, **more).succeeded().result(TASK)


def run_and_fail(cloud: Simulator, options: Mapping[str, Any], *args: str) -> dict[str, Any]:
    """Run a task that must fail, and return its result."""
    done = run(cloud, options, *args)
    assert done.rc != 0, done.output
    return done.result(TASK)


# ---------------------------------------------------------------------- upload


def test_file_is_uploaded_once_and_found_equal_by_one_download(cloud: Simulator, binary: Path) -> None:
    options = {"file": binary, "title": "Faster", "description": "It reconnects.", "mandatory": True}
    result = run_successfully(cloud, options, "--diff")
    (row,) = list_versions(cloud)
    assert (row["version"], row["title"], row["description"], row["mandatory"]) == (8, "Faster", "It reconnects.", True)
    assert call_for_bytes(cloud) == binary.read_bytes()
    assert (result["changed"], result["firmware"]["id"], result["file"]["version"]) == (True, row["_id"], 8)
    assert result["diff"]["prepared"].startswith("firmware 8: file null -> 'app.bin'; title null -> 'Faster'")
    before = cloud.stats()["by_route"]
    again = run_successfully(cloud, options)
    after = cloud.stats()["by_route"]
    assert (again["changed"], again["changes"], again["cloud"]["writes"]) == (False, {}, 0)
    assert after[DOWNLOAD] - before[DOWNLOAD] == 1
    assert count_writes(cloud) == {UPLOAD: 1}


def call_for_bytes(cloud: Simulator, version: int = 8) -> bytes:
    answer = requests.get(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/firmware/{version}/binary",
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=60,
    )
    return answer.content


def test_changed_settings_are_written_and_others_are_left_alone(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes(), description="Old text", mandatory="true")
    result = run_successfully(cloud, {"file": binary, "title": "New"}, "--diff")
    assert result["changes"] == {"title": {"before": "v8", "after": "New"}}
    assert result["diff"] == {"prepared": "firmware 8: title 'v8' -> 'New'\n"}
    (row,) = list_versions(cloud)
    assert (row["title"], row["description"], row["mandatory"]) == ("New", "Old text", True)
    assert run_successfully(cloud, {"version": 8, "description": ""})["changed"]
    assert run_successfully(cloud, {"version": 8, "description": ""})["changed"] is False


def test_bundle_near_its_limit_is_uploaded_with_progress(cloud: Simulator, tmp_path: Path) -> None:
    near = {"big.dat": os.urandom(605_800), "more.dat": os.urandom(520_000)}
    done = run(cloud, {"file": write(tmp_path, "app.zip", make_bundle(near, 8))}, "-v").succeeded()
    (row,) = list_versions(cloud)
    assert row["size"] > 1_100_000
    assert "Uploading app.zip: " in done.output
    beyond = {"big.dat": os.urandom(606_209)}
    result = run_and_fail(cloud, {"file": write(tmp_path, "large.zip", make_bundle(beyond, 9))})
    assert (result["error"]["code"], "606,208" in result["msg"]) == ("wrong_binary", True)
    assert count_writes(cloud) == {UPLOAD: 1}


def test_file_is_found_beside_the_playbook_and_in_files(cloud: Simulator, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", "app.bin", make_binary(8))
    task = {"name": TASK, "meshfleet.particle.firmware": {"product": PRODUCT_SLUG, "file": "app.bin"}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    book = write(tmp_path, "play.yml", json.dumps([play]).encode())
    run_playbook(book, env=cloud_environment(cloud.url)).succeeded()
    assert [row["name"] for row in list_versions(cloud)] == ["app.bin"]


# ---------------------------------------------------------------------- wrong files


CHANGED = make_binary(8, code=b"other code of this size")
WRONG = {
    "other bytes of equal size": (CHANGED, {}, "SHA-256 "),
    "other bytes of another size": (make_binary(8, code=b"much more code than before"), {}, "94 bytes in the file"),
    "another version": (make_binary(7), {"version": 8}, "contains version 7, but version is 8"),
    "another product": (make_binary(8, product_id=4711), {}, "for product 4711, but product field-logger has id 31337"),
    "another platform": (make_binary(8, platform_id=P2), {}, "for platform 32 (p2), but product field-logger is for"),
    "broken CRC": (make_binary(8)[:-1] + b"!", {}, "its CRC is "),
    "broken hash": (make_binary(8, code=b"a" * 9).replace(b"aaa", b"bbb"), {}, "its hash is "),
    "too large": (make_binary(8, code=bytes(262_200)), {}, "but a device of platform boron has room for 262,144"),
    "no product version": (make_binary(8, has_product_fields=False), {"version": 8}, "contains no product version"),
    "not firmware": (b"#!/bin/sh\n" * 40, {}, "it is not a firmware binary"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_file_is_refused_without_a_write(cloud: Simulator, tmp_path: Path, kind: str) -> None:
    content, options, words = WRONG[kind]
    upload(cloud, make_binary(8))
    before = cloud.stats()["writes"]
    for args in ((), ("--check",)):
        result = run_and_fail(cloud, {"file": write(tmp_path, "new.bin", content), **options}, *args)
        assert (result["error"]["code"], "new.bin" in result["msg"]) == ("wrong_binary", True)
        assert words in result["msg"]
        assert result["error"]["hint"]
    assert cloud.stats()["writes"] == before


def test_bundle_with_other_assets_is_refused_without_a_write(cloud: Simulator, tmp_path: Path) -> None:
    content = make_bundle(ASSETS, 8)
    bundle = write(tmp_path, "app.zip", content.replace(b"dog.jpg", b"cow.jpg"))
    result = run_and_fail(cloud, {"file": bundle})
    assert result["error"]["code"] == "wrong_binary"
    assert count_writes(cloud) == {}


def test_missing_file_is_refused_before_any_request(cloud: Simulator) -> None:
    result = run_and_fail(cloud, {"file": "no-such.bin"})
    assert (result["error"]["code"], "no-such.bin" in result["msg"]) == ("wrong_binary", True)
    assert "cloud" not in result


def test_platform_id_in_place_of_the_product_id_is_accepted(cloud: Simulator, tmp_path: Path) -> None:
    for version, product_id in ((8, BORON), (9, PRODUCT_ID), (10, 65_535)):
        run_successfully(cloud, {"file": write(tmp_path, "a.bin", make_binary(version, product_id=product_id))})
    assert [row["version"] for row in list_versions(cloud)] == [8, 9, 10]


# ---------------------------------------------------------------------- lost responses


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated", "empty"])
def test_lost_response_to_an_upload_is_resolved(cloud: Simulator, binary: Path, effect: str) -> None:
    cloud.set_faults([{"route": UPLOAD, "effect": effect}])
    assert run_successfully(cloud, {"file": binary})["changed"]
    assert [row["version"] for row in list_versions(cloud)] == [8]
    assert count_writes(cloud)[UPLOAD] == (2 if effect == "reset_before" else 1)


def test_lost_upload_is_ambiguous_if_the_list_cannot_be_read(cloud: Simulator, binary: Path) -> None:
    cloud.set_faults([
        {"route": UPLOAD, "effect": "reset_after"},
        {"route": LIST, "effect": "delay"},  # the list that is read before the upload
        {"route": LIST, "effect": "status", "status": 403, "times": 1},
    ])  # fmt: skip
    result = run_and_fail(cloud, {"file": binary})
    assert result["error"]["code"] == "ambiguous_write"
    assert run_successfully(cloud, {"file": binary})["changed"] is False
    assert count_writes(cloud) == {UPLOAD: 1}


def test_upload_is_reported_although_the_list_cannot_be_read_after_it(cloud: Simulator, binary: Path) -> None:
    cloud.set_faults([
        {"route": LIST, "effect": "delay"},  # the list that is read before the upload
        {"route": LIST, "effect": "status", "status": 403, "times": 1},
    ])  # fmt: skip
    result = run_and_fail(cloud, {"file": binary})
    assert (result["changed"], result["error"]["code"]) == (True, "forbidden")
    assert result["changes"]["file"] == {"before": None, "after": "app.bin"}


def test_upload_that_a_proxy_refuses_as_too_large_is_sent_once(cloud: Simulator, binary: Path) -> None:
    page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
    cloud.set_faults([{"route": UPLOAD, "effect": "html", "status": 413, "body": page, "times": 9}])
    result = run_and_fail(cloud, {"file": binary})
    assert (result["error"]["code"], result["error"]["status"]) == ("cloud_error", 413)
    assert "the request is too large for the cloud, or for a proxy before it" in result["msg"]
    assert [fault["fired"] for fault in cloud.faults()] == [1]


def test_equal_upload_by_another_run_is_not_reported_as_a_change(cloud: Simulator, binary: Path) -> None:
    # Another run uploads the same bytes between the reading of the list and the upload.
    upload(cloud, binary.read_bytes())
    cloud.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": "[]"}])
    result = run_successfully(cloud, {"file": binary}, "--diff")
    assert (result["changed"], result["changes"], result["diff"]) == (False, {}, {"prepared": ""})


def test_lost_write_is_reported_if_the_list_cannot_be_read_after_it(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    cloud.set_faults([
        {"route": EDIT, "effect": "truncated", "times": 9},
        {"route": LIST, "effect": "delay"},  # the list that is read before the write
        {"route": LIST, "effect": "status", "status": 403, "times": 1},
    ])  # fmt: skip
    result = run_and_fail(cloud, {"version": 8, "title": "New"})
    assert (result["error"]["code"], result["error"]["route"]) == ("bad_response", EDIT)


def test_other_firmware_behind_a_lost_upload_is_refused(cloud: Simulator, binary: Path) -> None:
    # Another run uploads other bytes as the same version at the same moment.
    cloud.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": "[]"}])
    upload(cloud, CHANGED)
    result = run_and_fail(cloud, {"file": binary})
    assert (result["error"]["code"], "already exists with other bytes" in result["msg"]) == ("wrong_binary", True)
    assert call_for_bytes(cloud) == CHANGED


def test_run_after_a_killed_upload_changes_nothing(cloud: Simulator, binary: Path, tmp_path: Path) -> None:
    task = {"name": TASK, "meshfleet.particle.firmware": {"product": PRODUCT_SLUG, "file": str(binary)}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    writes = len(cloud.writes())
    cloud.set_faults([{"route": UPLOAD, "effect": "delay", "delay": 30}])
    with running_play([play], tmp_path, cloud_environment(cloud.url)) as running:
        running.wait_until(lambda: len(cloud.writes()) > writes)
        running.kill()
    cloud.clear_faults()
    assert run_successfully(cloud, {"file": binary})["changed"] is False
    assert count_writes(cloud) == {UPLOAD: 1}


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated"])
def test_lost_response_to_a_later_write_is_resolved(cloud: Simulator, binary: Path, effect: str) -> None:
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    cloud.set_faults([{"route": route, "effect": effect} for route in (EDIT, RELEASE)])
    options = {"version": 8, "title": "New", "release": {"groups": ["beta"]}}
    assert run_successfully(cloud, options)["changed"]
    (row,) = list_versions(cloud)
    assert (row["title"], row["groups"]) == ("New", ["beta"])


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated"])
def test_lost_response_to_a_removal_is_resolved(cloud: Simulator, binary: Path, effect: str) -> None:
    upload(cloud, binary.read_bytes())
    cloud.set_faults([{"route": REMOVE, "effect": effect}])
    assert run_successfully(cloud, {"version": 8, "state": "absent"})["changed"]
    assert list_versions(cloud) == []


# ---------------------------------------------------------------------- releases


def test_release_replaces_groups_and_leaves_the_rest_alone(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    first = {"file": binary, "release": {"default": True, "groups": ["north", "beta"], "intelligent": True}}
    assert run_successfully(cloud, first)["firmware"]["release"] == {
        "default": True,
        "groups": ["beta", "north"],
        "intelligent": True,
    }
    assert run_successfully(cloud, first)["changed"] is False
    result = run_successfully(cloud, {"version": 8, "release": {"groups": ["beta"]}}, "--diff")
    assert result["diff"] == {"prepared": "firmware 8: release.groups ['beta', 'north'] -> ['beta']\n"}
    (row,) = list_versions(cloud)
    assert (row["product_default"], row["groups"], row["intelligent"]) == (True, ["beta"], True)
    assert count_writes(cloud) == {UPLOAD: 1, RELEASE: 2}


def test_withdrawn_release_is_written_once(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    run_successfully(cloud, {"version": 8, "release": {"default": True, "groups": ["beta"], "intelligent": True}})
    withdrawn = {"version": 8, "release": {"default": False, "groups": [], "intelligent": False}}
    assert run_successfully(cloud, withdrawn)["changed"]
    assert run_successfully(cloud, withdrawn)["changed"] is False


def test_check_mode_predicts_the_release_and_counts_its_devices(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    before = cloud.stats()["writes"]
    result = run_successfully(cloud, {"version": 8, "release": {"default": True}}, "--check", "--diff")
    assert result["impact"]["total"] == 1
    assert sum(row["total"] for row in result["impact"]["by_version"]) == 1
    assert (result["changed"], result["firmware"]["release"]["default"]) == (True, True)
    assert result["diff"] == {"prepared": "firmware 8: release.default false -> true\n"}
    assert (cloud.stats()["writes"], result["cloud"]["writes"]) == (before, 0)


def test_check_mode_predicts_an_upload(cloud: Simulator, binary: Path) -> None:
    predicted = run_successfully(cloud, {"file": binary, "title": "New"}, "--check")
    assert count_writes(cloud) == {}
    done = run_successfully(cloud, {"file": binary, "title": "New"})
    unknown = ("id", "uploaded_on", "uploaded_by", "updated_at")
    assert {**done["firmware"], **dict.fromkeys(unknown)} == predicted["firmware"]
    assert done["changes"] == predicted["changes"]


def test_check_mode_predicts_the_release_of_a_new_version_that_runs(cloud: Simulator, binary: Path) -> None:
    # Without its version in the cloud, the device runs the binary as if it was flashed by USB.
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    call(cloud, "DELETE", "/firmware/8")
    options = {"file": binary, "release": {"groups": ["beta"]}}
    predicted = run_successfully(cloud, options, "--check")
    done = run_successfully(cloud, options)
    assert predicted["changes"] == done["changes"]
    assert predicted["firmware"]["release"] == done["firmware"]["release"]


def test_release_names_the_versions_whose_releases_it_ends(cloud: Simulator, binary: Path) -> None:
    for version in (8, 9):
        upload(cloud, make_binary(version), version)
        let_run(cloud, version)
    run_successfully(cloud, {"version": 9, "release": {"default": True, "groups": ["beta", "north"]}})
    older = {"version": 8, "release": {"default": True, "groups": ["beta"]}}
    for args in (("--check", "--diff"), ("--diff",)):
        result = run_successfully(cloud, older, *args)
        assert result["ended_releases"] == [
            {
                "version": 9,
                "changes": {
                    "release.default": {"before": True, "after": False},
                    "release.groups": {"before": ["beta", "north"], "after": ["north"]},
                },
            }
        ]
        assert "firmware 9: release.default true -> false; release.groups" in result["diff"]["prepared"]
    assert [(row["product_default"], row["groups"]) for row in list_versions(cloud)] == [
        (True, ["beta"]),
        (False, ["north"]),
    ]


def test_release_is_not_written_if_its_groups_cannot_be_read(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    let_run(cloud)
    run_successfully(cloud, {"version": 8, "release": {"groups": ["beta"]}})
    row = {**list_versions(cloud)[0], "groups": '{["beta"]}'}
    cloud.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": json.dumps([row])}])
    result = run_and_fail(cloud, {"version": 8, "release": {"default": True}})
    assert (result["error"]["code"], "groups of item 1" in result["msg"]) == ("bad_response", True)
    assert list_versions(cloud)[0]["groups"] == ["beta"]


def test_refused_release_is_not_explained_if_devices_are_not_counted(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    row = {key: value for key, value in list_versions(cloud)[0].items() if key != "device_count"}
    cloud.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": json.dumps([row])}])
    result = run_and_fail(cloud, {"version": 8, "release": {"default": True}})
    assert "the cloud refused the request (HTTP 400: Version 8 has not run" in result["msg"]


def test_release_before_a_device_ran_the_version_is_refused_in_words(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    before = list_versions(cloud)
    result = run_and_fail(cloud, {"version": 8, "title": "New", "release": {"default": True}})
    assert result["error"]["code"] == "conflict"
    assert "no device of product field-logger runs it" in result["msg"]
    assert "lock a device to it with firmware_lock" in result["msg"]
    assert "when it starts its next session" in result["msg"]
    # Only the cloud knows which versions have run, so the release is tried, and before any other write.
    assert (list_versions(cloud), count_writes(cloud)) == (before, {UPLOAD: 1, RELEASE: 1})
    checked = run(cloud, {"version": 8, "release": {"default": True}}, "--check").succeeded()
    assert "The cloud may refuse to release it" in checked.output


def test_new_version_is_uploaded_although_its_release_must_wait(cloud: Simulator, binary: Path) -> None:
    options = {"file": binary, "release": {"groups": ["beta"]}}
    checked = run_and_fail(cloud, options, "--check")
    assert count_writes(cloud) == {}
    result = run_and_fail(cloud, options)
    assert (result["changed"], result["error"]["code"], checked["error"]["code"]) == (True, "conflict", "conflict")
    assert checked["changes"] == result["changes"]
    assert sorted(result["changes"]) == ["file", "title"]
    assert checked["firmware"]["release"] == result["firmware"]["release"]
    assert [row["version"] for row in list_versions(cloud)] == [8]
    let_run(cloud)
    assert run_successfully(cloud, options)["firmware"]["release"]["groups"] == ["beta"]


def test_unknown_group_is_refused_with_a_suggestion(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    before = cloud.stats()["writes"]
    result = run_and_fail(cloud, {"version": 8, "release": {"groups": ["betta"]}})
    assert (result["error"]["code"], "did you mean beta?" in result["msg"]) == ("not_found", True)
    assert cloud.stats()["writes"] == before


def test_unknown_group_with_a_space_is_quoted(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    result = run_and_fail(cloud, {"version": 8, "release": {"groups": "beta, north"}})
    assert "has no device group ' north' (did you mean north?)" in result["msg"]
    assert "has no device group ''." in run_and_fail(cloud, {"version": 8, "release": {"groups": ""}})["msg"]


# ---------------------------------------------------------------------- removal


def test_removal_is_written_once(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    assert run_successfully(cloud, {"version": 8, "state": "absent"}, "--check")["firmware"] is None
    assert len(list_versions(cloud)) == 1
    result = run_successfully(cloud, {"version": 8, "state": "absent"}, "--diff")
    assert (result["changed"], result["firmware"]) == (True, None)
    assert result["diff"]["prepared"].startswith("firmware 8: name 'app.bin' -> null")
    assert run_successfully(cloud, {"version": 8, "state": "absent"})["changed"] is False
    assert count_writes(cloud) == {UPLOAD: 1, REMOVE: 1}


def test_lost_removal_is_reported_if_the_list_cannot_be_read_after_it(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    cloud.set_faults([
        {"route": REMOVE, "effect": "status", "status": 403},
        {"route": LIST, "effect": "delay"},  # the list that is read before the removal
        {"route": LIST, "effect": "status", "status": 404, "times": 1},
    ])  # fmt: skip
    result = run_and_fail(cloud, {"version": 8, "state": "absent"})
    assert (result["error"]["code"], result["error"]["route"]) == ("forbidden", REMOVE)


def test_removal_is_refused_if_the_file_has_another_version(cloud: Simulator, binary: Path) -> None:
    for version in (8, 9):
        upload(cloud, make_binary(version), version)
    result = run_and_fail(cloud, {"file": binary, "version": 9, "state": "absent"})
    assert "the binary contains version 8, but version is 9" in result["msg"]
    assert len(list_versions(cloud)) == 2


def test_version_that_devices_use_is_not_removed(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    running = let_run(cloud)
    locked = list_ids(cloud)[1]
    call(cloud, "PUT", f"/devices/{running}", json={"desired_firmware_version": None})
    call(cloud, "PUT", f"/devices/{locked}", json={"desired_firmware_version": 8, "name": "barn"})
    result = run_and_fail(cloud, {"version": 8, "state": "absent"})
    assert result["error"]["code"] == "conflict"
    assert f"{running} runs it" in result["msg"]
    assert f"barn ({locked}) is locked to it" in result["msg"]
    assert REMOVE not in count_writes(cloud)


def test_released_version_is_not_removed(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    device = let_run(cloud)
    run_successfully(cloud, {"version": 8, "release": {"default": True, "groups": ["beta"]}})
    result = run_and_fail(cloud, {"version": 8, "state": "absent"})
    assert "is released as the default of the product, to group beta" in result["msg"]
    # Afterwards, only the cloud knows that the version was released.
    run_successfully(cloud, {"version": 8, "release": {"default": False, "groups": []}})
    call(cloud, "DELETE", f"/devices/{device}")
    result = run_and_fail(cloud, {"version": 8, "state": "absent"})
    assert (result["error"]["code"], result["error"]["status"]) == ("conflict", 400)
    assert "released once cannot be removed" in result["msg"]


# ---------------------------------------------------------------------- options and other clouds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Neither file nor version is set"),
        ({"version": 65_535}, "version must be a number from 1 to 65534, got 65535"),
        ({"version": 8, "title": ""}, "title must not be empty"),
        ({"version": 8}, "does not have firmware version 8. It has no firmware."),
    ],
)
def test_invalid_options_are_refused_without_a_write(cloud: Simulator, options: dict[str, Any], words: str) -> None:
    assert words in run_and_fail(cloud, options)["msg"]
    assert count_writes(cloud) == {}


def test_cloud_without_these_routes_is_named(cloud: Simulator, binary: Path) -> None:
    page = "<pre>Cannot GET /v1/products/field-logger/firmware</pre>"
    cloud.set_faults([{"route": LIST, "effect": "html", "status": 404, "body": page}])
    result = run_and_fail(cloud, {"file": binary})
    assert result["error"]["code"] == "unsupported"
    assert count_writes(cloud) == {}


# ---------------------------------------------------------------------- scopes of API users


def create_api_user(cloud: Simulator, *scopes: str) -> str:
    """Create an API user of the product, and return its access token."""
    user = call(cloud, "POST", "/team", json={"friendly_name": "pipeline", "scopes": list(scopes)})
    return str(user["created"]["tokens"][0]["token"])


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        ({"release": {"default": True}}, "firmware:release"),
        ({"state": "absent"}, "firmware:remove"),
        ({"title": "New"}, "firmware:update"),
        ({"file": "app.bin"}, "firmware.binary:get"),
    ],
)
def test_missing_scope_is_named(cloud: Simulator, binary: Path, options: dict[str, Any], scope: str) -> None:
    upload(cloud, binary.read_bytes())
    token = create_api_user(cloud, "products:get", "firmware:list", "devices:list")
    given = {"product": PRODUCT_SLUG, "version": 8, **options}
    given |= {"file": str(binary)} if "file" in options else {}
    done = run_task("firmware", given, {"PARTICLE_API_URL": cloud.url, "PARTICLE_ACCESS_TOKEN": token})
    error = done.result(TASK)["error"]
    assert (error["code"], f"Add the scope {scope} to the API user" in error["hint"]) == ("missing_scope", True)


def test_check_mode_without_the_scope_to_list_devices_warns(cloud: Simulator, binary: Path) -> None:
    token = create_api_user(cloud, "products:get", "firmware:list", "groups:list")
    given = {"product": PRODUCT_SLUG, "file": str(binary), "release": {"groups": ["beta"]}}
    env = {"PARTICLE_API_URL": cloud.url, "PARTICLE_ACCESS_TOKEN": token}
    done = run_task("firmware", given, env, "--check").succeeded()
    assert "It is not known whether the cloud would release the version" in done.output
    assert done.result(TASK)["firmware"]["release"]["groups"] == ["beta"]


# ---------------------------------------------------------------------- firmware_info


def test_versions_are_listed_with_devices_and_releases(cloud: Simulator, binary: Path) -> None:
    upload(cloud, binary.read_bytes())
    upload(cloud, make_binary(9), 9)
    let_run(cloud)
    run_successfully(cloud, {"version": 8, "release": {"groups": ["beta"]}})
    result = run_successfully(cloud, {}, module="firmware_info")
    assert [(row["version"], row["device_count"], row["release"]["groups"]) for row in result["firmware"]] == [
        (8, 1, ["beta"]),
        (9, 0, []),
    ]
    one = run_successfully(cloud, {"version": 9}, module="firmware_info")
    assert (one["count"], one["firmware"][0]["title"], one["changed"]) == (1, "v9", False)


def test_file_is_read_without_an_account(tmp_path: Path) -> None:
    path = write(tmp_path, "app.zip", make_bundle(ASSETS, 8))
    result = run_task("firmware_info", {"file": str(path)}, {}).succeeded().result(TASK)
    assert "cloud" not in result
    assert (result["file"]["version"], result["file"]["platform"], result["file"]["problems"]) == (8, "boron", [])
    assert [(asset["name"], asset["size"]) for asset in result["file"]["assets"]] == [("cat.jpg", 400), ("dog.jpg", 4)]


def test_problems_of_a_file_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "app.bin", make_binary(8)[:-1] + b"!")
    result = run_task("firmware_info", {"file": str(path)}, {}).succeeded().result(TASK)
    assert [problem.split(" is ")[0] for problem in result["file"]["problems"]] == ["its CRC"]


@pytest.mark.parametrize("version", [None, 8])
def test_query_without_a_product_is_refused(binary: Path, version: int | None) -> None:
    done = run_task("firmware_info", {} if version is None else {"file": str(binary), "version": version}, {})
    assert done.rc != 0
    assert "Set product." in done.output


# ---------------------------------------------------------------------- Particle's own library


SYSTEM_PART = {"func": 4, "index": 1, "version": 4200}
LIBRARY_ASSETS = {"cat.jpg": "meow" * 500, "Hündin.txt": "woof"}


def describe_file(platform: int, kind: str, **more: Any) -> dict[str, Any]:
    """Describe a file that the library makes: version 8 for a platform, with `more` options or contents."""
    assets, variables = more.pop("assets", None), more.pop("variables", None)
    options = {"platformId": platform, "productId": platform, "productVersion": 8, "deps": [SYSTEM_PART], **more}
    name = f"{platform}-{kind}.{'bin' if assets is None else 'zip'}"
    return {"name": name, "options": options, "assets": assets, "variables": variables}


FILES = [
    *(describe_file(platform, "product") for platform in (6, 12, 13, 26, 32)),
    *(describe_file(platform, "table", addVectorTable=True) for platform in (6, 13, 32)),
    describe_file(BORON, "plain", productId=65_535, productVersion=65_535),
    describe_file(BORON, "alone", deps=[]),
    describe_file(BORON, "old", productId=31_337),
    *(describe_file(platform, "assets", assets=LIBRARY_ASSETS) for platform in (12, 13, 26, 32)),
    describe_file(BORON, "variables", assets=LIBRARY_ASSETS, variables={"FAN": "on"}),
]


def test_files_of_the_library_are_read_as_the_library_reads_them(tmp_path: Path) -> None:
    for name, read in make_files(tmp_path, FILES).items():
        binary = parse_file(name, (tmp_path / name).read_bytes()).binary
        is_product = read.product_version != 65_535
        assert binary.problems == (), name
        assert (binary.platform_id, binary.device_os, binary.app_hash) == (
            read.platform_id,
            read.needed_device_os,
            read.app_hash.lower(),
        )
        assert (binary.product_id, binary.product_version) == (
            (read.product_id, read.product_version) if is_product else (None, None)
        )
        assert binary.assets == dict(read.assets), name


def test_files_of_the_library_are_uploaded(cloud: Simulator, tmp_path: Path) -> None:
    make_files(tmp_path, FILES)
    for name in ("13-table.bin", "13-assets.zip"):
        run_successfully(cloud, {"file": tmp_path / name})
        assert call_for_bytes(cloud) == (tmp_path / name).read_bytes()
        run_successfully(cloud, {"version": 8, "state": "absent"})
