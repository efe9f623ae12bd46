// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  HEX_24,
  ISO_TIME,
  PRODUCT,
  UPDATE_SECONDS,
  advanceClock,
  check,
  expectRefusal,
  logIn,
  makeBinary,
  readBody,
  resetCloud,
} from '../support.mjs';

describe('product firmware', () => {
  let api;
  let devices;

  before(async () => {
    devices = (await resetCloud()).map(({ id }) => id);
    api = await logIn();
    await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: devices } });
  });

  const upload = (version, more = {}) =>
    api.uploadProductFirmware({
      file: makeBinary(version),
      version,
      title: `v${version}`,
      product: PRODUCT,
      ...more,
    });

  /** Upload a version, and run it on a device, as a release requires. */
  async function uploadAndFlash(version) {
    await upload(version);
    const deviceId = devices.pop();
    await api.lockDeviceProductFirmware({
      deviceId,
      desiredFirmwareVersion: version,
      flash: true,
      product: PRODUCT,
    });
    await advanceClock(UPDATE_SECONDS);
    return { deviceId, product: PRODUCT };
  }

  test('an upload returns all details', async () => {
    const file = makeBinary(1);
    const firmware = await readBody(upload(1, { file, description: 'first light' }), 201);
    check.match(firmware._id, HEX_24);
    check.equal(firmware.version, 1);
    check.equal(firmware.title, 'v1');
    check.equal(firmware.description, 'first light');
    check.equal(firmware.name, 'firmware.bin');
    check.equal(firmware.size, file.length);
    check.equal(firmware.product_default, false);
    check.deepEqual(firmware.groups, []);
    check.equal(firmware.product_id, PRODUCT);
    check.equal(firmware.uploaded_by.username, DEMO.username);
    check.match(firmware.uploaded_on, ISO_TIME);
  });

  test('a version cannot be uploaded twice', async () => {
    await upload(2);
    await expectRefusal(upload(2), 400);
  });

  test('a binary of another version cannot be uploaded', () =>
    expectRefusal(upload(15, { file: makeBinary(16) }), 400));

  test('the list contains every version with its number of devices', async () => {
    await upload(3);
    const list = await readBody(api.listProductFirmware({ product: PRODUCT }));
    const row = list.find(({ version }) => version === 3);
    check.equal(row.title, 'v3');
    check.equal(row.device_count, 0);
  });

  test('title and description of a version can be changed', async () => {
    await upload(4);
    const here = { version: 4, product: PRODUCT };
    await readBody(api.updateProductFirmware({ ...here, title: 'four', description: 'calm' }));
    const firmware = await readBody(api.getProductFirmware(here));
    check.equal(firmware.title, 'four');
    check.equal(firmware.description, 'calm');
  });

  test('a download is identical to the upload', async () => {
    const file = makeBinary(5);
    await upload(5, { file });
    check.deepEqual(await api.downloadProductFirmware({ version: 5, product: PRODUCT }), file);
  });

  test('an unknown version is not found', async () => {
    await expectRefusal(api.getProductFirmware({ version: 999, product: PRODUCT }), 404);
    await expectRefusal(api.downloadProductFirmware({ version: 999, product: PRODUCT }), 404);
    await expectRefusal(
      api.releaseProductFirmware({ version: 999, product: PRODUCT, product_default: true }),
      404,
    );
  });

  test('a version that has never run on a device cannot be released', async () => {
    await upload(6);
    await expectRefusal(
      api.releaseProductFirmware({ version: 6, product: PRODUCT, product_default: true }),
      400,
    );
  });

  test('a lock with flash installs the version', async () => {
    const here = await uploadAndFlash(7);
    const device = await readBody(api.getDevice(here));
    check.equal(device.desired_firmware_version, 7);
    check.equal(device.firmware_version, 7);
    const list = await readBody(api.listProductFirmware({ product: PRODUCT }));
    check.equal(list.find(({ version }) => version === 7).device_count, 1);
  });

  test('a lock can be set and removed', async () => {
    const here = { deviceId: devices.pop(), product: PRODUCT };
    await upload(8);
    const locked = await readBody(api.lockDeviceProductFirmware({ ...here, desiredFirmwareVersion: 8 }));
    check.equal(locked.desired_firmware_version, 8);
    const unlocked = await readBody(api.unlockDeviceProductFirmware(here));
    check.equal(unlocked.desired_firmware_version, null);
    check.equal((await readBody(api.getDevice(here))).desired_firmware_version, null);
  });

  test('a release to a group reaches only the devices of the group', async () => {
    await uploadAndFlash(9);
    const [inside, outside] = [devices.pop(), devices.pop()];
    await api.put({ uri: `/v1/products/${PRODUCT}/devices/${inside}`, data: { groups: ['beta'] } });
    const released = await readBody(
      api.releaseProductFirmware({ version: 9, product: PRODUCT, groups: ['beta'] }),
    );
    check.deepEqual(released.groups, ['beta']);
    check.equal(released.product_default, false);
    const readTarget = async (deviceId) =>
      (await readBody(api.getDevice({ deviceId, product: PRODUCT }))).targeted_firmware_release_version;
    check.equal(await readTarget(inside), 9);
    check.equal(await readTarget(outside), null);
  });

  test('only one version is the default of the product', async () => {
    for (const version of [10, 11]) {
      await uploadAndFlash(version);
      const release = api.releaseProductFirmware({
        version,
        product: PRODUCT,
        product_default: true,
        intelligent: true,
      });
      const released = await readBody(release);
      check.equal(released.product_default, true);
      check.equal(released.intelligent, true);
    }
    check.equal(
      (await readBody(api.getProductFirmware({ version: 10, product: PRODUCT }))).product_default,
      false,
    );
  });

  test('the impact of a release can be requested in advance', async () => {
    await upload(12);
    const query = { action: 'edit_groups_for_firmware', firmware_version: 12, product_default: true };
    const answer = await readBody(api.get({ uri: `/v1/products/${PRODUCT}/impact`, query }));
    const impact = (answer.devices ?? answer).firmware_update;
    check.ok(impact.total > 0);
    check.equal(
      impact.by_version.reduce((sum, { total }) => sum + total, 0),
      impact.total,
    );
  });

  test('only a version that was never released can be deleted', async () => {
    await upload(13);
    const uri = (version) => `/v1/products/${PRODUCT}/firmware/${version}`;
    check.deepEqual(await readBody(api.delete({ uri: uri(13) }), 204), {});
    await uploadAndFlash(14);
    await api.releaseProductFirmware({ version: 14, product: PRODUCT, product_default: true });
    await expectRefusal(api.delete({ uri: uri(14) }), 400);
  });
});

describe('the compiler and Device OS', () => {
  let api;

  before(async () => {
    await resetCloud();
    api = await logIn();
  });

  test('compiled sources give a binary that can be downloaded', async () => {
    const files = { 'app.ino': Buffer.from('void setup() {}\nvoid loop() {}\n') };
    const answer = await readBody(api.compileCode({ files, platformId: BORON, targetVersion: '6.3.4' }));
    check.equal(answer.ok, true);
    check.equal(answer.binary_url, `/v1/binaries/${answer.binary_id}`);
    check.equal(answer.build_target_version, '6.3.4');
    check.match(answer.expires_at, ISO_TIME);
    const binary = await api.downloadFirmwareBinary({ binaryId: answer.binary_id });
    check.ok(Buffer.isBuffer(binary) && binary.length > 0);
  });

  test('a compiler error is returned with status 200 and ok false', async () => {
    const files = { 'app.ino': Buffer.from('#error broken\n') };
    const answer = await readBody(api.compileCode({ files, platformId: BORON }));
    check.equal(answer.ok, false);
    check.equal(answer.output, "build didn't produce binary");
    check.ok(answer.errors.length > 0);
  });

  test('build targets require no token', async () => {
    const {
      targets,
      platforms,
      default_versions: defaults,
    } = await readBody(api.listBuildTargets({ auth: undefined }));
    check.equal(platforms.Boron, BORON);
    check.ok(
      targets.some(({ version, platforms: ids }) => version === defaults[BORON] && ids.includes(BORON)),
    );
    const featured = await readBody(api.listBuildTargets({ onlyFeatured: true }));
    check.ok(featured.targets.length <= targets.length);
  });

  test('versions of Device OS are listed for a platform', async () => {
    const { versions } = await readBody(api.listDeviceOsVersions({ platformId: BORON }));
    check.ok(versions.length > 0);
    check.ok(versions.every(({ platform_id: platform }) => platform === BORON));
    const page = await readBody(api.listDeviceOsVersions({ platformId: BORON, page: 1, perPage: 1 }));
    check.equal(page.versions.length, 1);
    const [{ version }] = versions;
    check.equal((await readBody(api.getDeviceOsVersion({ version, platformId: BORON }))).version, version);
  });
});
