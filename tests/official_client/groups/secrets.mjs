// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { ISO_TIME, ORG, check, expectRefusal, logIn, readBody, resetCloud } from '../support.mjs';

// The client has no methods for secrets; its plain verbs reach them, as in the command line tool.
for (const [owner, cloud, base] of [
  ['an account', 'plain', '/v1/secrets'],
  ['an organization', 'org', `/v1/orgs/${ORG}/secrets`],
]) {
  describe(`the secrets of ${owner}`, () => {
    let api;

    before(async () => {
      await resetCloud(cloud);
      api = await logIn(undefined, { cloud });
    });

    test('are created, listed and deleted without their values', async () => {
      const data = { name: 'API_KEY', value: 'hidden-value' };
      const { secret } = await readBody(api.post({ uri: base, data }), 201);
      check.match(secret.created_at, ISO_TIME);
      check.deepEqual(secret, {
        name: 'API_KEY',
        created_at: secret.created_at,
        updated_at: secret.created_at,
        last_accessed_at: null,
        integrations: [],
        logic_functions: [],
      });
      check.deepEqual(await readBody(api.get({ uri: base })), { secrets: [secret] });
      check.deepEqual(await readBody(api.delete({ uri: `${base}/API_KEY` }), 204), {});
      await expectRefusal(api.get({ uri: `${base}/API_KEY` }), 404);
    });

    test('are created and changed by name', async () => {
      for (const data of [{ secret: { value: 'first' } }, { value: 'second' }]) {
        check.equal((await readBody(api.put({ uri: `${base}/TOKEN`, data }))).secret.name, 'TOKEN');
      }
    });
  });
}
