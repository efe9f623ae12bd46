// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { PRODUCT, check, expectRefusal, logIn, readBody, resetCloud } from '../support.mjs';

// The Borons of this cloud have no satellite navigation, so that none has a location.
describe('the locations of the devices of a product', () => {
  let api;
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await resetCloud();
    api = await logIn();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
  });

  test('are listed in pages', async () => {
    const query = { product: PRODUCT, deviceId, groups: ['north', 'south'], rectBl: '46,7', rectTr: '47,8' };
    check.deepEqual(await readBody(api.getProductLocations({ ...query, perPage: 50 })), {
      locations: [],
      meta: { page: 1, per_page: 50, total_pages: 1, devices_found: 0 },
    });
  });

  test('are limited to a period of two times', async () => {
    const query = { product: PRODUCT, dateRange: '2026-01-01T00:00:00.000Z,2026-01-02T00:00:00.000Z' };
    check.deepEqual((await readBody(api.getProductLocations(query))).locations, []);
    await expectRefusal(api.getProductLocations({ ...query, dateRange: 'yesterday' }), 400);
  });

  test('of a device without one are not found', async () => {
    await expectRefusal(api.getProductDeviceLocations({ product: PRODUCT, deviceId }), 404);
  });
});
