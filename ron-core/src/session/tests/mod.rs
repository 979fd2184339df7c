//! Both roles against each other, and against hand-made frames, without a socket.
#![allow(clippy::unwrap_used)]

mod calls;
mod connection;
mod hostile;
mod properties;
mod slots;

use super::*;
use crate::oap::control::Control;
use crate::oap::frame::Header;
use crate::oap::hello::{HelloReply, HelloRequest, Profile};
use crate::oap::{
    split_meta, ErrorReply, Executed, Flags, Frame, FrameError, Plane, Reason, BODY_CHUNK,
    MAX_BODY, MAX_CAPABILITY,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const REQ: Flags = Flags::REQ;
const RESP: Flags = Flags::RESP;
const START: Flags = Flags::START;
const END: Flags = Flags::END;

/// A call that asks for nothing in particular.
const REQUEST: Request<'static> = Request {
    plane: Plane::Storage,
    tenant_id: 0,
    capability: b"token",
    meta: b"{}",
};

struct Pair {
    client: Client,
    server: Server,
    now: Instant,
}

impl Pair {
    /// Both roles, before HELLO.
    fn new(limits: ServerLimits) -> Self {
        Self {
            client: Client::new(&HelloRequest::new("test"), 256),
            server: Server::new(HelloReply::new(1, Profile::Micronode, true), limits),
            now: Instant::now(),
        }
    }

    /// Both roles, after HELLO.
    fn ready() -> Self {
        let mut pair = Self::new(ServerLimits::default());
        pair.exchange();
        assert_eq!(pair.client.next_event(), Some(ClientEvent::Ready));
        assert!(matches!(
            pair.server.next_event(),
            Some(ServerEvent::Hello(_))
        ));
        pair
    }

    fn send_to_server(&mut self) {
        let bytes = std::mem::take(self.client.control_output());
        self.server.receive(self.now, &bytes).unwrap();
    }

    fn server_output(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.server.output(&mut bytes, usize::MAX);
        bytes
    }

    fn send_to_client(&mut self) {
        let bytes = self.server_output();
        self.client.receive(self.now, &bytes).unwrap();
    }

    fn exchange(&mut self) {
        self.send_to_server();
        self.send_to_client();
        self.send_to_server();
    }

    /// The bytes of a complete request.
    fn request(&mut self, tag: usize, body: &[u8]) -> (u64, Vec<u8>) {
        let mut out = Vec::new();
        let mut sent = self
            .client
            .start(tag, &REQUEST, body.len(), &mut out)
            .unwrap();
        let corr_id = sent.corr_id;
        out.extend_from_slice(&body[sent.body.clone()]);
        while let Some(next) = self
            .client
            .resume(corr_id, sent.body.end, body.len(), &mut out)
        {
            out.extend_from_slice(&body[next.body.clone()]);
            sent = next;
        }
        (corr_id, out)
    }

    /// Sends a complete request and returns its id.
    fn call(&mut self, tag: usize, body: &[u8]) -> u64 {
        let (corr_id, bytes) = self.request(tag, body);
        self.server.receive(self.now, &bytes).unwrap();
        corr_id
    }

    fn replies(&mut self) -> Vec<(usize, u16, Bytes)> {
        std::iter::from_fn(|| self.client.next_event())
            .filter_map(|event| match event {
                ClientEvent::Reply {
                    tag, code, body, ..
                } => Some((tag, code, body)),
                _ => None,
            })
            .collect()
    }

    fn bodies(&mut self) -> Vec<(u64, Bytes)> {
        std::iter::from_fn(|| self.server.next_event())
            .filter_map(|event| match event {
                ServerEvent::Body { corr_id, body } => Some((corr_id, body)),
                _ => None,
            })
            .collect()
    }
}

fn ok_meta() -> Vec<u8> {
    b"{}".to_vec()
}

/// A frame by hand: `meta` is written with its length where there is one.
fn frame(
    flags: Flags,
    code: u16,
    app: u16,
    corr_id: u64,
    meta: Option<&[u8]>,
    body: &[u8],
) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(meta) = meta {
        crate::oap::append_meta(meta, &mut payload);
    }
    payload.extend_from_slice(body);
    let header = Header {
        len: 0,
        flags,
        code,
        app_proto_id: app,
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    };
    let mut out = Vec::new();
    let frame = Frame {
        header,
        capability: b"",
        payload: &payload,
    };
    frame.encode(&mut out).unwrap();
    out
}

fn whole_reply(corr_id: u64, body: &[u8]) -> Vec<u8> {
    frame(
        RESP.with(START).with(END),
        200,
        0x0301,
        corr_id,
        Some(b"{}"),
        body,
    )
}

fn control(message: &Control) -> Vec<u8> {
    let mut out = Vec::new();
    message.append_frame(&mut out);
    out
}
