//! What receiving costs in memory: nothing for a frame, a chunk at most for what was only announced.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::oap::hello::{HelloReply, HelloRequest, Profile};
use ron_app_sdk::oap::{Flags, Frame, FrameDecoder, Header, Plane, MAX_FRAME};
use ron_app_sdk::session::{Client, Request, Server, ServerLimits};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// What a peer may make us reserve before it sends: a chunk of a body, and small change.
const AHEAD: usize = 64 * 1024 + 4096;

/// Runs `work` and returns how many bytes it held at most beyond those before, and its allocations.
fn held(work: impl FnOnce()) -> (usize, u64) {
    let before = dhat::HeapStats::get();
    work();
    let after = dhat::HeapStats::get();
    (
        after.max_bytes.saturating_sub(before.curr_bytes),
        after.total_blocks - before.total_blocks,
    )
}

fn frame(flags: Flags, app_proto_id: u16, corr_id: u64, len: usize, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        len: len as u32,
        flags,
        code: if flags.contains(Flags::RESP) { 200 } else { 0 },
        app_proto_id,
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    };
    [&header.encode()[..], payload].concat()
}

/// One test: the allocator's figures are those of the whole process.
#[test]
fn memory_follows_what_has_arrived_and_not_what_was_announced() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let now = Instant::now();
    let meta = [0, 0, 0, 2, b'{', b'}'];

    // Decoding: no allocation at all, whatever comes.
    let whole = frame(Flags::RESP.with(Flags::START), 0x0301, 1, MAX_FRAME, &meta);
    let (_, allocations) = held(|| {
        for length in [0u32, 37, 38, 1000, 1_048_576, 1_048_577, u32::MAX] {
            let mut decoder = FrameDecoder::new();
            let mut bytes = whole.clone();
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            let mut input = &bytes[..];
            while let Ok(Some(_)) = decoder.next_part(&mut input) {}
            let _ = Frame::decode(&bytes);
        }
    });
    assert_eq!(allocations, 7, "the clones of the frame are the test's own");

    // A client that is promised 1 MiB, and gets a byte of it.
    let mut client = Client::new(&HelloRequest::new("test"), 64);
    let hello = serde_json::to_vec(&HelloReply::new(64, Profile::Micronode, true)).unwrap();
    let hello = frame(Flags::RESP, 0, 0, 38 + hello.len(), &hello);
    client.receive(now, &hello).unwrap();
    let request = Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability: b"",
        meta: b"{}",
    };
    client.start(0, &request, 0, &mut Vec::new()).unwrap();
    let (most, _) = held(|| {
        client.receive(now, &whole).unwrap();
        client.receive(now, b"x").unwrap();
    });
    assert!(most <= AHEAD, "a client held {most} bytes");

    // Receiving byte by byte allocates what receiving at once does: nothing is collected and copied again.
    let body = vec![7; ron_app_sdk::MAX_BODY - 1];
    let received = |client: &mut Client, chunks: std::slice::Chunks<'_, u8>| {
        let before = dhat::HeapStats::get().total_bytes;
        chunks.for_each(|chunk| client.receive(now, chunk).unwrap());
        dhat::HeapStats::get().total_bytes - before
    };
    let at_once = received(&mut client, body.chunks(body.len()));
    let mut other = Client::new(&HelloRequest::new("test"), 64);
    other.receive(now, &hello).unwrap();
    other.start(0, &request, 0, &mut Vec::new()).unwrap();
    other.receive(now, &whole).unwrap();
    other.receive(now, b"x").unwrap();
    let byte_by_byte = received(&mut other, body.chunks(1));
    assert!(
        byte_by_byte <= 3 * at_once,
        "{byte_by_byte} bytes allocated byte by byte, {at_once} at once"
    );

    // A gateway that is promised 1 MiB by a call, and gets a byte of it.
    let hello = HelloReply::new(64, Profile::Micronode, true);
    let mut server = Server::new(hello, ServerLimits::default());
    let hello = b"{\"ua\":null}";
    let hello = frame(Flags::REQ, 0, 1, 38 + hello.len(), hello);
    server.receive(now, &hello).unwrap();
    let long = frame(Flags::REQ.with(Flags::START), 0x0301, 1, MAX_FRAME, &meta);
    let (most, _) = held(|| {
        server.receive(now, &long).unwrap();
        server.receive(now, b"x").unwrap();
    });
    assert!(most <= AHEAD, "a gateway held {most} bytes");

    // A length that no frame has is refused with its fourth byte, at no cost.
    let mut client = Client::new(&HelloRequest::new("test"), 64);
    let (_, allocations) = held(|| {
        client.receive(now, &[0xff, 0xff, 0xff]).unwrap();
        client.receive(now, &[0xff]).unwrap_err();
    });
    assert_eq!(allocations, 0);
}
