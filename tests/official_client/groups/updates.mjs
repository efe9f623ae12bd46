// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// The eleven endings of an update, as sections 4.1 to 4.4 of docs/facts/firmware-and-events.md describe them.

import { after, before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  HEX_24,
  ISO_TIME,
  PRODUCT,
  check,
  logIn,
  readAppHash,
  readBody,
  resetCloud,
  waitForEvent,
  withStream,
} from '../support.mjs';
import { NEW, OLD, WatchedUpdate, flash, lock, prepareDevices, readRow, status } from '../updates.mjs';

const BEGINNING = [status('auto-update', OLD), flash('started', OLD)];
const OFFLINE_SECONDS = 46 * 60;
const RUNNING_OLD = { firmware_version: OLD, online: true, status: 'normal', session: 'old' };
const RUNNING_NEW = { firmware_version: NEW, online: true, status: 'normal', session: 'new' };
const EVENT_KEYS = 'coreid data name productID public published_at ttl userid version'.split(' ');

for (const clientVersion of [12, 11]) {
  describe(`an update, watched by version ${clientVersion} of the client`, () => {
    let api;
    let stream;
    let devices;
    let appHash;
    let update;

    before(async () => {
      devices = (await resetCloud()).slice(0, 15).map(({ id }) => id);
      api = await logIn(DEMO, { version: clientVersion });
      await api.claimDevice({ deviceId: devices[0] });
      await api.post({ uri: `/v1/products/${PRODUCT}/devices`, data: { ids: devices } });
      appHash = await readAppHash(await prepareDevices(api, devices));
      stream = await api.getEventStream({ product: PRODUCT });
    });

    after(() => {
      stream.abort();
      stream.stopIdleTimeout();
    });

    /** Lock the next device to the new version, and watch the update. */
    async function startUpdate(ending) {
      update?.stop();
      const deviceId = devices.shift();
      update = new WatchedUpdate(api, stream, deviceId);
      await update.start(ending, () => lock(api, deviceId, NEW));
    }

    /** The reports of a device that has restarted, sorted, because their order varies. */
    const reports = (version, { reset = 'update', hash = appHash, pending = 'false' } = {}) =>
      [
        ['spark/device/last_reset', reset, version],
        ['particle/device/updates/forced', 'false', version],
        ...(hash ? [['spark/device/app-hash', hash, version]] : []),
        ...(pending ? [['particle/device/updates/pending', pending, version]] : []),
        ['particle/device/updates/enabled', 'true', version],
      ].sort();

    /** Check the events of a restart: `offline`, `online`, and then the reports in any order. */
    function expectRestart(events, { from, to, ...reported }) {
      check.deepEqual(events.slice(0, 2), [status('offline', from), status('online', to)]);
      check.deepEqual(events.slice(2).sort(), reports(to, reported));
    }

    test('that succeeds has the recorded events and times', async () => {
      await startUpdate('ok');
      const events = await update.watch(60);
      const moments = events.map(({ name, data, second }) => [name, data.trim(), second.toFixed(1)].join(' '));
      check.deepEqual(moments.slice(0, 5), [
        'spark/status auto-update 0.0',
        'spark/flash/status started 0.0',
        'spark/flash/status success 3.3',
        'spark/status offline 11.2',
        'spark/status online 11.2',
      ]);
      check.deepEqual(moments.slice(5, 8).sort(), [
        'particle/device/updates/forced false 11.8',
        `spark/device/app-hash ${appHash} 11.8`,
        'spark/device/last_reset update 11.8',
      ]);
      check.deepEqual(moments.slice(8), [
        'particle/device/updates/pending false 12.8',
        'particle/device/updates/enabled true 25.1',
      ]);
      const [, , , offline, online] = events;
      check.ok(online.second - offline.second >= 0.012 && online.second - offline.second <= 0.024);
      for (const event of events) {
        check.deepEqual(Object.keys(event).filter((key) => key !== 'second').sort(), EVENT_KEYS);
        check.equal(event.ttl, 60);
        check.equal(event.public, false);
        check.equal(event.productID, PRODUCT);
        check.match(event.published_at, ISO_TIME);
        check.match(event.userid, HEX_24);
      }
    });

    test('shows the new version in the list from the new session on', async () => {
      await startUpdate('ok');
      await update.expectRow(RUNNING_OLD);
      check.deepEqual(await update.advance(3), BEGINNING);
      await update.expectRow(RUNNING_OLD);
      check.deepEqual(await update.advance(1), [flash('success', OLD)]);
      await update.expectRow(RUNNING_OLD);
      expectRestart(await update.advance(56), { from: OLD, to: NEW });
      await update.expectRow(RUNNING_NEW);
    });

    test('of an unclaimed device names no user', async () => {
      await startUpdate('ok');
      const [event] = await update.watch(60);
      check.equal(event.userid, '');
    });

    test('that is slow has the same events later', async () => {
      await startUpdate('slow');
      check.deepEqual(await update.advance(83), BEGINNING);
      await update.expectRow(RUNNING_OLD);
      check.deepEqual(await update.advance(2), [flash('success', OLD)]);
      check.deepEqual(await update.advance(119), []);
      await update.expectRow(RUNNING_OLD);
      expectRestart(await update.advance(56), { from: OLD, to: NEW });
      await update.expectRow(RUNNING_NEW);
    });

    test('that is acknowledged late seems to fail, but the new version runs', async () => {
      await startUpdate('late_ack');
      check.deepEqual((await update.advance(5)).at(-1), flash('failed', OLD));
      await update.expectRow(RUNNING_OLD);
      expectRestart(await update.advance(55), { from: OLD, to: NEW });
      await update.expectRow(RUNNING_NEW);
    });

    test('that the device refuses causes no restart', async () => {
      await startUpdate('refused');
      check.deepEqual(await update.advance(600), [...BEGINNING, flash('failed', OLD)]);
      await update.expectRow(RUNNING_OLD);
    });

    test('that breaks off restarts the device with its old version', async () => {
      await startUpdate('transfer_fails');
      check.deepEqual(await update.advance(299), [...BEGINNING, flash('failed', OLD)]);
      await update.expectRow(RUNNING_OLD);
      const events = (await update.advance(60)).filter(([name]) => name !== 'particle/device/updates/pending');
      expectRestart(events, { from: OLD, to: OLD, reset: 'update_timeout', hash: null, pending: null });
      await update.expectRow({ ...RUNNING_OLD, session: 'new' });
    });

    test('that comes back old reports a success', async () => {
      await startUpdate('came_back_old');
      check.deepEqual(await update.advance(2.5), [...BEGINNING, flash('success', OLD)]);
      await update.expectRow(RUNNING_OLD);
      const events = await update.advance(57);
      check.deepEqual(events.slice(0, 2), [status('offline', OLD), status('online', OLD)]);
      check.ok(events.every(([name]) => name !== 'spark/device/app-hash'));
      await update.expectRow({ ...RUNNING_OLD, session: 'new' });
    });

    test('is lost when the device falls asleep', async () => {
      await startUpdate('sleeps');
      check.deepEqual(await update.advance(59), [status('auto-update', OLD)]);
      check.deepEqual(await update.advance(2), [flash('failed', OLD)]);
      await update.expectRow(RUNNING_OLD);
    });

    test('whose firmware crashes after connecting leads to panics for ever', async () => {
      await startUpdate('crashes_online');
      let handshake = '';
      check.deepEqual((await update.advance(15)).slice(0, 5), [
        ...BEGINNING,
        flash('success', OLD),
        status('offline', OLD),
        status('online', NEW),
      ]);
      for (let panics = 0; panics < 3; panics += 1) {
        const later = await update.expectRow({ ...RUNNING_NEW });
        check.ok(later > handshake);
        handshake = later;
        const events = await update.advance(120);
        const resets = events.filter(([name]) => name === 'spark/device/last_reset').map(([, data]) => data);
        check.ok(resets.length > 0);
        check.ok(resets.every((data) => data === 'panic, hard_fault'));
        check.ok(events.every(([, , version]) => version === NEW));
        const states = events.filter(([name]) => name === 'spark/status').map(([, data]) => data);
        check.ok(states.length >= 2 && states.every((data, index) => data === ['offline', 'online'][index % 2]));
      }
    });

    test('whose firmware crashes after connecting can be replaced', async () => {
      await startUpdate('crashes_online');
      await update.advance(120);
      await lock(api, update.deviceId, OLD);
      await update.advance(300);
      check.deepEqual(await update.advance(3600), []);
      await update.expectRow({ ...RUNNING_OLD, desired_firmware_version: OLD, session: 'new' });
    });

    test('of a claimed device is part of the stream of the account, and others are not', () =>
      withStream(api.getEventStream({ deviceId: 'mine', name: 'spark/' }), async (mine) => {
        const received = [];
        mine.on('event', ({ name, data }) => /status$/.test(name) && received.push(data));
        await startUpdate('ok');
        await update.advance(60);
        const { deviceId } = update;
        check.ok(!received.includes('auto-update'));
        await api.claimDevice({ deviceId });
        await lock(api, deviceId, OLD);
        const ended = waitForEvent(mine, ({ data }) => data === 'update');
        await update.advance(60);
        await ended;
        const beginning = received.indexOf('auto-update');
        check.deepEqual(received.slice(beginning), ['auto-update', 'started ', 'success ', 'offline', 'online']);
      }));

    test('whose firmware crashes before connecting leads to silence', async () => {
      await startUpdate('crashes_before');
      check.deepEqual(await update.advance(600), [...BEGINNING, flash('success', OLD)]);
      await update.expectRow(RUNNING_OLD);
      check.deepEqual(await update.advance(OFFLINE_SECONDS), [status('offline', OLD)]);
      await update.expectRow({ ...RUNNING_OLD, online: false });
      check.deepEqual(await update.advance(86_400), []);
    });

    test('waits for a device that has switched updates off, unless it is forced', async () => {
      await startUpdate('disabled');
      const events = await update.advance(60);
      check.deepEqual(events, [['particle/device/updates/pending', 'true', OLD]]);
      await update.expectRow(RUNNING_OLD);
      const change = { uri: `/v1/products/${PRODUCT}/devices/${update.deviceId}` };
      const answer = await readBody(api.put({ ...change, data: { firmware_updates_forced: true } }));
      check.equal(answer.firmware_updates_forced, true);
      const forced = await update.advance(60);
      check.deepEqual(forced.slice(0, 6), [
        ['particle/device/updates/forced', 'true', OLD],
        ...BEGINNING,
        flash('success', OLD),
        status('offline', OLD),
        status('online', NEW),
      ]);
      const switches = forced.slice(6).filter(([name]) => /updates\/(enabled|forced)$/.test(name));
      check.deepEqual(switches.sort(), [
        ['particle/device/updates/enabled', 'false', NEW],
        ['particle/device/updates/forced', 'true', NEW],
      ]);
      await update.expectRow(RUNNING_NEW);
    });

    test('that needs a newer Device OS passes through safe mode', async () => {
      await startUpdate('needs_device_os');
      const [safeMode, ...earlier] = (await update.advance(13)).reverse();
      check.deepEqual(earlier.reverse(), [
        ...BEGINNING,
        flash('success', OLD),
        status('offline', OLD),
        status('online', 0),
      ]);
      const missing = readModules(safeMode);
      check.equal(missing.application.u, appHash);
      check.ok(missing.application.d[0].v > missing.system.v);
      check.equal(missing.application.vc & ~missing.application.vv, 4);
      const { firmware_version: shown } = await readRow(api, update.deviceId);
      check.ok([0, OLD].includes(shown));
      const handshake = await update.expectRow({
        ...RUNNING_NEW,
        firmware_version: shown,
        status: 'safe_mode',
      });

      const events = await update.watch(170);
      const told = events.map(({ name, data, version }) => [name, data, version]);
      check.deepEqual(told.slice(0, 3), [flash('success', 0), status('offline', 0), status('online', 0)]);
      const grown = readModules(told[3]);
      check.ok(grown.bootloader.v > missing.bootloader.v);
      check.deepEqual(told[4], flash('success', 0));
      expectRestart(told.slice(5), { from: 0, to: NEW, hash: null });
      check.ok(events[6].second > 150 && events[6].second < 180);
      check.ok((await update.expectRow(RUNNING_NEW)) > handshake);
    });
  });
}

/** Read the modules in the data of an event about safe mode. */
function readModules([name, data, version]) {
  check.equal(name, 'spark/status/safe-mode');
  check.equal(version, 0);
  const { p: platform, m: modules } = JSON.parse(data);
  check.equal(platform, BORON);
  const find = (letter) => modules.find(({ f }) => f === letter);
  const found = { bootloader: find('b'), system: find('s'), application: find('u') };
  for (const { s: size, l: place, v: moduleVersion, n: index, d: needs } of Object.values(found)) {
    check.ok(Number.isInteger(size) && Number.isInteger(moduleVersion));
    check.match(place, /^[mbft]$/);
    check.equal(typeof index, 'string');
    check.ok(Array.isArray(needs));
  }
  return found;
}
