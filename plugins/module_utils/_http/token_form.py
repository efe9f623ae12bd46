# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that an access token can be sent in a header. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_TOKEN_LENGTH
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


def find_token_mistake(token: str) -> ParticleError | None:
    """Return the error to report for a string that cannot be an access token, or ``None``."""
    if not token:
        return ParticleError("token_invalid", "The access token is empty.")
    if len(token) > MAX_TOKEN_LENGTH:
        message = f"The access token has {len(token)} characters, and at most {MAX_TOKEN_LENGTH} are sent."
        hint = "Give only the token itself, for example not the whole content of a file."
        return ParticleError("token_invalid", message, hint=hint)
    if token.isascii() and token.isprintable() and " " not in token:
        return None
    message = f"The access token of {len(token)} characters contains spaces, line breaks or other invalid characters."
    hint = "Give only the token. If it is read from a file, remove the line break at its end with the filter trim."
    return ParticleError("token_invalid", message, hint=hint)
