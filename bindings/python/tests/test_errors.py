"""Every exception: that there is one for each kind, and that calls raise it."""

from __future__ import annotations

import pickle
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

import ron_app_sdk
from ron_app_sdk import (
    ConfigError,
    ErrorKind,
    Executed,
    RonAppSdk,
    RonError,
    TlsError,
    TransportError,
    _native,
    address_of,
    errors,
)
from ron_app_sdk.testing import Gateway

from .conftest import Make


def test_there_is_an_exception_for_every_kind_of_the_core() -> None:
    in_capitals = [(number, re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()) for number, name in _native.error_kinds()]
    assert in_capitals == [(int(kind), kind.name) for kind in ErrorKind]
    assert list(errors.ERROR_CLASSES) == [number for number, _ in in_capitals]
    for number, error in errors.ERROR_CLASSES.items():
        assert error.kind == number
        assert issubclass(error, RonError)
        assert getattr(ron_app_sdk, error.__name__) is error
        assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        ("DeadlineExceededError", TimeoutError),
        ("StalledError", TimeoutError),
        ("TransportError", ConnectionError),
        ("TlsError", ConnectionError),
        ("CapabilityExpiredError", PermissionError),
        ("CapabilityDeniedError", PermissionError),
        ("NotFoundError", LookupError),
        ("RangeNotSatisfiableError", LookupError),
        ("ConfigError", ValueError),
        ("SchemaViolationError", ValueError),
        ("TooLargeError", ValueError),
    ],
)
def test_what_people_catch_catches_them(error: str, builtin: type[BaseException]) -> None:
    assert issubclass(getattr(ron_app_sdk, error), builtin)


@pytest.mark.parametrize("error", errors.ERROR_CLASSES.values(), ids=lambda error: error.__name__)
def test_they_survive_pickling(error: type[RonError]) -> None:
    one = error("why", status=503, executed="unknown", attempts=3, retry_after=1.5, gave_up="deadline")
    two = pickle.loads(pickle.dumps(one))
    assert type(two) is error
    assert (str(two), two.args, vars(two)) == ("why", ("why",), vars(one))
    assert (two.kind, two.executed, two.gave_up) == (error.kind, Executed.UNKNOWN, "deadline")


ONCE = {"backoff_max_attempts": 1}
ABSENT = address_of(b"nobody has stored this")


def rule(fault: Any, **limits: Any) -> dict[str, Any]:
    return {"fault": fault, **limits}


def put(sdk: Any) -> Any:
    return sdk.storage_put(b"x", timeout=1)


def get(sdk: Any) -> Any:
    return sdk.storage_get(address_of(b"x"), timeout=1)


def acknowledge_late(sdk: Any) -> None:
    sdk.mailbox_send("tests/late", b"x")
    [message] = sdk.mailbox_receive("tests/late")
    sdk.mailbox_ack(message)
    sdk.mailbox_extend(message, 1)


def publish_twice(sdk: Any) -> None:
    sdk.index_publish("tests.twice", ABSENT)
    sdk.index_publish("tests.twice", ABSENT, expected="absent")


def stall(sdk: Any) -> None:
    # On a connection that is there already.
    get(sdk)
    sdk.storage_put(b"x", timeout=3)


def after_close(sdk: Any) -> None:
    sdk.close()
    put(sdk)


# The kind, the faults, the client's settings, and what is called.
RAISED: list[tuple[str, list[dict[str, Any]], dict[str, Any], Callable[[Any], Any]]] = [
    ("DEADLINE_EXCEEDED", [rule("black_hole")], ONCE, lambda sdk: sdk.storage_put(b"x", timeout=0.2)),
    ("OAP_VIOLATION", [rule("bad_version")], ONCE, put),
    ("CAPABILITY_EXPIRED", [rule("capability_expired")], {}, put),
    ("SCHEMA_VIOLATION", [], {}, lambda sdk: sdk.storage_get("b3:12")),
    ("NOT_FOUND", [], {}, lambda sdk: sdk.storage_get(ABSENT)),
    ("CONFLICT", [], {}, publish_twice),
    ("RATE_LIMITED", [rule({"rate_limited": {"retry_after_ms": 1500}})], ONCE, put),
    ("SERVER", [rule({"error_before": {"reasons": ["internal"]}})], ONCE, put),
    ("CONFIG", [], {}, lambda sdk: sdk.storage_put(b"x", timeout=-1)),
    ("CANCELLED", [rule("cancel_all")], ONCE, put),
    ("INTEGRITY_MISMATCH", [rule("corrupt_body")], {}, get),
    ("TOO_LARGE", [], {}, lambda sdk: sdk.storage_put(bytes(1_015_809))),
    ("RANGE_NOT_SATISFIABLE", [], {}, lambda sdk: sdk.edge_get("/ron/64k", range(65_536, 65_537))),
    ("STALE_LEASE", [], {}, acknowledge_late),
    ("STALLED", [rule("stalled_frame", operation="storage.put")], ONCE | {"timeouts_read_ms": 200}, stall),
    ("CLOSED", [], {}, after_close),
    ("UNKNOWN", [rule({"status": {"code": 302}})], {}, put),
]


@pytest.mark.parametrize(("kind", "rules", "settings", "call"), RAISED, ids=[row[0] for row in RAISED])
def test_calls_raise_them(
    make: Make,
    faulty: Gateway,
    kind: str,
    rules: list[dict[str, Any]],
    settings: dict[str, Any],
    call: Callable[[Any], Any],
) -> None:
    faulty.client().storage_put(b"x")
    faulty.arm(*rules)
    with pytest.raises(errors.ERROR_CLASSES[ErrorKind[kind]]) as caught:
        call(make(faulty, **settings))
    error = caught.value
    assert error.kind is ErrorKind[kind]
    # The kind's name is the same in every language.
    assert str(error).startswith(dict(_native.error_kinds())[error.kind] + ": ")
    assert error.attempts >= (0 if kind in {"SCHEMA_VIOLATION", "CONFIG", "TOO_LARGE", "CLOSED"} else 1)
    assert isinstance(error.executed, Executed)


def test_the_gateways_word_comes_along(make: Make, faulty: Gateway) -> None:
    faulty.arm(rule({"rate_limited": {"retry_after_ms": 1500}}))
    with pytest.raises(ron_app_sdk.RateLimitedError) as caught:
        put(make(faulty, **ONCE))
    error = caught.value
    assert (error.status, error.executed, error.attempts, error.retry_after) == (429, "no", 1, 1.5)
    assert error.gave_up == "attempts"


def test_a_capability_that_does_not_allow_it(make: Make, ron_gateway: Gateway) -> None:
    reader = ron_gateway.capability.attenuate("op=storage.get")
    with pytest.raises(ron_app_sdk.CapabilityDeniedError) as caught:
        make(ron_gateway).storage_put(b"x", capability=reader)
    assert caught.value.status == 403


def test_a_gateway_that_is_not_there(make: Make, ron_gateway: Gateway) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{nobody.getsockname()[1]}"
    with pytest.raises(TransportError) as caught:
        put(make(ron_gateway, gateway_addr=address))
    assert caught.value.executed is Executed.NO


def test_a_gateway_that_is_not_trusted(make: Make, ron_gateway: Gateway) -> None:
    settings = {"tls_ca": None, "tls_pin": "sha256:" + "ab" * 32}
    with pytest.raises(TlsError):
        put(make(ron_gateway, **settings))


def test_no_capability_is_an_error_before_any_io() -> None:
    # Nobody listens there, and nobody is asked.
    with pytest.raises(ConfigError, match="capability") as caught:
        RonAppSdk(gateway_addr="https://127.0.0.1:1").storage_get(ABSENT)
    assert caught.value.attempts == 0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda sdk: sdk.mailbox_send("no topic", b""), "topic"),
        (lambda sdk: sdk.mailbox_send("topic", b"", attributes={"": "x"}), "attributes"),
        (lambda sdk: sdk.index_resolve("no name!"), "name"),
        (lambda sdk: sdk.index_publish("name", ABSENT, expected="present"), "expected"),
        (lambda sdk: sdk.storage_put(b"", idempotency_key="no key!"), "idempotency_key"),
        (lambda sdk: sdk.storage_put(b"", timeout=float("nan")), "time"),
        (lambda sdk: sdk.storage_put(b"", timeout=4000), "timeout"),
        (lambda sdk: sdk.storage_get_range(ABSENT, range(5, 5)), "byte_range"),
        (lambda sdk: sdk.storage_get_range(ABSENT, range(0, 10, 2)), "byte_range"),
        (lambda sdk: sdk.edge_get("/x", range(-5, 5)), "byte_range"),
        (lambda sdk: sdk.mailbox_receive("topic", max_messages=65), "max"),
        (lambda sdk: sdk.mailbox_receive("topic", max_messages=-1), "max"),
        (lambda sdk: sdk.mailbox_receive("topic", visibility=0.1), "visibility"),
    ],
)
def test_an_argument_that_breaks_its_rule_is_named(sdk: Any, call: Callable[[Any], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        call(sdk)
    assert isinstance(caught.value, RonError)
    assert caught.value.attempts == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda sdk: sdk.storage_put(b"", timeout="1"),
        lambda sdk: sdk.storage_put(b"", capability="text"),
        lambda sdk: sdk.storage_get(b"bytes"),
        lambda sdk: sdk.storage_get_range(ABSENT, slice(0, 5)),
        lambda sdk: sdk.mailbox_ack("1"),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(sdk: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(sdk)
