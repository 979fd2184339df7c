//! The client's role: open calls, hand replies to whom they belong.

mod receive;

use crate::oap::control::Control;
use crate::oap::frame::Header;
use crate::oap::hello::{HelloReply, HelloRequest};
use crate::oap::{
    append_meta, Flags, FrameDecoder, Part, Plane, BODY_CHUNK, CODE_CANCELLED, DTO_VERSION,
    HEADER_LEN, MAX_BODY, MAX_CAPABILITY, MAX_META, VERSION,
};
use crate::session::assembly::Assembly;
use crate::session::rate::RateWindow;
use crate::session::streams::{StreamKey, Streams};
use crate::session::{Meta, Violation};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// HELLO's `corr_id`, outside of the calls' own.
const HELLO_CORR_ID: u64 = 0;
/// Frames of ended calls that a connection survives.
const MAX_STRAYS: u32 = 16;
/// Calls that a gateway may end a second without having been asked to, before it is left.
const MAX_RESETS: u32 = 100;
/// Control messages a second that a gateway may send.
const MAX_CONTROLS: u32 = 100;

/// What a call sends, besides its body.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The plane.
    pub plane: Plane,
    /// The tenant, 0 for none.
    pub tenant_id: u128,
    /// The capability, at most [`MAX_CAPABILITY`] bytes.
    pub capability: &'a [u8],
    /// The meta, at most [`MAX_META`] bytes.
    pub meta: &'a [u8],
}

/// Why a call cannot be opened here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Every slot is taken: wait for [`ClientEvent::Reply`] or [`ClientEvent::Ready`].
    NoSlot,
    /// The connection takes no new calls: use another one.
    Draining,
    /// Longer than the protocol allows.
    TooLong,
}

/// What to write next for a call: a frame's head was appended to the output, and these bytes of the body
/// belong right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The call.
    pub corr_id: u64,
    /// Which bytes of the body follow the head.
    pub body: Range<usize>,
    /// Whether that was the request's last frame.
    pub is_end: bool,
}

/// What happened on the connection. `tag` is what the caller gave to [`Client::start`].
// Nearly all of them are replies, and none lives long.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// HELLO was answered: more calls may be opened.
    Ready,
    /// A call's answer, complete.
    Reply {
        /// Whose.
        tag: usize,
        /// The status.
        code: u16,
        /// The meta, empty where an error came without.
        meta: Meta,
        /// The body.
        body: Bytes,
    },
    /// The gateway is going away and certainly did not execute this call.
    NotExecuted {
        /// Whose.
        tag: usize,
    },
    /// The connection ended before this call was answered.
    Lost {
        /// Whose.
        tag: usize,
    },
    /// A slot is free again.
    SlotFree,
    /// The gateway answered a ping.
    Pong {
        /// The ping's number.
        nonce: u32,
    },
}

/// Counters of what was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stray {
    /// Frames of calls that had ended.
    pub late: u32,
    /// Answers to calls that had been cancelled.
    pub cancelled: u32,
}

/// A connection from the client's side.
pub struct Client {
    decoder: FrameDecoder,
    target: Target,
    hello: Option<HelloReply>,
    text: Vec<u8>,
    last_corr: u64,
    streams: Streams<Stream>,
    max_in_flight: usize,
    slots: usize,
    drained_at: Option<u64>,
    control: Vec<u8>,
    events: VecDeque<ClientEvent>,
    stray: Stray,
    resets: RateWindow,
    controls: RateWindow,
    give_up: bool,
    /// Answers that have begun and not ended.
    receiving: usize,
}

/// Where the current frame's payload goes.
#[derive(Clone, Copy)]
enum Target {
    Hello(u16),
    Control,
    Reply(Header, StreamKey),
    Discard,
}

struct Stream {
    /// `None` once nobody waits for the answer.
    tag: Option<usize>,
    plane: u16,
    tenant_id: u128,
    request_ended: bool,
    reply: Option<u16>,
    message: Assembly,
}

impl Client {
    /// A connection whose first output is HELLO. At most `max_in_flight` calls are open at once, whatever
    /// the gateway offers.
    pub fn new(hello: &HelloRequest, max_in_flight: usize) -> Self {
        let text = serde_json::to_vec(hello).unwrap_or_default();
        let mut control = Vec::with_capacity(HEADER_LEN + text.len());
        control.extend_from_slice(
            &frame_header(Flags::REQ, 0, 0, 0, HELLO_CORR_ID, text.len()).encode(),
        );
        control.extend_from_slice(&text);
        Self {
            decoder: FrameDecoder::new(),
            target: Target::Discard,
            hello: None,
            text: Vec::new(),
            last_corr: 0,
            streams: Streams::new(),
            max_in_flight: max_in_flight.max(1),
            // The first request may follow HELLO in the same flight.
            slots: 1,
            drained_at: None,
            control,
            events: VecDeque::new(),
            stray: Stray::default(),
            resets: RateWindow::default(),
            controls: RateWindow::default(),
            give_up: false,
            receiving: 0,
        }
    }

    /// What the gateway said about itself, once HELLO was answered.
    pub fn hello(&self) -> Option<&HelloReply> {
        self.hello.as_ref()
    }

    /// Whether new calls belong on another connection.
    pub fn is_draining(&self) -> bool {
        self.drained_at.is_some() || self.give_up
    }

    /// Calls that hold a slot: those waiting for an answer, and those cancelled and not yet answered.
    pub fn open_calls(&self) -> usize {
        self.streams.len()
    }

    /// How many calls may be open at once.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// What was dropped so far.
    pub fn stray(&self) -> Stray {
        self.stray
    }

    /// Whether an answer has begun and not ended.
    pub fn is_receiving(&self) -> bool {
        self.receiving > 0 || !self.decoder.is_between_frames()
    }

    /// Whether a call's answer has begun, or has been complete already.
    pub fn has_begun(&self, corr_id: u64) -> bool {
        self.streams
            .get(corr_id)
            .map_or(true, |stream| stream.reply.is_some())
    }

    /// What has come of an answer's body so far.
    pub(crate) fn body(&self, corr_id: u64) -> &[u8] {
        let stream = self.streams.get(corr_id);
        stream.map_or(&[], |stream| stream.message.body())
    }

    /// HELLO, pings and cancels that are to be written before anything else. Whoever takes them must
    /// write them.
    pub fn control_output(&mut self) -> &mut Vec<u8> {
        &mut self.control
    }

    /// What happened, oldest first.
    pub fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Opens a call: appends the head of its first frame to `out` and says which body bytes follow.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was appended.
    pub fn start(
        &mut self,
        tag: usize,
        request: &Request<'_>,
        body_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<Sent, Refusal> {
        let (capability, meta) = (request.capability, request.meta);
        if capability.len() > MAX_CAPABILITY || meta.len() > MAX_META || body_len > MAX_BODY {
            return Err(Refusal::TooLong);
        }
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        if self.streams.len() >= self.slots {
            return Err(Refusal::NoSlot);
        }
        self.last_corr += 1;
        let corr_id = self.last_corr;
        let chunk = body_len.min(BODY_CHUNK);
        let is_end = chunk == body_len;
        let payload = 4 + meta.len() + chunk;
        let flags = Flags::REQ.with(Flags::START).with_if(is_end, Flags::END);
        let (plane, tenant_id) = (request.plane.id(), request.tenant_id);
        let header = frame_header(flags, plane, tenant_id, capability.len(), corr_id, payload);
        out.extend_from_slice(&header.encode());
        out.extend_from_slice(capability);
        append_meta(meta, out);
        self.streams.insert(
            corr_id,
            Stream {
                tag: Some(tag),
                plane,
                tenant_id,
                request_ended: is_end,
                reply: None,
                message: Assembly::default(),
            },
        );
        Ok(Sent {
            corr_id,
            body: 0..chunk,
            is_end,
        })
    }

    /// Continues a request's body after its first `sent` bytes. `None` where the request has ended: by its
    /// last frame, or because it was answered or cancelled before.
    pub fn resume(
        &mut self,
        corr_id: u64,
        sent: usize,
        body_len: usize,
        out: &mut Vec<u8>,
    ) -> Option<Sent> {
        let stream = self.streams.get_mut(corr_id)?;
        if stream.request_ended {
            return None;
        }
        let end = body_len.min(sent + BODY_CHUNK);
        let is_end = end == body_len;
        stream.request_ended = is_end;
        let flags = Flags::REQ.with_if(is_end, Flags::END);
        let (plane, tenant_id) = (stream.plane, stream.tenant_id);
        let header = frame_header(flags, plane, tenant_id, 0, corr_id, end - sent);
        out.extend_from_slice(&header.encode());
        Some(Sent {
            corr_id,
            body: sent..end,
            is_end,
        })
    }

    /// Gives a call up: nobody hears of it again. Its slot is free when the gateway has answered.
    pub fn cancel(&mut self, corr_id: u64) {
        let Some(stream) = self.streams.get_mut(corr_id) else {
            return;
        };
        if stream.tag.take().is_none() {
            return;
        }
        stream.message.discard_body();
        // The cancel goes first: without it, an early END would make a shorter request of this one.
        Control::Cancel { corr: corr_id }.append_frame(&mut self.control);
        if !stream.request_ended {
            stream.request_ended = true;
            push_empty_end(&mut self.control, corr_id, stream.plane, stream.tenant_id);
        }
    }

    /// The connection has ended: every open call is [`ClientEvent::Lost`], and none can be opened.
    pub fn end(&mut self) {
        self.give_up = true;
        self.receiving = 0;
        self.control.clear();
        for corr_id in self.streams.ids_above(0) {
            let stream = self.streams.remove(corr_id);
            if let Some(tag) = stream.and_then(|stream| stream.tag) {
                self.events.push_back(ClientEvent::Lost { tag });
            }
        }
    }

    /// Asks the gateway for a [`ClientEvent::Pong`].
    pub fn ping(&mut self, nonce: u32) {
        Control::Ping { nonce }.append_frame(&mut self.control);
    }

    /// Takes bytes from the gateway.
    ///
    /// # Errors
    /// [`Violation`]: the connection is to be closed. Events up to that point are still valid.
    #[inline]
    pub fn receive(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Violation> {
        let mut chunk = self.decoder.take_payload(&mut bytes);
        if !chunk.is_empty() && self.append_to_body(chunk) {
            if self.decoder.payload_left() > 0 {
                return Ok(());
            }
            chunk = &[];
        }
        self.receive_parts(now, chunk, bytes)
    }

    /// Everything but the common case: `chunk` is payload that has been taken already, then come `bytes`.
    #[inline(never)]
    fn receive_parts(
        &mut self,
        now: Instant,
        chunk: &[u8],
        mut bytes: &[u8],
    ) -> Result<(), Violation> {
        if !chunk.is_empty() {
            self.payload(chunk)?;
        }
        loop {
            let Some(part) = self.decoder.next_part(&mut bytes)? else {
                return Ok(());
            };
            match part {
                Part::Header(header) => {
                    self.target = self.begin_frame(now, &header)?;
                }
                Part::Capability(_) => {
                    return Err(Violation::Unexpected("a capability from a gateway"))
                }
                Part::Payload(chunk) => self.payload(chunk)?,
                Part::End => self.end_frame(now)?,
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("hello", &self.hello)
            .field("open_calls", &self.streams.len())
            .field("slots", &self.slots)
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}

fn frame_header(
    flags: Flags,
    app_proto_id: u16,
    tenant_id: u128,
    cap_len: usize,
    corr_id: u64,
    payload: usize,
) -> Header {
    Header {
        len: (HEADER_LEN + cap_len + payload) as u32,
        flags,
        code: 0,
        app_proto_id,
        tenant_id,
        cap_len: cap_len as u16,
        corr_id,
    }
}

/// Ends a request's side without another body byte.
fn push_empty_end(out: &mut Vec<u8>, corr_id: u64, plane: u16, tenant_id: u128) {
    let flags = Flags::REQ.with(Flags::END);
    out.extend_from_slice(&frame_header(flags, plane, tenant_id, 0, corr_id, 0).encode());
}
