// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { PRODUCT, answered, check, freshCloud, loggedIn, refused, thrown } from '../support.mjs';

// The client has no methods for device groups; its plain verbs reach them.
const GROUPS = `/v1/products/${PRODUCT}/groups`;
const DEVICES = `/v1/products/${PRODUCT}/devices`;

describe('device groups', () => {
  let api;
  let first;
  let second;

  before(async () => {
    [first, second] = (await freshCloud()).map(({ id }) => id);
    api = await loggedIn();
    await api.post({ uri: DEVICES, data: { ids: [first, second] } });
  });

  const groupsOf = async (deviceId) =>
    (await api.getDevice({ deviceId, product: PRODUCT })).body.groups.sort();

  test('a group is created with a colour and a description', async () => {
    const data = { name: 'north', color: '#00aaff', description: 'the north wall' };
    const { group } = await answered(api.post({ uri: GROUPS, data }), 201);
    check.equal(group.name, 'north');
    check.equal(group.color, '#00aaff');
    check.equal(group.description, 'the north wall');
  });

  test('a name cannot be malformed or taken', async () => {
    await api.post({ uri: GROUPS, data: { name: 'taken' } });
    for (const name of ['taken', 'North Wall']) {
      const { statusCode } = await thrown(api.post({ uri: GROUPS, data: { name } }));
      check.ok(statusCode === 400 || statusCode === 409);
    }
  });

  test('the groups of a device are set as a whole, and new names are created', async () => {
    const uri = `${DEVICES}/${first}`;
    const answer = await answered(api.put({ uri, data: { groups: ['alpha', 'beta'] } }));
    check.deepEqual(answer.groups, ['alpha', 'beta']);
    await answered(api.put({ uri, data: { groups: ['beta', 'gamma'] } }));
    check.deepEqual(await groupsOf(first), ['beta', 'gamma']);
    const { groups } = await answered(api.get({ uri: GROUPS, query: { name: 'alp' } }));
    check.deepEqual(
      groups.map(({ name }) => name),
      ['alpha'],
    );
  });

  test('a batch adds and removes groups of many devices', async () => {
    await api.post({ uri: GROUPS, data: { name: 'batch' } });
    const batch = (metadata) =>
      api.put({ uri: DEVICES, data: { action: 'groups', devices: [first, second], metadata } });
    check.deepEqual(await answered(batch({ add: ['batch'] })), { ok: true });
    check.ok((await groupsOf(first)).includes('batch'));
    check.deepEqual(await groupsOf(second), ['batch']);
    check.deepEqual(await answered(batch({ remove: ['batch'] })), { ok: true });
    check.deepEqual(await groupsOf(second), []);
  });

  test('a single group counts its devices', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['counted'] } });
    const { group } = await answered(api.get({ uri: `${GROUPS}/counted` }));
    check.equal(group.device_count, 1);
    const { product } = await answered(api.getProduct({ product: PRODUCT }));
    check.ok(product.groups.includes('counted'));
  });

  test('a group can be renamed, and its devices follow', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['before'] } });
    const { group } = await answered(api.put({ uri: `${GROUPS}/before`, data: { name: 'behind' } }));
    check.equal(group.name, 'behind');
    check.deepEqual(await groupsOf(second), ['behind']);
  });

  test('a group that is deleted is gone from its devices too', async () => {
    await api.put({ uri: `${DEVICES}/${second}`, data: { groups: ['doomed'] } });
    check.deepEqual(await answered(api.delete({ uri: `${GROUPS}/doomed` }), 204), {});
    check.deepEqual(await groupsOf(second), []);
    await refused(api.get({ uri: `${GROUPS}/doomed` }), 404);
  });
});
