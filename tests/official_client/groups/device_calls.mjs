// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  PRODUCT,
  UNKNOWN_DEVICE,
  answered,
  check,
  freshCloud,
  loggedIn,
  permissionDenied,
  refused,
  setOnline,
  thrown,
} from '../support.mjs';

describe('calls to a device', () => {
  let api;
  let deviceId;
  let silent;

  before(async () => {
    const [device, other] = await freshCloud();
    api = await loggedIn();
    await api.claimDevice({ deviceId: device.id });
    await api.renameDevice({ deviceId: device.id, name: 'caller' });
    await api.claimDevice({ deviceId: other.id });
    await setOnline(other, false);
    deviceId = device.id;
    silent = other.id;
  });

  const ping = (id) => api.put({ uri: `/v1/devices/${id}/ping` });

  test('every variable that a device names can be read, in its type', async () => {
    const kinds = { int32: 'number', double: 'number', string: 'string', bool: 'boolean' };
    const { body: device } = await api.getDevice({ deviceId });
    for (const [name, type] of Object.entries(device.variables)) {
      const answer = await answered(api.getVariable({ deviceId, name }));
      check.equal(answer.name, name);
      check.equal(typeof answer.result, kinds[type]);
      check.equal(answer.coreInfo.deviceID, deviceId);
      check.equal(answer.coreInfo.connected, true);
    }
  });

  test('a variable that a device does not have is not found', async () => {
    await refused(api.getVariable({ deviceId, name: 'nothing' }), 404, {
      ok: false,
      error: 'Variable not found',
    });
  });

  test('every function that a device names can be called', async () => {
    const { body: device } = await api.getDevice({ deviceId });
    for (const name of device.functions) {
      const answer = await answered(api.callFunction({ deviceId, name, argument: 'on' }));
      check.equal(answer.id, deviceId);
      check.equal(answer.name, 'caller');
      check.equal(answer.connected, true);
      check.ok(Number.isInteger(answer.return_value));
    }
  });

  test('a function gets the argument that the client sends', async () => {
    check.equal(
      (await api.callFunction({ deviceId, name: 'length', argument: 'four' })).body.return_value,
      4,
    );
    check.equal((await api.callFunction({ deviceId, name: 'length', argument: '' })).body.return_value, 0);
  });

  test('a function that a device does not have is not found, by name', async () => {
    await refused(api.callFunction({ deviceId, name: 'toggle', argument: '' }), 404, {
      ok: false,
      error: 'Function toggle not found',
    });
  });

  test('the name of a device serves as well as its id', async () => {
    check.equal(
      (await answered(api.getVariable({ deviceId: 'caller', name: 'soil_pct' }))).coreInfo.deviceID,
      deviceId,
    );
  });

  test('a ping tells who is there, and a silent device is a normal answer', async () => {
    check.deepEqual(await answered(ping(deviceId)), { online: true, ok: true });
    check.deepEqual(await answered(ping(silent)), { online: false, ok: true });
  });

  test('a variable of a silent device times out', async () => {
    await refused(api.getVariable({ deviceId: silent, name: 'soil_pct' }), 408, { error: 'Timed out.' });
  });

  test('a function of a silent device times out', async () => {
    const reason = await thrown(api.callFunction({ deviceId: silent, name: 'led', argument: 'on' }));
    check.ok([400, 408].includes(reason.statusCode));
    check.equal(reason.body.error, 'Timed out.');
  });

  test('a silent device cannot signal', async () => {
    await refused(api.signalDevice({ deviceId: silent, signal: true }), 500, {
      ok: false,
      code: 500,
      errors: [{ error: "Timed out, didn't hear back from device service" }],
    });
  });

  test('an unknown device is refused, whatever one calls', async () => {
    await permissionDenied(api.getVariable({ deviceId: UNKNOWN_DEVICE, name: 'soil_pct' }));
    await permissionDenied(api.callFunction({ deviceId: UNKNOWN_DEVICE, name: 'led', argument: 'on' }));
    await permissionDenied(ping(UNKNOWN_DEVICE));
  });

  test('sources, binaries and bundles can be flashed', async () => {
    const source = { 'app.ino': Buffer.from('void setup() {}\nvoid loop() {}\n') };
    const compiled = await answered(api.flashDevice({ deviceId, files: source, targetVersion: '6.3.4' }));
    check.equal(compiled.ok, true);
    check.equal(compiled.message, 'Update started');
    const binary = await answered(api.flashDevice({ deviceId, files: { 'app.bin': Buffer.from('binary') } }));
    check.deepEqual(binary, { id: deviceId, status: 'Update started' });
  });

  test('a silent device cannot be flashed', async () => {
    const files = { 'app.bin': Buffer.from('binary') };
    await refused(api.flashDevice({ deviceId: silent, files }), 500, {
      ok: false,
      code: 500,
      errors: ['Request Timed Out'],
    });
  });

  test('a device of a product can be called through the product', async () => {
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    const here = { deviceId, product: PRODUCT };
    check.equal((await answered(api.getVariable({ ...here, name: 'soil_pct' }))).name, 'soil_pct');
    check.equal((await answered(api.callFunction({ ...here, name: 'led', argument: 'on' }))).return_value, 1);
    check.equal((await answered(api.signalDevice({ ...here, signal: true }))).signaling, true);
    const pinged = api.put({ uri: `/v1/products/${PRODUCT}/devices/${deviceId}/ping` });
    check.deepEqual(await answered(pinged), { online: true, ok: true });
  });
});
