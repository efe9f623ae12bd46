# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List devices as the hosts of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: devices
short_description: Add Particle devices to the inventory as hosts
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Reads the devices of products and accounts from the Particle cloud, and adds each device as a host.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    products. With O(cache=true), an inventory that is read from the cache needs neither the cloud nor credentials. If
    credentials are given, in any way, the cache is used only if it was written with the same access token, or with the
    same username and OAuth client. The guide to the inventory has the details.
  - The host variable C(particle) contains the facts of the device. M(meshfleet.particle.device_facts) returns the same
    facts as C(ansible_facts.particle).
  - All options of this plugin except the cache options can contain templates, for example lookups.
  - The name of the inventory file must be C(particle.yml) or C(particle.yaml), or end with C(.particle.yml) or
    C(.particle.yaml).
  - Ansible does not log in to devices. The plugin therefore sets C(ansible_connection=local) for each host, and
    C(ansible_python_interpreter) to the Python that runs Ansible.
  - Values from the cloud are not trusted, and are never evaluated as templates. Names of hosts contain only letters,
    digits, C(_), C(.) and C(-). A device never gets the name C(localhost), or the name of a host from an earlier
    inventory source.
  - No device gets the name of a group, including the groups from O(groups) and O(keyed_groups) and the groups of
    earlier inventory sources. Otherwise, a host pattern with this name would select both the device and the group. Such
    a device is called by its id, and a warning names it. In the templates of O(groups) and O(keyed_groups),
    C(inventory_hostname) is the name that the device would have if these groups did not exist.
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.selection
  - meshfleet.particle.selection.filters
  - meshfleet.particle.selection.thread
  - constructed
  - inventory_cache
options:
  plugin:
    description: Name of this plugin. It marks the file as an inventory file for this plugin.
    type: str
    required: true
    choices: [meshfleet.particle.devices]
  accounts:
    description:
      - Further accounts whose devices to read, each with its own credentials and products.
      - If the top level of the file contains neither O(products), O(organization), O(account_devices=true) nor
        credentials, only these accounts are read. Credentials in the environment do not count as credentials of the top
        level.
      - An account without credentials uses the credentials of the top level or of the environment. All other connection
        options of an account default to their values at the top level. For full descriptions, see the options of the
        same names at the top level.
      - A device of several accounts becomes one host, with the facts from the first of these accounts.
      - If one of the accounts cannot be read, the whole inventory file fails.
    type: list
    elements: dict
    default: []
    suboptions:
      api_url:
        description: URL of the API of the cloud.
        type: str
      access_token:
        description: Access token of the account.
        type: str
      username:
        description: E-mail address of the account.
        type: str
      password:
        description: Password of the account.
        type: str
      otp:
        description: One-time code, for an account with two-factor login.
        type: str
      otp_secret:
        description: >-
          Secret from which the one-time codes for two-factor login are computed. It allows unattended logins.
        type: str
      token_file:
        description: Path of the file in which M(meshfleet.particle.access_token) stores tokens.
        type: path
      profile:
        description: Name of a profile of the Particle CLI, the official command line tool.
        type: str
      client_id:
        description: Id of the OAuth client that requests access tokens.
        type: str
      client_secret:
        description: Secret of the OAuth client.
        type: str
      timeout:
        description: >-
          Time in seconds to wait for a response from the cloud. A request and its retries together may take five times
          as long on the network.
        type: float
      validate_certs:
        description: Whether to verify the TLS certificate of the cloud.
        type: bool
      ca_path:
        description: >-
          Path of the CA bundle with which the TLS certificate of the cloud is verified. A CA bundle is a file with the
          certificates of trusted certificate authorities.
        type: path
      max_wait:
        description: >-
          Maximum time in seconds to retry one request while the cloud refuses it because of too many requests (HTTP
          status 429 or 529).
        type: float
      budget_store:
        description: URL of a Redis server through which several machines share one request budget.
        type: str
      products:
        description: Ids or slugs of the products whose devices are read.
        type: list
        elements: str
        aliases: [product]
      organization:
        description: >-
          Id or slug of an organization. The devices of all its products are read.
        type: str
      account_devices:
        description:
          - Whether to read the devices that the account has claimed.
          - Defaults to V(true) if neither O(accounts[].products) nor O(accounts[].organization) is set, and to V(false)
            otherwise.
        type: bool
  hostnames:
    description:
      - Attributes of a device from which its host name is taken, in order of preference.
      - An attribute is skipped if the device does not have this attribute, if several devices have the same value, or
        if a host or group already has this name. If all attributes are skipped, the host name is the id, or the EUI-64
        of a member of O(thread_networks).
    type: list
    elements: str
    choices: [name, id, serial_number]
    default: [name, id]
  group_by:
    description:
      - Attributes of devices from which to create groups.
      - Groups are named C(<attribute>_<value>), for example C(device_group_north) or C(online_true). Names of groups
        contain only C(a-z), C(0-9) and C(_). Upper-case letters become lower-case, and other characters become C(_). If
        two values would give the same name, a few digits are appended.
      - V(firmware_lock) and V(quarantined) make no groups for devices whose product is not read, because only the
        device list of a product shows these attributes.
      - V(silent) creates C(silent_true) and C(silent_false), see O(silent_days). A device that the cloud has never
        heard from is in C(silent_true), and also in C(silent_never).
      - V(device_group) leaves out the device groups of networks. Use V(network) and V(mesh_role) for these.
      - O(group_by) is much faster than O(keyed_groups), O(groups) and O(compose), because these evaluate a template for
        each host and each entry. This matters for thousands of hosts.
      - O(keyed_groups) does not accept numbers. Convert them to strings there, as in the example below.
    type: list
    elements: str
    choices:
      - product
      - platform
      - device_group
      - network
      - mesh_role
      - online
      - firmware_version
      - firmware_lock
      - development
      - quarantined
      - silent
    default: []
  silent_days:
    description:
      - Number of days after which V(silent) in O(group_by) counts a device as silent, at least V(1). The time of the
        last contact is C(last_heard_age) in the facts of the device.
      - To leave out all other devices, use O(filters.silent_days).
    version_added: 0.2.0
    type: int
    default: 7
  page_size:
    description:
      - Number of devices per page in the device list of a product, at least V(1). The device list of the account has no
        pages.
    type: int
    default: 100
seealso:
  - module: meshfleet.particle.device_facts
  - module: meshfleet.particle.device_info
  - name: Guide to inventories
    description: How to use devices as the hosts of an inventory, with groups, caches and several accounts.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_inventory.md
"""

EXAMPLES = r"""
# fleet.particle.yml: all devices of a product, by their names
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless the file sets them.
plugin: meshfleet.particle.devices
products: [field-logger]
group_by: [platform, device_group, network, mesh_role, online]

---
# Only some devices of a product, named by serial number
plugin: meshfleet.particle.devices
products: [field-logger]
filters:
  platforms: [boron, bsom]
  quarantined: false
hostnames: [serial_number, id]

---
# Groups and variables from templates. Devices without a firmware version get no group firmware_<version>.
plugin: meshfleet.particle.devices
products: [field-logger]
keyed_groups:
  - key: particle.firmware_version | default('', true) | string
    prefix: firmware
groups:
  unreachable: particle.presence in ['stale', 'offline']
compose:
  silent_for: particle.last_heard_age

---
# Groups for maintenance: locked devices, devices that wait for approval, and devices that are silent for 14 days
plugin: meshfleet.particle.devices
products: [field-logger]
group_by: [firmware_lock, quarantined, silent]
silent_days: 14

---
# Two accounts, with a cache that is valid for ten minutes
plugin: meshfleet.particle.devices
token_file: ~/.config/particle-tokens.json
products: [field-logger, pump-watch]
accounts:
  - username: workshop@example.com
    password: "{{ lookup('ansible.builtin.env', 'WORKSHOP_PASSWORD') }}"
    account_devices: true
group_by: [product]
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/particle-inventory
cache_timeout: 600

---
# All devices of an organization, and the devices that the account has claimed
plugin: meshfleet.particle.devices
organization: acme
account_devices: true
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import GatheredFacts, select_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.inventory_names import (
    DEFAULT_SILENT_DAYS,
    GROUP_KEYS,
    HOSTNAMES,
    build_host_groups,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    FILTER_SPEC,
    SOURCE_SPEC,
    Filters,
    describe_absence,
    find_mistake_in_days,
    read_filters,
    read_sources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REQUESTS_IMPORT_ERROR
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import (
    can_list_members,
    list_options,
    list_secret_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import LISTING
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    build_argument_spec,
    build_library_error,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import SECRETS, find_secrets
from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import add_suggestions
from ansible_collections.meshfleet.particle.plugins.plugin_utils._inventory_accounts import (
    ACCOUNT_SPEC,
    describe_accounts,
    list_account_options,
    read_accounts,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._inventory_cache import CacheOrigin, InventoryCache
from ansible_collections.meshfleet.particle.plugins.plugin_utils._inventory_hosts import (
    ConstructedGroups,
    InventoryHosts,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._text_lists import split_text_lists

display = Display()

SPEC = build_argument_spec(
    **SOURCE_SPEC,
    **FILTER_SPEC,
    accounts={"type": "list", "elements": "dict", "default": [], "options": ACCOUNT_SPEC},
    hostnames={"type": "list", "elements": "str", "choices": list(HOSTNAMES), "default": ["name", "id"]},
    group_by={"type": "list", "elements": "str", "choices": list(GROUP_KEYS), "default": []},
    silent_days={"type": "int", "default": DEFAULT_SILENT_DAYS},
    page_size={"type": "int", "default": 100},
    **list_options(LISTING),
)

Devices = dict[str, dict[str, Any]]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory plugin ``devices``. It adds a host for each selected device of the cloud."""

    NAME = "meshfleet.particle.devices"
    inventory: Any  # while templates are evaluated, a record instead of Ansible's inventory

    def verify_file(self, path: str) -> bool:
        """Return whether the file name has an ending that this plugin accepts."""
        name = f".{os.path.basename(path)}"
        return bool(super().verify_file(path)) and name.endswith((".particle.yml", ".particle.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the devices to the inventory.

        :raises AnsibleParserError: when the options are invalid or the cloud cannot be read; the message contains no
            secrets.
        """
        super().parse(inventory, loader, path, cache)
        if REQUESTS_IMPORT_ERROR is not None:
            raise AnsibleParserError(build_library_error().as_failure()["msg"])
        config = self._read_config_data(path)
        self._refuse_unknown(config)
        options = self._validate_options(config)
        filters = _check_options(options)
        devices: Devices = {}
        for gathered in self._load_devices(options, filters, path, cache):
            for device, facts in select_devices(gathered, filters, time.time()).items():
                devices.setdefault(device, facts)
        if not devices:
            absence = describe_absence(describe_accounts(options), filters)
            display.warning(f"{path}: this inventory has no hosts. {absence}")
        self._add_hosts(devices, options)

    def _refuse_unknown(self, config: dict[str, Any]) -> None:
        """Refuse unknown options, because Ansible would ignore them.

        :raises AnsibleParserError: when there are unknown options; the message suggests similar names.
        """
        definitions = constants.config.get_configuration_definitions("inventory", self._load_name)
        known = {*definitions, *(alias for option in definitions.values() for alias in option.get("aliases") or ())}
        unknown = sorted(str(name) for name in config if name not in known)
        if unknown:
            phrase = (f"{name} is not a valid option{suggest_similar(name, sorted(known))}" for name in unknown)
            raise AnsibleParserError(f"{'; '.join(phrase)}.")

    def _validate_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the validated options of this plugin, with their templates evaluated.

        Options that Ansible evaluates for each host, such as ``keyed_groups``, are not included.

        :param config: the content of the inventory file.
        :raises AnsibleParserError: when an option is invalid.
        """
        self.templar.available_variables = self._vars
        given = {name: self.get_option(name) for name in SPEC}
        # Ansible turns every text that is not a boolean into false, even a template, and validate_certs would be off.
        # Ansible splits a text for a list only at commas, so that the lines of a block would be one item.
        kinds = ("bool", "list")
        given |= {name: config[name] for name, option in SPEC.items() if option["type"] in kinds and name in config}
        evaluated = self.templar.template({name: value for name, value in given.items() if value is not None})
        evaluated = split_text_lists(evaluated, SPEC)
        validation = ArgumentSpecValidator(SPEC).validate(evaluated)
        if validation.error_messages:
            redact = Redactor()
            for part in [evaluated, *(evaluated.get("accounts") or [])]:
                redact.add_secrets(
                    find_secrets(part, (*SECRETS, *list_secret_options())) if isinstance(part, dict) else []
                )
            raise AnsibleParserError(redact(add_suggestions(validation.error_messages, evaluated, SPEC)))
        return dict(validation.validated_parameters)

    def _load_devices(self, options: dict[str, Any], filters: Filters, path: str, cache: bool) -> list[GatheredFacts]:
        """Return the devices of each account. If the cache has the devices, send no request and do not log in.

        :raises AnsibleParserError: when an option is invalid or an account cannot be read.
        """
        if not self.get_option("cache"):
            return read_accounts(options, filters)
        try:
            origin = CacheOrigin(path, options, list_account_options(options))
        except ParticleError as error:
            raise AnsibleParserError(f"{error.message} {error.hint}") from None
        name, key = self.get_option("cache_plugin"), self.get_cache_key(path)
        store = InventoryCache(self._cache, name, key, origin, display.warning)
        kept = store.load() if cache else None
        if kept is not None:
            return kept
        gathered = read_accounts(options, filters)
        if all(part.complete for part in gathered):
            store.store(gathered)
        return gathered

    def _add_hosts(self, devices: Devices, options: dict[str, Any]) -> None:
        groups = build_host_groups(devices, options["group_by"], options["silent_days"])
        hosts = InventoryHosts(self.inventory, devices, options["hostnames"], groups)
        constructed = hosts.start_record()
        self._construct(constructed, devices)
        for warning in hosts.add(constructed):
            display.warning(warning)

    def _construct(self, constructed: ConstructedGroups, devices: Devices) -> None:
        """Record the groups and variables that ``compose``, ``groups`` and ``keyed_groups`` create."""
        compose, groups, keyed = (self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed):
            return
        inventory, strict = self.inventory, self.get_option("strict")
        self.inventory = constructed
        try:
            for device, facts in devices.items():
                name, variables = constructed.drafts[device], {"particle": facts}
                self._set_composite_vars(compose, variables, name, strict=strict)
                self._add_host_to_composed_groups(groups, variables, name, strict=strict)
                self._add_host_to_keyed_groups(keyed, variables, name, strict=strict)
        finally:
            self.inventory = inventory


def _check_options(options: dict[str, Any]) -> Filters:
    """Check the options without sending a request, and return the filters.

    :raises AnsibleParserError: when an option is invalid.
    """
    try:
        if options["page_size"] < 1:
            message = f"page_size must be 1 or more, got {options['page_size']}."
            raise ParticleError("invalid_option", message, hint="Correct page_size.")
        if (mistake := find_mistake_in_days("silent_days", options["silent_days"])) is not None:
            raise ParticleError("invalid_option", f"{mistake}.", hint="Correct silent_days.")
        for part in list_account_options(options):
            read_sources(part, has_other_source=can_list_members(options))
        return read_filters(options)
    except ParticleError as error:
        raise AnsibleParserError(f"{error.message} {error.hint}") from None
