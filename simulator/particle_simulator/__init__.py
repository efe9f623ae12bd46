# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A simulator of the Particle cloud, for tests. The state is in memory, and only the loopback interface is served.

The simulator implements documented facts about the cloud. It is not derived from the code of a client.
"""

__version__ = "0.1.0"
