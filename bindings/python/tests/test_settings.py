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
    "overall_timeout_ms": [1000, timedelta(seconds=1)],
    "timeouts_connect_ms": [100, timedelta(milliseconds=100)],
    "timeouts_read_ms": [200],
    "timeouts_write_ms": [300],
    "tls_ca": ["/etc/ca.pem", Path("/etc/ca.pem")],
    "tls_pin": ["sha256:" + "ab" * 32],
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
}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_setting_takes_what_its_type_says(client: Any) -> None:
    assert list(VALUES) == list(Settings.__annotations__)
    for keyword, values in VALUES.items():
        for value in values:
            client(**{keyword: value})
    assert repr(client(gateway_addr="https://a")) == f"{client.__name__}(gateway_addr='https://a')"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gateway_addr": "http://a"}, "gateway_addr"),
        ({"overall_timeout_ms": 49}, "overall_timeout"),
        ({"timeout": 0.049}, "overall_timeout"),
        ({"timeout": -1}, "time"),
        ({"timeout": 1, "overall_timeout_ms": 1000}, "timeout"),
        ({"timeouts_connect_ms": 1.5}, "timeouts.connect_ms"),
        ({"pool_max": 17}, "pool.max"),
        ({"cache_enabled": "yes"}, "cache.enabled"),
        ({"tls_pin": "sha256:12"}, "tls.pin"),
        ({"transport": "tcp"}, "transport"),
        ({"proxy": "proxy.example:3128"}, "proxy: the value, not shown here"),
        ({"transport": "tor", "proxy": "http://proxy.example:3128"}, "proxy: Tor"),
        ({"tor_socks_addr": "192.0.2.1:9050"}, "tor.socks_addr: 192.0.2.1:9050"),
    ],
    ids=str,
)
def test_a_value_out_of_its_range_is_refused_with_its_name(client: Any, settings: dict[str, Any], said: str) -> None:
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


def test_a_client_of_the_environment_works(ron_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ron_gateway.environment.items():
        monkeypatch.setenv(name, value)
    with RonAppSdk.from_env() as sdk:
        assert sdk.storage_get(sdk.storage_put(b"x")) == b"x"
