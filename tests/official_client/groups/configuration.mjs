// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { PRODUCT, check, expectRefusal, logIn, readBody, resetCloud, setOnline } from '../support.mjs';

const SCHEMA_TYPE = { 'Content-Type': 'application/schema+json' };

describe('the configuration of a product', () => {
  let api;
  let device;

  const CONFIG = `/v1/products/${PRODUCT}/config`;
  const LOCATION = { location: { radius: 5 } };
  const WAKE = { imu_trig: { motion: 'low' } };
  const SCHEMA = { type: 'object', properties: { imu_trig: { type: 'object' } } };

  before(async () => {
    [device] = await resetCloud();
    api = await logIn();
    await api.addDeviceToProduct({ deviceId: device.id, product: PRODUCT });
  });

  const readDevice = async () =>
    (await readBody(api.getProductDeviceConfiguration({ product: PRODUCT, deviceId: device.id })))
      .configuration;

  test('is not found before it is set', async () => {
    await expectRefusal(api.getProductConfiguration({ product: PRODUCT }), 404);
    await expectRefusal(api.getProductConfigurationSchema({ product: PRODUCT }), 404);
    await expectRefusal(api.getProductDeviceConfiguration({ product: PRODUCT, deviceId: device.id }), 404);
  });

  test('is taken by an online device', async () => {
    const change = { product: PRODUCT, config: LOCATION };
    check.deepEqual(await readBody(api.setProductConfiguration(change), 202), {});
    check.deepEqual(await readBody(api.getProductConfiguration({ product: PRODUCT })), {
      configuration: LOCATION,
    });
    check.deepEqual(await readDevice(), { current: LOCATION, pending: {} });
  });

  test('waits for a device that is offline', async () => {
    const change = { product: PRODUCT, deviceId: device.id, config: WAKE };
    await setOnline(device, false);
    check.deepEqual(await readBody(api.setProductDeviceConfiguration(change), 202), {});
    check.deepEqual(await readDevice(), { current: LOCATION, pending: WAKE });
    await setOnline(device, true);
    check.deepEqual(await readDevice(), { current: WAKE, pending: {} });
  });

  test('has a schema that decides what a device takes', async () => {
    const put = (data) => api.put({ uri: CONFIG, data, headers: SCHEMA_TYPE });
    check.deepEqual(await readBody(put(SCHEMA)), SCHEMA);
    check.deepEqual(await readBody(api.getProductConfigurationSchema({ product: PRODUCT })), SCHEMA);
    const about = { product: PRODUCT, deviceId: device.id };
    check.deepEqual(await readBody(api.getProductDeviceConfigurationSchema(about)), SCHEMA);
    await expectRefusal(api.setProductDeviceConfiguration({ ...about, config: { ...LOCATION, ...WAKE } }), 400, {
      error: 'device_rejected_configuration',
      error_description:
        'Configuration updates failed for some sections: {location: -19}, these sections were successful: imu_trig',
    });
    const reason = await expectRefusal(put({ type: 'text' }), 422, { message: 'Invalid Schema' });
    check.equal(reason.body.violations[0].dataPath, '.type');
    check.deepEqual(await readBody(api.delete({ uri: CONFIG, data: {}, headers: SCHEMA_TYPE }), 204), {});
    await expectRefusal(api.getProductConfigurationSchema({ product: PRODUCT }), 404);
  });
});
