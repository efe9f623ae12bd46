# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that all plugins of the collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """The doc fragments ``meshfleet.particle.connection`` and ``meshfleet.particle.connection.NAME``."""

    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - URL of the API of the cloud.
      - Defaults to the environment variable E(PARTICLE_API_URL). If the variable is not set either, the default is
        V(https://api.particle.io), or the cloud of O(profile) if the token of this profile is used.
    type: str
  access_token:
    description:
      - Access token of the account. It is sent in the C(Authorization) header.
      - It takes precedence over O(username) and O(password). However, options take precedence over environment
        variables.
      - Defaults to the environment variable E(PARTICLE_ACCESS_TOKEN), unless O(username) or O(password) is set as an
        option.
    type: str
  username:
    description:
      - E-mail address of the account.
      - Defaults to the environment variable E(PARTICLE_USERNAME), unless O(access_token) or O(password) is set as an
        option.
      - If O(token_file) is set and O(password) is not, this option selects the account whose token is read from the
        file.
    type: str
  password:
    description:
      - Password of the account.
      - Defaults to the environment variable E(PARTICLE_PASSWORD), unless O(access_token) or O(username) is set as an
        option.
    type: str
  otp:
    description:
      - One-time code, for an account with two-factor login. It is valid for 30 seconds, and for one login.
      - Quote the code, because otherwise its leading zeros are lost.
      - Set O(username), O(password) and O(otp) either all as options, or all as environment variables. The variable of
        O(otp) is E(PARTICLE_OTP).
    type: str
  otp_secret:
    description:
      - Secret from which the one-time codes for two-factor login are computed. It allows unattended logins. It is the
        Base32 text that is shown beside the QR code when two-factor login is set up.
      - It takes precedence over O(otp).
      - Set O(username), O(password) and O(otp_secret) either all as options, or all as environment variables. The
        variable of O(otp_secret) is E(PARTICLE_OTP_SECRET).
    type: str
  token_file:
    description:
      - Path of the file in which M(meshfleet.particle.access_token) stores tokens. The file must be accessible to its
        owner only (mode 0600).
      - A token from this file is used if neither O(access_token) nor O(password) is set, as an option or in the
        environment. Of the stored tokens for O(api_url), the token that expires last is used. If O(username) is set,
        tokens of other accounts are ignored.
      - Defaults to the environment variable E(PARTICLE_TOKEN_FILE).
    type: path
  profile:
    description:
      - Name of a profile of the Particle CLI, the official command line tool.
      - If there are no other credentials, the access token of this profile in C(~/.particle) is used.
      - The token is sent only to the cloud of the profile.
      - Defaults to the environment variable E(PARTICLE_PROFILE). If the variable is not set either, the default is the
        active profile of the tool, or V(particle) if no profile is active.
    type: str
  client_id:
    description:
      - Id of the OAuth client that requests access tokens. Requires O(client_secret).
      - Set O(username), O(password) and O(client_id) either all as options, or all as environment variables. The
        variable of O(client_id) is E(PARTICLE_CLIENT_ID).
      - Defaults to the public client V(particle).
    type: str
  client_secret:
    description:
      - Secret of the OAuth client. Requires O(client_id).
      - Set O(client_id) and O(client_secret) either both as options, or both as environment variables. The variable of
        O(client_secret) is E(PARTICLE_CLIENT_SECRET).
      - Defaults to the secret of the public client.
    type: str
  timeout:
    description:
      - Time in seconds to wait for a response from the cloud.
      - A request and its retries together may take five times as long on the network. This also limits the time of a
        response that arrives slowly.
      - Defaults to the environment variable E(PARTICLE_TIMEOUT), or V(30) if the variable is not set.
    type: float
  validate_certs:
    description:
      - Whether to verify the TLS certificate of the cloud.
      - Defaults to the environment variable E(PARTICLE_VALIDATE_CERTS), or V(true) if the variable is not set.
    type: bool
  ca_path:
    description:
      - Path of the CA bundle with which the TLS certificate of the cloud is verified. A CA bundle is a file with the
        certificates of trusted certificate authorities.
      - Defaults to the environment variable E(PARTICLE_CA_PATH). If the variable is not set either, the certificate
        authorities that the Python library C(requests) trusts are used.
    type: path
  max_wait:
    description:
      - Maximum time in seconds to retry one request while the cloud refuses it because of too many requests (HTTP
        status 429 or 529).
      - After this time, the request fails with error code V(rate_limited). If the header C(Retry-After) of the response
        asks for a longer wait, the request fails at once.
      - Defaults to the environment variable E(PARTICLE_MAX_WAIT), or V(300) if the variable is not set.
    type: float
  budget_store:
    description:
      - URL of a Redis server through which several machines share one request budget. Use it if the machines have the
        same public IP address, because the rate limit of the cloud applies to each IP address.
      - Examples are V(redis://:password@redis.example.com:6379/0), V(rediss://redis.example.com) for TLS, and
        V(unix:///run/redis/redis.sock). The value is treated as a secret, because it may contain a password.
      - The number at the end of the URL selects a database of the Redis server. Use one database for each public IP
        address.
      - If the Redis server cannot be used, the task, lookup or inventory fails before its first request.
      - Defaults to the environment variable E(PARTICLE_BUDGET_STORE). Without a Redis server, only tasks of the same
        user on the same machine share a request budget.
    type: str
requirements:
  - requests >= 2.31
  - redis >= 6.4 (only with O(budget_store))
notes:
  - Tasks, lookups and inventories of the same operating system user with the same O(username) and O(password) share one
    token for an hour. Only M(meshfleet.particle.access_token) and M(meshfleet.particle.auth_doctor) obtain their own
    tokens. Refused credentials are not sent again for ten minutes, but corrected credentials are sent at once. See the
    L(guide to tokens,https://github.com/meshfleet/particle/blob/main/docs/guide_tokens.md).
  - Tasks, lookups and inventories of the same operating system user share one request budget. The request budget keeps
    them within the rate limit of the cloud. The environment variables E(PARTICLE_BUDGET_REQUESTS) and
    E(PARTICLE_BUDGET_SHARE) set the budget, see the L(guide to large
    fleets,https://github.com/meshfleet/particle/blob/main/docs/guide_scaling.md).
  - Proxies are taken from the environment variables E(HTTPS_PROXY), E(HTTP_PROXY) and E(NO_PROXY).
seealso:
  - name: Troubleshooting guide
    description: Explains every error code, and how to correct the problem.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_troubleshooting.md
  - name: Particle Cloud API reference
    description: Documentation of the API that this collection uses.
    link: https://docs.particle.io/reference/cloud-apis/api/
"""

    CREDENTIALS = r"""
options: {}
notes:
  - Credentials are taken from the first source that contains credentials, and are never combined from several sources.
    The order of the sources is (1) O(access_token), or O(username) and O(password), as options, (2) the environment
    variables of these options, (3) O(token_file), and (4) O(profile).
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Reports in check mode what would change, and changes nothing.
  diff_mode:
    description: Reports in diff mode the values before and after a change.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: Uses the options that C(module_defaults) sets for the action group.
    membership:
      - meshfleet.particle.particle
    support: full
"""

    CONTROLLER = r"""
options: {}
notes:
  - The module always runs on the controller, so paths in its options are paths on the controller. C(delegate_to) has no
    effect, and C(async) is not supported.
  - The environment variables C(PARTICLE_*) and the proxy variables can also be set with the keyword C(environment) of a
    task or play.
"""

    DELEGATION = r"""
options: {}
notes:
  - The module runs on the controller, with two exceptions. With C(delegate_to), it runs on the host that the task is
    delegated to, unless the connection to that host is C(local). With C(async), it runs on the target of the
    connection. In both cases, the requirements must be installed on that host, and the paths and environment variables
    of that host are used.
  - The environment variables C(PARTICLE_*) and the proxy variables can also be set with the keyword C(environment) of a
    task or play.
"""
