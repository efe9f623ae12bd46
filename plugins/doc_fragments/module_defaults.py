# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the connection options of modules that make no API request."""

from __future__ import annotations


class ModuleDocFragment:
    """The doc fragment ``meshfleet.particle.module_defaults``."""

    DOCUMENTATION = r"""
options:
  api_url:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  access_token:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  username:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  password:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  otp:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  otp_secret:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  token_file:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: path
  profile:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  client_id:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  client_secret:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
  timeout:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: float
  validate_certs:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: bool
  ca_path:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: path
  max_wait:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: float
  budget_store:
    description: Accepted so that it can be set in C(module_defaults). Has no effect.
    type: str
"""
