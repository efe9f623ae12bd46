# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the options that select devices: the sources to read, and the filters to match."""

from __future__ import annotations


class ModuleDocFragment:
    """The doc fragments ``meshfleet.particle.selection``, and its parts ``filters`` and ``thread``."""

    DOCUMENTATION = r"""
options:
  products:
    description:
      - Ids or slugs of the products whose devices are read.
    type: list
    elements: str
    aliases: [product]
  organization:
    description:
      - Id or slug of an organization. The devices of all its products are read.
    type: str
  account_devices:
    description:
      - Whether to read the devices that the account has claimed.
      - Defaults to V(true) if neither O(products) nor O(organization) is set, and to V(false) otherwise.
      - A device that is also in one of the products occurs only once in the result.
    type: bool
"""

    FILTERS = r"""
options:
  filters:
    description:
      - Select only devices that match all filters. A filter with a list of values matches if any of the values matches.
      - To save requests, the cloud applies some filters to the device list of a product. These are O(filters.name)
        and the first of O(filters.ids), O(filters.serial_numbers) and O(filters.groups) that has at most ten values.
        The module applies all other filters after it has read the list.
    type: dict
    suboptions:
      ids:
        description: Device ids.
        type: list
        elements: str
      name:
        description: Pattern for the name of the device. C(*) matches any text, and C(?) matches one character.
        type: str
      groups:
        description: Names of device groups.
        type: list
        elements: str
      networks:
        description:
          - Names of networks.
          - The cloud cannot apply this filter to networks of all backends, so the module reads the whole list. For a
            network of backend C(ledger), also set O(filters.groups) to the device group C(mesh-NETWORK), so that the
            module reads only its members.
        type: list
        elements: str
      platforms:
        description: Names or numbers of platforms, such as V(boron) or V(13).
        type: list
        elements: str
      online:
        description: Whether the cloud shows the device as online.
        type: bool
      silent_days:
        description:
          - Number of days, at least V(1). Select only devices from which the cloud has not heard for more than this
            number of days, and devices from which it has never heard. The C(last_heard_age) of a device that was never
            heard is V(null).
          - Times are compared with the clock of the cloud.
        version_added: 0.2.0
        type: int
      quarantined:
        description: Whether the device is in quarantine, which means that it waits for approval to join its product.
        type: bool
      firmware_versions:
        description: Version numbers of the product firmware that the device runs.
        type: list
        elements: int
      serial_numbers:
        description: Serial numbers.
        type: list
        elements: str
      iccids:
        description: ICCIDs of SIM cards.
        type: list
        elements: str
"""

    THREAD = r"""
options:
  thread_networks:
    description:
      - Thread networks whose members to add. The members come from the border routers of the networks, and need not be
        devices of the Particle cloud. To read only these members, set O(account_devices=false). No login is needed
        then.
      - Each network is listed through its first border router that is in a network. This takes about half a minute.
    version_added: 0.2.0
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the network, as a manifest declares it.
        type: str
        required: true
      border_routers:
        description: OpenThread border routers of the network.
        type: list
        elements: dict
        required: true
        suboptions:
          url:
            description: URL of the REST API of the border router, for example C(http://127.0.0.1:8081).
            type: str
            required: true
          ca_path:
            description: File with the certificate authorities to trust, for a URL that begins with C(https).
            type: str
          username:
            description: Username for a proxy in front of the border router. The border router itself has no login.
            type: str
          password:
            description: Password for this proxy.
            type: str
"""
