# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say which devices are meant."""

from __future__ import annotations


class ModuleDocFragment:
    """``meshfleet.particle.selection`` and its parts."""

    DOCUMENTATION = r"""
options:
  products:
    description:
      - Ids or slugs of the products whose devices are meant.
    type: list
    elements: str
    aliases: [product]
  organization:
    description:
      - Id or slug of an organisation, all of whose products are meant.
    type: str
  account_devices:
    description:
      - Whether the devices that the account itself has claimed are meant. By default they are when neither
        O(products) nor O(organization) is given.
      - A device that a product shows as well is meant once.
    type: bool
"""

    FILTERS = r"""
options:
  filters:
    description:
      - What a device must be to count; all that is given must hold. Of several values one must fit.
      - The lists of products are filtered by the cloud where it can, by ids, serial numbers, groups or networks with
        up to ten values, by a part of the name, and by quarantine; all else is sifted here.
    type: dict
    suboptions:
      ids:
        description: Device ids.
        type: list
        elements: str
      name:
        description: A pattern for the name, in which C(*) and C(?) stand for any letters and for one.
        type: str
      groups:
        description: Device groups.
        type: list
        elements: str
      networks:
        description: Networks of the mesh.
        type: list
        elements: str
      platforms:
        description: Names or numbers of platforms, such as V(boron) or V(13).
        type: list
        elements: str
      online:
        description: Whether the cloud takes it for online.
        type: bool
      quarantined:
        description: Whether it waits in quarantine to be approved into its product.
        type: bool
      firmware_versions:
        description: Versions of the product's firmware that it runs.
        type: list
        elements: int
      serial_numbers:
        description: Serial numbers.
        type: list
        elements: str
      iccids:
        description: Numbers of SIM cards.
        type: list
        elements: str
"""
