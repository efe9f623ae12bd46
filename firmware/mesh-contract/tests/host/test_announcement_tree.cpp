// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The tree of the example: nodes find a way to a gateway, and notice when it is gone.

#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "../../examples/ble/announcement_tree.h"

using namespace mesh_contract;

namespace {

DeviceId makeId(int number) {
    DeviceId id;
    id.bytes[11] = static_cast<uint8_t>(number);
    return id;
}

// Members in a row, of which each hears only its neighbours. The first one is the gateway.
struct Row {
    std::vector<AnnouncementTree> members;
    std::vector<bool> is_on;
    uint32_t now = 0xffffff00u;

    explicit Row(int size) : members(static_cast<size_t>(size), AnnouncementTree(3000)), is_on(members.size(), true) {
        for (int at = 0; at < size; ++at) {
            configure(at, "barn");
        }
    }

    void configure(int at, const char* network) {
        Instructions instructions;
        instructions.order = Order::kJoin;
        std::snprintf(instructions.network, sizeof(instructions.network), "%s", network);
        instructions.role = at == 0 ? Role::kGateway : Role::kNode;
        instructions.gateway_count = 1;
        instructions.gateways[0] = makeId(0);
        members[static_cast<size_t>(at)].configure(instructions, makeId(at));
    }

    void run(uint32_t seconds) {
        for (uint32_t step = 0; step < seconds * 5; ++step, now += 200) {
            for (size_t at = 0; at < members.size(); ++at) {
                Announcement sent;
                if (!is_on[at] || !members[at].announce(sent, now)) {
                    continue;
                }
                for (const size_t other : {at - 1, at + 1}) {
                    if (other < members.size() && is_on[other]) {
                        uint8_t bytes[Announcement::kBytes];
                        sent.encode(bytes);
                        members[other].hear(Announcement::decode(bytes), -60, now);
                    }
                }
            }
        }
    }

    bool isConnected(int at) { return members[static_cast<size_t>(at)].status(now).is_connected; }
};

}  // namespace

TEST_CASE("nodes out of reach of the gateway connect through others") {
    Row row(6);
    row.run(10);
    for (int at = 1; at < 6; ++at) {
        const RadioStatus status = row.members[static_cast<size_t>(at)].status(row.now);
        CHECK(status.is_connected);
        CHECK(status.parent == makeId(at - 1));
        CHECK(status.rssi == -60);
    }
}

TEST_CASE("all nodes are lost when the gateway is gone, and connect again") {
    Row row(6);
    row.run(10);
    row.is_on[0] = false;
    row.run(10);
    for (int minute = 0; minute < 5; ++minute, row.run(60)) {
        for (int at = 1; at < 6; ++at) {
            CHECK_FALSE(row.isConnected(at));
        }
    }
    // A gateway that has restarted counts from the beginning.
    row.members[0] = AnnouncementTree(3000);
    row.configure(0, "barn");
    row.is_on[0] = true;
    row.run(20);
    CHECK(row.isConnected(5));
}

TEST_CASE("members of other networks are not heard") {
    Row row(3);
    row.configure(1, "field");
    row.run(20);
    CHECK_FALSE(row.isConnected(1));
    CHECK_FALSE(row.isConnected(2));
}

TEST_CASE("a member that has left is silent") {
    Row row(3);
    row.run(5);
    row.members[1].clear();
    row.run(10);
    CHECK_FALSE(row.isConnected(1));
    CHECK_FALSE(row.isConnected(2));
}
