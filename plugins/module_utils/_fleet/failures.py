# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide on the consequences of a failed write for its device and for the run. Private to this collection."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    Product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import REFUSED_LOGIN
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run, RunState, WriteState

RUN_ENDING_CODES = REFUSED_LOGIN | {
    "unreachable",
    "tls_untrusted",
    "not_a_cloud",
    "token_invalid",
    "token_expired",
    "rate_limited",
}
"""Codes of errors after which every further request would fail in the same way. ``token_expired`` is included, because
this error is raised only if the token cannot be renewed."""

_TOO_LARGE_STATUS = 413
_SPLITTABLE_STATUSES = (400, 404)
"""HTTP statuses that the cloud may return for a batch that is too large or has an invalid item. The batch is then sent
again in halves."""

_IMPORT_REFUSALS = {
    "nonmemberDeviceIds": (
        "device_not_yours",
        "it belongs to another account",
        "Release the device in the other account, and run again.",
    ),
    "invalidDeviceIds": (
        "device_not_yours",
        "the cloud rejects it as invalid: it does not exist, has another platform, or is in another product",
        "Compare the id with the label of the device. If the id is correct, check the platform of the device, and "
        "remove the device from its other product.",
    ),
    "protectedDeviceIds": ("forbidden", "it is a protected device", None),
}
"""The error code, the reason and the hint for a device that an import rejects, keyed by the list in the response."""


def is_in_doubt(error: ParticleError) -> bool:
    """Return whether the result of a failed write is unknown. In that case, the device must be read again."""
    return is_likely_done(error) or has_exhausted_retries(error)


def has_exhausted_retries(error: ParticleError) -> bool:
    """Return whether the response to the last retry of a write had a success status but an unreadable body."""
    repeated = error.route is not None and error.route.startswith(("PUT ", "PATCH ", "DELETE "))
    return repeated and error.code == "bad_response"


def is_likely_done(error: ParticleError) -> bool:
    """Return whether a failed write counts as done until the device is read again.

    This includes a DELETE request that returned 403 or 404: an earlier attempt may have taken effect, although its
    response was lost.
    """
    gone = error.route is not None and error.route.startswith("DELETE ") and error.status in (403, 404)
    return gone or error.code == "ambiguous_write"


def build_failure_limit_error(first: ParticleError) -> ParticleError:
    """Return the error that ends a run after too many devices have failed.

    :param first: the error of the first failed device.
    """
    message = f"More devices have failed than max_failures allows. {first.message}"
    return ParticleError(first.code, message, hint=first.hint, status=first.status, route=first.route)


def is_run_ending(error: ParticleError) -> bool:
    """Return whether every further request would fail in the same way."""
    # Any failed login ends the run, because otherwise the login would be repeated for each device.
    return error.code in RUN_ENDING_CODES or error.route == TOKEN_ROUTE or _is_answer_without_status(error)


def _is_answer_without_status(error: ParticleError) -> bool:
    """Return whether a server answered with something that is not HTTP."""
    return error.code == "bad_response" and error.status is None


def can_be_split(error: ParticleError) -> bool:
    """Return whether a refused batch must be sent again in halves.

    The batch may be too large, or some of its items may be invalid.
    """
    if error.status == _TOO_LARGE_STATUS:  # checked first: the web page of a proxy has the run-ending code not_a_cloud
        return True
    return (
        error.status in _SPLITTABLE_STATUSES
        and error.code not in ("missing_scope", "unsupported")
        and not is_run_ending(error)
    )


def build_import_error(device: str, list_key: str, product: Product) -> ParticleError:
    """Return the error for a device that an import rejected.

    :param list_key: the key of the response under which the device is listed. The response has one key for each reason.
    """
    code, reason, hint = _IMPORT_REFUSALS[list_key]
    message = f"Could not import device {device} into product {product.slug}: {reason}."
    return ParticleError(code, message, status=200, route="POST /v1/products/:p/devices", hint=hint)


def stop_at_failure_limit(run: Run) -> None:
    """End a run if more devices have failed than ``max_failures`` allows."""
    left, errors = run.count_failures_left(), run.state.find_errors()
    if left is not None and left < 0 and run.state.stopped is None:
        run.state.stopped = build_failure_limit_error(next(iter(errors.values())))


class Failures:
    """A counter of failed items. It ends the run after too many failures, and can be shared between threads.

    :param state: the states in which failures are recorded.
    :param max_failures: the maximum number of failed items. One more failure ends the run. ``None`` means no limit.
    """

    def __init__(self, state: RunState, max_failures: int | None) -> None:
        self._state = state
        self._max_failures = max_failures
        self._lock = threading.Lock()
        self.count = 0
        """Number of failed items, except for items whose failed write counts as done (see :func:`is_likely_done`)."""

    def note_failure(self, items: Iterable[str], error: ParticleError) -> bool:
        """Mark items as failed. If the error ends the run, the items are not marked and count as not reached.

        :returns: whether the items were marked.
        """
        with self._lock:
            if is_run_ending(error):
                self._state.stopped = self._state.stopped or error
                return False
            for item in items:
                if not self._state.is_in(item, WriteState.FAILED):
                    self._state.mark_device(item, WriteState.FAILED, error)
                    self.count += not is_likely_done(error)
            if self._max_failures is not None and self.count > self._max_failures:
                first = next(known for known in self._state.find_errors().values() if not is_likely_done(known))
                self._state.stopped = self._state.stopped or build_failure_limit_error(first)
        return True
