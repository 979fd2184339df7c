"""The agents of the two Python clients: they answer the lines of `testing/conformance`, whose README describes them.

ron-conformance run --agent "python conformance_agent.py blocking" --agent "python conformance_agent.py async"
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ron_app_sdk import (
    AsyncRonAppSdk,
    CallReport,
    Capability,
    Lease,
    Message,
    ObjectInfo,
    Receipt,
    RonAppSdk,
    RonError,
    _native,
)
from ron_app_sdk.errors import ErrorKind

Fields = dict[str, str]
KIND_NAMES = dict(_native.error_kinds())
KEYWORDS = {key: keyword for keyword, key in _native.setting_names()}
LONGEST_HEX = 256


class Misunderstood(Exception):  # noqa: N818 - the protocol's word
    """The line cannot be answered."""


def parse(line: str) -> tuple[str, Fields]:
    verb, *fields = line.rstrip("\n").split("\t")
    return verb, {name: unescape(value) for name, _, value in (field.partition("=") for field in fields)}


def unescape(text: str) -> str:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode()).decode()


def line_of(verb: str, fields: dict[str, Any]) -> str:
    def text_of(value: object) -> str:
        return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)

    return "\t".join([verb, *(f"{name}={escape(text_of(value))}" for name, value in fields.items())])


def escape(text: str) -> str:
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in text.encode())


def pattern(length: int) -> bytes:
    return bytes(n % 251 for n in range(length))


def body_of(text: str) -> bytes:
    form, _, rest = text.partition(":")
    match form:
        case "text":
            return rest.encode()
        case "hex":
            return bytes.fromhex(rest)
        case "pattern":
            return pattern(int(rest))
    raise Misunderstood(f"no body: {text}")


def body_text(body: bytes) -> str:
    if len(body) > LONGEST_HEX and body == pattern(len(body)):
        return f"pattern:{len(body)}"
    return "hex:" + body.hex()


def byte_range(fields: Fields) -> range | None:
    return range(int(fields["first"]), int(fields["last"]) + 1) if "first" in fields else None


def seconds(fields: Fields, **names: str) -> dict[str, float]:
    return {keyword: int(fields[name]) / 1000 for keyword, name in names.items() if name in fields}


def lease(fields: Fields) -> Lease:
    return Lease(fields["topic"], fields["id"], fields["token"])


def publish(sdk: Any, fields: Fields, common: dict[str, Any]) -> Any:
    return sdk.index_publish(fields["name"], fields["address"], expected=fields.get("expected"), **common)


def send(sdk: Any, fields: Fields, common: dict[str, Any]) -> Any:
    start = "attribute."
    attributes = {name.removeprefix(start): value for name, value in fields.items() if name.startswith(start)}
    return sdk.mailbox_send(fields["topic"], body_of(fields["body"]), attributes=attributes, **common)


def receive(sdk: Any, fields: Fields, common: dict[str, Any]) -> Any:
    most = {"max_messages": int(fields["max"])} if "max" in fields else {}
    times = seconds(fields, visibility="visibility_ms", wait="wait_ms")
    return sdk.mailbox_receive(fields["topic"], **most, **times, **common)


CALLS: dict[str, Callable[[Any, Fields, dict[str, Any]], Any]] = {
    "storage_put": lambda sdk, f, common: sdk.storage_put(body_of(f["body"]), **common),
    "storage_get": lambda sdk, f, common: sdk.storage_get(f["address"], **common),
    "storage_get_range": lambda sdk, f, common: sdk.storage_get_range(f["address"], byte_range(f), **common),
    "storage_head": lambda sdk, f, common: sdk.storage_head(f["address"], **common),
    "edge_get": lambda sdk, f, common: sdk.edge_get(f["path"], byte_range(f), **common),
    "edge_head": lambda sdk, f, common: sdk.edge_head(f["path"], **common),
    "mailbox_send": send,
    "mailbox_receive": receive,
    "mailbox_recv": lambda sdk, f, common: sdk.mailbox_recv(**common),
    "mailbox_ack": lambda sdk, f, common: sdk.mailbox_ack(lease(f), **common),
    "mailbox_nack": lambda sdk, f, common: sdk.mailbox_nack(lease(f), **seconds(f, delay="delay_ms"), **common),
    "mailbox_extend": lambda sdk, f, common: sdk.mailbox_extend(
        lease(f), int(f.get("visibility_ms", "0")) / 1000, **common
    ),
    "index_resolve": lambda sdk, f, common: sdk.index_resolve(f["name"], **common),
    "index_publish": publish,
}


def result_fields(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case str():
            return {"address": value}
        case ObjectInfo():
            return {"address": value.address, "size": value.size}
        case Receipt():
            return {"id": value.id, "duplicate": value.duplicate}
        case list():
            return messages(value)
        case _native.UnverifiedRange():
            first, last = value.byte_range[0], value.byte_range[-1]
            return {"body": body_text(bytes(value.body)), "first": first, "last": last, "size": value.size}
        case _native.Body():
            return {"body": body_text(bytes(value))}
    raise Misunderstood(f"a result of the type {type(value)}")


def messages(received: Sequence[Message]) -> dict[str, Any]:
    fields: dict[str, Any] = {"count": len(received)}
    for n, message in enumerate(received):
        fields |= {
            f"{n}.topic": message.topic,
            f"{n}.id": message.id,
            f"{n}.token": message.lease.expose(),
            f"{n}.attempt": message.attempt,
            f"{n}.body": body_text(bytes(message.body)),
        }
        fields |= {f"{n}.attribute.{name}": value for name, value in message.attributes.items()}
        if message.dead is not None:
            fields |= {f"{n}.dead.reason": message.dead.reason, f"{n}.dead.deliveries": message.dead.deliveries}
    return fields


def error_line(error: RonError) -> str:
    fields = {
        "kind": KIND_NAMES[error.kind],
        "number": int(error.kind),
        "executed": error.executed,
        "attempts": error.attempts,
        "message": error,
        "status": error.status,
        "retry_after_ms": None if error.retry_after is None else round(error.retry_after * 1000),
    }
    return line_of("error", {name: value for name, value in fields.items() if value is not None})


Wait = Callable[[Any, float | None], Any]


def serve(client: type[RonAppSdk] | type[AsyncRonAppSdk], language: str, can: str, wait: Wait) -> None:
    """Answers each line of the standard input."""
    sdk: Any = None
    reports: list[CallReport] = []

    def answer(verb: str, fields: Fields) -> str:
        nonlocal sdk
        if verb == "client":
            start = "config."
            settings: Any = {
                KEYWORDS.get(name.removeprefix(start), name): value
                for name, value in fields.items()
                if name.startswith(start)
            }
            text = fields.get("capability")
            capability = Capability(text) if text else None
            sdk = client(capability=capability, on_report=reports.append, **settings)
            return "ok"
        if verb == "close":
            return line_of("ok", {"left": wait(lambda: sdk.close(), None)})
        if verb == "metrics":
            return line_of("ok", {"text": sdk.metrics_text()})
        if verb not in CALLS:
            raise Misunderstood(f"no such call: {verb}")
        common: dict[str, Any] = dict(seconds(fields, timeout="timeout_ms"))
        if "capability" in fields:
            common["capability"] = Capability(fields["capability"])
        if "idempotency_key" in fields:
            common["idempotency_key"] = fields["idempotency_key"]
        cancel_after = seconds(fields, cancel="cancel_after_ms").get("cancel")
        value = wait(lambda: CALLS[verb](sdk, fields, common), cancel_after)
        report = reports.pop()
        said = {"attempts": report.attempts, "replayed": report.replayed, "executed": report.executed}
        return line_of("ok", said | result_fields(value))

    print(line_of("ready", {"language": language, "can": can}), flush=True)
    for line in sys.stdin:
        verb, fields = parse(line)
        try:
            said = answer(verb, fields)
        except RonError as error:
            said = error_line(error)
        except asyncio.CancelledError:
            # What asyncio raises in the place of the SDK's own error.
            kind = ErrorKind.CANCELLED
            said = line_of("error", {"kind": KIND_NAMES[kind], "number": int(kind), "message": "cancelled"})
        except (Misunderstood, KeyError) as error:
            said = line_of("misunderstood", {"why": error})
        print(said, flush=True)


def main() -> None:
    match sys.argv[1:]:
        case ["blocking"]:
            serve(RonAppSdk, "Python", "", lambda call, _: call())
        case ["async"]:
            with asyncio.Runner() as runner:

                async def run(call: Callable[[], Awaitable[Any]], cancel_after: float | None) -> Any:
                    task = asyncio.ensure_future(call())
                    if cancel_after is not None:
                        await asyncio.wait([task], timeout=cancel_after)
                        task.cancel()
                    return await task

                serve(AsyncRonAppSdk, "Python asyncio", "cancel", lambda call, after: runner.run(run(call, after)))
        case _:
            sys.exit("usage: conformance_agent.py blocking|async")


if __name__ == "__main__":
    main()
