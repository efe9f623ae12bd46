// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
//
// What every group of the suite uses: the two versions of the official client, the cloud behind its back,
// and assertions that are counted.
//
// The environment names a cloud as it is today (CLOUD_URL), one that still has meshes (MESH_CLOUD_URL), one
// whose product belongs to an organisation (ORG_CLOUD_URL), and the folder that npm has installed the clients
// into (OFFICIAL_CLIENT).

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const installed = createRequire(join(process.env.OFFICIAL_CLIENT, 'package.json'));

const CLIENTS = {
  12: installed('particle-api-js'),
  11: installed('particle-api-js-11'),
};

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

const CLOUDS = {
  plain: process.env.CLOUD_URL,
  mesh: process.env.MESH_CLOUD_URL,
  org: process.env.ORG_CLOUD_URL,
};
const EVENT_SECONDS = 4;

// ---------------------------------------------------------------------- what is counted

const called = new Set();
let assertions = 0;

// The plain verbs reach any address, so they say nothing about what the client offers; the rest of these
// sends no request.
const NOT_COUNTED = new Set(
  'get head post put patch delete request client setDefaultAuth setBaseUrl setContext'.split(' '),
);

/** The strict assertions of Node; each one that is made counts. */
export const check = new Proxy(assert, {
  get(target, name) {
    return (...args) => {
      assertions += 1;
      return target[name](...args);
    };
  },
});

/** A client that notes which of its methods are called from outside. */
function watched(client) {
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

/** How many assertions were made, and how many methods of the client were called. */
export function counts() {
  return { assertions, methods: called.size };
}

// ---------------------------------------------------------------------- clients

/** A client of nobody, with the OAuth client that it brings along, or with the one given. */
export function anonymous({ version = 12, cloud = 'plain', ...options } = {}) {
  return watched(new CLIENTS[version]({ baseUrl: CLOUDS[cloud], ...options }));
}

/** A client that is logged in. */
export async function loggedIn(account = DEMO, { version = 12, cloud = 'plain' } = {}) {
  const { body } = await anonymous({ version, cloud }).login(account);
  return withToken(body.access_token, { version, cloud });
}

/** A client that has an access token already. */
export function withToken(token, { version = 12, cloud = 'plain' } = {}) {
  return anonymous({ version, cloud, auth: token });
}

/** Compute the six digits that an authenticator app shows (RFC 6238) at the time of the cloud's clock. */
export async function oneTimeCode(secret) {
  const { now: seconds } = await administer('plain', 'GET', 'clock');
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac('sha1', fromBase32(secret)).update(step).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** Compute six digits that are not those of now. */
export async function wrongCode(secret) {
  const number = Number(await oneTimeCode(secret)) + 500_000;
  return String(number % 1_000_000).padStart(6, '0');
}

function fromBase32(text) {
  const bits = [...text]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

// ---------------------------------------------------------------------- answers and refusals

/** The body of an answer, whose status must be the one given. */
export async function answered(request, statusCode = 200) {
  const answer = await request;
  check.equal(answer.statusCode, statusCode);
  return answer.body;
}

/** What the client throws. An answer in its place is a failure. */
export async function thrown(request) {
  let answer;
  try {
    answer = await request;
  } catch (reason) {
    return reason;
  }
  assert.fail(`expected a refusal, but the cloud answered ${JSON.stringify(answer)}`);
}

/** Checks that the cloud says no with this status and these fields, and that the client tells it so. */
export async function refused(request, statusCode, fields = {}) {
  const reason = await thrown(request);
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

/** Checks the one refusal for devices that are not there and for those of somebody else. */
export async function permissionDenied(request) {
  const reason = await refused(request, 403, { error: 'Permission Denied' });
  check.match(reason.body.info, /^I didn't recognize that device name or ID/);
}

/** Checks that a token is dead. */
export async function tokenIsDead(token) {
  const fields = { error: 'invalid_token', error_description: 'The access token provided is invalid.' };
  await refused(anonymous().getUserInfo({ auth: token }), 401, fields);
}

// ---------------------------------------------------------------------- the cloud behind its back

async function administer(cloud, method, what, content) {
  const answer = await fetch(`${CLOUDS[cloud]}/_simulator/${what}`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: content === undefined ? undefined : JSON.stringify(content),
  });
  assert.ok(
    answer.ok,
    `the simulator refused ${method} ${what}: ${answer.status} ${await answer.clone().text()}`,
  );
  return answer.json();
}

/** Turns a cloud back to its first day and hands out the devices that it knows. */
export async function freshCloud(cloud = 'plain') {
  await administer(cloud, 'POST', 'reset');
  const { devices } = await administer(cloud, 'GET', 'state');
  return devices;
}

/** Turns the clock of the cloud. */
export function letTimePass(seconds) {
  return administer('plain', 'POST', 'clock', { advance: seconds });
}

/** Connects a device, or ends its session in good order. */
export function setOnline(device, online, cloud = 'plain') {
  return administer(cloud, 'POST', `devices/${device.id}`, { online });
}

/** The next event of a stream that `wanted` accepts. Ask for it before what causes it. */
export function nextEvent(stream, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const giveUp = setTimeout(() => done(reject, new Error('the event did not come')), EVENT_SECONDS * 1000);
    const listen = (event) => wanted(event) && done(resolve, event);

    function done(settle, value) {
      clearTimeout(giveUp);
      stream.off('event', listen);
      settle(value);
    }

    stream.on('event', listen);
  });
}

/** Runs `use` with an open stream, which is closed afterwards. */
export async function withStream(opening, use) {
  const stream = await opening;
  try {
    return await use(stream);
  } finally {
    stream.abort();
    stream.stopIdleTimeout(); // the client forgets this one, and it would keep the process alive
  }
}
