//! The gateway's role: take requests, answer them, and share one connection among the answers.

mod receive;

use crate::oap::control::Control;
use crate::oap::frame::Header;
use crate::oap::hello::{HelloReply, HelloRequest};
use crate::oap::{
    append_meta, ErrorReply, Executed, Flags, FrameDecoder, Part, Reason, BODY_CHUNK, DTO_VERSION,
    HEADER_LEN, MAX_BODY, MAX_CAPABILITY, MAX_META,
};
use crate::session::assembly::Assembly;
use crate::session::rate::RateWindow;
use crate::session::streams::{StreamKey, Streams};
use crate::session::{error_meta, Meta, Violation};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;
use zeroize::Zeroizing;

/// What one client may do on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Calls open at once. One more is answered 429; twice as many is a violation.
    pub max_in_flight: u32,
    /// Cancels a second, above which the connection is drained.
    pub max_cancels_per_second: u32,
    /// Control messages other than cancels a second, above which it is closed.
    pub max_controls_per_second: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 64,
            max_cancels_per_second: 100,
            max_controls_per_second: 100,
        }
    }
}

/// What a request says before its body.
pub struct RequestHead {
    /// The plane's number, whether or not there is such a plane.
    pub app_proto_id: u16,
    /// The tenant, 0 for none.
    pub tenant_id: u128,
    /// The capability, empty where none was sent.
    pub capability: Zeroizing<Vec<u8>>,
    /// The operation's DTO, to be decoded with [`Operation`](crate::oap::Operation).
    pub meta: Meta,
}

impl std::fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestHead")
            .field("app_proto_id", &self.app_proto_id)
            .finish_non_exhaustive()
    }
}

/// What happened on the connection.
pub enum ServerEvent {
    /// A client introduced itself.
    Hello(HelloRequest),
    /// A call began; it may be refused before its body is there.
    Request {
        /// The call.
        corr_id: u64,
        /// What it asks for.
        head: RequestHead,
    },
    /// A call's body is complete: it may be executed.
    Body {
        /// The call.
        corr_id: u64,
        /// The body.
        body: Bytes,
    },
    /// The session refused the call by itself: too many at once, or too long a body.
    Refused {
        /// The call.
        corr_id: u64,
        /// The status.
        code: u16,
    },
    /// Nobody waits for the answer any more. The call still has to be answered.
    Cancelled {
        /// The call.
        corr_id: u64,
    },
    /// The client answered a ping.
    Pong {
        /// The ping's number.
        nonce: u32,
    },
}

/// A connection from the gateway's side.
pub struct Server {
    decoder: FrameDecoder,
    target: Target,
    text: Vec<u8>,
    hello: HelloReply,
    is_ready: bool,
    limits: ServerLimits,
    last_corr: u64,
    drained_at: Option<u64>,
    drain_after_hello: Option<String>,
    streams: Streams<Stream>,
    /// Calls with an answer to write, in turn.
    answering: VecDeque<u64>,
    control: Vec<u8>,
    events: VecDeque<ServerEvent>,
    cancels: RateWindow,
    controls: RateWindow,
    frames: u64,
}

#[derive(Clone, Copy)]
enum Target {
    Hello(Header),
    Control,
    Request(Header, StreamKey),
    Discard,
}

struct Stream {
    app_proto_id: u16,
    tenant_id: u128,
    capability: Zeroizing<Vec<u8>>,
    message: Assembly,
    request_ended: bool,
    announced: bool,
    answer: Option<Answer>,
}

struct Answer {
    code: u16,
    meta: Vec<u8>,
    body: Bytes,
    sent: usize,
    started: bool,
}

impl Server {
    /// A connection that answers HELLO with `hello`, whose `max_inflight` is taken from `limits`.
    pub fn new(mut hello: HelloReply, limits: ServerLimits) -> Self {
        hello.max_inflight = u64::from(limits.max_in_flight);
        Self {
            decoder: FrameDecoder::new(),
            target: Target::Discard,
            text: Vec::new(),
            hello,
            is_ready: false,
            limits,
            last_corr: 0,
            drained_at: None,
            drain_after_hello: None,
            streams: Streams::new(),
            answering: VecDeque::new(),
            control: Vec::new(),
            events: VecDeque::new(),
            cancels: RateWindow::default(),
            controls: RateWindow::default(),
            frames: 0,
        }
    }

    /// Whether HELLO has been exchanged.
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Calls that are not both received and answered.
    pub fn open_calls(&self) -> usize {
        self.streams.len()
    }

    /// Whether a frame has begun and not ended.
    pub fn is_mid_frame(&self) -> bool {
        !self.decoder.is_between_frames()
    }

    /// Frames that have been received completely.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether new calls are refused.
    pub fn is_draining(&self) -> bool {
        self.drained_at.is_some()
    }

    /// Whether there is something to say that [`Server::output`] has not handed out.
    pub fn has_output(&self) -> bool {
        !self.control.is_empty() || !self.answering.is_empty()
    }

    /// Whether a draining connection has nothing left to do.
    pub fn is_finished(&self) -> bool {
        self.is_draining() && self.streams.is_empty() && !self.has_output()
    }

    /// What happened, oldest first.
    pub fn next_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Takes no new calls from now on and tells the client so, once. Before HELLO it waits for that: the client
    /// could not tell a drain from a refusal.
    pub fn drain(&mut self, reason: &str) {
        if !self.is_ready {
            self.drain_after_hello = Some(reason.to_owned());
        } else if self.drained_at.is_none() {
            self.drained_at = Some(self.last_corr);
            let message = Control::Drain {
                last_corr: self.last_corr,
                reason: reason.to_owned(),
            };
            message.append_frame(&mut self.control);
        }
    }

    /// Asks the client for a [`ServerEvent::Pong`].
    pub fn ping(&mut self, nonce: u32) {
        Control::Ping { nonce }.append_frame(&mut self.control);
    }

    /// Answers a call. The first answer counts; `meta` and `body` must keep the protocol's limits.
    pub fn answer(&mut self, corr_id: u64, code: u16, meta: Vec<u8>, body: Bytes) {
        debug_assert!(meta.len() <= MAX_META && body.len() <= MAX_BODY);
        if let Some(stream) = self.streams.get_mut(corr_id) {
            if stream.answer.is_none() {
                stream.message.discard_body();
                stream.answer = Some(Answer {
                    code,
                    meta,
                    body,
                    sent: 0,
                    started: false,
                });
                self.answering.push_back(corr_id);
            }
        }
    }

    /// Answers a call with an error. It replaces an answer that is not completely sent.
    pub fn refuse(&mut self, corr_id: u64, error: &ErrorReply) {
        let meta = error_meta(error);
        let (code, body) = (error.reason.code(), Bytes::new());
        match self.streams.get_mut(corr_id) {
            Some(Stream {
                answer: Some(answer),
                ..
            }) => {
                (answer.code, answer.meta, answer.body) = (code, meta, body);
                answer.sent = 0;
            }
            _ => self.answer(corr_id, code, meta, body),
        }
    }

    fn refuse_itself(&mut self, corr_id: u64, error: &ErrorReply) {
        self.refuse(corr_id, error);
        let code = error.reason.code();
        self.events
            .push_back(ServerEvent::Refused { corr_id, code });
    }

    /// Appends frames to `out` until it holds at least `enough` bytes or nothing is left to write. Answers
    /// take turns frame by frame, so that a large one never holds up a small one.
    pub fn output(&mut self, out: &mut Vec<u8>, enough: usize) {
        out.append(&mut self.control);
        while out.len() < enough {
            let Some(corr_id) = self.answering.pop_front() else {
                break;
            };
            let Some(stream) = self.streams.get_mut(corr_id) else {
                continue;
            };
            if stream.append_frame(corr_id, out) {
                if stream.request_ended {
                    self.streams.remove(corr_id);
                }
            } else {
                self.answering.push_back(corr_id);
            }
        }
    }

    /// Takes bytes from the client.
    ///
    /// # Errors
    /// [`Violation`]: the connection is to be closed, after its remaining output.
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
                    self.target = self.begin_frame(&header)?;
                }
                Part::Capability(chunk) => {
                    if let Target::Request(_, key) = self.target {
                        if let Some(stream) = self.streams.at(key) {
                            stream.capability.extend_from_slice(chunk);
                        }
                    }
                }
                Part::Payload(chunk) => self.payload(chunk)?,
                Part::End => {
                    self.frames += 1;
                    self.end_frame(now)?;
                }
            }
        }
    }
}

impl Answer {
    /// What the answer says of the call's effect.
    fn executed(&self) -> Executed {
        #[derive(serde::Deserialize)]
        struct Effect {
            executed: Executed,
        }
        let effect = serde_json::from_slice(&self.meta);
        effect.map_or(Executed::Unknown, |effect: Effect| effect.executed)
    }
}

impl Stream {
    /// Appends the answer's next frame; true where that was its last one.
    fn append_frame(&mut self, corr_id: u64, out: &mut Vec<u8>) -> bool {
        let Some(answer) = &mut self.answer else {
            return true;
        };
        let rest = answer.body.len() - answer.sent;
        let chunk = rest.min(BODY_CHUNK);
        let is_end = chunk == rest;
        let is_error = answer.code >= 400;
        let has_meta = !answer.started || is_error;
        let meta_len = if has_meta { 4 + answer.meta.len() } else { 0 };
        let header = Header {
            len: (HEADER_LEN + meta_len + chunk) as u32,
            flags: Flags::RESP
                .with_if(!answer.started, Flags::START)
                .with_if(is_end, Flags::END),
            code: answer.code,
            app_proto_id: self.app_proto_id,
            tenant_id: self.tenant_id,
            cap_len: 0,
            corr_id,
        };
        out.reserve(header.len as usize);
        out.extend_from_slice(&header.encode());
        if has_meta {
            append_meta(&answer.meta, out);
        }
        out.extend_from_slice(&answer.body[answer.sent..answer.sent + chunk]);
        answer.sent += chunk;
        answer.started = true;
        is_end
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("is_ready", &self.is_ready)
            .field("open_calls", &self.streams.len())
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}
