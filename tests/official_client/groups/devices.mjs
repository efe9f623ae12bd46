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
  answered,
  check,
  freshCloud,
  loggedIn,
  permissionDenied,
  refused,
  setOnline,
} from '../support.mjs';

describe('devices of an account', () => {
  let api;
  let stranger;
  let devices;

  before(async () => {
    devices = await freshCloud();
    api = await loggedIn();
    stranger = await loggedIn(STRANGER);
  });

  /** A device that nobody has touched yet, claimed by whom one says. */
  async function claimed(owner = api) {
    const device = devices.pop();
    await answered(owner.claimDevice({ deviceId: device.id }));
    return device;
  }

  test('an account begins without devices', async () => {
    check.deepEqual(await answered(api.listDevices({})), []);
  });

  test('a claimed device is in the list', async () => {
    const device = devices.pop();
    const claim = await answered(api.claimDevice({ deviceId: device.id }));
    check.equal(claim.ok, true);
    check.equal(claim.id ?? claim.deviceID, device.id);
    const rows = await answered(api.listDevices({}));
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
    const [early, late] = [await claimed(), await claimed()];
    await setOnline(early, true);
    await setOnline(late, true);
    const rows = await answered(api.listDevices({}));
    check.equal(rows[0].id, late.id);
    check.equal(rows[1].id, early.id);
  });

  test('a claim takes the id in capitals too', async () => {
    const device = devices.pop();
    await answered(api.claimDevice({ deviceId: device.id.toUpperCase() }));
    check.equal((await answered(api.getDevice({ deviceId: device.id }))).id, device.id);
  });

  test('an online device tells its functions and variables', async () => {
    const device = await claimed();
    const details = await answered(api.getDevice({ deviceId: device.id }));
    check.equal(details.id, device.id);
    check.ok(Array.isArray(details.functions));
    check.ok(Object.values(details.variables).every((type) => /^(int32|double|string|bool)$/.test(type)));
    check.equal(details.mobile_secret.length, 15);
  });

  test('an offline device tells neither', async () => {
    const device = await claimed();
    await setOnline(device, false);
    const details = await answered(api.getDevice({ deviceId: device.id }));
    check.equal(details.online, false);
    check.equal(details.functions, null);
    check.equal(details.variables, null);
  });

  test('a device can be renamed and is then found by its name', async () => {
    const device = await claimed();
    const renamed = await answered(api.renameDevice({ deviceId: device.id, name: 'greenhouse-01' }));
    check.equal(renamed.id, device.id);
    check.equal(renamed.name, 'greenhouse-01');
    check.match(renamed.updated_at, ISO_TIME);
    check.equal((await answered(api.getDevice({ deviceId: 'greenhouse-01' }))).id, device.id);
  });

  test('notes are kept', async () => {
    const device = await claimed();
    const answer = await answered(api.setDeviceNotes({ deviceId: device.id, notes: 'north wall' }));
    check.equal(answer.notes, 'north wall');
    check.equal((await answered(api.getDevice({ deviceId: device.id }))).notes, 'north wall');
  });

  test('a device can be made to signal', async () => {
    const device = await claimed();
    const on = await answered(api.signalDevice({ deviceId: device.id, signal: true }));
    check.deepEqual(on, { id: device.id, connected: true, signaling: true });
    const off = await answered(api.updateDevice({ deviceId: device.id, signal: false }));
    check.equal(off.signaling, false);
  });

  test('a released device belongs to nobody', async () => {
    const device = await claimed();
    check.deepEqual(await answered(api.removeDevice({ deviceId: device.id })), { ok: true });
    await permissionDenied(api.getDevice({ deviceId: device.id }));
    check.equal((await answered(stranger.claimDevice({ deviceId: device.id }))).ok, true);
  });

  test('a device that does not exist is refused', async () => {
    await permissionDenied(api.getDevice({ deviceId: UNKNOWN_DEVICE }));
    await permissionDenied(api.renameDevice({ deviceId: UNKNOWN_DEVICE, name: 'ghost' }));
    await permissionDenied(api.removeDevice({ deviceId: UNKNOWN_DEVICE }));
  });

  test('a device of somebody else is refused in the same words', async () => {
    const foreign = await claimed(stranger);
    await permissionDenied(api.getDevice({ deviceId: foreign.id }));
    await permissionDenied(api.renameDevice({ deviceId: foreign.id, name: 'mine' }));
    await permissionDenied(api.signalDevice({ deviceId: foreign.id, signal: true }));
    await permissionDenied(api.removeDevice({ deviceId: foreign.id }));
  });

  test('a device of somebody else cannot be claimed, only asked for', async () => {
    const foreign = await claimed(stranger);
    const refusal = { errors: ['That belongs to someone else.'], ok: undefined };
    await refused(api.claimDevice({ deviceId: foreign.id }), 403, refusal);
    const asked = await answered(api.claimDevice({ deviceId: foreign.id, requestTransfer: true }));
    check.equal(typeof asked.transfer_id, 'string');
    await permissionDenied(api.getDevice({ deviceId: foreign.id }));
  });

  test('what does not exist cannot be claimed', async () => {
    await refused(api.claimDevice({ deviceId: UNKNOWN_DEVICE }), 404, {
      ok: false,
      errors: ['device does not exist'],
    });
  });

  test('an offline device cannot be claimed', async () => {
    const device = devices.pop();
    await setOnline(device, false);
    await refused(api.claimDevice({ deviceId: device.id }), 404, {
      ok: false,
      errors: [["Core isn't online", 404]],
    });
  });

  test('a serial number leads to the device, whoever owns it', async () => {
    const foreign = await claimed(stranger);
    const { body: own } = await stranger.getDevice({ deviceId: foreign.id });
    const found = await answered(api.lookupSerialNumber({ serialNumber: own.serial_number }));
    check.equal(found.deviceID ?? found.device_id, foreign.id);
    check.equal(found.iccid, own.iccid);
  });

  test('an unknown serial number leads nowhere', async () => {
    await refused(api.lookupSerialNumber({ serialNumber: 'B40HAB999999999' }), 404, { ok: false });
  });

  test('a claim code comes with the devices that are there already', async () => {
    const device = await claimed();
    const answer = await answered(api.getClaimCode({}));
    check.ok(answer.claim_code.length > 20);
    check.ok(answer.device_ids.includes(device.id));
    check.deepEqual((await answered(api.getClaimCode({ product: PRODUCT }))).device_ids, answer.device_ids);
  });

  test('a public key is taken', async () => {
    const device = await claimed();
    const key = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    check.equal(await answered(api.sendPublicKey({ deviceId: device.id, key })), 'Success!');
  });

  test('the protection of a device is lifted in two steps', async () => {
    const { id: deviceId } = await claimed();
    const { server_nonce: serverNonce } = await answered(
      api.unprotectDevice({ deviceId, action: 'prepare' }),
    );
    await answered(
      api.unprotectDevice({
        deviceId,
        action: 'confirm',
        serverNonce,
        deviceNonce: 'bm9uY2U=',
        deviceSignature: 'c2lnbmF0dXJl',
        devicePublicKeyFingerprint: 'ZmluZ2VycHJpbnQ=',
      }),
    );
    const details = await answered(api.getDevice({ deviceId }));
    check.deepEqual(details.device_protection, { status: 'disabled' });
  });

  test('a virtual device gets an identity and its maker as owner', async () => {
    const device = await answered(api.provisionDevice({ productId: PRODUCT }));
    check.match(device.id, HEX_24);
    check.equal(device.owner, DEMO.username);
    check.equal(device.product_id, PRODUCT);
  });
});
