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
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  thrown,
} from '../support.mjs';

const LISTS = [
  'existingDeviceIds',
  'invalidDeviceIds',
  'nonmemberDeviceIds',
  'protectedDeviceIds',
  'updatedDeviceIds',
];
const NO_PRODUCT = { ok: false, error: 'Product not found.' };

const ids = (rows) => rows.map(({ id }) => id);

describe('products', () => {
  let api;

  before(async () => {
    await freshCloud();
    api = await loggedIn();
  });

  test('the list has the products of the account', async () => {
    const { products } = await answered(api.listProducts({}));
    check.deepEqual(
      products.map(({ id, slug, platform_id, user }) => ({ id, slug, platform_id, user })),
      [{ id: PRODUCT, slug: SLUG, platform_id: BORON, user: DEMO.username }],
    );
  });

  test('a product is found by its id and by its slug', async () => {
    const { product } = await answered(api.getProduct({ product: PRODUCT }));
    check.equal(product.name, 'Field Logger');
    check.deepEqual(product.groups, []);
    check.equal(typeof product.settings.quarantine, 'boolean');
    check.deepEqual((await answered(api.getProduct({ product: SLUG }))).product, product);
  });

  test('a product that does not exist is not found, in each of its parts', async () => {
    const product = 999999;
    await refused(api.getProduct({ product }), 404, NO_PRODUCT);
    await refused(api.listDevices({ product }), 404, NO_PRODUCT);
    await refused(api.addDeviceToProduct({ product, deviceId: UNKNOWN_DEVICE }), 404, NO_PRODUCT);
    await refused(api.listProductFirmware({ product }), 404, NO_PRODUCT);
    await refused(api.listTeamMembers({ product }), 404, NO_PRODUCT);
  });

  test('a product of somebody else stays closed', async () => {
    const stranger = await loggedIn(STRANGER);
    check.deepEqual((await answered(stranger.listProducts({}))).products, []);
    check.ok([403, 404].includes((await thrown(stranger.getProduct({ product: PRODUCT }))).statusCode));
    check.ok([403, 404].includes((await thrown(stranger.listDevices({ product: PRODUCT }))).statusCode));
  });
});

describe('devices of a product', () => {
  let api;
  let devices;

  before(async () => {
    devices = await freshCloud();
    api = await loggedIn();
  });

  /** A device that nobody has touched yet, in the product. */
  async function imported() {
    const { id: deviceId } = devices.pop();
    await answered(api.addDeviceToProduct({ deviceId, product: PRODUCT }));
    return { deviceId, product: PRODUCT };
  }

  test('a device is imported by its id', async () => {
    const { id: deviceId } = devices.pop();
    const answer = await answered(api.addDeviceToProduct({ deviceId, product: PRODUCT }));
    check.deepEqual(Object.keys(answer).sort(), [...LISTS, 'updated'].sort());
    check.equal(answer.updated, 1);
    check.deepEqual(answer.updatedDeviceIds, [deviceId]);
  });

  test('an import that is partly right says what became of each device', async () => {
    const { deviceId } = await imported();
    const { id: fresh } = devices.pop();
    const { id: foreign } = devices.pop();
    await (await loggedIn(STRANGER)).claimDevice({ deviceId: foreign });
    const answer = await answered(
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

  test('a file can name devices by id, serial number, IMEI and ICCID', async () => {
    const [one, two, three, four] = devices.splice(0, 4);
    const lines = [one.id, two.serial_number, three.imei, four.iccid];
    const file = Buffer.from(`${lines.join('\n')}\n`);
    const answer = await answered(api.addDeviceToProduct({ file, product: PRODUCT }));
    check.equal(answer.updated, 4);
    check.deepEqual(answer.updatedDeviceIds, lines);
    for (const { id: deviceId } of [one, two, three, four]) {
      check.equal((await answered(api.getDevice({ deviceId, product: PRODUCT }))).product_id, PRODUCT);
    }
  });

  test('a device shows what the product knows of it', async () => {
    const device = await answered(api.getDevice(await imported()));
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

  test('a device of the product is visible on the account route, though nobody has claimed it', async () => {
    const { deviceId } = await imported();
    check.equal((await answered(api.getDevice({ deviceId }))).id, deviceId);
    check.ok(!ids(await answered(api.listDevices({}))).includes(deviceId));
  });

  test('a device that is not in the product is refused there', async () => {
    const { id: deviceId } = devices.pop();
    const refusal = await thrown(api.getDevice({ deviceId, product: PRODUCT }));
    check.ok([403, 404].includes(refusal.statusCode));
  });

  test('name, notes and development flag are changed in one call', async () => {
    const here = await imported();
    const changes = { name: 'barn-01', notes: 'by the door', development: true };
    const answer = await answered(api.updateDevice({ ...here, ...changes }));
    check.equal(answer.id, here.deviceId);
    const { name, notes, development } = await answered(api.getDevice(here));
    check.deepEqual({ name, notes, development }, changes);
  });

  test('each of them has a call of its own', async () => {
    const here = await imported();
    check.equal((await answered(api.renameDevice({ ...here, name: 'barn-02' }))).name, 'barn-02');
    check.equal((await answered(api.setDeviceNotes({ ...here, notes: 'roof' }))).notes, 'roof');
    check.equal((await answered(api.markAsDevelopmentDevice(here))).development, true);
    check.equal(
      (await answered(api.markAsDevelopmentDevice({ ...here, development: false }))).development,
      false,
    );
  });

  test('a device that is released keeps its place in the product', async () => {
    const here = await imported();
    await answered(api.claimDevice({ deviceId: here.deviceId }));
    check.equal((await answered(api.getDevice(here))).owner, DEMO.username);
    check.deepEqual(await answered(api.removeDeviceOwner(here)), { ok: true });
    check.equal((await answered(api.getDevice(here))).owner, undefined);
  });

  test('a device that is removed falls back to the product of its platform', async () => {
    const here = await imported();
    await answered(api.claimDevice({ deviceId: here.deviceId }));
    check.deepEqual(await answered(api.removeDevice(here), 204), {});
    check.equal((await answered(api.getDevice({ deviceId: here.deviceId }))).product_id, BORON);
  });

  test('a device is denied, and approved again by an import', async () => {
    const here = await imported();
    await answered(api.removeDevice({ ...here, deny: true }), 204);
    check.equal((await answered(api.getDevice(here))).denied, true);
    await answered(api.addDeviceToProduct(here));
    check.equal((await answered(api.getDevice(here))).denied, false);
  });

  test('an unknown device of the product is refused', async () => {
    const here = { deviceId: UNKNOWN_DEVICE, product: PRODUCT };
    check.ok([403, 404].includes((await thrown(api.getDevice(here))).statusCode));
    check.ok([403, 404].includes((await thrown(api.renameDevice({ ...here, name: 'ghost' }))).statusCode));
  });

  test('an import can claim for a member of the team', async () => {
    const { id: deviceId } = devices.pop();
    const data = { ids: [deviceId], claim_user: DEMO.username };
    await answered(api.post({ uri: `/v1/products/${PRODUCT}/devices`, data }));
    check.equal((await answered(api.getDevice({ deviceId }))).owner, DEMO.username);
  });

  test('shipments are a bare list', async () => {
    check.deepEqual(await answered(api.get({ uri: `/v1/products/${PRODUCT}/device_orders` })), []);
  });
});

describe('the pages of a product', () => {
  let api;
  let all;

  before(async () => {
    all = ids(await freshCloud()).sort();
    api = await loggedIn();
    await api.addDeviceToProduct({ file: Buffer.from(all.join('\n')), product: PRODUCT });
    await api.renameDevice({ deviceId: all[3], name: 'Barn-Door', product: PRODUCT });
    await api.put({ uri: `/v1/products/${PRODUCT}/devices/${all[4]}`, data: { groups: ['north', 'beta'] } });
  });

  const list = (query) => answered(api.listDevices({ product: PRODUCT, ...query }));

  test('a page has 25 devices unless one asks otherwise', async () => {
    const { devices, customers, meta } = await list({});
    check.equal(devices.length, 25);
    check.deepEqual(customers, []);
    check.deepEqual(meta, { total_pages: Math.ceil(all.length / 25) });
  });

  test('the pages together have every device once', async () => {
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
      pages.push(ids(devices));
    } while (pages.length < total);
    check.equal(total, Math.ceil(all.length / 10));
    check.deepEqual(pages.flat(), all);
  });

  test('the page behind the last one is empty', async () => {
    check.deepEqual((await list({ page: 99, perPage: 10 })).devices, []);
  });

  test('the order can be turned round', async () => {
    const { devices } = await list({ perPage: 100, sortAttr: 'deviceId', sortDir: 'desc' });
    check.deepEqual(ids(devices), [...all].reverse());
  });

  test('a row has what the summary promises', async () => {
    const { devices } = await list({ deviceId: all[3] });
    const expected =
      'denied development firmware_product_id groups id last_handshake_at last_ip_address name online ' +
      'platform_id product_id quarantined serial_number system_firmware_version targeted_firmware_release_version';
    check.deepEqual(
      expected.split(' ').filter((key) => !(key in devices[0])),
      [],
    );
  });

  test('a part of the id, of the name or of the serial number finds a device', async () => {
    check.deepEqual(ids((await list({ deviceId: all[7].slice(4) })).devices), [all[7]]);
    check.deepEqual(ids((await list({ deviceName: 'Barn' })).devices), [all[3]]);
    const uri = `/v1/products/${PRODUCT}/devices`;
    const [{ serial_number: serialNumber }] = (await list({ deviceId: all[9] })).devices;
    check.deepEqual(ids((await answered(api.get({ uri, query: { serialNumber } }))).devices), [all[9]]);
  });

  test('groups find a device by their whole names', async () => {
    check.deepEqual(ids((await list({ groups: ['north'] })).devices), [all[4]]);
    check.deepEqual((await list({ groups: ['nor'] })).devices, []);
  });
});
