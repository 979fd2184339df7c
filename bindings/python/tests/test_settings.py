"""Settings: keyword arguments, and the environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ron_app_sdk import AsyncRonAppSdk, ConfigError, RonAppSdk, Settings, _native
from ron_app_sdk.testing import Gateway

CLIENTS = [RonAppSdk, AsyncRonAppSdk]


def test_there_is_a_keyword_for_every_setting_of_the_core() -> None:
    assert [keyword for keyword, _ in _native.setting_names()] == list(Settings.__annotations__)


VALUES: dict[str, list[Any]] = {
    "transport": ["tls", "tor"],
    "gateway_addr": ["https://gateway.example:8443"],
    "fallback_addrs": [["https://b", "https://c:1"], "https://b,https://c:1"],
    "overall_timeout_ms": [1000, timedelta(seconds=1)],
    "timeouts_connect_ms": [100, timedelta(milliseconds=100)],
    "timeouts_read_ms": [200],
    "timeouts_write_ms": [300],
    "tls_ca": ["/etc/ca.pem", Path("/etc/ca.pem")],
    "tls_pin": ["sha256:" + "ab" * 32],
    "tls_client_cert": ["/etc/client.pem", Path("/etc/client.pem")],
    "tls_client_key": ["/etc/client.key", Path("/etc/client.key")],
    "proxy": ["http://proxy.example:3128", "socks5h://user:password@127.0.0.1:1080"],
    "tor_socks_addr": ["[::1]:9150"],
    "pool_max": [2],
    "backoff_base_ms": [20],
    "backoff_factor": [1.5, 2],
    "backoff_cap_ms": [700],
    "backoff_max_attempts": [3],
    "idempotency_enabled": [False, True],
    "cache_enabled": [True],
    "cache_max_entries": [7],
    "cache_max_bytes": [1024],
    "cache_ttl_ms": [5000],
    "cache_verify_puts": [False],
    "tracing_enabled": [False],
}


# What does not go without another one.
TOGETHER_WITH: dict[str, dict[str, Any]] = {
    "tls_client_cert": {"tls_client_key": "/etc/client.key"},
    "tls_client_key": {"tls_client_cert": "/etc/client.pem"},
}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_setting_takes_what_its_type_says(client: Any) -> None:
    assert list(VALUES) == list(Settings.__annotations__)
    for keyword, values in VALUES.items():
        for value in values:
            client(**{keyword: value, **TOGETHER_WITH.get(keyword, {})})
    assert repr(client(gateway_addr="https://a")) == f"{client.__name__}(gateway_addr='https://a')"


def test_every_setting_arrives_at_the_core() -> None:
    defaults = dict(_native.setting_texts({}))
    for keyword, key in _native.setting_names():
        texts = set()
        for value in VALUES[keyword]:
            changed = dict(_native.setting_texts({keyword: value}))  # type: ignore[misc]
            # What a transport decides about besides.
            others = {"overall_timeout_ms", "timeouts.connect_ms"} if key == "transport" else set()
            assert {name for name, text in changed.items() if text != defaults[name]} <= {key} | others
            texts.add(changed[key])
        assert texts - {defaults[key]}, keyword


WRONG: dict[str, tuple[Any, str, str]] = {
    "transport": ("tcp", "tcp", "tls or tor"),
    "gateway_addr": ("http://a", "http://a", "https://host"),
    "fallback_addrs": (["https://b", "c"], '"c"', "at most 8"),
    "overall_timeout_ms": (49, "49", "50 to 3600000"),
    "timeouts_connect_ms": (1.5, "1.5", "10 to 600000"),
    "timeouts_read_ms": (timedelta(milliseconds=9), "9", "10 to 600000"),
    "timeouts_write_ms": ("soon", "soon", "10 to 600000"),
    "tls_ca": ("", '""', "a path"),
    "tls_pin": ("sha256:12", "sha256:12", "64 hexadecimal digits"),
    "tls_client_cert": ("", '""', "a path"),
    "tls_client_key": ("", '""', "a path"),
    "proxy": ("proxy.example:3128", "not shown here", "begins with http://, socks5:// or socks5h://"),
    "tor_socks_addr": ("192.0.2.1:9050", "192.0.2.1:9050", "a port of this machine"),
    "pool_max": (17, "17", "1 to 16"),
    "backoff_base_ms": (0, "0", "1 to 600000"),
    "backoff_factor": (0.5, "0.5", "1 to 10"),
    "backoff_cap_ms": (0, "0", "1 to 600000"),
    "backoff_max_attempts": (6, "6", "1 to 5"),
    "idempotency_enabled": ("yes", "yes", "true or false"),
    "cache_enabled": (2, "2", "true or false"),
    "cache_max_entries": (0, "0", "1 to 1000000"),
    "cache_max_bytes": (1023, "1023", "1024 to 68719476736"),
    "cache_ttl_ms": (0, "0", "1 to 3600000"),
    "cache_verify_puts": ("no", "no", "true or false"),
    "tracing_enabled": ("no", "no", "true or false"),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("keyword", Settings.__annotations__)
def test_a_wrong_value_is_refused_with_its_keyword_the_value_and_what_is_allowed(client: Any, keyword: str) -> None:
    value, shown, allowed = WRONG[keyword]
    with pytest.raises(ConfigError) as caught:
        client(**{keyword: value})
    said = str(caught.value)
    assert f"{keyword}: " in said
    assert shown in said
    assert allowed in said


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"timeout": 0.049}, "overall_timeout"),
        ({"timeout": -1}, "time"),
        ({"timeout": 1, "overall_timeout_ms": 1000}, "timeout"),
        ({"backoff_base_ms": 20000}, "backoff.base"),
        ({"tls_client_cert": "client.pem"}, "tls.client_key"),
        ({"transport": "tor", "proxy": "http://proxy.example:3128"}, "proxy: Tor"),
        ({"tls_ca": "a", "tls_pin": "sha256:" + "ab" * 32}, "tls.pin"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(client: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        client(**settings)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_setting_that_there_is_not_is_a_type_error(client: Any) -> None:
    with pytest.raises(TypeError, match=r"pool_min.*pool_max"):
        client(pool_min=1)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_environment_is_read_where_asked_and_arguments_go_before_it(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RON_SDK_GATEWAY_ADDR", "https://from-environment")
    monkeypatch.delenv("RON_SDK_CAPABILITY", raising=False)
    assert "from-environment" in repr(client.from_env())
    assert "from-environment" not in repr(client())
    assert "argument" in repr(client.from_env(gateway_addr="https://argument"))
    monkeypatch.setenv("RON_SDK_POOL_MAX", "many")
    with pytest.raises(ConfigError, match="RON_SDK_POOL_MAX"):
        client.from_env()
    monkeypatch.delenv("RON_SDK_POOL_MAX")
    monkeypatch.setenv("RON_SDK_CAPABILITY", "canary")
    with pytest.raises(ConfigError) as caught:
        client.from_env()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_is_read_and_the_environment_and_arguments_go_before_it(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RON_SDK_CAPABILITY", raising=False)
    file = tmp_path / "ron.toml"
    file.write_text('gateway_addr = "https://of-the-file"\n[pool]\nmax = 2\n')
    assert "of-the-file" in repr(client.from_file(file))
    assert "argument" in repr(client.from_file(str(file), gateway_addr="https://argument"))
    monkeypatch.setenv("RON_SDK_CONFIG", str(file))
    assert "of-the-file" in repr(client.from_env())
    monkeypatch.setenv("RON_SDK_GATEWAY_ADDR", "https://from-environment")
    assert "from-environment" in repr(client.from_file(file))
    file.write_text("[pool]\nmax = 17\n")
    with pytest.raises(ConfigError, match=r'pool\.max \(.*ron\.toml, line 2\): "17" is not .* from 1 to 16'):
        client.from_file(file)
    with pytest.raises(ConfigError, match=r"RON_SDK_CONFIG: .*ron\.toml|line 2"):
        client.from_env()
    with pytest.raises(ConfigError, match="cannot be read"):
        client.from_file(tmp_path / "none.toml")


def test_a_client_of_the_environment_works(ron_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ron_gateway.environment.items():
        monkeypatch.setenv(name, value)
    with RonAppSdk.from_env() as sdk:
        assert sdk.storage_get(sdk.storage_put(b"x")) == b"x"
