// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// A tool that uses the last official client with mesh networks: `read` prints the networks of a cloud, and `create NAME
// GATEWAY NODE...` creates a network first. tests/integration/test_network.py runs it and checks its output.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const Particle = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'))('particle-api-js-11');

const api = new Particle({ baseUrl: process.env.MESH_CLOUD_URL });
const { body: login } = await api.login({ username: process.env.USERNAME, password: process.env.PASSWORD });
api.setDefaultAuth(login.access_token);

const [command, name, gateway, ...nodes] = process.argv.slice(2);

if (command === 'create') {
  const { body } = await api.createMeshNetwork({ name, deviceId: gateway });
  for (const deviceId of nodes) {
    await api.addMeshNetworkDevice({ networkId: body.network.id, deviceId });
  }
}

const found = {};
for (const network of (await api.listMeshNetworks({})).body) {
  const { body: rows } = await api.listMeshNetworkDevices({ networkId: network.id });
  const members = rows.map((row) => [row.id, row.network.role.gateway ? 'gateway' : 'node']);
  found[network.name] = { type: network.type, state: network.state, members: Object.fromEntries(members) };
}
console.log(JSON.stringify(found));
