// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  CAREFUL,
  DEMO,
  HEX_40,
  ISO_TIME,
  STAFF,
  advanceClock,
  catchError,
  check,
  computeOneTimeCode,
  computeWrongCode,
  createClient,
  createTokenClient,
  expectInvalidToken,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

const NINETY_DAYS = 7_776_000;
const CURRENT = '/v1/access_tokens/current';

describe('access tokens', () => {
  before(() => resetCloud());

  test('a password login returns a token for ninety days', async () => {
    const grant = await readBody(createClient().login(DEMO));
    check.equal(grant.token_type, 'bearer');
    check.match(grant.access_token, HEX_40);
    check.equal(grant.expires_in, NINETY_DAYS);
    check.equal(typeof grant.refresh_token, 'string');
  });

  test('every login returns a new token', async () => {
    const [first, second] = [await createClient().login(DEMO), await createClient().login(DEMO)];
    check.notEqual(first.body.access_token, second.body.access_token);
  });

  test('a token has the requested lifetime', async () => {
    const grant = await readBody(createClient().login({ ...DEMO, tokenDuration: 3600 }));
    check.equal(grant.expires_in, 3600);
  });

  test('a token that never expires has no refresh token', async () => {
    const grant = await readBody(createClient().login({ ...DEMO, tokenDuration: 0 }));
    check.equal(grant.expires_in, 0);
    check.equal(grant.refresh_token, undefined);
  });

  test('the information about a token does not contain the token', async () => {
    const api = await logIn();
    const info = await readBody(api.get({ uri: CURRENT }));
    check.match(info.expires_at, ISO_TIME);
    check.equal(info.client, 'particle-api');
    check.deepEqual(info.scopes, []);
    check.deepEqual(info.orgs, []);
    check.deepEqual(Object.keys(info).sort(), ['client', 'expires_at', 'orgs', 'scopes']);
  });

  test('a wrong password and an unknown user cause the same error', async () => {
    const fields = { error: 'invalid_grant', error_description: 'User credentials are invalid' };
    await expectRefusal(createClient().login({ ...DEMO, password: 'wrong' }), 400, fields);
    await expectRefusal(createClient().login({ ...DEMO, username: 'nobody@example.com' }), 400, fields);
  });

  test('an error contains the address of the request', async () => {
    const reason = await catchError(createClient().login({ ...DEMO, password: 'wrong' }));
    const address = `${process.env.CLOUD_URL}/oauth/token`;
    check.equal(reason.message, `HTTP error 400 from ${address} - User credentials are invalid`);
  });

  test('a login without a password is refused', async () => {
    await expectRefusal(createClient().login({ username: DEMO.username }), 400, {
      error: 'invalid_client',
      error_description: 'Missing parameters. "username" and "password" are required',
    });
  });

  test('a client with a wrong secret gets an authentication challenge', async () => {
    const api = createClient({ clientId: 'particle-api', clientSecret: 'wrong' });
    const fields = { error: 'invalid_client', error_description: 'Client credentials are invalid' };
    const reason = await expectRefusal(api.login(DEMO), 400, fields);
    check.equal(reason.body.response.headers.get('www-authenticate'), 'Basic realm="Service"');
    check.equal(reason.body.response.headers.get('cache-control'), 'no-store');
  });

  test('a client with an invalid id is refused', async () => {
    await expectRefusal(createClient({ clientId: 'x' }).login(DEMO), 400, {
      error: 'invalid_client',
      error_description: 'Invalid or missing client_id parameter',
    });
  });

  test('the token endpoint accepts only forms', async () => {
    const data = { ...DEMO, grant_type: 'password', client_id: 'particle', client_secret: 'particle' };
    await expectRefusal(createClient().post({ uri: '/oauth/token', data }), 400, {
      error: 'invalid_request',
      error_description: 'Method must be POST with application/x-www-form-urlencoded encoding',
    });
  });

  test('an unknown grant type is refused', async () => {
    const form = { grant_type: 'guess', client_id: 'particle', client_secret: 'particle' };
    await expectRefusal(createClient().request({ uri: '/oauth/token', method: 'post', form }), 400, {
      error: 'invalid_request',
      error_description: 'Invalid or missing grant_type parameter',
    });
  });

  test('an account with single sign-on cannot use a password', async () => {
    await expectRefusal(createClient().login(STAFF), 403, { error: 'sso_user' });
  });

  test('a refresh token works only once', async () => {
    const { body: grant } = await createClient().login(DEMO);
    const refresh = () =>
      createClient().request({
        uri: '/oauth/token',
        method: 'post',
        form: {
          grant_type: 'refresh_token',
          refresh_token: grant.refresh_token,
          client_id: 'particle-api',
          client_secret: 'particle-api',
        },
      });
    check.match((await readBody(refresh())).access_token, HEX_40);
    await expectRefusal(refresh(), 400, {
      error: 'invalid_grant',
      error_description: 'Invalid refresh token',
    });
  });

  test('a request without a token is refused', async () => {
    await expectRefusal(createClient().listDevices({}), 400, {
      error: 'invalid_request',
      error_description: 'The access token was not found',
    });
  });

  test('an unknown token is refused', () => expectInvalidToken('0'.repeat(40)));
});

describe('one-time codes', () => {
  before(() => resetCloud());

  test('a login with a password alone is refused with a token for the second step', async () => {
    const reason = await expectRefusal(createClient().login(CAREFUL), 403, { error: 'mfa_required' });
    check.equal(typeof reason.body.mfa_token, 'string');
  });

  test('the right code returns a token with the requested lifetime', async () => {
    const { body } = await catchError(createClient().login({ ...CAREFUL, tokenDuration: 1200 }));
    const otp = await computeOneTimeCode(CAREFUL.otp_secret);
    const grant = await readBody(createClient().sendOtp({ mfaToken: body.mfa_token, otp }));
    check.match(grant.access_token, HEX_40);
    check.equal(grant.expires_in, 1200);
    const user = await readBody(createTokenClient(grant.access_token).getUserInfo({}));
    check.equal(user.username, CAREFUL.username);
    check.deepEqual(user.mfa, { enabled: true });
  });

  test('a wrong code is refused', async () => {
    const { body } = await catchError(createClient().login(CAREFUL));
    const otp = await computeWrongCode(CAREFUL.otp_secret);
    const reason = await catchError(createClient().sendOtp({ mfaToken: body.mfa_token, otp }));
    check.ok([400, 401].includes(reason.statusCode));
    check.ok(['invalid_grant', 'invalid_token'].includes(reason.body.error));
  });

  test('a code without the token of the first step is refused', async () => {
    await expectRefusal(createClient().sendOtp({ otp: '123456' }), 400, {
      error: 'invalid_request',
      error_description: 'You must provide otp and mfa token.',
    });
  });
});

describe('client credentials', () => {
  const [own] = DEMO.clients;

  before(() => resetCloud());

  test('a client of an account gets tokens of its owner', async () => {
    const api = createClient({ clientId: own.id, clientSecret: own.secret });
    const grant = await readBody(api.loginAsClientOwner());
    const user = await readBody(createTokenClient(grant.access_token).getUserInfo({}));
    check.equal(user.username, DEMO.username);
  });

  test('a token contains the client that requested it', async () => {
    const { body: grant } = await createClient({ clientId: own.id, clientSecret: own.secret }).login(DEMO);
    const info = await readBody(createTokenClient(grant.access_token).get({ uri: CURRENT }));
    check.equal(info.client, own.id);
  });

  test('a client with a wrong secret is refused', async () => {
    const api = createClient({ clientId: own.id, clientSecret: 'wrong' });
    await expectRefusal(api.loginAsClientOwner(), 400, {
      error_description: 'Client credentials are invalid',
    });
  });

  test('a client without an owner gets no token', async () => {
    await expectRefusal(createClient().loginAsClientOwner(), 400, { error: 'invalid_grant' });
  });
});

describe('revocation', () => {
  before(() => resetCloud());

  async function obtainToken() {
    const { body } = await createClient().login(DEMO);
    return body.access_token;
  }

  test('a token can be revoked without other credentials', async () => {
    const token = await obtainToken();
    check.deepEqual(await readBody(createClient().deleteAccessToken({ token })), { ok: true });
    await expectInvalidToken(token);
  });

  test('a token can revoke itself', async () => {
    const token = await obtainToken();
    check.deepEqual(await readBody(createClient().deleteCurrentAccessToken({ auth: token })), { ok: true });
    await expectInvalidToken(token);
  });

  test('all tokens of an account can be revoked at once', async () => {
    const [one, other] = [await obtainToken(), await obtainToken()];
    check.deepEqual(await readBody(createClient().deleteActiveAccessTokens({ auth: one })), { ok: true });
    await expectInvalidToken(one);
    await expectInvalidToken(other);
  });

  test('a token expires', async () => {
    const { body } = await createClient().login({ ...DEMO, tokenDuration: 60 });
    const api = createTokenClient(body.access_token);
    await readBody(api.getUserInfo({}));
    await advanceClock(61);
    await expectRefusal(api.getUserInfo({}), 401, {
      error: 'invalid_token',
      error_description: 'The access token provided has expired.',
    });
  });
});
