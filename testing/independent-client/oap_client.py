#!/usr/bin/env python3
"""An independent OAP/1 client, written from docs/OAP-1.md alone and used as a test.

It shares no code with the SDK or the gateway and needs only the standard library of Python 3.11.
The environment names the gateway: RON_SDK_GATEWAY_ADDR, RON_SDK_TLS_CA and RON_SDK_CAPABILITY. "§" is a
section of the page. A line per step, then `N passed, 0 failed`; the first failure ends it with status 1.
"""
from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import socket
import ssl
import struct
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

REQ, RESP, EVENT, START, END, ACK_REQ, COMP, APP_E2E = (1 << bit for bit in range(8))  # §2
CONTROL, STORAGE, EDGE = 0, 0x0301, 0x0401
HEADER = struct.Struct(">IHHHH16sHQ")  # len, ver, flags, code, plane, tenant, cap_len, corr
MAX_FRAME, MAX_META, MAX_BODY, MAX_PART = 1_048_576, 16_384, 1_015_808, 65_536
NO_TENANT = bytes(16)
HELLO_ADDRESS = "b3:ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"  # §11
passed = 0


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def equal(what: str, got: Any, wanted: Any) -> None:
    expect(got == wanted, f"{what}: got {str(got)[:300]}, wanted {str(wanted)[:300]}")


# BLAKE3 (§6: addresses), from its own specification: the standard library has none.
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
Words = tuple[int, ...]


def compress(cv: Words, block: bytes, chunk: int, flags: int) -> Words:
    words = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*cv, *IV[:4], chunk & 0xFFFFFFFF, chunk >> 32, len(block), flags]
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(MIXES):
            for word, r, s in ((words[2 * i], 16, 12), (words[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
                v[d] = ((v[d] ^ v[a]) >> r | (v[d] ^ v[a]) << (32 - r)) & 0xFFFFFFFF
                v[c] = (v[c] + v[d]) & 0xFFFFFFFF
                v[b] = ((v[b] ^ v[c]) >> s | (v[b] ^ v[c]) << (32 - s)) & 0xFFFFFFFF
        words = tuple(words[i] for i in ORDER)
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def blake3_node(data: bytes, chunk: int) -> tuple[Words, bytes, int, int]:
    if len(data) > 1024:  # a parent: the left side is the largest power of two of chunks
        left = 1024 << (((len(data) - 1) // 1024).bit_length() - 1)
        pair = compress(*blake3_node(data[:left], chunk))
        pair += compress(*blake3_node(data[left:], chunk + left // 1024))
        return IV, struct.pack("<16I", *pair), 0, 4
    cv, start = IV, 0
    while len(data) - start > 64:
        cv = compress(cv, data[start:start + 64], chunk, 1 if start == 0 else 0)
        start += 64
    return cv, data[start:], chunk, (1 if start == 0 else 0) | 2


def address_of(data: bytes) -> str:
    cv, block, chunk, flags = blake3_node(data, 0)
    return "b3:" + struct.pack("<8I", *compress(cv, block, chunk, flags | 8)).hex()


@dataclass
class Frame:
    flags: int
    plane: int
    corr: int
    payload: bytes = b""
    code: int = 0
    cap: bytes = b""


def with_meta(meta: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(meta, separators=(",", ":")).encode()
    return struct.pack(">I", len(text)) + text + body


def split_meta(payload: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(payload[:4], "big")
    expect(size <= MAX_META and 4 <= 4 + size <= len(payload), f"meta_len {size} does not fit")
    meta = json.loads(payload[4:4 + size])
    expect(isinstance(meta, dict), "a meta is not a JSON object")
    return meta, payload[4 + size:]


@dataclass
class Call:
    plane: int
    code: int = 0
    meta: dict[str, Any] | None = None
    body: bytes = b""
    done: bool = False


class Connection:
    def __init__(self, url: str, ca_file: str, capability: bytes) -> None:
        target = urlsplit(url)
        expect(target.scheme == "https" and bool(target.hostname) and bool(target.port), f"address {url!r}")
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["ron/1"])
        tcp = socket.create_connection((target.hostname, target.port), timeout=20.0)
        self.tls = context.wrap_socket(tcp, server_hostname=target.hostname)
        self.reader = self.tls.makefile("rb")
        self.capability = capability
        self.calls: dict[int, Call] = {}  # all that were started, by corr_id
        self.pongs: list[int] = []

    def send(self, *frames: Frame) -> None:
        for frame in frames:
            size, cap = HEADER.size + len(frame.cap) + len(frame.payload), frame.cap
            head = HEADER.pack(size, 1, frame.flags, 0, frame.plane, NO_TENANT, len(cap), frame.corr)
            self.tls.sendall(head + cap + frame.payload)

    def read_exactly(self, size: int) -> bytes:
        data = self.reader.read(size)  # fewer bytes only at the end of the stream
        expect(len(data) == size, "the gateway closed the connection")
        return data

    def read_frame(self) -> Frame:
        first = self.read_exactly(4)
        size = int.from_bytes(first, "big")
        expect(HEADER.size <= size <= MAX_FRAME, f"frame length {size}")
        data = first + self.read_exactly(size - 4)
        _, ver, flags, code, plane, tenant, cap_len, corr = HEADER.unpack_from(data)
        equal("version, cap_len and tenant of a frame", (ver, cap_len, tenant), (1, 0, NO_TENANT))
        kind = flags & (REQ | RESP | EVENT)
        expect(kind in (RESP, EVENT) and flags < 256 and not flags & COMP, f"flags {flags} of a frame")
        return Frame(flags, plane, corr, data[HEADER.size:], code)

    def hello(self) -> dict[str, Any]:  # §3
        payload = json.dumps({"ua": "oap-page-test/1.0", "dto": [1], "flags_supported": 191}).encode()
        self.send(Frame(REQ, CONTROL, 7, payload))
        answer = self.read_frame()
        equal("code, flags, plane, corr of HELLO's answer",
              (answer.code, answer.flags, answer.plane, answer.corr), (200, RESP, CONTROL, 7))
        offer = json.loads(answer.payload)
        expect(1 in offer["versions"] and 1 in offer.get("dto", [1]), f"HELLO: versions in {offer}")
        expect(offer["max_inflight"] >= 1 and offer["max_frame"] >= 131_072, f"HELLO: limits in {offer}")
        return offer

    def request(self, plane: int, op: str, body: bytes = b"", cap: bool = True, **own: Any) -> list[Frame]:
        """The frames of a new call (§4). Its START must be written before that of the next call."""
        corr = len(self.calls) + 1
        self.calls[corr] = Call(plane)
        parts = [body[i:i + MAX_PART] for i in range(0, len(body), MAX_PART)] or [b""]
        frames = [Frame(REQ, plane, corr, part) for part in parts]
        meta = {"op": op, "deadline_ms": 15_000, "attempt": 1, **own}
        frames[0].payload = with_meta(meta, parts[0])
        frames[0].flags, frames[0].cap = frames[0].flags | START, self.capability if cap else b""
        frames[-1].flags |= END
        return frames

    def step(self) -> None:
        """Reads one frame and gives it to its call."""
        frame = self.read_frame()
        if frame.flags & EVENT:
            return self.control(frame)
        call = self.calls.get(frame.corr, Call(0, done=True))
        expect(not call.done, f"a reply to call {frame.corr}, which is not open")
        first = call.meta is None
        equal("plane and START of a reply", (frame.plane, bool(frame.flags & START)), (call.plane, first))
        call.done = bool(frame.flags & END)
        if first:
            call.code = frame.code
            call.meta, call.body = split_meta(frame.payload)
            expect(call.code < 400 or (call.done and not call.body), "an error is one frame without a body")
        elif frame.code == call.code:
            call.body += frame.payload
        else:  # §7: an error ends the reply, and what came before is void
            expect(call.done and frame.code >= 400, f"code {frame.code} after {call.code}")
            call.code, call.body = frame.code, b""
            call.meta = split_meta(frame.payload)[0] if frame.payload else {}
        expect(len(call.body) <= MAX_BODY, "body of a reply over the limit")

    def control(self, frame: Frame) -> None:  # §5
        message, body = split_meta(frame.payload)
        got = (frame.flags & ~ACK_REQ, frame.plane, frame.corr, body)
        equal("shape of a control message", got, (EVENT | START | END, CONTROL, 0, b""))
        known = message.get("op") in ("ping", "pong") and set(message) == {"op", "nonce"}
        expect(known, f"unexpected control message {message}")
        if message["op"] == "ping":
            self.event({"op": "pong", "nonce": message["nonce"]})
        else:
            self.pongs.append(message["nonce"])

    def event(self, message: dict[str, Any]) -> None:
        self.send(Frame(EVENT | START | END, CONTROL, 0, with_meta(message)))

    def wait(self, corr: int) -> Call:
        while not self.calls[corr].done:
            self.step()
        return self.calls[corr]

    def call(self, plane: int, op: str, body: bytes = b"", cap: bool = True, **own: Any) -> Call:
        frames = self.request(plane, op, body, cap, **own)
        self.send(*frames)
        return self.wait(frames[0].corr)


def ok(step: str) -> None:
    global passed
    passed += 1
    print(f"ok {passed:2}  {step}", flush=True)


def check(step: str, call: Call, code: int, meta: dict[str, Any], body: bytes = b"") -> None:
    got, wanted = (json.dumps(pair, sort_keys=True) for pair in ((call.code, call.meta), (code, meta)))
    equal(f"{step}: code, meta", got, wanted)  # as JSON, where false is not 0
    expect(call.body == body, f"{step}: a body of {len(call.body)} bytes, not the expected {len(body)}")
    ok(step)


def check_error(step: str, call: Call, code: int, reason: str, size: int | None = None) -> None:
    meta = call.meta or {}
    got = (call.code, meta.get("reason"), meta.get("executed"), meta.get("size"))
    equal(f"{step}: code, reason, executed, size", got, (code, reason, "no", size))
    expect(set(meta) <= {"reason", "executed", "detail", "retry_after_ms", "size"}, f"{step}: fields {meta}")
    ok(f"{step}: {code} {reason}")


def described(data: bytes, executed: str = "no", **more: Any) -> dict[str, Any]:
    return {"executed": executed, "address": address_of(data), "size": len(data), **more}


def run() -> None:
    equal("BLAKE3 of hello", address_of(b"hello"), HELLO_ADDRESS)
    token = os.environ["RON_SDK_CAPABILITY"]
    capability = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    gateway = Connection(os.environ["RON_SDK_GATEWAY_ADDR"], os.environ["RON_SDK_TLS_CA"], capability)
    got = (gateway.tls.version(), gateway.tls.selected_alpn_protocol())
    equal("TLS version, ALPN", got, ("TLSv1.3", "ron/1"))
    ok("TLS 1.3, ALPN ron/1")
    offer = gateway.hello()
    ok(f"HELLO: max_inflight {offer['max_inflight']}, profile {offer.get('profile')}")

    call, small, large = gateway.call, b"hello", secrets.token_bytes(150_001)
    edge = bytes((7 * i + i // 251) % 256 for i in range(65_536))
    address, part, cut = address_of(large), {"first": 70_000, "last": 140_000}, {"first": 3, "last": 99}
    check("put, 5 bytes", call(STORAGE, "put", small), 200, described(small, "yes", replayed=False))
    check("put, 3 frames", call(STORAGE, "put", large), 200, described(large, "yes", replayed=False))
    check("get, 5 bytes", call(STORAGE, "get", address=HELLO_ADDRESS), 200, described(small), small)
    check("get, 150,001 bytes", call(STORAGE, "get", address=address), 200, described(large), large)
    reply = call(STORAGE, "get", address=address, range=part)
    check("get with a range", reply, 206, described(large, range=part), large[70_000:140_001])
    reply = call(STORAGE, "get", address=HELLO_ADDRESS, range=cut)
    check("get with a range that is cut", reply, 206, described(small, range={"first": 3, "last": 4}), b"lo")
    check("head", call(STORAGE, "head", address=address), 200, described(large))
    check("edge get, every byte", call(EDGE, "get", path="/ron/64k"), 200, described(edge), edge)

    reply = call(STORAGE, "get", address="b3:" + secrets.token_hex(32))
    check_error("absent address", reply, 404, "not_found")
    reply = call(STORAGE, "get", address=HELLO_ADDRESS, range={"first": 5, "last": 9})
    check_error("range past the end", reply, 416, "range_not_satisfiable", size=5)
    check_error("no capability", call(STORAGE, "put", small, cap=False), 403, "capability_missing")

    nonce = secrets.randbits(32)
    gateway.event({"op": "ping", "nonce": nonce})
    while not gateway.pongs:
        gateway.step()
    equal("pong", gateway.pongs, [nonce])
    ok("ping, pong")

    # The put is open, its START sent and its END not, while the get is made and answered.
    other = secrets.token_bytes(100_000)
    start, end = gateway.request(STORAGE, "put", other)
    (get,) = gateway.request(EDGE, "get", path="/ron/64k")
    gateway.send(start, get)
    check("get while a put is open", gateway.wait(get.corr), 200, described(edge), edge)
    expect(gateway.calls[start.corr].meta is None, "the put was answered before its END")
    gateway.send(end)
    check("the put then", gateway.wait(start.corr), 200, described(other, "yes", replayed=False))
    with contextlib.suppress(OSError):  # §11: close_notify; what the gateway does then is its own affair
        gateway.tls.unwrap()


if __name__ == "__main__":
    try:
        run()
    except (AssertionError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        sys.exit(f"FAILED after {passed} passed: {type(error).__name__}: {error}")
    print(f"{passed} passed, 0 failed")
