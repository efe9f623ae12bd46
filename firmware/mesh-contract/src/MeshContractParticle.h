// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The library on Device OS: reads and writes the ledgers of the device. Requires Device OS 6.1 or newer.

#pragma once

#include "Particle.h"

#include "MeshContract.h"

#if !Wiring_Ledger
#error "This library requires ledgers: Device OS 6.1 or newer, on a platform that supports them."
#endif

// A member of a mesh network, for applications of Device OS.
//
// Create one global object with your radio. Call `setup` from `setup()` and `loop` from `loop()`.
class MeshContractParticle : private mesh_contract::Ledgers, private mesh_contract::Storage {
public:
    explicit MeshContractParticle(mesh_contract::Radio& radio,
                                  const mesh_contract::Settings& settings = mesh_contract::Settings());

    // Open the ledgers. Their names must be those that the collection uses (`mesh_ledger`, `mesh_status_ledger`).
    void setup(const char* instructions = "mesh", const char* reports = "mesh-status");

    void loop();

    const mesh_contract::MeshContract& contract() const { return contract_; }

    // Return the id of this device.
    static mesh_contract::DeviceId readOwnId();

private:
    std::string_view readInstructions() override;
    bool writeReport(const mesh_contract::Report& report) override;
    bool load(mesh_contract::Record& record) override;
    bool save(const mesh_contract::Record& record) override;

    static void handleSync(particle::Ledger ledger, void* self);
    void logChanges();
    void warnAboutUnknownLedgers();

    mesh_contract::MeshContract contract_;
    particle::Ledger instructions_;
    particle::Ledger reports_;
    String text_;
    mesh_contract::State logged_state_ = mesh_contract::State::kIdle;
    mesh_contract::DecodeError logged_error_ = mesh_contract::DecodeError::kNone;
    uint32_t connected_at_ = 0;
    bool was_connected_ = false;
    bool has_warned_ = false;
};
