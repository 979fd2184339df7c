//! How many instructions the SDK's parts take, and a whole call of its blocking client, as callgrind counts them.
//!
//! `scripts/instructions.py` runs it and compares the counts with those recorded.
#![allow(missing_docs)] // of what the macros make
#![allow(clippy::unwrap_used)]

use gungraun::{library_benchmark, library_benchmark_group, main};
use ron_app_sdk::internals::Retries;
use ron_app_sdk::Capability;
use ron_counts::calls::{Call, Operation, Payload, World};
use ron_counts::{Capabilities, ClientCall, Metas, Pair, Receiver, Receiving, ReplyFrame};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const KIB64: usize = 64 * 1024;

// What each of them is given is made before its instructions are counted, and what it returns is dropped after that.

#[library_benchmark(setup = ReplyFrame::new)]
#[bench::b64(64)]
#[bench::kib64(KIB64)]
fn encode_frame(mut frame: ReplyFrame) -> ReplyFrame {
    black_box(frame.encode());
    frame
}

#[library_benchmark(setup = ReplyFrame::new)]
#[bench::b64(64)]
#[bench::kib64(KIB64)]
fn decode_frame(frame: ReplyFrame) -> ReplyFrame {
    black_box(frame.decode());
    frame
}

#[library_benchmark]
#[bench::put(Metas::new())]
fn encode_meta(mut metas: Metas) -> Metas {
    black_box(metas.encode());
    metas
}

#[library_benchmark]
#[bench::get(Metas::new())]
fn decode_meta(metas: Metas) -> Metas {
    black_box(metas.decode());
    metas
}

#[library_benchmark]
#[bench::get_b64(ClientCall::get(64))]
#[bench::get_kib64(ClientCall::get(KIB64))]
#[bench::put_b64(ClientCall::put(64))]
#[bench::put_kib64(ClientCall::put(KIB64))]
fn session_client(mut call: ClientCall) -> ClientCall {
    black_box(call.call());
    call
}

// There and back, the gateway's share included.
#[library_benchmark]
#[bench::get_b64(Pair::get(64))]
#[bench::get_kib64(Pair::get(KIB64))]
#[bench::put_b64(Pair::put(64))]
#[bench::put_kib64(Pair::put(KIB64))]
fn session_pair(mut pair: Pair) -> Pair {
    black_box(pair.call());
    pair
}

fn retries() -> (Retries, Instant) {
    (Retries::new(), Instant::now())
}

#[library_benchmark]
#[bench::success(retries())]
fn retry((retries, now): (Retries, Instant)) -> (Retries, u32) {
    let attempts = retries.succeed(black_box(now));
    (retries, attempts)
}

#[library_benchmark]
#[bench::one_failure(retries())]
fn retry_failure((retries, now): (Retries, Instant)) -> (Retries, Duration) {
    let wait = retries.fail_once(black_box(now));
    (retries, wait)
}

#[library_benchmark]
#[bench::one_caveat(Capabilities::new())]
fn attenuate(capabilities: Capabilities) -> (Capabilities, Capability) {
    let narrower = capabilities.attenuate();
    (capabilities, narrower)
}

#[library_benchmark]
#[bench::decoder(Receiving::decoder())]
#[bench::session(Receiving::session())]
fn receive_whole<R: Receiver>(mut receiving: Receiving<R>) -> Receiving<R> {
    receiving.whole();
    receiving
}

#[library_benchmark]
#[bench::decoder(Receiving::decoder())]
#[bench::session(Receiving::session())]
fn receive_collected<R: Receiver>(mut receiving: Receiving<R>) -> Receiving<R> {
    receiving.collected();
    receiving
}

#[library_benchmark]
#[bench::decoder(Receiving::decoder())]
#[bench::session(Receiving::session())]
fn receive_bytewise<R: Receiver>(mut receiving: Receiving<R>) -> Receiving<R> {
    receiving.bytewise();
    receiving
}

/// A client that is warm, and its next calls.
struct Warm {
    world: World,
    calls: Vec<Call>,
}

impl Warm {
    const CALLS: usize = 10;

    fn up(operation: Operation, payload: Payload) -> Self {
        let world = World::start(Path::new(env!("CARGO_BIN_EXE_counts-gateway")));
        let (calls, _) = world.calls(operation, payload, 2 * Self::CALLS);
        let mut warm = Self { world, calls };
        warm.make(Self::CALLS);
        warm
    }

    fn make(&mut self, count: usize) {
        let (sdk, capability) = (self.world.blocking(), self.world.gateway().capability());
        let mut leases = Vec::new();
        for call in self.calls.drain(..count) {
            call.make(sdk, capability, &mut leases).unwrap();
        }
    }
}

// Ten calls of the blocking client against a gateway in another process.
#[library_benchmark(setup = Warm::up)]
#[bench::get_b64(Operation::StorageGet, Payload::B64)]
#[bench::get_kib64(Operation::StorageGet, Payload::KiB64)]
#[bench::put_b64(Operation::StoragePut, Payload::B64)]
#[bench::put_kib64(Operation::StoragePut, Payload::KiB64)]
fn ten_calls(mut warm: Warm) -> Warm {
    warm.make(Warm::CALLS);
    warm
}

library_benchmark_group!(
    name = codec,
    benchmarks = [encode_frame, decode_frame, encode_meta, decode_meta]
);
library_benchmark_group!(name = session, benchmarks = [session_client, session_pair]);
library_benchmark_group!(
    name = decisions,
    benchmarks = [retry, retry_failure, attenuate]
);
library_benchmark_group!(
    name = one_mebibyte,
    benchmarks = [receive_whole, receive_collected, receive_bytewise]
);
library_benchmark_group!(name = blocking_client, benchmarks = ten_calls);

main!(library_benchmark_groups = [codec, session, decisions, one_mebibyte, blocking_client]);
