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
  answered,
  check,
  freshCloud,
  loggedIn,
  refused,
  setOnline,
  thrown,
} from '../support.mjs';

const OLDER = { version: 11, cloud: 'mesh' };

describe('mesh networks, as the last client that knew them sees them', () => {
  let api;
  let devices;
  let networks = 0;

  before(async () => {
    devices = await freshCloud('mesh');
    api = await loggedIn(DEMO, OLDER);
  });

  /** A device of the account that is in no network. */
  async function claimed() {
    const device = devices.pop();
    await answered(api.claimDevice({ deviceId: device.id }));
    return device;
  }

  /** A network with its gateway, and where the client finds it. */
  async function network() {
    const gateway = await claimed();
    networks += 1;
    const creation = { name: `net-${networks}`, deviceId: gateway.id, iccid: gateway.iccid };
    const { body } = await api.createMeshNetwork(creation);
    return { networkId: body.network.id, name: creation.name, gateway };
  }

  async function refusedWithReasons(request) {
    const reason = await thrown(request);
    check.ok(reason.statusCode >= 400 && reason.statusCode < 500);
    check.equal(reason.body.ok, false);
    check.ok(reason.body.errors.every((text) => typeof text === 'string'));
  }

  const membersOf = async (place) => (await answered(api.listMeshNetworkDevices(place))).map(({ id }) => id);

  test('a network begins as a promise of its gateway', async () => {
    const gateway = await claimed();
    const answer = await answered(
      api.createMeshNetwork({ name: 'barn', deviceId: gateway.id, iccid: gateway.iccid }),
    );
    check.match(answer.network.id, HEX_24);
    check.equal(answer.network.name, 'barn');
    check.equal(answer.network.state, 'pending');
    check.equal(answer.network.type, 'micro_cellular');
  });

  test('a network is confirmed once its gateway is online', async () => {
    const { networkId, name } = await network();
    const found = await answered(api.getMeshNetwork({ networkId }));
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

  test('a network is found by its name too', async () => {
    const { networkId, name } = await network();
    check.equal((await answered(api.getMeshNetwork({ networkId: name }))).id, networkId);
  });

  test('the list has confirmed networks only, in pages', async () => {
    const gateway = await claimed();
    await setOnline(gateway, false, 'mesh');
    await api.createMeshNetwork({ name: 'waiting', deviceId: gateway.id, iccid: gateway.iccid });
    const { networkId } = await network();
    const all = await answered(api.listMeshNetworks({}));
    check.ok(all.some(({ id }) => id === networkId));
    check.ok(!all.some(({ name }) => name === 'waiting'));
    const page = await answered(api.listMeshNetworks({ page: 1, perPage: 1 }));
    check.equal(page.length, 1);
  });

  test('devices join as nodes', async () => {
    const { networkId, gateway } = await network();
    const node = await claimed();
    check.deepEqual(await answered(api.addMeshNetworkDevice({ networkId, deviceId: node.id })), { ok: true });
    check.deepEqual((await membersOf({ networkId })).sort(), [gateway.id, node.id].sort());
    check.deepEqual(await membersOf({ networkId, role: 'gateway' }), [gateway.id]);
    check.deepEqual(await membersOf({ networkId, role: 'node' }), [node.id]);
    check.equal((await membersOf({ networkId, page: 1, perPage: 1 })).length, 1);
  });

  test('a device that is not claimed yet may join', async () => {
    const { networkId } = await network();
    const { id: deviceId } = devices.pop();
    check.deepEqual(await answered(api.addMeshNetworkDevice({ networkId, deviceId })), { ok: true });
  });

  test('a member tells its network and its role', async () => {
    const { networkId, name, gateway } = await network();
    const [row] = await answered(api.listMeshNetworkDevices({ networkId }));
    check.equal(row.platform_id, BORON);
    check.deepEqual(row.network.role, { gateway: true, state: 'confirmed' });
    const device = await answered(api.getDevice({ deviceId: gateway.id }));
    check.equal(device.network.id, networkId);
    check.equal(device.network.name, name);
    check.equal(device.network.type, 'micro_cellular');
    check.equal(device.network.role.gateway, true);
  });

  test('a gateway can become a node and a gateway again', async () => {
    const { networkId, gateway } = await network();
    for (const [action, role] of [
      ['gateway-disable', 'node'],
      ['gateway-enable', 'gateway'],
    ]) {
      const update = { networkId, action, deviceId: gateway.id };
      check.deepEqual(await answered(api.updateMeshNetwork(update)), { ok: true });
      check.deepEqual(await membersOf({ networkId, role }), [gateway.id]);
    }
  });

  test('a device leaves a network that one names, or whatever network it is in', async () => {
    const { networkId, gateway } = await network();
    for (const place of [{ networkId }, {}]) {
      const { id: deviceId } = await claimed();
      await answered(api.addMeshNetworkDevice({ networkId, deviceId }));
      const { statusCode } = await api.removeMeshNetworkDevice({ ...place, deviceId });
      check.ok([200, 204].includes(statusCode));
      check.deepEqual(await membersOf({ networkId }), [gateway.id]);
      check.equal((await answered(api.getDevice({ deviceId }))).network ?? null, null);
    }
  });

  test('a device is in one network at a time', async () => {
    const [one, other] = [await network(), await network()];
    await refusedWithReasons(
      api.addMeshNetworkDevice({ networkId: other.networkId, deviceId: one.gateway.id }),
    );
    const { id: deviceId, iccid } = one.gateway;
    await refusedWithReasons(api.createMeshNetwork({ name: 'second', deviceId, iccid }));
    await api.removeMeshNetworkDevice({ deviceId });
    check.deepEqual(await answered(api.addMeshNetworkDevice({ networkId: other.networkId, deviceId })), {
      ok: true,
    });
  });

  test('a micro network has ten members and one gateway at most', async () => {
    const { networkId } = await network();
    const nodes = devices.splice(0, 10).map(({ id }) => id);
    for (const deviceId of nodes.slice(0, 9)) {
      await answered(api.addMeshNetworkDevice({ networkId, deviceId }));
    }
    await refusedWithReasons(api.addMeshNetworkDevice({ networkId, deviceId: nodes[9] }));
    await refusedWithReasons(
      api.updateMeshNetwork({ networkId, action: 'gateway-enable', deviceId: nodes[0] }),
    );
  });

  test('a name has sixteen bytes at most and is given once', async () => {
    const { name } = await network();
    const { id: deviceId, iccid } = await claimed();
    await refusedWithReasons(api.createMeshNetwork({ name: 'x'.repeat(17), deviceId, iccid }));
    await refusedWithReasons(api.createMeshNetwork({ name, deviceId, iccid }));
  });

  test('an action that does not exist is refused', async () => {
    const { networkId, gateway } = await network();
    await refusedWithReasons(api.updateMeshNetwork({ networkId, action: 'explode', deviceId: gateway.id }));
  });

  test('an unknown device cannot join', async () => {
    const { networkId } = await network();
    const { statusCode } = await thrown(api.addMeshNetworkDevice({ networkId, deviceId: UNKNOWN_DEVICE }));
    check.ok([400, 403, 404].includes(statusCode));
  });

  test('a network that is removed sets its members free', async () => {
    const { networkId, gateway } = await network();
    const { statusCode } = await api.removeMeshNetwork({ networkId });
    check.ok([200, 204].includes(statusCode));
    await refused(api.getMeshNetwork({ networkId }), 404);
    check.equal((await answered(api.getDevice({ deviceId: gateway.id }))).network ?? null, null);
  });

  test('the networks of one account are unknown to another', async () => {
    const { networkId } = await network();
    const stranger = await loggedIn(STRANGER, OLDER);
    check.deepEqual(await answered(stranger.listMeshNetworks({})), []);
    await refused(stranger.getMeshNetwork({ networkId }), 404);
    await refused(stranger.removeMeshNetwork({ networkId }), 404);
  });
});

describe('mesh networks after their retirement', () => {
  let api;

  before(async () => {
    await freshCloud();
    api = await loggedIn(DEMO, { version: 11 });
  });

  test('every call is answered by a page that the client cannot read', async () => {
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
      const reason = await thrown(request);
      check.equal(reason.statusCode, 404);
      check.ok(reason.body instanceof SyntaxError);
    }
  });
});
