# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the product or account that a run works on. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class Target:
    """The devices that a run works on: the devices of one product, or the devices of the account.

    :param product: the product; ``None`` when the run works on the devices of the account.
    :param warn: a function that shows a warning to the user.
    """

    http: Http
    product: Product | None
    warn: Callable[[str], None]

    @property
    def required_product(self) -> Product:
        """Return the product.

        :raises ParticleError: ``internal`` when ``product`` is ``None``.
        """
        if self.product is None:
            raise ParticleError("internal", "A call that requires a product was planned without a product.")
        return self.product
