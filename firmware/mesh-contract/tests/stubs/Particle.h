// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// Declarations for compile tests only: the part of the documented API of Device OS that the library and its examples
// use.
//
// The source of each declaration stands beside it: "section" is a section of docs/facts/device-ledger-api.md of the
// collection, "reference" a chapter of "Device OS API" at docs.particle.io. This is not a copy of a header of Device OS,
// and nothing here is implemented. Files are those of POSIX (reference, File system).

#pragma once

#include <cstddef>
#include <cstdint>

#define SYSTEM_VERSION_v620  // section 6: defined from Device OS 6.2.0 on

#define Wiring_Ledger 1  // section 1: the compile-time guard of ledgers
#define Wiring_BLE 1     // section 8: the compile-time guard of Bluetooth

// Section 6: 32 bits, wraps after 49.7 days.
uint32_t millis();

// Section 3 names the class, as the type of keys and JSON texts. Its members: reference, String class.
class String {
public:
    String();
    String(const String& other);
    ~String();
    String& operator=(const String& other);
    const char* c_str() const;
    unsigned length() const;
    bool operator==(const String& other) const;
};

namespace particle {

// Section 3: null without an argument; numbers and strings.
class Variant {
public:
    Variant();
    Variant(int value);
    Variant(const char* value);
    Variant(const Variant& other);
    ~Variant();
};

// Section 3.
class LedgerData {
public:
    LedgerData();
    LedgerData(const LedgerData& other);
    ~LedgerData();
    bool set(const char* key, Variant value);  // false without memory
    bool isEmpty() const;
    String toJSON() const;
};

enum class LedgerScope { UNKNOWN, DEVICE, PRODUCT, OWNER };  // section 2

// Section 2. The default constructor makes an invalid object, as an error of Particle.ledger() does.
class Ledger {
public:
    enum SetMode { REPLACE, MERGE };

    Ledger();
    Ledger(const Ledger& other);
    ~Ledger();
    Ledger& operator=(const Ledger& other);
    bool isValid() const;
    int set(const LedgerData& data, SetMode mode = REPLACE);
    LedgerData get() const;
    int64_t lastUpdated() const;  // in milliseconds since 1970
    int64_t lastSynced() const;   // in milliseconds since 1970; 0 = never
    const char* name() const;
    LedgerScope scope() const;
    int onSync(void (*callback)(Ledger ledger, void* arg), void* arg = nullptr);
};

}  // namespace particle

// Section 2: Particle.ledger. Section 6: Particle.connected.
class CloudClass {
public:
    static particle::Ledger ledger(const char* name);
    static bool connected();
};
extern CloudClass Particle;

// Section 6.
class SystemClass {
public:
    String deviceID();
};
extern SystemClass System;

// Section 6 names the class and its categories. Its members: reference, Logging.
class Logger {
public:
    explicit Logger(const char* category);
    void info(const char* format, ...) const;
    void warn(const char* format, ...) const;
    void error(const char* format, ...) const;
};

// Section 8.
class BleAdvertisingData {
public:
    size_t appendCustomData(const uint8_t* data, size_t size);
    size_t customData(uint8_t* data, size_t size) const;  // reference, Bluetooth LE (BLE); the number of bytes
};

// Section 8.
class BleScanResult {
public:
    const BleAdvertisingData& advertisingData() const;
    int8_t rssi() const;
};

// Section 8.
class BleLocalDevice {
public:
    int on();                                             // reference, Bluetooth LE (BLE)
    int setAdvertisingInterval(uint16_t interval) const;  // in units of 0.625 ms
    int advertise(BleAdvertisingData* data) const;
    int stopAdvertising() const;
    int setScanTimeout(uint16_t timeout) const;            // in units of 10 ms
    int scan(BleScanResult* results, size_t count) const;  // blocks; the number of results, or a negative code
};
extern BleLocalDevice BLE;

// Section 1: Particle.h ends with this line.
using namespace particle;
