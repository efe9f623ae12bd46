// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  HEX_24,
  ISO_TIME,
  PRODUCT,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
} from '../support.mjs';

const BINARY = Buffer.from([0, 1, 2, 253, 254, 255, 13, 10]);

describe('product firmware', () => {
  let api;
  let devices;

  before(async () => {
    devices = (await freshCloud()).map(({ id }) => id);
    api = await loggedIn();
    await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: devices } });
  });

  const upload = (version, more = {}) =>
    api.uploadProductFirmware({ file: BINARY, version, title: `v${version}`, product: PRODUCT, ...more });

  /** A version that runs on a device, as a release demands. */
  async function triedVersion(version) {
    await upload(version);
    const deviceId = devices.pop();
    await api.lockDeviceProductFirmware({
      deviceId,
      desiredFirmwareVersion: version,
      flash: true,
      product: PRODUCT,
    });
    return { deviceId, product: PRODUCT };
  }

  test('an upload is told with all its details', async () => {
    const firmware = await answered(upload(1, { description: 'first light' }), 201);
    check.match(firmware._id, HEX_24);
    check.equal(firmware.version, 1);
    check.equal(firmware.title, 'v1');
    check.equal(firmware.description, 'first light');
    check.equal(firmware.name, 'firmware.bin');
    check.equal(firmware.size, BINARY.length);
    check.equal(firmware.product_default, false);
    check.deepEqual(firmware.groups, []);
    check.equal(firmware.product_id, PRODUCT);
    check.equal(firmware.uploaded_by.username, DEMO.username);
    check.match(firmware.uploaded_on, ISO_TIME);
  });

  test('the same version is not uploaded twice', async () => {
    await upload(2);
    await refused(upload(2), 400);
  });

  test('the list has every version and counts its devices', async () => {
    await upload(3);
    const list = await answered(api.listProductFirmware({ product: PRODUCT }));
    const row = list.find(({ version }) => version === 3);
    check.equal(row.title, 'v3');
    check.equal(row.device_count, 0);
  });

  test('a single version can be read and described anew', async () => {
    await upload(4);
    const here = { version: 4, product: PRODUCT };
    await answered(api.updateProductFirmware({ ...here, title: 'four', description: 'calm' }));
    const firmware = await answered(api.getProductFirmware(here));
    check.equal(firmware.title, 'four');
    check.equal(firmware.description, 'calm');
  });

  test('a download is the upload, byte for byte', async () => {
    await upload(5);
    check.deepEqual(await api.downloadProductFirmware({ version: 5, product: PRODUCT }), BINARY);
  });

  test('a version that does not exist is not found', async () => {
    await refused(api.getProductFirmware({ version: 999, product: PRODUCT }), 404);
    await refused(api.downloadProductFirmware({ version: 999, product: PRODUCT }), 404);
    await refused(api.releaseProductFirmware({ version: 999, product: PRODUCT, product_default: true }), 404);
  });

  test('a version that has never run is not released', async () => {
    await upload(6);
    await refused(api.releaseProductFirmware({ version: 6, product: PRODUCT, product_default: true }), 400);
  });

  test('a lock with flash brings the version to the device at once', async () => {
    const here = await triedVersion(7);
    const device = await answered(api.getDevice(here));
    check.equal(device.desired_firmware_version, 7);
    check.equal(device.firmware_version, 7);
    const list = await answered(api.listProductFirmware({ product: PRODUCT }));
    check.equal(list.find(({ version }) => version === 7).device_count, 1);
  });

  test('a lock is told and taken off again', async () => {
    const here = { deviceId: devices.pop(), product: PRODUCT };
    await upload(8);
    const locked = await answered(api.lockDeviceProductFirmware({ ...here, desiredFirmwareVersion: 8 }));
    check.equal(locked.desired_firmware_version, 8);
    const unlocked = await answered(api.unlockDeviceProductFirmware(here));
    check.equal(unlocked.desired_firmware_version, null);
    check.equal((await answered(api.getDevice(here))).desired_firmware_version, null);
  });

  test('a release to a group reaches the devices of the group only', async () => {
    await triedVersion(9);
    const [inside, outside] = [devices.pop(), devices.pop()];
    await api.put({ uri: `/v1/products/${PRODUCT}/devices/${inside}`, data: { groups: ['beta'] } });
    const released = await answered(
      api.releaseProductFirmware({ version: 9, product: PRODUCT, groups: ['beta'] }),
    );
    check.deepEqual(released.groups, ['beta']);
    check.equal(released.product_default, false);
    const targeted = async (deviceId) =>
      (await answered(api.getDevice({ deviceId, product: PRODUCT }))).targeted_firmware_release_version;
    check.equal(await targeted(inside), 9);
    check.equal(await targeted(outside), null);
  });

  test('one version at a time is the default of the product', async () => {
    for (const version of [10, 11]) {
      await triedVersion(version);
      const release = api.releaseProductFirmware({
        version,
        product: PRODUCT,
        product_default: true,
        intelligent: true,
      });
      const released = await answered(release);
      check.equal(released.product_default, true);
      check.equal(released.intelligent, true);
    }
    check.equal(
      (await answered(api.getProductFirmware({ version: 10, product: PRODUCT }))).product_default,
      false,
    );
  });

  test('what a release would do can be asked beforehand', async () => {
    await upload(12);
    const query = { action: 'edit_groups_for_firmware', firmware_version: 12, product_default: true };
    const answer = await answered(api.get({ uri: `/v1/products/${PRODUCT}/impact`, query }));
    const impact = (answer.devices ?? answer).firmware_update;
    check.ok(impact.total > 0);
    check.equal(
      impact.by_version.reduce((sum, { total }) => sum + total, 0),
      impact.total,
    );
  });

  test('a version that was never released can be deleted, another one not', async () => {
    await upload(13);
    const uri = (version) => `/v1/products/${PRODUCT}/firmware/${version}`;
    check.deepEqual(await answered(api.delete({ uri: uri(13) }), 204), {});
    await triedVersion(14);
    await api.releaseProductFirmware({ version: 14, product: PRODUCT, product_default: true });
    await refused(api.delete({ uri: uri(14) }), 400);
  });
});

describe('the compiler and Device OS', () => {
  let api;

  before(async () => {
    await freshCloud();
    api = await loggedIn();
  });

  test('sources become a binary that can be fetched', async () => {
    const files = { 'app.ino': Buffer.from('void setup() {}\nvoid loop() {}\n') };
    const answer = await answered(api.compileCode({ files, platformId: BORON, targetVersion: '6.3.4' }));
    check.equal(answer.ok, true);
    check.equal(answer.binary_url, `/v1/binaries/${answer.binary_id}`);
    check.equal(answer.build_target_version, '6.3.4');
    check.match(answer.expires_at, ISO_TIME);
    const binary = await api.downloadFirmwareBinary({ binaryId: answer.binary_id });
    check.ok(Buffer.isBuffer(binary) && binary.length > 0);
  });

  test('sources that do not compile are a success with a no in it', async () => {
    const files = { 'app.ino': Buffer.from('#error broken\n') };
    const answer = await answered(api.compileCode({ files, platformId: BORON }));
    check.equal(answer.ok, false);
    check.equal(answer.output, "build didn't produce binary");
    check.ok(answer.errors.length > 0);
  });

  test('build targets need no token', async () => {
    const {
      targets,
      platforms,
      default_versions: defaults,
    } = await answered(api.listBuildTargets({ auth: undefined }));
    check.equal(platforms.Boron, BORON);
    check.ok(
      targets.some(({ version, platforms: ids }) => version === defaults[BORON] && ids.includes(BORON)),
    );
    const featured = await answered(api.listBuildTargets({ onlyFeatured: true }));
    check.ok(featured.targets.length <= targets.length);
  });

  test('versions of Device OS are listed for a platform', async () => {
    const versions = await answered(api.listDeviceOsVersions({ platformId: BORON }));
    check.ok(versions.length > 0);
    check.ok(versions.every(({ platform_id: platform }) => platform === BORON));
    check.equal(
      (await answered(api.listDeviceOsVersions({ platformId: BORON, page: 1, perPage: 1 }))).length,
      1,
    );
    const [{ version }] = versions;
    check.equal((await answered(api.getDeviceOsVersion({ version, platformId: BORON }))).version, version);
  });
});
