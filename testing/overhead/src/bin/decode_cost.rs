//! Receives one reply of 1 MiB in a given way, for counting instructions: `scripts/decode_cost.sh`.
#![allow(clippy::print_stderr)] // it is a program for people

use ron_app_sdk::oap::hello::{HelloReply, HelloRequest, Profile};
use ron_app_sdk::oap::{Flags, Frame, FrameDecoder, Header, Part, Plane, MAX_FRAME};
use ron_app_sdk::session::{Client, ClientEvent, Request};
use std::hint::black_box;
use std::io::Read;
use std::process::ExitCode;
use std::time::Instant;

/// A reader that gives one byte at a time, as a socket may.
struct ByteByByte<'a>(&'a [u8]);

impl Read for ByteByByte<'_> {
    #[inline(never)]
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match (self.0.split_first(), buffer.first_mut()) {
            (Some((first, rest)), Some(place)) => {
                *place = *first;
                self.0 = rest;
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}

/// Takes bytes of a reply as they come.
trait Receiver {
    fn receive(&mut self, bytes: &[u8]);
    fn is_complete(&mut self) -> bool;
}

/// The frame decoder alone: it hands the payload on as slices, which are counted.
struct Decoder {
    decoder: FrameDecoder,
    payload: usize,
    frames: usize,
}

impl Receiver for Decoder {
    #[inline]
    fn receive(&mut self, mut bytes: &[u8]) {
        self.payload += self.decoder.take_payload(&mut bytes).len();
        if self.decoder.payload_left() > 0 {
            return;
        }
        while let Ok(Some(part)) = self.decoder.next_part(&mut bytes) {
            match part {
                Part::Payload(payload) => self.payload += payload.len(),
                Part::End => self.frames += 1,
                _ => {}
            }
        }
    }

    fn is_complete(&mut self) -> bool {
        self.frames == 1 && self.payload > ron_app_sdk::MAX_BODY
    }
}

/// A whole session, with its accounts and limits.
struct Session {
    client: Client,
    now: Instant,
}

impl Receiver for Session {
    #[inline]
    fn receive(&mut self, bytes: &[u8]) {
        // A violation shows in the end: the reply is then not complete.
        let _ = self.client.receive(self.now, bytes);
    }

    fn is_complete(&mut self) -> bool {
        matches!(self.client.next_event(), Some(ClientEvent::Reply { .. }))
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (receiver, mode) = (arguments.next(), arguments.next());
    let (client, reply) = prepared();
    let now = Instant::now();
    let decoder = Decoder {
        decoder: FrameDecoder::new(),
        payload: 0,
        frames: 0,
    };
    let is_complete = match receiver.as_deref() {
        Some("decoder") => run(decoder, mode.as_deref(), &reply),
        Some("session") => run(Session { client, now }, mode.as_deref(), &reply),
        _ => None,
    };
    match is_complete {
        None => {
            eprintln!("usage: decode_cost decoder|session nothing|whole|collected|bytewise");
            ExitCode::from(2)
        }
        Some(is_complete) if is_complete == (mode.as_deref() != Some("nothing")) => {
            ExitCode::SUCCESS
        }
        Some(_) => {
            eprintln!("the reply was not received");
            ExitCode::FAILURE
        }
    }
}

fn run(mut receiver: impl Receiver, mode: Option<&str>, reply: &[u8]) -> Option<bool> {
    let mut buffer = vec![0; reply.len()];
    let mut reader = ByteByByte(reply);
    match mode? {
        // Nothing is received: what the preparation costs.
        "nothing" => {}
        // The whole reply at once.
        "whole" => receiver.receive(black_box(reply)),
        // One-byte reads into a buffer, and the whole of it at once.
        "collected" => {
            let mut filled = 0;
            while let Ok(read @ 1..) = reader.read(&mut buffer[filled..]) {
                filled += read;
            }
            receiver.receive(black_box(&buffer[..filled]));
        }
        // One-byte reads, each received as it comes.
        "bytewise" => {
            while let Ok(read @ 1..) = reader.read(&mut buffer[..1]) {
                receiver.receive(black_box(&buffer[..read]));
            }
        }
        _ => return None,
    }
    Some(receiver.is_complete())
}

/// A client with one call open, and the frame that answers it: as long as the protocol allows.
fn prepared() -> (Client, Vec<u8>) {
    let mut client = Client::new(&HelloRequest::new("decode_cost"), 1);
    let hello = HelloReply::new(1, Profile::Micronode, true);
    let hello = serde_json::to_vec(&hello).unwrap_or_default();
    let now = Instant::now();
    let request = Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability: b"",
        meta: b"{}",
    };
    let body_len = ron_app_sdk::MAX_BODY;
    let mut payload = vec![0, 0, 0, 2, b'{', b'}'];
    payload.resize(6 + body_len, 7);
    let answers = client.receive(now, &frame(Flags::RESP, 0, 0, &hello));
    let started = client.start(0, &request, 0, &mut Vec::new());
    debug_assert!(answers.is_ok() && started.is_ok());
    while client.next_event().is_some() {}
    let flags = Flags::RESP.with(Flags::START).with(Flags::END);
    let reply = frame(flags, Plane::Storage.id(), 1, &payload);
    debug_assert!(reply.len() <= MAX_FRAME);
    (client, reply)
}

fn frame(flags: Flags, app_proto_id: u16, corr_id: u64, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        len: 0,
        flags,
        code: 200,
        app_proto_id,
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    };
    let mut out = Vec::new();
    let frame = Frame {
        header,
        capability: b"",
        payload,
    };
    // A frame within the limits encodes without failing.
    let _ = frame.encode(&mut out);
    out
}
