// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The id of a Particle device.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mesh_contract {

// A device id: 12 bytes, written as 24 lower-case hexadecimal digits.
struct DeviceId {
    static constexpr size_t kBytes = 12;
    static constexpr size_t kDigits = 2 * kBytes;

    uint8_t bytes[kBytes] = {};

    // Read an id from 24 lower-case hexadecimal digits. Return false, and leave `id` unchanged, for any other text.
    static bool parse(std::string_view text, DeviceId& id);

    // Write the id as 24 digits and a terminating zero.
    void format(char (&text)[kDigits + 1]) const;

    bool operator==(const DeviceId& other) const;
    bool operator!=(const DeviceId& other) const { return !(*this == other); }
};

}  // namespace mesh_contract
