// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// A frame for a radio of your own. docs/guide_mesh_firmware.md explains it.

#include "Particle.h"

#include "MeshContractParticle.h"

using mesh_contract::Instructions;
using mesh_contract::RadioStatus;
using mesh_contract::Role;

class OwnRadio : public mesh_contract::Radio {
public:
    bool start() override {
        // Switch the radio on.
        return true;
    }

    bool join(const Instructions& instructions) override {
        int32_t channel = 11;
        char key[33] = "";
        instructions.parameters.getInteger("channel", channel);
        instructions.parameters.getText("key", key, sizeof(key));
        if (instructions.role == Role::kGateway) {
            // Form the network `instructions.network`.
        } else {
            // Look for one of `instructions.gateways`, and join through it.
        }
        return true;
    }

    bool leave() override {
        // Leave the network, and forget its keys.
        return true;
    }

    RadioStatus status() override {
        RadioStatus status;
        status.is_connected = false;  // true while traffic passes
        return status;
    }
};

OwnRadio radio;
MeshContractParticle mesh(radio);

void setup() {
    mesh.setup();
}

void loop() {
    mesh.loop();
}
