// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// Small files that are replaced as a whole.

#pragma once

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

// Return the content of a file, or an empty text if the file does not exist.
inline std::string readFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Replace a file. A process that is killed meanwhile leaves the old file or the new one.
inline bool writeFile(const std::string& path, const std::string& content) {
    const std::string part = path + ".new";
    {
        std::ofstream file(part, std::ios::binary | std::ios::trunc);
        file << content;
        file.close();
        if (!file) {
            return false;
        }
    }
    return std::rename(part.c_str(), path.c_str()) == 0;
}
