// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  ISO_TIME,
  PRODUCT,
  UNKNOWN_DEVICE,
  check,
  expectPermissionDenied,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
  waitForEvent,
  withStream,
} from '../support.mjs';

// The client has no methods for diagnostics; its plain verbs reach them.
describe('diagnostics', () => {
  let api;
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await resetCloud();
    api = await logIn();
    await api.claimDevice({ deviceId });
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
  });

  test('requested vitals are published as an event and stored', async () => {
    await withStream(api.getEventStream({ deviceId, name: 'spark/device/diagnostics' }), async (stream) => {
      const event = waitForEvent(stream);
      check.deepEqual(await readBody(api.post({ uri: `/v1/diagnostics/${deviceId}/update` }), 202), {
        ok: true,
      });
      check.equal((await event).name, 'spark/device/diagnostics/update');
    });
    const { diagnostics } = await readBody(api.get({ uri: `/v1/diagnostics/${deviceId}/last` }));
    check.equal(diagnostics.deviceID, deviceId);
    check.match(diagnostics.updated_at, ISO_TIME);
    check.equal(typeof diagnostics.payload, 'object');
    const history = await readBody(api.get({ uri: `/v1/products/${PRODUCT}/diagnostics/${deviceId}` }));
    check.deepEqual(history.diagnostics.at(-1), diagnostics);
  });

  test('invalid dates and dates too far in the past are refused', async () => {
    const uri = `/v1/diagnostics/${deviceId}`;
    await expectRefusal(api.get({ uri, query: { start_date: 'yesterday' } }), 400, {
      error: 'bad_request',
      description: 'start_date and end_date must be ISO8601 formatted',
    });
    await expectRefusal(api.get({ uri, query: { start_date: '2020-01-01T00:00:00Z' } }), 400, {
      error: 'bad_request',
      description: 'start_date must not be more than than 30 days ago',
    });
  });

  test('diagnostics of an unknown device are refused', () =>
    expectPermissionDenied(api.get({ uri: `/v1/diagnostics/${UNKNOWN_DEVICE}/last` })));

  test('the metrics of a product are lists of rows', async () => {
    const base = `/v1/products/${PRODUCT}/metrics`;
    const keys = {
      online: 'online',
      events: 'events',
      integration: 'integrations',
      functions: 'functions',
      variables: 'variables',
    };
    for (const [path, key] of Object.entries(keys)) {
      const answer = await readBody(api.get({ uri: `${base}/${path}`, query: { bucket_size: 3600 } }));
      check.ok(Array.isArray(answer[key]));
    }
    const { online } = await readBody(api.get({ uri: `${base}/online` }));
    check.equal(online.at(-1).count, 1);
  });
});
