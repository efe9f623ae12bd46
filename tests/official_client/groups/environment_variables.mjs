// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  ISO_TIME,
  PRODUCT,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  thrown,
} from '../support.mjs';

describe('environment variables', () => {
  let api;
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await freshCloud();
    api = await loggedIn();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
  });

  const own = (level) =>
    Object.fromEntries(Object.entries(level.latest.own).map(([key, { value }]) => [key, value]));

  for (const [scope, place] of [
    ['the sandbox', () => ({ sandbox: true })],
    ['a product', () => ({ product: PRODUCT })],
    ['a device', () => ({ deviceId })],
  ]) {
    test(`${scope} takes variables one by one and in one go`, async () => {
      const here = place();
      await answered(api.setEnvVar({ ...here, key: 'POLL_S', value: '60' }));
      const ops = [
        { op: 'Set', key: 'SITE', value: 'barn' },
        { op: 'Set', key: 'MODE', value: 'slow' },
        { op: 'Unset', key: 'POLL_S' },
      ];
      check.deepEqual(own(await answered(api.updateEnvVars({ ...here, ops }))), {
        SITE: 'barn',
        MODE: 'slow',
      });
      await answered(api.deleteEnvVar({ ...here, key: 'MODE' }));
      check.deepEqual(own(await answered(api.listEnvVars(here))), { SITE: 'barn' });
      await answered(api.deleteEnvVar({ ...here, key: 'SITE' }));
    });
  }

  test('a rollout can be looked at before it starts, and has nothing left to do after it', async () => {
    const here = { product: PRODUCT };
    await api.setEnvVar({ ...here, key: 'RATE', value: '1' });
    const { from_snapshot: plan } = await answered(api.reviewEnvVarsRollout(here));
    const added = plan.changes.find(({ key }) => key === 'RATE');
    check.equal(added.op, 'Added');
    check.equal(added.after?.value ?? added.after, '1');

    check.deepEqual(await answered(api.startEnvVarsRollout({ ...here, when: 'Immediate' })), {
      success: true,
    });
    const { from_snapshot: rest } = await answered(api.reviewEnvVarsRollout(here));
    check.deepEqual(rest.changes, []);
    const level = await answered(api.listEnvVars(here));
    check.equal(level.last_snapshot.own.RATE.value, '1');
    check.match(level.last_snapshot.rollout_at, ISO_TIME);
    check.equal(level.last_snapshot.rollout_by, DEMO.username);
  });

  /** Sets a variable in a scope, for good. */
  async function rolledOut(place, key, value) {
    await answered(api.setEnvVar({ ...place, key, value }));
    await answered(api.startEnvVarsRollout({ ...place, when: 'Immediate' }));
  }

  test('the most special scope wins', async () => {
    const rendered = async (place) => (await answered(api.renderEnvVars(place))).env.LEVEL;
    await rolledOut({ sandbox: true }, 'LEVEL', 'sandbox');
    check.equal(await rendered({ deviceId }), 'sandbox');
    await rolledOut({ product: PRODUCT }, 'LEVEL', 'product');
    check.equal(await rendered({ deviceId }), 'product');
    await rolledOut({ deviceId }, 'LEVEL', 'device');
    check.equal(await rendered({ deviceId }), 'device');
    check.equal(await rendered({ product: PRODUCT }), 'product');
    check.equal(await rendered({ sandbox: true }), 'sandbox');
  });

  test('what a scope inherits names where it comes from', async () => {
    await rolledOut({ sandbox: true }, 'REGION', 'north');
    const { latest } = await answered(api.listEnvVars({ product: PRODUCT }));
    check.deepEqual(latest.inherited.REGION, { from: 'Owner', value: 'north' });
  });

  test('a rollout reaches the devices that are online', async () => {
    await rolledOut({ product: PRODUCT }, 'REACHED', 'yes');
    const { on_device: onDevice } = await answered(api.listEnvVars({ deviceId }));
    check.equal(onDevice.rendered.REACHED, 'yes');
    check.match(onDevice.last_reported_at, ISO_TIME);
  });

  test('a malformed name is refused with the place of the mistake', async () => {
    const ops = [{ op: 'Set', key: 'lower case', value: 'x' }];
    await refused(api.updateEnvVars({ sandbox: true, ops }), 400, {
      error: 'invalid_request',
      error_description:
        'Validation error: : Must only contain uppercase letters, numbers, and underscores. ' +
        'Must not start with a number. at "ops[0].key"',
    });
  });

  test('names that begin with PARTICLE_ are reserved', async () => {
    check.equal(
      (await thrown(api.setEnvVar({ sandbox: true, key: 'PARTICLE_X', value: 'x' }))).statusCode,
      400,
    );
  });
});
