// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The tree of a mesh whose members announce themselves: part of the example, and free of Device OS.
//
// Each connected member announces how many hops it is away from a gateway, and the latest number that it has heard from
// this gateway. A node is connected while the numbers of its gateway grow. A node never takes a descendant as its
// parent, because a descendant never has a newer number. Announcements are not encrypted: any sender in range can forge
// them.

#pragma once

#include <cstdint>

#include "MeshContract.h"

// The announcement that a member sends to its neighbours. It fits into a Bluetooth advertisement.
struct Announcement {
    static constexpr uint8_t kBytes = 23;

    uint32_t network = 0;  // a hash of the name and the parameters of the network
    uint32_t gateway = 0;  // a hash of the id of the gateway
    uint16_t number = 0;   // counted by the gateway
    uint8_t hops = 0;      // from the sender to the gateway
    mesh_contract::DeviceId sender;

    void encode(uint8_t (&bytes)[kBytes]) const;
    static Announcement decode(const uint8_t (&bytes)[kBytes]);
};

class AnnouncementTree {
public:
    // `timeout` is the time in milliseconds without a new number after which the connection counts as lost.
    explicit AnnouncementTree(uint32_t timeout) : timeout_(timeout) {}

    // Start again with these instructions. A connection is kept if the network and the gateway of the parent do not
    // change.
    void configure(const mesh_contract::Instructions& instructions, const mesh_contract::DeviceId& own);

    // Leave the network.
    void clear() { is_member_ = is_connected_ = false; }

    // Use an announcement of a neighbour, with its signal strength in dBm.
    void hear(const Announcement& heard, int8_t rssi, uint32_t now);

    // Fill in the announcement that is due. Return false if this member must be silent.
    bool announce(Announcement& announcement, uint32_t now);

    mesh_contract::RadioStatus status(uint32_t now);

private:
    static constexpr uint8_t kMaxHops = 16;
    // The number of timeouts for which a node that has lost its connection remembers the last number. By then, the
    // nodes behind it have lost their connections too, so that it cannot take one of them as its parent.
    static constexpr uint32_t kRememberedTimeouts = 3;

    bool isKnownGateway(uint32_t gateway) const;
    bool isBetter(const Announcement& heard) const;
    void expire(uint32_t now);

    uint32_t timeout_;
    mesh_contract::DeviceId own_;
    bool is_member_ = false;
    bool is_gateway_ = false;
    uint32_t network_ = 0;
    uint8_t gateway_count_ = 0;
    uint32_t gateways_[mesh_contract::kMaxGateways] = {};

    bool is_connected_ = false;
    bool has_number_ = false;
    Announcement best_;  // the latest announcement of the parent, or of this member if it is a gateway
    int8_t rssi_ = 0;
    uint32_t heard_at_ = 0;
};
