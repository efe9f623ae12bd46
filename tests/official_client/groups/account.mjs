// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_24,
  anonymous,
  answered,
  check,
  freshCloud,
  loggedIn,
  oneTimeCode,
  refused,
  thrown,
  tokenIsDead,
  withToken,
} from '../support.mjs';

const NEWCOMER = { username: 'newcomer@example.com', password: 'a long password' };

/** An account of its own for a test, and a client that is logged in to it. */
async function newcomer(name) {
  const account = { ...NEWCOMER, username: `${name}@example.com` };
  await anonymous().createUser(account);
  return [account, await loggedIn(account)];
}

async function tokenOf(account) {
  const { body } = await anonymous().login(account);
  return body.access_token;
}

describe('the account', () => {
  before(() => freshCloud());

  test('a token tells whose it is', async () => {
    const api = await loggedIn();
    const user = await answered(api.getUserInfo({}));
    check.equal(user.username, DEMO.username);
    check.deepEqual(user.mfa, { enabled: false });
    check.equal(user.no_password, false);
    check.equal(user.scim_provisioned, false);
  });

  test('personal details can be changed', async () => {
    const api = await loggedIn();
    const answer = await answered(
      api.setUserInfo({ accountInfo: { first_name: 'Ada', last_name: 'Byron' } }),
    );
    check.equal(answer.ok, true);
    check.equal(typeof answer.message, 'string');
    const user = await answered(api.getUserInfo({}));
    check.equal(user.account_info.first_name, 'Ada');
    check.equal(user.account_info.last_name, 'Byron');
  });

  test('the tracking identity is an id and an address', async () => {
    const api = await loggedIn();
    const short = await answered(api.trackingIdentity());
    check.match(short.id, HEX_24);
    const full = await answered(api.trackingIdentity({ full: true }));
    check.equal(full.id, short.id);
    check.equal(full.email, DEMO.username);
  });

  test('an account can be opened, used and closed', async () => {
    check.deepEqual(await answered(anonymous().createUser(NEWCOMER)), { ok: true });
    const api = await loggedIn(NEWCOMER);
    check.deepEqual(await answered(api.listDevices({})), []);
    check.equal((await answered(api.deleteUser({ password: NEWCOMER.password }))).ok, true);
    await refused(anonymous().login(NEWCOMER), 400, { error: 'invalid_grant' });
  });

  test('a name is given to one account only', async () => {
    await refused(anonymous().createUser({ ...DEMO, password: 'another' }), 400, { ok: false });
  });

  test('an account is not closed without its password', async () => {
    const [account, api] = await newcomer('keeper');
    const reason = await thrown(api.deleteUser({ password: 'wrong' }));
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    check.equal((await answered(api.getUserInfo({}))).username, account.username);
  });

  test('a new password takes the place of the old one, and tokens survive it', async () => {
    const [account, api] = await newcomer('changer');
    const change = { currentPassword: account.password, password: 'another password' };
    check.equal((await answered(api.changeUserPassword(change))).ok, true);
    await refused(anonymous().login(account), 400, { error: 'invalid_grant' });
    await answered(anonymous().login({ ...account, password: change.password }));
    await answered(api.getUserInfo({}));
  });

  test('a new password can end all tokens', async () => {
    const [account, api] = await newcomer('ender');
    const token = await tokenOf(account);
    await answered(
      api.changeUserPassword({
        currentPassword: account.password,
        password: 'another password',
        invalidateTokens: true,
      }),
    );
    await tokenIsDead(token);
  });

  test('a new name needs the password', async () => {
    const [account, api] = await newcomer('renamer');
    const username = 'renamed@example.com';
    const reason = await thrown(api.changeUsername({ username, currentPassword: 'wrong' }));
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    await answered(api.changeUsername({ username, currentPassword: account.password }));
    check.equal((await answered(api.getUserInfo({}))).username, username);
  });

  test('a forgotten password is answered by mail', async () => {
    const answer = await answered(anonymous().resetPassword({ username: DEMO.username }));
    check.equal(answer.ok, true);
    check.equal(typeof answer.message, 'string');
  });

  test('one-time codes are switched on with a code and off with the password', async () => {
    const [account, api] = await newcomer('cautious');
    const start = await answered(api.enableMfa({}));
    check.match(start.secret, /^[A-Z2-7]+=*$/);
    check.equal(typeof start.qr_url, 'string');

    const enrolment = { mfaToken: start.mfa_token, otp: await oneTimeCode(start.secret.replaceAll('=', '')) };
    check.equal((await answered(api.confirmMfa(enrolment))).enrolled, true);
    await refused(anonymous().login(account), 403, { error: 'mfa_required' });

    await answered(api.disableMfa({ currentPassword: account.password }));
    await answered(anonymous().login(account));
  });

  test('one-time codes can end all other tokens', async () => {
    const [account, api] = await newcomer('strict');
    const token = await tokenOf(account);
    const { body: start } = await api.enableMfa({});
    const enrolment = { mfaToken: start.mfa_token, otp: await oneTimeCode(start.secret.replaceAll('=', '')) };
    await answered(api.confirmMfa({ ...enrolment, invalidateTokens: true }));
    await tokenIsDead(token);
  });

  test('a search finds a product by a part of its name', async () => {
    const api = await loggedIn();
    const found = await answered(api.get({ uri: '/v1/user/search', query: { text: 'field' } }));
    check.equal(found.ok, true);
    check.equal(found.hasMore, false);
    check.deepEqual(
      found.results.map((result) => [result.type, result.product?.name]),
      [['product', 'Field Logger']],
    );
  });

  test('a token that is handed to the client serves all its calls', async () => {
    const wrapped = withToken(await tokenOf(DEMO)).client({ auth: await tokenOf(DEMO) });
    check.equal(wrapped.ready(), true);
    check.equal((await wrapped.trackingIdentity({ full: true })).email, DEMO.username);
    check.deepEqual((await wrapped.listDevices()).body, []);
  });
});
