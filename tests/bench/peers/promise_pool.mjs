// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Make the two writes for each device with Particle's official client and WORKERS concurrent promises.
//
// Usage: node promise_pool.mjs URL TOKEN MANIFEST.json WORKERS; prints the same as bare_pool.py. The environment
// variable OFFICIAL_CLIENT contains the folder into which npm has installed the client.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const Particle = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'))('particle-api-js');

const [url, token, manifest, workers] = process.argv.slice(2);
const { product, devices } = JSON.parse(readFileSync(manifest, 'utf8'));
const api = new Particle({ baseUrl: url, auth: token });

async function writeDevice({ id, name, mesh }) {
  await api.renameDevice({ deviceId: id, name, product });
  const data = { ...mesh, gateways: [], parameters: {} };
  await api.setLedgerInstance({ ledgerName: 'mesh', scopeValue: id, instance: { data } });
}

const waiting = devices.values();

async function worker() {
  for (const device of waiting) {
    await writeDevice(device);
  }
}

const start = performance.now();
const startCpu = process.cpuUsage();
await Promise.all(Array.from({ length: Number(workers) }, worker));
const { user, system } = process.cpuUsage(startCpu);
console.log(
  JSON.stringify({
    requests: 2 * devices.length,
    seconds: (performance.now() - start) / 1e3,
    cpu: (user + system) / 1e6,
    megabytes: process.resourceUsage().maxRSS / 1024,
  }),
);
