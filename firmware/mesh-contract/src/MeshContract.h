// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 meshfleet.particle contributors
// The public header of the library. It contains nothing of Device OS; see MeshContractParticle.h for that.

#pragma once

#include "mesh_contract/mesh_contract.h"
