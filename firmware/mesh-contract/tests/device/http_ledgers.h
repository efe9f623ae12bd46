// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The ledgers of a device that runs as a process: what Device OS does on a real one, with the simulator as the cloud.
//
// As on a device, both ledgers have a copy in a file, and are synchronised with the cloud apart from being read and
// written: reading never asks the cloud, and a written report waits until the cloud can be reached. A deleted instance
// and an archived ledger leave the copy as it is.

#pragma once

#include <cstdint>
#include <string>

#include "MeshContract.h"

class HttpLedgers : public mesh_contract::Ledgers {
public:
    // `port` is that of the simulator on the loopback interface, `folder` a folder for the copies.
    HttpLedgers(uint16_t port, std::string device, std::string folder);

    // Exchange data with the cloud. Return whether the copy of the instructions has changed.
    bool synchronise();

    std::string_view readInstructions() override { return instructions_; }
    bool writeReport(const mesh_contract::Report& report) override;

private:
    bool download();
    bool upload();
    int request(const std::string& method, const std::string& ledger, const std::string& body,
                std::string& answer) const;

    const uint16_t port_;
    const std::string device_;
    const std::string instructions_file_;
    const std::string report_file_;
    std::string instructions_;  // JSON, or empty if there is no copy
    std::string updated_at_;    // the cloud's time of the copy, as text; empty if there is no copy
    std::string report_;
    bool is_report_pending_ = false;
};
