// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "mesh_contract/json_reader.h"

#include <cstring>

namespace mesh_contract {

namespace {

constexpr size_t kMaxComparedBytes = 32;

bool isSpace(char character) {
    return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

bool isDigit(char character) {
    return character >= '0' && character <= '9';
}

int readHexDigit(char digit) {
    if (isDigit(digit)) {
        return digit - '0';
    }
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Read the four digits after `\u`. The reader has already checked that they are there.
uint32_t readHex(const char* digits) {
    uint32_t value = 0;
    for (int at = 0; at < 4; ++at) {
        value = value * 16 + static_cast<uint32_t>(readHexDigit(digits[at]));
    }
    return value;
}

char resolveShortEscape(char letter) {
    switch (letter) {
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        default: return letter;
    }
}

// Write a code point as UTF-8 to `bytes`, and return the number of bytes.
size_t encodeUtf8(uint32_t point, char (&bytes)[4]) {
    if (point < 0x80) {
        bytes[0] = static_cast<char>(point);
        return 1;
    }
    const size_t count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t at = count - 1; at > 0; --at) {
        bytes[at] = static_cast<char>(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = static_cast<char>((0xf00 >> count) | point);
    return count;
}

// Read the code point of the escape `\uXXXX` at `at`, or of two escapes that form a surrogate pair, and move `at`
// behind it. Return false for half of a pair.
bool resolveUnicodeEscape(std::string_view escaped, size_t& at, uint32_t& point) {
    point = readHex(escaped.data() + at + 2);
    at += 6;
    if (point < 0xd800 || point > 0xdfff) {
        return true;
    }
    const bool has_low = point < 0xdc00 && at + 6 <= escaped.size() && escaped[at] == '\\' && escaped[at + 1] == 'u';
    const uint32_t low = has_low ? readHex(escaped.data() + at + 2) : 0;
    if (low < 0xdc00 || low > 0xdfff) {
        return false;
    }
    at += 6;
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

}  // namespace

JsonType JsonReader::peek() {
    skipSpace();
    switch (at(position_)) {
        case '{': return JsonType::kObject;
        case '[': return JsonType::kArray;
        case '"': return JsonType::kString;
        case 'n': return JsonType::kNull;
        case 't':
        case 'f': return JsonType::kBoolean;
        default: return at(position_) == '-' || isDigit(at(position_)) ? JsonType::kNumber : JsonType::kInvalid;
    }
}

bool JsonReader::begin(char opening) {
    is_first_ = take(opening);
    return is_first_;
}

// Move to the next item of an array or object. Return false at its end.
bool JsonReader::nextItem(char closing) {
    skipSpace();
    if (failed_) {
        return false;
    }
    if (at(position_) == closing) {
        ++position_;
        is_first_ = false;
        return false;
    }
    const bool is_separated = is_first_ || take(',');
    is_first_ = false;
    return is_separated;
}

bool JsonReader::nextKey(std::string_view& key) {
    return nextItem('}') && readString(key) && take(':');
}

bool JsonReader::nextElement() {
    return nextItem(']');
}

bool JsonReader::readString(std::string_view& value) {
    if (!take('"')) {
        return false;
    }
    const size_t begin = position_;
    while (position_ < text_.size()) {
        const char character = text_[position_];
        if (character == '"') {
            value = std::string_view(text_.data() + begin, position_ - begin);
            ++position_;
            return true;
        }
        if (static_cast<unsigned char>(character) < 0x20) {
            break;
        }
        if (character == '\\') {
            if (!skipEscape()) {
                break;
            }
        } else {
            ++position_;
        }
    }
    return fail();
}

bool JsonReader::skipEscape() {
    const char letter = at(position_ + 1);
    if (letter != 'u') {
        position_ += 2;
        return letter != '\0' && std::strchr("\"\\/bfnrt", letter) != nullptr;
    }
    for (size_t digit = position_ + 2; digit < position_ + 6; ++digit) {
        if (readHexDigit(at(digit)) < 0) {
            return false;
        }
    }
    position_ += 6;
    return true;
}

bool JsonReader::readValue(std::string_view& value) {
    skipSpace();
    const size_t begin = position_;
    if (!skipValue(0)) {
        return false;
    }
    value = std::string_view(text_.data() + begin, position_ - begin);
    return true;
}

bool JsonReader::skipValue(uint8_t depth) {
    std::string_view ignored;
    switch (peek()) {
        case JsonType::kNull: return readWord("null");
        case JsonType::kBoolean: return readWord(at(position_) == 't' ? "true" : "false");
        case JsonType::kNumber: return skipNumber();
        case JsonType::kString: return readString(ignored);
        case JsonType::kArray:
            if (depth == kMaxDepth || !beginArray()) {
                return fail();
            }
            while (nextElement()) {
                skipValue(static_cast<uint8_t>(depth + 1));
            }
            return !failed_;
        case JsonType::kObject:
            if (depth == kMaxDepth || !beginObject()) {
                return fail();
            }
            while (nextKey(ignored)) {
                skipValue(static_cast<uint8_t>(depth + 1));
            }
            return !failed_;
        default: return fail();
    }
}

bool JsonReader::skipDigits() {
    const size_t begin = position_;
    while (isDigit(at(position_))) {
        ++position_;
    }
    return position_ > begin;
}

bool JsonReader::skipNumber() {
    if (at(position_) == '-') {
        ++position_;
    }
    // A number has no leading zeros.
    const bool starts_with_zero = at(position_) == '0';
    if (starts_with_zero) {
        ++position_;
    } else if (!skipDigits()) {
        return fail();
    }
    if (at(position_) == '.') {
        ++position_;
        if (!skipDigits()) {
            return fail();
        }
    }
    if (at(position_) == 'e' || at(position_) == 'E') {
        ++position_;
        if (at(position_) == '+' || at(position_) == '-') {
            ++position_;
        }
        if (!skipDigits()) {
            return fail();
        }
    }
    return true;
}

bool JsonReader::finish() {
    skipSpace();
    return !failed_ && position_ == text_.size();
}

bool JsonReader::readWord(std::string_view word) {
    skipSpace();
    if (failed_ || text_.size() - position_ < word.size() ||
        std::memcmp(text_.data() + position_, word.data(), word.size()) != 0) {
        return fail();
    }
    position_ += word.size();
    return true;
}

bool JsonReader::take(char expected) {
    skipSpace();
    if (failed_ || position_ == text_.size() || text_[position_] != expected) {
        return fail();
    }
    ++position_;
    return true;
}

void JsonReader::skipSpace() {
    while (isSpace(at(position_))) {
        ++position_;
    }
}

bool JsonReader::fail() {
    failed_ = true;
    position_ = text_.size();
    return false;
}

bool unescapeJson(std::string_view escaped, char* out, size_t capacity, size_t& size) {
    size_t written = 0;
    for (size_t at = 0; at < escaped.size();) {
        char bytes[4] = {escaped[at]};
        size_t count = 1;
        if (escaped[at] != '\\') {
            ++at;
        } else if (escaped[at + 1] != 'u') {
            bytes[0] = resolveShortEscape(escaped[at + 1]);
            at += 2;
        } else {
            uint32_t point = 0;
            if (!resolveUnicodeEscape(escaped, at, point)) {
                return false;
            }
            count = encodeUtf8(point, bytes);
        }
        if (written + count > capacity) {
            return false;
        }
        std::memcpy(out + written, bytes, count);
        written += count;
    }
    if (written >= capacity) {
        return false;
    }
    out[written] = '\0';
    size = written;
    return true;
}

bool equalsJson(std::string_view escaped, std::string_view text) {
    char buffer[kMaxComparedBytes + 1];
    size_t size = 0;
    return unescapeJson(escaped, buffer, sizeof(buffer), size) && std::string_view(buffer, size) == text;
}

bool compactJson(std::string_view json, char* out, size_t capacity, size_t& size) {
    size_t written = 0;
    bool in_string = false;
    for (size_t at = 0; at < json.size(); ++at) {
        if (!in_string && isSpace(json[at])) {
            continue;
        }
        const bool is_escape = in_string && json[at] == '\\';
        if (json[at] == '"') {
            in_string = !in_string;
        }
        if (written + (is_escape ? 2 : 1) > capacity) {
            return false;
        }
        out[written++] = json[at];
        if (is_escape) {
            out[written++] = json[++at];
        }
    }
    size = written;
    return true;
}

}  // namespace mesh_contract
