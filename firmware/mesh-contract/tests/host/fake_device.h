// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// A device for tests of the state machine: a radio, ledgers and storage in memory, and a clock that tests turn.

#pragma once

#include <string>
#include <vector>

#include "MeshContract.h"

class FakeRadio : public mesh_contract::Radio {
public:
    bool start() override {
        ++starts;
        return can_start;
    }

    bool join(const mesh_contract::Instructions& instructions) override {
        calls.push_back("join " + std::string(instructions.network) + " " + toText(instructions.role));
        return can_join;
    }

    bool leave() override {
        calls.push_back("leave");
        return can_leave;
    }

    mesh_contract::RadioStatus status() override { return now; }

    bool can_start = true, can_join = true, can_leave = true;
    int starts = 0;
    std::vector<std::string> calls;
    mesh_contract::RadioStatus now;
};

class FakeLedgers : public mesh_contract::Ledgers {
public:
    std::string_view readInstructions() override {
        ++reads;
        return instructions;
    }

    bool writeReport(const mesh_contract::Report& report) override {
        ++attempts;
        if (can_write) {
            reports.push_back(report);
        }
        return can_write;
    }

    // Return the last report as "network role state".
    std::string last() const {
        if (reports.empty()) {
            return "";
        }
        const mesh_contract::Report& report = reports.back();
        return report.state == mesh_contract::ReportState::kLeft
                   ? "left"
                   : std::string(report.network) + " " + toText(report.role) + " " + toText(report.state);
    }

    bool can_write = true;
    int reads = 0, attempts = 0;
    std::string instructions;
    std::vector<mesh_contract::Report> reports;
};

class FakeStorage : public mesh_contract::Storage {
public:
    bool load(mesh_contract::Record& found) override {
        found = record;
        return has_record;
    }

    bool save(const mesh_contract::Record& saved) override {
        ++saves;
        if (can_save) {
            record = saved;
            has_record = true;
        }
        return can_save;
    }

    bool can_save = true, has_record = false;
    int saves = 0;
    mesh_contract::Record record = {};
};

constexpr const char* kGatewayId = "e00fce68aabbccddeeff0022";

struct FakeDevice {
    FakeRadio radio;
    FakeLedgers ledgers;
    FakeStorage storage;
    uint32_t now = 0xffff0000u;  // the clock wraps after about a minute
    mesh_contract::MeshContract* contract = nullptr;

    FakeDevice() { restart(); }
    ~FakeDevice() { delete contract; }
    FakeDevice(const FakeDevice&) = delete;
    FakeDevice& operator=(const FakeDevice&) = delete;

    // Begin as after a reset: the radio has no connection, and the storage has what it had.
    void restart() {
        delete contract;
        radio.now = mesh_contract::RadioStatus();
        radio.calls.clear();
        contract = new mesh_contract::MeshContract(radio, ledgers, storage);
        contract->start(7);
    }

    // Let seconds pass, with a call of `tick` every 100 ms.
    void run(uint32_t seconds) {
        for (uint32_t step = 0; step < seconds * 10; ++step, now += 100) {
            contract->tick(now);
        }
    }

    // Write the ledger `mesh`, and let the hint come.
    void order(const std::string& network, const std::string& role = "node", const std::string& parameters = "{}",
               const std::string& gateway = kGatewayId) {
        ledgers.instructions = R"({"contract":1,"network":")" + network + R"(","role":")" + role +
                               R"(","gateways":[")" + gateway + R"("],"parameters":)" + parameters + "}";
        contract->notify();
    }

    void orderToLeave() {
        ledgers.instructions = R"({"contract":1,"network":null})";
        contract->notify();
    }

    // Connect the radio to a parent.
    void connect(int8_t rssi = -50) {
        radio.now.is_connected = radio.now.has_parent = radio.now.has_rssi = true;
        mesh_contract::DeviceId::parse(kGatewayId, radio.now.parent);
        radio.now.rssi = rssi;
    }

    void disconnect() { radio.now = mesh_contract::RadioStatus(); }
};
