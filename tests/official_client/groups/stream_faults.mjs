// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  DEMO,
  ORG,
  PRODUCT,
  check,
  disturbStreams,
  logIn,
  resetCloud,
  setOnline,
  waitForEvents,
  waitForSignal,
  withStream,
} from '../support.mjs';

const FULL = process.env.MESHFLEET_FULL === '1';

for (const version of [12, 11]) {
  describe(`event streams that fail, read by version ${version} of the client`, () => {
    const CLOUD = 'org';

    let api;
    let device;
    let places;

    before(async () => {
      [device] = await resetCloud(CLOUD);
      const deviceId = device.id;
      api = await logIn(DEMO, { version, cloud: CLOUD });
      await api.claimDevice({ deviceId });
      await api.addDeviceToProduct({ deviceId, product: PRODUCT });
      places = [
        { deviceId: 'mine' },
        { product: PRODUCT },
        { deviceId },
        { product: PRODUCT, deviceId },
        { org: ORG },
      ];
    });

    /** Call `use` with an open stream of each kind, and close the streams afterwards. */
    async function withAllStreams(use, open = []) {
      if (open.length === places.length) {
        return use(open);
      }
      const opening = api.getEventStream(places[open.length]);
      return withStream(opening, (stream) => withAllStreams(use, [...open, stream]));
    }

    /** Wait for events on all streams. Call this before the action that causes the events. */
    const waitForAll = (streams, count) =>
      Promise.all(streams.map((stream) => waitForEvents(stream, count, ({ name }) => name === 'spark/status')));

    const signalAll = (streams, name) => Promise.all(streams.map((stream) => waitForSignal(stream, name)));

    async function reconnectDevice() {
      await setOnline(device, false, CLOUD);
      await setOnline(device, true, CLOUD);
    }

    const readData = (received) => received.map((events) => events.map(({ data }) => data));

    test('are opened again after a cut, without the events in between', () =>
      withAllStreams(async (streams) => {
        const ends = signalAll(streams, 'disconnect');
        const reconnections = signalAll(streams, 'reconnect-success');
        check.equal(await disturbStreams({ cut: true }, CLOUD), places.length);
        await ends;
        await setOnline(device, false, CLOUD);
        await reconnections;
        const pending = waitForAll(streams, 1);
        await setOnline(device, true, CLOUD);
        check.deepEqual(
          readData(await pending),
          places.map(() => ['online']),
        );
      }));

    test('repeat events', () =>
      withAllStreams(async (streams) => {
        await disturbStreams({ repeat: 1 }, CLOUD);
        const pending = waitForAll(streams, 3);
        await reconnectDevice();
        check.deepEqual(
          readData(await pending),
          places.map(() => ['offline', 'offline', 'online']),
        );
      }));

    test('send events in another order', () =>
      withAllStreams(async (streams) => {
        await disturbStreams({ reorder: 2 }, CLOUD);
        const pending = waitForAll(streams, 2);
        await reconnectDevice();
        check.deepEqual(
          readData(await pending),
          places.map(() => ['online', 'offline']),
        );
      }));

    test('are dead when they send nothing, and alive with keep-alives only', { skip: !FULL }, () =>
      withAllStreams(async (deaf) => {
        const ends = signalAll(deaf, 'disconnect');
        const reconnections = signalAll(deaf, 'reconnect-success');
        await disturbStreams({ mute: 3600 }, CLOUD);
        await withStream(api.getEventStream({ product: PRODUCT }), async (healthy) => {
          let endings = 0;
          healthy.on('disconnect', () => (endings += 1));
          await ends;
          await reconnections;
          check.equal(endings, 0);
          const pending = waitForAll([...deaf, healthy], 2);
          await reconnectDevice();
          check.deepEqual(
            readData(await pending),
            [...deaf, healthy].map(() => ['offline', 'online']),
          );
        });
      }),
    );

    test('end with their token, and are refused afterwards', async () => {
      await resetCloud('closing');
      const other = await logIn(DEMO, { version, cloud: 'closing' });
      await withStream(other.getEventStream({ deviceId: 'mine' }), async (stream) => {
        const refusal = waitForSignal(stream, 'reconnect-error');
        // The client would try to reconnect for ever.
        stream.once('reconnect-error', () => (stream.reconnect = () => {}));
        await other.deleteCurrentAccessToken({});
        const [{ statusCode, body }] = await refusal;
        check.equal(statusCode, 401);
        check.equal(body.error, 'invalid_token');
      });
    });
  });
}
