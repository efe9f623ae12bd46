// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_40,
  PRODUCT,
  STRANGER,
  catchError,
  check,
  createClient,
  createTokenClient,
  expectInvalidToken,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

describe('the team of a product', () => {
  let api;

  const TEAM = `/v1/products/${PRODUCT}/team`;

  before(async () => {
    await resetCloud();
    api = await logIn();
  });

  const createApiUser = (friendlyName, scopes) =>
    api.post({ uri: TEAM, data: { friendly_name: friendlyName, scopes } });

  test('the owner is the first team member', async () => {
    const { ok, team } = await readBody(api.listTeamMembers({ product: PRODUCT }));
    check.equal(ok, true);
    check.deepEqual(
      team.map(({ username, role }) => [username, role.name]),
      [[DEMO.username, 'Administrator']],
    );
  });

  test('an invited member can use the product until the removal', async () => {
    const invited = await readBody(api.inviteTeamMember({ username: STRANGER.username, product: PRODUCT }));
    check.deepEqual(invited, { ok: true, invited: { username: STRANGER.username } });
    const member = await logIn(STRANGER);
    check.equal((await readBody(member.getProduct({ product: PRODUCT }))).product.id, PRODUCT);
    const removal = { username: STRANGER.username, product: PRODUCT };
    check.deepEqual(await readBody(api.removeTeamMember(removal)), { ok: true });
    check.ok([403, 404].includes((await catchError(member.getProduct({ product: PRODUCT }))).statusCode));
  });

  test('an API user can only use the routes of its scopes', async () => {
    const { created } = await readBody(createApiUser('Ansible facts', ['devices:list']));
    check.match(created.username, /^ansible-facts\+\w+@api\.particle\.io$/);
    check.equal(created.is_programmatic, true);
    const robot = createTokenClient(created.tokens[0].token);
    check.deepEqual((await readBody(robot.listDevices({ product: PRODUCT }))).devices, []);
    const closed = 'API users are not allowed to call this endpoint';
    await expectRefusal(robot.getUserInfo({}), 400, { error: 'unauthorized', error_description: closed });
    check.ok(
      [400, 403].includes((await catchError(robot.listProductFirmware({ product: PRODUCT }))).statusCode),
    );
  });

  test('the token of an API user never expires and is never listed', async () => {
    const { body } = await createApiUser('Lasting', ['devices:list']);
    const [{ token }] = body.created.tokens;
    const info = await readBody(createTokenClient(token).get({ uri: '/v1/access_tokens/current' }));
    check.equal(info.expires_at, null);
    check.deepEqual(info.scopes, ['devices:list']);
    const listed = JSON.stringify(await readBody(api.listTeamMembers({ product: PRODUCT })));
    check.ok(listed.includes(body.created.username));
    check.ok(!listed.includes(token));
  });

  test('removing an API user revokes its token', async () => {
    const { body } = await createApiUser('Leaving', ['devices:list']);
    const username = encodeURIComponent(body.created.username);
    await readBody(api.removeTeamMember({ username, product: PRODUCT }));
    await expectInvalidToken(body.created.tokens[0].token);
  });
});

describe('customers of a product', () => {
  let api;
  let shop;

  const CUSTOMERS = `/v1/products/${PRODUCT}/customers`;

  before(async () => {
    await resetCloud();
    api = await logIn();
    const { body } = await api.createOAuthClient({ name: 'shop', type: 'installed', product: PRODUCT });
    shop = createClient({ clientId: body.client.id, clientSecret: body.client.secret });
  });

  const makeCustomer = (email) => ({ email, password: 'customer-password', product: PRODUCT });

  test('a client of the product creates a customer and gets a token', async () => {
    const grant = await readBody(shop.createCustomer(makeCustomer('ada@example.com')), 201);
    check.equal(grant.token_type, 'bearer');
    check.match(grant.access_token, HEX_40);
    check.ok(grant.expires_in > 0);
    const { customers, meta } = await readBody(api.get({ uri: CUSTOMERS }));
    check.ok(customers.some(({ username }) => username === 'ada@example.com'));
    check.deepEqual(meta, { total_pages: 1 });
  });

  test('a client with a wrong secret cannot create a customer', async () => {
    const impostor = createClient({ clientId: shop.clientId, clientSecret: 'wrong' });
    await expectRefusal(impostor.createCustomer(makeCustomer('eve@example.com')), 400, {
      error: 'invalid_client',
    });
  });

  test('a new customer has no devices and can get a claim code', async () => {
    const { body: grant } = await shop.createCustomer(makeCustomer('bob@example.com'));
    const bob = createTokenClient(grant.access_token);
    const code = await readBody(bob.getClaimCode({ product: PRODUCT }));
    check.deepEqual(code.device_ids, []);
    check.deepEqual(await readBody(bob.listDevices({})), []);
  });

  test('a client of the product gets the token of a customer', async () => {
    await shop.createCustomer(makeCustomer('carol@example.com'));
    const form = {
      grant_type: 'client_credentials',
      scope: 'customer=carol@example.com',
      client_id: shop.clientId,
      client_secret: shop.clientSecret,
    };
    const grant = await readBody(createClient().request({ uri: '/oauth/token', method: 'post', form }));
    check.deepEqual(await readBody(createTokenClient(grant.access_token).listDevices({})), []);
  });

  test("deleting a customer revokes all of the customer's tokens", async () => {
    const { body: grant } = await shop.createCustomer(makeCustomer('dan@example.com'));
    const uri = `${CUSTOMERS}/dan@example.com`;
    check.deepEqual(await readBody(api.put({ uri, data: { password: 'another password' } })), { ok: true });
    check.deepEqual(await readBody(api.delete({ uri })), { ok: true });
    const dead = catchError(createClient().listDevices({ auth: grant.access_token }));
    check.equal((await dead).statusCode, 401);
  });
});
