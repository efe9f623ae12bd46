// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors

#include "socket_radio.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

using mesh_contract::DeviceId;
using mesh_contract::Instructions;
using mesh_contract::RadioStatus;

namespace {

DeviceId parseId(const std::string& text) {
    DeviceId id;
    DeviceId::parse(text, id);
    return id;
}

sockaddr_un buildAddress(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    return address;
}

}  // namespace

uint32_t readClock() {
    using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::steady_clock;
    return static_cast<uint32_t>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

SocketRadio::SocketRadio(std::string folder, std::string own, std::vector<std::string> neighbours)
    : folder_(std::move(folder)), own_(std::move(own)), neighbours_(std::move(neighbours)) {}

SocketRadio::~SocketRadio() {
    close(socket_);
}

bool SocketRadio::start() {
    const std::string path = socketPath(own_);
    const sockaddr_un address = buildAddress(path);
    unlink(path.c_str());  // left by a process that was killed
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

bool SocketRadio::join(const Instructions& instructions) {
    tree_.configure(instructions, parseId(own_));
    return true;
}

bool SocketRadio::leave() {
    tree_.clear();
    return true;
}

RadioStatus SocketRadio::status() {
    return tree_.status(readClock());
}

void SocketRadio::run(int milliseconds) {
    pollfd waited = {socket_, POLLIN, 0};
    if (socket_ < 0) {
        usleep(static_cast<useconds_t>(milliseconds) * 1000);
    } else if (poll(&waited, 1, milliseconds) > 0) {
        receive();
    }
    if (readClock() - announced_at_ >= kAnnouncementInterval) {
        announced_at_ = readClock();
        announce();
    }
}

void SocketRadio::receive() {
    uint8_t bytes[Announcement::kBytes];
    while (recv(socket_, bytes, sizeof(bytes), 0) == static_cast<ssize_t>(sizeof(bytes))) {
        const Announcement heard = Announcement::decode(bytes);
        char sender[DeviceId::kDigits + 1];
        heard.sender.format(sender);
        const auto found = std::find(neighbours_.begin(), neighbours_.end(), sender);
        if (found != neighbours_.end()) {
            // The further down the list, the weaker the signal.
            const auto distance = std::min<ptrdiff_t>(found - neighbours_.begin(), 40);
            tree_.hear(heard, static_cast<int8_t>(-50 - distance), readClock());
        }
    }
}

void SocketRadio::announce() {
    Announcement announcement;
    if (socket_ < 0 || !tree_.announce(announcement, readClock())) {
        return;
    }
    uint8_t bytes[Announcement::kBytes];
    announcement.encode(bytes);
    for (const std::string& neighbour : neighbours_) {
        // A neighbour that does not run, or whose buffer is full, does not hear the announcement.
        const sockaddr_un address = buildAddress(socketPath(neighbour));
        sendto(socket_, bytes, sizeof(bytes), 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }
}
