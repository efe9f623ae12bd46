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

describe('an organisation', () => {
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
