// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  ISO_TIME,
  PRODUCT,
  STRANGER,
  UNKNOWN_DEVICE,
  anonymous,
  answered,
  check,
  freshCloud,
  loggedIn,
  nextEvent,
  setOnline,
  thrown,
  withStream,
} from '../support.mjs';

for (const version of [12, 11]) {
  describe(`event streams, read by version ${version} of the client`, () => {
    let api;
    let device;
    let deviceId;

    before(async () => {
      [device] = await freshCloud();
      deviceId = device.id;
      api = await loggedIn(DEMO, { version });
      await api.claimDevice({ deviceId });
      await api.addDeviceToProduct({ deviceId, product: PRODUCT });
    });

    const stream = (place, use) => withStream(api.getEventStream(place), use);

    test('what one publishes comes back on the own stream', () =>
      stream({ deviceId: 'mine' }, async (events) => {
        const coming = nextEvent(events);
        check.deepEqual(await answered(api.publishEvent({ name: 'hello', data: 'world', isPrivate: true })), {
          ok: true,
        });
        const event = await coming;
        check.equal(event.name, 'hello');
        check.equal(event.data, 'world');
        check.equal(Number(event.ttl), 60);
        check.match(event.published_at, ISO_TIME);
        check.equal(typeof event.coreid, 'string');
      }));

    test('text survives the way as it is', () =>
      stream({ deviceId: 'mine', name: 'text' }, async (events) => {
        const data = 'line one\nline two\r\n"quoted" \u00e9\u4e16\ud83c\udf0d';
        const coming = nextEvent(events);
        await api.publishEvent({ name: 'text', data, isPrivate: true });
        check.equal((await coming).data, data);
      }));

    test('a device that goes and comes back is seen doing so', () =>
      stream({ deviceId, name: 'spark/status' }, async (events) => {
        for (const [online, data] of [
          [false, 'offline'],
          [true, 'online'],
        ]) {
          const coming = nextEvent(events, ({ name }) => name === 'spark/status');
          await setOnline(device, online);
          const event = await coming;
          check.equal(event.data, data);
          check.equal(event.coreid, deviceId);
        }
      }));

    test('a flash is seen to begin and to end', () =>
      stream({ deviceId: 'mine', name: 'spark/flash/status' }, async (events) => {
        const begin = nextEvent(events, ({ data }) => data.trim() === 'started');
        const end = nextEvent(events, ({ data }) => data.trim() === 'success');
        await api.flashDevice({ deviceId, files: { 'app.bin': Buffer.from('binary') } });
        check.equal((await begin).coreid, deviceId);
        check.equal((await end).coreid, deviceId);
      }));

    test('a prefix keeps other events out', () =>
      stream({ deviceId: 'mine', name: 'wanted' }, async (events) => {
        const coming = nextEvent(events);
        await api.publishEvent({ name: 'unwanted', data: '1', isPrivate: true });
        await api.publishEvent({ name: 'wanted/here', data: '2', isPrivate: true });
        check.equal((await coming).name, 'wanted/here');
      }));

    test('the stream of a product names the product', () =>
      stream({ product: PRODUCT, name: 'all' }, async (events) => {
        const coming = nextEvent(events);
        const publication = { name: 'all/clear', data: 'yes', isPrivate: true, product: PRODUCT };
        check.deepEqual(await answered(api.publishEvent(publication)), { ok: true });
        const event = await coming;
        check.equal(event.name, 'all/clear');
        check.equal(event.productID, PRODUCT);
      }));

    test('a device of a product has a stream there', () =>
      stream({ product: PRODUCT, deviceId, name: 'spark' }, async (events) => {
        const coming = nextEvent(events, ({ data }) => data === 'offline');
        await setOnline(device, false);
        check.equal((await coming).productID, PRODUCT);
        await setOnline(device, true);
      }));

    test('public events reach everybody, private ones their account', async () => {
      const stranger = await loggedIn(STRANGER, { version });
      await withStream(stranger.getEventStream({ name: 'news' }), async (events) => {
        const coming = nextEvent(events);
        await api.publishEvent({ name: 'news/private', data: '1', isPrivate: true });
        await api.publishEvent({ name: 'news/public', data: '2', isPrivate: false });
        check.equal((await coming).name, 'news/public');
      });
    });

    test('a stream of all events needs a prefix', async () => {
      const reason = await thrown(api.getEventStream({}));
      check.equal(reason.statusCode, 400);
      check.deepEqual(reason.body, { ok: false, error: 'event prefix filter is required' });
    });

    test('a stream with a bad token is refused', async () => {
      const reason = await thrown(anonymous({ version }).getEventStream({ deviceId: 'mine', auth: 'bad' }));
      check.equal(reason.statusCode, 401);
      check.equal(reason.body.error, 'invalid_token');
      check.ok(reason.errorDescription.endsWith(' - The access token provided is invalid.'));
    });

    test('a stream of an unknown device is refused', async () => {
      check.equal((await thrown(api.getEventStream({ deviceId: UNKNOWN_DEVICE }))).statusCode, 403);
    });

    test('an event without a name is refused', async () => {
      check.equal((await thrown(api.publishEvent({ name: '', data: 'x' }))).statusCode, 400);
    });
  });
}
