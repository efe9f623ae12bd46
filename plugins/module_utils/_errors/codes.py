# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List all error codes, each with a remedy for the user. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "unreachable": "Check api_url, the network and any proxy, then run again; writes already made are kept.",
    "tls_untrusted": "Set ca_path to the certificate of the authority that signed the cloud's certificate, "
    "or correct api_url.",
    "not_a_cloud": "Check api_url: it must be the API endpoint itself, for example https://api.particle.io.",
    "clock_skew": "Set this machine's clock, for example with NTP.",
    "malformed_username": "Give the e-mail of the account exactly as registered, without spaces or line breaks.",
    "malformed_password": "Give the bare password; when it is read from a file, remove the line break with '| trim'.",
    "invalid_credentials": "Check username and password; do not try in a loop: after 10 refusals in a row the "
    "cloud locks your address out for 30 minutes.",
    "unknown_client": "Leave client_id and client_secret out to use the default client, or check both.",
    "invalid_client_secret": "Check client_secret, or leave client_id and client_secret out.",
    "mfa_required": "Give the one-time code as otp, or, for unattended runs, its secret as otp_secret.",
    "otp_refused": "Check the one-time code and this machine's clock.",
    "sso_account": "Accounts with single sign-on cannot log in by password: give an existing access_token.",
    "locked_out": "Wait 30 minutes before the next login from this address, and correct the credentials first.",
    "token_invalid": "Give a valid access_token, or username and password to obtain one.",
    "token_expired": "Obtain a new access token, or give username and password instead.",
    "not_a_token": "Give an access token, not a client secret or a password.",
    "missing_scope": "Use a token that has the scope for this call.",
    "listing_refused": "Listing tokens needs the account's username and password, not a token or a client.",
    "listing_retired": "The cloud no longer lists tokens; keep your own record of the tokens you obtain.",
    "forbidden": "Use an account with this permission.",
    "not_found": "Check the id or the slug, and that this account can see it.",
    "device_offline": "Power the device, wait until it is online, and run again.",
    "device_not_yours": "Check the id; when another account or product has the device, have it released there first.",
    "platform_mismatch": "A product takes devices of its own platform only.",
    "conflict": "Compare the state in the cloud with your declaration, correct one of them, and run again.",
    "invalid_manifest": "Correct these places and run again; no request was sent.",
    "unsupported": "Remove this from your declaration, or use a cloud that supports it.",
    "rate_limited": "Wait a few minutes and run again, or allow longer waits with max_wait.",
    "budget_exhausted": "Run again when the quota window has ended.",
    "cloud_error": "Run again later; if it fails again, ask the operator of the cloud.",
    "bad_response": "Run again; if it fails again, check for a proxy that changes answers.",
    "ambiguous_write": "Run again: writes that took effect are detected and not repeated.",
    "too_many_removals": "Confirm the removals, or correct your declaration.",
    "run_in_progress": "Wait for the other run to end.",
    "invalid_option": "Correct the option and run again.",
    "unsafe_file": "Make the file or folder accessible to your user only, or name another one, and run again.",
    "internal": "This is a mistake in the collection: please report it with the text above.",
}
"""All error codes, each with a remedy for the user. No other codes are used."""


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
"""Codes of a refused login. Without a correction it is refused again, so it must not be tried in a loop."""
