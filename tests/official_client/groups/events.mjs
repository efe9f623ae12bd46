// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  ISO_TIME,
  PRODUCT,
  STRANGER,
  UNKNOWN_DEVICE,
  UPDATE_SECONDS,
  advanceClock,
  catchError,
  check,
  createClient,
  logIn,
  makeBinary,
  readBody,
  resetCloud,
  setOnline,
  waitForEvent,
  withStream,
} from '../support.mjs';

for (const version of [12, 11]) {
  describe(`event streams, read by version ${version} of the client`, () => {
    let api;
    let device;
    let deviceId;

    before(async () => {
      [device] = await resetCloud();
      deviceId = device.id;
      api = await logIn(DEMO, { version });
      await api.claimDevice({ deviceId });
      await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    });

    const stream = (place, use) => withStream(api.getEventStream(place), use);

    test('a published event is received on the stream of the account', () =>
      stream({ deviceId: 'mine' }, async (events) => {
        const pending = waitForEvent(events);
        check.deepEqual(await readBody(api.publishEvent({ name: 'hello', data: 'world', isPrivate: true })), {
          ok: true,
        });
        const event = await pending;
        check.equal(event.name, 'hello');
        check.equal(event.data, 'world');
        check.equal(Number(event.ttl), 60);
        check.match(event.published_at, ISO_TIME);
        check.equal(typeof event.coreid, 'string');
      }));

    test('text is transmitted unchanged', () =>
      stream({ deviceId: 'mine', name: 'text' }, async (events) => {
        const data = 'line one\nline two\r\n"quoted" \u00e9\u4e16\ud83c\udf0d';
        const pending = waitForEvent(events);
        await api.publishEvent({ name: 'text', data, isPrivate: true });
        check.equal((await pending).data, data);
      }));

    test('a device that disconnects and reconnects causes status events', () =>
      stream({ deviceId, name: 'spark/status' }, async (events) => {
        for (const [online, data] of [
          [false, 'offline'],
          [true, 'online'],
        ]) {
          const pending = waitForEvent(events, ({ name }) => name === 'spark/status');
          await setOnline(device, online);
          const event = await pending;
          check.equal(event.data, data);
          check.equal(event.coreid, deviceId);
        }
      }));

    test('a flash causes events at its start and its end', () =>
      stream({ deviceId: 'mine', name: 'spark/flash/status' }, async (events) => {
        const begin = waitForEvent(events, ({ data }) => data.trim() === 'started');
        const end = waitForEvent(events, ({ data }) => data.trim() === 'success');
        await api.flashDevice({ deviceId, files: { 'app.bin': makeBinary(1) } });
        await advanceClock(UPDATE_SECONDS);
        check.equal((await begin).coreid, deviceId);
        check.equal((await end).coreid, deviceId);
      }));

    test('a prefix filters events', () =>
      stream({ deviceId: 'mine', name: 'wanted' }, async (events) => {
        const pending = waitForEvent(events);
        await api.publishEvent({ name: 'unwanted', data: '1', isPrivate: true });
        await api.publishEvent({ name: 'wanted/here', data: '2', isPrivate: true });
        check.equal((await pending).name, 'wanted/here');
      }));

    test('events on the stream of a product contain the product id', () =>
      stream({ product: PRODUCT, name: 'all' }, async (events) => {
        const pending = waitForEvent(events);
        const publication = { name: 'all/clear', data: 'yes', isPrivate: true, product: PRODUCT };
        check.deepEqual(await readBody(api.publishEvent(publication)), { ok: true });
        const event = await pending;
        check.equal(event.name, 'all/clear');
        check.equal(event.productID, PRODUCT);
      }));

    test('a device of a product has a stream in the product', () =>
      stream({ product: PRODUCT, deviceId, name: 'spark' }, async (events) => {
        const pending = waitForEvent(events, ({ data }) => data === 'offline');
        await setOnline(device, false);
        check.equal((await pending).productID, PRODUCT);
        await setOnline(device, true);
      }));

    test('public events reach other accounts, and private events do not', async () => {
      const stranger = await logIn(STRANGER, { version });
      await withStream(stranger.getEventStream({ name: 'news' }), async (events) => {
        const pending = waitForEvent(events);
        await api.publishEvent({ name: 'news/private', data: '1', isPrivate: true });
        await api.publishEvent({ name: 'news/public', data: '2', isPrivate: false });
        check.equal((await pending).name, 'news/public');
      });
    });

    test('a stream of all events requires a prefix', async () => {
      const reason = await catchError(api.getEventStream({}));
      check.equal(reason.statusCode, 400);
      check.deepEqual(reason.body, { ok: false, error: 'event prefix filter is required' });
    });

    test('a stream with a bad token is refused', async () => {
      const reason = await catchError(
        createClient({ version }).getEventStream({ deviceId: 'mine', auth: 'bad' }),
      );
      check.equal(reason.statusCode, 401);
      check.equal(reason.body.error, 'invalid_token');
      check.ok(reason.errorDescription.endsWith(' - The access token provided is invalid.'));
    });

    test('a stream of an unknown device is refused', async () => {
      check.equal((await catchError(api.getEventStream({ deviceId: UNKNOWN_DEVICE }))).statusCode, 403);
    });

    test('an event without a name is refused', async () => {
      check.equal((await catchError(api.publishEvent({ name: '', data: 'x' }))).statusCode, 400);
    });
  });
}
