// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_40,
  PRODUCT,
  check,
  createClient,
  createTokenClient,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

for (const [owner, place] of [
  ['an account', {}],
  ['a product', { product: PRODUCT }],
]) {
  describe(`OAuth clients of ${owner}`, () => {
    let api;

    before(async () => {
      await resetCloud();
      api = await logIn();
    });

    const create = (name, more = {}) => api.createOAuthClient({ name, type: 'installed', ...place, ...more });

    test('the secret of a client is returned at its creation and never listed', async () => {
      const { ok, client } = await readBody(create('fleet bot'));
      check.equal(ok, true);
      check.match(client.id, /^fleet-bot-\d+$/);
      check.equal(client.name, 'fleet bot');
      check.equal(client.type, 'installed');
      check.match(client.secret, HEX_40);
      check.equal(client.product_id, place.product);
      const { clients } = await readBody(api.listOAuthClients(place));
      const listed = clients.find(({ id }) => id === client.id);
      check.equal(listed.name, 'fleet bot');
      check.equal(listed.secret, undefined);
    });

    test('two clients with the same name have different ids', async () => {
      const [one, other] = [await readBody(create('twin')), await readBody(create('twin'))];
      check.notEqual(one.client.id, other.client.id);
    });

    test('a web client has its redirect address', async () => {
      const address = 'https://app.example.com/callback';
      const { client } = await readBody(create('site', { type: 'web', redirect_uri: address }));
      check.equal(client.redirect_uri, address);
    });

    test('name and scope of a client can be changed', async () => {
      const { body } = await create('old name');
      const change = { clientId: body.client.id, name: 'new name', scope: 'customers:create', ...place };
      const { client } = await readBody(api.updateOAuthClient(change));
      check.equal(client.id, body.client.id);
      check.equal(client.name, 'new name');
      check.equal(client.scope, 'customers:create');
    });

    test('a client gets tokens until it is deleted', async () => {
      const { body } = await create('short lived');
      const { id: clientId, secret: clientSecret } = body.client;
      const bot = createClient({ clientId, clientSecret });
      const { access_token: token } = await readBody(bot.loginAsClientOwner());
      check.equal(
        (await readBody(createTokenClient(token).getProduct({ product: PRODUCT }))).product.id,
        PRODUCT,
      );
      check.deepEqual(await readBody(api.deleteOAuthClient({ clientId, ...place }), 204), {});
      await expectRefusal(bot.loginAsClientOwner(), 400, {
        error_description: 'Client credentials are invalid',
      });
      await expectRefusal(api.deleteOAuthClient({ clientId, ...place }), 404);
    });
  });
}

describe('an account that already has a client', () => {
  test('lists the client', async () => {
    await resetCloud();
    const api = await logIn();
    const { clients } = await readBody(api.listOAuthClients({}));
    check.deepEqual(
      clients.map(({ id }) => id),
      DEMO.clients.map(({ id }) => id),
    );
  });
});
