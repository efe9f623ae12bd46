// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// Fuzz the decoder: whatever the ledger contains, decoding ends, stays within the text, and is consistent.
//
// `fuzz COUNT [SEED]` changes valid documents at random. With -DMESH_CONTRACT_LIBFUZZER, the same check is the entry
// point of libFuzzer: clang++ -fsanitize=fuzzer,address,undefined -DMESH_CONTRACT_LIBFUZZER ...

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "MeshContract.h"
#include "mesh_contract/json_reader.h"

using namespace mesh_contract;

namespace {

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "%s\n", what);
        std::abort();
    }
}

void readParameters(const Parameters& parameters) {
    JsonReader reader(parameters.json());
    std::string_view value;
    require(reader.readValue(value) && reader.finish(), "the parameters must be valid JSON");
    char text[64];
    int32_t number = 0;
    bool flag = false;
    for (const char* key : {"channel", "key", "on"}) {
        parameters.getText(key, text, sizeof(text));
        parameters.getInteger(key, number);
        parameters.getBoolean(key, flag);
    }
}

void checkDecoder(const uint8_t* data, size_t size) {
    // A copy of exactly this size, so that the sanitizer detects a reading behind its end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size > 0) {
        std::memcpy(copy.get(), data, size);
    }
    const std::string_view json(copy.get(), size);
    static Instructions first, second;
    const DecodeError error = decodeInstructions(json, first);
    require(error == decodeInstructions(json, second), "decoding must not depend on earlier content");
    require(error == DecodeError::kNone || *describe(error) != '\0', "an error must have a description");
    if (error != DecodeError::kNone || first.order != Order::kJoin) {
        return;
    }
    require(first == second, "decoding must not depend on earlier content");
    require(first.network[0] != '\0' && std::strlen(first.network) <= kMaxNetworkName, "a network must have a name");
    require(first.gateway_count <= kMaxGateways, "gateways must fit");
    readParameters(first.parameters);
}

}  // namespace

#ifdef MESH_CONTRACT_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    checkDecoder(data, size);
    return 0;
}

#else

namespace {

const char* const kDocuments[] = {
    R"({"contract":1,"network":"barn","role":"node","gateways":["e00fce68aabbccddeeff0022"],)"
    R"("parameters":{"channel":15}})",
    R"({"network":"field_2","role":"gateway","gateways":["e00fce68aabbccddeeff0022","e00fce68aabbccddeeff0023"],)"
    R"("parameters":{"key":"s\u00f8 \ud83d\ude00\"\\","on":true,"a":[1,-2.5e+3,{"b":null}]},"more":[[],{},""]})",
    R"({"contract":1,"network":null})",
    R"({})",
};
const char* const kPieces[] = {
    "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "null", "true", "1", "-", ".", "e", "1.0", " ", "\n",
    "{\"", "[[[[[[[[", "\"network\":", "\"contract\":", "\"gateways\":[",
};

template <typename Item, size_t size>
const Item& choose(std::mt19937& random, const Item (&items)[size]) {
    return items[random() % size];
}

std::string changeText(std::mt19937& random, std::string text) {
    for (auto changes = random() % 6; changes > 0; --changes) {
        const size_t at = random() % (text.size() + 1);
        switch (random() % 5) {
            case 0: text.insert(at, choose(random, kPieces)); break;
            case 1: text.erase(at, random() % 8); break;
            case 2: text.insert(at, 1, static_cast<char>(random())); break;
            case 3: text.insert(at, text.substr(random() % (text.size() + 1), random() % 40)); break;
            default: text.resize(at); break;
        }
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    const unsigned long count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
    const unsigned long seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
    std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
    for (unsigned long done = 0; done < count; ++done) {
        const std::string text = changeText(random, choose(random, kDocuments));
        checkDecoder(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    }
    std::printf("%lu inputs were decoded (seed %lu).\n", count, seed);
    return 0;
}

#endif
