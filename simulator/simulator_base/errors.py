# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The exception for invalid input of the admin routes."""

from __future__ import annotations


class InvalidInput(ValueError):
    """An error: the body of a request to an admin route is invalid. Its text says what is expected."""
