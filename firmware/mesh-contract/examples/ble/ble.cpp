// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// EXAMPLE, not for production: a mesh of Bluetooth advertisements, which shows how a radio is written.
//
// The radio finds out which member hears which, and reports the parent and its signal strength. It carries no data of an
// application, and its announcements are neither encrypted nor signed. A scan blocks `loop()` for half a second.

#include "Particle.h"

#include <cstring>

#include "MeshContractParticle.h"
#include "announcement_tree.h"

#ifndef SYSTEM_VERSION_v620
SYSTEM_THREAD(ENABLED);  // the default from Device OS 6.2.0 on
#endif

using mesh_contract::Instructions;
using mesh_contract::RadioStatus;

class BleRadio : public mesh_contract::Radio {
public:
    bool start() override {
        BLE.on();
        BLE.setScanTimeout(kScanTimeout);
        BLE.setAdvertisingInterval(kAdvertisingInterval);
        return true;
    }

    bool join(const Instructions& instructions) override {
        tree_.configure(instructions, MeshContractParticle::readOwnId());
        return true;
    }

    bool leave() override {
        tree_.clear();
        BLE.stopAdvertising();
        return true;
    }

    // The library calls this function once in `Settings::status_interval`.
    RadioStatus status() override {
        scan();
        announce();
        return tree_.status(millis());
    }

private:
    static constexpr uint16_t kScanTimeout = 50;           // in units of 10 ms
    static constexpr uint16_t kAdvertisingInterval = 160;  // in units of 0.625 ms
    static constexpr uint32_t kTimeout = 60'000;
    static constexpr size_t kMaxResults = 20;
    // The first two bytes of custom data identify a company: 0xffff is for tests. The third identifies this example.
    static constexpr size_t kPrefixBytes = 3;
    static constexpr uint8_t kPrefix[kPrefixBytes] = {0xff, 0xff, 0x4d};
    static constexpr size_t kDataBytes = kPrefixBytes + Announcement::kBytes;
    static_assert(kDataBytes <= 26, "custom data of an advertisement have at most 26 bytes");

    void scan() {
        static BleScanResult results[kMaxResults];
        const int count = BLE.scan(results, kMaxResults);
        for (int at = 0; at < count; ++at) {
            uint8_t data[kDataBytes];
            if (results[at].advertisingData().customData(data, sizeof(data)) != sizeof(data) ||
                std::memcmp(data, kPrefix, kPrefixBytes) != 0) {
                continue;
            }
            uint8_t bytes[Announcement::kBytes];
            std::memcpy(bytes, data + kPrefixBytes, sizeof(bytes));
            tree_.hear(Announcement::decode(bytes), results[at].rssi(), millis());
        }
    }

    void announce() {
        Announcement announcement;
        if (!tree_.announce(announcement, millis())) {
            BLE.stopAdvertising();
            return;
        }
        uint8_t bytes[Announcement::kBytes];
        announcement.encode(bytes);
        uint8_t custom[kDataBytes];
        std::memcpy(custom, kPrefix, kPrefixBytes);
        std::memcpy(custom + kPrefixBytes, bytes, sizeof(bytes));
        BleAdvertisingData data;
        data.appendCustomData(custom, sizeof(custom));
        BLE.advertise(&data);
    }

    AnnouncementTree tree_{kTimeout};
};

BleRadio radio;

// Scans block, so the radio is asked for its state less often than by default.
mesh_contract::Settings buildSettings() {
    mesh_contract::Settings settings;
    settings.status_interval = 5'000;
    return settings;
}

MeshContractParticle mesh(radio, buildSettings());

void setup() {
    mesh.setup();
}

void loop() {
    mesh.loop();
}
