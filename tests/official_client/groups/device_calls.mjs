// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  PRODUCT,
  UNKNOWN_DEVICE,
  catchError,
  check,
  expectPermissionDenied,
  expectRefusal,
  logIn,
  makeBinary,
  readBody,
  resetCloud,
  setOnline,
} from '../support.mjs';

describe('calls to a device', () => {
  let api;
  let deviceId;
  let offlineId;

  before(async () => {
    const [device, other] = await resetCloud();
    api = await logIn();
    await api.claimDevice({ deviceId: device.id });
    await api.renameDevice({ deviceId: device.id, name: 'caller' });
    await api.claimDevice({ deviceId: other.id });
    await setOnline(other, false);
    deviceId = device.id;
    offlineId = other.id;
  });

  const ping = (id) => api.put({ uri: `/v1/devices/${id}/ping` });

  test('every variable of a device can be read with its type', async () => {
    const kinds = { int32: 'number', double: 'number', string: 'string', bool: 'boolean' };
    const { body: device } = await api.getDevice({ deviceId });
    for (const [name, type] of Object.entries(device.variables)) {
      const answer = await readBody(api.getVariable({ deviceId, name }));
      check.equal(answer.name, name);
      check.equal(typeof answer.result, kinds[type]);
      check.equal(answer.coreInfo.deviceID, deviceId);
      check.equal(answer.coreInfo.connected, true);
    }
  });

  test('an unknown variable is not found', async () => {
    await expectRefusal(api.getVariable({ deviceId, name: 'nothing' }), 404, {
      ok: false,
      error: 'Variable not found',
    });
  });

  test('every function of a device can be called', async () => {
    const { body: device } = await api.getDevice({ deviceId });
    for (const name of device.functions) {
      const answer = await readBody(api.callFunction({ deviceId, name, argument: 'on' }));
      check.equal(answer.id, deviceId);
      check.equal(answer.name, 'caller');
      check.equal(answer.connected, true);
      check.ok(Number.isInteger(answer.return_value));
    }
  });

  test('a function receives its argument', async () => {
    check.equal(
      (await api.callFunction({ deviceId, name: 'length', argument: 'four' })).body.return_value,
      4,
    );
    check.equal((await api.callFunction({ deviceId, name: 'length', argument: '' })).body.return_value, 0);
  });

  test('the error for an unknown function contains its name', async () => {
    await expectRefusal(api.callFunction({ deviceId, name: 'toggle', argument: '' }), 404, {
      ok: false,
      error: 'Function toggle not found',
    });
  });

  test('a device can be called by its name', async () => {
    check.equal(
      (await readBody(api.getVariable({ deviceId: 'caller', name: 'soil_pct' }))).coreInfo.deviceID,
      deviceId,
    );
  });

  test('a ping returns whether a device is online', async () => {
    check.deepEqual(await readBody(ping(deviceId)), { online: true, ok: true });
    check.deepEqual(await readBody(ping(offlineId)), { online: false, ok: true });
  });

  test('reading a variable of an offline device times out', async () => {
    await expectRefusal(api.getVariable({ deviceId: offlineId, name: 'soil_pct' }), 408, {
      error: 'Timed out.',
    });
  });

  test('calling a function of an offline device times out', async () => {
    const reason = await catchError(api.callFunction({ deviceId: offlineId, name: 'led', argument: 'on' }));
    check.ok([400, 408].includes(reason.statusCode));
    check.equal(reason.body.error, 'Timed out.');
  });

  test('an offline device cannot signal', async () => {
    await expectRefusal(api.signalDevice({ deviceId: offlineId, signal: true }), 500, {
      ok: false,
      code: 500,
      errors: [{ error: "Timed out, didn't hear back from device service" }],
    });
  });

  test('all calls to an unknown device are refused', async () => {
    await expectPermissionDenied(api.getVariable({ deviceId: UNKNOWN_DEVICE, name: 'soil_pct' }));
    await expectPermissionDenied(api.callFunction({ deviceId: UNKNOWN_DEVICE, name: 'led', argument: 'on' }));
    await expectPermissionDenied(ping(UNKNOWN_DEVICE));
  });

  test('sources, binaries and bundles can be flashed', async () => {
    const source = { 'app.ino': Buffer.from('void setup() {}\nvoid loop() {}\n') };
    const compiled = await readBody(api.flashDevice({ deviceId, files: source, targetVersion: '6.3.4' }));
    check.equal(compiled.ok, true);
    check.equal(compiled.message, 'Update started');
    const binary = await readBody(api.flashDevice({ deviceId, files: { 'app.bin': makeBinary(1) } }));
    check.deepEqual(binary, { id: deviceId, status: 'Update started' });
  });

  test('an offline device cannot be flashed', async () => {
    const files = { 'app.bin': makeBinary(1) };
    await expectRefusal(api.flashDevice({ deviceId: offlineId, files }), 500, {
      ok: false,
      code: 500,
      errors: ['Request Timed Out'],
    });
  });

  test('a device of a product can be called through the product', async () => {
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    const here = { deviceId, product: PRODUCT };
    check.equal((await readBody(api.getVariable({ ...here, name: 'soil_pct' }))).name, 'soil_pct');
    check.equal((await readBody(api.callFunction({ ...here, name: 'led', argument: 'on' }))).return_value, 1);
    check.equal((await readBody(api.signalDevice({ ...here, signal: true }))).signaling, true);
    const pinged = api.put({ uri: `/v1/products/${PRODUCT}/devices/${deviceId}/ping` });
    check.deepEqual(await readBody(pinged), { online: true, ok: true });
  });
});
