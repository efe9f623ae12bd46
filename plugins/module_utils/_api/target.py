# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run reads and writes. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class Target:
    """One cloud and one product of it, or the account's own devices.

    :param product: ``None`` for the account's own devices.
    :param warn: shows a sentence to the user.
    """

    http: Http
    product: Product | None
    warn: Callable[[str], None]

    @property
    def in_product(self) -> Product:
        """The product. :raises ParticleError: ``internal`` when there is none."""
        if self.product is None:
            raise ParticleError("internal", "Something that needs a product was planned without one.")
        return self.product
