// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_40,
  PRODUCT,
  STRANGER,
  anonymous,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  thrown,
  tokenIsDead,
  withToken,
} from '../support.mjs';

describe('the team of a product', () => {
  let api;

  const TEAM = `/v1/products/${PRODUCT}/team`;

  before(async () => {
    await freshCloud();
    api = await loggedIn();
  });

  const apiUser = (friendlyName, scopes) =>
    api.post({ uri: TEAM, data: { friendly_name: friendlyName, scopes } });

  test('the owner is its first member', async () => {
    const { ok, team } = await answered(api.listTeamMembers({ product: PRODUCT }));
    check.equal(ok, true);
    check.deepEqual(
      team.map(({ username, role }) => [username, role.name]),
      [[DEMO.username, 'Administrator']],
    );
  });

  test('a member who is invited can use the product until removed', async () => {
    const invited = await answered(api.inviteTeamMember({ username: STRANGER.username, product: PRODUCT }));
    check.deepEqual(invited, { ok: true, invited: { username: STRANGER.username } });
    const member = await loggedIn(STRANGER);
    check.equal((await answered(member.getProduct({ product: PRODUCT }))).product.id, PRODUCT);
    const removal = { username: STRANGER.username, product: PRODUCT };
    check.deepEqual(await answered(api.removeTeamMember(removal)), { ok: true });
    check.ok([403, 404].includes((await thrown(member.getProduct({ product: PRODUCT }))).statusCode));
  });

  test('an API user can do what its scopes say and nothing else', async () => {
    const { created } = await answered(apiUser('Ansible facts', ['devices:list']));
    check.match(created.username, /^ansible-facts\+\w+@api\.particle\.io$/);
    check.equal(created.is_programmatic, true);
    const robot = withToken(created.tokens[0].token);
    check.deepEqual((await answered(robot.listDevices({ product: PRODUCT }))).devices, []);
    const closed = 'API users are not allowed to call this endpoint';
    await refused(robot.getUserInfo({}), 400, { error: 'unauthorized', error_description: closed });
    check.ok([400, 403].includes((await thrown(robot.listProductFirmware({ product: PRODUCT }))).statusCode));
  });

  test('the token of an API user never expires and is never listed', async () => {
    const { body } = await apiUser('Lasting', ['devices:list']);
    const [{ token }] = body.created.tokens;
    const info = await answered(withToken(token).get({ uri: '/v1/access_tokens/current' }));
    check.equal(info.expires_at, null);
    check.deepEqual(info.scopes, ['devices:list']);
    const listed = JSON.stringify(await answered(api.listTeamMembers({ product: PRODUCT })));
    check.ok(listed.includes(body.created.username));
    check.ok(!listed.includes(token));
  });

  test('an API user that goes takes its token along', async () => {
    const { body } = await apiUser('Leaving', ['devices:list']);
    const username = encodeURIComponent(body.created.username);
    await answered(api.removeTeamMember({ username, product: PRODUCT }));
    await tokenIsDead(body.created.tokens[0].token);
  });
});

describe('customers of a product', () => {
  let api;
  let shop;

  const CUSTOMERS = `/v1/products/${PRODUCT}/customers`;

  before(async () => {
    await freshCloud();
    api = await loggedIn();
    const { body } = await api.createOAuthClient({ name: 'shop', type: 'installed', product: PRODUCT });
    shop = anonymous({ clientId: body.client.id, clientSecret: body.client.secret });
  });

  const customer = (email) => ({ email, password: 'customer-password', product: PRODUCT });

  test('a client of the product makes a customer and gets a token', async () => {
    const grant = await answered(shop.createCustomer(customer('ada@example.com')), 201);
    check.equal(grant.token_type, 'bearer');
    check.match(grant.access_token, HEX_40);
    check.ok(grant.expires_in > 0);
    const { customers, meta } = await answered(api.get({ uri: CUSTOMERS }));
    check.ok(customers.some(({ username }) => username === 'ada@example.com'));
    check.deepEqual(meta, { total_pages: 1 });
  });

  test('a client with a wrong secret makes none', async () => {
    const impostor = anonymous({ clientId: shop.clientId, clientSecret: 'wrong' });
    await refused(impostor.createCustomer(customer('eve@example.com')), 400, { error: 'invalid_client' });
  });

  test('a customer begins without devices and can ask for a claim code', async () => {
    const { body: grant } = await shop.createCustomer(customer('bob@example.com'));
    const bob = withToken(grant.access_token);
    const code = await answered(bob.getClaimCode({ product: PRODUCT }));
    check.deepEqual(code.device_ids, []);
    check.deepEqual(await answered(bob.listDevices({})), []);
  });

  test('a client of the product gets the token of a customer', async () => {
    await shop.createCustomer(customer('carol@example.com'));
    const form = {
      grant_type: 'client_credentials',
      scope: 'customer=carol@example.com',
      client_id: shop.clientId,
      client_secret: shop.clientSecret,
    };
    const grant = await answered(anonymous().request({ uri: '/oauth/token', method: 'post', form }));
    check.deepEqual(await answered(withToken(grant.access_token).listDevices({})), []);
  });

  test('a customer who goes takes all tokens along', async () => {
    const { body: grant } = await shop.createCustomer(customer('dan@example.com'));
    const uri = `${CUSTOMERS}/dan@example.com`;
    check.deepEqual(await answered(api.put({ uri, data: { password: 'another password' } })), { ok: true });
    check.deepEqual(await answered(api.delete({ uri })), { ok: true });
    const dead = thrown(anonymous().listDevices({ auth: grant.access_token }));
    check.equal((await dead).statusCode, 401);
  });
});
