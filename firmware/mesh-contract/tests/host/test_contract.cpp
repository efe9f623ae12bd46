// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// What a member does with its instructions, its radio and its reports.

#include <doctest/doctest.h>

#include <algorithm>

#include "fake_device.h"

using namespace mesh_contract;

namespace {

int countCalls(const FakeDevice& device, const std::string& call) {
    return static_cast<int>(std::count(device.radio.calls.begin(), device.radio.calls.end(), call));
}

FakeDevice* joinedDevice(FakeDevice& device) {
    device.order("barn");
    device.run(2);
    device.connect();
    device.run(2);
    REQUIRE(device.contract->state() == State::kJoined);
    device.radio.calls.clear();
    return &device;
}

}  // namespace

TEST_CASE("a device without instructions does and reports nothing") {
    FakeDevice device;
    device.run(600);
    CHECK(device.contract->state() == State::kIdle);
    CHECK(device.radio.calls.empty());
    CHECK(device.ledgers.attempts == 0);
    CHECK(device.storage.saves == 0);
}

TEST_CASE("a node joins and reports each step once") {
    FakeDevice device;
    device.order("barn");
    device.run(5);
    CHECK(device.ledgers.last() == "barn node joining");
    device.connect(-48);
    device.run(60);
    REQUIRE(device.ledgers.reports.size() == 2);
    CHECK(device.ledgers.last() == "barn node joined");
    CHECK(device.ledgers.reports.back().has_parent);
    CHECK(device.ledgers.reports.back().rssi == -48);
    CHECK(countCalls(device, "join barn node") == 1);
}

TEST_CASE("a gateway forms its network and reports no parent") {
    FakeDevice device;
    device.order("barn", "gateway");
    device.run(1);
    device.radio.now.is_connected = true;
    device.run(3);
    CHECK(device.ledgers.last() == "barn gateway joined");
    CHECK_FALSE(device.ledgers.reports.back().has_parent);
    CHECK_FALSE(device.ledgers.reports.back().has_rssi);
}

TEST_CASE("instructions are found by polling when the hint is lost") {
    FakeDevice device;
    device.run(1);
    device.ledgers.instructions = R"({"network":"barn","role":"node","gateways":[],"parameters":{}})";
    device.run(31);
    CHECK(device.contract->state() == State::kJoining);
}

TEST_CASE("hints without a change have no effect") {
    FakeDevice device;
    joinedDevice(device);
    for (int times = 0; times < 100; ++times) {
        device.contract->notify();
        device.run(1);
    }
    CHECK(device.radio.calls.empty());
    CHECK(device.ledgers.reports.size() == 2);
}

TEST_CASE("a member that loses its connection is lost until it is back") {
    FakeDevice device;
    joinedDevice(device);
    device.disconnect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node lost");
    device.run(60);
    CHECK(countCalls(device, "join barn node") >= 1);
    device.connect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node joined");
}

TEST_CASE("attempts to join go on for ever, and become rarer") {
    FakeDevice device;
    device.order("barn");
    device.run(24 * 3600);
    const int first_day = countCalls(device, "join barn node");
    CHECK(first_day > 24 * 3600 / 310);
    CHECK(first_day < 24 * 3600 / 200);
    device.radio.calls.clear();
    device.radio.can_join = false;
    device.run(24 * 3600);
    const int second_day = countCalls(device, "join barn node");
    CHECK(second_day > 24 * 3600 / 310);
    CHECK(second_day < 24 * 3600 / 200);
    CHECK(device.ledgers.last() == "barn node joining");
}

TEST_CASE("an order to leave is carried out, then reported, and the record is empty") {
    FakeDevice device;
    joinedDevice(device);
    device.radio.can_leave = false;
    device.orderToLeave();
    device.run(10);
    CHECK(device.contract->state() == State::kLeaving);
    CHECK(device.ledgers.last() == "barn node joined");
    CHECK(countCalls(device, "leave") >= 3);
    device.radio.can_leave = true;
    device.run(60);
    CHECK(device.contract->state() == State::kIdle);
    CHECK(device.ledgers.last() == "left");
    CHECK(device.storage.record.network[0] == '\0');
    device.restart();
    device.run(60);
    CHECK(device.radio.calls.empty());
    CHECK(device.ledgers.last() == "left");
}

TEST_CASE("a device that never joined reports at once that it has left") {
    FakeDevice device;
    device.orderToLeave();
    device.run(1);
    CHECK(device.ledgers.last() == "left");
    CHECK(device.radio.calls.empty());
}

TEST_CASE("a member that moves leaves its old network before it joins the new one") {
    FakeDevice device;
    joinedDevice(device);
    device.order("field");
    device.run(1);
    CHECK(device.radio.calls == std::vector<std::string>{"leave", "join field node"});
    CHECK((device.ledgers.last() == "field node joining" || device.ledgers.last() == "field node joined"));
}

TEST_CASE("a reset while leaving does not forget the old network") {
    FakeDevice device;
    joinedDevice(device);
    device.radio.can_leave = false;
    device.order("field");
    device.run(5);
    device.restart();
    device.radio.can_leave = true;
    device.run(2);
    CHECK(device.radio.calls == std::vector<std::string>{"leave", "join field node"});
}

TEST_CASE("an order that is taken back while the member leaves is followed") {
    FakeDevice device;
    joinedDevice(device);
    device.radio.can_leave = false;
    device.order("field");
    device.run(1);
    device.order("barn");
    device.run(1);
    CHECK(device.radio.calls.back() == "join barn node");
    device.run(5);
    CHECK(device.ledgers.last() == "barn node joined");
}

TEST_CASE("changed parameters and a changed role make a member join again") {
    FakeDevice device;
    joinedDevice(device);
    device.disconnect();
    device.order("barn", "node", R"({"channel":20})");
    device.run(1);
    CHECK(device.radio.calls == std::vector<std::string>{"join barn node"});
    CHECK(device.ledgers.last() == "barn node joining");
    device.connect();
    device.run(2);
    device.disconnect();
    device.order("barn", "gateway", R"({"channel":20})");
    device.run(1);
    CHECK(device.radio.calls.back() == "join barn gateway");
    CHECK(device.ledgers.last() == "barn gateway joining");
    device.connect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn gateway joined");
    CHECK(countCalls(device, "leave") == 0);
}

TEST_CASE("other gateways keep a member joined if its radio keeps the connection") {
    FakeDevice device;
    joinedDevice(device);
    device.order("barn", "node", "{}", "e00fce68aabbccddeeff0099");
    device.run(5);
    CHECK(device.radio.calls == std::vector<std::string>{"join barn node"});
    CHECK(device.ledgers.reports.size() == 2);
    device.radio.calls.clear();
    device.radio.can_join = false;
    device.order("barn");
    device.run(10);
    CHECK(countCalls(device, "join barn node") >= 3);
}

TEST_CASE("a connection with the old parameters does not count as joined") {
    FakeDevice device;
    joinedDevice(device);
    device.radio.can_join = false;
    device.order("barn", "node", R"({"channel":20})");
    device.run(10);
    CHECK(device.ledgers.last() == "barn node joining");
    device.radio.can_join = true;
    device.run(10);
    CHECK(device.ledgers.last() == "barn node joined");
}

TEST_CASE("data that are no instructions leave the member as it is") {
    for (const char* data : {"", "{}", "{\"network\":", "[]", R"({"contract":2,"network":null})",
                             R"({"network":"barn","role":"boss","gateways":[],"parameters":{}})"}) {
        FakeDevice device;
        joinedDevice(device);
        device.ledgers.instructions = data;
        device.run(120);
        CAPTURE(data);
        CHECK(device.contract->state() == State::kJoined);
        CHECK(device.radio.calls.empty());
        CHECK(device.ledgers.last() == "barn node joined");
    }
}

TEST_CASE("an error of the instructions is shown until they are valid") {
    FakeDevice device;
    device.order("barn", "boss");
    device.run(1);
    CHECK(device.contract->decodeError() == DecodeError::kRole);
    device.order("barn", "node");
    device.run(1);
    CHECK(device.contract->decodeError() == DecodeError::kNone);
}

TEST_CASE("after a reset, a member that was joined is lost until its radio is connected") {
    FakeDevice device;
    joinedDevice(device);
    device.restart();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node lost");
    device.connect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node joined");
}

TEST_CASE("a damaged record counts as none") {
    FakeDevice device;
    joinedDevice(device);
    device.storage.record.network[0] ^= 1;
    device.restart();
    device.run(2);
    CHECK(device.radio.calls == std::vector<std::string>{"join barn node"});
    CHECK(device.ledgers.last() == "barn node joining");
    device.storage.record = Record();
    device.restart();
    device.run(2);
    CHECK(device.contract->state() == State::kJoining);
}

TEST_CASE("reports and records that cannot be written are tried again") {
    FakeDevice device;
    device.ledgers.can_write = device.storage.can_save = false;
    device.order("barn");
    device.run(60);
    const int attempts = device.ledgers.attempts;
    CHECK(attempts > 3);
    CHECK(attempts < 10);
    CHECK(device.storage.saves < 10);
    device.connect();
    device.ledgers.can_write = device.storage.can_save = true;
    device.run(60);
    CHECK(device.ledgers.last() == "barn node joined");
    CHECK(device.ledgers.reports.size() == 1);
    CHECK(std::string(device.storage.record.network) == "barn");
}

TEST_CASE("a radio that cannot start is started again") {
    FakeDevice device;
    device.radio.can_start = false;
    device.order("barn");
    device.run(60);
    CHECK(device.radio.starts > 3);
    CHECK(device.radio.calls.empty());
    CHECK(device.ledgers.last() == "barn node joining");
    device.radio.can_start = true;
    device.run(60);
    CHECK(countCalls(device, "join barn node") >= 1);
}

TEST_CASE("a signal strength that changes alone is reported rarely") {
    FakeDevice device;
    joinedDevice(device);
    device.connect(-58);
    device.run(3600);
    CHECK(device.ledgers.reports.size() == 2);
    for (int minute = 0; minute < 60; ++minute) {
        device.connect(minute % 2 == 0 ? -80 : -40);
        device.run(60);
    }
    CHECK(device.ledgers.reports.size() > 3);
    CHECK(device.ledgers.reports.size() <= 7);
}

TEST_CASE("another parent is reported at once") {
    FakeDevice device;
    joinedDevice(device);
    DeviceId::parse("e00fce68aabbccddeeff0077", device.radio.now.parent);
    device.run(2);
    CHECK(device.ledgers.reports.size() == 3);
}

TEST_CASE("a member works after months in one state") {
    FakeDevice device;
    joinedDevice(device);
    // The clock wraps several times while nothing happens.
    for (int hours = 0; hours < 120 * 24; ++hours, device.now += 3'600'000) {
        device.contract->tick(device.now);
    }
    device.disconnect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node lost");
    device.connect();
    device.run(2);
    CHECK(device.ledgers.last() == "barn node joined");
    device.order("field");
    device.run(2);
    CHECK(device.radio.calls.back() == "join field node");
}
