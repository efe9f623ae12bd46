// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// Deadlines on a clock of milliseconds that wraps, and growing delays between retries.

#pragma once

#include <cstdint>

namespace mesh_contract {

// A point in time, at most 24 days ahead. Once reached, it stays reached until it is set again.
//
// The clock wraps after 49.7 days, as `millis()` does. `advance` must be called more often than that.
class Deadline {
public:
    void set(uint32_t now, uint32_t delay) {
        at_ = now + delay;
        is_due_ = delay == 0;
    }

    void advance(uint32_t now) { is_due_ = is_due_ || static_cast<int32_t>(now - at_) >= 0; }

    bool isDue() const { return is_due_; }

private:
    uint32_t at_ = 0;
    bool is_due_ = true;
};

// Delays that double from `initial` to `max` milliseconds. A quarter of each delay is random, so that the members of a
// network that has lost its gateway do not all retry at the same moment.
class Backoff {
public:
    Backoff(uint32_t initial, uint32_t max) : initial_(initial), max_(max), delay_(initial) {}

    void reset() { delay_ = initial_; }

    // Return the next delay. `random` is any random number.
    uint32_t next(uint32_t random) {
        const uint32_t delay = delay_;
        delay_ = delay > max_ / 2 ? max_ : delay * 2;
        return delay - delay / 4 + random % (delay / 4 + 1);
    }

private:
    uint32_t initial_;
    uint32_t max_;
    uint32_t delay_;
};

}  // namespace mesh_contract
