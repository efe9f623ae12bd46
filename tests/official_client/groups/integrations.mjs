// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import { HEX_24, ISO_TIME, PRODUCT, answered, check, freshCloud, loggedIn, refused } from '../support.mjs';

const URL = 'https://hooks.example.net/in';
const NO_HOOK = { ok: false, error: 'Webhook not found' };
const GONE = '0'.repeat(24);

/** The settings of each kind, as the client takes them. */
const KINDS = {
  Webhook: { url: URL, requestType: 'POST' },
  AzureIotHub: { hub_name: 'hub', policy_name: 'device', policy_key: 'key' },
  GoogleCloudPubSub: { topic: 'projects/p/topics/t' },
  GoogleMaps: { api_key: 'key' },
};

const settingsOf = (kind) => ({ integration_type: kind, ...KINDS[kind] });

for (const [whose, place] of [
  ['an account', {}],
  ['a product', { product: PRODUCT }],
]) {
  describe(`webhooks and integrations of ${whose}`, () => {
    let api;

    before(async () => {
      await freshCloud();
      api = await loggedIn();
    });

    test('a webhook has a name and an address of its own', async () => {
      const hook = await answered(api.createWebhook({ event: 'reading', url: URL, ...place }), 201);
      check.equal(hook.ok, true);
      check.match(hook.id, HEX_24);
      check.equal(hook.event, 'reading');
      check.equal(hook.url, URL);
      check.equal(hook.name, 'reading for hooks.example.net');
      check.match(hook.created_at, ISO_TIME);
      check.ok(hook.hookUrl.endsWith(`/v1/webhooks/${hook.id}`));
      const list = await answered(api.listWebhooks(place));
      const row = list.find(({ id }) => id === hook.id);
      check.equal(row.requestType, 'POST');
      check.equal(row.rejectUnauthorized, true);
      check.equal(row.disabled, false);
    });

    test('a webhook takes what the client can say about it', async () => {
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
      const row = (await answered(api.listIntegrations(place))).find(({ id }) => id === body.id);
      check.equal(row.integration_type, 'Webhook');
      check.equal(row.deviceID, device);
      check.equal(row.requestType, 'PUT');
      check.equal(row.noDefaults, true);
    });

    test('a webhook can be deleted once', async () => {
      const { body: hook } = await api.createWebhook({ event: 'gone', url: URL, ...place });
      check.deepEqual(await answered(api.deleteWebhook({ hookId: hook.id, ...place }), 204), {});
      await refused(api.deleteWebhook({ hookId: hook.id, ...place }), 404, NO_HOOK);
    });

    test('every kind of integration can be created, listed and deleted', async () => {
      for (const kind of Object.keys(KINDS)) {
        const creation = { event: `to-${kind}`, settings: settingsOf(kind), ...place };
        const made = await answered(api.createIntegration(creation), 201);
        check.equal(made.ok, true);
        const row = (await answered(api.listIntegrations(place))).find(({ id }) => id === made.id);
        check.equal(row.integration_type, kind);
        check.equal(row.event, `to-${kind}`);
        check.deepEqual(await answered(api.deleteIntegration({ integrationId: made.id, ...place }), 204), {});
      }
    });

    test('an edit replaces the whole configuration', async () => {
      const settings = { ...settingsOf('Webhook'), headers: { 'X-Site': 'barn' } };
      const { body: made } = await api.createIntegration({ event: 'before', settings, ...place });
      const edit = { integrationId: made.id, event: 'behind', settings: settingsOf('Webhook'), ...place };
      const { integration } = await answered(api.editIntegration(edit));
      check.equal(integration.id, made.id);
      check.equal(integration.event, 'behind');
      check.equal(integration.headers, undefined);
    });

    test('an integration that is not there is not found', async () => {
      const edit = { integrationId: GONE, event: 'x', settings: settingsOf('Webhook'), ...place };
      await refused(api.editIntegration(edit), 404, NO_HOOK);
      await refused(api.deleteIntegration({ integrationId: GONE, ...place }), 404, NO_HOOK);
    });

    test('an integration can be tried out', async () => {
      const { body: made } = await api.createIntegration({
        event: 'try',
        settings: settingsOf('Webhook'),
        ...place,
      });
      const base = place.product ? `/v1/products/${place.product}` : '/v1';
      const result = await answered(api.post({ uri: `${base}/integrations/${made.id}/test`, data: {} }));
      check.equal(result.pass, true);
    });
  });
}
