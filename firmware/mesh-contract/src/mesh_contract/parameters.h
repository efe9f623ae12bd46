// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The parameters of a network, as the manifest declares them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// The maximum size of the parameters in bytes of JSON without white space. Define another size for the whole build.
#ifndef MESH_CONTRACT_PARAMETERS_SIZE
#define MESH_CONTRACT_PARAMETERS_SIZE 1024
#endif

namespace mesh_contract {

// The parameters of a network: a JSON object, for example {"channel":15}.
//
// Parameters may contain join keys. Do not log them.
class Parameters {
public:
    static constexpr size_t kCapacity = MESH_CONTRACT_PARAMETERS_SIZE;

    Parameters() { assign("{}"); }

    // Store a JSON object that `JsonReader` has read. Return false if the object is too large.
    bool assign(std::string_view json);

    // Return the whole object as JSON text.
    std::string_view json() const { return {text_, size_}; }

    bool has(std::string_view key) const;

    // Read a string as UTF-8 with a terminating zero. Return false if the key is absent or not a string, or if `out` is
    // too small. A key has at most 32 bytes.
    bool getText(std::string_view key, char* out, size_t capacity) const;

    // Read a whole number. Return false if the key is absent or not a whole number from -2147483648 to 2147483647.
    bool getInteger(std::string_view key, int32_t& value) const;

    // Read true or false. Return false if the key is absent or of another type.
    bool getBoolean(std::string_view key, bool& value) const;

    bool operator==(const Parameters& other) const { return json() == other.json(); }
    bool operator!=(const Parameters& other) const { return !(*this == other); }

private:
    bool find(std::string_view key, std::string_view& value) const;

    char text_[kCapacity];
    size_t size_ = 0;
};

}  // namespace mesh_contract
