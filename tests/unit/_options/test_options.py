# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Options and environment become one connection and one way to log in, never a mixture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_cloud import write_private

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
    find_api_url,
    find_source,
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
    """An empty home, or the tool's login of whoever runs the tests would count."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def settled(options: dict[str, Any], environment: dict[str, str], **more: Any) -> Settings:
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
        # Inside one source the token beats credentials ...
        ({"access_token": "t", **TASK_PAIR}, {}, ReadyToken("t")),
        ({}, {"PARTICLE_ACCESS_TOKEN": "e", **ENV_PAIR}, ReadyToken("e")),
        # ... but a whole source beats the next, whatever that has.
        (TASK_PAIR, {"PARTICLE_ACCESS_TOKEN": "e"}, TASK_LOGIN),
        ({"access_token": "t"}, ENV_PAIR, ReadyToken("t")),
        # Half a pair beside a token does not matter: it is not used.
        ({"access_token": "t", "username": "task@example.com"}, {}, ReadyToken("t")),
        # The client comes from where the credentials come from.
        ({**TASK_PAIR, **CLIENT}, {}, replace(TASK_LOGIN, client=MY_CLIENT)),
        (TASK_PAIR, {**ENV_PAIR, **ENV_CLIENT}, TASK_LOGIN),
        (
            {},
            {**ENV_PAIR, **ENV_CLIENT},
            PasswordLogin("env@example.com", "env-password", Client("env-client", "env-secret")),
        ),
        (CLIENT, ENV_PAIR, ENV_LOGIN),
        # So do the second factor and its secret.
        ({**TASK_PAIR, **OTP}, {}, replace(TASK_LOGIN, **OTP)),
        (TASK_PAIR, {**ENV_PAIR, "PARTICLE_OTP": "001234"}, TASK_LOGIN),
        ({}, {**ENV_PAIR, "PARTICLE_OTP_SECRET": "GEZDGNBV"}, replace(ENV_LOGIN, otp_secret="GEZDGNBV")),
        (OTP, ENV_PAIR, ENV_LOGIN),
        # An empty variable is one that is not set.
        ({}, {"PARTICLE_ACCESS_TOKEN": "", **ENV_PAIR}, ENV_LOGIN),
        ({}, {"PARTICLE_ACCESS_TOKEN": "", "PARTICLE_USERNAME": "", "PARTICLE_PASSWORD": ""}, None),
        ({}, {**ENV_PAIR, "PARTICLE_CLIENT_ID": "", "PARTICLE_CLIENT_SECRET": ""}, ENV_LOGIN),
        # An empty option is a mistake of whoever filled it, and no reason to log in as somebody else.
        ({"access_token": ""}, ENV_PAIR, ReadyToken("")),
        ({"username": "", "password": ""}, ENV_PAIR, PasswordLogin("", "")),
    ],
)
def test_sources_are_compared_whole(options: dict[str, str], environment: dict[str, str], login: Any) -> None:
    assert settled(options, environment).login == login


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
def test_half_a_pair_is_refused_and_not_completed_from_elsewhere(
    options: dict[str, str], environment: dict[str, str], code: str, source: str
) -> None:
    with pytest.raises(ParticleError) as caught:
        settled(options, environment)
    assert caught.value.code == code
    assert source in caught.value.message
    assert "-password" not in f"{caught.value.as_failure()}"


def test_only_the_named_credentials_are_looked_at() -> None:
    options, environment = {"access_token": "t", **TASK_PAIR}, {"PARTICLE_ACCESS_TOKEN": "e", **ENV_PAIR}
    assert settled(options, environment, credentials=ACCOUNT).login == TASK_LOGIN
    assert settled(TASK_PAIR, environment, credentials=("access_token",)).login == ReadyToken("e")
    assert settled(options, environment, credentials=()).login is None


# What belongs to an account, and comes from elsewhere


@pytest.mark.parametrize("name", ["client_id", "client_secret", "otp", "otp_secret"])
def test_what_belongs_to_an_account_of_the_environment_is_refused_in_the_task_and_not_dropped(name: str) -> None:
    settings = settled({name: {**CLIENT, **OTP}[name]}, ENV_PAIR)
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
def test_beside_a_ready_token_it_does_not_matter(environment: dict[str, str]) -> None:
    assert settled({**CLIENT, **OTP}, environment).require_login() == ReadyToken("e")


def test_in_the_environment_it_does_not_matter_beside_an_account_of_the_task() -> None:
    assert settled(TASK_PAIR, {**ENV_CLIENT, "PARTICLE_OTP": "001234"}).require_login() == TASK_LOGIN


@pytest.mark.parametrize(
    ("options", "environment", "login"),
    [
        ({"access_token": "t", **TASK_PAIR}, ENV_PAIR, TASK_LOGIN),
        ({"access_token": "t"}, ENV_PAIR, ENV_LOGIN),
        ({"access_token": "t"}, {}, None),
        ({"username": "kept@example.com", "token_file": "tokens.json"}, ENV_PAIR, None),
    ],
)
def test_the_account_beside_a_token_is_found(
    options: dict[str, str], environment: dict[str, str], login: PasswordLogin | None
) -> None:
    assert read_account(options, environment) == login


def test_half_an_account_beside_a_token_is_half_a_pair() -> None:
    with pytest.raises(ParticleError, match="Only one of username and password"):
        read_account({"access_token": "t", "username": "task@example.com"}, {})


@pytest.mark.parametrize(
    ("options", "environment", "source"),
    [(CLIENT, ENV_CLIENT, TASK), ({}, ENV_CLIENT, ENVIRONMENT), (TASK_PAIR, ENV_PAIR, "nowhere")],
)
def test_it_is_known_where_an_option_comes_from(
    options: dict[str, str], environment: dict[str, str], source: str
) -> None:
    assert find_source(options, environment, ("client_id", "client_secret")) == source


def test_the_secret_of_the_customary_client_is_a_word_and_no_secret() -> None:
    assert find_secrets({"client_secret": "particle", "password": "p"}) == ["p"]
    assert find_secrets({"client_secret": "own", "password": "particle", "otp": None}) == ["particle", "own"]


# Nothing at all


def test_without_any_credentials_the_way_to_give_them_is_told() -> None:
    with pytest.raises(ParticleError, match="Neither an access token nor username and password") as caught:
        settled({}, {}).require_login()
    assert "PARTICLE_" in caught.value.hint


def test_a_login_that_cannot_work_is_refused_with_all_that_is_wrong() -> None:
    settings = settled({"username": "two words", "password": ""}, {})
    with pytest.raises(ParticleError) as caught:
        settings.require_login()
    assert caught.value.code == "malformed_username"
    assert "'two words'" in caught.value.message
    assert "The password is empty." in caught.value.message


def test_a_login_without_faults_is_handed_out() -> None:
    assert settled(TASK_PAIR, {}).require_login() == TASK_LOGIN


def test_the_same_advice_is_given_once() -> None:
    problems = [ParticleError("conflict", f"{word} is wrong.", hint="Mend it.") for word in ("This", "That")]
    with pytest.raises(ParticleError) as caught:
        raise_problems(problems)
    assert (caught.value.message, caught.value.hint) == ("This is wrong. That is wrong.", "Mend it.")


def test_no_problems_are_no_error() -> None:
    raise_problems([])


def test_without_options_the_particle_cloud_is_meant() -> None:
    assert settled({}, {}).connection == Connection(
        "https://api.particle.io", timeout=30, validate_certs=True, ca_path=None, max_wait=300
    )


def test_options_fall_back_to_the_environment_one_by_one() -> None:
    environment = {
        "PARTICLE_API_URL": "https://env.example.com",
        "PARTICLE_TIMEOUT": "7.5",
        "PARTICLE_VALIDATE_CERTS": "no",
        "PARTICLE_CA_PATH": "/env/ca.pem",
        "PARTICLE_MAX_WAIT": "60",
    }
    options = {"api_url": "https://task.example.com", "timeout": 3.0, "validate_certs": True, "ca_path": None}
    assert settled({}, environment).connection == Connection(
        "https://env.example.com", timeout=7.5, validate_certs=False, ca_path="/env/ca.pem", max_wait=60
    )
    assert settled(options, environment).connection == Connection(
        "https://task.example.com", timeout=3, validate_certs=True, ca_path="/env/ca.pem", max_wait=60
    )


def test_empty_variables_are_as_good_as_none() -> None:
    names = "API_URL TIMEOUT VALIDATE_CERTS CA_PATH MAX_WAIT".split()
    assert settled({}, {f"PARTICLE_{name}": "" for name in names}) == settled({}, {})


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
def test_an_address_is_settled_so_that_a_path_can_follow(given: str, address: str) -> None:
    assert settled({"api_url": given}, {}).connection.api_url == address


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
def test_what_is_no_address_of_a_cloud_is_refused(url: str) -> None:
    for options, environment in (({"api_url": url}, {}), ({}, {"PARTICLE_API_URL": url})):
        with pytest.raises(ParticleError) as caught:
            settled(options, environment)
        assert caught.value.code == "not_a_cloud"


@pytest.mark.parametrize(
    "url", ["https://demo:s3cret@api.particle.io", "https://demo@api.particle.io", "http://:s3cret@localhost"]
)
def test_credentials_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ParticleError) as caught:
        settled({"api_url": url}, {})
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
def test_a_connection_that_others_can_read_is_warned_about(options: dict[str, Any], warning: str) -> None:
    (said,) = settled(options, {}).warnings
    assert warning in said


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
def test_loopback_and_encryption_are_nothing_to_warn_about(options: dict[str, Any]) -> None:
    assert settled(options, {}).warnings == ()


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
def test_an_address_without_encryption_is_told_without_what_it_asks(url: str, warned: bool) -> None:
    told = [
        "The connection to http://cloud.example.com/login is not encrypted: others can read credentials and tokens."
    ]
    assert build_encryption_warnings(url) == (told if warned else [])


@pytest.mark.parametrize(
    ("word", "truth"),
    [
        *((word, True) for word in ("true", "True", "yes", "YES", "on", "1")),
        *((word, False) for word in ("false", "False", "no", "NO", "off", "0")),
    ],
)
def test_truth_is_read_from_the_environment(word: str, truth: bool) -> None:
    assert settled({}, {"PARTICLE_VALIDATE_CERTS": word}).connection.validate_certs is truth


@pytest.mark.parametrize("word", ["maybe", "2", " ", "-1"])
def test_a_word_that_is_neither_true_nor_false_is_refused(word: str) -> None:
    with pytest.raises(ParticleError, match="must be true or false") as caught:
        settled({}, {"PARTICLE_VALIDATE_CERTS": word})
    assert caught.value.hint == "Correct validate_certs."


@pytest.mark.parametrize("name", ["timeout", "max_wait"])
@pytest.mark.parametrize("number", ["soon", "0", "-1", "inf", "nan", "1e999", "30s", " "])
def test_a_time_that_cannot_be_meant_is_refused(name: str, number: str) -> None:
    with pytest.raises(ParticleError, match=f"{name} must be .*, got '{number}'") as caught:
        settled({}, {f"PARTICLE_{name.upper()}": number})
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
def test_the_budget_is_as_documented_unless_task_or_environment_know_better(
    options: dict[str, Any], environment: dict[str, str], requests: int, share: float
) -> None:
    allowance, store = read_budget(options, environment)
    assert store is None
    assert allowance.limits == {**DOCUMENTED_LIMITS, EVERY_ROUTE: Limit(requests, 300)}
    assert allowance.share == share


@pytest.mark.parametrize(
    ("options", "environment"), [({"budget_requests": 0}, {}), ({}, {"PARTICLE_BUDGET_REQUESTS": "0"})]
)
def test_a_cloud_without_a_limit_has_none_for_any_route(options: dict[str, Any], environment: dict[str, str]) -> None:
    assert read_budget(options, environment)[0].limits == {}


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan"), float("inf"), "half", "95%", " "])
@pytest.mark.parametrize("requests", [-1, 1_000_001, "many", "1e4", " "])
def test_a_budget_that_cannot_be_meant_is_refused_with_all_that_is_wrong(share: object, requests: object) -> None:
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
@pytest.mark.parametrize("way", ["task", "environment"])
def test_the_budget_may_be_kept_in_a_store(store: str, way: str) -> None:
    options, environment = ({"budget_store": store}, {"PARTICLE_BUDGET_STORE": "redis://other.example.com"})
    if way == "environment":
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
def test_a_store_that_is_none_is_refused_beside_what_else_is_wrong_and_is_not_shown(store: str) -> None:
    with pytest.raises(ParticleError) as caught:
        read_budget({"budget_store": store, "budget_share": 2.0}, {})
    assert caught.value.code == "invalid_option"
    assert "got 2.0" in caught.value.message
    assert "budget_store is not a valid Redis URL, such as redis://host:6379/0" in caught.value.message
    assert caught.value.hint == "Correct budget_share. Correct budget_store."
    assert "s3cret" not in f"{caught.value}{caught.value.as_result()}"


def test_the_password_of_a_store_is_a_secret_as_it_is_written_and_as_it_is_meant() -> None:
    url = "redis://user:s3cret%2Fpass@redis.example.com"
    assert find_secrets({"budget_store": url}) == [url, "s3cret%2Fpass", "s3cret/pass"]
    assert find_secrets({"budget_store": "redis://redis.example.com"}) == ["redis://redis.example.com"]
    assert find_secrets({"budget_store": "redis://[host"}) == ["redis://[host"]


def test_no_secret_is_in_the_representation_of_settings() -> None:
    for options in ({**TASK_PAIR, **CLIENT, **OTP}, {"access_token": "task-token"}):
        shown = repr(settled(options, {}))
        secrets = ("task-password", "my-secret", "task-token", *OTP.values())
        assert not [secret for secret in secrets if secret in shown]


def test_every_secret_option_is_known_to_ansible_and_none_has_a_default() -> None:
    spec = build_shared_spec()
    assert {name for name, option in spec.items() if option.get("no_log")} == set(SECRETS)
    assert not [name for name, option in spec.items() if "default" in option or "fallback" in option]


# Half a client


@pytest.mark.parametrize("half", ["client_id", "client_secret"])
@pytest.mark.parametrize("source", ["options", "environment"])
def test_half_a_client_is_refused_and_not_completed_from_elsewhere(half: str, source: str) -> None:
    value = {half: CLIENT[half]}
    variable = {f"PARTICLE_{half.upper()}": CLIENT[half]}
    options, environment = (
        ({**TASK_PAIR, **value}, ENV_CLIENT) if source == "options" else ({}, {**ENV_PAIR, **variable})
    )
    for ask in (settled, read_client):
        with pytest.raises(ParticleError, match="got only one of them") as caught:
            ask(options, environment)
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
def test_a_client_may_be_given_without_an_account(
    options: dict[str, Any], environment: dict[str, str], client: Client | None
) -> None:
    assert read_client(options, environment) == client


# Tokens that lie in files


API = "https://api.particle.io"


def keep(path: Path, access_token: str, api_url: str = API, expires_at: str | None = None) -> Path:
    entry = {"api_url": api_url, "account": "kept@example.com", "client": "particle", "purpose": ""}
    return write_private(path, {"tokens": [{**entry, "access_token": access_token, "expires_at": expires_at}]})


def log_the_tool_in(home: Path, access_token: str = "tools-token", profile: str = "particle", **more: str) -> None:
    (home / ".particle").mkdir(exist_ok=True)
    (home / ".particle" / f"{profile}.config.json").write_text(json.dumps({"access_token": access_token, **more}))


@pytest.mark.parametrize("source", ["options", "environment"])
def test_a_kept_token_is_used_where_nothing_is_given(home: Path, source: str) -> None:
    path = keep(home / "tokens.json", "kept-token")
    given = ({"token_file": str(path)}, {}) if source == "options" else ({}, {"PARTICLE_TOKEN_FILE": str(path)})
    settings = settled(*given)
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
def test_whatever_is_given_beats_what_lies_in_files(
    home: Path, options: dict[str, str], environment: dict[str, str], login: Any
) -> None:
    log_the_tool_in(home)
    path = keep(home / "tokens.json", "kept-token")
    assert settled({**options, "token_file": str(path), "profile": "particle"}, environment).login == login


def test_a_kept_token_beats_the_login_of_the_tool(home: Path) -> None:
    log_the_tool_in(home)
    path = keep(home / "tokens.json", "kept-token")
    assert settled({"token_file": str(path), "profile": "particle"}, {}).login == ReadyToken("kept-token")


@pytest.mark.parametrize(
    ("api_url", "expires_at"),
    [("https://other.example.com", None), (API, "1970-01-01T00:16:40Z")],
    ids=["cloud", "end"],
)
def test_a_kept_token_of_another_cloud_or_one_that_has_ended_is_passed_over(
    home: Path, api_url: str, expires_at: str | None
) -> None:
    path = keep(home / "tokens.json", "kept-token", api_url, expires_at)
    assert settled({"token_file": str(path)}, {}).login is None
    log_the_tool_in(home)
    assert settled({"token_file": str(path)}, {}).login == ReadyToken("tools-token")


def test_a_file_that_others_can_read_is_refused_and_not_passed_over(home: Path) -> None:
    log_the_tool_in(home)
    path = keep(home / "tokens.json", "kept-token")
    path.chmod(0o644)
    with pytest.raises(ParticleError, match="other users can access it") as caught:
        settled({"token_file": str(path)}, {})
    assert "kept-token" not in f"{caught.value.as_failure()}"


def test_a_file_that_is_not_there_yet_is_where_tokens_will_be_kept(home: Path) -> None:
    settings = settled({"token_file": "~/tokens.json"}, {"HOME": str(home)})
    assert (settings.login, settings.token_file) == (None, home / "tokens.json")


def test_where_a_token_makes_no_sense_neither_do_the_places_that_hold_one(home: Path) -> None:
    log_the_tool_in(home)
    path = keep(home / "tokens.json", "kept-token")
    settings = settled({"token_file": str(path), "profile": "particle"}, {}, credentials=ACCOUNT)
    assert (settings.login, settings.token_file) == (None, path)


@pytest.mark.parametrize("chooses", ["options", "environment"])
@pytest.mark.parametrize("names", ["options", "environment"])
def test_a_username_alone_beside_a_file_chooses_among_the_kept_tokens(home: Path, chooses: str, names: str) -> None:
    path = str(keep(home / "tokens.json", "kept-token"))
    options, environment = dict[str, str](), dict[str, str]()
    for name, value, source in (("username", "kept@example.com", chooses), ("token_file", path, names)):
        if source == "options":
            options[name] = value
        else:
            environment[f"PARTICLE_{name.upper()}"] = value
    assert settled(options, environment).require_login() == ReadyToken("kept-token")


@pytest.mark.parametrize("environment", [{}, ENV_PAIR, {"PARTICLE_ACCESS_TOKEN": "e"}], ids=["none", "pair", "token"])
def test_where_a_task_has_chosen_no_other_account_takes_the_place_of_the_one_it_named(
    home: Path, environment: dict[str, str]
) -> None:
    log_the_tool_in(home)
    path = str(keep(home / "tokens.json", "kept-token"))
    chosen = settled({"username": "kept@example.com", "token_file": path}, environment)
    assert chosen.require_login() == ReadyToken("kept-token")
    missing = settled({"username": "other@example.com", "token_file": path}, environment)
    assert (missing.login, missing.source) == (None, "nowhere")
    with pytest.raises(ParticleError, match=r"no unexpired token of other@example\.com") as caught:
        missing.require_login()
    assert caught.value.code == "malformed_password"


def test_a_password_alone_beside_a_file_is_still_half_a_pair(home: Path) -> None:
    path = str(keep(home / "tokens.json", "kept-token"))
    with pytest.raises(ParticleError, match="Only one of username and password"):
        settled({"password": "task-password", "token_file": path}, {})


def test_who_has_no_home_needs_none_until_a_place_in_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert settled({}, {}).login is None
    for options in ({"token_file": "~/tokens.json"}, {"profile": "particle"}):
        with pytest.raises(ParticleError, match="home folder") as caught:
            settled(options, {})
        assert caught.value.code == "invalid_option"


def test_no_secret_of_a_file_is_in_the_representation_of_settings(home: Path) -> None:
    path = keep(home / "tokens.json", "kept-token")
    assert "kept-token" not in repr(settled({"token_file": str(path)}, {}))


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
def test_the_cloud_that_is_meant_is_known_without_a_login(
    home: Path, options: dict[str, Any], environment: dict[str, str], url: str
) -> None:
    log_the_tool_in(home, apiUrl="https://tool.example.com")
    assert find_api_url(options, environment, now=NOW) == url
