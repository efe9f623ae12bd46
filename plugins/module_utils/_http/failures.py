# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert network failures into errors. Private to this collection."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.scopes import find_scopes, join_scopes
from ansible_collections.meshfleet.particle.plugins.module_utils._http.bounded import BoundExceeded
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import find_proxy
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retryable

try:
    import requests
    import urllib3.exceptions
except ImportError:  # reported by _module, which can fail the task
    pass

REQUEST_TIMEOUT = 408
"""The HTTP status of a server that stopped waiting for the request; a proxy may already have passed the request on."""
PROXY_LOGIN_REQUIRED = 407
"""The HTTP status with which a proxy asks for a username and a password."""


def build_network_error(
    error: Exception, connection: Connection, route: str, action: str, *, has_sent: bool
) -> Exception:
    """Return the error for a request that got no complete response.

    :param error: an exception of `requests` or `urllib3`.
    :param has_sent: whether a part of the request was sent.
    :returns: a :class:`Retryable` if a retry may succeed, else a :class:`ParticleError`.
    """
    host = urllib.parse.urlsplit(connection.api_url).netloc
    if (unreadable := _find_unreadable_file(error)) is not None:
        return build_setup_error(unreadable, connection, route, action)
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
        cause, hint = _explain_tls_failure(str(error).lower(), host, connection)
        return ParticleError("tls_untrusted", f"Could not {action}: {cause}.", hint=hint, route=route)
    if isinstance(error, requests.exceptions.InvalidURL):
        return ParticleError("not_a_cloud", f"Could not {action}: {host} is not a valid address.", route=route)
    unsent = isinstance(error, requests.exceptions.ConnectTimeout) or _has_no_connection(error)
    proxy = find_proxy(connection.api_url, connection.environment)
    # `requests` also raises ProxyError if the connection through the proxy is closed after the request was sent.
    is_proxy_failure = isinstance(error, requests.exceptions.ProxyError) and not has_sent
    if is_proxy_failure or (unsent and proxy is not None):
        if f" {PROXY_LOGIN_REQUIRED} " in str(error):
            return build_proxy_login_error(connection, route, action)
        name = "the proxy" if proxy is None else f"the proxy that {proxy.variable} sets"
        unsent, cause = True, f"{name} cannot be reached, or does not connect to {host}"
    elif unsent:
        cause = f"no connection to {host}"
    elif isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)):
        cause = f"{host} did not answer within {connection.timeout:g} seconds"
    elif _is_invalid_response(error):
        message = f"Could not {action}: {host} sent a response that is damaged, or is not HTTP."
        return Retryable(ParticleError("bad_response", message, route=route), unsent=False)
    else:
        cause = f"{host} closed the connection before it answered"
    return Retryable(ParticleError("unreachable", f"Could not {action}: {cause}.", route=route), unsent=unsent)


def _is_invalid_response(error: Exception) -> bool:
    """Return whether bytes arrived that are not a valid response. A response that ends too early does not count."""
    if isinstance(error, urllib3.exceptions.DecodeError):
        return True
    inner = error.args[0] if isinstance(error, requests.exceptions.ConnectionError) and error.args else error
    cause = inner.args[1] if isinstance(inner, urllib3.exceptions.ProtocolError) and len(inner.args) > 1 else inner
    if isinstance(cause, urllib3.exceptions.InvalidChunkLength):
        return True
    is_early_end = isinstance(cause, (http.client.RemoteDisconnected, http.client.IncompleteRead))
    return isinstance(cause, http.client.HTTPException) and not is_early_end


def build_setup_error(error: OSError, connection: Connection, route: str, action: str) -> ParticleError:
    """Return the error for a request that was not sent because the certificate authorities cannot be read.

    :param error: an exception of `requests` or of the operating system.
    """
    name, hint = _name_authorities(connection)
    reason = f": {error.strerror}" if error.strerror else ""
    return ParticleError("tls_untrusted", f"Could not {action}: {name} cannot be read{reason}.", hint=hint, route=route)


def _name_authorities(connection: Connection) -> tuple[str, str]:
    """Return the name of the file of certificate authorities for messages, and the hint if the file is not usable."""
    if connection.ca_path is not None:
        return f"ca_path {connection.ca_path}", "Set ca_path to a readable file with certificates of authorities."
    hint = "Install certifi again for the Python that runs Ansible, or set ca_path to a file with the certificates."
    return "the file of certificate authorities in the Python library certifi", hint


def _find_unreadable_file(error: Exception) -> OSError | None:
    """Return the error of the operating system for a file of certificate authorities that `urllib3` could not read."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    cause = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) and reason.args else None
    return cause if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None


def _explain_tls_failure(words: str, host: str, connection: Connection) -> tuple[str, str | None]:
    """Return the cause of a failed TLS handshake, and the hint; ``None`` for the hint of the error code.

    :param words: the message of the error in lower case. Only this message tells why the TLS handshake failed.
    """
    if "mismatch" in words or "doesn't match" in words:
        hint = "Correct the host in api_url: it must be one of the names in the certificate."
        return f"the certificate that {host} sends belongs to another host", hint
    if "has expired" in words or "not yet valid" in words:
        hint = "Check this machine's clock, and ask the operator of the cloud for a valid certificate."
        return f"the certificate of {host} has expired, or is not valid yet", hint
    if "certificate verify failed" in words:
        return f"the certificate of {host} is not trusted", None
    if "no certificate or crl found" in words:
        name, hint = _name_authorities(connection)
        return f"{name} contains no certificate", hint
    return f"{host} and this machine have no TLS version in common", None


def _has_no_connection(error: Exception) -> bool:
    """Return whether the connection could not be opened. In this case, no part of the request was sent."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def build_proxy_login_error(connection: Connection, route: str, action: str) -> ParticleError:
    """Return the error for a proxy that asks for a username and a password. A retry cannot succeed."""
    proxy = find_proxy(connection.api_url, connection.environment)
    variable = "https_proxy" if proxy is None else proxy.variable
    if proxy is not None and proxy.has_login:
        cause = f"the proxy does not accept the username and the password in {variable}"
        hint = f"Correct the username and the password in {variable}; write special characters as percent codes."
    else:
        cause = "the proxy requires a username and a password"
        hint = f"Set {variable} to a URL with both, for example http://user:password@proxy.example.com:3128."
    message = f"Could not {action}: {cause} (HTTP {PROXY_LOGIN_REQUIRED})."
    return ParticleError("unreachable", message, hint=hint, status=PROXY_LOGIN_REQUIRED, route=route)


def build_bound_error(error: BoundExceeded, request: Request, status: int | None) -> ParticleError:
    """Return the error for a response that exceeds a bound. The request must not be retried.

    :param status: the HTTP status of the response, if it has arrived.
    """
    found = describe_bound(error, request, status)
    is_refused = status is not None and 300 <= status < 500 and status != REQUEST_TIMEOUT
    return build_ambiguous_write(found, request.action) if request.can_be_ambiguous and not is_refused else found


def describe_bound(error: BoundExceeded, request: Request, status: int | None) -> ParticleError:
    """Return the error that says which bound a response exceeds, for a request that may be retried.

    :param status: the HTTP status of the response, if it has arrived.
    """
    message = f"Could not {request.action}: {error.cause}."
    return ParticleError(error.code, message, status=status, route=request.route)


def withhold_text(text: str) -> str:
    """Return a note that is shown instead of ``text``, because ``text`` may contain a secret.

    The note contains the scopes that ``text`` names. This function replaces the :class:`Redactor` for requests whose
    field ``private`` is true.
    """
    scopes = find_scopes(text)
    named = f"; it names the scope {join_scopes(scopes)}" if scopes else ""
    return f"the text of the response is not shown because it may contain a secret{named}"


def build_ambiguous_write(error: ParticleError, action: str) -> ParticleError:
    """Return the error for a write with an unknown result: the write may or may not have taken effect."""
    return ParticleError(
        "ambiguous_write",
        f"It is not known whether the attempt to {action} took effect: {error.message}",
        status=error.status,
        route=error.route,
    )
