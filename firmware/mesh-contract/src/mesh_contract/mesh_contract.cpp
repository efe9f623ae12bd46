// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "mesh_contract/mesh_contract.h"

#include <cstring>

namespace mesh_contract {

namespace {

constexpr uint8_t kRecordVersion = 1;

// Compute a checksum of a record (a byte of FNV-1a) that is never 0, so that a record of zeros is not valid.
uint8_t computeChecksum(const Record& record) {
    uint32_t hash = 2166136261u;
    const auto add = [&hash](uint8_t byte) { hash = (hash ^ byte) * 16777619u; };
    for (const char character : record.network) {
        add(static_cast<uint8_t>(character));
    }
    add(record.has_joined);
    add(record.version);
    return static_cast<uint8_t>(hash >> 24) | 1;
}

bool isValid(const Record& record) {
    return record.version == kRecordVersion && record.checksum == computeChecksum(record) && record.has_joined <= 1 &&
           record.network[kMaxNetworkName] == '\0';
}

bool isSameParent(const Report& one, const Report& other) {
    return one.has_parent == other.has_parent && (!one.has_parent || one.parent == other.parent);
}

}  // namespace

const char* toText(State state) {
    static constexpr const char* kWords[] = {"idle", "joining", "joined", "lost", "leaving"};
    return kWords[static_cast<uint8_t>(state)];
}

MeshContract::MeshContract(Radio& radio, Ledgers& ledgers, Storage& storage, const Settings& settings)
    : radio_(radio),
      ledgers_(ledgers),
      storage_(storage),
      settings_(settings),
      radio_backoff_(settings.retry_initial, settings.retry_max),
      save_backoff_(settings.retry_initial, settings.retry_max),
      send_backoff_(settings.retry_initial, settings.retry_max) {}

void MeshContract::start(uint32_t seed) {
    random_ = seed | 1;
    if (!storage_.load(record_) || !isValid(record_)) {
        record_ = Record();
    }
}

void MeshContract::tick(uint32_t now) {
    for (Deadline* deadline : {&poll_, &status_check_, &radio_action_, &save_, &send_, &rssi_}) {
        deadline->advance(now);
    }
    if (is_notified_.exchange(false, std::memory_order_relaxed) || poll_.isDue()) {
        readLedger(now);
    }
    if (is_radio_started_) {
        run(now);
    } else if (radio_action_.isDue()) {
        startRadio(now);
    }
    saveRecord(now);
    report(now);
}

// ------------------------------------------------------------------ instructions

void MeshContract::readLedger(uint32_t now) {
    poll_.set(now, settings_.poll_interval);
    const std::string_view json = ledgers_.readInstructions();
    if (json.empty()) {
        return;
    }
    decode_error_ = decodeInstructions(json, incoming_);
    // An empty instance orders nothing. A device sees one after a failed reading, and perhaps after a deletion, so it
    // must not leave its network for that.
    if (decode_error_ == DecodeError::kNone && incoming_.order != Order::kNone && incoming_ != current_) {
        adopt(now);
    }
}

// Change to the new instructions. The state is set at once, so that the next report tells that they have been read.
void MeshContract::adopt(uint32_t now) {
    const bool is_same_network = std::strcmp(record_.network, incoming_.network) == 0;
    const bool keeps_connection = state_ == State::kJoined && is_same_network && incoming_.role == current_.role &&
                                  incoming_.parameters == current_.parameters;
    current_ = incoming_;
    radio_backoff_.reset();
    radio_action_.set(now, 0);
    if (isInNetwork() && !is_same_network) {
        state_ = State::kLeaving;
    } else if (current_.order == Order::kLeave) {
        state_ = State::kIdle;
    } else if (keeps_connection) {
        // Only the gateways have changed. The radio may keep its connection; `checkConnection` finds out.
        is_radio_instructed_ = false;
    } else {
        beginJoin(now);
    }
}

// ------------------------------------------------------------------ the radio

void MeshContract::startRadio(uint32_t now) {
    is_radio_started_ = radio_.start();
    if (is_radio_started_) {
        radio_backoff_.reset();
        run(now);
    } else {
        radio_action_.set(now, radio_backoff_.next(nextRandom()));
    }
}

void MeshContract::run(uint32_t now) {
    switch (state_) {
        case State::kIdle: break;
        case State::kLeaving:
            if (radio_action_.isDue()) {
                leave(now);
            }
            break;
        case State::kJoining:
        case State::kLost:
        case State::kJoined:
            if (radio_action_.isDue() && (state_ != State::kJoined || !is_radio_instructed_)) {
                join(now);
            }
            if (status_check_.isDue()) {
                checkConnection(now);
            }
            break;
    }
}

void MeshContract::leave(uint32_t now) {
    if (!radio_.leave()) {
        radio_action_.set(now, radio_backoff_.next(nextRandom()));
        return;
    }
    remember("", false);
    if (current_.order == Order::kJoin) {
        beginJoin(now);
    } else {
        state_ = State::kIdle;
    }
}

// Begin to join the network of the instructions. The radio is in this network already, or in none.
void MeshContract::beginJoin(uint32_t now) {
    const bool was_joined = isInNetwork() && record_.has_joined != 0;
    // A member that changes its role or its parameters joins anew. One that was connected before a restart is lost.
    state_ = was_joined && state_ == State::kIdle ? State::kLost : State::kJoining;
    is_radio_instructed_ = false;
    remember(current_.network, was_joined);
    radio_backoff_.reset();
    radio_action_.set(now, 0);
}

void MeshContract::join(uint32_t now) {
    const uint32_t delay = radio_backoff_.next(nextRandom());
    is_radio_instructed_ = radio_.join(current_);
    radio_action_.set(now, is_radio_instructed_ && delay < settings_.join_timeout ? settings_.join_timeout : delay);
    status_check_.set(now, 0);
}

void MeshContract::checkConnection(uint32_t now) {
    status_check_.set(now, settings_.status_interval);
    status_ = radio_.status();
    if (status_.is_connected) {
        // A connection according to earlier instructions does not count as joined.
        if (state_ != State::kJoined && is_radio_instructed_) {
            state_ = State::kJoined;
            radio_backoff_.reset();
            remember(current_.network, true);
        }
    } else if (state_ == State::kJoined) {
        state_ = State::kLost;
        // The radio gets some time to recover by itself before the next call of `join`.
        radio_action_.set(now, radio_backoff_.next(nextRandom()));
    }
}

// ------------------------------------------------------------------ reports

void MeshContract::report(uint32_t now) {
    Report wanted;
    if (!send_.isDue() || !buildReport(wanted) || !mustSend(wanted)) {
        return;
    }
    if (!ledgers_.writeReport(wanted)) {
        send_.set(now, send_backoff_.next(nextRandom()));
        return;
    }
    send_backoff_.reset();
    sent_ = wanted;
    has_sent_ = true;
    rssi_.set(now, settings_.rssi_interval);
}

// Build the report of the present state. Return false if there is nothing to report.
bool MeshContract::buildReport(Report& report) const {
    if (current_.order == Order::kNone) {
        return false;
    }
    if (current_.order == Order::kLeave) {
        report.state = ReportState::kLeft;
        // Until the radio has left, the last report stays.
        return state_ == State::kIdle;
    }
    std::memcpy(report.network, current_.network, sizeof(report.network));
    report.role = current_.role;
    if (state_ == State::kLost) {
        report.state = ReportState::kLost;
    }
    if (state_ == State::kJoined) {
        report.state = ReportState::kJoined;
        report.has_parent = status_.has_parent;
        report.parent = status_.parent;
        report.has_rssi = status_.has_rssi;
        report.rssi = status_.rssi;
    }
    return true;
}

bool MeshContract::mustSend(const Report& report) const {
    if (!has_sent_ || report.state != sent_.state || report.role != sent_.role ||
        std::strcmp(report.network, sent_.network) != 0 || !isSameParent(report, sent_) ||
        report.has_rssi != sent_.has_rssi) {
        return true;
    }
    const int difference = report.rssi - sent_.rssi;
    const bool is_large = difference >= settings_.rssi_step || -difference >= settings_.rssi_step;
    return report.has_rssi && is_large && rssi_.isDue();
}

// ------------------------------------------------------------------ the record

void MeshContract::remember(const char* network, bool has_joined) {
    Record record = {};
    std::memcpy(record.network, network, std::strlen(network));
    record.has_joined = has_joined ? 1 : 0;
    record.version = kRecordVersion;
    record.checksum = computeChecksum(record);
    if (std::memcmp(&record, &record_, sizeof(record)) != 0) {
        record_ = record;
        is_record_saved_ = false;
    }
}

void MeshContract::saveRecord(uint32_t now) {
    if (is_record_saved_ || !save_.isDue()) {
        return;
    }
    is_record_saved_ = storage_.save(record_);
    if (is_record_saved_) {
        save_backoff_.reset();
    } else {
        save_.set(now, save_backoff_.next(nextRandom()));
    }
}

// Return the next random number (xorshift32). It only spreads retries.
uint32_t MeshContract::nextRandom() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
}

}  // namespace mesh_contract
