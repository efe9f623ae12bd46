# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert network failures into errors. Private to this collection."""

from __future__ import annotations

import urllib.parse

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retryable

try:
    import requests
    import urllib3.exceptions
except ImportError:  # reported by _module, which can fail the task
    pass


def build_network_error(error: requests.RequestException, connection: Connection, route: str, action: str) -> Exception:
    """Return the error for a request that got no response.

    :returns: a :class:`Retryable` if a retry may succeed, else a :class:`ParticleError`.
    """
    host = urllib.parse.urlsplit(connection.api_url).netloc
    if isinstance(error, requests.exceptions.SSLError):
        cause = f"{host} and this machine have no TLS version in common"
        words = str(error).lower()  # only the message of the error tells why the TLS handshake failed
        if "certificate verify failed" in words:
            cause = f"the certificate of {host} is not trusted"
        elif "no certificate or crl found" in words:
            cause = f"ca_path {connection.ca_path} contains no certificate"
        return ParticleError("tls_untrusted", f"Could not {action}: {cause}.", route=route)
    if isinstance(error, requests.exceptions.InvalidURL):
        return ParticleError("not_a_cloud", f"Could not {action}: {host} is not a valid address.", route=route)
    unsent = isinstance(error, requests.exceptions.ConnectTimeout) or _has_no_connection(error)
    if isinstance(error, requests.exceptions.ProxyError):
        # `requests` raises this error only if the proxy cannot be reached or refuses to connect to the host.
        unsent, cause = True, f"the proxy cannot be reached, or does not connect to {host}"
    elif unsent:
        cause = f"no connection to {host}"
    elif isinstance(error, requests.exceptions.Timeout):
        cause = f"{host} did not answer within {connection.timeout:g} seconds"
    else:
        cause = f"{host} closed the connection before it answered"
    return Retryable(ParticleError("unreachable", f"Could not {action}: {cause}.", route=route), unsent=unsent)


def _has_no_connection(error: requests.RequestException) -> bool:
    """Return whether the connection could not be opened. In this case, no part of the request was sent."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def withhold_text(text: str) -> str:
    """Return a fixed note that is shown instead of ``text``, because ``text`` may contain a secret.

    This function replaces the :class:`Redactor` for requests whose field ``private`` is true.
    """
    return "the text of the response is not shown because it may contain a secret"


def build_ambiguous_write(error: ParticleError, action: str) -> ParticleError:
    """Return the error for a write with an unknown result: the write may or may not have taken effect."""
    return ParticleError(
        "ambiguous_write",
        f"It is not known whether the attempt to {action} took effect: {error.message}",
        status=error.status,
        route=error.route,
    )
