# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe a request to a cloud. Private to this collection."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry

_RETRY_OF_METHOD = {
    "GET": Retry.SAFE,
    "PUT": Retry.SAFE,
    "DELETE": Retry.SAFE,
    "POST": Retry.UNSENT,
    "PATCH": Retry.UNSENT,
}

MIN_MASKED_LENGTH = 4


@dataclass(frozen=True)
class Request:
    """A request to a cloud.

    :param route: HTTP method and path template, as in docs/facts/endpoints.yml: ``PUT /v1/devices/:id``.
    :param action: the attempted action, which follows "Could not" in error messages: ``rename device e00f…``.
    :param path_params: the values for the placeholders of the path template: ``{"id": …}`` for ``:id``.
    :param query: the parameters of the query string.
    :param json: the body, which is sent as JSON.
    :param form: the body, which is sent as a form; together with ``file`` as a multipart form.
    :param file: the file that is sent in a multipart form.
    :param basic: username and password (or client id and secret) to send instead of the Bearer token.
    :param bearer: the Bearer token to send instead of the token of the client.
    :param retry: the rule that says whether the request may be retried. By default, GET, PUT and DELETE may be retried
        after every temporary failure, and POST and PATCH only if the request certainly had no effect.
    :param writes: whether the request may change the fleet. The default is false for GET and true for other methods.
    :param private: whether the request contains secrets that an error response may quote. If true, the text of an error
        response is not shown.
    :param masked: texts that an error response may quote, and that are masked in its text. Texts of fewer than
        :data:`MIN_MASKED_LENGTH` characters are not masked, because they are parts of words.
    :param binary: whether a successful response contains bytes instead of JSON.
    :param headers: headers that replace the headers of the client, such as ``Accept``.
    :param observe: a function that receives the status, the headers and the body of each response to the request,
        including responses that make the request fail.
    :param head_only: whether to read only the status and the headers of a successful response, for example because its
        body never ends.
    :param body: the bytes of a body in another form than ``json`` and ``form``. ``headers`` names its Content-Type.
    :raises ParticleError: ``not_found`` when a value in ``path_params`` is not valid; ``invalid_option`` when a value
        of the path, the query string or the form cannot be encoded.
    """

    route: str
    action: str
    path_params: Mapping[str, object] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    file: FilePart | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    retry: Retry | None = None
    writes: bool | None = None
    private: bool = False
    masked: tuple[str, ...] = field(default=(), repr=False)
    binary: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    observe: Callable[[int, Mapping[str, str], bytes], None] | None = field(default=None, repr=False)
    head_only: bool = False

    def __post_init__(self) -> None:
        # Check the values now, before the request takes a place in the budget.
        for values in (self.path_params, self.query or {}, self.form or {}):
            for name, value in values.items():
                self._check_encoding(name, value)
        _fill_path(self.route.partition(" ")[2], self.path_params)

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """Return the path, with the values of ``path_params`` filled in."""
        return _fill_path(self.route.partition(" ")[2], self.path_params)

    @property
    def retry_rule(self) -> Retry:
        """Return the rule that says whether the request may be retried."""
        return self.retry or _RETRY_OF_METHOD[self.method]

    @property
    def is_write(self) -> bool:
        """Return whether the request may change the fleet."""
        return self.method != "GET" if self.writes is None else self.writes

    @property
    def can_be_ambiguous(self) -> bool:
        """Return whether the request may have changed the fleet although no valid response has arrived."""
        return self.is_write and self.retry_rule is not Retry.NEVER

    def _check_encoding(self, name: str, value: object) -> None:
        """Fail if a value cannot be encoded as UTF-8. The message does not show the value, which may be a secret."""
        try:
            (name + str(value)).encode()
        except UnicodeEncodeError:
            shown = name.encode(errors="backslashreplace").decode()
            raise ParticleError(
                "invalid_option",
                f"Could not {self.action}: the value of {shown} contains half of a surrogate pair, which UTF-8 cannot"
                " encode. No request was sent.",
                hint="Give the value as UTF-8 text. An environment variable may hold bytes of another encoding.",
            ) from None


def _fill_path(template: str, values: Mapping[str, object]) -> str:
    """Replace the placeholders of a path template, such as ``:id``, with percent-encoded values.

    :raises ParticleError: ``not_found`` when a value is empty, ``.`` or ``..``. With one of these values, the request
        would reach another path: servers resolve ``.`` and ``..`` even if the value is percent-encoded.
    """
    parts = []
    for part in template.split("/"):
        if not part.startswith(":"):
            parts.append(part)
            continue
        value = str(values[part[1:]])
        if value in ("", ".", ".."):
            raise ParticleError(
                "not_found", f"{value!r} is not a valid {part} in the path {template}; no request was sent."
            )
        parts.append(urllib.parse.quote(value, safe=""))
    return "/".join(parts)
