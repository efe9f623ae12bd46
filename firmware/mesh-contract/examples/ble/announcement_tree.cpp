// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "announcement_tree.h"

#include <cstring>
#include <string_view>

using mesh_contract::DeviceId;
using mesh_contract::Instructions;
using mesh_contract::RadioStatus;
using mesh_contract::Role;

namespace {

// FNV-1a
uint32_t hash(std::string_view text, uint32_t seed = 2166136261u) {
    for (const char character : text) {
        seed = (seed ^ static_cast<uint8_t>(character)) * 16777619u;
    }
    return seed;
}

uint32_t hash(const DeviceId& id) {
    return hash(std::string_view(reinterpret_cast<const char*>(id.bytes), DeviceId::kBytes));
}

bool isNewer(uint16_t number, uint16_t than) {
    return static_cast<int16_t>(number - than) > 0;
}

void writeNumber(uint8_t* bytes, uint32_t number, int count) {
    for (int at = 0; at < count; ++at) {
        bytes[at] = static_cast<uint8_t>(number >> (8 * at));
    }
}

uint32_t readNumber(const uint8_t* bytes, int count) {
    uint32_t number = 0;
    for (int at = 0; at < count; ++at) {
        number |= static_cast<uint32_t>(bytes[at]) << (8 * at);
    }
    return number;
}

}  // namespace

void Announcement::encode(uint8_t (&bytes)[kBytes]) const {
    writeNumber(bytes, network, 4);
    writeNumber(bytes + 4, gateway, 4);
    writeNumber(bytes + 8, number, 2);
    bytes[10] = hops;
    std::memcpy(bytes + 11, sender.bytes, DeviceId::kBytes);
}

Announcement Announcement::decode(const uint8_t (&bytes)[kBytes]) {
    Announcement found;
    found.network = readNumber(bytes, 4);
    found.gateway = readNumber(bytes + 4, 4);
    found.number = static_cast<uint16_t>(readNumber(bytes + 8, 2));
    found.hops = bytes[10];
    std::memcpy(found.sender.bytes, bytes + 11, DeviceId::kBytes);
    return found;
}

void AnnouncementTree::configure(const Instructions& instructions, const DeviceId& own) {
    const bool was_gateway = is_gateway_;
    const uint32_t network = hash(instructions.parameters.json(), hash(instructions.network));
    const bool is_same = is_member_ && network == network_;
    own_ = own;
    is_member_ = true;
    is_gateway_ = instructions.role == Role::kGateway;
    network_ = network;
    gateway_count_ = instructions.gateway_count;
    for (uint8_t at = 0; at < gateway_count_; ++at) {
        gateways_[at] = hash(instructions.gateways[at]);
    }
    if (!is_same || is_gateway_ != was_gateway) {
        is_connected_ = has_number_ = false;
    } else if (!is_gateway_ && is_connected_ && !isKnownGateway(best_.gateway)) {
        is_connected_ = has_number_ = false;
    }
}

bool AnnouncementTree::isKnownGateway(uint32_t gateway) const {
    for (uint8_t at = 0; at < gateway_count_; ++at) {
        if (gateways_[at] == gateway) {
            return true;
        }
    }
    return false;
}

// Return whether the sender is a better parent than none, or the same parent with a newer number.
bool AnnouncementTree::isBetter(const Announcement& heard) const {
    if (!has_number_ || (!is_connected_ && heard.gateway != best_.gateway)) {
        return true;
    }
    if (heard.gateway != best_.gateway) {
        return false;  // change to another gateway only without a connection
    }
    if (isNewer(heard.number, best_.number)) {
        // A connected node changes its parent only for a shorter way, so that the tree stays as it is.
        return !is_connected_ || heard.sender == best_.sender || heard.hops < best_.hops;
    }
    return is_connected_ && heard.number == best_.number && heard.hops < best_.hops;
}

void AnnouncementTree::hear(const Announcement& heard, int8_t rssi, uint32_t now) {
    expire(now);
    const bool is_usable = is_member_ && !is_gateway_ && heard.network == network_ && heard.hops < kMaxHops &&
                           heard.sender != own_ && isKnownGateway(heard.gateway);
    if (is_usable && isBetter(heard)) {
        best_ = heard;
        rssi_ = rssi;
        heard_at_ = now;
        is_connected_ = has_number_ = true;
    }
}

bool AnnouncementTree::announce(Announcement& announcement, uint32_t now) {
    expire(now);
    if (!is_member_ || (!is_gateway_ && !is_connected_)) {
        return false;
    }
    if (is_gateway_) {
        best_.gateway = hash(own_);
        ++best_.number;
        is_connected_ = true;
    }
    announcement = best_;
    announcement.network = network_;
    announcement.sender = own_;
    announcement.hops = is_gateway_ ? 0 : static_cast<uint8_t>(best_.hops + 1);
    return true;
}

RadioStatus AnnouncementTree::status(uint32_t now) {
    expire(now);
    RadioStatus status;
    status.is_connected = is_member_ && is_connected_;
    if (status.is_connected && !is_gateway_) {
        status.has_parent = status.has_rssi = true;
        status.parent = best_.sender;
        status.rssi = rssi_;
    }
    return status;
}

void AnnouncementTree::expire(uint32_t now) {
    if (is_gateway_ || !has_number_) {
        return;
    }
    const uint32_t silence = now - heard_at_;
    is_connected_ = is_connected_ && silence < timeout_;
    has_number_ = silence < kRememberedTimeouts * timeout_;
}
