// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// A reader of JSON text that allocates nothing: values are parts of the text.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mesh_contract {

enum class JsonType : uint8_t { kInvalid, kNull, kBoolean, kNumber, kString, kArray, kObject };

// Reads one JSON document from the beginning to the end (RFC 8259).
//
// Each method reads the next part of the text and returns whether it was there. After the first mistake, all methods
// return false, and `failed()` is true.
class JsonReader {
public:
    // Arrays and objects nest at most this deep, so that the stack of a small device is large enough.
    static constexpr uint8_t kMaxDepth = 16;

    explicit JsonReader(std::string_view text) : text_(text) {}

    // Return the type of the next value without reading the value.
    JsonType peek();

    bool beginObject() { return begin('{'); }
    bool beginArray() { return begin('['); }

    // Read the next key of an object, and the colon. Return false at the end of the object.
    //
    // `key` is the text between the quotation marks, in which escapes are not resolved.
    bool nextKey(std::string_view& key);

    // Return whether an array has another element, which must be read next. Return false at the end of the array.
    bool nextElement();

    // Read a string. `value` is the text between the quotation marks, in which escapes are not resolved.
    bool readString(std::string_view& value);

    bool readNull() { return readWord("null"); }

    // Read any value. `value` is its whole text.
    bool readValue(std::string_view& value);

    // Return whether nothing but white space remains.
    bool finish();

    bool failed() const { return failed_; }

private:
    bool begin(char opening);
    bool nextItem(char closing);
    bool skipValue(uint8_t depth);
    bool skipNumber();
    bool skipDigits();
    bool skipEscape();
    bool readWord(std::string_view word);
    bool take(char expected);
    void skipSpace();
    bool fail();

    char at(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }

    std::string_view text_;
    size_t position_ = 0;
    bool is_first_ = true;
    bool failed_ = false;
};

// Resolve the escapes of a string that `JsonReader` has read, and write the string as UTF-8 with a terminating zero.
//
// Return false if `out` is too small, or if the string contains half of a surrogate pair. `size` does not count the
// terminating zero; a string may contain zeros.
bool unescapeJson(std::string_view escaped, char* out, size_t capacity, size_t& size);

// Return whether a string that `JsonReader` has read is equal to `text`, which has at most 32 bytes.
bool equalsJson(std::string_view escaped, std::string_view text);

// Copy JSON text without the white space between its tokens. Return false if `out` is too small.
bool compactJson(std::string_view json, char* out, size_t capacity, size_t& size);

}  // namespace mesh_contract
