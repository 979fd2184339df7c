//! Faults in the frames of one OAP connection.
//!
//! What the session wants to write passes through here, reply by reply, once a fault was decided for on
//! the connection. The session does not know: to it a call is answered when its reply was handed over.

use super::fault::Fault;
use super::Injection;
use ron_app_sdk::oap::control::Control;
use ron_app_sdk::oap::hello::HelloReply;
use ron_app_sdk::oap::{split_meta, Flags, Frame, Header, BODY_CHUNK, HEADER_LEN};
use ron_app_sdk::session::Server;
use std::collections::HashMap;
use std::mem::take;
use std::time::Duration;

/// The `corr_id` of replies that nobody asked for.
const NEVER_ISSUED: u64 = u64::MAX;

/// Between a session and its socket.
#[derive(Default)]
pub(crate) struct Wire {
    /// What happens to the replies of these calls.
    awaited: HashMap<u64, Injection>,
    /// Replies of which the end has not come.
    incomplete: HashMap<u64, Vec<u8>>,
    /// To be reversed.
    held: Vec<HeldReply>,
    /// To be swapped with the next one.
    misdirected: Option<HeldReply>,
    /// For how long the newly held replies wait at most.
    patience: Option<Duration>,
    hello: Option<Injection>,
    /// Written before anything else.
    inserted: Vec<u8>,
    endless: Option<Header>,
    /// The last call of a drain that was moved ahead.
    last_taken: Option<u64>,
    is_mute: bool,
}

struct HeldReply {
    injection: Injection,
    reply: CompleteReply,
}

/// Every frame of a reply.
struct CompleteReply {
    first: Header,
    last: Header,
    frames: Vec<u8>,
}

impl Wire {
    /// Takes a fault of a call that is about to be executed.
    pub(crate) fn take(&mut self, call: Header, injection: Injection) {
        if self.is_mute {
            return;
        }
        let mut insert = |edit: &dyn Fn(&mut [u8; HEADER_LEN])| {
            let mut bytes = call.encode();
            edit(&mut bytes);
            self.inserted.extend_from_slice(&bytes);
        };
        match injection.fault {
            Fault::RequestFromGateway => {
                let flags = Flags::REQ.with(Flags::START).with(Flags::END);
                insert(&|bytes| bytes[6..8].copy_from_slice(&flags.bits().to_be_bytes()));
            }
            Fault::BadLength { len } => {
                insert(&|bytes| bytes[0..4].copy_from_slice(&len.to_be_bytes()));
            }
            Fault::BadVersion { version } => {
                insert(&|bytes| bytes[4..6].copy_from_slice(&version.to_be_bytes()));
            }
            Fault::ReservedFlag { bits } => {
                let bits = bits | call.flags.bits();
                insert(&|bytes| bytes[6..8].copy_from_slice(&bits.to_be_bytes()));
            }
            Fault::StalledFrame { len } => {
                insert(&|bytes| bytes[0..4].copy_from_slice(&len.to_be_bytes()));
                self.is_mute = true;
            }
            Fault::PingFlood { count } => {
                for nonce in 0..count {
                    Control::Ping { nonce }.append_frame(&mut self.inserted);
                }
            }
            _ => {
                self.awaited.insert(call.corr_id, injection);
                return;
            }
        }
        injection.fire();
    }

    /// Takes a fault of the connection's HELLO, before that is answered.
    pub(crate) fn take_hello(&mut self, injection: Injection) {
        if matches!(injection.fault, Fault::HelloSilence) {
            self.is_mute = true;
            injection.fire();
        } else {
            self.hello = Some(injection);
        }
    }

    /// The session drains from now on, and the client is told that this was the last call that it took.
    pub(crate) fn drain_after(&mut self, last: u64) {
        self.last_taken = Some(self.last_taken.map_or(last, |taken| taken.min(last)));
    }

    /// Whether the client was told that this call was not taken.
    pub(crate) fn is_past_drain(&self, corr_id: u64) -> bool {
        self.last_taken.is_some_and(|last| corr_id > last)
    }

    /// Whether there is something to write that does not come from the session.
    pub(crate) fn has_output(&self) -> bool {
        !self.inserted.is_empty() || self.endless.is_some()
    }

    /// Whether a reply is held back that the session takes for written.
    pub(crate) fn holds_replies(&self) -> bool {
        !self.held.is_empty() || self.misdirected.is_some()
    }

    /// For how long replies that were held back since the last time may be; then
    /// [`release`](Self::release) is due.
    pub(crate) fn take_patience(&mut self) -> Option<Duration> {
        self.patience.take()
    }

    /// Gives out what is held, as far as it has come.
    pub(crate) fn release(&mut self) {
        let mut out = take(&mut self.inserted);
        self.reverse(&mut out);
        if let Some(alone) = self.misdirected.take() {
            out.extend_from_slice(&alone.reply.frames);
        }
        self.inserted = out;
    }

    /// Ends what would never end.
    pub(crate) fn finish(&mut self) {
        self.endless = None;
        self.release();
    }

    /// [`Server::output`], with the faults.
    pub(crate) fn output(&mut self, session: &mut Server, out: &mut Vec<u8>, enough: usize) {
        out.append(&mut self.inserted);
        let mut said = Vec::new();
        loop {
            said.clear();
            session.output(&mut said, enough);
            if said.is_empty() {
                break;
            }
            // A mute connection goes on without being heard.
            if !self.is_mute {
                self.pass_frames(&said, out);
            }
            if out.len() >= enough {
                break;
            }
        }
        if let Some(header) = self.endless {
            while out.len() < enough {
                out.extend_from_slice(&header.encode());
                out.resize(out.len() + BODY_CHUNK, 0);
            }
        }
    }

    fn pass_frames(&mut self, mut said: &[u8], out: &mut Vec<u8>) {
        while let Ok((frame, rest)) = Frame::decode(said) {
            let bytes = &said[..said.len() - rest.len()];
            self.pass_frame(&frame, bytes, out);
            said = rest;
        }
    }

    fn pass_frame(&mut self, frame: &Frame<'_>, bytes: &[u8], out: &mut Vec<u8>) {
        let header = frame.header;
        if header.flags.contains(Flags::EVENT) {
            return self.pass_control(frame, bytes, out);
        }
        if header.app_proto_id == 0 {
            return self.pass_hello(frame, bytes, out);
        }
        let corr_id = header.corr_id;
        if self.is_past_drain(corr_id) {
            return;
        }
        let frames = self.incomplete.entry(corr_id).or_default();
        frames.extend_from_slice(bytes);
        if !header.is_end() {
            return;
        }
        let frames = take(frames);
        self.incomplete.remove(&corr_id);
        let Ok((first, _)) = Frame::decode(&frames) else {
            return;
        };
        let reply = CompleteReply {
            first: first.header,
            last: header,
            frames,
        };
        match self.awaited.remove(&corr_id) {
            Some(injection) => self.pass_faulty(reply, injection, out),
            None => self.pass_reply(reply, out),
        }
    }

    fn pass_control(&self, frame: &Frame<'_>, bytes: &[u8], out: &mut Vec<u8>) {
        let message = split_meta(frame.payload).map(|(meta, _)| serde_json::from_slice(meta));
        match (message, self.last_taken) {
            (Ok(Ok(Control::Drain { last_corr, reason })), Some(last)) => {
                let last_corr = last_corr.min(last);
                Control::Drain { last_corr, reason }.append_frame(out);
            }
            _ => out.extend_from_slice(bytes),
        }
    }

    fn pass_hello(&mut self, frame: &Frame<'_>, bytes: &[u8], out: &mut Vec<u8>) {
        let hello = serde_json::from_slice::<HelloReply>(frame.payload);
        let fault = self.hello.as_ref().map(|injection| &injection.fault);
        if let (Ok(hello), Some(Fault::HelloMaxInflight { value })) = (hello, fault) {
            let changed = HelloReply {
                max_inflight: *value,
                ..hello
            };
            let payload = serde_json::to_vec(&changed).unwrap_or_default();
            let changed = Frame {
                payload: &payload,
                ..*frame
            };
            if changed.encode(out).is_ok() {
                return self.hello.take().into_iter().for_each(Injection::fire);
            }
        }
        out.extend_from_slice(bytes);
    }

    /// A reply without a fault of its own.
    fn pass_reply(&mut self, mut reply: CompleteReply, out: &mut Vec<u8>) {
        let plane = reply.first.app_proto_id;
        let is_same = |held: &mut HeldReply| held.reply.first.app_proto_id == plane;
        if let Some(mut held) = self.misdirected.take_if(is_same) {
            let (one, other) = (held.reply.first.corr_id, reply.first.corr_id);
            held.reply.send_as(other);
            reply.send_as(one);
            out.extend_from_slice(&held.reply.frames);
            held.injection.fire();
        }
        out.extend_from_slice(&reply.frames);
    }

    fn pass_faulty(&mut self, mut reply: CompleteReply, injection: Injection, out: &mut Vec<u8>) {
        let is_success = reply.last.code < 400;
        match injection.fault {
            Fault::DuplicateReply => {
                out.extend_from_slice(&reply.frames);
                out.extend_from_slice(&reply.frames);
            }
            Fault::StrayReply { count } => {
                let real = reply.frames.clone();
                reply.send_as(NEVER_ISSUED);
                for _ in 0..count {
                    out.extend_from_slice(&reply.frames);
                }
                out.extend_from_slice(&real);
            }
            Fault::LateAfterCancel { count } if reply.last.code == 499 => {
                out.extend_from_slice(&reply.frames);
                let header = Header {
                    code: 200,
                    ..reply.last
                };
                reply.frames[..HEADER_LEN].copy_from_slice(&header.encode());
                for _ in 0..count {
                    out.extend_from_slice(&reply.frames);
                }
            }
            Fault::EmptyFrames { count } if is_success => {
                out.extend_from_slice(&reply.without_end());
                let empty = reply.body_header(0).encode();
                for _ in 0..count {
                    out.extend_from_slice(&empty);
                }
                let mut end = reply.body_header(0);
                end.flags = end.flags.with(Flags::END);
                out.extend_from_slice(&end.encode());
            }
            Fault::EndlessBody if is_success => {
                out.extend_from_slice(&reply.without_end());
                self.endless = Some(reply.body_header(BODY_CHUNK));
            }
            Fault::ReorderReplies { count, within_ms } => {
                if self.held.is_empty() {
                    self.wait(within_ms);
                }
                self.held.push(HeldReply { injection, reply });
                if self.held.len() >= count as usize {
                    self.reverse(out);
                }
                return;
            }
            Fault::MisdirectedReply { within_ms } if self.misdirected.is_none() => {
                self.wait(within_ms);
                self.misdirected = Some(HeldReply { injection, reply });
                return;
            }
            // It does not fit this reply.
            _ => return self.pass_reply(reply, out),
        }
        injection.fire();
    }

    fn wait(&mut self, ms: u64) {
        let wait = Duration::from_millis(ms);
        self.patience = Some(self.patience.map_or(wait, |other| other.max(wait)));
    }

    fn reverse(&mut self, out: &mut Vec<u8>) {
        let is_alone = self.held.len() < 2;
        for held in take(&mut self.held).into_iter().rev() {
            out.extend_from_slice(&held.reply.frames);
            if !is_alone {
                held.injection.fire();
            }
        }
    }
}

impl CompleteReply {
    /// The reply under another call's number.
    fn send_as(&mut self, corr_id: u64) {
        let mut at = 0;
        while let Ok((frame, rest)) = Frame::decode(&self.frames[at..]) {
            let next = self.frames.len() - rest.len();
            let header = Header {
                corr_id,
                ..frame.header
            };
            self.frames[at..at + HEADER_LEN].copy_from_slice(&header.encode());
            at = next;
        }
    }

    fn without_end(&self) -> Vec<u8> {
        let mut frames = self.frames.clone();
        let at = frames.len() - self.last.len as usize;
        let flags = Flags::from_bits(self.last.flags.bits() & !Flags::END.bits());
        let header = Header {
            flags: flags.unwrap_or_default(),
            ..self.last
        };
        frames[at..at + HEADER_LEN].copy_from_slice(&header.encode());
        frames
    }

    /// The header of a frame in the middle of the reply.
    fn body_header(&self, payload: usize) -> Header {
        Header {
            len: (HEADER_LEN + payload) as u32,
            flags: Flags::RESP,
            ..self.last
        }
    }
}
