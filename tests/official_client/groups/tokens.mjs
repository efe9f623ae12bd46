// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  CAREFUL,
  DEMO,
  HEX_40,
  ISO_TIME,
  STAFF,
  anonymous,
  answered,
  check,
  freshCloud,
  letTimePass,
  loggedIn,
  oneTimeCode,
  refused,
  thrown,
  tokenIsDead,
  withToken,
  wrongCode,
} from '../support.mjs';

const NINETY_DAYS = 7_776_000;
const CURRENT = '/v1/access_tokens/current';

describe('access tokens', () => {
  before(() => freshCloud());

  test('a password becomes a token of ninety days', async () => {
    const grant = await answered(anonymous().login(DEMO));
    check.equal(grant.token_type, 'bearer');
    check.match(grant.access_token, HEX_40);
    check.equal(grant.expires_in, NINETY_DAYS);
    check.equal(typeof grant.refresh_token, 'string');
  });

  test('every login makes another token', async () => {
    const [first, second] = [await anonymous().login(DEMO), await anonymous().login(DEMO)];
    check.notEqual(first.body.access_token, second.body.access_token);
  });

  test('a token lives as long as one asks for', async () => {
    const grant = await answered(anonymous().login({ ...DEMO, tokenDuration: 3600 }));
    check.equal(grant.expires_in, 3600);
  });

  test('a token that never expires comes without a refresh token', async () => {
    const grant = await answered(anonymous().login({ ...DEMO, tokenDuration: 0 }));
    check.equal(grant.expires_in, 0);
    check.equal(grant.refresh_token, undefined);
  });

  test('a token tells about itself, but not its own text', async () => {
    const api = await loggedIn();
    const info = await answered(api.get({ uri: CURRENT }));
    check.match(info.expires_at, ISO_TIME);
    check.equal(info.client, 'particle-api');
    check.deepEqual(info.scopes, []);
    check.deepEqual(info.orgs, []);
    check.deepEqual(Object.keys(info).sort(), ['client', 'expires_at', 'orgs', 'scopes']);
  });

  test('a wrong password and an unknown user are refused alike', async () => {
    const fields = { error: 'invalid_grant', error_description: 'User credentials are invalid' };
    await refused(anonymous().login({ ...DEMO, password: 'wrong' }), 400, fields);
    await refused(anonymous().login({ ...DEMO, username: 'nobody@example.com' }), 400, fields);
  });

  test('a refusal names the address that refused', async () => {
    const reason = await thrown(anonymous().login({ ...DEMO, password: 'wrong' }));
    const address = `${process.env.CLOUD_URL}/oauth/token`;
    check.equal(reason.message, `HTTP error 400 from ${address} - User credentials are invalid`);
  });

  test('a login without a password is refused', async () => {
    await refused(anonymous().login({ username: DEMO.username }), 400, {
      error: 'invalid_client',
      error_description: 'Missing parameters. "username" and "password" are required',
    });
  });

  test('a client with a wrong secret is refused, and asked to introduce itself', async () => {
    const api = anonymous({ clientId: 'particle-api', clientSecret: 'wrong' });
    const fields = { error: 'invalid_client', error_description: 'Client credentials are invalid' };
    const reason = await refused(api.login(DEMO), 400, fields);
    check.equal(reason.body.response.headers.get('www-authenticate'), 'Basic realm="Service"');
    check.equal(reason.body.response.headers.get('cache-control'), 'no-store');
  });

  test('a client without a proper id is refused', async () => {
    await refused(anonymous({ clientId: 'x' }).login(DEMO), 400, {
      error: 'invalid_client',
      error_description: 'Invalid or missing client_id parameter',
    });
  });

  test('the token endpoint takes forms only', async () => {
    const data = { ...DEMO, grant_type: 'password', client_id: 'particle', client_secret: 'particle' };
    await refused(anonymous().post({ uri: '/oauth/token', data }), 400, {
      error: 'invalid_request',
      error_description: 'Method must be POST with application/x-www-form-urlencoded encoding',
    });
  });

  test('an unknown kind of grant is refused', async () => {
    const form = { grant_type: 'guess', client_id: 'particle', client_secret: 'particle' };
    await refused(anonymous().request({ uri: '/oauth/token', method: 'post', form }), 400, {
      error: 'invalid_request',
      error_description: 'Invalid or missing grant_type parameter',
    });
  });

  test('an account with single sign-on cannot use a password', async () => {
    await refused(anonymous().login(STAFF), 403, { error: 'sso_user' });
  });

  test('a refresh token works once', async () => {
    const { body: grant } = await anonymous().login(DEMO);
    const refresh = () =>
      anonymous().request({
        uri: '/oauth/token',
        method: 'post',
        form: {
          grant_type: 'refresh_token',
          refresh_token: grant.refresh_token,
          client_id: 'particle-api',
          client_secret: 'particle-api',
        },
      });
    check.match((await answered(refresh())).access_token, HEX_40);
    await refused(refresh(), 400, { error: 'invalid_grant', error_description: 'Invalid refresh token' });
  });

  test('a request without a token is refused', async () => {
    await refused(anonymous().listDevices({}), 400, {
      error: 'invalid_request',
      error_description: 'The access token was not found',
    });
  });

  test('a token that nobody was given is refused', () => tokenIsDead('0'.repeat(40)));
});

describe('one-time codes', () => {
  before(() => freshCloud());

  test('an account that has them gets a question in place of a token', async () => {
    const reason = await refused(anonymous().login(CAREFUL), 403, { error: 'mfa_required' });
    check.equal(typeof reason.body.mfa_token, 'string');
  });

  test('the right code becomes a token, with the life of the first request', async () => {
    const { body } = await thrown(anonymous().login({ ...CAREFUL, tokenDuration: 1200 }));
    const otp = await oneTimeCode(CAREFUL.otp_secret);
    const grant = await answered(anonymous().sendOtp({ mfaToken: body.mfa_token, otp }));
    check.match(grant.access_token, HEX_40);
    check.equal(grant.expires_in, 1200);
    const user = await answered(withToken(grant.access_token).getUserInfo({}));
    check.equal(user.username, CAREFUL.username);
    check.deepEqual(user.mfa, { enabled: true });
  });

  test('a wrong code is refused', async () => {
    const { body } = await thrown(anonymous().login(CAREFUL));
    const otp = await wrongCode(CAREFUL.otp_secret);
    const reason = await thrown(anonymous().sendOtp({ mfaToken: body.mfa_token, otp }));
    check.ok([400, 401].includes(reason.statusCode));
    check.ok(['invalid_grant', 'invalid_token'].includes(reason.body.error));
  });

  test('a code without the token of the first step is refused', async () => {
    await refused(anonymous().sendOtp({ otp: '123456' }), 400, {
      error: 'invalid_request',
      error_description: 'You must provide otp and mfa token.',
    });
  });
});

describe('client credentials', () => {
  const [own] = DEMO.clients;

  before(() => freshCloud());

  test('a client of an account acts for its owner', async () => {
    const api = anonymous({ clientId: own.id, clientSecret: own.secret });
    const grant = await answered(api.loginAsClientOwner());
    const user = await answered(withToken(grant.access_token).getUserInfo({}));
    check.equal(user.username, DEMO.username);
  });

  test('a token names the client that it was made with', async () => {
    const { body: grant } = await anonymous({ clientId: own.id, clientSecret: own.secret }).login(DEMO);
    const info = await answered(withToken(grant.access_token).get({ uri: CURRENT }));
    check.equal(info.client, own.id);
  });

  test('a client with a wrong secret is refused', async () => {
    const api = anonymous({ clientId: own.id, clientSecret: 'wrong' });
    await refused(api.loginAsClientOwner(), 400, { error_description: 'Client credentials are invalid' });
  });

  test('a client that nobody owns gets no token', async () => {
    await refused(anonymous().loginAsClientOwner(), 400, { error: 'invalid_grant' });
  });
});

describe('revocation', () => {
  before(() => freshCloud());

  async function freshToken() {
    const { body } = await anonymous().login(DEMO);
    return body.access_token;
  }

  test('holding a token is enough to revoke it', async () => {
    const token = await freshToken();
    check.deepEqual(await answered(anonymous().deleteAccessToken({ token })), { ok: true });
    await tokenIsDead(token);
  });

  test('a token revokes itself', async () => {
    const token = await freshToken();
    check.deepEqual(await answered(anonymous().deleteCurrentAccessToken({ auth: token })), { ok: true });
    await tokenIsDead(token);
  });

  test('all tokens of an account can go at once', async () => {
    const [one, other] = [await freshToken(), await freshToken()];
    check.deepEqual(await answered(anonymous().deleteActiveAccessTokens({ auth: one })), { ok: true });
    await tokenIsDead(one);
    await tokenIsDead(other);
  });

  test('a token dies of age', async () => {
    const { body } = await anonymous().login({ ...DEMO, tokenDuration: 60 });
    const api = withToken(body.access_token);
    await answered(api.getUserInfo({}));
    await letTimePass(61);
    await refused(api.getUserInfo({}), 401, {
      error: 'invalid_token',
      error_description: 'The access token provided has expired.',
    });
  });
});
