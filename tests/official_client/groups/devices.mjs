// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  HEX_24,
  ISO_TIME,
  PRODUCT,
  STRANGER,
  UNKNOWN_DEVICE,
  check,
  expectPermissionDenied,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
  setOnline,
} from '../support.mjs';

describe('devices of an account', () => {
  let api;
  let stranger;
  let devices;

  before(async () => {
    devices = await resetCloud();
    api = await logIn();
    stranger = await logIn(STRANGER);
  });

  /** Claim a device that no test has used, and return it. */
  async function claimDevice(owner = api) {
    const device = devices.pop();
    await readBody(owner.claimDevice({ deviceId: device.id }));
    return device;
  }

  test('a new account has no devices', async () => {
    check.deepEqual(await readBody(api.listDevices({})), []);
  });

  test('a claimed device is listed with its details', async () => {
    const device = devices.pop();
    const claim = await readBody(api.claimDevice({ deviceId: device.id }));
    check.equal(claim.ok, true);
    check.equal(claim.id ?? claim.deviceID, device.id);
    const rows = await readBody(api.listDevices({}));
    const row = rows.find(({ id }) => id === device.id);
    check.equal(row.owner, DEMO.username);
    check.equal(row.platform_id, BORON);
    check.equal(row.product_id, BORON);
    check.equal(row.online, true);
    check.equal(row.cellular, true);
    check.equal(row.status, 'normal');
    check.match(row.last_heard, ISO_TIME);
    check.match(row.last_handshake_at, ISO_TIME);
    check.match(row.iccid, /^\d{18,20}$/);
    check.match(row.imei, /^\d{15}$/);
  });

  test('the list begins with the device that connected last', async () => {
    const [early, late] = [await claimDevice(), await claimDevice()];
    await setOnline(early, true);
    await setOnline(late, true);
    const rows = await readBody(api.listDevices({}));
    check.equal(rows[0].id, late.id);
    check.equal(rows[1].id, early.id);
  });

  test('a claim accepts the id in capital letters', async () => {
    const device = devices.pop();
    await readBody(api.claimDevice({ deviceId: device.id.toUpperCase() }));
    check.equal((await readBody(api.getDevice({ deviceId: device.id }))).id, device.id);
  });

  test('an online device has functions and variables', async () => {
    const device = await claimDevice();
    const details = await readBody(api.getDevice({ deviceId: device.id }));
    check.equal(details.id, device.id);
    check.ok(Array.isArray(details.functions));
    check.ok(Object.values(details.variables).every((type) => /^(int32|double|string|bool)$/.test(type)));
    check.equal(details.mobile_secret.length, 15);
  });

  test('an offline device has neither functions nor variables', async () => {
    const device = await claimDevice();
    await setOnline(device, false);
    const details = await readBody(api.getDevice({ deviceId: device.id }));
    check.equal(details.online, false);
    check.equal(details.functions, null);
    check.equal(details.variables, null);
  });

  test('a renamed device is found by its new name', async () => {
    const device = await claimDevice();
    const renamed = await readBody(api.renameDevice({ deviceId: device.id, name: 'greenhouse-01' }));
    check.equal(renamed.id, device.id);
    check.equal(renamed.name, 'greenhouse-01');
    check.match(renamed.updated_at, ISO_TIME);
    check.equal((await readBody(api.getDevice({ deviceId: 'greenhouse-01' }))).id, device.id);
  });

  test('notes are stored', async () => {
    const device = await claimDevice();
    const answer = await readBody(api.setDeviceNotes({ deviceId: device.id, notes: 'north wall' }));
    check.equal(answer.notes, 'north wall');
    check.equal((await readBody(api.getDevice({ deviceId: device.id }))).notes, 'north wall');
  });

  test('a device can be made to signal', async () => {
    const device = await claimDevice();
    const on = await readBody(api.signalDevice({ deviceId: device.id, signal: true }));
    check.deepEqual(on, { id: device.id, connected: true, signaling: true });
    const off = await readBody(api.updateDevice({ deviceId: device.id, signal: false }));
    check.equal(off.signaling, false);
  });

  test('a released device can be claimed by another account', async () => {
    const device = await claimDevice();
    check.deepEqual(await readBody(api.removeDevice({ deviceId: device.id })), { ok: true });
    await expectPermissionDenied(api.getDevice({ deviceId: device.id }));
    check.equal((await readBody(stranger.claimDevice({ deviceId: device.id }))).ok, true);
  });

  test('requests for an unknown device are refused', async () => {
    await expectPermissionDenied(api.getDevice({ deviceId: UNKNOWN_DEVICE }));
    await expectPermissionDenied(api.renameDevice({ deviceId: UNKNOWN_DEVICE, name: 'ghost' }));
    await expectPermissionDenied(api.removeDevice({ deviceId: UNKNOWN_DEVICE }));
  });

  test('a device of another account is refused with the same error', async () => {
    const foreign = await claimDevice(stranger);
    await expectPermissionDenied(api.getDevice({ deviceId: foreign.id }));
    await expectPermissionDenied(api.renameDevice({ deviceId: foreign.id, name: 'mine' }));
    await expectPermissionDenied(api.signalDevice({ deviceId: foreign.id, signal: true }));
    await expectPermissionDenied(api.removeDevice({ deviceId: foreign.id }));
  });

  test('a device of another account can only be requested', async () => {
    const foreign = await claimDevice(stranger);
    const refusal = { errors: ['That belongs to someone else.'], ok: undefined };
    await expectRefusal(api.claimDevice({ deviceId: foreign.id }), 403, refusal);
    const asked = await readBody(api.claimDevice({ deviceId: foreign.id, requestTransfer: true }));
    check.equal(typeof asked.transfer_id, 'string');
    await expectPermissionDenied(api.getDevice({ deviceId: foreign.id }));
  });

  test('an unknown device cannot be claimed', async () => {
    await expectRefusal(api.claimDevice({ deviceId: UNKNOWN_DEVICE }), 404, {
      ok: false,
      errors: ['device does not exist'],
    });
  });

  test('an offline device cannot be claimed', async () => {
    const device = devices.pop();
    await setOnline(device, false);
    await expectRefusal(api.claimDevice({ deviceId: device.id }), 404, {
      ok: false,
      errors: [["Core isn't online", 404]],
    });
  });

  test('a serial number is found even if the device has another owner', async () => {
    const foreign = await claimDevice(stranger);
    const { body: own } = await stranger.getDevice({ deviceId: foreign.id });
    const found = await readBody(api.lookupSerialNumber({ serialNumber: own.serial_number }));
    check.equal(found.deviceID ?? found.device_id, foreign.id);
    check.equal(found.iccid, own.iccid);
  });

  test('an unknown serial number is not found', async () => {
    await expectRefusal(api.lookupSerialNumber({ serialNumber: 'B40HAB999999999' }), 404, { ok: false });
  });

  test('a claim code is returned with the ids of claimed devices', async () => {
    const device = await claimDevice();
    const answer = await readBody(api.getClaimCode({}));
    check.ok(answer.claim_code.length > 20);
    check.ok(answer.device_ids.includes(device.id));
    check.deepEqual((await readBody(api.getClaimCode({ product: PRODUCT }))).device_ids, answer.device_ids);
  });

  test('a public key is accepted', async () => {
    const device = await claimDevice();
    const key = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    check.equal(await readBody(api.sendPublicKey({ deviceId: device.id, key })), 'Success!');
  });

  test('device protection is disabled in two steps', async () => {
    const { id: deviceId } = await claimDevice();
    const { server_nonce: serverNonce } = await readBody(
      api.unprotectDevice({ deviceId, action: 'prepare' }),
    );
    await readBody(
      api.unprotectDevice({
        deviceId,
        action: 'confirm',
        serverNonce,
        deviceNonce: 'bm9uY2U=',
        deviceSignature: 'c2lnbmF0dXJl',
        devicePublicKeyFingerprint: 'ZmluZ2VycHJpbnQ=',
      }),
    );
    const details = await readBody(api.getDevice({ deviceId }));
    check.deepEqual(details.device_protection, { status: 'disabled' });
  });

  test('a new virtual device has an id, an owner and a product', async () => {
    const device = await readBody(api.provisionDevice({ productId: PRODUCT }));
    check.match(device.id, HEX_24);
    check.equal(device.owner, DEMO.username);
    check.equal(device.product_id, PRODUCT);
  });
});
