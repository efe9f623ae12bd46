# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An API user with the scopes for a content can do all that the owner can do with it, and needs each of the scopes.

Each scenario uses a content as the owner of the product does, and as an API user does. The outcomes must be equal. If
a scope is taken away from the API user, the outcome of at least one scenario of the content must change.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.outcome import build_result
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.run import Callbacks, run_calls
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import (
    CONFIRMATIONS,
    CONFIRMED_BY_TRUE,
    Bounds,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.reconcile import Settings, reconcile_product
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.content_scopes import CONTENT_SCOPES
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS, order_kinds
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import reconcile_task
from particle_simulator.scopes import API_USER_SCOPES
from support.firmware import make_binary
from support.in_process import TOKEN, InProcessSimulator
from support.paths import ROOT
from support.rollouts import IMPATIENT_CLOCK
from support.simulator import PRODUCT_ID, PRODUCT_SLUG

ONE, TWO, NEW = (f"e00fce68{number:016x}" for number in (1, 2, 3))
CHANGEABLE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[\w.+-]+@[\w.]+|\b(?!e00fce68)[0-9a-f]{24}\b|-?\b[\d.]+\b")
"""Values that differ between two runs: times, usernames, ids that the cloud generates, and measured values."""
MODULES = "ansible_collections.meshfleet.particle.plugins.modules"


@dataclass
class InProcessTask(Task):
    """A task whose requests a simulator in this process answers."""

    client: Http | None = field(default=None, repr=False)

    def open_session(self) -> Any:
        self.http = self.client
        return nullcontext(self.client)


class Cloud(InProcessSimulator):
    """A simulator with three devices, two of them in the product.

    :ivar used: the scopes of the routes that were called.
    :ivar hidden: a field that the list of devices lacks; empty if it lacks none.
    :ivar is_failing: whether the responses to changes of devices report a failure, although the changes take effect.
    """

    def __init__(self) -> None:
        members = [{"id": device, "product_id": PRODUCT_ID, "firmware_version": 1} for device in (ONE, TWO)]
        super().__init__([*members, {"id": NEW}])
        self.restart()

    def restart(self) -> None:
        """Reset everything to the start state."""
        self.reset()
        self.used: set[str] = set()
        self.hidden, self.is_failing = "", False

    def answer(self, method: str, path: str, query: str, headers: Any, **content: Any) -> tuple[int, bytes, Any]:
        found = self._simulation.table.find(method, path)
        assert found is not None, path
        self.used.add(str(found[0].scope))
        status, body, more = super().answer(method, path, query, headers, **content)
        if self.hidden and status == 200 and method == "GET" and path.endswith("/devices"):
            data = json.loads(body)
            for row in data["devices"]:
                row.pop(self.hidden)
            return status, json.dumps(data).encode(), more
        if self.is_failing and status == 200 and method == "PUT" and "/devices/" in path:
            return 500, b"{}", more
        return status, body, more

    def create_api_user(self, scopes: Collection[str]) -> str:
        """Create an API user of the product, and return its token."""
        # Every API user has a scope, so without a scope of the content, it gets one that no content needs.
        fields = {"friendly_name": "tester", "scopes": sorted(scopes) or ["locations:get"]}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        status, body, _unused = super().answer("POST", f"/v1/products/{PRODUCT_SLUG}/team", "", headers, fields=fields)
        assert status == 200, body
        return str(json.loads(body)["created"]["tokens"][0]["token"])


class Run:
    """Tasks with one access token, and their outcomes."""

    def __init__(self, cloud: Cloud, token: str, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.token = token
        self.outcomes: list[Any] = []

    def __call__(self, module: str, *, check_mode: bool = False, **options: Any) -> None:
        """Run a task with a module of this name."""
        found = importlib.import_module(f"{MODULES}.{module}")
        work = {"device_call": run_call, "fleet": run_fleet, "product": run_product}.get(module) or getattr(
            found, module
        )
        options = {"product": PRODUCT_SLUG, **options} if "product" in found.SPEC else options
        validation = ArgumentSpecValidator(found.SPEC).validate(options)
        assert validation.error_messages == []
        environment = {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder)}
        task = InProcessTask(
            validation.validated_parameters,
            check_mode,
            self.outcomes.append,
            lambda text: None,
            environment=environment,
            client=self.cloud.connect(IMPATIENT_CLOCK, self.token),
        )
        result = carry_out_work(task, work)
        self.outcomes.append({name: value for name, value in result.items() if name not in ("age", "cloud")})


def run_call(task: Task) -> dict[str, Any]:
    """Do the work of module `device_call`, whose action plugin shows the progress."""
    declared = read_declaration(task.options)
    with task.open_session() as http:
        calls = run_calls(http, declared, Callbacks(task.warn), check_mode=task.check_mode)
    return build_result(declared.call, calls, check_mode=task.check_mode, is_tolerant=False)


def run_fleet(task: Task) -> dict[str, Any]:
    """Do the work of module `fleet`, whose action plugin reads the manifest."""
    manifest = read_manifest(
        {"product": task.options["product"], "devices": task.options["devices"], **(task.options["manifest"] or {})},
        absent=task.options["state"] == "absent",
    )
    return reconcile_task(
        task, manifest, Bounds(confirmed=read_confirm(task.options["confirm"], CONFIRMATIONS, CONFIRMED_BY_TRUE))
    )


def run_product(task: Task) -> dict[str, Any]:
    """Do the work of module `product`, whose action plugin reads the definition."""
    definition = read_definition(task.options["definition"], KINDS)
    settings = Settings(confirmed=task.options["confirm"])
    with task.open_session() as http:
        target = Target(http, get_product(http, task.options["product"]), task.warn)
        result = reconcile_product(target, order_kinds(), definition, settings, check_mode=task.check_mode).as_result()
    return {**result, "diff": str(result["diff"])}


Scenario = Callable[[Run], None]


def gather(run: Run) -> None:
    run("device_info", products=[PRODUCT_SLUG])


def call_led(run: Run) -> None:
    run("device_call", products=[PRODUCT_SLUG], function="led", argument="on")


def gather_facts(run: Run) -> None:
    run("device_facts", products=[PRODUCT_SLUG], id=ONE)


def gather_details(run: Run) -> None:
    run("device_info", products=[PRODUCT_SLUG], include=["vitals", "variables", "mesh"], variables=["reading"])


def form_network(run: Run) -> None:
    roles = {ONE: "gateway", TWO: "node"}
    members = [{"id": device, "mesh": {"network": "barn", "role": role}} for device, role in roles.items()]
    run("fleet", manifest={"networks": {"barn": {}}, "devices": members})


def as_owner(run: Run) -> Run:
    """Return a run as the owner, to prepare the state that the API user then sees."""
    return Run(run.cloud, TOKEN, run.folder)


def gather_network(run: Run) -> None:
    form_network(as_owner(run))
    gather_details(run)


def begin_rollout(run: Run) -> None:
    run.cloud.add_firmware(1, 2)
    run("rollout", version=2, waves=[{"percent": 100}], soak=0, wait=False)


def export_during_rollout(run: Run) -> None:
    begin_rollout(as_owner(run))
    run("device_info", products=[PRODUCT_SLUG], as_manifest=True)


def complete_rollout(run: Run) -> None:
    for _unused in range(4):
        begin_rollout(run)
        run.cloud.advance(600)


def lose_responses_to_locks(run: Run) -> None:
    run.cloud.is_failing = True
    begin_rollout(run)


def look_at_rollout(run: Run) -> None:
    begin_rollout(as_owner(run))
    run("rollout_info")


def manage_group(run: Run) -> None:
    run("device_group", name="canary", description="old")
    run("device_group", name="canary", description="new")
    run("device_group", name="canary", state="absent")


def publish(run: Run) -> None:
    run("publish_event", name="report-now")


def manage_webhook(run: Run) -> None:
    hook = {"name": "sink", "event": "reading", "url": "https://example.com/"}
    run("integration", **hook)
    run("integration", **hook, disabled=True)
    run("integration", name="sink", state="absent")


def write_binary(run: Run) -> str:
    path = run.folder / "app.bin"
    path.write_bytes(make_binary(8))
    return str(path)


def upload_firmware(run: Run) -> None:
    for title in ("first", "second"):
        run("firmware", file=write_binary(run), title=title)


def remove_firmware(run: Run) -> None:
    as_owner(run)("firmware", file=write_binary(run))
    run("firmware", version=8, state="absent")


def remove_firmware_during_rollout(run: Run) -> None:
    run.cloud.add_firmware(1, 2)
    as_owner(run)("rollout", version=2, approve="each", wait=False)
    run("firmware", version=2, state="absent")


def release_firmware(run: Run) -> None:
    run.cloud.add_firmware(1)
    run("firmware", version=1, release={"default": True}, check_mode=True)
    run("firmware", version=1, release={"default": True})


def release_to_unknown_group(run: Run) -> None:
    run.cloud.add_firmware(1)
    run("firmware", version=1, release={"groups": ["nort"]})


def list_firmware(run: Run) -> None:
    run.cloud.add_firmware(1, 2)
    run("firmware_info")


def provision_devices(run: Run) -> None:
    run.cloud.add_firmware(1)
    run("fleet", devices=[{"id": NEW, "name": "barn", "groups": ["north"], "firmware_lock": 1}])


def remove_devices(run: Run) -> None:
    form_network(as_owner(run))
    run("fleet", devices=[{"id": ONE}, {"id": TWO}], state="absent", confirm=True)


def leave_network(run: Run) -> None:
    form_network(as_owner(run))
    run("fleet", manifest={"networks": {"barn": {"state": "absent"}}, "devices": []})


def declare_field_that_the_list_lacks(run: Run) -> None:
    run.cloud.hidden = "notes"
    run("fleet", devices=[{"id": ONE, "notes": "north wall"}])


def replace_device(run: Run) -> None:
    run.cloud.change_device(ONE, online=False)
    run("fleet", devices=[{"id": NEW, "replaces": ONE}])


def provision_during_rollout(run: Run) -> None:
    begin_rollout(as_owner(run))
    run("fleet", devices=[{"id": ONE, "firmware_lock": 1}])


def manage_ledger(run: Run) -> None:
    settings = {"name": "settings", "scope": "device", "direction": "downstream"}
    run("ledger", **settings)
    run("ledger", **settings, description="new")
    run("ledger", name="settings", state="absent")


def get_iccid(run: Run) -> str:
    return next(str(device["iccid"]) for device in run.cloud.state()["devices"] if device["id"] == NEW)


def manage_sim(run: Run) -> None:
    given = {"iccid": get_iccid(run), "country": "US"}
    for state in ("active", "inactive", "released"):
        run("sim", **given, state=state, confirm=["sim_release"])
        run.cloud.advance(600)


def declare(run: Run, **definition: Any) -> None:
    run("product", definition=definition, confirm=["removals", "sim_release"])


def declare_groups(run: Run) -> None:
    for settings in ({"color": "#ff8800"}, {"color": "#0000ff"}, {"state": "absent"}):
        declare(run, groups={"north": settings})


def declare_integrations(run: Run) -> None:
    hook = {"event": "reading", "url": "https://example.com/"}
    for settings in (hook, {**hook, "disabled": True}, {"state": "absent"}):
        declare(run, integrations={"sink": settings})


def declare_ledgers(run: Run) -> None:
    ledger = {"scope": "device", "direction": "downstream"}
    for settings in (ledger, {"description": "new"}, {"state": "absent"}):
        declare(run, ledgers={"settings": settings})


def declare_firmware(run: Run) -> None:
    file = write_binary(run)
    for settings in ({"title": "first"}, {"title": "second"}):
        declare(run, firmware={"8": {"file": file, **settings}})


def declare_release(run: Run) -> None:
    run.cloud.add_firmware(1)
    declare(run, firmware={"1": {"release": {"default": True}}})
    declare(run, firmware={"1": {"release": {"groups": ["nort"]}}})


def declare_sims(run: Run) -> None:
    iccid = get_iccid(run)
    for settings in ({"state": "active", "country": "US"}, {"state": "inactive"}, {"state": "released"}):
        declare(run, sims={iccid: settings})
        run.cloud.advance(600)


def list_resources(run: Run) -> None:
    manage_webhook(as_owner(run))
    as_owner(run)("integration", name="other", event="reading", url="https://example.com/")
    run("product_info", kinds=["groups", "ledgers", "integrations", "firmware", "sims"])


FLEET = (
    *(provision_devices, remove_devices, form_network, leave_network, provision_during_rollout),
    *(declare_field_that_the_list_lacks, replace_device),
)
SCENARIOS: Mapping[str, Sequence[Scenario]] = {
    "device_call": (call_led,),
    "device_facts": (gather_facts,),
    "device_group": (manage_group,),
    "device_info": (gather, gather_details, gather_network, export_during_rollout),
    "devices": (gather,),
    "firmware": (
        *(upload_firmware, remove_firmware, remove_firmware_during_rollout, release_firmware),
        release_to_unknown_group,
    ),
    "firmware_info": (list_firmware,),
    "fleet": FLEET,
    "integration": (manage_webhook,),
    "ledger": (manage_ledger,),
    "product": (
        *(declare_groups, declare_integrations, declare_ledgers, declare_firmware, declare_release, declare_sims),
    ),
    "product_info": (list_resources,),
    "publish_event": (publish,),
    "report": (gather_network, look_at_rollout),
    "rollout": (complete_rollout, lose_responses_to_locks, upload_firmware),
    "rollout_info": (look_at_rollout,),
    "sim": (manage_sim,),
}
SAME = {"device": "fleet", "provision": "fleet"}
"""Contents that use the same code as another content."""


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULES}.rollout.SYSTEM_CLOCK", IMPATIENT_CLOCK)


def observe(cloud: Cloud, scenario: Scenario, folder: Path, scopes: Collection[str] | None) -> str:
    """Return the outcomes of a scenario for an API user with these scopes; for the owner, if there are none."""
    cloud.restart()
    token = TOKEN if scopes is None else cloud.create_api_user(scopes)
    run = Run(cloud, token, folder)
    scenario(run)
    return CHANGEABLE.sub("...", repr(run.outcomes))


def test_every_content_with_scopes_has_scenarios() -> None:
    assert CONTENT_SCOPES.keys() == SCENARIOS.keys() | SAME.keys()
    for name, other in SAME.items():
        assert CONTENT_SCOPES[name] == CONTENT_SCOPES[other]
    assert frozenset().union(*CONTENT_SCOPES.values()) <= API_USER_SCOPES


@pytest.mark.parametrize("content", SCENARIOS)
def test_scopes_of_a_content_are_sufficient_and_necessary(cloud: Cloud, tmp_path: Path, content: str) -> None:
    scopes, needed = CONTENT_SCOPES[content], set[str]()
    for scenario in SCENARIOS[content]:
        expected = observe(cloud, scenario, tmp_path, None)
        used = cloud.used & (scopes - needed)
        assert observe(cloud, scenario, tmp_path, scopes) == expected, scenario.__name__
        needed |= {scope for scope in used if observe(cloud, scenario, tmp_path, scopes - {scope}) != expected}
    assert scopes - needed == set()


def test_guide_lists_the_scopes_of_each_content() -> None:
    guide = (ROOT / "docs" / "guide_service_users.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", guide, re.MULTILINE)
    found = {content: frozenset(re.findall(r"`([\w.]+:\w+)`", scopes)) for content, scopes in rows}
    assert found == CONTENT_SCOPES
