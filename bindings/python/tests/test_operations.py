"""Every operation in both clients, against the real gateway."""

from __future__ import annotations

import array
import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ron_app_sdk import (
    AsyncRonAppSdk,
    Body,
    CallReport,
    Capability,
    CapabilityFile,
    ClientStats,
    ConfigError,
    ConflictError,
    Lease,
    NotFoundError,
    RonAppSdk,
    StaleLeaseError,
    TransportError,
    address_of,
)
from ron_app_sdk.testing import Gateway

from .conftest import Make

OPERATIONS = [
    "storage_put",
    "storage_get",
    "storage_get_range",
    "storage_head",
    "edge_get",
    "edge_head",
    "mailbox_send",
    "mailbox_receive",
    "mailbox_recv",
    "mailbox_ack",
    "mailbox_nack",
    "mailbox_extend",
    "index_resolve",
    "index_publish",
]


def public(client: type) -> set[str]:
    return {name for name in dir(client) if not name.startswith("_")}


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    assert (
        public(RonAppSdk)
        == public(AsyncRonAppSdk)
        == {
            *OPERATIONS,
            "from_env",
            "from_file",
            "connect",
            "ready",
            "probe",
            "close",
            "stats",
            "metrics",
            "metrics_text",
        }
    )
    for name in [*OPERATIONS, "from_env", "close", "stats"]:
        ours, theirs = (
            [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in inspect.signature(getattr(client, name)).parameters.values()
                if parameter.name != "self"
            ]
            for client in (RonAppSdk, AsyncRonAppSdk)
        )
        assert ours == theirs, name
        assert getattr(RonAppSdk, name).__doc__, name
        assert getattr(AsyncRonAppSdk, name).__doc__, name


def test_storage(sdk: Any) -> None:
    content = b"hello, world"
    address = sdk.storage_put(content)
    assert address == address_of(content)
    body = sdk.storage_get(address)
    assert isinstance(body, Body)
    assert body == content
    assert sdk.storage_head(address).size == 12
    assert sdk.storage_head(address).address == address
    part = sdk.storage_get_range(address, range(7, 1000))
    assert part.body == b"world"
    assert part.byte_range == range(7, 12)
    assert part.size == 12


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_015_808])
def test_bodies_of_every_size_come_back(sdk: Any, size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    assert bytes(sdk.storage_get(sdk.storage_put(content))) == content


@pytest.mark.parametrize(
    "body",
    [b"ab", bytearray(b"ab"), memoryview(b"xabx")[1:3], memoryview(b"a-b-")[::2], array.array("B", b"ab"), Body(b"ab")],
    ids=lambda body: type(body).__name__,
)
def test_whatever_has_bytes_is_a_body(sdk: Any, body: Any) -> None:
    assert sdk.storage_put(body) == address_of(b"ab") == address_of(body)


@pytest.mark.parametrize("body", ["text", None, 7, [1, 2]])
def test_whatever_has_none_is_refused(sdk: Any, body: Any) -> None:
    with pytest.raises(TypeError):
        sdk.storage_put(body)


def test_edge(sdk: Any) -> None:
    info = sdk.edge_head("/ron/64k")
    whole = sdk.edge_get("/ron/64k")
    assert len(whole) == info.size == 65_536
    assert address_of(whole) == info.address
    assert sdk.edge_get("/ron/64k", range(100, 200)) == whole[100:200]


def test_mailbox(sdk: Any, topic: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=60)
    receipt = sdk.mailbox_send(topic, b"one pizza", attributes={"currency": "EUR"}, idempotency_key="order-" + topic)
    assert not receipt.duplicate
    again = sdk.mailbox_send(topic, b"one pizza", attributes={"currency": "EUR"}, idempotency_key="order-" + topic)
    assert again.duplicate
    assert again.id == receipt.id

    [message] = sdk.mailbox_receive(topic, max_messages=10, visibility=timedelta(seconds=30), wait=1)
    assert message.id == receipt.id
    assert message.topic == message.lease.topic == topic
    assert message.body == b"one pizza"
    assert message.attributes == {"currency": "EUR"}
    assert message.attempt == 1
    assert before < message.sent_at < before + timedelta(seconds=120)
    assert message.dead is None
    assert sdk.mailbox_receive(topic) == []

    sdk.mailbox_extend(message, 60)
    sdk.mailbox_nack(message.lease)
    [message] = sdk.mailbox_receive(topic)
    assert message.attempt == 2
    lease = Lease(message.topic, message.id, message.lease.expose())
    assert lease == message.lease
    sdk.mailbox_ack(lease)
    with pytest.raises(StaleLeaseError):
        sdk.mailbox_extend(message, 60)
    assert sdk.mailbox_receive(topic) == []


def test_a_message_that_is_never_acknowledged_becomes_a_dead_letter(sdk: Any, topic: str) -> None:
    sdk.mailbox_send(topic, b"poison")
    for _ in range(16):
        [message] = sdk.mailbox_receive(topic)
        sdk.mailbox_nack(message)
    [dead] = sdk.mailbox_receive(topic + ".dead", wait=1)
    assert dead.dead.reason == "too_many_deliveries"
    assert dead.dead.deliveries == 16


def test_mailbox_recv_takes_the_topic_from_the_capability(sdk: Any, ron_gateway: Gateway, topic: str) -> None:
    sdk.mailbox_send(topic, b"one")
    narrow = ron_gateway.capability.attenuate("topic=" + topic)
    [message] = sdk.mailbox_recv(capability=narrow)
    assert message.body == b"one"
    with pytest.raises(ConfigError):
        sdk.mailbox_recv()


def test_index(sdk: Any, name: str) -> None:
    first, second = address_of(b"1"), address_of(b"2")
    with pytest.raises(NotFoundError):
        sdk.index_resolve(name)
    sdk.index_publish(name, first, expected="absent")
    assert sdk.index_resolve(name) == first
    sdk.index_publish(name, second, expected=first)
    with pytest.raises(ConflictError):
        sdk.index_publish(name, first, expected=first)
    assert sdk.index_resolve(name) == second
    sdk.index_publish(name, first)
    assert sdk.index_resolve(name) == first


def test_stats_count_and_close_ends(sdk: Any) -> None:
    assert sdk.stats().connections == 0
    sdk.storage_put(b"x")
    stats = sdk.stats()
    assert isinstance(stats, ClientStats)
    assert (stats.connections, stats.open_calls) == (1, 0)
    assert "connections=1" in repr(stats)
    assert sdk.close() == 0
    assert sdk.stats().connections == 0


def test_metrics_count_what_was_called(sdk: Any) -> None:
    assert sdk.metrics_text().endswith("# EOF\n")
    assert "sdk_requests_total" not in sdk.metrics()
    address = sdk.storage_put(b"12345")
    sdk.storage_get(address)
    with pytest.raises(NotFoundError):
        sdk.index_resolve("nobody.knows")
    metrics = sdk.metrics()
    requests = {
        (s["labels"]["endpoint"], s["labels"]["outcome"], s["labels"]["code"]): s["value"]
        for s in metrics["sdk_requests_total"]
    }
    assert requests == {
        ("storage.put", "ok", "200"): 1,
        ("storage.get", "ok", "200"): 1,
        ("index.resolve", "NotFound", "404"): 1,
    }
    assert metrics["sdk_storage_put_bytes_total"] == [{"labels": {}, "value": 5}]
    assert sum(sample["value"] for sample in metrics["sdk_request_latency_seconds_count"]) == 3
    text = sdk.metrics_text()
    assert 'sdk_requests_total{endpoint="storage.put",outcome="ok",code="200"} 1' in text
    # The dictionary has every number of the text.
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == sum(map(len, metrics.values()))


def test_a_client_says_whether_it_is_ready(make: Make, ron_gateway: Gateway) -> None:
    sdk = make(ron_gateway)
    assert not sdk.ready()
    assert repr(sdk.ready()) == "Readiness(config='ok', tor='not_applicable', transport='unknown')"
    assert sdk.probe(5)
    ready = sdk.ready()
    assert ready.is_ready
    assert (ready.transport.state, ready.transport.error) == ("ok", None)
    nowhere = make(ron_gateway, gateway_addr="https://127.0.0.1:1", backoff_max_attempts=1)
    probed = nowhere.probe()
    assert not probed
    assert probed.transport.state == "failed"
    assert isinstance(probed.transport.error, TransportError)
    with pytest.raises(ConfigError):
        sdk.probe(0)


def test_connecting_is_hello_and_no_call(make: Make, ron_gateway: Gateway) -> None:
    sdk = make(ron_gateway)
    for timeout in (None, 5, timedelta(seconds=5)):
        assert sdk.connect(timeout) is None
        assert (sdk.stats().connections, sdk.stats().open_streams) == (1, 0)
    with pytest.raises(ConfigError):
        sdk.connect(0)
    nowhere = make(ron_gateway, gateway_addr="https://127.0.0.1:1", backoff_max_attempts=2)
    with pytest.raises(TransportError) as caught:
        nowhere.connect()
    assert caught.value.attempts == 2


def test_a_call_has_its_own_capability_and_timeout(make: Make, ron_gateway: Gateway) -> None:
    sdk = make(ron_gateway, timeout=10)
    reader = ron_gateway.capability.attenuate("op=storage.get")
    address = sdk.storage_put(b"x")
    assert sdk.storage_get(address, capability=reader, timeout=timedelta(seconds=2)) == b"x"
    with pytest.raises(PermissionError):
        sdk.storage_put(b"y", capability=reader)


def test_a_capability_from_a_file(sdk: Any, ron_gateway: Gateway, tmp_path: Any) -> None:
    path = tmp_path / "capability"
    path.write_text(ron_gateway.capability.expose() + "\n")
    source = CapabilityFile(path)
    assert source.path == str(path)
    assert sdk.storage_put(b"x", capability=source) == address_of(b"x")


def test_capabilities_do_not_show_themselves(ron_gateway: Gateway) -> None:
    capability = ron_gateway.capability
    assert capability.expose() not in repr(capability) + str(capability) + str(vars(type(capability)))
    assert Capability(capability.expose()).expose() == capability.expose()
    lease = Lease("topic", "1", "canary")
    assert "canary" not in repr(lease)
    assert lease.expose() == "canary"


def test_a_report_says_how_a_call_went(make: Make, faulty: Gateway) -> None:
    faulty.arm({"fault": "error_after", "operation": "storage.put", "times": 1})
    reports: list[CallReport] = []
    sdk = make(faulty, on_report=reports.append, backoff_base_ms=1)
    address = sdk.storage_put(b"x")
    assert sdk.storage_get(address) == b"x"
    with pytest.raises(NotFoundError):
        sdk.index_resolve("nobody.knows")
    put, get = reports
    assert (put.attempts, put.replayed, put.executed) == (2, True, "yes")
    assert (get.attempts, get.replayed, get.executed) == (1, False, "no")
    assert 0 < get.elapsed < 5
    assert "attempts=2, replayed=True" in repr(put)


def test_what_on_report_raises_comes_out_of_the_call(make: Make, ron_gateway: Gateway) -> None:
    def broken(report: CallReport) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make(ron_gateway, on_report=broken).storage_put(b"x")
