# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A simulator of Thread border routers and of the nodes around them, for tests.

The simulator offers the REST API of OpenThread Border Router as docs/facts/otbr-rest.md describes it. It is not a
Thread stack: it has no radio and no cryptography, and it compares PSKds as texts.
"""
