// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The report of a member to the cloud, in the ledger `mesh-status`.

#pragma once

#include <cstdint>

#include "mesh_contract/device_id.h"
#include "mesh_contract/instructions.h"

namespace mesh_contract {

enum class ReportState : uint8_t { kJoining, kJoined, kLost, kLeft };

// A report. If `state` is kLeft, the member is in no network: network, role, parent and rssi are null in the ledger.
struct Report {
    ReportState state = ReportState::kJoining;
    char network[kMaxNetworkName + 1] = "";
    Role role = Role::kNode;
    bool has_parent = false;
    DeviceId parent;  // the member through which this member reaches the cloud
    bool has_rssi = false;
    int8_t rssi = 0;  // the signal strength of the parent, in dBm
};

// Return the state as the ledger contains it.
inline const char* toText(ReportState state) {
    static constexpr const char* kWords[] = {"joining", "joined", "lost", "left"};
    return kWords[static_cast<uint8_t>(state)];
}

}  // namespace mesh_contract
