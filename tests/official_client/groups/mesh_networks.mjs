// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

import { before, describe, test } from 'node:test';

import {
  BORON,
  DEMO,
  HEX_24,
  ISO_TIME,
  STRANGER,
  UNKNOWN_DEVICE,
  catchError,
  check,
  expectRefusal,
  logIn,
  readBody,
  resetCloud,
  setOnline,
} from '../support.mjs';

const OLDER = { version: 11, cloud: 'mesh' };

describe('mesh networks, with the last client that supports them', () => {
  let api;
  let devices;
  let networks = 0;

  before(async () => {
    devices = await resetCloud('mesh');
    api = await logIn(DEMO, OLDER);
  });

  /** Claim a device that is in no network, and return it. */
  async function claimDevice() {
    const device = devices.pop();
    await readBody(api.claimDevice({ deviceId: device.id }));
    return device;
  }

  /** Create a network, and return its id, its name and its gateway. */
  async function createNetwork() {
    const gateway = await claimDevice();
    networks += 1;
    const creation = { name: `net-${networks}`, deviceId: gateway.id, iccid: gateway.iccid };
    const { body } = await api.createMeshNetwork(creation);
    return { networkId: body.network.id, name: creation.name, gateway };
  }

  async function expectErrors(request) {
    const reason = await catchError(request);
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    check.equal(reason.body.ok, false);
    check.ok(reason.body.errors.every((text) => typeof text === 'string'));
  }

  const listMembers = async (place) =>
    (await readBody(api.listMeshNetworkDevices(place))).map(({ id }) => id);

  test('a new network is pending', async () => {
    const gateway = await claimDevice();
    const answer = await readBody(
      api.createMeshNetwork({ name: 'barn', deviceId: gateway.id, iccid: gateway.iccid }),
    );
    check.match(answer.network.id, HEX_24);
    check.equal(answer.network.name, 'barn');
    check.equal(answer.network.state, 'pending');
    check.equal(answer.network.type, 'micro_cellular');
  });

  test('a network is confirmed once its gateway is online', async () => {
    const { networkId, name } = await createNetwork();
    const found = await readBody(api.getMeshNetwork({ networkId }));
    check.equal(found.id, networkId);
    check.equal(found.name, name);
    check.equal(found.state, 'confirmed');
    check.equal(found.device_count, 1);
    check.equal(found.gateway_count, 1);
    check.match(found.pan_id, /^[0-9A-F]{4}$/);
    check.match(found.xpan_id, /^[0-9A-F]{16}$/);
    check.ok(found.channel >= 11 && found.channel <= 26);
    check.match(found.last_heard, ISO_TIME);
  });

  test('a network is found by its name', async () => {
    const { networkId, name } = await createNetwork();
    check.equal((await readBody(api.getMeshNetwork({ networkId: name }))).id, networkId);
  });

  test('the list contains only confirmed networks, in pages', async () => {
    const gateway = await claimDevice();
    await setOnline(gateway, false, 'mesh');
    await api.createMeshNetwork({ name: 'waiting', deviceId: gateway.id, iccid: gateway.iccid });
    const { networkId } = await createNetwork();
    const all = await readBody(api.listMeshNetworks({}));
    check.ok(all.some(({ id }) => id === networkId));
    check.ok(!all.some(({ name }) => name === 'waiting'));
    const page = await readBody(api.listMeshNetworks({ page: 1, perPage: 1 }));
    check.equal(page.length, 1);
  });

  test('devices join as nodes', async () => {
    const { networkId, gateway } = await createNetwork();
    const node = await claimDevice();
    check.deepEqual(await readBody(api.addMeshNetworkDevice({ networkId, deviceId: node.id })), { ok: true });
    check.deepEqual((await listMembers({ networkId })).sort(), [gateway.id, node.id].sort());
    check.deepEqual(await listMembers({ networkId, role: 'gateway' }), [gateway.id]);
    check.deepEqual(await listMembers({ networkId, role: 'node' }), [node.id]);
    check.equal((await listMembers({ networkId, page: 1, perPage: 1 })).length, 1);
  });

  test('an unclaimed device can join', async () => {
    const { networkId } = await createNetwork();
    const { id: deviceId } = devices.pop();
    check.deepEqual(await readBody(api.addMeshNetworkDevice({ networkId, deviceId })), { ok: true });
  });

  test('a member is returned with its network and its role', async () => {
    const { networkId, name, gateway } = await createNetwork();
    const [row] = await readBody(api.listMeshNetworkDevices({ networkId }));
    check.equal(row.platform_id, BORON);
    check.deepEqual(row.network.role, { gateway: true, state: 'confirmed' });
    const device = await readBody(api.getDevice({ deviceId: gateway.id }));
    check.equal(device.network.id, networkId);
    check.equal(device.network.name, name);
    check.equal(device.network.type, 'micro_cellular');
    check.equal(device.network.role.gateway, true);
  });

  test('a gateway can become a node and a gateway again', async () => {
    const { networkId, gateway } = await createNetwork();
    for (const [action, role] of [
      ['gateway-disable', 'node'],
      ['gateway-enable', 'gateway'],
    ]) {
      const update = { networkId, action, deviceId: gateway.id };
      check.deepEqual(await readBody(api.updateMeshNetwork(update)), { ok: true });
      check.deepEqual(await listMembers({ networkId, role }), [gateway.id]);
    }
  });

  test('a device can be removed with or without the network id', async () => {
    const { networkId, gateway } = await createNetwork();
    for (const place of [{ networkId }, {}]) {
      const { id: deviceId } = await claimDevice();
      await readBody(api.addMeshNetworkDevice({ networkId, deviceId }));
      const { statusCode } = await api.removeMeshNetworkDevice({ ...place, deviceId });
      check.ok([200, 204].includes(statusCode));
      check.deepEqual(await listMembers({ networkId }), [gateway.id]);
      check.equal((await readBody(api.getDevice({ deviceId }))).network ?? null, null);
    }
  });

  test('a device is in one network at a time', async () => {
    const [one, other] = [await createNetwork(), await createNetwork()];
    await expectErrors(api.addMeshNetworkDevice({ networkId: other.networkId, deviceId: one.gateway.id }));
    const { id: deviceId, iccid } = one.gateway;
    await expectErrors(api.createMeshNetwork({ name: 'second', deviceId, iccid }));
    await api.removeMeshNetworkDevice({ deviceId });
    check.deepEqual(await readBody(api.addMeshNetworkDevice({ networkId: other.networkId, deviceId })), {
      ok: true,
    });
  });

  test('a micro network has at most ten members and one gateway', async () => {
    const { networkId } = await createNetwork();
    const nodes = devices.splice(0, 10).map(({ id }) => id);
    for (const deviceId of nodes.slice(0, 9)) {
      await readBody(api.addMeshNetworkDevice({ networkId, deviceId }));
    }
    await expectErrors(api.addMeshNetworkDevice({ networkId, deviceId: nodes[9] }));
    await expectErrors(api.updateMeshNetwork({ networkId, action: 'gateway-enable', deviceId: nodes[0] }));
  });

  test('a name has at most sixteen bytes and can be used only once', async () => {
    const { name } = await createNetwork();
    const { id: deviceId, iccid } = await claimDevice();
    await expectErrors(api.createMeshNetwork({ name: 'x'.repeat(17), deviceId, iccid }));
    await expectErrors(api.createMeshNetwork({ name, deviceId, iccid }));
  });

  test('an unknown action is refused', async () => {
    const { networkId, gateway } = await createNetwork();
    await expectErrors(api.updateMeshNetwork({ networkId, action: 'explode', deviceId: gateway.id }));
  });

  test('an unknown device cannot join', async () => {
    const { networkId } = await createNetwork();
    const { statusCode } = await catchError(
      api.addMeshNetworkDevice({ networkId, deviceId: UNKNOWN_DEVICE }),
    );
    check.ok([400, 403, 404].includes(statusCode));
  });

  test('members of a removed network are in no network', async () => {
    const { networkId, gateway } = await createNetwork();
    const { statusCode } = await api.removeMeshNetwork({ networkId });
    check.ok([200, 204].includes(statusCode));
    await expectRefusal(api.getMeshNetwork({ networkId }), 404);
    check.equal((await readBody(api.getDevice({ deviceId: gateway.id }))).network ?? null, null);
  });

  test('networks of another account are not found', async () => {
    const { networkId } = await createNetwork();
    const stranger = await logIn(STRANGER, OLDER);
    check.deepEqual(await readBody(stranger.listMeshNetworks({})), []);
    await expectRefusal(stranger.getMeshNetwork({ networkId }), 404);
    await expectRefusal(stranger.removeMeshNetwork({ networkId }), 404);
  });
});

describe('mesh networks after their retirement', () => {
  let api;

  before(async () => {
    await resetCloud();
    api = await logIn(DEMO, { version: 11 });
  });

  test('every call is answered with 404 and a body that is not JSON', async () => {
    const networkId = '0'.repeat(24);
    for (const request of [
      api.listMeshNetworks({}),
      api.createMeshNetwork({ name: 'barn', deviceId: UNKNOWN_DEVICE }),
      api.getMeshNetwork({ networkId }),
      api.addMeshNetworkDevice({ networkId, deviceId: UNKNOWN_DEVICE }),
      api.removeMeshNetworkDevice({ deviceId: UNKNOWN_DEVICE }),
      api.listMeshNetworkDevices({ networkId }),
      api.removeMeshNetwork({ networkId }),
    ]) {
      const reason = await catchError(request);
      check.equal(reason.statusCode, 404);
      check.ok(reason.body instanceof SyntaxError);
    }
  });
});
