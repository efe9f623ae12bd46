// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// Helpers for all groups of the suite: the two versions of the official client, the control interface of the
// simulator, and counted assertions.
//
// The environment sets a cloud without mesh networks whose clock only the suite moves (CLOUD_URL), one with mesh
// networks (MESH_CLOUD_URL), one whose product belongs to an organization (ORG_CLOUD_URL), one that closes event
// streams with their tokens (CLOSING_CLOUD_URL), and the folder into which npm has installed the clients
// (OFFICIAL_CLIENT). Tests that take long run only with MESHFLEET_FULL=1.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const installed = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'));

const CLIENTS = {
  12: installed('particle-api-js'),
  11: installed('particle-api-js-11'),
};

const { HalModuleParser, createApplicationAndAssetBundle, firmwareTestHelper } = installed('binary-version-reader');

export const [DEMO, STRANGER, CAREFUL, STAFF] = JSON.parse(
  readFileSync(new URL('accounts.json', import.meta.url), 'utf8'),
);

export const PRODUCT = 31337;
export const SLUG = 'field-logger';
export const ORG = 'acme';
export const BORON = 13;
export const UNKNOWN_DEVICE = 'e00fce680000000000000000';
export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const HEX_24 = /^[0-9a-f]{24}$/;
export const HEX_40 = /^[0-9a-f]{40}$/;

/** Make a valid binary of a version of the product firmware. */
export const makeBinary = (productVersion, more = {}) =>
  firmwareTestHelper.createFirmwareBinary({ platformId: BORON, productId: BORON, productVersion, ...more });

/** Pack a binary and its assets. The binary in the bundle names the assets. */
export const makeBundle = (binary, assets) =>
  createApplicationAndAssetBundle(
    binary,
    Object.entries(assets).map(([name, text]) => ({ name, data: Buffer.from(text) })),
  );

/** Read the hash by which a device tells which application it runs. */
export async function readAppHash(binary) {
  return (await new HalModuleParser().parseBuffer({ fileBuffer: binary })).suffixInfo.fwUniqueId;
}

const CLOUDS = {
  plain: process.env.CLOUD_URL,
  mesh: process.env.MESH_CLOUD_URL,
  org: process.env.ORG_CLOUD_URL,
  closing: process.env.CLOSING_CLOUD_URL,
};
/** Seconds after which a device has ended a fast update and has reported all about its new session. */
export const UPDATE_SECONDS = 60;
const EVENT_SECONDS = 4;
const SIGNAL_SECONDS = 60;

// ---------------------------------------------------------------------- counts

const called = new Set();
let assertions = 0;

// The plain verbs can request any address, so they are not methods for a resource; the others send no request.
const NOT_COUNTED = new Set(
  'get head post put patch delete request client setDefaultAuth setBaseUrl setContext'.split(' '),
);

/** The strict assertions of Node, with a count of all assertions that are made. */
export const check = new Proxy(assert, {
  get(target, name) {
    return (...args) => {
      assertions += 1;
      return target[name](...args);
    };
  },
});

/** Wrap a client so that the methods that the suite calls are recorded. */
function recordCalls(client) {
  return new Proxy(client, {
    get(target, name) {
      const found = target[name];
      if (typeof found !== 'function') {
        return found;
      }
      return (...args) => {
        if (!NOT_COUNTED.has(name)) {
          called.add(name);
        }
        return found.apply(target, args);
      };
    },
  });
}

/** Return the number of assertions and the number of different client methods that were called. */
export function counts() {
  return { assertions, methods: called.size };
}

// ---------------------------------------------------------------------- clients

/** Return a client without a token, with its default OAuth client or the given one. */
export function createClient({ version = 12, cloud = 'plain', ...options } = {}) {
  return recordCalls(new CLIENTS[version]({ baseUrl: CLOUDS[cloud], ...options }));
}

/** Log in, and return a client with the token. */
export async function logIn(account = DEMO, { version = 12, cloud = 'plain' } = {}) {
  const { body } = await createClient({ version, cloud }).login(account);
  return createTokenClient(body.access_token, { version, cloud });
}

/** Return a client with an access token. */
export function createTokenClient(token, { version = 12, cloud = 'plain' } = {}) {
  return createClient({ version, cloud, auth: token });
}

/** Compute the one-time code (RFC 6238) for the present time of the cloud's clock. */
export async function computeOneTimeCode(secret) {
  const seconds = await readClock();
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac('sha1', fromBase32(secret)).update(step).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** Compute a one-time code that is invalid at present. */
export async function computeWrongCode(secret) {
  const number = Number(await computeOneTimeCode(secret)) + 500_000;
  return String(number % 1_000_000).padStart(6, '0');
}

function fromBase32(text) {
  const bits = [...text]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

// ---------------------------------------------------------------------- answers and refusals

/** Check the status of an answer, and return its body. */
export async function readBody(request, statusCode = 200) {
  const answer = await request;
  check.equal(answer.statusCode, statusCode);
  return answer.body;
}

/** Return the error that the client throws; fail if the cloud answers the request. */
export async function catchError(request) {
  let answer;
  try {
    answer = await request;
  } catch (reason) {
    return reason;
  }
  assert.fail(`expected a refusal, but the cloud answered ${JSON.stringify(answer)}`);
}

/** Check that the cloud refuses the request with this status and these fields, and return the error of the client. */
export async function expectRefusal(request, statusCode, fields = {}) {
  const reason = await catchError(request);
  check.equal(reason.statusCode, statusCode);
  for (const [name, value] of Object.entries(fields)) {
    check.deepEqual(reason.body[name], value);
  }
  if (fields.error_description) {
    check.equal(reason.shortErrorDescription, fields.error_description);
    check.ok(reason.message.endsWith(` - ${fields.error_description}`));
  }
  return reason;
}

/** Check the refusal that the cloud gives for both unknown devices and devices of other accounts. */
export async function expectPermissionDenied(request) {
  const reason = await expectRefusal(request, 403, { error: 'Permission Denied' });
  check.match(reason.body.info, /^I didn't recognize that device name or ID/);
}

/** Check that a token is invalid. */
export async function expectInvalidToken(token) {
  const fields = { error: 'invalid_token', error_description: 'The access token provided is invalid.' };
  await expectRefusal(createClient().getUserInfo({ auth: token }), 401, fields);
}

// ---------------------------------------------------------------------- control of the simulator

async function administer(cloud, method, path, content) {
  const answer = await fetch(`${CLOUDS[cloud]}/_simulator/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: content === undefined ? undefined : JSON.stringify(content),
  });
  assert.ok(
    answer.ok,
    `the simulator refused ${method} ${path}: ${answer.status} ${await answer.clone().text()}`,
  );
  return answer.json();
}

/** Reset a cloud to its initial state, and return its devices. */
export async function resetCloud(cloud = 'plain') {
  await administer(cloud, 'POST', 'reset');
  const { devices } = await administer(cloud, 'GET', 'state');
  return devices;
}

/** Advance the clock of the cloud. */
export function advanceClock(seconds) {
  return administer('plain', 'POST', 'clock', { advance: seconds });
}

/** Return the time of the cloud in seconds. */
export async function readClock() {
  return (await administer('plain', 'GET', 'clock')).now;
}

/** Choose how the next update of a device ends. */
export function setUpdateEnding(deviceId, update) {
  return administer('plain', 'POST', `devices/${deviceId}`, { update });
}

/** Let a device come online with the firmware of a product. */
export function runFirmwareOf(product, device, cloud = 'plain') {
  return administer(cloud, 'POST', `devices/${device.id}`, { firmware_product_id: product });
}

/** Set a device online or offline. */
export function setOnline(device, online, cloud = 'plain') {
  return administer(cloud, 'POST', `devices/${device.id}`, { online });
}

/** Set faults on all open streams of a cloud, and return the number of streams. */
export async function disturbStreams(faults, cloud = 'plain') {
  return (await administer(cloud, 'POST', 'streams', faults)).streams;
}

/** Return a promise of the next event that `accepts` allows. Call this before the action that causes the event. */
export async function waitForEvent(stream, accepts = () => true) {
  return (await waitForEvents(stream, 1, accepts))[0];
}

/** Return a promise of the next events that `accepts` allows. Call this before the action that causes the events. */
export function waitForEvents(stream, count, accepts = () => true) {
  return new Promise((resolve, reject) => {
    const events = [];
    const giveUp = setTimeout(
      () => done(reject, new Error(`${events.length} of ${count} events were received`)),
      EVENT_SECONDS * 1000,
    );
    const listen = (event) => accepts(event) && events.push(event) === count && done(resolve, events);

    function done(settle, value) {
      clearTimeout(giveUp);
      stream.off('event', listen);
      settle(value);
    }

    stream.on('event', listen);
  });
}

/** Return a promise of the arguments of the next signal of a stream, such as `disconnect`. */
export function waitForSignal(stream, name) {
  return once(stream, name, { signal: AbortSignal.timeout(SIGNAL_SECONDS * 1000) });
}

/** Call `use` with an open stream, and close the stream afterwards. */
export async function withStream(opening, use) {
  const stream = await opening;
  try {
    return await use(stream);
  } finally {
    stream.abort();
    stream.stopIdleTimeout(); // the client does not stop this timer, which would keep the process alive
  }
}
