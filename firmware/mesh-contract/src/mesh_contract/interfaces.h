// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The interfaces that a device must provide: a radio, the two ledgers, and a few bytes of storage.

#pragma once

#include <cstdint>
#include <string_view>

#include "mesh_contract/instructions.h"
#include "mesh_contract/report.h"

namespace mesh_contract {

struct RadioStatus {
    bool is_connected = false;  // whether traffic passes now, with the instructions of the latest call of `Radio::join`
    bool has_parent = false;
    DeviceId parent;  // the member through which this member reaches the cloud; a gateway has none
    bool has_rssi = false;
    int8_t rssi = 0;  // the signal strength of the parent, in dBm
};

// The radio of the mesh. Your firmware implements this class.
//
// No function may block for longer than `loop()` of your application may take.
class Radio {
public:
    // Switch the radio on. Called until it returns true.
    virtual bool start() = 0;

    // Begin to join, and return at once. As a gateway, form the network; as a node, find one of the gateways.
    //
    // Called again with the same instructions if `status` has not shown a connection for a while, and with other
    // instructions of the same network when the role, the gateways or the parameters have changed. Copy what the radio
    // needs after the call. Return false if it failed and must be tried again.
    virtual bool join(const Instructions& instructions) = 0;

    // Leave the network, and forget its keys. Called until it returns true.
    virtual bool leave() = 0;

    virtual RadioStatus status() = 0;

protected:
    ~Radio() = default;
};

// The ledgers of the device. `MeshContractParticle` implements this for Device OS.
class Ledgers {
public:
    // Return the data of the ledger `mesh` as JSON, from the copy of the device.
    //
    // Return an empty text if there is no copy, or if it cannot be read. The text stays valid until the next call.
    virtual std::string_view readInstructions() = 0;

    // Write the ledger `mesh-status`, unless it contains the report already. Return false if it failed.
    virtual bool writeReport(const Report& report) = 0;

protected:
    ~Ledgers() = default;
};

// The data that the library needs after a restart. All bytes are defined, so that the record can be stored as it is.
struct Record {
    char network[kMaxNetworkName + 1];  // the network that the radio has joined or tried to join; empty if none
    uint8_t has_joined;                 // 1 if the radio has been connected to this network
    uint8_t version;
    uint8_t checksum;
};
static_assert(sizeof(Record) == kMaxNetworkName + 4, "a record has no padding");

// Storage that survives a restart, such as a file.
class Storage {
public:
    // Read the record. Return false if there is none. The library detects damaged records itself.
    virtual bool load(Record& record) = 0;

    // Replace the record. Return false if it failed and must be tried again.
    virtual bool save(const Record& record) = 0;

protected:
    ~Storage() = default;
};

}  // namespace mesh_contract
