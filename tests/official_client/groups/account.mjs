// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_24,
  catchError,
  check,
  computeOneTimeCode,
  createClient,
  createTokenClient,
  expectInvalidToken,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

const NEW_ACCOUNT = { username: 'newcomer@example.com', password: 'a long password' };

/** Create an account, and return it with a client that is logged in. */
async function createAccount(name) {
  const account = { ...NEW_ACCOUNT, username: `${name}@example.com` };
  await createClient().createUser(account);
  return [account, await logIn(account)];
}

async function obtainToken(account) {
  const { body } = await createClient().login(account);
  return body.access_token;
}

describe('the account', () => {
  before(() => resetCloud());

  test('a token gives access to the user information of its account', async () => {
    const api = await logIn();
    const user = await readBody(api.getUserInfo({}));
    check.equal(user.username, DEMO.username);
    check.deepEqual(user.mfa, { enabled: false });
    check.equal(user.no_password, false);
    check.equal(user.scim_provisioned, false);
  });

  test('personal details can be changed', async () => {
    const api = await logIn();
    const answer = await readBody(
      api.setUserInfo({ accountInfo: { first_name: 'Ada', last_name: 'Byron' } }),
    );
    check.equal(answer.ok, true);
    check.equal(typeof answer.message, 'string');
    const user = await readBody(api.getUserInfo({}));
    check.equal(user.account_info.first_name, 'Ada');
    check.equal(user.account_info.last_name, 'Byron');
  });

  test('the tracking identity contains an id and an e-mail address', async () => {
    const api = await logIn();
    const short = await readBody(api.trackingIdentity());
    check.match(short.id, HEX_24);
    const full = await readBody(api.trackingIdentity({ full: true }));
    check.equal(full.id, short.id);
    check.equal(full.email, DEMO.username);
  });

  test('an account can be created, used and deleted', async () => {
    check.deepEqual(await readBody(createClient().createUser(NEW_ACCOUNT)), { ok: true });
    const api = await logIn(NEW_ACCOUNT);
    check.deepEqual(await readBody(api.listDevices({})), []);
    check.equal((await readBody(api.deleteUser({ password: NEW_ACCOUNT.password }))).ok, true);
    await expectRefusal(createClient().login(NEW_ACCOUNT), 400, { error: 'invalid_grant' });
  });

  test('a username can be used only once', async () => {
    await expectRefusal(createClient().createUser({ ...DEMO, password: 'another' }), 400, { ok: false });
  });

  test('an account cannot be deleted with a wrong password', async () => {
    const [account, api] = await createAccount('keeper');
    const reason = await catchError(api.deleteUser({ password: 'wrong' }));
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    check.equal((await readBody(api.getUserInfo({}))).username, account.username);
  });

  test('a new password replaces the old one, and tokens stay valid', async () => {
    const [account, api] = await createAccount('changer');
    const change = { currentPassword: account.password, password: 'another password' };
    check.equal((await readBody(api.changeUserPassword(change))).ok, true);
    await expectRefusal(createClient().login(account), 400, { error: 'invalid_grant' });
    await readBody(createClient().login({ ...account, password: change.password }));
    await readBody(api.getUserInfo({}));
  });

  test('a password change can revoke all tokens', async () => {
    const [account, api] = await createAccount('ender');
    const token = await obtainToken(account);
    await readBody(
      api.changeUserPassword({
        currentPassword: account.password,
        password: 'another password',
        invalidateTokens: true,
      }),
    );
    await expectInvalidToken(token);
  });

  test('a change of the username requires the password', async () => {
    const [account, api] = await createAccount('renamer');
    const username = 'renamed@example.com';
    const reason = await catchError(api.changeUsername({ username, currentPassword: 'wrong' }));
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    await readBody(api.changeUsername({ username, currentPassword: account.password }));
    check.equal((await readBody(api.getUserInfo({}))).username, username);
  });

  test('a password reset is accepted', async () => {
    const answer = await readBody(createClient().resetPassword({ username: DEMO.username }));
    check.equal(answer.ok, true);
    check.equal(typeof answer.message, 'string');
  });

  test('one-time codes are enabled with a code and disabled with the password', async () => {
    const [account, api] = await createAccount('cautious');
    const start = await readBody(api.enableMfa({}));
    check.match(start.secret, /^[A-Z2-7]+=*$/);
    check.equal(typeof start.qr_url, 'string');

    const enrolment = {
      mfaToken: start.mfa_token,
      otp: await computeOneTimeCode(start.secret.replaceAll('=', '')),
    };
    check.equal((await readBody(api.confirmMfa(enrolment))).enrolled, true);
    await expectRefusal(createClient().login(account), 403, { error: 'mfa_required' });

    await readBody(api.disableMfa({ currentPassword: account.password }));
    await readBody(createClient().login(account));
  });

  test('enabling one-time codes can revoke all other tokens', async () => {
    const [account, api] = await createAccount('strict');
    const token = await obtainToken(account);
    const { body: start } = await api.enableMfa({});
    const enrolment = {
      mfaToken: start.mfa_token,
      otp: await computeOneTimeCode(start.secret.replaceAll('=', '')),
    };
    await readBody(api.confirmMfa({ ...enrolment, invalidateTokens: true }));
    await expectInvalidToken(token);
  });

  test('a search finds a product by a part of its name', async () => {
    const api = await logIn();
    const found = await readBody(api.get({ uri: '/v1/user/search', query: { text: 'field' } }));
    check.equal(found.ok, true);
    check.equal(found.hasMore, false);
    check.deepEqual(
      found.results.map((result) => [result.type, result.product?.name]),
      [['product', 'Field Logger']],
    );
  });

  test('a client with a given token uses it for all calls', async () => {
    const wrapped = createTokenClient(await obtainToken(DEMO)).client({ auth: await obtainToken(DEMO) });
    check.equal(wrapped.ready(), true);
    check.equal((await wrapped.trackingIdentity({ full: true })).email, DEMO.username);
    check.deepEqual((await wrapped.listDevices()).body, []);
  });
});
