# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The start state, read and checked once, so that a reset can build it again."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRODUCT_ID = 31337
PRODUCT_SLUG = "field-logger"
PRODUCT_NAME = "Field Logger"
PRODUCT_PLATFORM = 13

DEFAULT_ACCOUNTS: list[dict[str, Any]] = [{"username": "demo@example.com", "password": "demo-password"}]

DEVICE_ID = re.compile(r"[0-9a-f]{24}")
GROUP_NAME = re.compile(r"[a-z0-9_-]+")

_TEXT: tuple[type, ...] = (str, type(None))
_FLEET_KEYS: dict[str, tuple[type, ...]] = {
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
}
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
    """A sentence for the person who started the simulator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line asked for, with its files already read."""

    seed: int
    manufactured: int
    fleet: tuple[dict[str, Any], ...]
    accounts: tuple[dict[str, Any], ...]
    limits: bool = False
    mesh: bool = False
    token_listing: bool = False
    session_paths: tuple[str, str] | None = None
    """Where the two steps of the login of 2014 are; nobody knows their real addresses."""
    org: str | None = None
    slow_joiners: float = 0.0
    churn: int = 0
    mask_secrets: bool = False
    """Whether an integration is shown without its secrets."""
    clock: str = "real"
    """The kind of clock: a key of `clock.CLOCKS`."""


def decode_otp_secret(secret: str) -> bytes:
    """The key in a base32 secret, as apps show it: with or without spaces and padding."""
    text = secret.replace(" ", "").rstrip("=").upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _read_list(path: str, what: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the {what} file {path}: {error}") from error
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise SettingsError(f"the {what} file {path} must hold a JSON list of objects")
    return content


def read_fleet(text: str) -> tuple[int, tuple[dict[str, Any], ...]]:
    """`--fleet`: a number of devices to manufacture, or the devices of a file."""
    if text.isascii() and text.isdigit():
        return int(text), ()
    devices = _read_list(text, "fleet")
    seen: set[str] = set()
    for index, device in enumerate(devices):
        _check_device(device, f"device {index} of {text}")
        if device["id"].lower() in seen:
            raise SettingsError(f"device {index} of {text} has the id of an earlier one")
        seen.add(device["id"].lower())
    return 0, tuple(devices)


def _check_device(device: dict[str, Any], where: str) -> None:
    if not isinstance(device.get("id"), str) or not DEVICE_ID.fullmatch(device["id"].lower()):
        raise SettingsError(f"{where} needs an id of 24 hexadecimal digits")
    for key, value in device.items():
        if key not in _FLEET_KEYS:
            raise SettingsError(f"{where} has the unknown key {key!r}")
        if not isinstance(value, _FLEET_KEYS[key]):
            raise SettingsError(f"{where}: the value of {key!r} has the wrong type")
    if device.get("groups") and device.get("product_id") is None:
        raise SettingsError(f"{where} has groups but no product_id: groups belong to a product")
    for name in device.get("groups", []):
        if not isinstance(name, str) or not GROUP_NAME.fullmatch(name):
            raise SettingsError(f"{where} has the malformed group name {name!r}")


def read_accounts(path: str | None) -> tuple[dict[str, Any], ...]:
    """`--accounts`: who may log in; the first one owns the product."""
    if path is None:
        return tuple(DEFAULT_ACCOUNTS)
    accounts = _read_list(path, "accounts")
    if not accounts:
        raise SettingsError(f"the accounts file {path} names no account, but the product needs an owner")
    for index, account in enumerate(accounts):
        _check_account(account, f"account {index} of {path}")
    return tuple(accounts)


def _check_account(account: dict[str, Any], where: str) -> None:
    if not isinstance(account.get("username"), str) or not isinstance(account.get("password"), str):
        raise SettingsError(f"{where} needs a username and a password")
    unknown = set(account) - _ACCOUNT_KEYS
    if unknown:
        raise SettingsError(f"{where} has the unknown key {min(unknown)!r}")
    try:
        decode_otp_secret(account.get("otp_secret") or "")
    except (AttributeError, ValueError) as error:
        raise SettingsError(f"{where}: otp_secret must be written in base32") from error
    codes = account.get("recovery_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise SettingsError(f"{where}: recovery_codes must be a list of texts")
    for flag in ("sso", "query_tokens", "org"):
        if not isinstance(account.get(flag, False), bool):
            raise SettingsError(f"{where}: {flag} must be true or false")
    for client in account.get("clients", []):
        if not isinstance(client, dict) or not all(isinstance(client.get(key), str) for key in ("id", "secret")):
            raise SettingsError(f"{where}: a client needs an id and a secret")
