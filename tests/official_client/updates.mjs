// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Helpers that watch an update of a device on the stream of its product and in the device list, while the clock of the
// cloud moves.

import {
  PRODUCT,
  UPDATE_SECONDS,
  advanceClock,
  check,
  makeBinary,
  readBody,
  readClock,
  setUpdateEnding,
  waitForEvent,
} from './support.mjs';

export const OLD = 1;
export const NEW = 2;

const MARKER = 'end-of-step';

/** Return what a stream tells about the state of a device: name, data and version of the event. */
export const status = (data, version) => ['spark/status', data, version];

/** Return what a stream tells about a transfer. The data of the event ends with a blank. */
export const flash = (word, version) => ['spark/flash/status', `${word} `, version];

/** Upload the old and the new firmware, let all devices run the old one, and return the new binary. */
export async function prepareDevices(api, deviceIds) {
  const binaries = new Map([OLD, NEW].map((version) => [version, makeBinary(version)]));
  for (const [version, file] of binaries) {
    await readBody(api.uploadProductFirmware({ file, version, title: `v${version}`, product: PRODUCT }), 201);
  }
  for (const deviceId of deviceIds) {
    await lock(api, deviceId, OLD);
  }
  await advanceClock(UPDATE_SECONDS);
  return binaries.get(NEW);
}

/** Lock a device to a version, and install the version at once. */
export const lock = (api, deviceId, desiredFirmwareVersion) =>
  readBody(api.lockDeviceProductFirmware({ deviceId, desiredFirmwareVersion, flash: true, product: PRODUCT }));

/** Read a device twice: in the list of its product, and by its id. Both must tell the same about its firmware. */
export async function readRow(api, deviceId) {
  const { devices } = await readBody(api.listDevices({ deviceId, product: PRODUCT }));
  check.equal(devices.length, 1);
  const pick = (device) => ({
    firmware_version: device.firmware_version,
    desired_firmware_version: device.desired_firmware_version,
    targeted_firmware_release_version: device.targeted_firmware_release_version,
    online: device.online,
    status: device.status,
    last_handshake_at: device.last_handshake_at,
  });
  const row = pick(devices[0]);
  check.deepEqual(pick(await readBody(api.getDevice({ deviceId, product: PRODUCT }))), row);
  return row;
}

/** An update of one device, from its start on. */
export class WatchedUpdate {
  #api;
  #stream;
  #start;
  #received = [];

  constructor(api, stream, deviceId) {
    this.#api = api;
    this.#stream = stream;
    this.deviceId = deviceId;
    this.listen = (event) => event.coreid === deviceId && this.#received.push(event);
    stream.on('event', this.listen);
  }

  /** Choose how the update ends, read the device, and start the update with `begin`. */
  async start(ending, begin) {
    await setUpdateEnding(this.deviceId, ending);
    await this.read();
    this.before = await readRow(this.#api, this.deviceId);
    this.#start = Math.floor((await readClock()) * 1000);
    await begin();
  }

  stop() {
    this.#stream.off('event', this.listen);
  }

  /** Advance the clock, and return the events of this time, each as [name, data, version]. */
  async advance(seconds) {
    return (await this.watch(seconds)).map(({ name, data, version }) => [name, data, version]);
  }

  /** Advance the clock, and return the events of this time. */
  async watch(seconds) {
    await advanceClock(seconds);
    return this.read();
  }

  /** Return the events since the last call as the client delivers them, each with its second since the start. */
  async read() {
    const marked = waitForEvent(this.#stream, ({ name }) => name === MARKER);
    await this.#api.publishEvent({ name: MARKER, product: PRODUCT });
    await marked;
    const events = this.#received.splice(0);
    return events.map((event) => ({ ...event, second: (Date.parse(event.published_at) - this.#start) / 1000 }));
  }

  /** Check what the device list shows. `session` tells whether the last handshake is the one before the update. */
  async expectRow({ session, ...shown }) {
    const { last_handshake_at: handshake, ...row } = await readRow(this.#api, this.deviceId);
    const { last_handshake_at: earlier, ...before } = this.before;
    check.deepEqual(row, { ...before, desired_firmware_version: NEW, ...shown });
    check.equal(handshake > earlier ? 'new' : 'old', session);
    return handshake;
  }
}
