# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the valid form of the names of ledgers. Private to this collection.

This file sends no requests, so that files without input and output can import it.
"""

from __future__ import annotations

import re

LEDGER_NAME = re.compile(r"[a-z0-9-]{1,32}\Z")
"""Form of the name of a ledger (endpoints.yml: ledgers)."""
