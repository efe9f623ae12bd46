// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "mesh_contract/instructions.h"

#include <cstring>

#include "mesh_contract/json_reader.h"

namespace mesh_contract {

namespace {

// The keys that the decoder knows, in the order of `Key`.
constexpr const char* kKeys[] = {"contract", "network", "role", "gateways", "parameters"};
enum Key : uint8_t { kContractKey, kNetworkKey, kRoleKey, kGatewaysKey, kParametersKey, kKeyCount };

Key findKey(std::string_view escaped) {
    uint8_t key = 0;
    while (key < kKeyCount && !equalsJson(escaped, kKeys[key])) {
        ++key;
    }
    return static_cast<Key>(key);
}

bool isNetworkName(std::string_view name) {
    for (const char character : name) {
        const bool is_allowed = (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
                                character == '_' || character == '-';
        if (!is_allowed) {
            return false;
        }
    }
    return !name.empty() && name.size() <= kMaxNetworkName;
}

// Accept exactly the number 1, which Device OS may also print as 1.0.
DecodeError decodeContract(JsonReader& reader) {
    std::string_view value;
    if (!reader.readValue(value)) {
        return DecodeError::kMalformed;
    }
    return value == "1" || value == "1.0" ? DecodeError::kNone : DecodeError::kContract;
}

DecodeError decodeNetwork(JsonReader& reader, Instructions& instructions) {
    if (reader.peek() == JsonType::kNull) {
        instructions.order = Order::kLeave;
        instructions.network[0] = '\0';
        return reader.readNull() ? DecodeError::kNone : DecodeError::kMalformed;
    }
    std::string_view value;
    size_t size = 0;
    if (reader.peek() != JsonType::kString) {
        return DecodeError::kNetwork;
    }
    if (!reader.readString(value)) {
        return DecodeError::kMalformed;
    }
    if (!unescapeJson(value, instructions.network, sizeof(instructions.network), size) ||
        !isNetworkName(std::string_view(instructions.network, size))) {
        return DecodeError::kNetwork;
    }
    instructions.order = Order::kJoin;
    return DecodeError::kNone;
}

DecodeError decodeRole(JsonReader& reader, Role& role) {
    std::string_view value;
    if (reader.peek() != JsonType::kString) {
        return DecodeError::kRole;
    }
    if (!reader.readString(value)) {
        return DecodeError::kMalformed;
    }
    for (const Role known : {Role::kGateway, Role::kNode}) {
        if (equalsJson(value, toText(known))) {
            role = known;
            return DecodeError::kNone;
        }
    }
    return DecodeError::kRole;
}

DecodeError decodeGateways(JsonReader& reader, Instructions& instructions) {
    instructions.gateway_count = 0;
    if (reader.peek() != JsonType::kArray || !reader.beginArray()) {
        return DecodeError::kGateways;
    }
    while (reader.nextElement()) {
        std::string_view value;
        if (reader.peek() != JsonType::kString || !reader.readString(value)) {
            return DecodeError::kGateways;
        }
        if (instructions.gateway_count == kMaxGateways) {
            return DecodeError::kTooManyGateways;
        }
        if (!DeviceId::parse(value, instructions.gateways[instructions.gateway_count])) {
            return DecodeError::kGateways;
        }
        ++instructions.gateway_count;
    }
    return reader.failed() ? DecodeError::kMalformed : DecodeError::kNone;
}

DecodeError decodeParameters(JsonReader& reader, Parameters& parameters) {
    if (reader.peek() != JsonType::kObject) {
        return DecodeError::kParameters;
    }
    std::string_view value;
    if (!reader.readValue(value)) {
        return DecodeError::kMalformed;
    }
    return parameters.assign(value) ? DecodeError::kNone : DecodeError::kParametersTooLarge;
}

DecodeError decodeKey(Key key, JsonReader& reader, Instructions& instructions) {
    std::string_view ignored;
    switch (key) {
        case kContractKey: return decodeContract(reader);
        case kNetworkKey: return decodeNetwork(reader, instructions);
        case kRoleKey: return decodeRole(reader, instructions.role);
        case kGatewaysKey: return decodeGateways(reader, instructions);
        case kParametersKey: return decodeParameters(reader, instructions.parameters);
        default: return reader.readValue(ignored) ? DecodeError::kNone : DecodeError::kMalformed;
    }
}

}  // namespace

bool Instructions::hasGateway(const DeviceId& id) const {
    for (uint8_t at = 0; at < gateway_count; ++at) {
        if (gateways[at] == id) {
            return true;
        }
    }
    return false;
}

bool Instructions::operator==(const Instructions& other) const {
    if (order != other.order || std::strcmp(network, other.network) != 0 || role != other.role ||
        gateway_count != other.gateway_count || parameters != other.parameters) {
        return false;
    }
    for (uint8_t at = 0; at < gateway_count; ++at) {
        if (gateways[at] != other.gateways[at]) {
            return false;
        }
    }
    return true;
}

DecodeError decodeInstructions(std::string_view json, Instructions& instructions) {
    // Only the kind of order is reset here. Whatever else a join needs is in the document, as `missing` ensures.
    instructions.order = Order::kNone;
    instructions.network[0] = '\0';
    JsonReader reader(json);
    if (!reader.beginObject()) {
        return DecodeError::kMalformed;
    }
    // An error of a key counts only if the key is needed: an order to leave needs none but the network.
    DecodeError errors[kKeyCount] = {DecodeError::kNone, DecodeError::kNetwork, DecodeError::kRole,
                                     DecodeError::kGateways, DecodeError::kParameters};
    bool is_empty = true;
    std::string_view name;
    while (reader.nextKey(name)) {
        is_empty = false;
        const Key key = findKey(name);
        // The value is read twice: as the key needs it, and, after an error of the content, to find its end.
        JsonReader ahead = reader;
        const DecodeError error = decodeKey(key, ahead, instructions);
        std::string_view value;
        if (error == DecodeError::kMalformed || !reader.readValue(value)) {
            return DecodeError::kMalformed;
        }
        if (key != kKeyCount) {
            errors[key] = error;
        }
    }
    if (!reader.finish()) {
        return DecodeError::kMalformed;
    }
    if (is_empty) {
        return DecodeError::kNone;
    }
    for (uint8_t key = 0; key < kKeyCount; ++key) {
        const bool is_needed = key <= kNetworkKey || instructions.order == Order::kJoin;
        if (is_needed && errors[key] != DecodeError::kNone) {
            return errors[key];
        }
    }
    return DecodeError::kNone;
}

const char* describe(DecodeError error) {
    switch (error) {
        case DecodeError::kNone: return "";
        case DecodeError::kMalformed: return "the data of the ledger are not a JSON object, or nest too deep";
        case DecodeError::kContract: return "the contract is not version 1: update the library";
        case DecodeError::kNetwork: return "network must be null, or 1 to 32 characters from a-z, 0-9, _ and -";
        case DecodeError::kRole: return "role must be gateway or node";
        case DecodeError::kGateways: return "gateways must be a list of device ids";
        case DecodeError::kTooManyGateways: return "too many gateways: raise MESH_CONTRACT_MAX_GATEWAYS";
        case DecodeError::kParameters: return "parameters must be an object";
        case DecodeError::kParametersTooLarge: return "too many parameters: raise MESH_CONTRACT_PARAMETERS_SIZE";
    }
    return "";
}

const char* toText(Role role) {
    return role == Role::kGateway ? "gateway" : "node";
}

}  // namespace mesh_contract
