// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { HEX_24, ISO_TIME, PRODUCT, check, expectRefusal, logIn, readBody, resetCloud } from '../support.mjs';

const URL = 'https://hooks.example.net/in';
const NOT_FOUND = { ok: false, error: 'Webhook not found' };
const UNKNOWN_ID = '0'.repeat(24);

/** The settings of each kind of integration. */
const KINDS = {
  Webhook: { url: URL, requestType: 'POST' },
  AzureIotHub: { hub_name: 'hub', policy_name: 'device', policy_key: 'key' },
  GoogleCloudPubSub: { topic: 'projects/p/topics/t' },
  GoogleMaps: { api_key: 'key' },
};

const settingsOf = (kind) => ({ integration_type: kind, ...KINDS[kind] });

for (const [owner, place] of [
  ['an account', {}],
  ['a product', { product: PRODUCT }],
]) {
  describe(`webhooks and integrations of ${owner}`, () => {
    let api;

    before(async () => {
      await resetCloud();
      api = await logIn();
    });

    test('a new webhook has a default name and an address', async () => {
      const hook = await readBody(api.createWebhook({ event: 'reading', url: URL, ...place }), 201);
      check.equal(hook.ok, true);
      check.match(hook.id, HEX_24);
      check.equal(hook.event, 'reading');
      check.equal(hook.url, URL);
      check.equal(hook.name, 'reading for hooks.example.net');
      check.match(hook.created_at, ISO_TIME);
      check.ok(hook.hookUrl.endsWith(`/v1/webhooks/${hook.id}`));
      const list = await readBody(api.listWebhooks(place));
      const row = list.find(({ id }) => id === hook.id);
      check.equal(row.requestType, 'POST');
      check.equal(row.rejectUnauthorized, true);
      check.equal(row.disabled, false);
    });

    test('a webhook accepts all options of the client', async () => {
      const device = '0123456789abcdef01234567';
      const hook = {
        method: 'PUT',
        headers: { 'X-Site': 'barn' },
        json: { value: '{{{PARTICLE_EVENT_VALUE}}}' },
      };
      const { body } = await api.createWebhook({
        event: 'soil',
        url: URL,
        device,
        noDefaults: true,
        hook,
        ...place,
      });
      const row = (await readBody(api.listIntegrations(place))).find(({ id }) => id === body.id);
      check.equal(row.integration_type, 'Webhook');
      check.equal(row.deviceID, device);
      check.equal(row.requestType, 'PUT');
      check.equal(row.noDefaults, true);
    });

    test('a webhook can be deleted only once', async () => {
      const { body: hook } = await api.createWebhook({ event: 'gone', url: URL, ...place });
      check.deepEqual(await readBody(api.deleteWebhook({ hookId: hook.id, ...place }), 204), {});
      await expectRefusal(api.deleteWebhook({ hookId: hook.id, ...place }), 404, NOT_FOUND);
    });

    test('every kind of integration can be created, listed and deleted', async () => {
      for (const kind of Object.keys(KINDS)) {
        const creation = { event: `to-${kind}`, settings: settingsOf(kind), ...place };
        const created = await readBody(api.createIntegration(creation), 201);
        check.equal(created.ok, true);
        const row = (await readBody(api.listIntegrations(place))).find(({ id }) => id === created.id);
        check.equal(row.integration_type, kind);
        check.equal(row.event, `to-${kind}`);
        check.deepEqual(
          await readBody(api.deleteIntegration({ integrationId: created.id, ...place }), 204),
          {},
        );
      }
    });

    test('an edit replaces the whole configuration', async () => {
      const settings = { ...settingsOf('Webhook'), headers: { 'X-Site': 'barn' } };
      const { body: created } = await api.createIntegration({ event: 'before', settings, ...place });
      const edit = { integrationId: created.id, event: 'behind', settings: settingsOf('Webhook'), ...place };
      const { integration } = await readBody(api.editIntegration(edit));
      check.equal(integration.id, created.id);
      check.equal(integration.event, 'behind');
      check.equal(integration.headers, undefined);
    });

    test('an unknown integration is not found', async () => {
      const edit = { integrationId: UNKNOWN_ID, event: 'x', settings: settingsOf('Webhook'), ...place };
      await expectRefusal(api.editIntegration(edit), 404, NOT_FOUND);
      await expectRefusal(api.deleteIntegration({ integrationId: UNKNOWN_ID, ...place }), 404, NOT_FOUND);
    });

    test('an integration can be tested', async () => {
      const { body: created } = await api.createIntegration({
        event: 'try',
        settings: settingsOf('Webhook'),
        ...place,
      });
      const base = place.product ? `/v1/products/${place.product}` : '/v1';
      const result = await readBody(api.post({ uri: `${base}/integrations/${created.id}/test`, data: {} }));
      check.equal(result.pass, true);
    });
  });
}
