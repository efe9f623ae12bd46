// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  PRODUCT,
  STRANGER,
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  thrown,
} from '../support.mjs';

const UNKNOWN_SIM = '8999999999999999999';

/**
 * Checks an answer of 200 without a body. The client reads JSON from whatever succeeds, so it throws; that
 * the status it tells is 200 shows that the cloud has done what was asked.
 */
async function emptySuccess(request) {
  check.equal((await thrown(request)).statusCode, 200);
}

describe('SIM cards', () => {
  let api;
  let older;
  let devices;

  before(async () => {
    devices = await freshCloud();
    api = await loggedIn();
    older = await loggedIn(DEMO, { version: 11 });
  });

  async function cardOfAccount() {
    const { id: deviceId, iccid } = devices.pop();
    await api.claimDevice({ deviceId });
    return iccid;
  }

  async function cardOfProduct() {
    const { id: deviceId, iccid } = devices.pop();
    await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    return iccid;
  }

  async function statusOf(iccid) {
    const sim = await answered(api.get({ uri: `/v1/sims/${iccid}` }));
    return (sim.sim ?? sim).status;
  }

  test('the cards of an account come in one list', async () => {
    const iccid = await cardOfAccount();
    const answer = await answered(api.listSIMs({}));
    check.ok(answer.sims.some(({ _id }) => _id === iccid));
    check.equal(answer.meta, undefined);
  });

  test('the cards of a product come in pages', async () => {
    const first = await cardOfProduct();
    await cardOfProduct();
    const page = await answered(api.listSIMs({ product: PRODUCT, page: 1, perPage: 1 }));
    check.equal(page.sims.length, 1);
    check.ok(page.meta.total_pages >= 2);
    const found = await answered(api.listSIMs({ product: PRODUCT, iccid: first }));
    check.deepEqual(
      found.sims.map(({ _id, status, product_id: product }) => [_id, status, product]),
      [[first, 'active', PRODUCT]],
    );
  });

  test('the data of one card adds up over the days', async () => {
    const iccid = await cardOfProduct();
    const usage = await answered(api.getSIMDataUsage({ iccid, product: PRODUCT }));
    check.equal(usage.iccid, iccid);
    check.ok(usage.usage_by_day.every(({ date }) => /^\d{4}-\d\d-\d\d$/.test(date)));
    const total = usage.usage_by_day.reduce((sum, day) => sum + day.mbs_used, 0);
    check.ok(Math.abs(usage.usage_by_day.at(-1).mbs_used_cumulative - total) < 0.01);
  });

  test('the data of a fleet counts its active cards', async () => {
    await cardOfProduct();
    const usage = await answered(api.getFleetDataUsage({ product: PRODUCT }));
    const { body } = await api.listSIMs({ product: PRODUCT, perPage: 100 });
    check.equal(usage.total_active_sim_cards, body.sims.filter(({ status }) => status === 'active').length);
    check.ok(usage.total_mbs_used >= 0);
  });

  test('a check of a card answers with its status alone', async () => {
    // Nothing that succeeds has a body here, so that the client throws whatever it hears but 204.
    check.equal((await thrown(api.checkSIM({ iccid: UNKNOWN_SIM }))).statusCode, 404);
    const fresh = await cardOfAccount();
    check.equal((await thrown(api.checkSIM({ iccid: fresh }))).statusCode, 200);
    const stranger = await loggedIn(STRANGER);
    check.equal((await thrown(stranger.checkSIM({ iccid: fresh }))).statusCode, 403);
  });

  test('a card is activated, put to sleep and woken again', async () => {
    const iccid = await cardOfAccount();
    check.equal(await statusOf(iccid), 'never_before_activated');
    await emptySuccess(older.activateSIM({ iccid, country: 'US' }));
    check.equal(await statusOf(iccid), 'active');
    check.ok([204, 205].includes((await api.checkSIM({ iccid }).catch((reason) => reason)).statusCode));
    await emptySuccess(older.deactivateSIM({ iccid }));
    check.equal(await statusOf(iccid), 'inactive_user_deactivated');
    await emptySuccess(older.reactivateSIM({ iccid }));
    check.equal(await statusOf(iccid), 'active');
  });

  test('a card of a product is put to sleep there', async () => {
    const iccid = await cardOfProduct();
    await emptySuccess(older.deactivateSIM({ iccid, product: PRODUCT }));
    const { sims } = await answered(api.listSIMs({ product: PRODUCT, iccid }));
    check.equal(sims[0].status, 'inactive_user_deactivated');
    await emptySuccess(older.updateSIM({ iccid, product: PRODUCT, mbLimit: 5 }));
  });

  test('cards are imported into a product together with their devices', async () => {
    const { id: deviceId, iccid } = devices.pop();
    check.deepEqual(await answered(older.activateSIM({ iccid, product: PRODUCT })), { ok: true });
    check.equal((await answered(api.getDevice({ deviceId, product: PRODUCT }))).product_id, PRODUCT);
  });

  test('a card is released', async () => {
    const iccid = await cardOfProduct();
    const { statusCode } = await api.removeSIM({ iccid, product: PRODUCT });
    check.ok([202, 204].includes(statusCode));
    check.deepEqual((await answered(api.listSIMs({ product: PRODUCT, iccid }))).sims, []);
  });

  test('an unknown card is not found', async () => {
    await refused(api.getSIMDataUsage({ iccid: UNKNOWN_SIM }), 404);
    await refused(api.removeSIM({ iccid: UNKNOWN_SIM, product: PRODUCT }), 404);
  });

  test('the state of a connection is asked for and answered later', async () => {
    const iccid = await cardOfProduct();
    const answer = await answered(api.get({ uri: `/v1/products/${PRODUCT}/sims/${iccid}/status` }), 202);
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
