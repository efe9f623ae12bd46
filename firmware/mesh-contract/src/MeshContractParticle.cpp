// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "MeshContractParticle.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

using mesh_contract::DecodeError;
using mesh_contract::DeviceId;
using mesh_contract::Record;
using mesh_contract::Report;
using mesh_contract::ReportState;
using particle::Ledger;
using particle::LedgerData;
using particle::LedgerScope;
using particle::Variant;

namespace {

// A file system in flash memory is at /usr. A restart during `save` leaves the old record or the new one.
constexpr const char* kRecordFile = "/usr/mesh-contract";
constexpr const char* kNewRecordFile = "/usr/mesh-contract.new";

// Within this time after connecting, a device has asked the cloud for its ledgers.
constexpr uint32_t kLedgerInfoTimeout = 60'000;

Logger logger("mesh");

bool buildData(const Report& report, LedgerData& data) {
    const bool has_left = report.state == ReportState::kLeft;
    char parent[DeviceId::kDigits + 1];
    report.parent.format(parent);
    return data.set("contract", Variant(static_cast<int>(mesh_contract::kContractVersion))) &&
           data.set("network", has_left ? Variant() : Variant(report.network)) &&
           data.set("role", has_left ? Variant() : Variant(toText(report.role))) &&
           data.set("state", Variant(toText(report.state))) &&
           data.set("parent", report.has_parent ? Variant(static_cast<const char*>(parent)) : Variant()) &&
           data.set("rssi", report.has_rssi ? Variant(static_cast<int>(report.rssi)) : Variant());
}

}  // namespace

MeshContractParticle::MeshContractParticle(mesh_contract::Radio& radio, const mesh_contract::Settings& settings)
    : contract_(radio, *this, *this, settings) {}

void MeshContractParticle::setup(const char* instructions, const char* reports) {
    instructions_ = Particle.ledger(instructions);
    reports_ = Particle.ledger(reports);
    if (!instructions_.isValid() || !reports_.isValid()) {
        logger.error("The ledgers cannot be opened. Check their names, and remove old ledgers: 20 are allowed.");
    }
    // The callback is only a hint: it may be lost, and it may come without a change.
    instructions_.onSync(&MeshContractParticle::handleSync, this);
    const DeviceId own = readOwnId();
    uint32_t seed = 0;
    for (const uint8_t byte : own.bytes) {
        seed = seed * 31 + byte;
    }
    contract_.start(seed);
}

void MeshContractParticle::loop() {
    contract_.tick(millis());
    logChanges();
    warnAboutUnknownLedgers();
}

DeviceId MeshContractParticle::readOwnId() {
    const String text = System.deviceID();
    DeviceId id;
    DeviceId::parse(std::string_view(text.c_str(), text.length()), id);
    return id;
}

void MeshContractParticle::handleSync(Ledger, void* self) {
    static_cast<MeshContractParticle*>(self)->contract_.notify();
}

std::string_view MeshContractParticle::readInstructions() {
    const LedgerData data = instructions_.get();
    // No data may mean that there is no instance, that the ledger is not synchronised yet, or that reading failed.
    if (data.isEmpty()) {
        return {};
    }
    text_ = data.toJSON();
    return std::string_view(text_.c_str(), text_.length());
}

bool MeshContractParticle::writeReport(const Report& report) {
    LedgerData data;
    if (!buildData(report, data)) {
        return false;
    }
    // Device OS does not compare: it would send equal data again. As text, numbers of different types are equal. A
    // report that has not arrived is written again, because Device OS drops it when the device changes its product.
    const bool has_arrived = reports_.lastSynced() > 0 && reports_.lastSynced() >= reports_.lastUpdated();
    if (has_arrived && reports_.get().toJSON() == data.toJSON()) {
        return true;
    }
    const int error = reports_.set(data);
    if (error < 0) {
        logger.warn("The report cannot be written to the ledger (error %d). It is tried again.", error);
    }
    return error >= 0;
}

bool MeshContractParticle::load(Record& record) {
    const int file = open(kRecordFile, O_RDONLY);
    if (file < 0) {
        return false;
    }
    const bool is_read = read(file, &record, sizeof(record)) == static_cast<int>(sizeof(record));
    close(file);
    return is_read;
}

bool MeshContractParticle::save(const Record& record) {
    const int file = open(kNewRecordFile, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) {
        return false;
    }
    const bool is_written = write(file, &record, sizeof(record)) == static_cast<int>(sizeof(record));
    // Data may reach the flash memory only when the file is closed.
    const bool is_closed = close(file) == 0;
    return is_written && is_closed && rename(kNewRecordFile, kRecordFile) == 0;
}

void MeshContractParticle::logChanges() {
    if (contract_.state() != logged_state_) {
        logged_state_ = contract_.state();
        const char* network = contract_.instructions().network;
        logger.info("%s: %s", *network != '\0' ? network : "no network", toText(logged_state_));
    }
    if (contract_.decodeError() != logged_error_) {
        logged_error_ = contract_.decodeError();
        if (logged_error_ != DecodeError::kNone) {
            logger.error("The instructions are not valid: %s", describe(logged_error_));
        }
    }
}

// A device that asks for a ledger before it exists asks again only after the next connection.
void MeshContractParticle::warnAboutUnknownLedgers() {
    const bool is_connected = Particle.connected();
    if (is_connected != was_connected_) {
        was_connected_ = is_connected;
        connected_at_ = millis();
        has_warned_ = false;
    }
    if (!is_connected || has_warned_ || millis() - connected_at_ < kLedgerInfoTimeout) {
        return;
    }
    has_warned_ = true;
    for (const Ledger& ledger : {instructions_, reports_}) {
        if (ledger.scope() == LedgerScope::UNKNOWN) {
            logger.warn("The cloud does not know the ledger %s, or it is archived. The device asks for it again after "
                        "the next connection to the cloud.", ledger.name());
        }
    }
}
