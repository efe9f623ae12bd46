// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { ISO_TIME, PRODUCT, check, expectRefusal, logIn, readBody, resetCloud } from '../support.mjs';

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

// Two devices of this cloud have a position (fleet.json).
describe('the locations of devices with a position', () => {
  let api;
  let north;
  let south;

  before(async () => {
    [, , , north, south] = (await resetCloud('org')).map(({ id }) => id);
    api = await logIn(undefined, { cloud: 'org' });
    for (const deviceId of [north, south]) {
      await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    }
    await api.renameDevice({ deviceId: south, name: 'rover', product: PRODUCT });
    await api.put({ uri: `/v1/products/${PRODUCT}/devices/${south}`, data: { groups: ['field'] } });
  });

  const listIds = async (query) => {
    const { locations, meta } = await readBody(api.getProductLocations({ product: PRODUCT, ...query }));
    check.equal(meta.devices_found, locations.length);
    return locations.map(({ device_id: id }) => id).sort();
  };

  test('are the last known ones of all devices', async () => {
    const { locations } = await readBody(api.getProductLocations({ product: PRODUCT }));
    const row = locations.find(({ device_id: id }) => id === south);
    check.match(row.last_heard, ISO_TIME);
    check.equal(row.timestamps.length, 1);
    check.match(row.timestamps[0], ISO_TIME);
    check.deepEqual(
      { ...row, last_heard: null, timestamps: null, gps_lock: null },
      {
        device_id: south,
        product_id: PRODUCT,
        device_name: 'rover',
        gps_lock: null,
        last_heard: null,
        groups: ['field'],
        timestamps: null,
        geometry: { type: 'Point', coordinates: [8.5, 47.4] },
        online: true,
      },
    );
  });

  for (const [name, query] of [
    ['a rectangle', { rectBl: '46,7', rectTr: '48,9' }],
    ['groups', { groups: ['field', 'other'] }],
    ['the beginning of a name', { deviceName: 'rov' }],
  ]) {
    test(`are filtered by ${name}`, async () => check.deepEqual(await listIds(query), [south]));
  }

  test('are filtered by the id of a device', async () => {
    check.deepEqual(await listIds({ deviceId: north }), [north]);
    check.deepEqual(await listIds({}), [north, south]);
  });

  test('are read for one device', async () => {
    const { location, meta } = await readBody(api.getProductDeviceLocations({ product: PRODUCT, deviceId: north }));
    check.deepEqual(meta, {});
    check.deepEqual(location.geometry, { type: 'Point', coordinates: [13.4, 52.5] });
    check.equal(location.properties.length, location.timestamps.length);
    check.deepEqual(Object.keys(location.properties[0]).sort(), ['acc_h', 'hd', 'speed', 'temp']);
  });
});
