// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  ISO_TIME,
  PRODUCT,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

describe('environment variables', () => {
  let api;
  let deviceId;

  before(async () => {
    [{ id: deviceId }] = await resetCloud();
    api = await logIn();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
  });

  const readOwn = (level) =>
    Object.fromEntries(Object.entries(level.latest.own).map(([key, { value }]) => [key, value]));

  for (const [scope, place] of [
    ['the sandbox', () => ({ sandbox: true })],
    ['a product', () => ({ product: PRODUCT })],
    ['a device', () => ({ deviceId })],
  ]) {
    test(`${scope} accepts variables one by one and in one request`, async () => {
      const here = place();
      await readBody(api.setEnvVar({ ...here, key: 'POLL_S', value: '60' }));
      const ops = [
        { op: 'Set', key: 'SITE', value: 'barn' },
        { op: 'Set', key: 'MODE', value: 'slow' },
        { op: 'Unset', key: 'POLL_S' },
      ];
      check.deepEqual(readOwn(await readBody(api.updateEnvVars({ ...here, ops }))), {
        SITE: 'barn',
        MODE: 'slow',
      });
      await readBody(api.deleteEnvVar({ ...here, key: 'MODE' }));
      check.deepEqual(readOwn(await readBody(api.listEnvVars(here))), { SITE: 'barn' });
      await readBody(api.deleteEnvVar({ ...here, key: 'SITE' }));
    });
  }

  test('a rollout can be reviewed before it starts and has no changes afterwards', async () => {
    const here = { product: PRODUCT };
    await api.setEnvVar({ ...here, key: 'RATE', value: '1' });
    const { from_snapshot: plan } = await readBody(api.reviewEnvVarsRollout(here));
    const added = plan.changes.find(({ key }) => key === 'RATE');
    check.equal(added.op, 'Added');
    check.equal(added.after?.value ?? added.after, '1');

    check.deepEqual(await readBody(api.startEnvVarsRollout({ ...here, when: 'Immediate' })), {
      success: true,
    });
    const { from_snapshot: rest } = await readBody(api.reviewEnvVarsRollout(here));
    check.deepEqual(rest.changes, []);
    const level = await readBody(api.listEnvVars(here));
    check.equal(level.last_snapshot.own.RATE.value, '1');
    check.match(level.last_snapshot.rollout_at, ISO_TIME);
    check.equal(level.last_snapshot.rollout_by, DEMO.username);
  });

  /** Set a variable in a scope, and roll it out. */
  async function rollOut(place, key, value) {
    await readBody(api.setEnvVar({ ...place, key, value }));
    await readBody(api.startEnvVarsRollout({ ...place, when: 'Immediate' }));
  }

  test('the most specific scope takes precedence', async () => {
    const render = async (place) => (await readBody(api.renderEnvVars(place))).env.LEVEL;
    await rollOut({ sandbox: true }, 'LEVEL', 'sandbox');
    check.equal(await render({ deviceId }), 'sandbox');
    await rollOut({ product: PRODUCT }, 'LEVEL', 'product');
    check.equal(await render({ deviceId }), 'product');
    await rollOut({ deviceId }, 'LEVEL', 'device');
    check.equal(await render({ deviceId }), 'device');
    check.equal(await render({ product: PRODUCT }), 'product');
    check.equal(await render({ sandbox: true }), 'sandbox');
  });

  test('an inherited variable names its source', async () => {
    await rollOut({ sandbox: true }, 'REGION', 'north');
    const { latest } = await readBody(api.listEnvVars({ product: PRODUCT }));
    check.deepEqual(latest.inherited.REGION, { from: 'Owner', value: 'north' });
  });

  test('a rollout reaches online devices', async () => {
    await rollOut({ product: PRODUCT }, 'REACHED', 'yes');
    const { on_device: onDevice } = await readBody(api.listEnvVars({ deviceId }));
    check.equal(onDevice.rendered.REACHED, 'yes');
    check.match(onDevice.last_reported_at, ISO_TIME);
  });

  test('a malformed name is refused with its position', async () => {
    const ops = [{ op: 'Set', key: 'lower case', value: 'x' }];
    await expectRefusal(api.updateEnvVars({ sandbox: true, ops }), 400, {
      error: 'invalid_request',
      error_description:
        'Validation error: : Must only contain uppercase letters, numbers, and underscores. ' +
        'Must not start with a number. at "ops[0].key"',
    });
  });

  test('names that begin with PARTICLE_ are reserved', async () => {
    check.equal(
      (await catchError(api.setEnvVar({ sandbox: true, key: 'PARTICLE_X', value: 'x' }))).statusCode,
      400,
    );
  });
});
