// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  PRODUCT,
  UNKNOWN_DEVICE,
  catchError,
  check,
  createClient,
  logIn,
  makeBinary,
  resetCloud,
} from '../support.mjs';

describe('both versions of the client', () => {
  const clients = {};
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await resetCloud();
    for (const version of [11, 12]) {
      clients[version] = await logIn(DEMO, { version });
    }
    const api = clients[12];
    await api.claimDevice({ deviceId });
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    await api.uploadProductFirmware({ file: makeBinary(1), version: 1, title: 'v1', product: PRODUCT });
    await api.createWebhook({ event: 'reading', url: 'https://hooks.example.net/in' });
    await api.createLedger({ ledger: { name: 'mesh', scope: 'Device', direction: 'Downstream' } });
    await api.setLedgerInstance({
      ledgerName: 'mesh',
      scopeValue: deviceId,
      instance: { data: { network: 'barn' } },
    });
  });

  /** Methods of both versions that read, each with a function that returns its arguments. */
  const READS = {
    getUserInfo: () => ({}),
    trackingIdentity: () => ({ full: true }),
    listDevices: () => ({ product: PRODUCT, page: 1, perPage: 5, sortAttr: 'deviceId', sortDir: 'asc' }),
    getDevice: () => ({ deviceId }),
    listProducts: () => ({}),
    getProduct: () => ({ product: PRODUCT }),
    listProductFirmware: () => ({ product: PRODUCT }),
    getProductFirmware: () => ({ version: 1, product: PRODUCT }),
    listTeamMembers: () => ({ product: PRODUCT }),
    listSIMs: () => ({ product: PRODUCT, page: 1, perPage: 5 }),
    getFleetDataUsage: () => ({ product: PRODUCT }),
    listBuildTargets: () => ({ onlyFeatured: true }),
    listDeviceOsVersions: () => ({ platformId: BORON }),
    listOAuthClients: () => ({}),
    listWebhooks: () => ({}),
    listIntegrations: () => ({}),
    listLedgers: () => ({ page: 1, perPage: 5 }),
    getLedger: () => ({ ledgerName: 'mesh' }),
    listLedgerInstances: () => ({ ledgerName: 'mesh' }),
    getLedgerInstance: () => ({ ledgerName: 'mesh', scopeValue: deviceId }),
  };

  for (const [method, makeArguments] of Object.entries(READS)) {
    test(`both versions get the same answer from ${method}`, async () => {
      const [older, newer] = [
        await clients[11][method](makeArguments()),
        await clients[12][method](makeArguments()),
      ];
      check.equal(older.statusCode, 200);
      check.equal(newer.statusCode, 200);
      check.deepEqual(older.body, newer.body);
    });
  }

  test('both versions download the same firmware', async () => {
    const place = { version: 1, product: PRODUCT };
    check.deepEqual(
      await clients[11].downloadProductFirmware(place),
      await clients[12].downloadProductFirmware(place),
    );
  });

  test('writes of both versions have the same effect', async () => {
    for (const version of [11, 12]) {
      const api = clients[version];
      const place = { deviceId, product: PRODUCT };
      check.equal((await api.renameDevice({ ...place, name: `by-${version}` })).body.name, `by-${version}`);
      check.equal(
        (await api.callFunction({ deviceId, name: 'length', argument: 'four' })).body.return_value,
        4,
      );
      check.equal((await api.getVariable({ deviceId, name: 'soil_pct' })).body.name, 'soil_pct');
      const file = Buffer.from(`${deviceId}\n`);
      check.deepEqual((await api.addDeviceToProduct({ file, product: PRODUCT })).body.existingDeviceIds, [
        deviceId,
      ]);
      const instance = { data: { by: version } };
      await api.setLedgerInstance({ ledgerName: 'mesh', scopeValue: deviceId, instance });
      const { body } = await api.getLedgerInstance({ ledgerName: 'mesh', scopeValue: deviceId });
      check.deepEqual(body.instance.data, { by: version });
    }
  });

  test('both versions get the same errors', async () => {
    const refusals = {
      login: (api) => api.login({ ...DEMO, password: 'wrong' }),
      device: (api) => api.getDevice({ deviceId: UNKNOWN_DEVICE }),
      product: (api) => api.getProduct({ product: 999999 }),
      variable: (api) => api.getVariable({ deviceId, name: 'nothing' }),
      token: (api) => api.getUserInfo({ auth: 'bad' }),
    };
    for (const refusal of Object.values(refusals)) {
      const [older, newer] = [await catchError(refusal(clients[11])), await catchError(refusal(clients[12]))];
      check.equal(older.statusCode, newer.statusCode);
      check.equal(older.message, newer.message);
      check.equal(older.body.error, newer.body.error);
    }
  });

  test('logins and revocations of both versions have the same effect', async () => {
    for (const version of [11, 12]) {
      const api = createClient({ version });
      const { body } = await api.login(DEMO);
      check.deepEqual((await api.deleteCurrentAccessToken({ auth: body.access_token })).body, { ok: true });
      check.equal((await catchError(api.getUserInfo({ auth: body.access_token }))).statusCode, 401);
    }
  });
});
