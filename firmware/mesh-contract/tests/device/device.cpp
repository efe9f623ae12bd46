// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// A device as a process, for tests against the simulator.
//
// device PORT ID STATE_FOLDER RADIO_FOLDER [NEIGHBOUR_ID...]

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "MeshContract.h"
#include "files.h"
#include "http_ledgers.h"
#include "socket_radio.h"

namespace {

constexpr int kTickMilliseconds = 100;
constexpr uint32_t kSynchronisationInterval = 1'000;

class FileStorage : public mesh_contract::Storage {
public:
    explicit FileStorage(std::string path) : path_(std::move(path)) {}

    bool load(mesh_contract::Record& record) override {
        const std::string content = readFile(path_);
        if (content.size() != sizeof(record)) {
            return false;
        }
        std::memcpy(&record, content.data(), sizeof(record));
        return true;
    }

    bool save(const mesh_contract::Record& record) override {
        return writeFile(path_, std::string(reinterpret_cast<const char*>(&record), sizeof(record)));
    }

private:
    const std::string path_;
};

// Callbacks of Device OS are hints: every third one is lost here, and every other one comes twice.
class Hints {
public:
    explicit Hints(mesh_contract::MeshContract& contract) : contract_(contract) {}

    void send() {
        ++count_;
        for (int times = count_ % 3 == 0 ? 0 : 1 + count_ % 2; times > 0; --times) {
            contract_.notify();
        }
    }

private:
    mesh_contract::MeshContract& contract_;
    int count_ = 0;
};

mesh_contract::Settings buildSettings() {
    mesh_contract::Settings settings;
    settings.poll_interval = 2'000;
    settings.status_interval = 200;
    settings.join_timeout = 2'000;
    settings.retry_initial = 200;
    settings.retry_max = 2'000;
    return settings;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: device PORT ID STATE_FOLDER RADIO_FOLDER [NEIGHBOUR_ID...]\n");
        return 2;
    }
    const std::string own = argv[2], state = argv[3];
    SocketRadio radio(argv[4], own, std::vector<std::string>(argv + 5, argv + argc));
    HttpLedgers ledgers(static_cast<uint16_t>(std::atoi(argv[1])), own, state);
    FileStorage storage(state + "/record");
    mesh_contract::MeshContract contract(radio, ledgers, storage, buildSettings());
    Hints hints(contract);
    contract.start(static_cast<uint32_t>(std::strtoul(own.c_str() + 16, nullptr, 16)));
    mesh_contract::State shown = mesh_contract::State::kIdle;
    // Devices do not all ask the cloud at the same moment.
    uint32_t synchronised_at = readClock() - static_cast<uint32_t>(own.back() % 10) * 100;
    for (;;) {
        const uint32_t now = readClock();
        if (now - synchronised_at >= kSynchronisationInterval) {
            synchronised_at = now;
            if (ledgers.synchronise()) {
                hints.send();
            }
        }
        contract.tick(readClock());
        if (contract.state() != shown) {
            shown = contract.state();
            std::printf("%s %s\n", contract.instructions().network, toText(shown));
            std::fflush(stdout);
        }
        radio.run(kTickMilliseconds);
    }
}
