# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A simulator of the Particle cloud, for tests.

The simulator keeps all state in memory, and accepts connections only on the loopback interface. It implements
documented facts about the cloud, and is not derived from the code of a client.
"""

__version__ = "0.1.0"
