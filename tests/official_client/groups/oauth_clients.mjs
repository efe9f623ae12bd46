// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_40,
  PRODUCT,
  anonymous,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  withToken,
} from '../support.mjs';

for (const [whose, place] of [
  ['an account', {}],
  ['a product', { product: PRODUCT }],
]) {
  describe(`OAuth clients of ${whose}`, () => {
    let api;

    before(async () => {
      await freshCloud();
      api = await loggedIn();
    });

    const create = (name, more = {}) => api.createOAuthClient({ name, type: 'installed', ...place, ...more });

    test('the secret of a client is told when it is created, and never listed', async () => {
      const { ok, client } = await answered(create('fleet bot'));
      check.equal(ok, true);
      check.match(client.id, /^fleet-bot-\d+$/);
      check.equal(client.name, 'fleet bot');
      check.equal(client.type, 'installed');
      check.match(client.secret, HEX_40);
      check.equal(client.product_id, place.product);
      const { clients } = await answered(api.listOAuthClients(place));
      const listed = clients.find(({ id }) => id === client.id);
      check.equal(listed.name, 'fleet bot');
      check.equal(listed.secret, undefined);
    });

    test('two clients of one name get two ids', async () => {
      const [one, other] = [await answered(create('twin')), await answered(create('twin'))];
      check.notEqual(one.client.id, other.client.id);
    });

    test('a client of the web keeps its address', async () => {
      const address = 'https://app.example.com/callback';
      const { client } = await answered(create('site', { type: 'web', redirect_uri: address }));
      check.equal(client.redirect_uri, address);
    });

    test('a client can be renamed and narrowed', async () => {
      const { body } = await create('old name');
      const change = { clientId: body.client.id, name: 'new name', scope: 'customers:create', ...place };
      const { client } = await answered(api.updateOAuthClient(change));
      check.equal(client.id, body.client.id);
      check.equal(client.name, 'new name');
      check.equal(client.scope, 'customers:create');
    });

    test('a client gets tokens until it is deleted', async () => {
      const { body } = await create('short lived');
      const { id: clientId, secret: clientSecret } = body.client;
      const bot = anonymous({ clientId, clientSecret });
      const { access_token: token } = await answered(bot.loginAsClientOwner());
      check.equal((await answered(withToken(token).getProduct({ product: PRODUCT }))).product.id, PRODUCT);
      check.deepEqual(await answered(api.deleteOAuthClient({ clientId, ...place }), 204), {});
      await refused(bot.loginAsClientOwner(), 400, { error_description: 'Client credentials are invalid' });
      await refused(api.deleteOAuthClient({ clientId, ...place }), 404);
    });
  });
}

describe('an account with a client from the start', () => {
  test('lists it', async () => {
    await freshCloud();
    const api = await loggedIn();
    const { clients } = await answered(api.listOAuthClients({}));
    check.deepEqual(
      clients.map(({ id }) => id),
      DEMO.clients.map(({ id }) => id),
    );
  });
});
