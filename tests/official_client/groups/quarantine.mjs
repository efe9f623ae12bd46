// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Quarantine, as section 4.6 of docs/facts/firmware-and-events.md describes it. Only the last device of fleet.json has a
// Device OS that reports the product of its firmware.

import { beforeEach, describe, test } from 'node:test';

import {
  PRODUCT,
  check,
  logIn,
  readBody,
  resetCloud,
  runFirmwareOf,
  setOnline,
  waitForEvent,
  withStream,
} from '../support.mjs';

const CLOUD = 'org';

describe('a device in quarantine', () => {
  let api;
  let device;
  let place;

  beforeEach(async () => {
    const devices = await resetCloud(CLOUD);
    device = devices.at(-1);
    place = { product: PRODUCT, deviceId: device.id };
    api = await logIn(undefined, { cloud: CLOUD });
    await runFirmwareOf(PRODUCT, devices[0], CLOUD);
    await runFirmwareOf(PRODUCT, device, CLOUD);
  });

  const listDevices = async (query) =>
    (await readBody(api.get({ uri: `/v1/products/${PRODUCT}/devices`, query }))).devices;

  test('is listed as quarantined, unlike a device with a newer Device OS', async () => {
    const rows = await listDevices({ quarantined: true });
    check.deepEqual(
      rows.filter(({ quarantined }) => quarantined).map(({ id }) => id),
      [device.id],
    );
    check.deepEqual(await listDevices({ quarantined: false }), []);
  });

  test('has no events in the stream of the product until it is approved', () =>
    withStream(api.getEventStream({ product: PRODUCT }), async (stream) => {
      const received = [];
      stream.on('event', ({ name, data }) => received.push([name, data].join(' ')));
      await setOnline(device, false, CLOUD);
      await setOnline(device, true, CLOUD);
      await api.addDeviceToProduct(place);
      check.equal((await readBody(api.getDevice(place))).quarantined, false);
      const pending = waitForEvent(stream, ({ data }) => data === 'offline');
      await setOnline(device, false, CLOUD);
      check.equal((await pending).coreid, device.id);
      check.equal(received.filter((event) => event === 'spark/status offline').length, 1);
      check.ok(!received.includes('spark/status online'));
    }));

  test('stays listed when it is denied', async () => {
    await readBody(api.removeDevice({ ...place, deny: true }), 204);
    const row = (await listDevices({})).find(({ id }) => id === device.id);
    check.equal(row.denied, true);
  });

  test('is denied when it returns after its removal', async () => {
    await api.addDeviceToProduct(place);
    await readBody(api.removeDevice(place), 204);
    check.deepEqual(await listDevices({}), []);
    await runFirmwareOf(PRODUCT, device, CLOUD);
    const [row] = await listDevices({});
    check.deepEqual([row.id, row.denied], [device.id, true]);
  });
});
