# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the hosts, groups and sources of the inventory plugin, and its treatment of hostile device names."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fleet_files import device_id, write_fleet_file
from support.inventories import read_cloud_inventory, read_inventory, rename_device, write_inventory
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PASSWORD, PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

LIST = "GET /v1/products/:p/devices"
LABELS = [
    *("product", "platform", "device_group", "network", "mesh_role", "online", "firmware_version", "firmware_lock"),
    *("development", "quarantined", "silent"),
]


@pytest.fixture(scope="module")
def _fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    special_devices = [
        {"id": device_id(901), "name": "twin", "product_id": PRODUCT_ID},
        {"id": device_id(902), "name": "twin", "product_id": PRODUCT_ID},
        {"id": device_id(903), "name": None, "product_id": PRODUCT_ID, "quarantined": True},
        {"id": device_id(904), "name": "on the desk", "owner": USERNAME},
    ]
    with running_simulator(
        "--fleet", write_fleet_file(tmp_path_factory.mktemp("fleet"), 120, special_devices)
    ) as cloud:
        yield cloud


@pytest.fixture
def cloud(_fleet: Simulator) -> Simulator:
    _fleet.reset()
    return _fleet


class TestHosts:
    """Tests of the hosts that devices become."""

    def test_host_has_the_name_or_id_and_the_variables_of_its_device(self, cloud: Simulator, tmp_path: Path) -> None:
        hosts = read_cloud_inventory(cloud, tmp_path).hosts
        assert len(hosts) == 123
        assert {"unit-000000", "unit-000119", device_id(901), device_id(902), device_id(903)} <= hosts.keys()
        variables = hosts["unit-000001"]
        assert set(variables) == {"particle", "ansible_connection", "ansible_python_interpreter"}
        assert variables["ansible_connection"] == "local"
        assert variables["ansible_python_interpreter"] == "{{ ansible_playbook_python }}"
        assert {
            "id": device_id(1),
            "platform": "boron",
            "product": PRODUCT_SLUG,
            "mesh": {"network": "net-0000", "role": "node"},
            "presence": "confirmed",
        }.items() <= variables["particle"].items()
        assert "mobile_secret" not in json.dumps(hosts)

    def test_lines_of_a_text_are_the_products(self, cloud: Simulator, tmp_path: Path) -> None:
        hosts = read_cloud_inventory(cloud, tmp_path, products=f"{PRODUCT_SLUG}\n{PRODUCT_ID}\n").hosts
        assert len(hosts) == 123

    def test_variables_are_equal_to_the_facts_of_device_facts(self, cloud: Simulator, tmp_path: Path) -> None:
        file = write_inventory(tmp_path, filters={"name": "unit-00000*"})
        facts = {"id": "{{ particle.id }}", "product": PRODUCT_SLUG}
        tasks = [
            {"name": "Gather", "meshfleet.particle.device_facts": facts},
            {
                "name": "Compare",
                "ansible.builtin.assert": {
                    "that": "before | dict2items | rejectattr('key', 'in', volatile) | list "
                    "== now | dict2items | rejectattr('key', 'in', volatile) | list"
                },
                "vars": {
                    "before": "{{ particle }}",
                    "now": "{{ ansible_facts.particle }}",
                    "volatile": ["last_heard_age", "presence", "last_heard"],
                },
            },
        ]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        run = run_playbook([play], env=cloud_environment(cloud.url), args=["-i", str(file)]).succeeded()
        assert len([task for task in run.tasks if task.task == "Compare" and task.status == "ok"]) == 10

    def test_host_runs_modules_without_further_settings(self, cloud: Simulator, tmp_path: Path) -> None:
        file = write_inventory(tmp_path, filters={"ids": [device_id(7)]})
        play = {
            "hosts": "all",
            "vars": {"ansible_facts_modules": ["meshfleet.particle.device_facts"]},
            "module_defaults": {
                "meshfleet.particle.device_facts": {"id": "{{ particle.id }}", "product": PRODUCT_SLUG}
            },
            "tasks": [
                {"name": "Show", "ansible.builtin.debug": {"var": "ansible_facts.particle.name"}},
                {"name": "Look", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG}},
            ],
        }
        run = run_playbook([play], env=cloud_environment(cloud.url), args=["-i", str(file)]).succeeded()
        assert run.result("Show", "unit-000007")["ansible_facts.particle.name"] == "unit-000007"

    def test_only_devices_that_match_the_filters_become_hosts(self, cloud: Simulator, tmp_path: Path) -> None:
        filters = {"networks": ["net-0001"], "quarantined": False, "online": True}
        assert len(read_cloud_inventory(cloud, tmp_path, filters=filters).hosts) == 18

    def test_list_is_read_only_for_the_groups_of_the_filter(self, cloud: Simulator, tmp_path: Path) -> None:
        filters = {"groups": ["mesh-net-0001"], "networks": ["net-0001"]}
        assert len(read_cloud_inventory(cloud, tmp_path, filters=filters).hosts) == 20
        assert cloud.stats()["by_route"][LIST] == 1

    def test_hostnames_option_names_hosts_by_serial_number(self, cloud: Simulator, tmp_path: Path) -> None:
        hosts = read_cloud_inventory(cloud, tmp_path, hostnames=["serial_number", "id"]).hosts
        assert all(re.fullmatch(r"B40HAB\d{9}", name) for name in hosts)


class TestGroups:
    """Tests of the groups of hosts."""

    def test_group_by_creates_a_group_per_key_and_value(self, cloud: Simulator, tmp_path: Path) -> None:
        groups = read_cloud_inventory(cloud, tmp_path, group_by=LABELS).groups
        sizes = {name: len(hosts) for name, hosts in groups.items()}
        assert sizes["product_field_logger"] == sizes["platform_boron"] == sizes["development_false"] == 123
        assert (sizes["network_net_0000"], sizes["network_net_0001"]) == (100, 20)
        assert (sizes["mesh_role_gateway"], sizes["mesh_role_node"]) == (2, 118)
        assert (sizes["online_true"], sizes["online_false"]) == (111, 12)
        assert sum(sizes[f"firmware_version_{version}"] for version in (40, 41, 42)) == 120
        assert (sizes["firmware_lock_unlocked"], sizes["quarantined_true"], sizes["quarantined_false"]) == (123, 1, 122)
        assert sizes["silent_false"] == 123
        assert sum(sizes[f"device_group_site_{number}"] for number in range(7)) == 120
        assert not [name for name in groups if "mesh_net" in name]

    def test_constructed_options_create_groups_and_variables(self, cloud: Simulator, tmp_path: Path) -> None:
        inventory = read_cloud_inventory(
            cloud,
            tmp_path,
            filters={"name": "unit-00000*"},
            group_by=["online"],
            compose={"label": "particle.name ~ '@' ~ particle.product"},
            groups={"loud": "particle.presence == 'confirmed'"},
            keyed_groups=[{"key": "particle.firmware_version | string", "prefix": "fw"}, {"key": "particle.nothing"}],
        )
        assert inventory.hosts["unit-000003"]["label"] == f"unit-000003@{PRODUCT_SLUG}"
        assert set(inventory.groups) == {"online_true", "online_false", "loud", "fw_40", "fw_41", "fw_42"}

    def test_unknown_group_by_key_is_refused_before_any_request(self, cloud: Simulator, tmp_path: Path) -> None:
        file = write_inventory(tmp_path, group_by=["colour"])
        inventory = read_inventory(file, cloud_environment(cloud.url), home=tmp_path)
        assert "colour" in inventory.stderr
        assert cloud.stats()["requests"] == 0


class TestSources:
    """Tests of the products and accounts from which devices are read, in one or several files."""

    def test_one_file_reads_two_accounts(self, tmp_path: Path) -> None:
        accounts = tmp_path / "accounts.json"
        other = {"username": "workshop@example.com", "password": "another-passw0rd"}
        accounts.write_text(json.dumps([{"username": USERNAME, "password": PASSWORD}, other]))
        other_devices = [{"id": device_id(801), "name": "lathe", "owner": other["username"]}]
        with running_simulator(
            "--fleet", write_fleet_file(tmp_path, 3, other_devices), "--accounts", str(accounts)
        ) as cloud:
            password = "{{ lookup('ansible.builtin.env', 'WORKSHOP') }}"
            file = write_inventory(
                tmp_path,
                products=[PRODUCT_SLUG],
                accounts=[{"username": other["username"], "password": password, "account_devices": True}],
                group_by=["product"],
            )
            env = {**cloud_environment(cloud.url), "WORKSHOP": other["password"]}
            inventory = read_inventory(file, env, home=tmp_path).succeeded()
            assert cloud.stats()["grants"] == 2
        assert set(inventory.hosts) == {"unit-000000", "unit-000001", "unit-000002", "lathe"}
        assert inventory.groups == {"product_field_logger": ["unit-000000", "unit-000001", "unit-000002"]}

    def test_top_level_account_is_not_read_if_only_accounts_are_set(self, cloud: Simulator, tmp_path: Path) -> None:
        account = {"username": USERNAME, "password": PASSWORD, "products": [PRODUCT_SLUG]}
        for top_level in ({}, {"account_devices": False}):
            hosts = read_cloud_inventory(cloud, tmp_path, accounts=[account], **{"products": None, **top_level}).hosts
            assert len(hosts) == 123
            assert "on_the_desk" not in hosts

    @pytest.mark.parametrize("top_level", [{"account_devices": True}, {"username": USERNAME, "password": PASSWORD}])
    def test_top_level_account_is_read_too_if_its_options_are_set(
        self, cloud: Simulator, tmp_path: Path, top_level: dict[str, Any]
    ) -> None:
        account = {"username": USERNAME, "password": PASSWORD, "products": [PRODUCT_SLUG]}
        assert (
            len(read_cloud_inventory(cloud, tmp_path, accounts=[account], **{"products": None, **top_level}).hosts)
            == 124
        )

    def test_product_and_account_devices_are_read_together(self, cloud: Simulator, tmp_path: Path) -> None:
        hosts = read_cloud_inventory(cloud, tmp_path, products=[PRODUCT_ID], account_devices=True).hosts
        assert len(hosts) == 124
        assert hosts["on_the_desk"]["particle"]["product"] is None

    def test_device_of_two_sources_becomes_one_host(self, cloud: Simulator, tmp_path: Path) -> None:
        write_inventory(tmp_path, "a")
        write_inventory(tmp_path, "b", group_by=["platform"])
        (tmp_path / "c.yml").write_text(json.dumps({"all": {"hosts": {"printer": {"room": 1}}}}))
        # The folder is read as a whole, so files that are not inventories must be ignored.
        env = {**cloud_environment(cloud.url), "ANSIBLE_INVENTORY_IGNORE": ".cfg,.json,.jsonl"}
        inventory = read_inventory(tmp_path, env, home=tmp_path)
        assert len(inventory.hosts) == 124
        assert len(inventory.groups["platform_boron"]) == 123

    def test_host_of_another_source_is_not_overwritten(self, cloud: Simulator, tmp_path: Path) -> None:
        rename_device(cloud, device_id(5), "db1")
        static = tmp_path / "a.yml"
        static.write_text(json.dumps({"all": {"hosts": {"db1": {"ansible_connection": "ssh"}}}}))
        file = write_inventory(tmp_path)
        env = cloud_environment(cloud.url)
        inventory = read_inventory(static, env, "-i", str(file), "--list", home=tmp_path).succeeded()
        assert inventory.hosts["db1"] == {"ansible_connection": "ssh"}
        assert inventory.hosts[device_id(5)]["particle"]["name"] == "db1"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"products": ["no-such"]}, "it does not exist, or this account cannot see it"),
            ({"filters": {"platforms": ["borom"]}}, "borom"),
            ({"filters": {"colour": "red"}}, "filters.colour"),
            ({"account_devices": False, "products": []}, "No devices are selected"),
            ({"page_size": 0}, "page_size must be 1 or more, got 0"),
            ({"silent_days": 0}, "silent_days must be 1 or more, got 0"),
            ({"accounts": [{"usrname": "x"}]}, "usrname"),
            ({"filter": {"online": True}}, "filter is not a valid option (did you mean filters?)"),
            (
                {"groupby": ["online"], "color": 1},
                "color is not a valid option; groupby is not a valid option",
            ),
            ({"api_url": "ftp://x"}, "api_url"),
        ],
    )
    def test_invalid_options_are_refused_with_a_message(
        self, cloud: Simulator, tmp_path: Path, options: dict[str, Any], words: str
    ) -> None:
        inventory = read_inventory(write_inventory(tmp_path, **options), cloud_environment(cloud.url), home=tmp_path)
        assert words in " ".join(inventory.stderr.split())
        assert "Traceback" not in inventory.stderr

    @pytest.mark.parametrize("name", ["fleet.yml", "particle.txt", "xparticle.yml"])
    def test_file_with_another_name_is_ignored(self, cloud: Simulator, tmp_path: Path, name: str) -> None:
        file = write_inventory(tmp_path).rename(tmp_path / name)
        assert read_inventory(file, cloud_environment(cloud.url), home=tmp_path).hosts == {}
        assert cloud.stats()["requests"] == 0

    def test_file_named_particle_yaml_is_read(self, cloud: Simulator, tmp_path: Path) -> None:
        file = write_inventory(tmp_path).rename(tmp_path / "particle.yaml")
        assert len(read_inventory(file, cloud_environment(cloud.url), home=tmp_path).succeeded().hosts) == 123


class TestNoHosts:
    """Tests of inventories that have no hosts although the cloud can be read."""

    def warn(self, cloud: Simulator, folder: Path, **options: Any) -> str:
        """Read an inventory without hosts, and return the warning after the words `this inventory has no hosts.`"""
        file = write_inventory(folder, **options)
        inventory = read_inventory(file, cloud_environment(cloud.url), "--list", home=folder)
        assert (inventory.rc, inventory.hosts) == (0, {})
        return " ".join(inventory.stderr.split()).partition(f"{file}: this inventory has no hosts. ")[2]

    @pytest.mark.parametrize("filters", [{"name": "nothing-*"}, {"groups": ["nowhere"], "quarantined": False}])
    def test_warning_says_that_no_device_matches(
        self, cloud: Simulator, tmp_path: Path, filters: dict[str, Any]
    ) -> None:
        shown = self.warn(cloud, tmp_path, filters=filters)
        expected = f"There are no devices that match the filters in product {PRODUCT_SLUG}."
        assert shown == f"{expected} Correct the filters, or read all devices."

    def test_warning_names_the_sources_of_all_accounts(self, tmp_path: Path) -> None:
        sources = {"products": [PRODUCT_SLUG], "accounts": [{"account_devices": True}, {"account_devices": True}]}
        with running_simulator("--fleet", "0") as cloud:
            shown = self.warn(cloud, tmp_path, **sources)
        expected = f"There are no devices in product {PRODUCT_SLUG} and the account."
        assert shown.startswith(f"{expected} Add devices with module fleet, or read another product or account.")


class TestHostileNames:
    """Tests of device names that contain templates or reserved words."""

    @pytest.fixture
    def trap(self, tmp_path: Path) -> Path:
        return tmp_path / "executed"

    def test_template_in_a_name_is_never_evaluated(self, cloud: Simulator, tmp_path: Path, trap: Path) -> None:
        evil = f"{{{{ lookup('pipe', 'touch {trap}') }}}}</script><img src=x onerror=alert(1)>"
        rename_device(cloud, device_id(3), evil)
        file = write_inventory(
            tmp_path,
            filters={"ids": [device_id(3)]},
            group_by=LABELS,
            compose={"composed": "particle.name"},
            keyed_groups=[{"key": "particle.name", "prefix": "n"}],
            groups={"evil": "particle.name is search('pipe')"},
            cache=True,
            cache_plugin="ansible.builtin.jsonfile",
            cache_connection=str(tmp_path / "cache"),
        )
        out = tmp_path / "out"
        tasks = [
            {"name": "Gather", "meshfleet.particle.device_facts": {"id": "{{ particle.id }}", "product": PRODUCT_SLUG}},
            {"name": "Look", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG}, "register": "found"},
            {"name": "Show", "ansible.builtin.debug": {"msg": "{{ particle.name }} {{ ansible_facts.particle.name }}"}},
            {"name": "Composed", "ansible.builtin.debug": {"var": "composed"}},
            {
                "name": "Write",
                "ansible.builtin.copy": {
                    "content": "{{ particle.name }}{{ found.devices | map(attribute='name') | list }}",
                    "dest": str(out),
                    "mode": "0600",
                },
            },
        ]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        for _unused in ("fresh", "from the cache"):
            run = run_playbook([play], env=cloud_environment(cloud.url), args=["-i", str(file), "-v"]).succeeded()
            assert evil in run.result("Show", run.tasks[0].host)["msg"]
            assert run.result("Composed", run.tasks[0].host)["composed"] == evil
            assert evil in out.read_text()
            assert not trap.exists()

    @pytest.mark.parametrize("name", ["localhost", "all", "ungrouped", "platform_boron", "127.0.0.1"])
    def test_reserved_name_is_replaced_by_the_device_id(self, cloud: Simulator, tmp_path: Path, name: str) -> None:
        rename_device(cloud, device_id(3), name)
        file = write_inventory(tmp_path, group_by=["platform"])
        inventory = read_inventory(file, cloud_environment(cloud.url), home=tmp_path)
        assert name not in inventory.hosts
        assert inventory.hosts[device_id(3)]["particle"]["name"] == name


def test_refused_login_shows_no_password(cloud: Simulator, tmp_path: Path) -> None:
    file = write_inventory(tmp_path, username=USERNAME, password="wr0ng-canary-pass")
    inventory = read_inventory(file, {"PARTICLE_API_URL": cloud.url}, "--list", "-vvvv", home=tmp_path)
    assert "does not accept this username and password" in " ".join(inventory.stderr.split())
    assert "wr0ng-canary-pass" not in inventory.stdout + inventory.stderr


def test_read_only_inventory_file_is_read(cloud: Simulator, tmp_path: Path) -> None:
    file = write_inventory(tmp_path)
    file.chmod(0o400)
    assert len(read_inventory(file, cloud_environment(cloud.url), home=tmp_path).succeeded().hosts) == 123
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
