// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "mesh_contract/parameters.h"

#include "mesh_contract/json_reader.h"

namespace mesh_contract {

namespace {

// Return whether the rest of a number is a fraction of zeros, as in 15.0, or empty.
bool isWhole(std::string_view text, size_t at) {
    if (at == text.size()) {
        return true;
    }
    if (text[at] != '.') {
        return false;
    }
    for (++at; at < text.size(); ++at) {
        if (text[at] != '0') {
            return false;
        }
    }
    return true;
}

}  // namespace

bool Parameters::assign(std::string_view json) {
    return compactJson(json, text_, kCapacity, size_);
}

bool Parameters::find(std::string_view key, std::string_view& value) const {
    JsonReader reader(json());
    reader.beginObject();
    std::string_view found_key;
    std::string_view found;
    bool is_found = false;
    // If a key occurs twice, the last value counts.
    while (reader.nextKey(found_key) && reader.readValue(found)) {
        if (equalsJson(found_key, key)) {
            value = found;
            is_found = true;
        }
    }
    return is_found;
}

bool Parameters::has(std::string_view key) const {
    std::string_view value;
    return find(key, value);
}

bool Parameters::getText(std::string_view key, char* out, size_t capacity) const {
    std::string_view value;
    if (!find(key, value) || value[0] != '"') {
        return false;
    }
    size_t size = 0;
    return unescapeJson(std::string_view(value.data() + 1, value.size() - 2), out, capacity, size);
}

bool Parameters::getInteger(std::string_view key, int32_t& value) const {
    std::string_view text;
    if (!find(key, text)) {
        return false;
    }
    const bool is_negative = text[0] == '-';
    const int64_t limit = is_negative ? -static_cast<int64_t>(INT32_MIN) : INT32_MAX;
    const size_t begin = is_negative ? 1 : 0;
    size_t at = begin;
    int64_t magnitude = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        magnitude = magnitude * 10 + (text[at] - '0');
        if (magnitude > limit) {
            return false;
        }
    }
    if (at == begin || !isWhole(text, at)) {
        return false;
    }
    value = static_cast<int32_t>(is_negative ? -magnitude : magnitude);
    return true;
}

bool Parameters::getBoolean(std::string_view key, bool& value) const {
    std::string_view text;
    if (!find(key, text) || (text != "true" && text != "false")) {
        return false;
    }
    value = text == "true";
    return true;
}

}  // namespace mesh_contract
