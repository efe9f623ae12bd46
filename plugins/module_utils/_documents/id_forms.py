# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the valid forms of device ids, group names, serial numbers, ICCIDs and IMEIs. Private to this collection."""

from __future__ import annotations

import re

DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z")
"""Form of a device id in lower case (endpoints.yml: device_id)."""

GROUP_NAME = re.compile(r"[a-z0-9_-]+\Z")
"""Form of the name of a device group (endpoints.yml: group_create)."""

# Check digits are not verified, because some manufacturers do not fill in the check digits on labels.
SERIAL_NUMBER = re.compile(r"[A-Z0-9-]{4,40}\Z")
ICCID = re.compile(r"[0-9]{18,22}\Z")
IMEI = re.compile(r"[0-9]{14,16}\Z")
