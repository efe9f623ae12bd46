# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test rules that hold for updates and sessions after any sequence of requests, faults and jumps of the clock."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from in_process_cloud import TOKEN, InProcessCloud
from simulator_client import DEVICES, PRODUCT, device_id

from particle_simulator.events import Event, Stream
from particle_simulator.model import Device
from particle_simulator.update_scripts import ENDINGS
from particle_simulator.update_targets import find_target_version
from support.counts import count
from support.firmware import make_binary

BORONS = [device_id(number) for number in (1, 2)]
OLD_BORON, ARGON = device_id(3), device_id(4)
FLEET: list[dict[str, Any]] = [
    *({"id": boron, "firmware_version": 1} for boron in BORONS),
    {"id": OLD_BORON, "firmware_version": 1, "system_firmware_version": "3.0.0"},
    {"id": ARGON, "firmware_version": 1, "platform_id": 12},
]
MAIN, SECOND, WIFI = "31337", "second", "wifi"
VERSIONS = (1, 2, 3)
BY_HAND = 9
TOLERANCE = 0.001
MAX_PLANNED_ACTIONS_PER_DEVICE = 200
JUMPS = (0.01, 1, 4, 12, 60, 3600, 365 * 86_400, 100 * 365 * 86_400)

devices = st.sampled_from([*BORONS, *BORONS, OLD_BORON, ARGON])
flags = st.booleans()
groups = st.lists(st.sampled_from(["beta", "north"]), unique=True)
products = st.sampled_from([MAIN, MAIN, SECOND, WIFI])
versions = st.sampled_from(VERSIONS)


class History:
    """The events of all devices. It checks each event at the moment at which it is published."""

    def __init__(self, cloud: InProcessCloud) -> None:
        self.cloud = cloud
        self.online = {device.id: device.online for device in cloud.world.devices.by_id.values()}
        self.moments: dict[str, float] = {}
        self.transfers: Counter[str] = Counter()
        token = cloud.world.logins.tokens[TOKEN]
        cloud.world.events.add_stream(Stream(token, "", self.check))

    def check(self, event: Event) -> bool:
        device = event.device
        if device is not None:
            self.check_times(device, event)
            if event.name == "spark/status":
                self.check_status(device, event)
            if event.name == "spark/flash/status":
                change = 1 if event.data == "started " else -1
                self.transfers[device.id] = max(0, self.transfers[device.id] + change)
            if not device.reachable:
                assert event.data in ("offline", "failed "), event
        return False

    def check_times(self, device: Device, event: Event) -> None:
        assert self.moments.get(device.id, 0) <= event.published_at <= self.cloud.world.now(), event
        self.moments[device.id] = event.published_at

    def check_status(self, device: Device, event: Event) -> None:
        if event.data == "auto-update":
            assert self.transfers[device.id] == 0, event
            assert device.product is not None
            assert (device.development, device.quarantined, device.denied) == (False, False, False)
            assert device.firmware_updates_enabled or device.firmware_updates_forced
            return
        assert self.online[device.id] is not (event.data == "online"), event
        self.online[device.id] = event.data == "online"


class UpdateMachine(RuleBasedStateMachine):
    """Any requests, faults and jumps of the clock, with rules that hold after each of them."""

    @initialize(released=flags, safe_mode_version=st.sampled_from(["old", "zero"]))
    def build_cloud(self, released: bool, safe_mode_version: str) -> None:
        self.cloud = InProcessCloud(FLEET, churn=1, safe_mode_version=safe_mode_version)
        for slug, platform in ((SECOND, 13), (WIFI, 12)):
            fields = {"name": slug, "platform_id": platform, "type": "Consumer"}
            self.cloud.send("POST", "/v1/user/products", product=fields)
        for product in (MAIN, SECOND, WIFI):
            self.cloud.change(f"products/{product}", firmware=list(VERSIONS))
            for group in ("beta", "north"):
                self.cloud.send("POST", f"/v1/products/{product}/groups", name=group)
        for firmware in self.list_firmware():
            firmware.has_run = True
        self.cloud.send("POST", DEVICES, ids=[*BORONS, OLD_BORON])
        self.cloud.send("POST", f"/v1/products/{WIFI}/devices", ids=[ARGON])
        self.history = History(self.cloud)
        self.switched_off: set[str] = set()
        self.known = {device.id: (device.firmware_version, device.last_handshake_at) for device in self.list_devices()}
        if released:
            self.cloud.send("PUT", f"{PRODUCT}/firmware/release", version=2, product_default=True, intelligent=True)

    def list_devices(self) -> list[Device]:
        return list(self.cloud.world.devices.by_id.values())

    def list_firmware(self) -> list[Any]:
        found = self.cloud.world.products.by_id.values()
        return [firmware for product in found for firmware in product.resources.firmware.values()]

    def put_device(self, device: str, **fields: Any) -> None:
        product = self.cloud.world.devices.by_id[device].product
        if product is not None:
            self.cloud.send("PUT", f"/v1/products/{product.id}/devices/{device}", **fields)

    # ------------------------------------------------------------------ what happens to devices

    @rule(device=devices, key=st.sampled_from(["powered", "online"]), on=flags)
    def switch(self, device: str, key: str, on: bool) -> None:
        (self.switched_off.discard if on else self.switched_off.add)(device)
        self.cloud.change(f"devices/{device}", **{key: on})

    @rule(device=devices, ending=st.sampled_from(ENDINGS))
    def choose_ending(self, device: str, ending: str) -> None:
        self.cloud.change(f"devices/{device}", update=ending)

    @rule(device=devices)
    def connect_with_firmware(self, device: str) -> None:
        self.switched_off.discard(device)
        self.cloud.change(f"devices/{device}", firmware_product_id=31337)

    @rule(device=devices)
    def flash_by_hand(self, device: str) -> None:
        platform = self.cloud.world.devices.by_id[device].platform_id
        product = self.cloud.world.devices.by_id[device].product
        if product is not None:
            binary = make_binary(BY_HAND, platform_id=platform)
            self.cloud.call("PUT", f"/v1/products/{product.id}/devices/{device}", files={"file": binary})

    @rule(seconds=st.sampled_from(JUMPS))
    def advance(self, seconds: float) -> None:
        self.cloud.advance(seconds)

    @rule(product=products)
    def reconnect_a_device(self, product: str) -> None:
        self.cloud.send("GET", f"/v1/products/{product}/devices")

    # ------------------------------------------------------------------ requests for devices

    @rule(device=devices, version=st.none() | versions | st.just(77), flash=flags)
    def lock(self, device: str, version: int | None, flash: bool) -> None:
        self.put_device(device, desired_firmware_version=version, flash=flash)

    @rule(device=devices, name=st.sampled_from(["development", "firmware_updates_forced"]), value=flags)
    def set_flag(self, device: str, name: str, value: bool) -> None:
        self.put_device(device, **{name: value})

    @rule(device=devices, names=groups)
    def set_groups(self, device: str, names: list[str]) -> None:
        self.put_device(device, groups=names)

    @rule(device=devices, deny=flags)
    def remove_from_product(self, device: str, deny: bool) -> None:
        product = self.cloud.world.devices.by_id[device].product
        if product is not None:
            self.cloud.send("DELETE", f"/v1/products/{product.id}/devices/{device}", **({"deny": True} if deny else {}))

    @rule(device=devices, product=products)
    def import_device(self, device: str, product: str) -> None:
        self.cloud.send("POST", f"/v1/products/{product}/devices", ids=[device])

    # ------------------------------------------------------------------ requests for products

    @rule(product=products, version=versions, default=flags, names=groups, intelligent=flags)
    def release(self, product: str, version: int, default: bool, names: list[str], intelligent: bool) -> None:
        known = self.cloud.world.products.find(product)
        assert known is not None
        fields = {"version": version, "product_default": default, "intelligent": intelligent}
        names = [name for name in names if name in known.groups]
        self.cloud.call("PUT", f"/v1/products/{product}/firmware/release", groups=names, **fields)

    @rule(product=products, version=versions)
    def delete_version(self, product: str, version: int) -> None:
        self.cloud.call("DELETE", f"/v1/products/{product}/firmware/{version}")

    @rule(product=products)
    def add_versions(self, product: str) -> None:
        self.cloud.change(f"products/{product}", firmware=list(VERSIONS))

    @rule(product=products, name=st.sampled_from(["beta", "north"]))
    def delete_group(self, product: str, name: str) -> None:
        self.cloud.call("DELETE", f"/v1/products/{product}/groups/{name}")

    # ------------------------------------------------------------------ what holds

    @invariant()
    def version_changes_only_in_a_new_session(self) -> None:
        for device in self.list_devices():
            version, session = self.known[device.id]
            assert device.firmware_version == version or device.last_handshake_at != session
            self.known[device.id] = (device.firmware_version, device.last_handshake_at)

    @invariant()
    def version_was_given_to_the_device(self) -> None:
        assert {device.firmware_version for device in self.list_devices()} <= {0, *VERSIONS, BY_HAND}

    @invariant()
    def device_without_power_stays_off(self) -> None:
        assert not [device.id for device in self.list_devices() if device.powered and device.id in self.switched_off]

    @invariant()
    def device_is_heard_after_its_handshake_and_not_in_the_future(self) -> None:
        for device in self.list_devices():
            assert device.last_handshake_at is not None
            assert device.last_heard is not None
            assert device.last_handshake_at - TOLERANCE <= device.last_heard <= self.cloud.world.now() + TOLERANCE

    @invariant()
    def planned_actions_do_not_pile_up(self) -> None:
        assert len(self.cloud.world.agenda) <= MAX_PLANNED_ACTIONS_PER_DEVICE * len(FLEET)

    def teardown(self) -> None:
        """Repair all devices, and check that they then get the versions that they should run."""
        if not hasattr(self, "history"):
            return
        for changes in ({"update": "ok"}, {"online": True}):
            self.cloud.change("devices/*", **changes)
        self.cloud.advance(3600)
        for device in self.list_devices():
            target = find_target_version(device)
            assert (device.update, device.safe_mode) == (None, False)
            if device.product is None or device.quarantined or device.denied:
                continue
            if target in device.product.resources.firmware:
                assert device.firmware_version == target


UpdateMachine.TestCase.settings = settings(
    max_examples=count(quick=30, full=1000), stateful_step_count=40, deadline=None
)
TestUpdateMachine = UpdateMachine.TestCase
