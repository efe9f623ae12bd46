# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the bounds for the data that the collection reads from a cloud and from files. Private to this collection.

A server that does not follow the protocol, and a file that is not what its name says, must not keep a task busy forever
or use up the memory. docs/guide_security.md describes these bounds for users.
"""

from __future__ import annotations

TIMEOUTS_PER_REQUEST = 5
"""Maximum time that all attempts of one request together may spend on the network, in multiples of ``timeout``.

A cloud that does not respond at all uses up ``timeout`` seconds in each of the five attempts.
"""

MAX_HEAD_BYTES = 1_000_000
"""The maximum size of all status lines and headers before the body of a response."""

MAX_ANSWER_BYTES = 64_000_000
"""The maximum size of the decoded body of a response."""

MAX_ANSWER_MEMORY = 230_000_000
"""The maximum memory for the body, the text and the values of a response, as :data:`MEMORY_PER_VALUE` estimates it.

By this estimate, a list of 20 000 claimed devices with all their fields needs about 180 MB.
"""

MEMORY_PER_VALUE = 150
"""Estimated number of bytes of memory for a value in the JSON of a response, besides its text.

Most values need 30 to 110 bytes. Values whose keys are all different need up to 230 bytes.
"""

MAX_REFUSAL_BYTES = 1_000_000
"""The maximum size of the decoded body of an error response."""

MAX_PAGES = 100_000
"""The maximum number of pages of a list. No account has a list of this length."""

SPARE_PAGES = 20
"""Maximum number of pages of a list beyond twice the number that its different rows would fill.

A list that becomes shorter while it is read has a few empty pages at its end.
"""

MAX_MANIFEST_BYTES = 64_000_000
"""The maximum size of a manifest. A manifest of 100 000 devices with all fields needs about 30 MB."""

MAX_MANIFEST_NODES = 3_000_000
"""The maximum number of keys and values in a manifest. A manifest of 100 000 devices has one to two million."""

MAX_ALIAS_GROWTH = 10
"""Maximum factor by which the number of keys and values of a manifest may grow when its aliases are replaced."""

FREE_ALIAS_NODES = 100_000
"""The number of keys and values that a manifest may have in any case after its aliases are replaced."""

MAX_PRIVATE_FILE_BYTES = 16_000_000
"""The maximum size of a token file, a profile, and of the files that the collection keeps for itself."""

MAX_FIRMWARE_BYTES = 16_000_000
"""The maximum size of a firmware file. The largest storage of a device for a binary and its assets has 3.7 MB
(firmware-and-events.md, section 3).
"""

MAX_UNPACKED_BYTES = 64_000_000
"""The maximum size of all files in a bundle after they are unpacked."""

MAX_PACKED_FILES = 1_000
"""The maximum number of files in a bundle. A device can store about 500 assets
(firmware-and-events.md, section 3).
"""

MAX_TOKEN_LENGTH = 4096
"""The maximum number of characters of an access token. Servers refuse headers of more than about 8 KB."""


def format_size(size: int) -> str:
    """Return a number of bytes in words, such as ``64 MB``."""
    return f"{size / 1_000_000:.9g} MB"
