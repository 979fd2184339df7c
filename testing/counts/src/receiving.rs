//! Receiving one reply of 1 MiB at once, and in reads of one byte each: the cost has to be linear.

use crate::codec::frame;
use ron_app_sdk::oap::hello::{HelloReply, HelloRequest, Profile};
use ron_app_sdk::oap::{Flags, FrameDecoder, Part, Plane};
use ron_app_sdk::session::{Client, ClientEvent, Request};
use ron_app_sdk::MAX_BODY;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

/// Takes bytes of a reply as they come.
pub trait Receiver {
    /// Takes some.
    fn receive(&mut self, bytes: &[u8]);

    /// Whether the reply is there.
    fn is_complete(&mut self) -> bool;
}

/// A reply and who receives it, once.
pub struct Receiving<R> {
    receiver: R,
    reply: Vec<u8>,
    buffer: Vec<u8>,
}

/// The frame decoder alone: it hands the payload on as slices, which are counted.
pub struct Decoder {
    decoder: FrameDecoder,
    payload: usize,
    frames: usize,
}

/// A whole session, with its accounts and limits.
pub struct Session {
    client: Client,
    now: Instant,
}

impl Receiving<Decoder> {
    /// By the decoder.
    pub fn decoder() -> Self {
        Self::new(Decoder {
            decoder: FrameDecoder::new(),
            payload: 0,
            frames: 0,
        })
    }
}

impl Receiving<Session> {
    /// By a session with this call open.
    pub fn session() -> Self {
        let mut client = Client::new(&HelloRequest::new("counts"), 1);
        let hello = HelloReply::new(1, Profile::Micronode, true);
        let hello = serde_json::to_vec(&hello).expect("a reply has text keys");
        let now = Instant::now();
        let hello = frame(Flags::RESP, 0, 0, &hello);
        client.receive(now, &hello).expect("a valid HELLO");
        while client.next_event().is_some() {}
        let request = Request {
            plane: Plane::Storage,
            tenant_id: 0,
            capability: b"",
            meta: b"{}",
        };
        let started = client.start(0, &request, 0, &mut Vec::new());
        started.expect("a free slot");
        Self::new(Session { client, now })
    }
}

impl<R: Receiver> Receiving<R> {
    fn new(receiver: R) -> Self {
        let payload = [&[0, 0, 0, 2, b'{', b'}'], &vec![7; MAX_BODY][..]].concat();
        let flags = Flags::RESP.with(Flags::START).with(Flags::END);
        let reply = frame(flags, Plane::Storage.id(), 1, &payload);
        Self {
            receiver,
            buffer: vec![0; reply.len()],
            reply,
        }
    }

    /// At once. After this, as after the others, the reply is complete.
    pub fn whole(&mut self) {
        self.receiver.receive(black_box(&self.reply));
        self.check();
    }

    /// In one-byte reads into a buffer, and then the whole of it at once.
    pub fn collected(&mut self) {
        let (mut reader, mut filled) = (ByteByByte(&self.reply), 0);
        while let Ok(read @ 1..) = reader.read(&mut self.buffer[filled..]) {
            filled += read;
        }
        self.receiver.receive(black_box(&self.buffer[..filled]));
        self.check();
    }

    /// In one-byte reads, each received as it comes.
    pub fn bytewise(&mut self) {
        let mut reader = ByteByByte(&self.reply);
        while let Ok(read @ 1..) = reader.read(&mut self.buffer[..1]) {
            self.receiver.receive(black_box(&self.buffer[..read]));
        }
        self.check();
    }

    fn check(&mut self) {
        assert!(self.receiver.is_complete(), "the reply is not complete");
    }
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
        self.frames == 1 && self.payload > MAX_BODY
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_ends_with_the_reply() {
        Receiving::decoder().whole();
        Receiving::decoder().collected();
        Receiving::decoder().bytewise();
        Receiving::session().whole();
        Receiving::session().collected();
        Receiving::session().bytewise();
    }
}
