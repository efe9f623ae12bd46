# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options for the connection and the credentials. Private to this collection.

All credentials are taken from one source: the first source that has credentials. The sources are, in this order: the
options of the task, the environment, ``token_file``, and the profile of Particle's official command line tool. Within
one source, an access token takes precedence over username and password. With ``token_file``, a username without a
password selects a stored token of this username. Each other option is looked up separately: first in the task, then in
the environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    DEFAULT_CLIENT,
    Client,
    Login,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.cli_profile import (
    Profile,
    list_profile_tokens,
    read_active_name,
    read_profile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection, is_same_cloud
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import (
    check_api_url,
    check_path,
    get_variable_name,
    read_connection,
    read_option,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    ACCOUNT,
    CREDENTIALS,
    DEFAULT_API_URL,
)

_NON_SECRET_OPTIONS = ("username", "token_file", "profile")

TASK, ENVIRONMENT, NO_SOURCE = "the task's options", "the environment", "nowhere"
PROFILE = "the login of the official command line tool"
"""The names that messages use for sources of credentials. For a token file, messages show the path of the file."""


_ACCOUNT_EXTRAS = ("client_id", "client_secret", "otp", "otp_secret")


@dataclass(frozen=True)
class Settings:
    """The connection and the login that the options describe.

    :param login: the way to obtain an access token; ``None`` if no credentials are given.
    :param source: the name of the source of the credentials.
    :param token_file: the path of the file of stored tokens; ``None`` if the option is not given.
    :param warnings: warnings to show to the user.
    :param problems: mistakes in the credential options. If there are mistakes, the caller must not log in.
    :param searched: the token file that contains no usable token; ``None`` if no token file was searched.
    """

    connection: Connection
    login: Login | None
    source: str
    token_file: Path | None
    warnings: tuple[str, ...]
    problems: tuple[ParticleError, ...] = ()
    searched: Path | None = None

    def require_login(self) -> Login:
        """Return the login.

        :raises ParticleError: ``invalid_credentials`` when no credentials are given; the code of the problem when they
            are not valid.
        """
        raise_problems(self.problems)
        if self.login is None and self.searched is not None:
            message = f"{self.searched} contains no unexpired token for {self.connection.api_url}."
            hint = (
                "Obtain a token with meshfleet.particle.access_token, and give it username and password, for example "
                "in PARTICLE_USERNAME and PARTICLE_PASSWORD. If another cloud is meant, correct PARTICLE_API_URL or "
                "the option api_url."
            )
            raise ParticleError("invalid_credentials", message, hint=hint)
        if self.login is None:
            message = "Neither an access token nor username and password are given."
            hint = (
                "Set the options access_token, or username and password, or the environment variables "
                "PARTICLE_ACCESS_TOKEN, or PARTICLE_USERNAME and PARTICLE_PASSWORD."
            )
            raise ParticleError("invalid_credentials", message, hint=hint)
        raise_problems(self.login.find_problems())
        return self.login


def raise_problems(problems: Iterable[ParticleError]) -> None:
    """Raise one error with the messages of all problems. If ``problems`` is empty, do nothing.

    :raises ParticleError: when there are problems. The error has the code of the first problem.
    """
    problems = list(problems)
    if problems:
        first = problems[0]
        hints = dict.fromkeys(problem.hint for problem in problems)
        message = " ".join(problem.message for problem in problems)
        raise ParticleError(first.code, message, hint=" ".join(hints))


def read_settings(
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    credentials: tuple[str, ...] = CREDENTIALS,
    now: float,
) -> Settings:
    """Return the connection and the login that the options and the environment describe.

    :param options: the options of the task. An option that is not given is ``None``.
    :param credentials: the names of the credential options to read.
    :param now: seconds since 1970.
    :raises ParticleError: when the URL of the cloud or another option is not valid, when the credentials are
        incomplete, or when the token file or the profile cannot be read.
    """
    connection, warnings = read_connection(options, environment)
    token_file = _to_path(read_option(options, environment, "token_file"), environment)
    chooses, chosen = token_file is not None and "token_file" in credentials, None
    for source, values in _read_sources(options, environment, credentials).items():
        if chooses and _is_username_only(values):
            chosen = values["username"]
            break
        login = _build_login(values, source)
        if login is not None:
            problems = _find_stray_options(options, login) if source == ENVIRONMENT else ()
            return Settings(connection, login, source, token_file, warnings, problems)
    if chooses and token_file is not None:
        token = TokenStore(token_file).find_usable_token(connection.api_url, chosen, now)
        if token is not None:
            return Settings(connection, ReadyToken(token), str(token_file), token_file, warnings)
    if chosen is not None:
        message = f"No password is given, and {token_file} contains no unexpired token of {chosen} for this cloud."
        hint = "Obtain a token with meshfleet.particle.access_token, or give the password too."
        missing = ParticleError("malformed_password", message, hint=hint)
        return Settings(connection, None, NO_SOURCE, token_file, warnings, (missing,))
    if "profile" in credentials:
        profile = _read_profile_login(options, environment, connection)
        if profile is not None:
            if read_option(options, environment, "api_url") is None:
                connection, warnings = _read_profile_connection(options, environment, profile)
            return Settings(connection, ReadyToken(profile.access_token), PROFILE, token_file, warnings)
    return Settings(connection, None, NO_SOURCE, token_file, warnings, searched=token_file if chooses else None)


def find_cloud(options: Mapping[str, Any], environment: Mapping[str, str], *, now: float) -> str:
    """Return the cloud that the options select, even if the credentials in the options are not valid.

    :param now: seconds since 1970.
    :returns: the URL of the cloud, in a form that is equal for all spellings of the URL.
    :raises ParticleError: when the URL of the cloud or another option of the connection is not valid.
    """
    try:
        return read_settings(options, environment, now=now).connection.cloud
    except ParticleError:
        return read_connection(options, environment)[0].cloud


@dataclass(frozen=True)
class Account:
    """The account that credentials belong to.

    :param identity: the strings that distinguish the account from other accounts: an access token, or a username and an
        OAuth client.
    :param is_default_profile: whether the credentials come from the official command line tool, and no option names the
        profile.
    """

    identity: tuple[str, ...] = field(repr=False)
    is_default_profile: bool


def find_account(options: Mapping[str, Any], environment: Mapping[str, str], *, now: float) -> Account | None:
    """Return the account that the options select, or ``None`` if no usable credentials are given.

    :param now: seconds since 1970.
    """
    try:
        settings = read_settings(options, environment, now=now)
    except ParticleError:
        return None
    if settings.login is None:
        return None
    is_default = settings.source == PROFILE and read_option(options, environment, "profile") is None
    secret = settings.login.access_token if isinstance(settings.login, ReadyToken) else ""
    return Account((settings.connection.cloud, *settings.login.display_names, secret), is_default)


def list_tokens_in_use(options: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return the access tokens in the options, in the environment and in all profiles of Particle's official tool."""
    given = [values["access_token"] for values in _read_sources(options, environment, ("access_token",)).values()]
    with contextlib.suppress(ParticleError):  # without a home folder, there are no profiles
        given += list_profile_tokens(_to_path("~/", environment) or Path())
    return [str(token) for token in given if token is not None]


def list_token_files(options: Mapping[str, Any], environment: Mapping[str, str]) -> list[Path]:
    """Return the paths of the token files that the option ``token_file`` and the environment name.

    :raises ParticleError: ``invalid_option`` when the home folder in a path is not known.
    """
    values = _read_sources(options, environment, ("token_file",)).values()
    paths = [_to_path(each["token_file"], environment) for each in values]
    return list(dict.fromkeys(path for path in paths if path is not None))


def read_non_secret_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values of ``username``, ``token_file`` and ``profile`` in the environment, keyed by option name.

    An option that is not set in the environment has no key.
    """
    return {
        name: environment[get_variable_name(name)]
        for name in _NON_SECRET_OPTIONS
        if environment.get(get_variable_name(name))
    }


def read_account(options: Mapping[str, Any], environment: Mapping[str, str]) -> PasswordLogin | None:
    """Return a login with username and password from the task, else from the environment.

    An access token that is given in addition is ignored.

    :returns: ``None`` if neither a username nor a password is given, or if a username without a password selects a
        token in ``token_file``.
    :raises ParticleError: when only one of username and password is given, or only one of client id and client secret.
    """
    kept = read_option(options, environment, "token_file")
    for source, values in _read_sources(options, environment, ACCOUNT).items():
        if kept and _is_username_only(values):
            return None
        login = _build_login(values, source)
        if isinstance(login, PasswordLogin):
            return login
    return None


def find_source(options: Mapping[str, Any], environment: Mapping[str, str], names: Iterable[str]) -> str:
    """Return the name of the first source that sets any of the options ``names``, or ``nowhere``."""
    for source, values in _read_sources(options, environment, names).items():
        if any(value is not None for value in values.values()):
            return source
    return NO_SOURCE


def _read_sources(
    options: Mapping[str, Any], environment: Mapping[str, str], names: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return the values of the options ``names`` from the task and from the environment.

    :returns: ``{source: {name: value}}``. The first source takes precedence. Options that are not set are ``None``.
    """
    names = list(names)
    return {
        TASK: {name: options.get(name) for name in names},
        ENVIRONMENT: {name: environment.get(get_variable_name(name)) or None for name in names},
    }


def _is_username_only(values: Mapping[str, Any]) -> bool:
    """Return whether ``values`` has a username, but neither a password nor an access token.

    If ``token_file`` is given, a username alone selects a stored token.
    """
    given = values.get("username") is not None
    return given and values.get("password") is None and values.get("access_token") is None


def _find_stray_options(options: Mapping[str, Any], login: Login) -> tuple[ParticleError, ...]:
    """Check that the task sets no options such as ``otp`` if the username comes from the environment.

    :param login: the login from the environment.
    :returns: a tuple with the error, or an empty tuple.
    """
    stray = [name for name in _ACCOUNT_EXTRAS if options.get(name) is not None]
    if isinstance(login, ReadyToken) or not stray:
        return ()
    message = f"{' and '.join(stray)} come from {TASK}, but username and password from {ENVIRONMENT}."
    hint = "Give all of them in one place: credentials from several sources are not combined."
    return (ParticleError("malformed_username", message, hint=hint),)


def _to_path(value: Any, environment: Mapping[str, str]) -> Path | None:
    """Convert the value of an option to a path, and replace ``~`` with the home folder.

    :returns: ``None`` if the option is not given.
    :raises ParticleError: ``invalid_option`` when the home folder is not known.
    """
    if not value:
        return None
    text = check_path("token_file", value)
    try:
        return Path(environment.get("HOME", "~") + text[1:] if text.startswith("~/") else text).expanduser()
    except RuntimeError:
        message = f"The home folder in {text} does not exist on this machine."
        raise ParticleError("invalid_option", message, hint="Set HOME, or give the absolute path.") from None


def _read_profile_login(
    options: Mapping[str, Any], environment: Mapping[str, str], connection: Connection
) -> Profile | None:
    """Return the login that the official command line tool has stored in a profile.

    :returns: ``None`` if the profile has no login, or if ``api_url`` is given and the login is for another cloud.
    :raises ParticleError: when the option ``profile`` names a profile without a login, or when the profile cannot be
        read.
    """
    chosen = read_option(options, environment, "profile")
    try:
        home = _to_path("~/", environment) or Path()
    except ParticleError:
        if chosen:
            raise
        return None
    profile = read_profile(str(chosen or read_active_name(home)), home)
    if profile is None:
        if chosen:
            message = f"The profile {chosen} contains no login of the official command line tool."
            raise ParticleError("invalid_credentials", message, hint="Log in with the tool, or correct profile.")
        return None
    own = profile.api_url or DEFAULT_API_URL
    names_cloud = read_option(options, environment, "api_url") is not None
    # A token must never be sent to a cloud that did not issue this token.
    return None if names_cloud and not is_same_cloud(own, connection.api_url) else profile


def _read_profile_connection(
    options: Mapping[str, Any], environment: Mapping[str, str], profile: Profile
) -> tuple[Connection, tuple[str, ...]]:
    """Return the connection to the cloud of a profile, and warnings for the user.

    :raises ParticleError: ``not_a_cloud`` or ``invalid_option`` when the URL in the profile is not valid. The message
        names the file.
    """
    url = profile.api_url or DEFAULT_API_URL
    setting = f"apiUrl in the profile {profile.path}"
    try:
        check_api_url(url)
    except ParticleError as error:
        hint = "Correct apiUrl, log in again with the official command line tool, or give credentials in other options."
        raise ParticleError(error.code, error.message.replace("api_url", setting, 1), hint=hint) from None
    connection, warnings = read_connection({**options, "api_url": url}, environment)
    return replace(connection, url_setting=setting), warnings


def _build_login(values: Mapping[str, str | None], source: str) -> Login | None:
    """Return the login from the option values of one source, or ``None`` if the source gives no credentials.

    :raises ParticleError: when only one of username and password is given, or only one of client id and client secret.
    """
    if values.get("access_token") is not None:
        return ReadyToken(str(values["access_token"]))
    username, password = values.get("username"), values.get("password")
    if username is None and password is None:
        return None
    if username is None or password is None:
        missing = "password" if password is None else "username"
        raise ParticleError(
            f"malformed_{missing}",
            f"Only one of username and password comes from {source}.",
            hint=f"Give {missing} there too: credentials from several sources are not combined.",
        )
    return PasswordLogin(username, password, build_client(values), values.get("otp"), values.get("otp_secret"))


def read_client(options: Mapping[str, Any], environment: Mapping[str, str]) -> Client | None:
    """Return the OAuth client that the task gives, else the OAuth client from the environment, else ``None``.

    :raises ParticleError: ``invalid_client_secret`` when only one of client id and client secret is given.
    """
    for values in _read_sources(options, environment, ("client_id", "client_secret")).values():
        if any(value is not None for value in values.values()):
            return build_client(values)
    return None


def build_client(values: Mapping[str, str | None]) -> Client:
    """Return the OAuth client with the id and secret in ``values``, else the default client.

    :raises ParticleError: ``invalid_client_secret`` when only one of client id and client secret is given.
    """
    name, secret = values.get("client_id"), values.get("client_secret")
    if name is None and secret is None:
        return DEFAULT_CLIENT
    if name is None or secret is None:
        message = "client_id and client_secret must be given together, got only one of them."
        raise ParticleError("invalid_client_secret", message)
    return Client(name, secret)
