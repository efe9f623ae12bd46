# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Apply definitions to products of a simulator in this process, and make definitions for that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import requests
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import REMOVALS
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.export import Export
from ansible_collections.meshfleet.particle.plugins.module_utils._product.outcome import ProductOutcome
from ansible_collections.meshfleet.particle.plugins.module_utils._product.reconcile import Settings, reconcile_product
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import read_whole_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS, order_kinds
from support.in_process import TOKEN, URL, InProcessSimulator
from support.simulator import PRODUCT_SLUG

Data = dict[str, Any]

TOKEN_HEADER = {"Authorization": f"Bearer {TOKEN}"}

EXPORTED = [name for name, kind in KINDS.items() if not kind.only_if_asked]
"""The kinds that an export contains by default."""
PRUNED = [name for name in EXPORTED if not KINDS[name].not_prunable]
"""The kinds that may be pruned."""


class Killed(BaseException):
    """Raised in place of a request of a run that was killed. Like a signal, no handler of errors catches it."""


class Products:
    """Two products of one account, and runs that apply definitions to them.

    :param folder: the folder for the tokens of API users.
    :ivar writes_left: after how many more writes the next run is killed; `None` if it is not killed.
    """

    def __init__(self, simulator: InProcessSimulator, folder: Path) -> None:
        self._simulator, self._folder = simulator, folder
        self.writes_left: int | None = None
        self.first, self.second = PRODUCT_SLUG, ""

    def reset(self) -> None:
        """Forget everything that runs have made, and make the second product."""
        self._simulator.reset()
        for file in self._folder.iterdir():
            file.unlink()
        self.writes_left = None
        product = {"name": "Second", "platform_id": 13}
        self.second = self.send("POST", "/v1/user/products", product=product)["product"]["slug"]

    def send(self, method: str, path: str, **fields: Any) -> Any:
        """Send a request as another person, and return the JSON in the response."""
        status, body, _unused = self._simulator.answer(method, path, "", TOKEN_HEADER, fields=fields)
        assert status < 300, body
        return orjson.loads(body) if body else None

    def count_writes(self) -> int:
        """Return the number of writes that the cloud has accepted so far."""
        return int(self._simulator.stats()["writes"])

    def count_requests(self) -> int:
        """Return the number of requests that the cloud has received so far."""
        return int(self._simulator.stats()["requests"])

    def apply(
        self,
        product: str,
        data: Data,
        secrets: Mapping[str, str] | None = None,
        *,
        check: bool = False,
        **settings: Any,
    ) -> ProductOutcome:
        """Apply a definition to a product. Any number of resources may be removed."""
        definition = read_definition(self._store_tokens(product, data), KINDS).fill(secrets or {})
        options = Settings(**{"confirmed": [REMOVALS], **settings})
        return reconcile_product(self._open(product), order_kinds(), definition, options, check_mode=check)

    def _store_tokens(self, product: str, data: Data) -> Data:
        """Return the definition with a file for the token of each API user."""
        users: Data = data.get("api_users", {})
        files = {
            name: {**settings, "user_token_file": str(self._folder / f"{product} {name}")}
            for name, settings in users.items()
        }
        return {**data, "api_users": files} if users else data

    def export(self, product: str) -> Export:
        """Export all kinds of a product that are exported by default."""
        export = Export()
        for name, rows in self.read(product).items():
            export.add(KINDS[name], rows)
        return export

    def read(self, product: str) -> dict[str, list[Any]]:
        """Return the resources of a product with all their settings, keyed by kind."""
        target = self._open(product)
        return {name: read_whole_rows(target, KINDS[name], KINDS[name].list_rows(target)) for name in EXPORTED}

    def find_secrets(self, product: str, places: Mapping[str, str]) -> dict[str, str]:
        """Return the values of the secrets of a product.

        :param places: the places of the secrets, keyed by the names that stand for them in an export. Secrets that the
            cloud never shows are left out.
        """
        rows = self.read(product)
        return {name: _find_value(rows, place) for name, place in places.items() if not is_hidden(place)}

    def _open(self, product: str) -> Target:
        http = self._simulator.connect(SYSTEM_CLOCK)
        http._session.mount(URL, _Fuse(self, http._session.get_adapter(URL)))
        return Target(http, get_product(http, product), lambda warning: None)


class _Fuse(requests.adapters.BaseAdapter):
    """Passes requests on until the run is killed."""

    def __init__(self, products: Products, adapter: Any) -> None:
        super().__init__()
        self._products, self._adapter = products, adapter

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._products.writes_left is not None:
            if self._products.writes_left < 0:
                raise Killed
            self._products.writes_left -= request.method != "GET"
        response: requests.Response = self._adapter.send(request, *args, **kwargs)
        return response

    def close(self) -> None:
        """Do nothing: no connection is open."""


def is_hidden(place: str) -> bool:
    """Return whether the cloud never shows the value at a place of an export."""
    kind, *_unused, name = place.split(".")
    return any(each.write_only and each.name == name for each in KINDS[kind].fields)


def _find_value(rows: Mapping[str, list[Any]], place: str) -> str:
    """Return the value at a place of an export, such as `integrations.readings.headers.authorization`."""
    kind = KINDS[place.partition(".")[0]]
    for row in rows[kind.name]:
        start = f"{kind.name}.{row[kind.key.cloud]}."
        if place.startswith(start):
            name, *path = place.removeprefix(start).split(".")
            value = row[next(each.cloud for each in kind.fields if each.name == name)]
            for part in path:
                value = next(item for key, item in value.items() if key.lower() == part.lower())
            return str(value)
    raise AssertionError(f"nothing is at {place}")


# ---------------------------------------------------------------------- definitions

SHORT = st.sampled_from(["barn", "north wall", "x", "5", "true"])
LONG = st.text("abcdef0123456789", min_size=24, max_size=24)
"""Texts that count as secrets, because ordinary words are shorter."""
NAMES = st.sampled_from(["alpha", "beta-2", "gamma_3", "delta"])
TEXT = SHORT | LONG | st.sampled_from(["{{{PARTICLE_EVENT_VALUE}}}", "Bearer {{{AUTH_KEY}}}", "{{X}} on {{Y}}"])


SCOPES = st.lists(st.sampled_from(["devices:list", "devices:get", "groups:list"]), min_size=1, max_size=4)
"""Scopes in any order, also with repetitions."""


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    """Make mappings with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


VARIABLE = SHORT | st.sampled_from(["", 60, True])
GROUP = optional(description=SHORT, color=st.sampled_from(["#ff8800", "#00FF00"])) | st.none()
HEADERS = st.dictionaries(st.sampled_from(["Authorization", "X-Site", "x-key", "Content-Type"]), TEXT, min_size=1)
BODY = st.sampled_from(["json", "form", "body"])


@st.composite
def webhooks(draw: st.DrawFn) -> Data:
    """Make a webhook with any of its settings."""
    hook: Data = draw(
        optional(
            method=st.sampled_from(["GET", "PUT", "POST"]),
            headers=HEADERS,
            query=st.dictionaries(st.sampled_from(["q", "key"]), TEXT, min_size=1),
            auth=st.fixed_dictionaries({"username": SHORT, "password": LONG}),
            no_defaults=st.booleans(),
            disabled=st.booleans(),
            reject_unauthorized=st.booleans(),
            response_topic=st.just("answers"),
            response_template=st.just({"a": "{{b}}"}) | st.just("{{b}}"),
        )
    )
    hook["event"] = draw(st.sampled_from(["reading", "alarm"]))
    hook["url"] = draw(st.sampled_from(["https://hooks.example.net/in", "http://Hooks.example.net?key=abcdefabcdef"]))
    if draw(st.booleans()):
        kind = draw(BODY)
        hook[kind] = draw(TEXT if kind == "body" else st.dictionaries(st.sampled_from(["v", "w"]), TEXT, min_size=1))
    return hook


def others() -> st.SearchStrategy[Data]:
    """Make integrations of the other types."""
    event, disabled = st.sampled_from(["reading", "alarm"]), st.booleans()
    azure = {"type": st.just("azure_iot_hub"), "hub_name": SHORT, "policy_name": SHORT, "policy_key": LONG}
    pubsub = {"type": st.just("google_pubsub"), "topic": st.just("projects/barn/topics/readings")}
    maps = {"type": st.just("google_maps"), "api_key": LONG}
    kinds: tuple[dict[str, st.SearchStrategy[Any]], ...] = (azure, pubsub, maps)
    made = [st.fixed_dictionaries({"event": event, **fields}, optional={"disabled": disabled}) for fields in kinds]
    return made[0] | made[1] | made[2]


@st.composite
def integrations(draw: st.DrawFn) -> Data:
    """Make integrations. Names tell their types, because the cloud cannot change the type of an integration."""
    hooks = draw(st.dictionaries(NAMES, webhooks(), max_size=3))
    return {**hooks, **{f"{each['type']}-1": each for each in draw(st.lists(others(), max_size=2))}}


def ledgers() -> st.SearchStrategy[Data]:
    """Make ledgers. Names tell their scopes and directions, because the cloud cannot change them."""
    fixed: dict[str, Data] = {
        "settings": {"scope": "device", "direction": "downstream"},
        "readings": {"scope": "product", "direction": "upstream"},
        "notes": {"scope": "owner"},
    }
    described = {
        name: st.fixed_dictionaries(
            {key: st.just(value) for key, value in each.items()}, optional={"description": SHORT}
        )
        for name, each in fixed.items()
    }
    return st.fixed_dictionaries({}, optional=described)


def definitions() -> st.SearchStrategy[Data]:
    """Make definitions with any kinds. Firmware and SIMs are left out, because exports leave them out."""
    return optional(
        groups=st.dictionaries(NAMES, GROUP, max_size=3),
        integrations=integrations(),
        secrets=st.dictionaries(st.sampled_from(["AUTH_KEY", "OTHER_KEY"]), LONG, max_size=2),
        ledgers=ledgers(),
        api_users=st.dictionaries(
            st.sampled_from(["nightly", "factory line"]), st.fixed_dictionaries({"scopes": SCOPES})
        ),
        environment=st.dictionaries(st.sampled_from(["REPORT_SECONDS", "UNITS"]), VARIABLE, max_size=2),
    )
