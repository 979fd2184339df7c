"""The settings of a client, as keyword arguments."""

from __future__ import annotations

from datetime import timedelta
from os import PathLike
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Every setting that a client takes as a keyword argument. Its variable is `RON_SDK_` and its name in capitals."""

    transport: Literal["tls", "tor"]
    """How the gateway is reached: with `tor` through Tor, and in no other way. Default: `tls`."""
    gateway_addr: str
    """The gateway: `https://` and a host, with a port where it is not 443. Default: `https://127.0.0.1:8443`."""
    fallback_addrs: list[str] | str
    """Further gateways, 8 at most, tried in their order where the one in use cannot be reached. Default: none."""
    overall_timeout_ms: int | timedelta
    """The limit of a call without one of its own, 50 ms to 1 h; `timeout` is the same. Default: 5 s, with Tor 30 s."""
    timeouts_connect_ms: int | timedelta
    """For TCP, a proxy, TLS and HELLO together, 10 ms to 10 min. Default: 2 s, with Tor 20 s."""
    timeouts_read_ms: int | timedelta
    """Without one byte of an answer that has begun, 10 ms to 10 min. Default: 5 s."""
    timeouts_write_ms: int | timedelta
    """Without one byte of a request that has begun being accepted, 10 ms to 10 min. Default: 5 s."""
    tls_ca: str | PathLike[str]
    """A PEM file of authorities that are trusted in addition to the system's."""
    tls_pin: str
    """`sha256:` and 64 digits: the gateway's public key, which replaces every authority."""
    tls_client_cert: str | PathLike[str]
    """A PEM file with the client's own certificate, for a gateway that asks for one. Together with `tls_client_key`."""
    tls_client_key: str | PathLike[str]
    """A PEM file with that certificate's private key."""
    proxy: str
    """The proxy that connections go through: `http://`, `socks5://` (names are looked up here) or `socks5h://` (by the
    proxy), `user:password@` where it asks for them, and `host:port`. Not together with Tor. Default: none."""
    tor_socks_addr: str
    """Tor's SOCKS5 port on this machine. Default: `127.0.0.1:9050`."""
    pool_max: int
    """Connections to the gateway at most, with Tor for each subject, 1 to 16. Default: 4."""
    backoff_base_ms: int | timedelta
    """The longest wait after a first attempt, 1 ms to `backoff_cap_ms`. Default: 100 ms."""
    backoff_factor: float
    """How much longer the longest wait is after each attempt, 1 to 10. Default: 2."""
    backoff_cap_ms: int | timedelta
    """The longest wait between attempts, 1 ms to 10 min. Default: 10 s."""
    backoff_max_attempts: int
    """Attempts of one call, the first one included, 1 to 5. Default: 5."""
    idempotency_enabled: bool
    """Whether a mutation without a key gets a fresh one, so that it can be repeated safely. Default: true."""
    cache_enabled: bool
    """Whether objects that `storage_get` has fetched are kept for the capability that fetched them. Default: false."""
    cache_max_entries: int
    """At most so many, 1 to 1,000,000. Default: 256."""
    cache_max_bytes: int
    """At most so many bytes of them, 1 KiB to 64 GiB. Default: 64 MiB."""
    cache_ttl_ms: int | timedelta
    """For so long, 1 ms to 1 h. Default: 30 s."""
    cache_verify_puts: bool
    """Whether a put is hashed locally and compared with the gateway's receipt. Default: true."""
    tracing_enabled: bool
    """Whether calls and connections have spans and events, and calls say which trace they belong to. Default: true."""
