// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Tests of the simulator with Particle's official client. The expected values come from docs/facts.
// tests/integration/test_official_client.py runs this suite.

import { after } from 'node:test';

import { counts } from './support.mjs';

import './groups/tokens.mjs';
import './groups/account.mjs';
import './groups/devices.mjs';
import './groups/device_calls.mjs';
import './groups/product_devices.mjs';
import './groups/quarantine.mjs';
import './groups/product_groups.mjs';
import './groups/product_firmware.mjs';
import './groups/firmware_delivery.mjs';
import './groups/firmware_uploads.mjs';
import './groups/updates.mjs';
import './groups/sims.mjs';
import './groups/team_and_customers.mjs';
import './groups/oauth_clients.mjs';
import './groups/integrations.mjs';
import './groups/ledgers.mjs';
import './groups/environment_variables.mjs';
import './groups/configuration.mjs';
import './groups/locations.mjs';
import './groups/secrets.mjs';
import './groups/diagnostics.mjs';
import './groups/events.mjs';
import './groups/stream_faults.mjs';
import './groups/organizations.mjs';
import './groups/mesh_networks.mjs';
import './groups/both_versions.mjs';

after(() => {
  const { assertions, methods } = counts();
  console.log(`assertions ${assertions} methods ${methods}`);
});
