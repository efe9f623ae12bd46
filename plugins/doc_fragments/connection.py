# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that all plugins of the collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """``meshfleet.particle.connection`` and its parts."""

    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the cloud's API.
      - When not given, the environment variable E(PARTICLE_API_URL) is used, and without that
        V(https://api.particle.io).
    type: str
  access_token:
    description:
      - An access token of the account, sent in the C(Authorization) header and nowhere else.
      - When no credentials are given as options, the environment variable E(PARTICLE_ACCESS_TOKEN) is used.
      - It beats O(username) and O(password) of the same source. Sources are not mixed.
    type: str
  username:
    description:
      - E-mail of the account. Without a password, beside a O(token_file), it chooses among the tokens kept there.
      - When no credentials are given as options, E(PARTICLE_USERNAME) is used.
    type: str
  password:
    description:
      - Password of the account. Together with O(username) it leads to one login.
      - When no credentials are given as options, E(PARTICLE_PASSWORD) is used.
    type: str
  otp:
    description:
      - One-time code of an account with two-factor login. Good once, and for half a minute.
      - Taken from the same source as O(username) and O(password); in the environment E(PARTICLE_OTP).
    type: str
  otp_secret:
    description:
      - The base32 secret behind the one-time codes, from which the code is computed, for unattended use.
      - Taken from the same source as O(username) and O(password); in the environment E(PARTICLE_OTP_SECRET).
    type: str
  token_file:
    description:
      - File in which M(meshfleet.particle.access_token) keeps tokens, for this user only (mode 0600). When neither
        options nor environment give credentials, a kept token for this cloud is used, of O(username) where that is
        given alone.
      - When not given, E(PARTICLE_TOKEN_FILE) is used.
    type: path
  profile:
    description:
      - Name of a profile of the official command line tool. When nothing else gives credentials, the login is used
        that the tool has left in C(~/.particle), for its own cloud only.
      - When not given, E(PARTICLE_PROFILE) is used, and without that V(particle), the tool's own default.
    type: str
  client_id:
    description:
      - OAuth client that asks for the token. The customary client V(particle) serves when none is given.
      - Taken from the same source as O(username) and O(password); in the environment E(PARTICLE_CLIENT_ID).
    type: str
  client_secret:
    description:
      - Secret of the OAuth client; in the environment E(PARTICLE_CLIENT_SECRET).
    type: str
  timeout:
    description:
      - Seconds to wait for an answer of the cloud.
      - When not given, E(PARTICLE_TIMEOUT) is used, and without that V(30).
    type: float
  validate_certs:
    description:
      - Whether to check the certificate of the cloud.
      - When not given, E(PARTICLE_VALIDATE_CERTS) is used, and without that V(true).
    type: bool
  ca_path:
    description:
      - File with the certificates of the authorities that sign the cloud's certificate.
      - When not given, E(PARTICLE_CA_PATH) is used, and without that the authorities known to C(requests).
    type: path
  max_wait:
    description:
      - Longest wait in seconds that the cloud may impose on one request (status 429 or 529) before the task fails
        with error code V(rate_limited). When the cloud says for how long by C(Retry-After), that is the longest it
        may say; when it does not, it is asked again after growing pauses. All waits for one request together are no
        longer than this either.
      - When not given, E(PARTICLE_MAX_WAIT) is used, and without that V(300).
    type: float
  budget_store:
    description:
      - Address of a Redis in which several machines that send from one public address keep one budget of requests,
        for example V(redis://:password@redis.example.com:6379/0), V(rediss://redis.example.com) with TLS, or
        V(unix:///run/redis/redis.sock). It may hold a password, and is kept secret.
      - The database number at the end stands for one public address; machines behind another address use another
        number.
      - A task that cannot use it fails before its first request.
      - When not given, E(PARTICLE_BUDGET_STORE) is used, and without that the budget is that of this machine.
    type: str
requirements:
  - requests 2.31 or newer
  - redis 6.4 or newer, for O(budget_store)
notes:
  - Proxies are taken from the usual environment variables, those of the play's C(environment) included.
  - Credentials lead to one login, which all tasks, hosts and lookups of this user share for an hour through a file in
    E(XDG_RUNTIME_DIR), else E(XDG_CACHE_HOME) or C(~/.cache), and to one new login when that ends. A refusal is
    remembered for ten minutes, so that a hundred hosts with one wrong password do not lock the address out; a cloud
    that could not be reached for half a minute, so that they do not all wait for it. With a ready token no such file
    is needed.
  - All tasks and lookups of this user keep together within what the cloud allows an address, by files in
    E(XDG_CACHE_HOME) or C(~/.cache), or by O(budget_store); where there is neither, each task by itself.
    E(PARTICLE_BUDGET_REQUESTS) says how many requests that are in five minutes (V(10000), or V(0) for no limit), and
    E(PARTICLE_BUDGET_SHARE) which part of them to use (V(0.95)).
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without a write.
  diff_mode:
    description: Tells what changes, before and after, in diff mode.
  idempotent:
    description: When run twice in a row, the second run changes nothing.
  action_group:
    description: Takes part in C(module_defaults) of the action group.
    membership:
      - meshfleet.particle.particle
    support: full
"""
