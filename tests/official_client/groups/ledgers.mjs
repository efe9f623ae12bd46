// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  ISO_TIME,
  PRODUCT,
  STRANGER,
  UNKNOWN_DEVICE,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

/** Check the status of a write, and return its body. The documentation says 201, but 200 is valid too. */
async function expectWrite(request) {
  const { statusCode, body } = await request;
  check.ok([200, 201].includes(statusCode));
  return body;
}

const listNames = (rows) => rows.map(({ name }) => name);

describe('ledgers', () => {
  let api;

  before(async () => {
    await resetCloud();
    api = await logIn();
  });

  const create = (name, more = {}) =>
    api.createLedger({ ledger: { name, scope: 'Device', direction: 'Downstream', ...more } });

  test('a created ledger can be read', async () => {
    const { ledger } = await readBody(create('mesh', { description: 'how to join' }), 201);
    check.equal(ledger.name, 'mesh');
    check.equal(ledger.scope, 'Device');
    check.equal(ledger.direction, 'Downstream');
    check.equal(ledger.description, 'how to join');
    check.match(ledger.created_at, ISO_TIME);
    check.equal(ledger.archived_at, null);
    check.deepEqual((await readBody(api.getLedger({ ledgerName: 'mesh' }))).ledger, ledger);
  });

  test('a name can be used only once, even in another scope', async () => {
    await create('once');
    const { statusCode } = await catchError(create('once', { scope: 'Product' }));
    check.ok(statusCode >= 400 && statusCode < 500);
  });

  test('a malformed name is refused', async () => {
    check.equal((await catchError(create('Not A Name'))).statusCode, 400);
    check.equal((await catchError(create('x'.repeat(33)))).statusCode, 400);
  });

  test('a description can be changed', async () => {
    await create('described');
    const change = { ledgerName: 'described', ledger: { description: 'better' } };
    check.equal((await expectWrite(api.updateLedger(change))).ledger.description, 'better');
  });

  test('the list has pages and can be filtered by scope', async () => {
    await create('of-product', { scope: 'Product', direction: 'Upstream' });
    const page = await readBody(api.listLedgers({ page: 1, perPage: 1 }));
    const rows = page.ledgers ?? page.ledger_definitions;
    check.equal(rows.length, 1);
    check.equal(page.meta.page, 1);
    check.equal(page.meta.per_page, 1);
    check.equal(page.meta.total_pages, page.meta.total);
    check.deepEqual(listNames((await readBody(api.listLedgers({ scope: 'Product' }))).ledgers), [
      'of-product',
    ]);
  });

  test('an archived ledger is only in the list of archived ledgers', async () => {
    await create('archived');
    check.deepEqual(await readBody(api.archiveLedger({ ledgerName: 'archived' }), 204), {});
    check.ok(!listNames((await readBody(api.listLedgers({ perPage: 100 }))).ledgers).includes('archived'));
    check.ok(listNames((await readBody(api.listLedgers({ archived: true }))).ledgers).includes('archived'));
    check.match((await readBody(api.getLedger({ ledgerName: 'archived' }))).ledger.archived_at, ISO_TIME);
  });

  test('an unknown ledger is not found', async () => {
    await expectRefusal(api.getLedger({ ledgerName: 'nothing' }), 404);
    await expectRefusal(api.listLedgerInstances({ ledgerName: 'nothing' }), 404);
  });

  test('ledgers of another account are not found', async () => {
    await create('private');
    const stranger = await logIn(STRANGER);
    check.deepEqual((await readBody(stranger.listLedgers({}))).ledgers, []);
    await expectRefusal(stranger.getLedger({ ledgerName: 'private' }), 404);
  });
});

describe('instances of ledgers', () => {
  let api;
  let devices;

  const LEDGER = { ledgerName: 'settings' };

  before(async () => {
    devices = (await resetCloud()).map(({ id }) => id);
    api = await logIn();
    await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: devices } });
    await api.createLedger({ ledger: { name: 'settings', scope: 'Device', direction: 'Downstream' } });
    await api.createLedger({ ledger: { name: 'defaults', scope: 'Product', direction: 'Downstream' } });
  });

  const set = (scopeValue, data, setMode) =>
    api.setLedgerInstance({ ...LEDGER, scopeValue, instance: { data }, setMode });

  async function readData(scopeValue) {
    return (await readBody(api.getLedgerInstance({ ...LEDGER, scopeValue }))).instance.data;
  }

  test('a written instance of a device can be read', async () => {
    const scopeValue = devices.pop();
    const data = { network: 'barn', channel: 15, keys: ['a', 'b'], nested: { deep: null } };
    const { instance } = await expectWrite(set(scopeValue, data));
    check.equal(instance.name, 'settings');
    check.equal(instance.scope.type, 'Device');
    check.equal(instance.scope.value, scopeValue);
    check.ok(instance.size_bytes > 0);
    check.deepEqual(await readData(scopeValue), data);
  });

  test('a write replaces everything unless it is a merge', async () => {
    const scopeValue = devices.pop();
    await expectWrite(set(scopeValue, { a: 1, b: 2 }));
    await expectWrite(set(scopeValue, { b: 3 }, 'Merge'));
    check.deepEqual(await readData(scopeValue), { a: 1, b: 3 });
    await expectWrite(set(scopeValue, { c: 4 }, 'Replace'));
    check.deepEqual(await readData(scopeValue), { c: 4 });
    await expectWrite(set(scopeValue, { d: 5 }));
    check.deepEqual(await readData(scopeValue), { d: 5 });
  });

  test('instances are listed in pages', async () => {
    for (const scopeValue of devices.splice(0, 3)) {
      await expectWrite(set(scopeValue, { listed: true }));
    }
    const first = await readBody(api.listLedgerInstances({ ...LEDGER, page: 1, perPage: 2 }));
    const second = await readBody(api.listLedgerInstances({ ...LEDGER, page: 2, perPage: 2 }));
    check.equal(first.instances.length, 2);
    check.equal(first.meta.per_page, 2);
    check.equal(first.meta.total_pages, Math.ceil(first.meta.total / 2));
    check.notEqual(first.instances[0].scope.value, second.instances[0].scope.value);
  });

  test('a product has its own instance', async () => {
    const place = { ledgerName: 'defaults', scopeValue: String(PRODUCT) };
    const { instance } = await expectWrite(
      api.setLedgerInstance({ ...place, instance: { data: { poll: 60 } } }),
    );
    check.equal(instance.scope.type, 'Product');
    check.deepEqual((await readBody(api.getLedgerInstance(place))).instance.data, { poll: 60 });
  });

  test('an instance can be deleted', async () => {
    const scopeValue = devices.pop();
    await expectWrite(set(scopeValue, { short: 'lived' }));
    check.deepEqual(await readBody(api.deleteLedgerInstance({ ...LEDGER, scopeValue }), 204), {});
    await expectRefusal(api.getLedgerInstance({ ...LEDGER, scopeValue }), 404);
  });

  test('previous versions of an instance can be read', async () => {
    const scopeValue = devices.pop();
    for (const turn of [1, 2, 3]) {
      await expectWrite(set(scopeValue, { turn }));
    }
    const place = { ...LEDGER, scopeValue };
    const { versions, meta } = await readBody(api.listLedgerInstanceVersions(place));
    check.equal(meta.has_more, false);
    const turns = versions.map(({ data }) => data.turn);
    check.ok(turns.includes(1) && turns.includes(2));
    const old = versions.find(({ data }) => data.turn === 1);
    check.match(old.replaced_at, ISO_TIME);
    const single = await readBody(api.getLedgerInstanceVersion({ ...place, version: old.replaced_at }));
    check.deepEqual(single.instance.data, { turn: 1 });
    const none = await readBody(
      api.listLedgerInstanceVersions({ ...place, replacedAfter: '2099-01-01T00:00:00Z' }),
    );
    check.deepEqual(none.versions, []);
  });

  test('an instance that is too large is refused', async () => {
    const { statusCode } = await catchError(set(devices.pop(), { text: 'x'.repeat(17 * 1024) }));
    check.ok(statusCode >= 400 && statusCode < 500);
  });

  test('an instance of an unknown device is refused', async () => {
    const { statusCode } = await catchError(set(UNKNOWN_DEVICE, {}));
    check.ok(statusCode >= 400 && statusCode < 500);
  });
});
