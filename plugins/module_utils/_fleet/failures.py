# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a failed write means for a device and for the run. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    Product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import REFUSED_LOGIN, ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE

ENDS_THE_RUN = REFUSED_LOGIN | {
    "unreachable",
    "tls_untrusted",
    "not_a_cloud",
    "token_invalid",
    "token_expired",
    "rate_limited",
}
"""Failures that every further request would meet as well; a login is made when a token dies."""


_TOO_LARGE = 413


_TOO_LARGE_OR_MIXED = (400, 404)
"""Answers to a batch that may be due to its size or to one of its devices: halving tells."""


def is_in_doubt(error: ParticleError) -> bool:
    """Whether what failed may yet be as declared, so that only another look can tell."""
    return is_likely_done(error) or was_repeated_in_vain(error)


def was_repeated_in_vain(error: ParticleError) -> bool:
    """Whether a write has met a success that cannot be read, as often as it was repeated."""
    repeated = error.route is not None and error.route.startswith(("PUT ", "DELETE "))
    return repeated and error.code == "bad_response"


def is_likely_done(error: ParticleError) -> bool:
    """Whether it is no failure until another look says so: what is taken out twice is not there the second time."""
    gone = error.route is not None and error.route.startswith("DELETE ") and error.status in (403, 404)
    return gone or error.code == "ambiguous_write"


def too_many(count: int, first: ParticleError) -> ParticleError:
    devices = "A device has" if count == 1 else f"{count} devices have"
    message = f"{devices} failed, which is more than this run was to bear. {first.message}"
    return ParticleError(first.code, message, hint=first.hint, status=first.status, route=first.route)


def ends_the_run(error: ParticleError) -> bool:
    """Whether every further request would fail so, too."""
    # A login that failed for another reason than a refusal would be made again for each device.
    return error.code in ENDS_THE_RUN or error.route == TOKEN_ROUTE


def may_concern_some_devices(error: ParticleError) -> bool:
    """Whether a batch may be refused for its size or for some of its devices, and a part of it be taken."""
    if error.status == _TOO_LARGE:  # a proxy says it too, by a page that is not from a cloud
        return True
    return (
        error.status in _TOO_LARGE_OR_MIXED
        and error.code not in ("missing_scope", "unsupported")
        and not ends_the_run(error)
    )


def import_error(device: str, fate: str, product: Product) -> ParticleError:
    """The error for a device that an import left out, from the name of the list it came back in."""
    reasons = {
        "nonmemberDeviceIds": ("device_not_yours", "it belongs to somebody else"),
        "invalidDeviceIds": (
            "device_not_yours",
            "the cloud calls it invalid, so it does not exist, has another platform or is in another product",
        ),
        "protectedDeviceIds": ("forbidden", "it is a protected device"),
    }
    code, reason = reasons[fate]
    message = f"Could not import device {device} into product {product.slug}: {reason}."
    return ParticleError(code, message, status=200, route="POST /v1/products/:p/devices")
