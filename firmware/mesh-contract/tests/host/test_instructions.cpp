// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// Which data of the ledger `mesh` are valid instructions.

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "MeshContract.h"
#include "mesh_contract/json_reader.h"

using namespace mesh_contract;

namespace {

const std::string kGateway = "e00fce68aabbccddeeff0022";

std::string joinWith(const std::string& changed) {
    return R"({"network":"barn","role":"node","gateways":[")" + kGateway + R"("],"parameters":{}, )" + changed + "}";
}

DecodeError decode(const std::string& json, Instructions& instructions) {
    // A copy of exactly this size, so that the sanitizer detects a reading behind its end.
    const std::unique_ptr<char[]> copy(new char[json.size()]);
    json.copy(copy.get(), json.size());
    return decodeInstructions(std::string_view(copy.get(), json.size()), instructions);
}

DecodeError decode(const std::string& json) {
    Instructions instructions;
    return decode(json, instructions);
}

}  // namespace

TEST_CASE("instructions to join are decoded") {
    Instructions found;
    const std::string json = R"( {"contract": 1, "gateways": [")" + kGateway + R"("], "network": "barn-1_x",
        "parameters": {"channel": 15, "key": "a b"}, "role": "gateway", "later": [{"x": null}]} )";
    REQUIRE(decode(json, found) == DecodeError::kNone);
    DeviceId gateway;
    REQUIRE(DeviceId::parse(kGateway, gateway));
    CHECK(found.order == Order::kJoin);
    CHECK(std::string(found.network) == "barn-1_x");
    CHECK(found.role == Role::kGateway);
    CHECK(found.gateway_count == 1);
    CHECK(found.hasGateway(gateway));
    CHECK(found.parameters.json() == R"({"channel":15,"key":"a b"})");
}

TEST_CASE("a network that is null is the order to leave, whatever else is there") {
    for (const char* json : {R"({"network": null})", R"({"contract": 1, "network": null, "role": null})",
                             R"({"network": null, "role": 5, "gateways": 5, "parameters": 5})"}) {
        Instructions found;
        CAPTURE(json);
        CHECK(decode(json, found) == DecodeError::kNone);
        CHECK(found.order == Order::kLeave);
        CHECK(std::string(found.network).empty());
    }
}

TEST_CASE("an empty instance orders nothing") {
    Instructions found;
    CHECK(decode("{}", found) == DecodeError::kNone);
    CHECK(found.order == Order::kNone);
}

TEST_CASE("the contract may be absent, but must not be another one") {
    CHECK(decode(joinWith(R"("x":0)")) == DecodeError::kNone);
    CHECK(decode(joinWith(R"("contract":1.0)")) == DecodeError::kNone);
    CHECK(decode(joinWith(R"("contract":2)")) == DecodeError::kContract);
    CHECK(decode(R"({"contract":2,"network":null})") == DecodeError::kContract);
    CHECK(decode(joinWith(R"("contract":"1")")) == DecodeError::kContract);
}

TEST_CASE("a network must have a valid name") {
    for (const char* name : {R"("")", R"("Barn")", R"("a b")", "5", "true", "[]", R"("\u0000")",
                             R"("a23456789012345678901234567890123")"}) {
        CAPTURE(name);
        CHECK(decode(joinWith(R"("network":)" + std::string(name))) == DecodeError::kNetwork);
    }
    CHECK(decode(joinWith(R"("network":"a2345678901234567890123456789012")")) == DecodeError::kNone);
    CHECK(decode(R"({"role":"node","gateways":[],"parameters":{}})") == DecodeError::kNetwork);
}

TEST_CASE("each other key is required, and checked") {
    CHECK(decode(R"({"network":"barn","gateways":[],"parameters":{}})") == DecodeError::kRole);
    CHECK(decode(R"({"network":"barn","role":"node","parameters":{}})") == DecodeError::kGateways);
    CHECK(decode(R"({"network":"barn","role":"node","gateways":[]})") == DecodeError::kParameters);
    CHECK(decode(joinWith(R"("role":"leader")")) == DecodeError::kRole);
    CHECK(decode(joinWith(R"("role":null)")) == DecodeError::kRole);
    CHECK(decode(joinWith(R"("gateways":{})")) == DecodeError::kGateways);
    CHECK(decode(joinWith(R"("gateways":["E00FCE68AABBCCDDEEFF0022"])")) == DecodeError::kGateways);
    CHECK(decode(joinWith(R"("gateways":["e00fce"])")) == DecodeError::kGateways);
    CHECK(decode(joinWith(R"("gateways":[5])")) == DecodeError::kGateways);
    CHECK(decode(joinWith(R"("parameters":[])")) == DecodeError::kParameters);
}

TEST_CASE("too many gateways and too large parameters are errors of their own") {
    std::string gateways = "\"" + kGateway + "\"";
    for (int more = 1; more < kMaxGateways; ++more) {
        gateways += ",\"" + kGateway + "\"";
    }
    CHECK(decode(joinWith(R"("gateways":[)" + gateways + "]")) == DecodeError::kNone);
    CHECK(decode(joinWith(R"("gateways":[)" + gateways + ",\"" + kGateway + "\"]")) == DecodeError::kTooManyGateways);
    const size_t frame = std::string(R"({"k":""})").size();
    const std::string fits(Parameters::kCapacity - frame, 'x');
    CHECK(decode(joinWith(R"("parameters":{"k": ")" + fits + "\"}")) == DecodeError::kNone);
    CHECK(decode(joinWith(R"("parameters":{"k": "x)" + fits + "\"}")) == DecodeError::kParametersTooLarge);
}

TEST_CASE("text that is not a JSON object is malformed") {
    const std::string deep = std::string(JsonReader::kMaxDepth + 1, '[') + std::string(JsonReader::kMaxDepth + 1, ']');
    for (const std::string& json :
         {std::string(""), std::string("null"), std::string("[]"), std::string("{"), std::string("{}x"),
          std::string("{\"a\":1,}"), std::string("{\"a\" 1}"), std::string("{\"a\":01}"), std::string("{\"a\":1.}"),
          std::string("{\"a\":+1}"), std::string("{\"a\":1e}"), std::string("{\"a\":tru}"), std::string("{\"a\":[1,]}"),
          std::string("{\"a\":[,1]}"), std::string("{\"a\":\"\\x\"}"), std::string("{\"a\":\"\\u12g4\"}"),
          std::string("{\"a\":\"\n\"}"), std::string("{\"a\":\"x"), std::string("{\"a\":\"\\"), std::string("{'a':1}"),
          "{\"a\":" + deep + "}", std::string("{\"a\":\0}", 7), joinWith("\"role\":\"node\"").substr(0, 60)}) {
        CAPTURE(json);
        CHECK(decode(json) == DecodeError::kMalformed);
    }
}

TEST_CASE("values nest up to the limit") {
    const std::string open(JsonReader::kMaxDepth, '['), close(JsonReader::kMaxDepth, ']');
    CHECK(decode(joinWith("\"deep\":" + open + close)) == DecodeError::kNone);
}

TEST_CASE("keys and values may contain escapes") {
    Instructions found;
    const std::string escaped = R"("net\u0077ork":"\u0062arn2", "r\u006fle":"\u0067ateway")";
    REQUIRE(decode(joinWith(escaped), found) == DecodeError::kNone);
    CHECK(std::string(found.network) == "barn2");
    CHECK(found.role == Role::kGateway);
}

TEST_CASE("every error has a description") {
    for (int error = 1; error <= static_cast<int>(DecodeError::kParametersTooLarge); ++error) {
        CHECK(std::string(describe(static_cast<DecodeError>(error))).size() > 10);
    }
}

TEST_CASE("parameters are read by key and type") {
    Parameters parameters;
    REQUIRE(parameters.assign(R"({"channel": 15, "float": 15.00, "half": 0.5, "big": 2147483648, "low": -2147483648,
        "key": "sm\u00f8r \ud83d\ude00\n\\\"", "broken": "\ud83d", "on": true, "off": false, "none": null,
        "a": [1, 2]})"));
    int32_t number = 0;
    CHECK((parameters.getInteger("channel", number) && number == 15));
    CHECK((parameters.getInteger("float", number) && number == 15));
    CHECK((parameters.getInteger("low", number) && number == INT32_MIN));
    for (const char* key : {"half", "big", "key", "on", "none", "a", "absent"}) {
        CHECK_FALSE(parameters.getInteger(key, number));
    }
    char text[32];
    CHECK((parameters.getText("key", text, sizeof(text)) && std::string(text) == "smør 😀\n\\\""));
    CHECK_FALSE(parameters.getText("key", text, 5));
    CHECK_FALSE(parameters.getText("broken", text, sizeof(text)));
    CHECK_FALSE(parameters.getText("channel", text, sizeof(text)));
    bool flag = false;
    CHECK((parameters.getBoolean("on", flag) && flag));
    CHECK((parameters.getBoolean("off", flag) && !flag));
    CHECK_FALSE(parameters.getBoolean("none", flag));
    CHECK(parameters.has("none"));
    CHECK_FALSE(parameters.has("absent"));
}

TEST_CASE("parameters that differ only in white space are equal") {
    Parameters one, other;
    REQUIRE(one.assign(R"({ "a b" : [ 1 , "x y" ] })"));
    REQUIRE(other.assign(R"({"a b":[1,"x y"]})"));
    CHECK(one == other);
}

TEST_CASE("a device id is written as it was read") {
    DeviceId id;
    char text[DeviceId::kDigits + 1];
    REQUIRE(DeviceId::parse(kGateway, id));
    id.format(text);
    CHECK(std::string(text) == kGateway);
}
