// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  PRODUCT,
  SLUG,
  STRANGER,
  UNKNOWN_DEVICE,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

const LISTS = [
  'existingDeviceIds',
  'invalidDeviceIds',
  'nonmemberDeviceIds',
  'protectedDeviceIds',
  'updatedDeviceIds',
];
const NO_PRODUCT = { ok: false, error: 'Product not found.' };

const listIds = (rows) => rows.map(({ id }) => id);

describe('products', () => {
  let api;

  before(async () => {
    await resetCloud();
    api = await logIn();
  });

  test('the list contains the products of the account', async () => {
    const { products } = await readBody(api.listProducts({}));
    check.deepEqual(
      products.map(({ id, slug, platform_id, user }) => ({ id, slug, platform_id, user })),
      [{ id: PRODUCT, slug: SLUG, platform_id: BORON, user: DEMO.username }],
    );
  });

  test('a product is found by its id and by its slug', async () => {
    const { product } = await readBody(api.getProduct({ product: PRODUCT }));
    check.equal(product.name, 'Field Logger');
    check.deepEqual(product.groups, []);
    check.equal(typeof product.settings.quarantine, 'boolean');
    check.deepEqual((await readBody(api.getProduct({ product: SLUG }))).product, product);
  });

  test('no route finds an unknown product', async () => {
    const product = 999999;
    await expectRefusal(api.getProduct({ product }), 404, NO_PRODUCT);
    await expectRefusal(api.listDevices({ product }), 404, NO_PRODUCT);
    await expectRefusal(api.addDeviceToProduct({ product, deviceId: UNKNOWN_DEVICE }), 404, NO_PRODUCT);
    await expectRefusal(api.listProductFirmware({ product }), 404, NO_PRODUCT);
    await expectRefusal(api.listTeamMembers({ product }), 404, NO_PRODUCT);
  });

  test('a product of another account is refused', async () => {
    const stranger = await logIn(STRANGER);
    check.deepEqual((await readBody(stranger.listProducts({}))).products, []);
    check.ok([403, 404].includes((await catchError(stranger.getProduct({ product: PRODUCT }))).statusCode));
    check.ok([403, 404].includes((await catchError(stranger.listDevices({ product: PRODUCT }))).statusCode));
  });
});

describe('devices of a product', () => {
  let api;
  let devices;

  before(async () => {
    devices = await resetCloud();
    api = await logIn();
  });

  /** Import a device that no test has used, and return its id and its product. */
  async function importDevice() {
    const { id: deviceId } = devices.pop();
    await readBody(api.addDeviceToProduct({ deviceId, product: PRODUCT }));
    return { deviceId, product: PRODUCT };
  }

  test('a device is imported by its id', async () => {
    const { id: deviceId } = devices.pop();
    const answer = await readBody(api.addDeviceToProduct({ deviceId, product: PRODUCT }));
    check.deepEqual(Object.keys(answer).sort(), [...LISTS, 'updated'].sort());
    check.equal(answer.updated, 1);
    check.deepEqual(answer.updatedDeviceIds, [deviceId]);
  });

  test('an import returns the outcome of each device', async () => {
    const { deviceId } = await importDevice();
    const { id: fresh } = devices.pop();
    const { id: foreign } = devices.pop();
    await (await logIn(STRANGER)).claimDevice({ deviceId: foreign });
    const answer = await readBody(
      api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: [deviceId, fresh, foreign, 'nope'] } }),
    );
    check.deepEqual(answer, {
      updated: 1,
      updatedDeviceIds: [fresh],
      existingDeviceIds: [deviceId],
      nonmemberDeviceIds: [foreign],
      invalidDeviceIds: ['nope'],
      protectedDeviceIds: [],
    });
  });

  test('an imported file can contain ids, serial numbers, IMEIs and ICCIDs', async () => {
    const [one, two, three, four] = devices.splice(0, 4);
    const lines = [one.id, two.serial_number, three.imei, four.iccid];
    const file = Buffer.from(`${lines.join('\n')}\n`);
    const answer = await readBody(api.addDeviceToProduct({ file, product: PRODUCT }));
    check.equal(answer.updated, 4);
    check.deepEqual(answer.updatedDeviceIds, lines);
    for (const { id: deviceId } of [one, two, three, four]) {
      check.equal((await readBody(api.getDevice({ deviceId, product: PRODUCT }))).product_id, PRODUCT);
    }
  });

  test('an imported device has the fields of its product', async () => {
    const device = await readBody(api.getDevice(await importDevice()));
    check.equal(device.product_id, PRODUCT);
    check.equal(device.firmware_product_id, PRODUCT);
    check.deepEqual(device.groups, []);
    check.equal(device.desired_firmware_version, null);
    check.equal(device.targeted_firmware_release_version, null);
    check.equal(device.development, false);
    check.equal(device.quarantined, false);
    check.equal(device.denied, false);
    check.equal(device.owner, undefined);
  });

  test('an unclaimed device of a product is readable through the account but not listed', async () => {
    const { deviceId } = await importDevice();
    check.equal((await readBody(api.getDevice({ deviceId }))).id, deviceId);
    check.ok(!listIds(await readBody(api.listDevices({}))).includes(deviceId));
  });

  test('a device outside the product is refused', async () => {
    const { id: deviceId } = devices.pop();
    const refusal = await catchError(api.getDevice({ deviceId, product: PRODUCT }));
    check.ok([403, 404].includes(refusal.statusCode));
  });

  test('name, notes and development flag can be changed in one request', async () => {
    const here = await importDevice();
    const changes = { name: 'barn-01', notes: 'by the door', development: true };
    const answer = await readBody(api.updateDevice({ ...here, ...changes }));
    check.equal(answer.id, here.deviceId);
    const { name, notes, development } = await readBody(api.getDevice(here));
    check.deepEqual({ name, notes, development }, changes);
  });

  test('name, notes and development flag each have a separate method', async () => {
    const here = await importDevice();
    check.equal((await readBody(api.renameDevice({ ...here, name: 'barn-02' }))).name, 'barn-02');
    check.equal((await readBody(api.setDeviceNotes({ ...here, notes: 'roof' }))).notes, 'roof');
    check.equal((await readBody(api.markAsDevelopmentDevice(here))).development, true);
    check.equal(
      (await readBody(api.markAsDevelopmentDevice({ ...here, development: false }))).development,
      false,
    );
  });

  test('a released device stays in the product', async () => {
    const here = await importDevice();
    await readBody(api.claimDevice({ deviceId: here.deviceId }));
    check.equal((await readBody(api.getDevice(here))).owner, DEMO.username);
    check.deepEqual(await readBody(api.removeDeviceOwner(here)), { ok: true });
    check.equal((await readBody(api.getDevice(here))).owner, undefined);
  });

  test('a removed device returns to the product of its platform', async () => {
    const here = await importDevice();
    await readBody(api.claimDevice({ deviceId: here.deviceId }));
    check.deepEqual(await readBody(api.removeDevice(here), 204), {});
    check.equal((await readBody(api.getDevice({ deviceId: here.deviceId }))).product_id, BORON);
  });

  test('an import approves a denied device again', async () => {
    const here = await importDevice();
    await readBody(api.removeDevice({ ...here, deny: true }), 204);
    check.equal((await readBody(api.getDevice(here))).denied, true);
    await readBody(api.addDeviceToProduct(here));
    check.equal((await readBody(api.getDevice(here))).denied, false);
  });

  test('an unknown device of the product is refused', async () => {
    const here = { deviceId: UNKNOWN_DEVICE, product: PRODUCT };
    check.ok([403, 404].includes((await catchError(api.getDevice(here))).statusCode));
    check.ok(
      [403, 404].includes((await catchError(api.renameDevice({ ...here, name: 'ghost' }))).statusCode),
    );
  });

  test('an import can claim devices for a team member', async () => {
    const { id: deviceId } = devices.pop();
    const data = { ids: [deviceId], claim_user: DEMO.username };
    await readBody(api.post({ uri: `/v1/products/${PRODUCT}/devices`, data }));
    check.equal((await readBody(api.getDevice({ deviceId }))).owner, DEMO.username);
  });

  test('shipments are an array without an envelope', async () => {
    check.deepEqual(await readBody(api.get({ uri: `/v1/products/${PRODUCT}/device_orders` })), []);
  });
});

describe('the pages of a product', () => {
  let api;
  let all;

  before(async () => {
    all = listIds(await resetCloud()).sort();
    api = await logIn();
    await api.addDeviceToProduct({ file: Buffer.from(all.join('\n')), product: PRODUCT });
    await api.renameDevice({ deviceId: all[3], name: 'Barn-Door', product: PRODUCT });
    await api.put({ uri: `/v1/products/${PRODUCT}/devices/${all[4]}`, data: { groups: ['north', 'beta'] } });
  });

  const list = (query) => readBody(api.listDevices({ product: PRODUCT, ...query }));

  test('a page has 25 devices by default', async () => {
    const { devices, customers, meta } = await list({});
    check.equal(devices.length, 25);
    check.deepEqual(customers, []);
    check.deepEqual(meta, { total_pages: Math.ceil(all.length / 25) });
  });

  test('the pages together contain every device once', async () => {
    const pages = [];
    let total;
    do {
      const { devices, meta } = await list({
        page: pages.length + 1,
        perPage: 10,
        sortAttr: 'deviceId',
        sortDir: 'asc',
      });
      total = meta.total_pages;
      pages.push(listIds(devices));
    } while (pages.length < total);
    check.equal(total, Math.ceil(all.length / 10));
    check.deepEqual(pages.flat(), all);
  });

  test('the page after the last one is empty', async () => {
    check.deepEqual((await list({ page: 99, perPage: 10 })).devices, []);
  });

  test('the order can be reversed', async () => {
    const { devices } = await list({ perPage: 100, sortAttr: 'deviceId', sortDir: 'desc' });
    check.deepEqual(listIds(devices), [...all].reverse());
  });

  test('a row has all documented fields', async () => {
    const { devices } = await list({ deviceId: all[3] });
    const expected =
      'denied development firmware_product_id groups id last_handshake_at last_ip_address name online ' +
      'platform_id product_id quarantined serial_number system_firmware_version targeted_firmware_release_version';
    check.deepEqual(
      expected.split(' ').filter((key) => !(key in devices[0])),
      [],
    );
  });

  test('a device is found by a part of its id, name or serial number', async () => {
    check.deepEqual(listIds((await list({ deviceId: all[7].slice(4) })).devices), [all[7]]);
    check.deepEqual(listIds((await list({ deviceName: 'Barn' })).devices), [all[3]]);
    const uri = `/v1/products/${PRODUCT}/devices`;
    const [{ serial_number: serialNumber }] = (await list({ deviceId: all[9] })).devices;
    check.deepEqual(listIds((await readBody(api.get({ uri, query: { serialNumber } }))).devices), [all[9]]);
  });

  test('a device is found by the full name of its group', async () => {
    check.deepEqual(listIds((await list({ groups: ['north'] })).devices), [all[4]]);
    check.deepEqual((await list({ groups: ['nor'] })).devices, []);
  });
});
