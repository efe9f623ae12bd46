# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Options and environment variables give one connection and one login, which is never a mixture of sources."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DOCUMENTED_LIMITS,
    EVERY_ROUTE,
    Limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._options.budget import read_budget
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import build_encryption_warnings
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    Settings,
    find_cloud,
    find_source,
    list_token_files,
    list_tokens_in_use,
    raise_problems,
    read_account,
    read_client,
    read_settings,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
    ACCOUNT,
    SECRETS,
    build_shared_spec,
    find_secrets,
)
from support.token_cloud import write_private

TASK, ENVIRONMENT = "the task's options", "the environment"
TASK_PAIR = {"username": "task@example.com", "password": "task-password"}
TASK_LOGIN = PasswordLogin("task@example.com", "task-password")
ENV_PAIR = {"PARTICLE_USERNAME": "env@example.com", "PARTICLE_PASSWORD": "env-password"}
ENV_LOGIN = PasswordLogin("env@example.com", "env-password")
CLIENT = {"client_id": "my-client", "client_secret": "my-secret"}
MY_CLIENT = Client("my-client", "my-secret")
ENV_CLIENT = {"PARTICLE_CLIENT_ID": "env-client", "PARTICLE_CLIENT_SECRET": "env-secret"}
OTP: dict[str, Any] = {"otp": "001234", "otp_secret": "GEZDGNBVGY3TQOJQ"}
NOW = 1000.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty home folder, because a login of the Particle CLI in it would be used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def resolve_settings(options: dict[str, Any], environment: dict[str, str], **more: Any) -> Settings:
    return read_settings(options, environment, **{"now": NOW, **more})


@pytest.mark.parametrize(
    ("options", "environment", "login"),
    [
        ({}, {}, None),
        (TASK_PAIR, {}, TASK_LOGIN),
        ({}, ENV_PAIR, ENV_LOGIN),
        (TASK_PAIR, ENV_PAIR, TASK_LOGIN),
        ({"access_token": "t"}, {}, ReadyToken("t")),
        ({}, {"PARTICLE_ACCESS_TOKEN": "e"}, ReadyToken("e")),
        ({"access_token": "t"}, {"PARTICLE_ACCESS_TOKEN": "e"}, ReadyToken("t")),
        # Within one source, a token is preferred to username and password ...
        ({"access_token": "t", **TASK_PAIR}, {}, ReadyToken("t")),
        ({}, {"PARTICLE_ACCESS_TOKEN": "e", **ENV_PAIR}, ReadyToken("e")),
        # ... but any credentials of a source are preferred to those of the next source.
        (TASK_PAIR, {"PARTICLE_ACCESS_TOKEN": "e"}, TASK_LOGIN),
        ({"access_token": "t"}, ENV_PAIR, ReadyToken("t")),
        # A username without a password is ignored when a token is set.
        ({"access_token": "t", "username": "task@example.com"}, {}, ReadyToken("t")),
        # The client is read from the source of the credentials.
        ({**TASK_PAIR, **CLIENT}, {}, replace(TASK_LOGIN, client=MY_CLIENT)),
        (TASK_PAIR, {**ENV_PAIR, **ENV_CLIENT}, TASK_LOGIN),
        (
            {},
            {**ENV_PAIR, **ENV_CLIENT},
            PasswordLogin("env@example.com", "env-password", Client("env-client", "env-secret")),
        ),
        (CLIENT, ENV_PAIR, ENV_LOGIN),
        # The one-time password and its secret are read from the same source.
        ({**TASK_PAIR, **OTP}, {}, replace(TASK_LOGIN, **OTP)),
        (TASK_PAIR, {**ENV_PAIR, "PARTICLE_OTP": "001234"}, TASK_LOGIN),
        ({}, {**ENV_PAIR, "PARTICLE_OTP_SECRET": "GEZDGNBV"}, replace(ENV_LOGIN, otp_secret="GEZDGNBV")),
        (OTP, ENV_PAIR, ENV_LOGIN),
        # An empty variable counts as unset.
        ({}, {"PARTICLE_ACCESS_TOKEN": "", **ENV_PAIR}, ENV_LOGIN),
        ({}, {"PARTICLE_ACCESS_TOKEN": "", "PARTICLE_USERNAME": "", "PARTICLE_PASSWORD": ""}, None),
        ({}, {**ENV_PAIR, "PARTICLE_CLIENT_ID": "", "PARTICLE_CLIENT_SECRET": ""}, ENV_LOGIN),
        # An empty option is a mistake, which must not cause a login with another account.
        ({"access_token": ""}, ENV_PAIR, ReadyToken("")),
        ({"username": "", "password": ""}, ENV_PAIR, PasswordLogin("", "")),
    ],
)
def test_login_is_read_from_the_first_source_with_credentials(
    options: dict[str, str], environment: dict[str, str], login: Any
) -> None:
    assert resolve_settings(options, environment).login == login


@pytest.mark.parametrize(
    ("options", "environment", "code", "source"),
    [
        ({"username": "task@example.com"}, {}, "malformed_password", TASK),
        ({"password": "task-password"}, {}, "malformed_username", TASK),
        ({"username": "task@example.com"}, ENV_PAIR, "malformed_password", TASK),
        ({"password": "task-password"}, ENV_PAIR, "malformed_username", TASK),
        ({}, {"PARTICLE_USERNAME": "env@example.com"}, "malformed_password", ENVIRONMENT),
        ({}, {**ENV_PAIR, "PARTICLE_USERNAME": ""}, "malformed_username", ENVIRONMENT),
    ],
)
def test_incomplete_pair_is_refused_and_not_completed_by_another_source(
    options: dict[str, str], environment: dict[str, str], code: str, source: str
) -> None:
    with pytest.raises(ParticleError) as caught:
        resolve_settings(options, environment)
    assert caught.value.code == code
    assert source in caught.value.message
    assert "-password" not in f"{caught.value.as_failure()}"


def test_only_the_requested_credentials_are_used() -> None:
    options, environment = {"access_token": "t", **TASK_PAIR}, {"PARTICLE_ACCESS_TOKEN": "e", **ENV_PAIR}
    assert resolve_settings(options, environment, credentials=ACCOUNT).login == TASK_LOGIN
    assert resolve_settings(TASK_PAIR, environment, credentials=("access_token",)).login == ReadyToken("e")
    assert resolve_settings(options, environment, credentials=()).login is None


# Client and one-time password from another source than the account


@pytest.mark.parametrize("name", ["client_id", "client_secret", "otp", "otp_secret"])
def test_client_or_otp_of_the_task_is_refused_for_an_environment_account(name: str) -> None:
    settings = resolve_settings({name: {**CLIENT, **OTP}[name]}, ENV_PAIR)
    assert settings.login == ENV_LOGIN
    with pytest.raises(ParticleError, match="come from") as caught:
        settings.require_login()
    error = caught.value
    assert error.code == "malformed_username"
    assert all(word in error.message for word in (name, TASK, ENVIRONMENT))
    assert "several sources are not combined" in error.hint
    assert not [value for value in (CLIENT["client_secret"], *OTP.values()) if value in f"{error.as_failure()}"]


@pytest.mark.parametrize(
    "environment", [{"PARTICLE_ACCESS_TOKEN": "e"}, {"PARTICLE_ACCESS_TOKEN": "e", **ENV_PAIR}], ids=str
)
def test_client_and_otp_of_the_task_are_ignored_with_a_token(environment: dict[str, str]) -> None:
    assert resolve_settings({**CLIENT, **OTP}, environment).require_login() == ReadyToken("e")


def test_environment_client_and_otp_are_ignored_with_a_task_account() -> None:
    assert resolve_settings(TASK_PAIR, {**ENV_CLIENT, "PARTICLE_OTP": "001234"}).require_login() == TASK_LOGIN


@pytest.mark.parametrize(
    ("options", "environment", "login"),
    [
        ({"access_token": "t", **TASK_PAIR}, ENV_PAIR, TASK_LOGIN),
        ({"access_token": "t"}, ENV_PAIR, ENV_LOGIN),
        ({"access_token": "t"}, {}, None),
        ({"username": "kept@example.com", "token_file": "tokens.json"}, ENV_PAIR, None),
    ],
)
def test_account_is_read_although_a_token_is_set(
    options: dict[str, str], environment: dict[str, str], login: PasswordLogin | None
) -> None:
    assert read_account(options, environment) == login


def test_incomplete_account_with_a_token_is_refused() -> None:
    with pytest.raises(ParticleError, match="Only one of username and password"):
        read_account({"access_token": "t", "username": "task@example.com"}, {})


@pytest.mark.parametrize(
    ("options", "environment", "source"),
    [(CLIENT, ENV_CLIENT, TASK), ({}, ENV_CLIENT, ENVIRONMENT), (TASK_PAIR, ENV_PAIR, "nowhere")],
)
def test_source_of_an_option_is_found(options: dict[str, str], environment: dict[str, str], source: str) -> None:
    assert find_source(options, environment, ("client_id", "client_secret")) == source


def test_secret_of_the_default_client_is_not_masked() -> None:
    assert find_secrets({"client_secret": "particle", "password": "p"}) == ["p"]
    assert find_secrets({"client_secret": "own", "password": "particle", "otp": None}) == ["particle", "own"]


# Missing and invalid credentials


def test_missing_credentials_are_reported_with_a_hint() -> None:
    with pytest.raises(ParticleError, match="Neither an access token nor username and password") as caught:
        resolve_settings({}, {}).require_login()
    assert "PARTICLE_" in caught.value.hint


def test_invalid_login_is_refused_with_all_its_mistakes() -> None:
    settings = resolve_settings({"username": "two words", "password": ""}, {})
    with pytest.raises(ParticleError) as caught:
        settings.require_login()
    assert caught.value.code == "malformed_username"
    assert "'two words'" in caught.value.message
    assert "The password is empty." in caught.value.message


def test_valid_login_is_returned() -> None:
    assert resolve_settings(TASK_PAIR, {}).require_login() == TASK_LOGIN


def test_hint_that_several_problems_share_is_given_once() -> None:
    problems = [ParticleError("conflict", f"{word} is wrong.", hint="Mend it.") for word in ("This", "That")]
    with pytest.raises(ParticleError) as caught:
        raise_problems(problems)
    assert (caught.value.message, caught.value.hint) == ("This is wrong. That is wrong.", "Mend it.")


def test_empty_list_of_problems_raises_no_error() -> None:
    raise_problems([])


def test_default_connection_is_to_the_particle_cloud() -> None:
    assert resolve_settings({}, {}).connection == Connection(
        "https://api.particle.io", timeout=30, validate_certs=True, ca_path=None, max_wait=300
    )


def test_each_connection_option_falls_back_to_the_environment() -> None:
    environment = {
        "PARTICLE_API_URL": "https://env.example.com",
        "PARTICLE_TIMEOUT": "7.5",
        "PARTICLE_VALIDATE_CERTS": "no",
        "PARTICLE_CA_PATH": "/env/ca.pem",
        "PARTICLE_MAX_WAIT": "60",
    }
    options = {"api_url": "https://task.example.com", "timeout": 3.0, "validate_certs": True, "ca_path": None}
    assert resolve_settings({}, environment).connection == Connection(
        "https://env.example.com", timeout=7.5, validate_certs=False, ca_path="/env/ca.pem", max_wait=60
    )
    assert resolve_settings(options, environment).connection == Connection(
        "https://task.example.com", timeout=3, validate_certs=True, ca_path="/env/ca.pem", max_wait=60
    )


def test_empty_variables_count_as_unset() -> None:
    names = "API_URL TIMEOUT VALIDATE_CERTS CA_PATH MAX_WAIT".split()
    assert resolve_settings({}, {f"PARTICLE_{name}": "" for name in names}) == resolve_settings({}, {})


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://api.particle.io/", "https://api.particle.io"),
        ("https://api.particle.io///", "https://api.particle.io"),
        (" https://api.particle.io\n", "https://api.particle.io"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://cloud.example.com/particle/", "https://cloud.example.com/particle"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_api_url_is_normalized(given: str, address: str) -> None:
    assert resolve_settings({"api_url": given}, {}).connection.api_url == address


@pytest.mark.parametrize(
    "url",
    [
        "api.particle.io",
        "//api.particle.io",
        "ftp://api.particle.io",
        "file:///etc/passwd",
        "https://",
        "https://:443",
        "https://api.particle.io?access_token=1",
        "https://api.particle.io?",
        "https://api.particle.io/#devices",
        "https://api.particle.io:port",
        "https://api.particle.io:99999",
        "https://[::1",
        "https://api particle.io",
        "https://api.particle.io/\nv1",
        "https://api.particle.io\\@evil.example.com",
    ],
)
def test_invalid_api_url_is_refused(url: str) -> None:
    for options, environment in (({"api_url": url}, {}), ({}, {"PARTICLE_API_URL": url})):
        with pytest.raises(ParticleError) as caught:
            resolve_settings(options, environment)
        assert caught.value.code == "not_a_cloud"


@pytest.mark.parametrize(
    ("host", "number"),
    [
        ("a" * 300, "300 characters, and a host name has at most 253"),
        ("a." * 150 + "com", "303 characters"),
        ("a" * 64 + ".example.com", "64 characters between two dots"),
    ],
)
def test_host_that_is_too_long_is_refused_with_its_length(host: str, number: str) -> None:
    with pytest.raises(ParticleError, match=number) as caught:
        resolve_settings({"api_url": f"https://{host}"}, {})
    assert caught.value.code == "invalid_option"
    assert len(caught.value.message) < 150


@pytest.mark.parametrize(
    "url", ["https://demo:s3cret@api.particle.io", "https://demo@api.particle.io", "http://:s3cret@localhost"]
)
def test_api_url_with_credentials_is_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ParticleError) as caught:
        resolve_settings({"api_url": url}, {})
    assert caught.value.code == "not_a_cloud"
    assert "username or a password" in caught.value.message
    assert "s3cret" not in f"{caught.value.as_failure()}"


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"api_url": "http://cloud.example.com"}, "not encrypted"),
        ({"api_url": "http://127.0.0.1.example.com"}, "not encrypted"),
        ({"api_url": "https://cloud.example.com", "validate_certs": False}, "not checked"),
    ],
)
def test_insecure_connection_gives_a_warning(options: dict[str, Any], warning: str) -> None:
    (found,) = resolve_settings(options, {}).warnings
    assert warning in found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"api_url": "https://cloud.example.com"},
        {"api_url": "http://localhost:8080"},
        {"api_url": "http://127.0.0.1:8080", "validate_certs": False},
        {"api_url": "http://[::1]:8080"},
    ],
)
def test_loopback_and_encrypted_connections_give_no_warning(options: dict[str, Any]) -> None:
    assert resolve_settings(options, {}).warnings == ()


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://cloud.example.com/login?app=ide", True),
        ("HTTP://cloud.example.com/login", True),
        ("https://cloud.example.com/login", False),
        ("http://localhost:8080/login", False),
        ("/login", False),
    ],
)
def test_encryption_warning_omits_the_query_of_the_url(url: str, warned: bool) -> None:
    expected = [
        "The connection to http://cloud.example.com/login is not encrypted: others can read credentials and tokens."
    ]
    assert build_encryption_warnings(url) == (expected if warned else [])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, True) for word in ("true", "True", "yes", "YES", "on", "1")),
        *((word, False) for word in ("false", "False", "no", "NO", "off", "0")),
    ],
)
def test_boolean_is_read_from_the_environment(word: str, expected: bool) -> None:
    assert resolve_settings({}, {"PARTICLE_VALIDATE_CERTS": word}).connection.validate_certs is expected


@pytest.mark.parametrize("word", ["maybe", "2", " ", "-1"])
def test_invalid_boolean_is_refused(word: str) -> None:
    with pytest.raises(ParticleError, match="must be true or false") as caught:
        resolve_settings({}, {"PARTICLE_VALIDATE_CERTS": word})
    assert caught.value.hint == "Correct validate_certs."


@pytest.mark.parametrize("name", ["token_file", "ca_path"])
def test_path_that_cannot_exist_is_refused(name: str) -> None:
    with pytest.raises(ParticleError) as caught:
        resolve_settings({name: "/tmp/a\0b"}, {})
    assert caught.value.code == "invalid_option"
    assert caught.value.message == f"{name} must be a path without the character 0x00, got '/tmp/a\\x00b'."


@pytest.mark.parametrize("name", ["timeout", "max_wait"])
@pytest.mark.parametrize("number", ["soon", "0", "-1", "inf", "nan", "1e999", "30s", " "])
def test_invalid_time_is_refused(name: str, number: str) -> None:
    with pytest.raises(ParticleError, match=f"{name} must be .*, got '{number}'") as caught:
        resolve_settings({}, {f"PARTICLE_{name.upper()}": number})
    assert caught.value.hint == f"Correct {name}."


@pytest.mark.parametrize(
    ("options", "environment", "requests", "share"),
    [
        ({}, {}, 10_000, 0.95),
        ({"budget_requests": 500, "budget_share": 0.5}, {}, 500, 0.5),
        ({}, {"PARTICLE_BUDGET_REQUESTS": "500", "PARTICLE_BUDGET_SHARE": "0.5"}, 500, 0.5),
        ({"budget_share": 1.0}, {"PARTICLE_BUDGET_REQUESTS": "1000000", "PARTICLE_BUDGET_SHARE": "0.5"}, 1_000_000, 1),
        ({}, {"PARTICLE_BUDGET_REQUESTS": "", "PARTICLE_BUDGET_SHARE": ""}, 10_000, 0.95),
    ],
)
def test_task_and_environment_override_the_documented_budget(
    options: dict[str, Any], environment: dict[str, str], requests: int, share: float
) -> None:
    allowance, store = read_budget(options, environment)
    assert store is None
    assert allowance.limits == {**DOCUMENTED_LIMITS, EVERY_ROUTE: Limit(requests, 300)}
    assert allowance.share == share


@pytest.mark.parametrize(
    ("options", "environment"), [({"budget_requests": 0}, {}), ({}, {"PARTICLE_BUDGET_REQUESTS": "0"})]
)
def test_zero_budget_requests_removes_all_limits(options: dict[str, Any], environment: dict[str, str]) -> None:
    assert read_budget(options, environment)[0].limits == {}


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan"), float("inf"), "half", "95%", " "])
@pytest.mark.parametrize("requests", [-1, 1_000_001, "many", "1e4", " "])
def test_invalid_budget_is_refused_with_all_its_mistakes(share: object, requests: object) -> None:
    with pytest.raises(ParticleError) as caught:
        read_budget({"budget_share": share, "budget_requests": requests}, {})
    assert caught.value.code == "invalid_option"
    assert caught.value.message == (
        f"budget_share must be a number above 0, and at most 1, got {share!r}. budget_requests must be a whole number "
        f"of requests in five minutes, at most 1000000, or 0 for no limit, got {requests!r}."
    )
    assert caught.value.hint == "Correct budget_share. Correct budget_requests."


STORES = [
    "redis://redis.example.com",
    "redis://redis.example.com:6379/3",
    "rediss://user:pass@[2001:db8::1]:6380/0",
    "unix:///run/redis/redis.sock?db=1",
]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("source", ["task", "environment"])
def test_budget_store_is_read_from_task_or_environment(store: str, source: str) -> None:
    options, environment = ({"budget_store": store}, {"PARTICLE_BUDGET_STORE": "redis://other.example.com"})
    if source == "environment":
        options, environment = {}, {"PARTICLE_BUDGET_STORE": store}
    assert read_budget(options, environment)[1] == store


@pytest.mark.parametrize(
    "store",
    [
        "redis.example.com:6379",
        "https://:s3cret@redis.example.com",
        "redis://",
        "redis://:s3cret@:6379",
        "redis://:s3cret@host:many",
        "redis://:s3cret@host/first",
        "unix://:s3cret@",
        "redis://:s3cret@[host",
    ],
)
def test_invalid_budget_store_is_refused_without_its_password(store: str) -> None:
    with pytest.raises(ParticleError) as caught:
        read_budget({"budget_store": store, "budget_share": 2.0}, {})
    assert caught.value.code == "invalid_option"
    assert "got 2.0" in caught.value.message
    assert "budget_store is not a valid Redis URL, such as redis://host:6379/0" in caught.value.message
    assert caught.value.hint == "Correct budget_share. Correct budget_store."
    assert "s3cret" not in f"{caught.value}{caught.value.as_result()}"


def test_encoded_and_decoded_password_of_a_store_are_secrets() -> None:
    url = "redis://user:s3cret%2Fpass@redis.example.com"
    assert find_secrets({"budget_store": url}) == [url, "s3cret%2Fpass", "s3cret/pass"]
    assert find_secrets({"budget_store": "redis://redis.example.com"}) == ["redis://redis.example.com"]
    assert find_secrets({"budget_store": "redis://[host"}) == ["redis://[host"]


def test_repr_of_settings_contains_no_secret() -> None:
    for options in ({**TASK_PAIR, **CLIENT, **OTP}, {"access_token": "task-token"}):
        text = repr(resolve_settings(options, {}))
        secrets = ("task-password", "my-secret", "task-token", *OTP.values())
        assert not [secret for secret in secrets if secret in text]


def test_secret_options_have_no_log_and_no_option_has_a_default() -> None:
    spec = build_shared_spec()
    assert {name for name, option in spec.items() if option.get("no_log")} == set(SECRETS)
    assert not [name for name, option in spec.items() if "default" in option or "fallback" in option]


# Incomplete client


@pytest.mark.parametrize("half", ["client_id", "client_secret"])
@pytest.mark.parametrize("source", ["options", "environment"])
def test_incomplete_client_is_refused_and_not_completed_elsewhere(half: str, source: str) -> None:
    value = {half: CLIENT[half]}
    variable = {f"PARTICLE_{half.upper()}": CLIENT[half]}
    options, environment = (
        ({**TASK_PAIR, **value}, ENV_CLIENT) if source == "options" else ({}, {**ENV_PAIR, **variable})
    )
    for read in (resolve_settings, read_client):
        with pytest.raises(ParticleError, match="got only one of them") as caught:
            read(options, environment)
        assert caught.value.code == "invalid_client_secret"
        assert "my-secret" not in f"{caught.value.as_failure()}"


@pytest.mark.parametrize(
    ("options", "environment", "client"),
    [
        ({}, {}, None),
        (CLIENT, {}, MY_CLIENT),
        ({}, ENV_CLIENT, Client("env-client", "env-secret")),
        (CLIENT, ENV_CLIENT, MY_CLIENT),
        ({}, dict.fromkeys(ENV_CLIENT, ""), None),
    ],
)
def test_client_is_read_without_an_account(
    options: dict[str, Any], environment: dict[str, str], client: Client | None
) -> None:
    assert read_client(options, environment) == client


# Tokens from files


API = "https://api.particle.io"


def write_token_file(path: Path, access_token: str, api_url: str = API, expires_at: str | None = None) -> Path:
    entry = {"api_url": api_url, "account": "kept@example.com", "client": "particle", "purpose": ""}
    return write_private(path, {"tokens": [{**entry, "access_token": access_token, "expires_at": expires_at}]})


def write_cli_profile(home: Path, access_token: str = "tools-token", profile: str = "particle", **more: str) -> None:
    (home / ".particle").mkdir(exist_ok=True)
    (home / ".particle" / f"{profile}.config.json").write_text(json.dumps({"access_token": access_token, **more}))


@pytest.mark.parametrize("source", ["options", "environment"])
def test_stored_token_is_used_without_other_credentials(home: Path, source: str) -> None:
    path = write_token_file(home / "tokens.json", "kept-token")
    given = ({"token_file": str(path)}, {}) if source == "options" else ({}, {"PARTICLE_TOKEN_FILE": str(path)})
    settings = resolve_settings(*given)
    assert (settings.login, settings.source, settings.token_file) == (ReadyToken("kept-token"), str(path), path)


@pytest.mark.parametrize(
    ("options", "environment", "login"),
    [
        ({"access_token": "t"}, {}, ReadyToken("t")),
        (TASK_PAIR, {}, TASK_LOGIN),
        ({}, {"PARTICLE_ACCESS_TOKEN": "e"}, ReadyToken("e")),
        ({}, ENV_PAIR, ENV_LOGIN),
    ],
)
def test_given_credentials_are_preferred_to_files(
    home: Path, options: dict[str, str], environment: dict[str, str], login: Any
) -> None:
    write_cli_profile(home)
    path = write_token_file(home / "tokens.json", "kept-token")
    assert resolve_settings({**options, "token_file": str(path), "profile": "particle"}, environment).login == login


def test_stored_token_is_preferred_to_the_cli_login(home: Path) -> None:
    write_cli_profile(home)
    path = write_token_file(home / "tokens.json", "kept-token")
    assert resolve_settings({"token_file": str(path), "profile": "particle"}, {}).login == ReadyToken("kept-token")


@pytest.mark.parametrize(
    ("api_url", "expires_at"),
    [("https://other.example.com", None), (API, "1970-01-01T00:16:40Z")],
    ids=["cloud", "end"],
)
def test_stored_token_that_is_expired_or_of_another_cloud_is_skipped(
    home: Path, api_url: str, expires_at: str | None
) -> None:
    path = write_token_file(home / "tokens.json", "kept-token", api_url, expires_at)
    assert resolve_settings({"token_file": str(path)}, {}).login is None
    with pytest.raises(ParticleError) as caught:
        resolve_settings({"token_file": str(path)}, {}).require_login()
    assert caught.value.message == f"{path} contains no unexpired token for {API}."
    assert caught.value.code == "invalid_credentials"
    write_cli_profile(home)
    assert resolve_settings({"token_file": str(path)}, {}).login == ReadyToken("tools-token")


def test_token_file_that_others_can_read_is_refused_and_not_skipped(home: Path) -> None:
    write_cli_profile(home)
    path = write_token_file(home / "tokens.json", "kept-token")
    path.chmod(0o644)
    with pytest.raises(ParticleError, match="other users can access it") as caught:
        resolve_settings({"token_file": str(path)}, {})
    assert "kept-token" not in f"{caught.value.as_failure()}"


def test_tokens_of_options_environment_and_all_profiles_are_in_use(home: Path) -> None:
    write_cli_profile(home)
    write_cli_profile(home, "staging-token", "staging")
    environment = {"HOME": str(home), "PARTICLE_ACCESS_TOKEN": "environment-token"}
    tokens = ["task-token", "environment-token", "tools-token", "staging-token"]
    assert list_tokens_in_use({"access_token": "task-token"}, environment) == tokens
    assert list_tokens_in_use({}, {"HOME": str(home / "missing")}) == []


def test_token_files_of_options_and_environment_are_both_listed(home: Path) -> None:
    environment = {"HOME": str(home), "PARTICLE_TOKEN_FILE": "~/nightly.json"}
    assert list_token_files({"token_file": "~/mine.json"}, environment) == [home / "mine.json", home / "nightly.json"]
    assert list_token_files({"token_file": "~/nightly.json"}, environment) == [home / "nightly.json"]


def test_missing_token_file_is_accepted_for_new_tokens(home: Path) -> None:
    settings = resolve_settings({"token_file": "~/tokens.json"}, {"HOME": str(home)})
    assert (settings.login, settings.token_file) == (None, home / "tokens.json")


def test_stored_tokens_are_ignored_when_only_an_account_is_requested(home: Path) -> None:
    write_cli_profile(home)
    path = write_token_file(home / "tokens.json", "kept-token")
    settings = resolve_settings({"token_file": str(path), "profile": "particle"}, {}, credentials=ACCOUNT)
    assert (settings.login, settings.token_file) == (None, path)


@pytest.mark.parametrize("username_source", ["options", "environment"])
@pytest.mark.parametrize("file_source", ["options", "environment"])
def test_username_with_a_token_file_selects_the_stored_token(
    home: Path, username_source: str, file_source: str
) -> None:
    path = str(write_token_file(home / "tokens.json", "kept-token"))
    options, environment = dict[str, str](), dict[str, str]()
    for name, value, source in (("username", "kept@example.com", username_source), ("token_file", path, file_source)):
        if source == "options":
            options[name] = value
        else:
            environment[f"PARTICLE_{name.upper()}"] = value
    assert resolve_settings(options, environment).require_login() == ReadyToken("kept-token")


@pytest.mark.parametrize("environment", [{}, ENV_PAIR, {"PARTICLE_ACCESS_TOKEN": "e"}], ids=["none", "pair", "token"])
def test_account_named_by_the_task_is_never_replaced_by_another(home: Path, environment: dict[str, str]) -> None:
    write_cli_profile(home)
    path = str(write_token_file(home / "tokens.json", "kept-token"))
    chosen = resolve_settings({"username": "kept@example.com", "token_file": path}, environment)
    assert chosen.require_login() == ReadyToken("kept-token")
    missing = resolve_settings({"username": "other@example.com", "token_file": path}, environment)
    assert (missing.login, missing.source) == (None, "nowhere")
    with pytest.raises(ParticleError, match=r"no unexpired token of other@example\.com") as caught:
        missing.require_login()
    assert caught.value.code == "malformed_password"


def test_password_alone_with_a_token_file_is_refused(home: Path) -> None:
    path = str(write_token_file(home / "tokens.json", "kept-token"))
    with pytest.raises(ParticleError, match="Only one of username and password"):
        resolve_settings({"password": "task-password", "token_file": path}, {})


def test_missing_home_folder_is_an_error_only_for_paths_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    assert resolve_settings({}, {}).login is None
    for options in ({"token_file": "~/tokens.json"}, {"profile": "particle"}):
        with pytest.raises(ParticleError, match="home folder") as caught:
            resolve_settings(options, {})
        assert caught.value.code == "invalid_option"


def test_repr_of_settings_contains_no_stored_token(home: Path) -> None:
    path = write_token_file(home / "tokens.json", "kept-token")
    assert "kept-token" not in repr(resolve_settings({"token_file": str(path)}, {}))


@pytest.mark.parametrize(
    ("options", "environment", "url"),
    [
        ({}, {}, "https://tool.example.com"),
        ({}, {"PARTICLE_API_URL": "https://env.example.com/"}, "https://env.example.com"),
        ({"api_url": "https://task.example.com"}, {"PARTICLE_API_URL": "https://x"}, "https://task.example.com"),
        ({}, ENV_PAIR, "https://api.particle.io"),
        ({"username": "half@example.com"}, {}, "https://api.particle.io"),
        ({"profile": "logged-out"}, {}, "https://api.particle.io"),
    ],
)
def test_cloud_is_found_without_a_login(
    home: Path, options: dict[str, Any], environment: dict[str, str], url: str
) -> None:
    write_cli_profile(home, apiUrl="https://tool.example.com")
    assert find_cloud(options, environment, now=NOW) == url
