# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the examples of the documentation work, against the simulator."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from support.counts import FULL
from support.examples import Example, list_examples, write_example
from support.firmware import make_binary
from support.paths import ROOT
from support.playbooks import PlaybookRun, ansible_environment, run_playbook
from support.plays import cloud_environment
from support.programs import program_path, run_program
from support.simulator import PASSWORD, PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

RUN_SECONDS = 900.0
COMMAND_SECONDS = 280.0

# The first test includes the time of all runs.
pytestmark = pytest.mark.timeout(2 * RUN_SECONDS)

EXAMPLES = list_examples()

NOT_RUN = {
    "make ": "These commands set up a checkout and run its tests, which include this one.",
    "pip install ": "It downloads from the network.",
    "git clone": "It downloads the checkout from the network.",
    "$ python -m particle_simulator --port 8080": "It runs until it is stopped, and every test starts it.",
    "# Input configuration": "A credential type for an automation controller, which the tests do not have.",
    "# Injector configuration": "A credential type for an automation controller, which the tests do not have.",
    "$ curl": "The tests do not require curl.",
    "# execution-environment.yml": "test_execution_environment.py creates a build context from it.",
    "# barn-thread.yml": "It needs a border router, and test_thread.py runs the same.",
    "- name: Form ": "It needs a border router, as above.",
    "- name: Read the state of a Thread network": "It needs a border router, as above.",
    "- name: List the members of the Thread network": "It needs a border router, as above.",
    "$ SIMULATOR=": "The tests do not require curl.",
}
"""Beginnings of the examples that are not run, each with the reason."""

LONG = (
    "meshfleet.particle.report",
    "meshfleet.particle.token_health",
    "ansible-playbook meshfleet.particle.rollout",
    "ansible-playbook meshfleet.particle.provision",
    "ansible-galaxy collection install",
)
"""Examples that contain one of these take long, and other tests cover them: they run only under MESHFLEET_FULL=1."""

RUN = [
    example
    for example in EXAMPLES
    if not example.text.startswith(tuple(NOT_RUN))
    if FULL or not any(long in example.text for long in LONG)
]

PRODUCT = re.compile(r"meshfleet\.particle\.product(_info)?:|[ /]apply-product\.yml")
"""A word of the examples of definitions. They have a cloud of their own, because a definition concerns all integrations
of a product.
"""

ROLLOUT = re.compile(r"\brollout(_\w+)?\b")
"""A word of the examples of rollouts. They have a cloud of their own, because a rollout concerns all devices."""

BEFORE_PLAYS = "ansible-vault"
"""Commands with this word create input of plays and run before them; all other commands run after the plays."""

RULEBOOKS = ROOT / "extensions" / "eda" / "rulebooks"

MIN_EXAMPLES = 40

ORGANIZATION = "acme"
OTHER_PRODUCTS = ("Pump Watch", "Field Logger Staging")
SHARED = ("fleet.yml", "advisories.yml", "product.yml")
"""Files of examples that examples on other pages use, too."""
DEVICES = [f"e00fce68aabbccddeeff{number}" for number in ("0022", "0023", "0024", "0025", "0026", "0027")]
OWN = "e00fce68aabbccddeeff0011"
LOCKED_VERSION = 42
ROLLED_OUT = (41, 42, 43)
"""The firmware versions of the examples of rollouts. The devices run the first one."""
BINARY = make_binary(8)
"""The file `app.bin`, which examples mention but cannot show."""
SERIAL_NUMBERS = ["P046AB123456789", "P046AB100000001", "P046AB100000002"]

WORKSHOP = {"username": "workshop@example.com", "password": "workshop-password"}
CLIENT = {"id": "field-office", "secret": "field-office-secret"}
OTP_SECRET = "JBSWY3DPEHPK3PXP"

TABLE = f"serial_number,groups\n{SERIAL_NUMBERS[1]},north;beta\n{SERIAL_NUMBERS[2]},north\n"
"""The file `line-7.csv`, which examples mention but do not show."""

BATCH = {
    "batch-0710.txt": "".join(f"{device}\n" for device in DEVICES[:2]),
    "batch-0711.csv": "Box,Serial No,Label,QC Result\n"
    + "".join(f"1,{serial},barn {number},pass\n" for number, serial in enumerate(SERIAL_NUMBERS[1:], 1)),
}
"""Files of a manufacturer, which examples mention but do not show as a file."""


@dataclass(frozen=True)
class Reader:
    """The account and the folder with which the examples are run."""

    folder: Path
    cloud: Simulator
    token: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def vault_password_file(self) -> Path:
        return self.folder / "vault-password"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the account and of the home folder."""
        return {
            **cloud_environment(self.cloud.url),
            "HOME": str(self.home),
            # Examples read facts from ansible_facts: the injection of facts as variables is deprecated.
            "ANSIBLE_INJECT_FACT_VARS": "False",
            "WORKSHOP_PASSWORD": WORKSHOP["password"],
        }

    def fill_in(self, text: str) -> str:
        """Replace the placeholders of an example with the values of this reader."""
        for placeholder, value in {
            "PARTICLE_ACCESS_TOKEN=...": f"PARTICLE_ACCESS_TOKEN={self.token}",
            "https://particle.example.com": self.cloud.url,
            "you@example.com": USERNAME,
            "the-password": PASSWORD,
            "/var/lib/particle-report": str(self.home / "report"),
            # The modules of Ansible take the home folder from the user database, not from HOME.
            "dest: ~": f"dest: {self.home}",
        }.items():
            text = text.replace(placeholder, value)
        return text

    def write(self, example: Example) -> Path:
        return write_example(
            Example(example.source, example.line, example.kind, self.fill_in(example.text)), self.folder
        )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The failure of each example, by name; None if the example works.

    One process of Ansible runs many examples, because its start takes longer than most examples.
    """
    folder = tmp_path_factory.mktemp("examples")
    with ExitStack() as stack:
        reader, mesh_reader, product_reader, rollout_reader = readers = [
            Reader(folder / name, cloud := stack.enter_context(create_cloud(folder, name)), obtain_token(cloud.url))
            for name in ("retired", "enabled", "product", "rollout")
        ]
        for each in readers:
            each.cloud.add_firmware(*(ROLLED_OUT if each is rollout_reader else (LOCKED_VERSION,)))
            prepare(each)
        commands = [example for example in RUN if example.kind in READ]
        failures = {e.name: READ[e.kind](reader, e) for e in commands if BEFORE_PLAYS in e.text}
        for group in ("localhost", "hosts", "devices"):
            failures |= run_group(reader, group)
        failures |= run_group(mesh_reader, "registry")
        failures |= run_group(product_reader, "product")
        failures |= run_group(rollout_reader, "rollout")
        for e in commands:
            if BEFORE_PLAYS not in e.text:
                failures[e.name] = READ[e.kind](choose_reader(e, reader, product_reader, rollout_reader), e)
    return failures


def choose_reader(example: Example, reader: Reader, product_reader: Reader, rollout_reader: Reader) -> Reader:
    """Choose the account and the folder for a command."""
    if PRODUCT.search(example.text):
        return product_reader
    return rollout_reader if ROLLOUT.search(example.text) else reader


def create_cloud(folder: Path, name: str) -> Any:
    """Return a simulator with the devices and accounts that the examples mention.

    :param name: "enabled" for a cloud that has the registry of mesh networks, "rollout" for one whose devices are in
        the product and run an older version, "retired" and "product" for all other examples.
    """
    # The cloud releases only firmware that has run on a device.
    of_each: dict[str, Any] = {
        "enabled": {"firmware_version": LOCKED_VERSION, "owner": USERNAME},
        "rollout": {"firmware_version": ROLLED_OUT[0], "product_id": PRODUCT_ID, "groups": ["bench", "beta", "north"]},
    }.get(name, {"firmware_version": LOCKED_VERSION})
    devices: list[dict[str, Any]] = [{"id": device, **of_each} for device in DEVICES]
    devices.append({"id": OWN, "owner": USERNAME})
    devices += [{"id": f"{number:024x}", "serial_number": serial} for number, serial in enumerate(SERIAL_NUMBERS)]
    fleet, accounts = folder / f"{name}-fleet.json", folder / "accounts.json"
    fleet.write_text(json.dumps(devices))
    account = {"username": USERNAME, "password": PASSWORD, "org": True, "clients": [CLIENT]}
    accounts.write_text(json.dumps([account, WORKSHOP]))
    flags = [
        "--fleet",
        str(fleet),
        "--accounts",
        str(accounts),
        "--mesh",
        "enabled" if name == "enabled" else "retired",
        "--org",
        ORGANIZATION,
    ]
    flags += ["--session-login", "/login", "--session-token", "/token"]
    return running_simulator(*flags)


def obtain_token(url: str) -> str:
    """Obtain an access token without the collection."""
    return str(grant_token(url, ("particle", "particle"))["access_token"])


def grant_token(url: str, client: tuple[str, str]) -> dict[str, Any]:
    """Request a token for the account with the id and secret of an OAuth client, and return the response."""
    response = requests.post(
        f"{url}/oauth/token",
        data={"grant_type": "password", "username": USERNAME, "password": PASSWORD},
        auth=client,
        timeout=30,
    )
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found


def prepare(reader: Reader) -> None:
    """Create what the examples require: a home folder, a vault password, other products, and the files."""
    (reader.home / ".config").mkdir(parents=True)
    reader.vault_password_file.write_text("vault-password")
    for product in OTHER_PRODUCTS:
        requests.post(
            f"{reader.cloud.url}/v1/orgs/{ORGANIZATION}/products",
            json={"product": {"name": product, "platform_id": 13}},
            headers={"Authorization": f"Bearer {reader.token}"},
            timeout=30,
        ).raise_for_status()
    shared = {name: next(e.text for e in EXAMPLES if e.file_name == name) for name in SHARED}
    for page in {example.folder for example in EXAMPLES}:
        (reader.folder / page).mkdir()
        for name, text in {**shared, "fleet.yml.j2": shared["fleet.yml"], "line-7.csv": TABLE, **BATCH}.items():
            (reader.folder / page / name).write_text(text)
        (reader.folder / page / "app.bin").write_bytes(BINARY)
        (reader.folder / page / "plan").mkdir()
    for example in EXAMPLES:
        if example.file_name:
            reader.write(example)
        if example.kind == "table":
            (reader.folder / example.folder / "shelf.csv").write_text(example.text)


def choose_group(example: Example) -> str:
    """Choose the run of Ansible that has the inventory and the simulator for an example."""
    if re.search(r"meshfleet\.particle\.network(_info)?:", example.text):
        return "registry"
    if example.kind == "definition" or PRODUCT.search(example.text):
        return "product"
    if ROLLOUT.search(example.text):
        return "rollout"
    if "mesh_role_gateway" in example.text or "particle.id" in example.text:
        return "devices"
    if re.search(r"device_id|from_inventory|hosts: all", example.text):
        return "hosts"
    return "localhost"


def run_group(reader: Reader, group: str) -> dict[str, str | None]:
    """Run all playbooks, tasks and manifests of a group in one process, and return the failure of each."""
    kinds = ("plays", "tasks", *FILES)
    examples = [example for example in RUN if example.kind in kinds and choose_group(example) == group]
    run = run_playbook(
        write_playbook(reader, examples[-1], group),
        args=[
            *build_inventory_arguments(reader, group),
            f"--vault-password-file={reader.vault_password_file}",
            *(str(write_playbook(reader, example, group)) for example in examples[:-1]),
        ],
        env=reader.environment,
        cwd=reader.folder,
        timeout=RUN_SECONDS,
    )
    return {example.name: find_failure(example, run) for example in examples}


FILES: dict[str, Callable[[str], dict[str, Any]]] = {
    "manifest": lambda path: {"meshfleet.particle.fleet": {"manifest": path}},
    # Neither definitions nor tables name the product.
    "definition": lambda path: {
        "meshfleet.particle.product": {
            "product": PRODUCT_SLUG,
            "definition": path,
            "secrets": dict.fromkeys(re.findall(r"\{secret: (\w+)\}", Path(path).read_text("utf-8")), "value"),
        }
    },
    "table": lambda path: {"meshfleet.particle.fleet": {"manifest": path, "product": PRODUCT_SLUG}},
    "advisories": lambda path: {
        "ansible.builtin.debug": {
            "msg": f"{{{{ [] | meshfleet.particle.advisories({{'it': lookup('ansible.builtin.file', '{path}')}}) }}}}"
        }
    },
}
"""The task that uses an example as a file, by the kind of the example."""


def build_inventory_arguments(reader: Reader, group: str) -> list[str]:
    """Return the inventory arguments of a group: the variables that examples use, and the hosts."""
    file = reader.folder / "given.yml"
    variables = {"particle_username": USERNAME, "particle_password": PASSWORD, "particle_otp_secret": OTP_SECRET}
    variables |= {"particle_client_id": CLIENT["id"], "particle_client_secret": CLIENT["secret"]}
    variables |= {"particle_access_token": reader.token, "receiver_password": "receiver-password"}
    variables |= {name: name.replace("_", "-") for name in ("barn_token", "new_barn_token", "readings_token")}
    # The clock of the simulator stands still, so a run that waited for a rollout would never end.
    variables |= {"rollout_wait": False}
    variables |= {"azure_policy_key": "policy-key", "google_api_key": "api-key"}
    variables |= {"leaked_username": WORKSHOP["username"], "leaked_password": WORKSHOP["password"]}
    refresh_token = grant_token(reader.cloud.url, (CLIENT["id"], CLIENT["secret"]))["refresh_token"]
    variables |= {"particle_refresh_token": refresh_token}
    file.write_text(json.dumps({"all": {"vars": variables}}))
    if group == "hosts":
        hosts = next(example for example in EXAMPLES if example.kind == "hosts")
        local = {"ansible_connection": "local", "device_id": DEVICES[0]}
        file.write_text(json.dumps({"all": {"vars": {**variables, **local}}}))
        return ["-i", str(reader.write(hosts)), "-i", str(file)]
    if group == "devices":
        return ["-i", str(reader.folder / "docs-guide_inventory.md" / "fleet.particle.yml"), "-i", str(file)]
    return ["-i", str(file)]


def write_playbook(reader: Reader, example: Example, group: str) -> Path:
    """Write an example as a playbook that ignores failed tasks and begins with a play named after the example."""
    text = reader.fill_in(example.text)
    if example.kind in FILES:
        task = {"name": "Use it", **FILES[example.kind](str(reader.write(example)))}
        text = f"- {json.dumps(task)}\n"  # JSON is YAML
    hosts = "all" if group in ("hosts", "devices") else "localhost"
    if example.kind != "plays":
        text = (
            f"- name: Run the tasks\n  hosts: {hosts}\n  gather_facts: false\n  tasks:\n{textwrap.indent(text, '    ')}"
        )
    facts = {"token": {"access_token": obtain_token(reader.cloud.url)}}
    first_play = {
        "name": example.name,
        "hosts": hosts,
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": facts}],
    }
    settings: dict[str, Any] = {"ignore_errors": True}
    if group == "rollout":
        first_play["tasks"] = [build_end_of_rollout(reader)]
        settings["module_defaults"] = {"meshfleet.particle.rollout": {"wait": False}}
    path = reader.folder / example.folder / f"{example.line}.yml"
    lines = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in settings.items())
    plays = re.sub(r"^- (?=\w)", f"- {lines.lstrip()}  ", text, flags=re.MULTILINE)
    path.write_text(f"- {json.dumps(first_play)}\n\n{plays}", encoding="utf-8")
    return path


def build_end_of_rollout(reader: Reader) -> dict[str, Any]:
    """Return a task that removes the record of the rollout of an earlier example."""
    url = f"{reader.cloud.url}/v1/orgs/{ORGANIZATION}/ledgers/rollouts/instances/{PRODUCT_ID}"
    headers = {"Authorization": f"Bearer {reader.token}"}
    return {"ansible.builtin.uri": {"url": url, "method": "DELETE", "headers": headers, "status_code": [200, 204, 404]}}


def find_failure(example: Example, run: PlaybookRun) -> str | None:
    """Find the failed tasks between the play named after this example and the one named after the next."""
    names = {other.name for other in EXAMPLES}
    current, tasks = "", []
    for task in run.tasks:
        current = task.play if task.play in names else current
        if current == example.name and task.play not in names:
            tasks.append(task)
    if not tasks:
        return f"No task of it was run:\n{run.output}"
    failed = [task for task in tasks if task.status in ("failed", "unreachable")]
    return "\n".join(f"{task.task}: {json.dumps(task.result, indent=2)}" for task in failed) or None


def read_inventory(reader: Reader, example: Example) -> str | None:
    """Check that Ansible reads the example without a warning and finds hosts."""
    argv = [program_path("ansible-inventory"), "-i", str(reader.write(example)), "--list"]
    done = run_program(argv, env=build_environment(reader, argv), cwd=reader.folder, timeout=COMMAND_SECONDS)
    if done.rc or done.stderr:
        return f"{done.stdout}\n{done.stderr}"
    return None if json.loads(done.stdout)["_meta"]["hostvars"] else "It has no hosts."


def read_settings(reader: Reader, example: Example) -> str | None:
    """Check some options of an inventory, after adding those that every inventory requires."""
    text = f"plugin: meshfleet.particle.devices\nproducts: [field-logger]\n{example.text}"
    return read_inventory(reader, Example(example.source, example.line, "inventory", text))


def install(reader: Reader, example: Example) -> str | None:
    """Install the collections of a requirements file, from this checkout in place of the network."""
    return run_commands(reader, f"ansible-galaxy collection install -r {reader.write(example)}")


def check_rulebook(_reader: Reader, example: Example) -> str | None:
    """Check that an example is a rulebook of the collection. The tests of rulebooks run these."""
    if any(path.read_text(encoding="utf-8").endswith(example.text) for path in RULEBOOKS.glob("*.yml")):
        return None
    return f"It is not the content of a rulebook in {RULEBOOKS.relative_to(ROOT)}."


def check_schema(_reader: Reader, example: Example) -> str | None:
    jsonschema.Draft202012Validator.check_schema(json.loads(example.text))
    return None


def run_example_commands(reader: Reader, example: Example) -> str | None:
    """Check that the commands succeed and print the lines that the example shows below them."""
    lines = reader.fill_in(example.text).splitlines()
    commands = [line.removeprefix("$ ") for line in lines if line.startswith(("$ ", "    "))]
    shown = [line for line in lines if not line.startswith(("$ ", "    "))] if commands else []
    folder = reader.folder / example.folder
    if all(line.startswith("ansible-playbook ") for line in lines):  # no shell is needed, so a fork server can run them
        return run_playbooks(reader, lines, folder)
    return run_commands(reader, "\n".join(commands or lines), shown, folder)


def run_playbooks(reader: Reader, lines: list[str], folder: Path) -> str | None:
    for program, *arguments in map(shlex.split, lines):
        argv = [program_path(program), *arguments]
        done = run_program(argv, env=build_environment(reader, argv), cwd=folder, timeout=COMMAND_SECONDS)
        if done.rc:
            return f"{argv} ended with {done.rc}:\n{done.stdout}\n{done.stderr}"
    return None


def run_commands(reader: Reader, script: str, shown: list[str] | None = None, folder: Path | None = None) -> str | None:
    done = run_command(reader, ["bash", "-euo", "pipefail", "-c", script], folder)
    missing = [line for line in shown or [] if line not in done.stdout.splitlines()]
    if done.returncode or missing:
        return f"It ended with {done.returncode}, and did not print {missing}:\n{done.stdout}\n{done.stderr}"
    return None


def run_command(reader: Reader, argv: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of an example."""
    typed_input = f"{PASSWORD}\n"
    if "--output secrets.yml" in argv[-1]:
        typed_input = f"particle_username: {USERNAME}\nparticle_password: {PASSWORD}\n"
    return subprocess.run(
        argv,
        cwd=folder or reader.folder,
        env=build_environment(reader, argv),
        input=typed_input,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def build_environment(reader: Reader, argv: list[str]) -> dict[str, str]:
    """Return the environment of a command: it installs into the home folder of the reader and clones this checkout."""
    repository = reader.folder / "repository.git"
    if not repository.exists():
        subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(repository)], check=True)
        subprocess.run(["git", "-C", str(repository), "update-ref", "refs/heads/main", "HEAD"], check=True)
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/meshfleet/particle",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "ANSIBLE_VAULT_PASSWORD_FILE": str(reader.vault_password_file),
    }
    if (variables_of_plays := reader.folder / "given.yml").exists():
        variables["ANSIBLE_INVENTORY"] = str(variables_of_plays)
    if "ansible-galaxy" in argv[-1]:
        variables["ANSIBLE_COLLECTIONS_PATH"] = str(reader.home / "collections")
    return ansible_environment(reader.home, {**reader.environment, **variables})


READ = {
    "commands": run_example_commands,
    "hosts": read_inventory,
    "inventory": read_inventory,
    "requirements": install,
    "rulebook": check_rulebook,
    "schema": check_schema,
    "settings": read_settings,
}
"""The function that checks an example that is not a task, by the kind of the example."""


@pytest.mark.parametrize("example", RUN, ids=lambda example: example.name)
def test_example_of_the_documentation_works(outcomes: Mapping[str, str | None], example: Example) -> None:
    failure = outcomes[example.name]
    assert failure is None, f"{example.name}\n{example.text}\n{failure}"


def test_documentation_has_enough_examples_and_all_exceptions_occur() -> None:
    assert len(RUN) >= MIN_EXAMPLES
    beginnings = [beginning for beginning in NOT_RUN if any(e.text.startswith(beginning) for e in EXAMPLES)]
    assert beginnings == list(NOT_RUN), "NOT_RUN has entries without an example"
