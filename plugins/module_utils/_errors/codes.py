# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List all error codes, each with a hint that tells the user what to do. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

NOT_READABLE = ("forbidden", "missing_scope", "not_found", "unsupported")
"""Error codes of a list that this account cannot read, or that this cloud does not have."""

HINTS: Mapping[str, str] = {
    "unreachable": "Check api_url, the network and any proxy, then run again; writes already made are kept.",
    "tls_untrusted": "Set ca_path to the certificate of the authority that signed the cloud's certificate, "
    "or correct api_url.",
    "not_a_cloud": "Check api_url: it must be the API endpoint itself, for example https://api.particle.io.",
    "clock_skew": "Set this machine's clock, for example with NTP.",
    "malformed_username": "Give the e-mail of the account exactly as registered, without spaces or line breaks.",
    "malformed_password": "Give the bare password; when it is read from a file, remove the line break with '| trim'.",
    # errors-and-limits.md, section 3: refused logins block an IP address.
    "invalid_credentials": "Check username and password. Do not retry in a loop: after 10 refused logins in a "
    "row, the cloud blocks your IP address for 30 minutes.",
    "unknown_client": "Check client_id and client_secret, or leave both out to use the default client.",
    "invalid_client_secret": "Check client_secret, or leave client_id and client_secret out to use the default client.",
    "mfa_required": "Set otp to the one-time code; for unattended runs, set otp_secret to the secret behind the codes. "
    "If username and password come from the environment, set PARTICLE_OTP or PARTICLE_OTP_SECRET there instead.",
    "otp_refused": "Check the one-time code and this machine's clock.",
    "sso_account": "Give an existing access_token instead of username and password.",
    "locked_out": "Correct the credentials, and wait 30 minutes before the next login from this IP address.",
    "token_invalid": "Give a valid access_token, or username and password to obtain one.",
    "token_expired": "Obtain a new access token, or give username and password instead.",
    "not_a_token": "Give an access token, not a client secret or a password.",
    "missing_scope": "Use a token that has the scope for this call.",
    "listing_refused": "Give the username and password of the account, not a token or an OAuth client.",
    "listing_retired": "Keep your own record of the tokens that you obtain, for example in a token_file.",
    "forbidden": "Use an account that has this permission.",
    "not_found": "Check the id or slug, and whether this account has access to it.",
    "device_offline": "Power the device, wait until it is online, and run again.",
    "device_not_yours": "Check the id. If it is correct, ask the owner of the device to release it.",
    "quarantined": "Declare approval: approved for the device, or remove the device from your declaration.",
    "conflict": "Compare the state in the cloud with your declaration, correct one of them, and run again.",
    "twins": "Remove or rename all but one of them, and run again.",
    "invalid_manifest": "Correct the manifest and run again; no request was sent.",
    "unsupported": "Remove this from your declaration, or use a cloud that supports it.",
    "rate_limited": "Wait a few minutes and run again, or allow longer waits with max_wait.",
    "budget_exhausted": "Run again when the quota window has ended.",
    "cloud_error": "Run again later; if it fails again, ask the operator of the cloud.",
    "bad_response": "Run again; if it fails again, check for a proxy that changes responses.",
    "ambiguous_write": "Run again: writes that took effect are detected and not repeated.",
    "too_many_removals": "Confirm the removals, or correct your declaration.",
    "run_in_progress": "Wait until the other run has ended, then run again.",
    "invalid_option": "Correct the option and run again.",
    "unsafe_file": "Make the file or folder accessible to your user only, or name another one, and run again.",
    "wrong_binary": "Correct file or version and run again; nothing was uploaded.",
    "braked": "Read why the devices are bad. Then accept them, roll them back, or roll out a corrected version.",
    "joiner_refused": "Compare mesh.joiner with the key on the device, correct it, and run again.",
    "internal": "This is a bug in the collection: please report it with the text above.",
}
"""The hints for the user, keyed by error code. Every error code of the collection is a key."""


REFUSED_LOGIN = frozenset(
    [
        "invalid_credentials",
        "unknown_client",
        "invalid_client_secret",
        "mfa_required",
        "otp_refused",
        "sso_account",
        "locked_out",
    ]
)
"""Error codes of a refused login. Never repeat a refused login in a loop: the cloud refuses the same credentials again,
and blocks the IP address after 10 refused logins in a row."""
