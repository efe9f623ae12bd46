// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// A radio of a device that runs as a process: announcements over local sockets, which only neighbours receive.

#pragma once

#include <string>
#include <vector>

#include "../../examples/ble/announcement_tree.h"

class SocketRadio : public mesh_contract::Radio {
public:
    // `folder` contains a socket for each device, which is named after its id. `neighbours` are those in range.
    SocketRadio(std::string folder, std::string own, std::vector<std::string> neighbours);
    ~SocketRadio();
    SocketRadio(const SocketRadio&) = delete;
    SocketRadio& operator=(const SocketRadio&) = delete;

    bool start() override;
    bool join(const mesh_contract::Instructions& instructions) override;
    bool leave() override;
    mesh_contract::RadioStatus status() override;

    // Receive announcements for some milliseconds, and send the one that is due.
    void run(int milliseconds);

private:
    static constexpr uint32_t kTimeout = 5'000;
    static constexpr uint32_t kAnnouncementInterval = 250;

    void receive();
    void announce();
    std::string socketPath(const std::string& device) const { return folder_ + "/" + device; }

    const std::string folder_;
    const std::string own_;
    const std::vector<std::string> neighbours_;
    int socket_ = -1;
    uint32_t announced_at_ = 0;
    AnnouncementTree tree_{kTimeout};
};

// Return the milliseconds since an arbitrary moment.
uint32_t readClock();
