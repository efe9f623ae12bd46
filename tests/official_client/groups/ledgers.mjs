// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  ISO_TIME,
  PRODUCT,
  STRANGER,
  UNKNOWN_DEVICE,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  thrown,
} from '../support.mjs';

/** Creates and sets answer 201 in the documentation; 200 is as good. */
async function written(request) {
  const { statusCode, body } = await request;
  check.ok([200, 201].includes(statusCode));
  return body;
}

const names = (rows) => rows.map(({ name }) => name);

describe('ledgers', () => {
  let api;

  before(async () => {
    await freshCloud();
    api = await loggedIn();
  });

  const create = (name, more = {}) =>
    api.createLedger({ ledger: { name, scope: 'Device', direction: 'Downstream', ...more } });

  test('a ledger is created and read back', async () => {
    const { ledger } = await answered(create('mesh', { description: 'how to join' }), 201);
    check.equal(ledger.name, 'mesh');
    check.equal(ledger.scope, 'Device');
    check.equal(ledger.direction, 'Downstream');
    check.equal(ledger.description, 'how to join');
    check.match(ledger.created_at, ISO_TIME);
    check.equal(ledger.archived_at, null);
    check.deepEqual((await answered(api.getLedger({ ledgerName: 'mesh' }))).ledger, ledger);
  });

  test('a name is given once, whatever the scope', async () => {
    await create('once');
    const { statusCode } = await thrown(create('once', { scope: 'Product' }));
    check.ok(statusCode >= 400 && statusCode < 500);
  });

  test('a malformed name is refused', async () => {
    check.equal((await thrown(create('Not A Name'))).statusCode, 400);
    check.equal((await thrown(create('x'.repeat(33)))).statusCode, 400);
  });

  test('a description can be changed', async () => {
    await create('described');
    const change = { ledgerName: 'described', ledger: { description: 'better' } };
    check.equal((await written(api.updateLedger(change))).ledger.description, 'better');
  });

  test('the list comes in pages and by scope', async () => {
    await create('of-product', { scope: 'Product', direction: 'Upstream' });
    const page = await answered(api.listLedgers({ page: 1, perPage: 1 }));
    const rows = page.ledgers ?? page.ledger_definitions;
    check.equal(rows.length, 1);
    check.equal(page.meta.page, 1);
    check.equal(page.meta.per_page, 1);
    check.equal(page.meta.total_pages, page.meta.total);
    check.deepEqual(names((await answered(api.listLedgers({ scope: 'Product' }))).ledgers), ['of-product']);
  });

  test('an archived ledger leaves the list for another one', async () => {
    await create('archived');
    check.deepEqual(await answered(api.archiveLedger({ ledgerName: 'archived' }), 204), {});
    check.ok(!names((await answered(api.listLedgers({ perPage: 100 }))).ledgers).includes('archived'));
    check.ok(names((await answered(api.listLedgers({ archived: true }))).ledgers).includes('archived'));
    check.match((await answered(api.getLedger({ ledgerName: 'archived' }))).ledger.archived_at, ISO_TIME);
  });

  test('a ledger that does not exist is not found', async () => {
    await refused(api.getLedger({ ledgerName: 'nothing' }), 404);
    await refused(api.listLedgerInstances({ ledgerName: 'nothing' }), 404);
  });

  test('ledgers of one account are unknown to another', async () => {
    await create('private');
    const stranger = await loggedIn(STRANGER);
    check.deepEqual((await answered(stranger.listLedgers({}))).ledgers, []);
    await refused(stranger.getLedger({ ledgerName: 'private' }), 404);
  });
});

describe('instances of ledgers', () => {
  let api;
  let devices;

  const LEDGER = { ledgerName: 'settings' };

  before(async () => {
    devices = (await freshCloud()).map(({ id }) => id);
    api = await loggedIn();
    await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: devices } });
    await api.createLedger({ ledger: { name: 'settings', scope: 'Device', direction: 'Downstream' } });
    await api.createLedger({ ledger: { name: 'defaults', scope: 'Product', direction: 'Downstream' } });
  });

  const set = (scopeValue, data, setMode) =>
    api.setLedgerInstance({ ...LEDGER, scopeValue, instance: { data }, setMode });

  async function dataOf(scopeValue) {
    return (await answered(api.getLedgerInstance({ ...LEDGER, scopeValue }))).instance.data;
  }

  test('the instance of a device is written and read back', async () => {
    const scopeValue = devices.pop();
    const data = { network: 'barn', channel: 15, keys: ['a', 'b'], nested: { deep: null } };
    const { instance } = await written(set(scopeValue, data));
    check.equal(instance.name, 'settings');
    check.equal(instance.scope.type, 'Device');
    check.equal(instance.scope.value, scopeValue);
    check.ok(instance.size_bytes > 0);
    check.deepEqual(await dataOf(scopeValue), data);
  });

  test('a write replaces everything unless it is a merge', async () => {
    const scopeValue = devices.pop();
    await written(set(scopeValue, { a: 1, b: 2 }));
    await written(set(scopeValue, { b: 3 }, 'Merge'));
    check.deepEqual(await dataOf(scopeValue), { a: 1, b: 3 });
    await written(set(scopeValue, { c: 4 }, 'Replace'));
    check.deepEqual(await dataOf(scopeValue), { c: 4 });
    await written(set(scopeValue, { d: 5 }));
    check.deepEqual(await dataOf(scopeValue), { d: 5 });
  });

  test('instances are listed in pages', async () => {
    for (const scopeValue of devices.splice(0, 3)) {
      await written(set(scopeValue, { listed: true }));
    }
    const first = await answered(api.listLedgerInstances({ ...LEDGER, page: 1, perPage: 2 }));
    const second = await answered(api.listLedgerInstances({ ...LEDGER, page: 2, perPage: 2 }));
    check.equal(first.instances.length, 2);
    check.equal(first.meta.per_page, 2);
    check.equal(first.meta.total_pages, Math.ceil(first.meta.total / 2));
    check.notEqual(first.instances[0].scope.value, second.instances[0].scope.value);
  });

  test('a product has an instance of its own', async () => {
    const place = { ledgerName: 'defaults', scopeValue: String(PRODUCT) };
    const { instance } = await written(api.setLedgerInstance({ ...place, instance: { data: { poll: 60 } } }));
    check.equal(instance.scope.type, 'Product');
    check.deepEqual((await answered(api.getLedgerInstance(place))).instance.data, { poll: 60 });
  });

  test('an instance can be deleted', async () => {
    const scopeValue = devices.pop();
    await written(set(scopeValue, { short: 'lived' }));
    check.deepEqual(await answered(api.deleteLedgerInstance({ ...LEDGER, scopeValue }), 204), {});
    await refused(api.getLedgerInstance({ ...LEDGER, scopeValue }), 404);
  });

  test('what an instance was before can be looked up', async () => {
    const scopeValue = devices.pop();
    for (const turn of [1, 2, 3]) {
      await written(set(scopeValue, { turn }));
    }
    const place = { ...LEDGER, scopeValue };
    const { versions, meta } = await answered(api.listLedgerInstanceVersions(place));
    check.equal(meta.has_more, false);
    const turns = versions.map(({ data }) => data.turn);
    check.ok(turns.includes(1) && turns.includes(2));
    const old = versions.find(({ data }) => data.turn === 1);
    check.match(old.replaced_at, ISO_TIME);
    const single = await answered(api.getLedgerInstanceVersion({ ...place, version: old.replaced_at }));
    check.deepEqual(single.instance.data, { turn: 1 });
    const none = await answered(
      api.listLedgerInstanceVersions({ ...place, replacedAfter: '2099-01-01T00:00:00Z' }),
    );
    check.deepEqual(none.versions, []);
  });

  test('more than a ledger can hold is refused', async () => {
    const { statusCode } = await thrown(set(devices.pop(), { text: 'x'.repeat(17 * 1024) }));
    check.ok(statusCode >= 400 && statusCode < 500);
  });

  test('a device that is in no product of mine has no instance', async () => {
    const { statusCode } = await thrown(set(UNKNOWN_DEVICE, {}));
    check.ok(statusCode >= 400 && statusCode < 500);
  });
});
