// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_24,
  ORG,
  PRODUCT,
  STRANGER,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
  setOnline,
  waitForEvent,
  withStream,
} from '../support.mjs';

describe('an organization', () => {
  let api;
  let device;
  let place;

  const CLOUD = { cloud: 'org' };

  before(async () => {
    [device] = await resetCloud('org');
    api = await logIn(DEMO, CLOUD);
    place = { org: ORG };
    await api.addDeviceToProduct({ deviceId: device.id, product: PRODUCT });
  });

  test('is listed for its members', async () => {
    const { organizations } = await readBody(api.get({ uri: '/v1/orgs' }));
    check.equal(organizations.length, 1);
    check.match(organizations[0].id, HEX_24);
    check.equal(organizations[0].slug, ORG);
    const { organization } = await readBody(api.get({ uri: `/v1/orgs/${ORG}` }));
    check.deepEqual(organization, organizations[0]);
    const info = await readBody(api.get({ uri: '/v1/access_tokens/current' }));
    check.deepEqual(info.orgs, [{ id: organization.id, slug: ORG }]);
  });

  test('is the owner of its product', async () => {
    const { product } = await readBody(api.getProduct({ product: PRODUCT }));
    check.equal(product.org, ORG);
    check.match(product.organization_id, HEX_24);
    check.equal(product.user, undefined);
  });

  test('has its own ledgers', async () => {
    const ledgerName = 'mesh';
    await api.createLedger({
      ...place,
      ledger: { name: ledgerName, scope: 'Device', direction: 'Downstream' },
    });
    check.equal((await readBody(api.getLedger({ ...place, ledgerName }))).ledger.name, ledgerName);
    check.equal((await readBody(api.listLedgers(place))).ledgers.length, 1);
    check.deepEqual((await readBody(api.listLedgers({}))).ledgers, []);
    await expectRefusal(api.getLedger({ ledgerName }), 404);

    const instance = { data: { network: 'barn' } };
    const where = { ...place, ledgerName, scopeValue: device.id };
    await api.setLedgerInstance({ ...where, instance });
    check.deepEqual((await readBody(api.getLedgerInstance(where))).instance.data, instance.data);
    check.equal((await readBody(api.listLedgerInstances({ ...place, ledgerName }))).meta.total, 1);
    check.deepEqual((await readBody(api.listLedgerInstanceVersions(where))).versions, []);
    check.deepEqual(await readBody(api.deleteLedgerInstance(where), 204), {});
    check.deepEqual(await readBody(api.archiveLedger({ ...place, ledgerName }), 204), {});
  });

  test('passes its environment variables to its products', async () => {
    await readBody(api.setEnvVar({ ...place, key: 'REGION', value: 'north' }));
    await readBody(api.startEnvVarsRollout({ ...place, when: 'Connect' }));
    const { latest } = await readBody(api.listEnvVars({ product: PRODUCT }));
    check.deepEqual(latest.inherited.REGION, { from: 'Owner', value: 'north' });
  });

  test('has its own integrations', async () => {
    const settings = {
      integration_type: 'Webhook',
      url: 'https://hooks.example.net/in',
      requestType: 'POST',
    };
    const made = await readBody(api.createIntegration({ ...place, event: 'reading', settings }), 201);
    check.deepEqual(
      (await readBody(api.listIntegrations(place))).map(({ id }) => id),
      [made.id],
    );
    check.deepEqual(await readBody(api.listIntegrations({})), []);
    check.deepEqual(await readBody(api.deleteIntegration({ ...place, integrationId: made.id }), 204), {});
  });

  test('streams the events of its products', () =>
    withStream(api.getEventStream({ ...place, name: 'spark/status' }), async (events) => {
      const pending = waitForEvent(events);
      await setOnline(device, false, 'org');
      const event = await pending;
      check.equal(event.data, 'offline');
      check.equal(event.productID, PRODUCT);
      await setOnline(device, true, 'org');
    }));

  test('publishes events of its own, which are not part of the streams of its products', () =>
    withStream(api.getEventStream({ product: PRODUCT }), (inProduct) =>
      withStream(api.getEventStream({ ...place, name: 'news' }), async (events) => {
        const received = [];
        inProduct.on('event', ({ name }) => received.push(name));
        const pending = waitForEvent(events);
        const data = { name: 'news/today', data: 'all well' };
        check.deepEqual(await readBody(api.post({ uri: `/v1/orgs/${ORG}/events`, data })), { ok: true });
        const event = await pending;
        check.deepEqual([event.name, event.data], ['news/today', 'all well']);
        const marked = waitForEvent(inProduct, ({ name }) => name === 'marker');
        await api.publishEvent({ name: 'marker', product: PRODUCT });
        await marked;
        check.deepEqual(received, ['marker']);
      }),
    ));

  test('streams the events of one of its devices', () =>
    withStream(api.getEventStream({ ...place, deviceId: device.id }), async (events) => {
      const pending = waitForEvent(events);
      await setOnline(device, false, 'org');
      check.equal((await pending).coreid, device.id);
      await setOnline(device, true, 'org');
    }));

  test('reviews and rolls out a change of its environment variables', async () => {
    await readBody(api.setEnvVar({ ...place, key: 'SPEED', value: 'slow' }));
    const { from_snapshot: review } = await readBody(api.reviewEnvVarsRollout(place));
    check.deepEqual(
      review.changes.filter(({ key }) => key === 'SPEED').map(({ op, after }) => [op, after]),
      [['Added', 'slow']],
    );
    check.deepEqual(await readBody(api.startEnvVarsRollout({ ...place, when: 'Immediate' })), { success: true });
    check.equal((await readBody(api.renderEnvVars(place))).env.SPEED, 'slow');
    await readBody(api.deleteEnvVar({ ...place, key: 'SPEED' }));
    check.equal((await readBody(api.listEnvVars(place))).latest.own.SPEED, undefined);
  });

  test('has a secret that its integration uses', async () => {
    const uri = `/v1/orgs/${ORG}/secrets`;
    await readBody(api.post({ uri, data: { name: 'HOOK_KEY', value: 'hidden' } }), 201);
    const made = await readBody(
      api.createIntegration({
        ...place,
        event: 'locked',
        settings: {
          integration_type: 'Webhook',
          url: 'https://hooks.example.net/locked',
          headers: { Authorization: 'Bearer {{{HOOK_KEY}}}' },
          secrets: [{ name: 'HOOK_KEY' }],
        },
      }),
      201,
    );
    const { secret } = await readBody(api.get({ uri: `${uri}/HOOK_KEY` }));
    check.deepEqual(
      secret.integrations.map(({ id }) => id),
      [made.id],
    );
    check.ok([400, 409].includes((await catchError(api.delete({ uri: `${uri}/HOOK_KEY` }))).statusCode));
    await readBody(api.deleteIntegration({ ...place, integrationId: made.id }), 204);
    await readBody(api.delete({ uri: `${uri}/HOOK_KEY` }), 204);
  });

  test('edits its integrations', async () => {
    const settings = { integration_type: 'Webhook', url: 'https://hooks.example.net/one' };
    const made = await readBody(api.createIntegration({ ...place, event: 'edited', settings }), 201);
    const change = { event: 'changed', settings: { ...settings, url: 'https://hooks.example.net/two' } };
    await readBody(api.editIntegration({ ...place, integrationId: made.id, ...change }));
    const [row] = await readBody(api.listIntegrations(place));
    check.deepEqual([row.id, row.event], [made.id, 'changed']);
    await readBody(api.deleteIntegration({ ...place, integrationId: made.id }), 204);
  });

  test('unprotects its devices', async () => {
    const request = { ...place, deviceId: device.id };
    await readBody(api.unprotectDevice({ ...request, action: 'prepare' }));
    await expectRefusal(api.unprotectDevice({ ...request, action: 'none' }), 400);
  });

  test('refuses access to other accounts', async () => {
    const stranger = await logIn(STRANGER, CLOUD);
    check.deepEqual((await readBody(stranger.get({ uri: '/v1/orgs' }))).organizations, []);
    for (const request of [
      stranger.listLedgers(place),
      stranger.listEnvVars(place),
      stranger.listIntegrations(place),
    ]) {
      check.ok([403, 404].includes((await catchError(request)).statusCode));
    }
  });
});
