// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// The same two writes for each device by Particle's own client, with so many promises under way at once: what a
// script of theirs would do.
//
// Usage: node promise_pool.mjs URL TOKEN MANIFEST.json WORKERS; prints as engine.py does. The environment names the
// folder that npm has installed the client into (OFFICIAL_CLIENT).

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const Particle = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'))('particle-api-js');

const [url, token, manifest, workers] = process.argv.slice(2);
const { product, devices } = JSON.parse(readFileSync(manifest, 'utf8'));
const api = new Particle({ baseUrl: url, auth: token });

async function write({ id, name, mesh }) {
  await api.renameDevice({ deviceId: id, name, product });
  const data = { ...mesh, gateways: [], parameters: {} };
  await api.setLedgerInstance({ ledgerName: 'mesh', scopeValue: id, instance: { data } });
}

const waiting = devices.values();

async function worker() {
  for (const device of waiting) {
    await write(device);
  }
}

const began = performance.now();
const before = process.cpuUsage();
await Promise.all(Array.from({ length: Number(workers) }, worker));
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    requests: 2 * devices.length,
    seconds: (performance.now() - began) / 1e3,
    cpu: (user + system) / 1e6,
    megabytes: process.resourceUsage().maxRSS / 1024,
  }),
);
