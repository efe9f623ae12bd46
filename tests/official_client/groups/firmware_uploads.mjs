// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Which files the cloud accepts as the firmware of a product, and which files a device refuses: sections 1 to 3 of
// docs/facts/firmware-and-events.md. Particle's own library makes all files.

import { before, describe, test } from 'node:test';

import {
  BORON,
  PRODUCT,
  UPDATE_SECONDS,
  advanceClock,
  check,
  expectRefusal,
  logIn,
  makeBinary,
  makeBundle,
  readBody,
  resetCloud,
  withStream,
} from '../support.mjs';
import { OLD, WatchedUpdate, flash, prepareDevices, readRow } from '../updates.mjs';

const PHOTON = 6;
const NO_PRODUCT = 65_535;

const damage = (binary) => {
  const damaged = Buffer.from(binary);
  damaged[damaged.length >> 1] ^= 1;
  return damaged;
};

const WRONG_FILES = {
  'a binary of another version': () => makeBinary(51),
  'a binary without a product version': () => makeBinary(NO_PRODUCT),
  'a binary for another platform': () => makeBinary(50, { platformId: PHOTON, productId: PHOTON }),
  'a binary of another product': () => makeBinary(50, { productId: PRODUCT + 1 }),
  'a binary that is cut off': () => makeBinary(50).subarray(0, -100),
  'a binary with a wrong byte': () => damage(makeBinary(50)),
  'a binary that is too large': () => makeBinary(50, { dataSize: 300_000 }),
  'a text': () => Buffer.from('void setup() {}\n'),
  'an empty file': () => Buffer.alloc(0),
};

describe('an upload of product firmware', () => {
  let api;
  let next = 100;

  before(async () => {
    await resetCloud();
    api = await logIn();
  });

  const upload = (version, file, more = {}) =>
    api.uploadProductFirmware({ file, version, title: `v${version}`, product: PRODUCT, ...more });

  /** Upload a file with a name that the method of the client for uploads does not allow. */
  const uploadAs = (name, version, file) =>
    api.request({
      uri: `/v1/products/${PRODUCT}/firmware`,
      method: 'post',
      form: { version, title: 'bundle' },
      files: { [name]: file },
    });

  async function expectWrongFile(request) {
    const reason = await expectRefusal(request, 400, { ok: false });
    check.equal(typeof reason.body.error, 'string');
    check.ok(reason.message.startsWith('HTTP error 400 from '));
  }

  for (const [name, make] of Object.entries(WRONG_FILES)) {
    test(`of ${name} is refused, and adds no version`, async () => {
      await expectWrongFile(upload(50, make()));
      await expectRefusal(api.getProductFirmware({ version: 50, product: PRODUCT }), 404);
    });
  }

  for (const version of [0, NO_PRODUCT, 65_536, 'one']) {
    test(`of version ${version} is refused`, () => expectRefusal(upload(version, makeBinary(1)), 400));
  }

  for (const [name, productId] of [
    ['platform', BORON],
    ['product', PRODUCT],
    ['absence of a product', NO_PRODUCT],
  ]) {
    test(`of a binary that names the ${name} is accepted`, async () => {
      const file = makeBinary((next += 1), { productId });
      check.equal((await readBody(upload(next, file), 201)).size, file.length);
      check.deepEqual(await api.downloadProductFirmware({ version: next, product: PRODUCT }), file);
    });
  }

  test('of a bundle is accepted, and the download is the bundle', async () => {
    const bundle = await makeBundle(makeBinary((next += 1)), { 'sound.wav': 'quiet' });
    const firmware = await readBody(uploadAs('app.zip', next, bundle), 201);
    check.deepEqual([firmware.name, firmware.size], ['app.zip', bundle.length]);
    check.deepEqual(await api.downloadProductFirmware({ version: next, product: PRODUCT }), bundle);
  });

  test('of a damaged bundle is refused', async () => {
    const bundle = await makeBundle(makeBinary((next += 1)), { 'sound.wav': 'quiet' });
    await expectWrongFile(uploadAs('app.zip', next, damage(bundle)));
  });
});

describe('a file that is flashed to a device', () => {
  let api;
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await resetCloud();
    api = await logIn();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    await prepareDevices(api, [deviceId]);
    await api.markAsDevelopmentDevice({ deviceId, product: PRODUCT });
  });

  /** Flash a file, and return the events of the update. */
  const flashFile = (name, file) =>
    withStream(api.getEventStream({ product: PRODUCT }), async (stream) => {
      const update = new WatchedUpdate(api, stream, deviceId);
      await update.start('ok', async () => {
        const answer = await readBody(api.flashDevice({ deviceId, product: PRODUCT, files: { [name]: file } }));
        check.deepEqual(answer, { id: deviceId, status: 'Update started' });
      });
      return update.advance(UPDATE_SECONDS);
    });

  for (const [name, make] of [
    ['is damaged', () => damage(makeBinary(9))],
    ['is empty', () => Buffer.alloc(0)],
    ['is too large', () => makeBinary(9, { dataSize: 300_000 })],
    ['is for another platform', () => makeBinary(9, { platformId: PHOTON, productId: PHOTON })],
  ]) {
    test(`is refused by the device if it ${name}`, async () => {
      check.deepEqual(await flashFile('firmware.bin', make()), [flash('started', OLD), flash('failed', OLD)]);
      check.equal((await readRow(api, deviceId)).firmware_version, OLD);
    });
  }

  test('is refused during another update, which goes on', () =>
    withStream(api.getEventStream({ product: PRODUCT }), async (stream) => {
      const update = new WatchedUpdate(api, stream, deviceId);
      const flashVersion = (version) =>
        readBody(api.flashDevice({ deviceId, product: PRODUCT, files: { 'firmware.bin': makeBinary(version) } }));
      await update.start('ok', () => flashVersion(OLD));
      await update.advance(1);
      await flashVersion(9);
      check.deepEqual((await update.advance(UPDATE_SECONDS)).slice(0, 3), [
        flash('started', OLD),
        flash('failed', OLD),
        flash('success', OLD),
      ]);
      check.equal((await readRow(api, deviceId)).firmware_version, OLD);
    }));

  test('can be a bundle', async () => {
    const events = await flashFile('app.zip', await makeBundle(makeBinary(9), { 'sound.wav': 'quiet' }));
    check.deepEqual(events.slice(0, 2), [flash('started', OLD), flash('success', OLD)]);
    check.equal((await readRow(api, deviceId)).firmware_version, 9);
  });

  test('needs a newer Device OS if its binary names one', async () => {
    const system = { func: 4, index: 1, version: 6_500 };
    await flashFile('firmware.bin', makeBinary(10, { deps: [system] }));
    check.equal((await readRow(api, deviceId)).status, 'safe_mode');
    await advanceClock(10 * UPDATE_SECONDS);
    const { status, firmware_version: version } = await readRow(api, deviceId);
    check.deepEqual([status, version], ['normal', 10]);
  });
});
