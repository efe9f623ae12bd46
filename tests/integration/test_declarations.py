# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that every form of a declaration is understood or refused in words, as users write it in playbooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator


def run_tasks(cloud: Simulator, tasks: Mapping[str, Mapping[str, Any]], **more: Any) -> PlaybookRun:
    """Run each task on localhost, even if an earlier task has failed.

    :param tasks: the module with its options, and other keywords of the task, keyed by the name of the task.
    """
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "ignore_errors": True,
        "tasks": [{"name": name, **task} for name, task in tasks.items()],
    }
    return run_playbook([play], env=cloud_environment(cloud.url), **more)


def fleet(**options: Any) -> dict[str, Any]:
    """Return a task with module `fleet` for the product of the simulator."""
    return {"meshfleet.particle.fleet": {"product": PRODUCT_SLUG, **options}}


def test_every_form_of_a_file_declares_the_same_device(simulator: Simulator, tmp_path: Path) -> None:
    device = simulator.state()["devices"][0]
    device_id, serial_number = device["id"], device["serial_number"]
    forms = {
        "names.csv": f"DEVICEID,Device Name\n{device_id},alpha\n",
        "excel.csv": f"sep=;\r\nid;name;;\r\n{device_id};alpha;;\r\n",
        "tab.tsv": f"id\tname\n{device_id}\talpha\n",
        "tab.txt": f"id\tname\n{device_id}\talpha\n",
        "list.txt": f"{device_id}\n\n",
        "serials.txt": f"\ufeff{serial_number}\r\n",
        "labels.csv": "id,serial_number,imei,iccid,name\n"
        f"{device_id},{serial_number},{device['imei']},'{device['iccid']},alpha\n",
        "old_mac.csv": f'"id","name"\r"{device_id}","alpha"\r',
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text, newline="")
    (tmp_path / "unicode.txt").write_bytes(forms["tab.txt"].encode("utf-16"))
    (tmp_path / "vendor.csv").write_text(f"Box,Serial No,Label\n7,{serial_number},alpha\n")
    (tmp_path / "whole.yml").write_text(
        f"product: {PRODUCT_SLUG}\ndevices: vendor.csv\ncolumns: {{Box: , Label: name}}\n"
    )
    ignoring = {"columns": {"Label": "name"}, "ignore_columns": ["Box"]}
    text = f"product: {PRODUCT_SLUG}\ndevices:\n  - id: {device_id}\n    name: alpha\n"
    run = run_tasks(
        simulator,
        {
            **{name: fleet(manifest=name) for name in [*forms, "unicode.txt"]},
            "vendor.csv": fleet(manifest="vendor.csv", **ignoring),
            "whole.yml": {"meshfleet.particle.fleet": {"manifest": "whole.yml"}},
            "text": {"meshfleet.particle.fleet": {"manifest": text}},
            "text of a table": fleet(manifest=forms["tab.tsv"]),
            "JSON": {"meshfleet.particle.fleet": {"manifest": json.dumps(yaml.safe_load(text))}},
        },
        cwd=tmp_path,
    )
    first, *others = (
        (task.task, task.status, task.result.get("msg") if task.status == "failed" else None) for task in run.tasks
    )
    assert simulator.device(device_id)["name"] == "alpha"
    assert first == ("names.csv", "changed", None)
    assert others == [(name, "ok", None) for name, _status, _message in others]


def test_labels_are_compared_with_those_that_the_cloud_shows(simulator: Simulator, tmp_path: Path) -> None:
    one, two, three = simulator.state()["devices"][:3]
    right = "\n".join(f"{device['id']},{device['serial_number']},{device['iccid']}," for device in (one, two, three))
    (tmp_path / "right.csv").write_text(f"id,serial_number,iccid,name\n{right}\n")
    (tmp_path / "wrong.csv").write_text(
        "serial number,ICCID,Device Name\n"
        f"{one['serial_number']},{one['iccid']},one\n{two['serial_number']},{three['iccid']},two\n"
    )
    run = run_tasks(
        simulator,
        {
            "New": fleet(manifest="wrong.csv"),
            "Right": fleet(manifest="right.csv"),
            "Wrong": fleet(manifest="wrong.csv"),
        },
        cwd=tmp_path,
    )
    said = f"wrong.csv:3 iccid: {three['iccid']} is declared, but the cloud shows {two['iccid']}."
    for task in ("New", "Wrong"):
        result = run.result(task)
        (failed,) = (device for device in result["devices"] if device["status"] == "failed")
        assert (failed["identifier"], result["error"]["code"]) == (two["serial_number"], "conflict")
        assert said in failed["error"]["message"]
        assert said in result["msg"]
    assert run.task("Right").status == "changed"
    assert [simulator.device(device["id"])["name"] for device in (one, two)] == ["one", None]


def test_files_that_declare_nothing_or_wrongly_are_refused_in_words(simulator: Simulator, tmp_path: Path) -> None:
    device = simulator.state()["devices"][0]["id"]
    rows = "".join(f"e00fce68000000000000{number:04},n{number},B404XMEA\n" for number in range(1000))
    files = {
        "empty.csv": "",
        "empty.yml": "# nothing\n",
        "null.yml": "devices:\n",
        "header.csv": "id,name\n",
        "headerless.csv": f"{device},name1\n",
        "console.csv": f"DEVICEID,NAME,SKU\n{rows}",
        "damaged.csv": "iccid,name\n8.90141E+19,a\n8.90142E+19,b\n",
        "many.yml": "devices:\n" + "".join(f"  - id: {device}\n    nmae: {number}\n" for number in range(500)),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.csv").write_bytes(f"id,name\n{device},Ställe\n".encode("cp1252"))
    run = run_tasks(
        simulator,
        {
            **{name: fleet(manifest=name) for name in [*files, "latin.csv"]},
            "text": fleet(manifest="hush, hush\nhush"),
            "columns": fleet(devices=[{"id": device}], columns={"Box": None}),
        },
        cwd=tmp_path,
    )
    said = {task.task: task.result["msg"] for task in run.tasks}
    assert {task.task for task in run.tasks if task.status == "failed"} == set(said)
    assert simulator.stats()["requests"] == 0
    assert "The file empty.csv is empty." in said["empty.csv"]
    assert "empty.yml:1 the manifest: is empty" in said["empty.yml"]
    assert "null.yml:1 devices: must be a list, got nothing" in said["null.yml"]
    assert "The file header.csv has a header, but no devices." in said["header.csv"]
    assert f"headerless.csv:1 the header: has no header: {device} is the value of a device" in said["headerless.csv"]
    assert 'console.csv:1 the header: unknown column SKU; to ignore, set ignore_columns: ["SKU"]' in said["console.csv"]
    assert "DEVICEID" not in said["console.csv"]
    assert "damaged.csv:2 iccid: '8.90141E+19' is a number that a spreadsheet such as Excel" in said["damaged.csv"]
    assert "(on 2 rows, first at line 2" in said["damaged.csv"]
    assert "(on 500 devices, first at line 3)" in said["many.yml"]
    assert "latin.csv is not a text in UTF-8: line 2" in said["latin.csv"]
    assert "hush" not in said["text"]
    assert "columns: applies only to a table" in said["columns"]
    assert max(len(message.splitlines()) for message in said.values()) <= 5


def test_numbers_from_templates_are_read_alike_or_refused(simulator: Simulator) -> None:
    device = simulator.state()["devices"][0]["id"]
    values = {"num": 7, "ver": "42", "id1": device}
    templates = {"id": "{{ id1 }}", "name": "{{ num }}", "firmware_lock": "{{ ver }}"}
    of_product = {"product": PRODUCT_SLUG}
    run = run_tasks(
        simulator,
        {
            "Number as a name": fleet(devices=[templates]) | {"vars": values},
            "Version beyond 16 bits": fleet(devices=[{"id": device, "firmware_lock": 65536}]),
            "Control characters": fleet(devices=[{"id": device, "name": "a\nb\u0007"}]),
            "Control characters of one device": {"meshfleet.particle.device": {"id": device, "name": "a\nb"}},
            "No device id": {"meshfleet.particle.device_facts": {"id": "barn", **of_product}},
            "No device id in a filter": {
                "meshfleet.particle.device_info": {"filters": {"ids": ["barn"]}, **of_product}
            },
        },
    )
    assert simulator.stats()["requests"] == 0
    number = run.result("Number as a name")
    assert "devices[0].name: must be a string, got the number 7" in number["msg"]
    assert "| string" in number["msg"]
    assert "firmware_lock" not in number["msg"]
    version = "firmware_lock: must be a version number from 1 to 65534 or unlocked, got 65536"
    assert version in run.result("Version beyond 16 bits")["msg"]
    character = "name: contains the control character U+000A; remove it"
    assert character in run.result("Control characters")["msg"]
    assert character in run.result("Control characters of one device")["msg"]
    assert "'barn' is not a device id" in run.result("No device id")["msg"]
    assert "barn: not a valid device id" in run.result("No device id in a filter")["msg"]


def test_numbers_and_booleans_as_names_are_named_as_such(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "number.yml").write_text(
        "networks: {12: {}}\ndevices: [{id: e00fce680f62a53ce73f52d6, mesh: {network: 12, role: gateway}}]\n"
    )
    (tmp_path / "boolean.yml").write_text(
        "networks: {on: {}}\ndevices: [{id: e00fce680f62a53ce73f52d6, groups: [off]}]\n"
    )
    run = run_tasks(
        simulator,
        {"Number": fleet(manifest="number.yml"), "Boolean": fleet(manifest="boolean.yml")},
        cwd=tmp_path,
    )
    assert "networks.12: must be a string, got the number 12; put it in quotes" in run.result("Number")["msg"]
    assert "devices[0].mesh.network: must be a string, got the number 12" in run.result("Number")["msg"]
    assert "is not declared" not in run.result("Number")["msg"]
    assert "networks.True: must be a string, got true (YAML reads words such as yes" in run.result("Boolean")["msg"]
    assert "devices[0].groups[0]: must be a string, got false" in run.result("Boolean")["msg"]
    assert simulator.stats()["requests"] == 0


def test_missing_declaration_is_named_with_the_options_that_declare(simulator: Simulator, tmp_path: Path) -> None:
    role = {"ansible.builtin.include_role": {"name": "meshfleet.particle.provision"}}
    run = run_tasks(simulator, {"Module": fleet(), "Role": role}, cwd=tmp_path)
    failures = [record.result["msg"] for record in run.tasks if record.status == "failed"]
    expected = "No devices are declared. Set manifest to the path or the content of a manifest, or set devices or"
    assert [failure.startswith(expected) for failure in failures] == [True, True], failures
    assert "provision_manifest, provision_devices and provision_from_inventory" in failures[1]
    assert simulator.stats()["writes"] == 0


def test_declaration_without_devices_is_never_silent(simulator: Simulator, tmp_path: Path) -> None:
    device = simulator.state()["devices"][0]["id"]
    known = {"particle": {"id": device}}
    hosts = {"one": known, "two": known, "three": {**known, "particle_device": {"id": device}}}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    from_hosts = {**fleet(from_inventory=True, fail=False), "run_once": True, "ignore_errors": True}
    of_task = {**from_hosts, "vars": {"particle_device": {"id": "{{ particle.id }}"}}}
    empty = {**fleet(devices=[]), "run_once": True}
    found = {
        "meshfleet.particle.device_info": {"products": [PRODUCT_SLUG], "filters": {"name": "x*"}},
        "run_once": True,
    }
    plays = [
        {"hosts": "one,two", "tasks": [{"name": "None", **from_hosts}, {"name": "Of the task", **of_task}]},
        {
            "hosts": "all",
            "tasks": [{"name": "Some", **from_hosts}, {"name": "Empty", **empty}, {"name": "Found", **found}],
        },
    ]
    run = run_playbook(
        [{"gather_facts": False, **play} for play in plays],
        env=cloud_environment(simulator.url),
        args=["-i", str(tmp_path / "hosts.yml")],
    )
    none, of_task_result = run.result("None", "one"), run.result("Of the task", "one")
    assert "None of the 2 hosts declares a device: the variable particle_device is not set." in none["msg"]
    assert "{id: '{{ particle.id }}'" in none["msg"]
    assert "particle_device is set for the play, the role or the task, but not for its hosts." in of_task_result["msg"]
    assert run.task("Some", "one").status == "changed"
    said = " ".join(run.output.split())
    assert "2 of 3 hosts have no variable particle_device, and are left out: one, two." in said
    assert run.task("Empty", "one").status == "ok"
    assert "The manifest declares no devices." in said
    assert f"There are no devices that match the filters in product {PRODUCT_SLUG}." in said


def test_host_with_an_undefined_variable_is_named(simulator: Simulator, tmp_path: Path) -> None:
    device = simulator.state()["devices"][0]["id"]
    declared = {"one": {"id": device, "groups": ["{{ missing }}"]}, "two": "{{ missing }}", "three": {"id": device}}
    hosts = {name: {"particle_device": value} for name, value in declared.items()}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    task = {"name": "Fleet", **fleet(from_inventory=True), "run_once": True}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    args = ["-i", str(tmp_path / "hosts.yml")]
    result = run_playbook([play], env=cloud_environment(simulator.url), args=args).result("Fleet", "one")
    assert result["error"]["code"] == "invalid_manifest"
    assert "particle_device of 2 hosts cannot be evaluated: one, two." in result["msg"]
    assert "'missing' is undefined" in result["msg"]


def test_host_with_an_empty_string_is_left_out(simulator: Simulator, tmp_path: Path) -> None:
    device = simulator.state()["devices"][0]["id"]
    hosts = {"one": {"particle_device": ""}, "two": {"particle_device": {"id": device}}}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    task = {"name": "Fleet", **fleet(from_inventory=True), "run_once": True}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    run = run_playbook(
        [play], env=cloud_environment(simulator.url), args=["-i", str(tmp_path / "hosts.yml")]
    ).succeeded()
    assert "1 of 2 hosts has no variable particle_device, and is left out: one." in " ".join(run.output.split())


def test_text_of_a_survey_is_a_list_of_its_lines(simulator: Simulator) -> None:
    run = run_tasks(
        simulator,
        {
            "Lines": {"meshfleet.particle.device_info": {"products": f"{PRODUCT_SLUG}\n{PRODUCT_ID}\n"}},
            "Devices": fleet(devices="- id: e00fce680f62a53ce73f52d6\n  name: hush\n"),
        },
    )
    assert run.task("Lines").status == "ok"
    assert "add the filter '| from_yaml' if it is the text" in run.result("Devices")["msg"]
    assert "hush" not in run.result("Devices")["msg"]
