// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { PRODUCT, catchError, check, expectRefusal, logIn, readBody, resetCloud } from '../support.mjs';

// The client has no methods for device groups; its plain verbs reach them.
const GROUPS = `/v1/products/${PRODUCT}/groups`;
const DEVICES = `/v1/products/${PRODUCT}/devices`;

describe('device groups', () => {
  let api;
  let first;
  let second;

  before(async () => {
    [first, second] = (await resetCloud()).map(({ id }) => id);
    api = await logIn();
    await api.post({ uri: DEVICES, data: { ids: [first, second] } });
  });

  const listGroups = async (deviceId) =>
    (await api.getDevice({ deviceId, product: PRODUCT })).body.groups.sort();

  test('a group is created with a colour and a description', async () => {
    const data = { name: 'north', color: '#00aaff', description: 'the north wall' };
    const { group } = await readBody(api.post({ uri: GROUPS, data }), 201);
    check.equal(group.name, 'north');
    check.equal(group.color, '#00aaff');
    check.equal(group.description, 'the north wall');
  });

  test('a malformed or duplicate name is refused', async () => {
    await api.post({ uri: GROUPS, data: { name: 'taken' } });
    for (const name of ['taken', 'North Wall']) {
      const { statusCode } = await catchError(api.post({ uri: GROUPS, data: { name } }));
      check.ok(statusCode === 400 || statusCode === 409);
    }
  });

  test('the groups of a device are replaced, and missing groups are created', async () => {
    const uri = `${DEVICES}/${first}`;
    const answer = await readBody(api.put({ uri, data: { groups: ['alpha', 'beta'] } }));
    check.deepEqual(answer.groups, ['alpha', 'beta']);
    await readBody(api.put({ uri, data: { groups: ['beta', 'gamma'] } }));
    check.deepEqual(await listGroups(first), ['beta', 'gamma']);
    const { groups } = await readBody(api.get({ uri: GROUPS, query: { name: 'alp' } }));
    check.deepEqual(
      groups.map(({ name }) => name),
      ['alpha'],
    );
  });

  test('a batch adds and removes groups of many devices', async () => {
    await api.post({ uri: GROUPS, data: { name: 'batch' } });
    const batch = (metadata) =>
      api.put({ uri: DEVICES, data: { action: 'groups', devices: [first, second], metadata } });
    check.deepEqual(await readBody(batch({ add: ['batch'] })), { ok: true });
    check.ok((await listGroups(first)).includes('batch'));
    check.deepEqual(await listGroups(second), ['batch']);
    check.deepEqual(await readBody(batch({ remove: ['batch'] })), { ok: true });
    check.deepEqual(await listGroups(second), []);
  });

  test('a group contains the number of its devices', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['counted'] } });
    const { group } = await readBody(api.get({ uri: `${GROUPS}/counted` }));
    check.equal(group.device_count, 1);
    const { product } = await readBody(api.getProduct({ product: PRODUCT }));
    check.ok(product.groups.includes('counted'));
  });

  test('a renamed group keeps its devices', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['before'] } });
    const { group } = await readBody(api.put({ uri: `${GROUPS}/before`, data: { name: 'behind' } }));
    check.equal(group.name, 'behind');
    check.deepEqual(await listGroups(second), ['behind']);
  });

  test('a deleted group is removed from its devices', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['doomed'] } });
    check.deepEqual(await readBody(api.delete({ uri: `${GROUPS}/doomed` }), 204), {});
    check.deepEqual(await listGroups(second), []);
    await expectRefusal(api.get({ uri: `${GROUPS}/doomed` }), 404);
  });
});
