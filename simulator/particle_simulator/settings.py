# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The settings of the simulator.

The settings are read and checked once. The start state is built from the settings at the start and at each reset.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from particle_simulator.fleet import TIMES, read_time, was_never_heard
from particle_simulator.model import reports_product

PRODUCT_ID = 31337
PRODUCT_SLUG = "field-logger"
PRODUCT_NAME = "Field Logger"
PRODUCT_PLATFORM = 13

DEFAULT_ACCOUNTS: list[dict[str, Any]] = [{"username": "demo@example.com", "password": "demo-password"}]

DEVICE_ID = re.compile(r"[0-9a-f]{24}")
GROUP_NAME = re.compile(r"[a-z0-9_-]{1,64}")

_TEXT: tuple[type, ...] = (str, type(None))
FLEET_KEYS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "name": _TEXT,
    "owner": _TEXT,
    "product_id": (int, type(None)),
    "groups": (list,),
    "platform_id": (int,),
    "online": (bool,),
    "serial_number": _TEXT,
    "imei": _TEXT,
    "iccid": _TEXT,
    "mac_wifi": _TEXT,
    "mobile_secret": _TEXT,
    "notes": _TEXT,
    "development": (bool,),
    "quarantined": (bool,),
    "denied": (bool,),
    "firmware_version": (int, type(None)),
    "desired_firmware_version": (int, type(None)),
    "system_firmware_version": (str,),
    "device_protection": (dict,),
    "last_heard": _TEXT,
    "last_handshake_at": _TEXT,
    "position": (dict, type(None)),
}
_MAX_DEGREES = {"longitude": 180, "latitude": 90}
_ACCOUNT_KEYS = {
    "username",
    "password",
    "otp_secret",
    "recovery_codes",
    "sso",
    "query_tokens",
    "org",
    "clients",
}


class SettingsError(Exception):
    """An error in the settings. The message is for the person who starts the simulator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of the command line, and the contents of the files that the options name."""

    seed: int
    manufactured: int
    """The number of manufactured devices."""
    fleet: tuple[dict[str, Any], ...]
    accounts: tuple[dict[str, Any], ...]
    claimed: bool = False
    """Whether the first account has claimed the manufactured devices."""
    limits: bool = False
    mesh: bool = False
    token_listing: bool = False
    session_paths: tuple[str, str] | None = None
    """The paths of the two steps of the login of 2014. None means that the simulator does not offer this login."""
    org: str | None = None
    slow_joiners: float = 0.0
    churn: int = 0
    bad_updates: float = 0.0
    """The share of devices whose next update fails, from 0 to 1."""
    safe_mode_version: str = "old"
    """The firmware version that device lists show for a device in safe mode: `old` or `zero`."""
    mask_secrets: bool = False
    """Whether responses mask the secrets of integrations."""
    omit_nulls: bool = False
    """Whether the device list of a product omits keys without a value."""
    clock: str = "real"
    """The kind of clock: a key of `clock.CLOCKS`."""
    close_streams: bool = False
    """Whether an event stream ends when its access token expires or is revoked."""


def decode_otp_secret(secret: str) -> bytes:
    """Decode a base32 secret of an authenticator app. Spaces are ignored, and padding is optional."""
    text = secret.replace(" ", "").rstrip("=").upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _read_list(path: str, what: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the {what} file {path}: {error}") from error
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise SettingsError(f"the {what} file {path} must contain a JSON list of objects")
    return content


def read_fleet(text: str) -> tuple[int, tuple[dict[str, Any], ...]]:
    """Read the value of `--fleet`: a number of devices to manufacture, or the path of a fleet file.

    Return (number, records of the file). For a path, the number is 0. For a number, the records are empty.
    """
    if text.isascii() and text.isdigit():
        return int(text), ()
    devices = _read_list(text, "fleet")
    seen: set[str] = set()
    for index, device in enumerate(devices):
        _check_device(device, f"device {index} of {text}")
        if device["id"].lower() in seen:
            raise SettingsError(f"device {index} of {text} has a duplicate id; each id must occur once")
        seen.add(device["id"].lower())
    return 0, tuple(devices)


def _check_device(device: dict[str, Any], where: str) -> None:
    if not isinstance(device.get("id"), str) or not DEVICE_ID.fullmatch(device["id"].lower()):
        raise SettingsError(f"{where}: id must consist of 24 hexadecimal digits")
    for key, value in device.items():
        if key not in FLEET_KEYS:
            raise SettingsError(f"{where}: {key!r} is not a valid key")
        if not isinstance(value, FLEET_KEYS[key]) or (isinstance(value, bool) and bool not in FLEET_KEYS[key]):
            types = " or ".join("null" if kind is NoneType else kind.__name__ for kind in FLEET_KEYS[key])
            raise SettingsError(f"{where}: {key} must be {types}, got {type(value).__name__}")
    _check_times(device, where)
    _check_position(device.get("position"), where)
    version = device.get("system_firmware_version")
    if device.get("quarantined") and version is not None and not reports_product(version):
        raise SettingsError(
            f"{where}: a device with Device OS {version} cannot be quarantined, because only Device OS 3.x and earlier "
            "report a product"
        )
    if device.get("groups") and device.get("product_id") is None:
        raise SettingsError(f"{where}: groups require a product_id, because groups belong to a product")
    for name in device.get("groups", []):
        if not isinstance(name, str) or not GROUP_NAME.fullmatch(name):
            raise SettingsError(
                f"{where}: {name!r} is not a valid group name (1 to 64 lower-case letters, digits, dashes, underscores)"
            )


def _check_times(device: dict[str, Any], where: str) -> None:
    """Check the times of a device in a fleet file.

    The cloud learns the firmware version of a device when a session starts, so a device that was never heard has none.
    """
    for key in TIMES:
        try:
            if device.get(key) is not None:
                read_time(device[key])
        except ValueError as error:
            raise SettingsError(f"{where}: {key} must be null or an ISO 8601 time") from error
    if not was_never_heard(device):
        return
    for key in ("online", *TIMES, "firmware_version"):
        if device.get(key) not in (None, False):
            raise SettingsError(f"{where}: a device that was never heard cannot have {key}")


def _check_position(position: dict[str, Any] | None, where: str) -> None:
    """Check the position of a device in a fleet file."""
    if position is None:
        return
    if set(position) != set(_MAX_DEGREES):
        raise SettingsError(f"{where}: position must have the keys longitude and latitude, and no other key")
    for key, limit in _MAX_DEGREES.items():
        value = position[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -limit <= value <= limit:
            raise SettingsError(f"{where}: {key} of position must be a number from -{limit} to {limit}")


def read_accounts(path: str | None) -> tuple[dict[str, Any], ...]:
    """Read the accounts file, or return the default accounts if `path` is None. The first account owns the product."""
    if path is None:
        return tuple(DEFAULT_ACCOUNTS)
    accounts = _read_list(path, "accounts")
    if not accounts:
        raise SettingsError(f"the accounts file {path} must contain an account, because the product must have an owner")
    for index, account in enumerate(accounts):
        _check_account(account, f"account {index} of {path}")
    return tuple(accounts)


def _check_account(account: dict[str, Any], where: str) -> None:
    if not isinstance(account.get("username"), str) or not isinstance(account.get("password"), str):
        raise SettingsError(f"{where}: username and password must be strings")
    unknown = set(account) - _ACCOUNT_KEYS
    if unknown:
        raise SettingsError(f"{where}: {min(unknown)!r} is not a valid key")
    try:
        decode_otp_secret(account.get("otp_secret") or "")
    except (AttributeError, ValueError) as error:
        raise SettingsError(f"{where}: otp_secret must be in base32") from error
    codes = account.get("recovery_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise SettingsError(f"{where}: recovery_codes must be a list of strings")
    for flag in ("sso", "query_tokens", "org"):
        if not isinstance(account.get(flag, False), bool):
            raise SettingsError(f"{where}: {flag} must be true or false")
    for client in account.get("clients", []):
        if not isinstance(client, dict) or not all(isinstance(client.get(key), str) for key in ("id", "secret")):
            raise SettingsError(f"{where}: each client must have an id and a secret")
