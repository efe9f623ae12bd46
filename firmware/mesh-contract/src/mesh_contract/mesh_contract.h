// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The state machine of a member: from instructions to a connected radio, and from there to reports.

#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "mesh_contract/instructions.h"
#include "mesh_contract/interfaces.h"
#include "mesh_contract/report.h"
#include "mesh_contract/timing.h"

namespace mesh_contract {

enum class State : uint8_t {
    kIdle,     // in no network, and without instructions to join one
    kJoining,  // instructed to join, and never connected to this network
    kJoined,   // connected
    kLost,     // has been connected to this network, and is not connected now
    kLeaving,  // leaves its network, to join another one or none
};

// Return a word for the log.
const char* toText(State state);

// All times are in milliseconds.
struct Settings {
    uint32_t poll_interval = 30'000;   // between two readings of the ledger, which also happen after `notify`
    uint32_t status_interval = 1'000;  // between two calls of `Radio::status`
    uint32_t join_timeout = 60'000;    // without a connection, `Radio::join` is called again after this time
    uint32_t retry_initial = 1'000;    // the first delay after a failure
    uint32_t retry_max = 300'000;      // the longest delay after a failure
    // A signal strength that changes alone is reported if it differs by this many dB, and once in this time.
    uint8_t rssi_step = 10;
    uint32_t rssi_interval = 900'000;
};

// A member of a network. The library allocates no memory and keeps no thread: call `start` once and `tick` often.
class MeshContract {
public:
    MeshContract(Radio& radio, Ledgers& ledgers, Storage& storage, const Settings& settings = Settings());

    // Load the record of the last run. `seed` is any number that differs between devices.
    void start(uint32_t seed);

    // Read the ledger in the next call of `tick`.
    //
    // May be called from any thread. A lost call only delays the reading until the next poll. A repeated call does no
    // harm.
    void notify() { is_notified_.store(true, std::memory_order_relaxed); }

    // Carry out the actions that are due. Call this function from the main loop. `now` is a clock of milliseconds that
    // may wrap.
    void tick(uint32_t now);

    State state() const { return state_; }

    // The latest valid instructions.
    const Instructions& instructions() const { return current_; }

    // The reason why the latest data of the ledger are not valid instructions. Until they are valid, the member does
    // not change.
    DecodeError decodeError() const { return decode_error_; }

private:
    void readLedger(uint32_t now);
    void adopt(uint32_t now);
    void startRadio(uint32_t now);
    void run(uint32_t now);
    void leave(uint32_t now);
    void beginJoin(uint32_t now);
    void join(uint32_t now);
    void checkConnection(uint32_t now);
    void report(uint32_t now);
    bool buildReport(Report& report) const;
    bool mustSend(const Report& report) const;
    void remember(const char* network, bool has_joined);
    void saveRecord(uint32_t now);
    uint32_t nextRandom();

    bool isInNetwork() const { return record_.network[0] != '\0'; }

    Radio& radio_;
    Ledgers& ledgers_;
    Storage& storage_;
    const Settings settings_;

    State state_ = State::kIdle;
    Instructions current_;
    Instructions incoming_;
    DecodeError decode_error_ = DecodeError::kNone;
    Record record_ = {};
    RadioStatus status_;
    Report sent_;
    uint32_t random_ = 1;

    std::atomic<bool> is_notified_{true};
    bool is_radio_started_ = false;
    bool is_radio_instructed_ = false;  // whether the radio has accepted the latest instructions
    bool is_record_saved_ = true;
    bool has_sent_ = false;

    Deadline poll_;
    Deadline status_check_;
    Deadline radio_action_;
    Deadline save_;
    Deadline send_;
    Deadline rssi_;
    Backoff radio_backoff_;
    Backoff save_backoff_;
    Backoff send_backoff_;
};

}  // namespace mesh_contract
