# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store the devices of an inventory file with a cache plugin of Ansible. Private to this collection."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.cache import BaseFileCacheModule
from ansible.plugins.loader import cache_loader

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import GatheredFacts
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_options, list_secret_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import LISTING
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    Account,
    find_account,
    find_cloud,
    read_non_secret_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import SECRETS

_FORMAT = 2
"""The number of the format of cache entries. Change it if a change of the collection makes stored facts unusable."""

_NOT_COMPARED = ("hostnames", "group_by", "silent_days", "api_url")
"""Options that do not affect which devices are read. For the URL, the clouds are compared instead."""


class InventoryCache:
    """The cache entry of one inventory file.

    :param cache: Ansible's ``CachePluginAdjudicator``, the cache that the inventory file configures.
    :param name: the name of the cache plugin.
    :param key: the key of the entry.
    :param origin: the conditions that decide which devices are read.
    :param warn: function that shows a warning to the user.
    """

    def __init__(self, cache: Any, name: str, key: str, origin: CacheOrigin, warn: Callable[[str], None]) -> None:
        self._cache = cache
        self._name = name
        self._key = key
        self._origin = origin
        self._warn = warn

    def load(self) -> list[GatheredFacts] | None:
        """Return the stored devices; ``None`` if no usable devices are stored.

        Devices that a run with other options or for another account has stored are not usable. A damaged entry is
        reported as a warning, because it will be replaced.
        """
        try:
            entry = self._cache.get(self._key)
            if entry is None and not self._cache._plugin.contains(self._key):
                return None
            return _unpack_entry(entry, self._origin)
        except Exception:  # each cache plugin raises its own errors
            self._warn(
                f"The cached inventory of {self._origin.path} is damaged or cannot be read, so the devices are read "
                f"from the cloud again."
            )
            return None

    def store(self, gathered: Sequence[GatheredFacts]) -> None:
        """Store the devices. If that fails, warn: the inventory is complete without the cache."""
        entry = _pack_entry(gathered, self._origin)
        plugin = self._cache._plugin
        if not isinstance(plugin, BaseFileCacheModule):
            self._cache[self._key] = entry  # Ansible writes it when the inventory file has been read
            return
        try:
            _write_private_file(self._name, plugin, self._key, entry)
        except OSError as error:
            self._warn(f"The inventory of {self._origin.path} cannot be cached: {error.strerror}.")


class CacheOrigin:
    """The conditions that decide which devices are read: the file, its options, the clouds and the accounts.

    :param path: the path of the inventory file.
    :param options: the options of the inventory file.
    :param accounts: the options of each account.
    :raises ParticleError: when the URL of a cloud is invalid.
    """

    def __init__(self, path: str, options: Mapping[str, Any], accounts: Sequence[Mapping[str, Any]]) -> None:
        now = time.time()
        clouds = [find_cloud(account, os.environ, now=now) for account in accounts]
        left_out = (*SECRETS, *list_secret_options(), *_NOT_COMPARED)
        specs = list_options(LISTING)
        relevant = {
            name: _drop_secrets(value, specs.get(name, {})) for name, value in options.items() if name not in left_out
        }
        relevant["accounts"] = [
            {name: value for name, value in account.items() if name not in (*SECRETS, "api_url")}
            for account in options["accounts"]
        ]
        self.path = path
        self.recipe = _hash_value([_FORMAT, path, clouds, relevant])
        self.accounts = [find_account(account, os.environ, now=now) for account in accounts]


def _write_private_file(name: str, plugin: BaseFileCacheModule, key: str, entry: Mapping[str, Any]) -> None:
    """Store an entry in a file that only this user can access, whatever the umask and the mode of the cache plugin.

    The cache plugins of Ansible make their files readable for all users. Therefore, the plugin writes into a private
    folder, from which the file is moved to its place.

    :raises OSError: when the file cannot be written.
    """
    target = Path(plugin._cache_dir)
    with tempfile.TemporaryDirectory(dir=target, prefix=".particle-") as folder:
        prefix = plugin.get_option("_prefix")
        options = {"_uri": folder, "_timeout": 0, **({} if prefix is None else {"_prefix": prefix})}
        cache_loader.get(name, **options).set(key, entry)
        for file in Path(folder).iterdir():
            file.chmod(0o600)
            file.replace(target / file.name)


def _drop_secrets(value: Any, spec: Mapping[str, Any]) -> Any:
    """Return the value of an option without its secret suboptions.

    :param spec: the argument spec of the option.
    """
    suboptions = spec.get("options", {})
    if isinstance(value, list):
        return [_drop_secrets(item, spec) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _drop_secrets(item, suboptions.get(name, {}))
        for name, item in value.items()
        if not suboptions.get(name, {}).get("no_log")
    }


def _hash_value(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _hash_environment() -> dict[str, str]:
    """Return a hash of each option that is set by an environment variable, except secrets.

    A later run may use the cached inventory without the environment variables for the login. An option that is not set
    in the later run is therefore not compared.
    """
    return {name: _hash_value(value) for name, value in read_non_secret_options(os.environ).items()}


def _pack_entry(gathered: Sequence[GatheredFacts], origin: CacheOrigin) -> dict[str, Any]:
    # Store one JSON text: caches interpret keys like __ansible_type, and users of the cloud choose some of these keys.
    content = json.dumps([{"skew": part.skew, "pages": part.pages, "devices": dict(part.devices)} for part in gathered])
    salt = secrets.token_hex(16)
    accounts = [
        account and {"profile": account.is_default_profile, "hash": _hash_account(account, salt)}
        for account in origin.accounts
    ]
    whose = _hash_environment()
    entry = {"recipe": origin.recipe, "whose": whose, "salt": salt, "accounts": accounts, "content": content}
    return {**entry, "digest": _hash_value(entry)}


def _unpack_entry(entry: Any, origin: CacheOrigin) -> list[GatheredFacts] | None:
    """Return the stored devices; ``None`` if a run with other options or for another account has stored them.

    :raises ValueError: when the entry is damaged, or was stored by another release of this collection.
    """
    if not isinstance(entry, Mapping) or "digest" not in entry:
        raise ValueError("The cache entry does not have the expected form.")
    if entry["digest"] != _hash_value({name: value for name, value in entry.items() if name != "digest"}):
        raise ValueError("The cache entry was changed after it was stored.")
    if entry["recipe"] != origin.recipe:
        return None
    if any(entry["whose"].get(name) != value for name, value in _hash_environment().items()):
        return None
    pairs = zip(entry["accounts"], origin.accounts, strict=True)
    if not all(_has_same_account(stored, account, entry["salt"]) for stored, account in pairs):
        return None
    return [
        GatheredFacts(part["devices"], (), {}, part["pages"], True, part["skew"])
        for part in json.loads(entry["content"])
    ]


def _has_same_account(stored: Any, account: Account | None, salt: str) -> bool:
    """Return whether stored devices belong to the account that the options select.

    Without credentials, every stored account counts as the same: the cache can be used offline and without a login. A
    login of the official command line tool that no option names is compared only if the devices were read with such a
    login.
    """
    if account is None or (account.is_default_profile and stored and not stored["profile"]):
        return True
    return stored is not None and hmac.compare_digest(stored["hash"], _hash_account(account, salt))


def _hash_account(account: Account, salt: str) -> str:
    """Return a keyed hash of the identity of an account. The hash does not reveal the access token."""
    message = "\0".join(account.identity).encode(errors="surrogatepass")
    return hmac.new(salt.encode(), message, hashlib.sha256).hexdigest()
