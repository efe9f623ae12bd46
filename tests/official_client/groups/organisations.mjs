// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  HEX_24,
  ORG,
  PRODUCT,
  STRANGER,
  answered,
  check,
  freshCloud,
  loggedIn,
  nextEvent,
  refused,
  setOnline,
  thrown,
  withStream,
} from '../support.mjs';

describe('an organisation', () => {
  let api;
  let device;
  let place;

  const CLOUD = { cloud: 'org' };

  before(async () => {
    [device] = await freshCloud('org');
    api = await loggedIn(DEMO, CLOUD);
    place = { org: ORG };
    await api.addDeviceToProduct({ deviceId: device.id, product: PRODUCT });
  });

  test('is listed to its members', async () => {
    const { organizations } = await answered(api.get({ uri: '/v1/orgs' }));
    check.equal(organizations.length, 1);
    check.match(organizations[0].id, HEX_24);
    check.equal(organizations[0].slug, ORG);
    const { organization } = await answered(api.get({ uri: `/v1/orgs/${ORG}` }));
    check.deepEqual(organization, organizations[0]);
    const info = await answered(api.get({ uri: '/v1/access_tokens/current' }));
    check.deepEqual(info.orgs, [{ id: organization.id, slug: ORG }]);
  });

  test('owns its product in place of a user', async () => {
    const { product } = await answered(api.getProduct({ product: PRODUCT }));
    check.equal(product.org, ORG);
    check.match(product.organization_id, HEX_24);
    check.equal(product.user, undefined);
  });

  test('has ledgers of its own', async () => {
    const ledgerName = 'mesh';
    await api.createLedger({
      ...place,
      ledger: { name: ledgerName, scope: 'Device', direction: 'Downstream' },
    });
    check.equal((await answered(api.getLedger({ ...place, ledgerName }))).ledger.name, ledgerName);
    check.equal((await answered(api.listLedgers(place))).ledgers.length, 1);
    check.deepEqual((await answered(api.listLedgers({}))).ledgers, []);
    await refused(api.getLedger({ ledgerName }), 404);

    const instance = { data: { network: 'barn' } };
    const where = { ...place, ledgerName, scopeValue: device.id };
    await api.setLedgerInstance({ ...where, instance });
    check.deepEqual((await answered(api.getLedgerInstance(where))).instance.data, instance.data);
    check.equal((await answered(api.listLedgerInstances({ ...place, ledgerName }))).meta.total, 1);
    check.deepEqual((await answered(api.listLedgerInstanceVersions(where))).versions, []);
    check.deepEqual(await answered(api.deleteLedgerInstance(where), 204), {});
    check.deepEqual(await answered(api.archiveLedger({ ...place, ledgerName }), 204), {});
  });

  test('hands its environment down to its products', async () => {
    await answered(api.setEnvVar({ ...place, key: 'REGION', value: 'north' }));
    await answered(api.startEnvVarsRollout({ ...place, when: 'Connect' }));
    const { latest } = await answered(api.listEnvVars({ product: PRODUCT }));
    check.deepEqual(latest.inherited.REGION, { from: 'Owner', value: 'north' });
  });

  test('has integrations of its own', async () => {
    const settings = {
      integration_type: 'Webhook',
      url: 'https://hooks.example.net/in',
      requestType: 'POST',
    };
    const made = await answered(api.createIntegration({ ...place, event: 'reading', settings }), 201);
    check.deepEqual(
      (await answered(api.listIntegrations(place))).map(({ id }) => id),
      [made.id],
    );
    check.deepEqual(await answered(api.listIntegrations({})), []);
    check.deepEqual(await answered(api.deleteIntegration({ ...place, integrationId: made.id }), 204), {});
  });

  test('streams the events of its products', () =>
    withStream(api.getEventStream({ ...place, name: 'spark/status' }), async (events) => {
      const coming = nextEvent(events);
      await setOnline(device, false, 'org');
      const event = await coming;
      check.equal(event.data, 'offline');
      check.equal(event.productID, PRODUCT);
      await setOnline(device, true, 'org');
    }));

  test('is closed to others', async () => {
    const stranger = await loggedIn(STRANGER, CLOUD);
    check.deepEqual((await answered(stranger.get({ uri: '/v1/orgs' }))).organizations, []);
    for (const request of [
      stranger.listLedgers(place),
      stranger.listEnvVars(place),
      stranger.listIntegrations(place),
    ]) {
      check.ok([403, 404].includes((await thrown(request)).statusCode));
    }
  });
});
