// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "mesh_contract/device_id.h"

#include <cstring>

namespace mesh_contract {

namespace {

// Return the value of a hexadecimal digit, or -1 for any other character.
int readDigit(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

}  // namespace

bool DeviceId::parse(std::string_view text, DeviceId& id) {
    if (text.size() != kDigits) {
        return false;
    }
    DeviceId found;
    for (size_t at = 0; at < kBytes; ++at) {
        const int high = readDigit(text[2 * at]);
        const int low = readDigit(text[2 * at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        found.bytes[at] = static_cast<uint8_t>(high * 16 + low);
    }
    id = found;
    return true;
}

void DeviceId::format(char (&text)[kDigits + 1]) const {
    static constexpr char kHex[] = "0123456789abcdef";
    for (size_t at = 0; at < kBytes; ++at) {
        text[2 * at] = kHex[bytes[at] >> 4];
        text[2 * at + 1] = kHex[bytes[at] & 15];
    }
    text[kDigits] = '\0';
}

bool DeviceId::operator==(const DeviceId& other) const {
    return std::memcmp(bytes, other.bytes, kBytes) == 0;
}

}  // namespace mesh_contract
