// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The instructions of the cloud for a member, in the ledger `mesh`, and their decoder.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mesh_contract/device_id.h"
#include "mesh_contract/parameters.h"

// The maximum number of gateways of a network. Define another number for the whole build.
#ifndef MESH_CONTRACT_MAX_GATEWAYS
#define MESH_CONTRACT_MAX_GATEWAYS 32
#endif

namespace mesh_contract {

// The version of the contract that this library implements.
constexpr int32_t kContractVersion = 1;

constexpr size_t kMaxNetworkName = 32;
constexpr uint8_t kMaxGateways = MESH_CONTRACT_MAX_GATEWAYS;

enum class Role : uint8_t { kGateway, kNode };

// The action that the instructions require.
enum class Order : uint8_t {
    kNone,   // nothing: there are no instructions (yet), so the device stays as it is
    kLeave,  // leave the network (`network` is null)
    kJoin,   // join the network, and stay in it
};

struct Instructions {
    Order order = Order::kNone;
    char network[kMaxNetworkName + 1] = "";  // empty unless `order` is kJoin
    Role role = Role::kNode;
    uint8_t gateway_count = 0;
    DeviceId gateways[kMaxGateways];
    Parameters parameters;

    bool hasGateway(const DeviceId& id) const;
    bool operator==(const Instructions& other) const;
    bool operator!=(const Instructions& other) const { return !(*this == other); }
};

// The reason why the data of the ledger are not valid instructions.
enum class DecodeError : uint8_t {
    kNone,
    kMalformed,
    kContract,
    kNetwork,
    kRole,
    kGateways,
    kTooManyGateways,
    kParameters,
    kParametersTooLarge,
};

// Decode the data of the ledger `mesh`, as JSON. Unknown keys are ignored.
//
// After an error, `instructions` has no defined content.
DecodeError decodeInstructions(std::string_view json, Instructions& instructions);

// Return a sentence that describes the error and its remedy, or "" for kNone.
const char* describe(DecodeError error);

// Return the role as the ledgers contain it.
const char* toText(Role role);

}  // namespace mesh_contract
