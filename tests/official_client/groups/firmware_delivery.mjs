// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Which version a device is meant to run, and when the cloud sends it: section 1 of docs/facts/firmware-and-events.md.

import { beforeEach, describe, test } from 'node:test';

import {
  HEX_24,
  PRODUCT,
  UPDATE_SECONDS,
  advanceClock,
  check,
  expectRefusal,
  logIn,
  makeBinary,
  readBody,
  resetCloud,
  setOnline,
  setUpdateEnding,
  waitForEvent,
  withStream,
} from '../support.mjs';
import { NEW, OLD, WatchedUpdate, flash, lock, prepareDevices, readRow, status } from '../updates.mjs';

const HERE = { product: PRODUCT };
const NEWEST = 3;

describe('the firmware of a product', () => {
  let api;
  let devices;
  let binary;
  let tester;
  let inside;
  let outside;

  /** Let a tester run the new version, as a release requires, and two other devices the old one, without a lock. */
  beforeEach(async () => {
    devices = (await resetCloud()).slice(0, 3);
    const ids = devices.map(({ id }) => id);
    [tester, inside, outside] = ids;
    api = await logIn();
    await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids } });
    binary = await prepareDevices(api, ids);
    await lock(api, tester, NEW);
    await advanceClock(UPDATE_SECONDS);
    for (const deviceId of [inside, outside]) {
      await readBody(api.unlockDeviceProductFirmware({ ...HERE, deviceId }));
    }
  });

  const release = (version, more) => readBody(api.releaseProductFirmware({ ...HERE, version, ...more }));

  const changeDevice = (deviceId, data) =>
    readBody(api.put({ uri: `/v1/products/${PRODUCT}/devices/${deviceId}`, data }));

  const readVersion = async (deviceId) => (await readRow(api, deviceId)).firmware_version;

  const readTarget = async (deviceId) => (await readRow(api, deviceId)).targeted_firmware_release_version;

  /** Let a device begin a new session, and wait until an update has ended. */
  async function renewSession(id) {
    await setOnline({ id }, false);
    await setOnline({ id }, true);
    await advanceClock(UPDATE_SECONDS);
  }

  /** Upload a third version, and let the tester run it. */
  async function addNewest() {
    await api.uploadProductFirmware({ ...HERE, file: makeBinary(NEWEST), version: NEWEST, title: 'newest' });
    await lock(api, tester, NEWEST);
    await advanceClock(UPDATE_SECONDS);
  }

  const watchProduct = (use) => withStream(api.getEventStream(HERE), use);

  test('is announced on the stream of the product only', () =>
    watchProduct(async (stream) => {
      await withStream(api.getEventStream({ deviceId: 'mine' }), async (mine) => {
        const received = [];
        mine.on('event', ({ name }) => received.push(name));
        const pending = waitForEvent(stream);
        await api.uploadProductFirmware({ ...HERE, file: makeBinary(7), version: 7, title: 'seven' });
        const { name, data, coreid, version } = await pending;
        check.equal(name, 'particle/firmware/create');
        check.deepEqual(JSON.parse(data), { version: '7' });
        check.deepEqual([coreid, version], ['api', 0]);
        const marked = waitForEvent(mine, (event) => event.name === 'marker');
        await api.publishEvent({ name: 'marker', isPrivate: true });
        await marked;
        check.deepEqual(received, ['marker']);
      });
    }));

  test('waits for a new session after a standard release', () =>
    watchProduct(async (stream) => {
      await changeDevice(inside, { groups: ['field'] });
      const pending = waitForEvent(stream, ({ name }) => name === 'particle/firmware/release');
      const released = await release(NEW, { groups: ['field'] });
      check.match(released._id, HEX_24);
      check.deepEqual([released.groups, released.product_default, released.intelligent], [['field'], false, false]);
      const { data, coreid, version } = await pending;
      check.deepEqual(JSON.parse(data), { immediate: false, version: NEW });
      check.deepEqual([coreid, version], ['api', 0]);
      await advanceClock(UPDATE_SECONDS);
      check.equal(await readVersion(inside), OLD);
      check.deepEqual([await readTarget(inside), await readTarget(outside)], [NEW, null]);
      await renewSession(inside);
      await renewSession(outside);
      check.deepEqual([await readVersion(inside), await readVersion(outside)], [NEW, OLD]);
    }));

  test('is sent at once by an intelligent release', () =>
    watchProduct(async (stream) => {
      const update = new WatchedUpdate(api, stream, inside);
      await setOnline({ id: outside }, false);
      const pending = waitForEvent(stream, ({ name }) => name === 'particle/firmware/release');
      await update.start('ok', () => release(NEW, { product_default: true, intelligent: true }));
      check.deepEqual(JSON.parse((await pending).data), { immediate: true, version: NEW });
      check.deepEqual((await update.advance(UPDATE_SECONDS)).slice(0, 2), [
        status('auto-update', OLD),
        flash('started', OLD),
      ]);
      check.deepEqual([await readVersion(inside), await readVersion(outside)], [NEW, OLD]);
      check.equal((await readRow(api, outside)).online, false);
      check.equal(await readTarget(outside), NEW);
      await setOnline({ id: outside }, true);
      await advanceClock(UPDATE_SECONDS);
      check.equal(await readVersion(outside), NEW);
    }));

  test('is pending for a busy device, which gets it once it enables updates', () =>
    watchProduct(async (stream) => {
      const update = new WatchedUpdate(api, stream, inside);
      await update.start('disabled', () => release(NEW, { product_default: true, intelligent: true }));
      check.deepEqual(await update.advance(UPDATE_SECONDS), [['particle/device/updates/pending', 'true', OLD]]);
      await setUpdateEnding(inside, 'ok');
      const [first, ...events] = await update.advance(UPDATE_SECONDS);
      check.deepEqual(first, ['particle/device/updates/enabled', 'true', OLD]);
      check.deepEqual(events[0], status('auto-update', OLD));
      check.equal(await readVersion(inside), NEW);
    }));

  test('is the highest version that is released to the groups of a device', async () => {
    await addNewest();
    await changeDevice(inside, { groups: ['fast', 'slow'] });
    await changeDevice(outside, { groups: ['slow'] });
    await release(NEW, { groups: ['slow'] });
    await release(NEWEST, { groups: ['fast'] });
    check.deepEqual([await readTarget(inside), await readTarget(outside)], [NEWEST, NEW]);
    await changeDevice(inside, { groups: ['slow'] });
    check.equal(await readTarget(inside), NEW);
  });

  test('is the default of the product only for devices without a release to their groups', async () => {
    await addNewest();
    await changeDevice(inside, { groups: ['held'] });
    await release(NEW, { groups: ['held'] });
    await release(NEWEST, { product_default: true });
    await renewSession(inside);
    await renewSession(outside);
    check.deepEqual([await readVersion(inside), await readVersion(outside)], [NEW, NEWEST]);
  });

  test('is no longer released after a release to no group', async () => {
    await release(NEW, { product_default: true });
    check.equal(await readTarget(inside), NEW);
    const withdrawn = await release(NEW, { product_default: false, groups: [] });
    check.deepEqual([withdrawn.product_default, withdrawn.groups], [false, []]);
    check.equal(await readTarget(inside), null);
    await renewSession(inside);
    check.equal(await readVersion(inside), OLD);
  });

  test('is the version of the lock, whatever is released', async () => {
    await api.lockDeviceProductFirmware({ ...HERE, deviceId: inside, desiredFirmwareVersion: OLD });
    await release(NEW, { product_default: true, intelligent: true });
    await advanceClock(UPDATE_SECONDS);
    await renewSession(inside);
    check.equal(await readVersion(inside), OLD);
    await readBody(api.unlockDeviceProductFirmware({ ...HERE, deviceId: inside }));
    await renewSession(inside);
    check.equal(await readVersion(inside), NEW);
  });

  test('waits for a new session after a lock without flash', async () => {
    await api.lockDeviceProductFirmware({ ...HERE, deviceId: inside, desiredFirmwareVersion: NEW });
    await advanceClock(UPDATE_SECONDS);
    check.equal(await readVersion(inside), OLD);
    await renewSession(inside);
    check.equal(await readVersion(inside), NEW);
  });

  test('reaches an offline device after a lock with flash', async () => {
    await setOnline({ id: inside }, false);
    await lock(api, inside, NEW);
    await advanceClock(UPDATE_SECONDS);
    const { firmware_version: version, desired_firmware_version: desired, online } = await readRow(api, inside);
    check.deepEqual([version, desired, online], [OLD, NEW, false]);
    await setOnline({ id: inside }, true);
    await advanceClock(UPDATE_SECONDS);
    check.equal(await readVersion(inside), NEW);
  });

  test('can be an older version', async () => {
    await lock(api, tester, OLD);
    await advanceClock(UPDATE_SECONDS);
    check.equal(await readVersion(tester), OLD);
  });

  test('is left to its owner on a development device', () =>
    watchProduct(async (stream) => {
      const deviceId = inside;
      await readBody(api.markAsDevelopmentDevice({ ...HERE, deviceId }));
      await release(NEW, { product_default: true, intelligent: true });
      await lock(api, deviceId, NEW);
      await renewSession(deviceId);
      check.equal(await readVersion(deviceId), OLD);

      const update = new WatchedUpdate(api, stream, deviceId);
      const files = { 'firmware.bin': makeBinary(NEWEST) };
      await update.start('ok', () => readBody(api.flashDevice({ ...HERE, deviceId, files })));
      check.deepEqual((await update.advance(UPDATE_SECONDS)).slice(0, 4), [
        flash('started', OLD),
        flash('success', OLD),
        status('offline', OLD),
        status('online', NEWEST),
      ]);
      await advanceClock(UPDATE_SECONDS);
      check.equal(await readVersion(deviceId), NEWEST);
      await readBody(api.markAsDevelopmentDevice({ ...HERE, deviceId, development: false }));
      await renewSession(deviceId);
      check.equal(await readVersion(deviceId), NEW);
    }));

  test('is put back on a device that was flashed by hand', () =>
    watchProduct(async (stream) => {
      const deviceId = tester;
      const update = new WatchedUpdate(api, stream, deviceId);
      const files = { 'firmware.bin': makeBinary(NEWEST) };
      await update.start('ok', () => readBody(api.flashDevice({ ...HERE, deviceId, files })));
      const states = (await update.advance(2 * UPDATE_SECONDS)).filter(([name]) => name === 'spark/status');
      check.deepEqual(states, [
        status('offline', NEW),
        status('online', NEWEST),
        status('auto-update', NEWEST),
        status('offline', NEWEST),
        status('online', NEW),
      ]);
    }));

  test('has an impact that counts the devices which a release updates', async () => {
    await changeDevice(inside, { groups: ['field'] });
    const query = { action: 'edit_groups_for_firmware', firmware_version: NEW, groups: 'field' };
    const readImpact = async () => {
      const answer = await readBody(api.get({ uri: `/v1/products/${PRODUCT}/impact`, query }));
      return (answer.devices ?? answer).firmware_update;
    };
    check.deepEqual(await readImpact(), { total: 1, by_version: [{ version: OLD, total: 1 }] });
    await release(NEW, { groups: ['field'], intelligent: true });
    await advanceClock(UPDATE_SECONDS);
    check.equal((await readImpact()).total, 0);
    const rows = await readBody(api.listProductFirmware(HERE));
    check.deepEqual(
      rows.map(({ version, device_count: count }) => [version, count]),
      [
        [OLD, 1],
        [NEW, 2],
      ],
    );
  });

  test('can be deleted unless it was ever released', async () => {
    await api.uploadProductFirmware({ ...HERE, file: makeBinary(NEWEST), version: NEWEST, title: 'unused' });
    const remove = (version) => api.delete({ uri: `/v1/products/${PRODUCT}/firmware/${version}` });
    await readBody(remove(NEWEST), 204);
    await expectRefusal(api.getProductFirmware({ ...HERE, version: NEWEST }), 404);
    await release(NEW, { product_default: true });
    await release(NEW, { product_default: false });
    await expectRefusal(remove(NEW), 400);
    check.deepEqual(await api.downloadProductFirmware({ ...HERE, version: NEW }), binary);
  });
});
