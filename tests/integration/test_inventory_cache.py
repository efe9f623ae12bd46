# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the cache of the inventory plugin, which uses the cache of Ansible with one entry per file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fleet_files import device_id, write_fleet_file
from support.inventories import (
    Inventory,
    read_cloud_inventory,
    read_inventory,
    remove_device,
    rename_device,
    write_inventory,
)
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PASSWORD, PRODUCT_ID, USERNAME, Simulator, running_simulator

SIZE = 120
LIST = "GET /v1/products/:p/devices"


@pytest.fixture(scope="module")
def _fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator("--fleet", write_fleet_file(tmp_path_factory.mktemp("fleet"), SIZE)) as cloud:
        yield cloud


@pytest.fixture
def cloud(_fleet: Simulator) -> Simulator:
    _fleet.reset()
    return _fleet


def cache_options(folder: Path, **more: Any) -> dict[str, Any]:
    connection = str(folder / "cache")
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": connection, **more}


def test_filled_cache_needs_neither_cloud_nor_token(tmp_path: Path) -> None:
    options = cache_options(tmp_path, group_by=["platform", "network", "mesh_role", "online"])
    with running_simulator("--fleet", write_fleet_file(tmp_path, 30)) as cloud:
        first = read_cloud_inventory(cloud, tmp_path, "--graph", **options)
        second = read_inventory(
            write_inventory(tmp_path, **options), {"PARTICLE_API_URL": cloud.url}, "--graph", home=tmp_path
        ).succeeded()
        requests = cloud.stats()["requests"]
        read_cloud_inventory(cloud, tmp_path, "--graph", **options)
        assert cloud.stats()["requests"] == requests
    offline = read_inventory(
        write_inventory(tmp_path, **options), {"PARTICLE_API_URL": cloud.url}, "--graph", home=tmp_path
    ).succeeded()
    assert first.stdout == second.stdout == offline.stdout
    assert "unit-000029" in offline.stdout


def test_flush_cache_renews_the_cache(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path)
    read_cloud_inventory(cloud, tmp_path, **options)
    rename_device(cloud, device_id(3), "renamed")
    assert "unit-000003" in read_cloud_inventory(cloud, tmp_path, **options).hosts
    assert "renamed" in read_cloud_inventory(cloud, tmp_path, "--list", "--flush-cache", **options).hosts
    assert "renamed" in read_cloud_inventory(cloud, tmp_path, **options).hosts


def test_name_of_a_replaced_device_goes_to_the_new_one(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path, cache_timeout=3600)
    old, new = device_id(3), device_id(4)
    read_cloud_inventory(cloud, tmp_path, **options)
    rename_device(cloud, new, "unit-000003")
    both = read_cloud_inventory(cloud, tmp_path, "--list", "--flush-cache", **options).hosts
    assert {name for name, facts in both.items() if facts["particle"]["name"] == "unit-000003"} == {old, new}
    remove_device(cloud, old)
    cached = read_cloud_inventory(cloud, tmp_path, **options).hosts
    assert {old, new} <= cached.keys()
    (file,) = (tmp_path / "cache").iterdir()
    os.utime(file, (0, 0))
    expired = read_cloud_inventory(cloud, tmp_path, **options).hosts
    assert expired["unit-000003"]["particle"]["id"] == new
    assert not {old, new} & expired.keys()


def test_refresh_inventory_renews_the_cache_during_a_play(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path)
    read_cloud_inventory(cloud, tmp_path, **options)
    rename_device(cloud, device_id(3), "renamed")
    tasks = [
        {"name": "Before", "ansible.builtin.debug": {"msg": "{{ groups['all'] }}"}},
        {"name": "Refresh", "ansible.builtin.meta": "refresh_inventory"},
        {"name": "After", "ansible.builtin.debug": {"msg": "{{ groups['all'] }}"}},
    ]
    run = run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env=cloud_environment(cloud.url),
        args=["-i", str(write_inventory(tmp_path, **options))],
    ).succeeded()
    assert "renamed" not in run.result("Before")["msg"]
    assert "renamed" in run.result("After")["msg"]


def test_cache_is_not_used_by_a_file_with_other_options(cloud: Simulator, tmp_path: Path) -> None:
    assert len(read_cloud_inventory(cloud, tmp_path, **cache_options(tmp_path)).hosts) == SIZE
    assert len(read_cloud_inventory(cloud, tmp_path, **cache_options(tmp_path, filters={"online": False})).hosts) == 12
    grouped = read_cloud_inventory(
        cloud, tmp_path, **cache_options(tmp_path, filters={"online": False}, group_by=["online"])
    )
    assert len(grouped.groups["online_false"]) == 12
    assert cloud.stats()["by_route"]["GET /v1/products/:p"] == 2


def test_cache_of_one_cloud_is_not_used_for_another_cloud(tmp_path: Path) -> None:
    options = cache_options(tmp_path)
    named = [[{"id": device_id(1), "name": name, "product_id": PRODUCT_ID}] for name in ("here", "there")]
    for number, fleet in enumerate(named):
        (tmp_path / f"fleet-{number}.json").write_text(json.dumps(fleet))
    with (
        running_simulator("--fleet", str(tmp_path / "fleet-0.json")) as here,
        running_simulator("--fleet", str(tmp_path / "fleet-1.json")) as there,
    ):
        assert set(read_cloud_inventory(here, tmp_path, **options).hosts) == {"here"}
        assert set(read_cloud_inventory(there, tmp_path, **options).hosts) == {"there"}
        profile = {"access_token": "not-needed-when-warm", "apiUrl": there.url}
        (tmp_path / ".particle").mkdir()
        (tmp_path / ".particle" / "particle.config.json").write_text(json.dumps(profile))
        requests = there.stats()["requests"]
        by_profile = read_inventory(write_inventory(tmp_path, **options), {}, home=tmp_path).succeeded()
        assert set(by_profile.hosts) == {"there"}
        assert there.stats()["requests"] == requests


@pytest.mark.parametrize("place", ["environment", "file"])
def test_cache_is_used_for_every_spelling_of_the_url(cloud: Simulator, tmp_path: Path, place: str) -> None:
    same = cloud.url.replace("http://127.0.0.1", "HTTP://LocalHost.") + "/"
    for url in (cloud.url, same):
        given = {"api_url": url} if place == "file" else {}
        file = write_inventory(tmp_path, **cache_options(tmp_path, **given))
        assert len(read_inventory(file, cloud_environment(url), home=tmp_path).succeeded().hosts) == SIZE
    assert cloud.stats()["by_route"]["GET /v1/products/:p"] == 1


def test_cache_of_one_account_is_not_used_for_another_account(tmp_path: Path) -> None:
    other = {"username": "workshop@example.com", "password": "another-passw0rd"}
    (tmp_path / "accounts.json").write_text(json.dumps([{"username": USERNAME, "password": PASSWORD}, other]))
    owned = [
        {"id": device_id(n), "name": f"of-{n}", "owner": owner} for n, owner in ((1, USERNAME), (2, other["username"]))
    ]
    (tmp_path / "fleet.json").write_text(json.dumps(owned))
    file = write_inventory(tmp_path, **cache_options(tmp_path, account_devices=True))
    with running_simulator(
        *("--fleet", str(tmp_path / "fleet.json"), "--accounts", str(tmp_path / "accounts.json"))
    ) as cloud:
        first = cloud_environment(cloud.url)
        second = cloud_environment(cloud.url, **other)
        without_account = {"PARTICLE_API_URL": cloud.url}
        found = [
            set(read_inventory(file, env, home=tmp_path).succeeded().hosts) for env in (first, second, without_account)
        ]
    assert found == [{"of-1"}, {"of-2"}, {"of-2"}]


def test_cache_contains_no_secret(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path, username=USERNAME, password=PASSWORD)
    env = {"PARTICLE_API_URL": cloud.url, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    (tmp_path / "run").mkdir()
    read_inventory(write_inventory(tmp_path, **options), env, home=tmp_path).succeeded()
    sessions = json.loads((tmp_path / "run" / "meshfleet.particle" / "sessions.json").read_text())
    (token,) = (login["token"] for login in sessions["logins"].values())
    entries = [path.read_text() for path in (tmp_path / "cache").iterdir()]
    assert len(entries) == 1
    assert device_id(1) in entries[0]
    for secret in (token, PASSWORD, "mobile_secret"):
        assert secret not in entries[0]


def damage_payload(change: Callable[[dict[str, Any]], Any]) -> Callable[[str], str]:
    """Return a function that changes the content of a cache file in the way in which `change` changes the entry."""

    def damage(text: str) -> str:
        file = json.loads(text)
        entry = json.loads(file["__payload__"])
        return json.dumps({"__payload__": json.dumps(change(entry))})

    return damage


def damage_row(entry: dict[str, Any]) -> dict[str, Any]:
    content = json.loads(entry["content"])
    content[0]["devices"][device_id(1)] = {"name": 5, "mesh": [], "groups": "x"}
    return {**entry, "content": json.dumps(content)}


DAMAGES: list[Callable[[str], str]] = [
    lambda text: text[: len(text) // 2],
    lambda text: "",
    lambda text: "[1]",
    lambda text: json.dumps({"recipe": "x", "content": "y"}),
    lambda text: json.dumps({"__payload__": "["}),
    damage_payload(lambda entry: []),
    damage_payload(lambda entry: {"recipe": entry["recipe"], "whose": {}, "content": entry["content"]}),
    damage_payload(lambda entry: {**entry, "content": "[5]"}),
    damage_payload(lambda entry: {**entry, "content": 5}),
    damage_payload(lambda entry: {**entry, "whose": []}),
    damage_payload(lambda entry: {**entry, "accounts": []}),
    damage_payload(damage_row),
]


def test_damaged_cache_is_replaced_with_a_warning(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path)
    files = [write_inventory(tmp_path, f"fleet-{number}", **options) for number in range(len(DAMAGES))]
    sources = [argument for file in files[1:] for argument in ("-i", str(file))]

    def read() -> Inventory:
        return read_inventory(files[0], cloud_environment(cloud.url), *sources, "--list", home=tmp_path)

    read().succeeded()
    requests = cloud.stats()["by_route"][LIST]
    for damage, file in zip(DAMAGES, sorted((tmp_path / "cache").iterdir()), strict=True):
        file.write_text(damage(file.read_text()))
    inventory = read()
    assert len(inventory.hosts) == SIZE
    assert " ".join(inventory.stderr.split()).count("is damaged or cannot be read") == len(DAMAGES)
    assert cloud.stats()["by_route"][LIST] == 2 * requests
    assert len(read().succeeded().hosts) == SIZE
    assert cloud.stats()["by_route"][LIST] == 2 * requests


def test_cache_file_is_private_whatever_the_umask(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path, cache_prefix="fleet_")
    before = os.umask(0)
    try:
        read_cloud_inventory(cloud, tmp_path, **options)
    finally:
        os.umask(before)
    (file,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.name.startswith("fleet_")
    requests = cloud.stats()["requests"]
    assert len(read_cloud_inventory(cloud, tmp_path, **options).hosts) == SIZE
    assert cloud.stats()["requests"] == requests


def test_cache_that_cannot_be_written_causes_a_warning(cloud: Simulator, tmp_path: Path) -> None:
    options = cache_options(tmp_path)
    read_cloud_inventory(cloud, tmp_path, **options)
    (file,) = (tmp_path / "cache").iterdir()
    file.unlink()
    file.mkdir()
    inventory = read_inventory(write_inventory(tmp_path, **options), cloud_environment(cloud.url), home=tmp_path)
    assert len(inventory.hosts) == SIZE
    assert "cannot be cached: Is a directory." in " ".join(inventory.stderr.split())


class TestAccounts:
    """Tests that the cache of one access token is not used with another one."""

    OWNERS = (USERNAME, "workshop@example.com")

    @pytest.fixture
    def two_accounts(self, tmp_path: Path) -> Iterator[Simulator]:
        accounts = [{"username": name, "password": PASSWORD} for name in self.OWNERS]
        owned = [{"id": device_id(n), "name": f"of-{n}", "owner": name} for n, name in enumerate(self.OWNERS)]
        (tmp_path / "accounts.json").write_text(json.dumps(accounts))
        (tmp_path / "fleet.json").write_text(json.dumps(owned))
        files = ("--fleet", str(tmp_path / "fleet.json"), "--accounts", str(tmp_path / "accounts.json"))
        with running_simulator(*files) as cloud:
            yield cloud

    def read_hosts(self, cloud: Simulator, folder: Path, options: dict[str, Any], **env: str) -> set[str]:
        file = write_inventory(folder, **cache_options(folder, **{"account_devices": True, **options}))
        return set(read_inventory(file, {"PARTICLE_API_URL": cloud.url, **env}, home=folder).succeeded().hosts)

    def test_cache_of_one_token_is_not_used_with_another(self, two_accounts: Simulator, tmp_path: Path) -> None:
        cloud = two_accounts
        first, second = (cloud.access_token(owner) for owner in self.OWNERS)
        in_environment = [
            self.read_hosts(cloud, tmp_path, {}, **env)
            for env in ({"PARTICLE_ACCESS_TOKEN": first}, {"PARTICLE_ACCESS_TOKEN": second}, {})
        ]
        assert in_environment == [{"of-0"}, {"of-1"}, {"of-1"}]
        in_file = [self.read_hosts(cloud, tmp_path, {"access_token": token}) for token in (first, second, second)]
        assert in_file == [{"of-0"}, {"of-1"}, {"of-1"}]
        further = [
            self.read_hosts(cloud, tmp_path, {"account_devices": False, "accounts": [account]})
            for account in (
                {"access_token": first, "account_devices": True},
                {"access_token": second, "account_devices": True},
            )
        ]
        assert further == [{"of-0"}, {"of-1"}]
        (entry,) = (path.read_text() for path in (tmp_path / "cache").iterdir())
        for token in (first, second):
            assert token not in entry
            assert hashlib.sha256(token.encode()).hexdigest()[:16] not in entry

    def test_cache_of_one_cli_login_is_not_used_with_another(self, two_accounts: Simulator, tmp_path: Path) -> None:
        (tmp_path / ".particle").mkdir()
        found = []
        for owner in self.OWNERS:
            profile = {"access_token": two_accounts.access_token(owner), "apiUrl": two_accounts.url}
            (tmp_path / ".particle" / "particle.config.json").write_text(json.dumps(profile))
            found.append(self.read_hosts(two_accounts, tmp_path, {}))
        assert found == [{"of-0"}, {"of-1"}]


def test_incomplete_list_causes_a_warning_and_is_not_cached(cloud: Simulator, tmp_path: Path) -> None:
    pages = ({"a": 1, "b": 1}, {"c": 1, "d": 1}, {"d": 1})
    bodies = [{"devices": [{"id": name * 24} for name in names], "meta": {"total_pages": 2}} for names in pages]
    cloud.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": body} for body in bodies])
    options = cache_options(tmp_path)
    inventory = read_inventory(write_inventory(tmp_path, **options), cloud_environment(cloud.url), home=tmp_path)
    assert "may be missing" in " ".join(inventory.stderr.split())
    assert len(inventory.hosts) == 4
    assert len(read_cloud_inventory(cloud, tmp_path, **options).hosts) == SIZE
