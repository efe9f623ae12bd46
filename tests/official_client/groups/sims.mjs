// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  PRODUCT,
  STRANGER,
  advanceClock,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
} from '../support.mjs';

const IMPORT_SECONDS = 10;
const UNKNOWN_SIM = '8999999999999999999';

/**
 * Check an answer with status 200 and without a body. The client expects JSON in each successful answer, so it
 * throws an error; the status 200 of that error shows that the request has succeeded.
 */
async function expectEmptySuccess(request) {
  check.equal((await catchError(request)).statusCode, 200);
}

describe('SIM cards', () => {
  let api;
  let older;
  let devices;

  before(async () => {
    devices = await resetCloud();
    api = await logIn();
    older = await logIn(DEMO, { version: 11 });
  });

  async function claimCard() {
    const { id: deviceId, iccid } = devices.pop();
    await api.claimDevice({ deviceId });
    return iccid;
  }

  async function importCard() {
    const { id: deviceId, iccid } = devices.pop();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    return iccid;
  }

  async function readStatus(iccid) {
    const sim = await readBody(api.get({ uri: `/v1/sims/${iccid}` }));
    return (sim.sim ?? sim).status;
  }

  test('the cards of an account are listed without pages', async () => {
    const iccid = await claimCard();
    const answer = await readBody(api.listSIMs({}));
    check.ok(answer.sims.some(({ _id }) => _id === iccid));
    check.equal(answer.meta, undefined);
  });

  test('the cards of a product are listed in pages', async () => {
    const first = await importCard();
    await importCard();
    const page = await readBody(api.listSIMs({ product: PRODUCT, page: 1, perPage: 1 }));
    check.equal(page.sims.length, 1);
    check.ok(page.meta.total_pages >= 2);
    const found = await readBody(api.listSIMs({ product: PRODUCT, iccid: first }));
    check.deepEqual(
      found.sims.map(({ _id, status, product_id: product }) => [_id, status, product]),
      [[first, 'active', PRODUCT]],
    );
  });

  test('the data usage of a card adds up over the days', async () => {
    const iccid = await importCard();
    const usage = await readBody(api.getSIMDataUsage({ iccid, product: PRODUCT }));
    check.equal(usage.iccid, iccid);
    check.ok(usage.usage_by_day.every(({ date }) => /^\d{4}-\d\d-\d\d$/.test(date)));
    const total = usage.usage_by_day.reduce((sum, day) => sum + day.mbs_used, 0);
    check.ok(Math.abs(usage.usage_by_day.at(-1).mbs_used_cumulative - total) < 0.01);
  });

  test('the data usage of a fleet includes the number of active cards', async () => {
    await importCard();
    const usage = await readBody(api.getFleetDataUsage({ product: PRODUCT }));
    const { body } = await api.listSIMs({ product: PRODUCT, perPage: 100 });
    check.equal(usage.total_active_sim_cards, body.sims.filter(({ status }) => status === 'active').length);
    check.ok(usage.total_mbs_used >= 0);
  });

  test('a check of a card returns only a status code', async () => {
    // Successful answers have no body here, so the client throws an error for each status except 204.
    check.equal((await catchError(api.checkSIM({ iccid: UNKNOWN_SIM }))).statusCode, 404);
    const fresh = await claimCard();
    check.equal((await catchError(api.checkSIM({ iccid: fresh }))).statusCode, 200);
    const stranger = await logIn(STRANGER);
    check.equal((await catchError(stranger.checkSIM({ iccid: fresh }))).statusCode, 403);
  });

  test('a card can be activated, deactivated and reactivated', async () => {
    const iccid = await claimCard();
    check.equal(await readStatus(iccid), 'never_before_activated');
    await expectEmptySuccess(older.activateSIM({ iccid, country: 'US' }));
    check.equal(await readStatus(iccid), 'active');
    check.ok([204, 205].includes((await api.checkSIM({ iccid }).catch((reason) => reason)).statusCode));
    await expectEmptySuccess(older.deactivateSIM({ iccid }));
    check.equal(await readStatus(iccid), 'inactive_user_deactivated');
    await expectEmptySuccess(older.reactivateSIM({ iccid }));
    check.equal(await readStatus(iccid), 'active');
  });

  test('a card of a product can be deactivated and updated in the product', async () => {
    const iccid = await importCard();
    await expectEmptySuccess(older.deactivateSIM({ iccid, product: PRODUCT }));
    const { sims } = await readBody(api.listSIMs({ product: PRODUCT, iccid }));
    check.equal(sims[0].status, 'inactive_user_deactivated');
    await expectEmptySuccess(older.updateSIM({ iccid, product: PRODUCT, mbLimit: 5 }));
  });

  test('the import of a card adds its device to the product', async () => {
    const { id: deviceId, iccid } = devices.pop();
    check.deepEqual(await readBody(older.activateSIM({ iccid, product: PRODUCT })), { ok: true });
    await advanceClock(IMPORT_SECONDS);
    check.equal((await readBody(api.getDevice({ deviceId, product: PRODUCT }))).product_id, PRODUCT);
  });

  test('a card can be released', async () => {
    const iccid = await importCard();
    const { statusCode } = await api.removeSIM({ iccid, product: PRODUCT });
    check.ok([202, 204].includes(statusCode));
    check.deepEqual((await readBody(api.listSIMs({ product: PRODUCT, iccid }))).sims, []);
  });

  test('an unknown card is not found', async () => {
    await expectRefusal(api.getSIMDataUsage({ iccid: UNKNOWN_SIM }), 404);
    await expectRefusal(api.removeSIM({ iccid: UNKNOWN_SIM, product: PRODUCT }), 404);
  });

  test('the connection status of a card is requested asynchronously', async () => {
    const iccid = await importCard();
    const answer = await readBody(api.get({ uri: `/v1/products/${PRODUCT}/sims/${iccid}/status` }), 202);
    check.equal(answer.ok, true);
    check.ok(['pending', 'complete'].includes(answer.meta.state));
    check.equal(answer.meta.method, 'async');
    check.deepEqual(Object.keys(answer.sim_status).sort(), [
      'connected',
      'data_connection',
      'gsm_connection',
    ]);
  });
});
