//! Calls of a session, in memory.

use bytes::Bytes;
use ron_app_sdk::oap::hello::{HelloReply, HelloRequest, Profile};
use ron_app_sdk::oap::{CallContext, Executed, ObjectReply, Operation, Plane};
use ron_app_sdk::session::{Client, ClientEvent, Request, Server, ServerEvent, ServerLimits};
use ron_app_sdk::AddrB3;
use std::time::Instant;

/// As long as a token with a few caveats is.
const CAPABILITY: &[u8] = &[7; 160];

/// A client and a gateway's side, after HELLO, with memory for what passes between them.
pub struct Pair {
    client: Client,
    server: Server,
    now: Instant,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    request_meta: Vec<u8>,
    reply_meta: Vec<u8>,
    body: Bytes,
    reply_body: Bytes,
}

impl Pair {
    /// Whose calls get so many bytes.
    pub fn get(len: usize) -> Self {
        Self::new(Bytes::new(), crate::bytes(len).into())
    }

    /// Whose calls put so many bytes. Their meta is a get's: the session does not read metas.
    pub fn put(len: usize) -> Self {
        Self::new(crate::bytes(len).into(), Bytes::new())
    }

    fn new(body: Bytes, reply_body: Bytes) -> Self {
        let context = CallContext {
            deadline_ms: 5000,
            idem: None,
            attempt: 1,
            traceparent: None,
        };
        let address = AddrB3::of(b"object");
        let range = None;
        let mut request_meta = Vec::new();
        Operation::StorageGet { address, range }.encode(&context, &mut request_meta);
        let reply = ObjectReply {
            executed: Executed::No,
            address,
            size: reply_body.len() as u64,
            range,
        };
        let hello = HelloReply::new(64, Profile::Micronode, true);
        let mut pair = Self {
            client: Client::new(&HelloRequest::new("counts"), 64),
            server: Server::new(hello, ServerLimits::default()),
            now: Instant::now(),
            to_server: Vec::new(),
            to_client: Vec::new(),
            request_meta,
            reply_meta: serde_json::to_vec(&reply).expect("a reply has text keys"),
            body,
            reply_body,
        };
        pair.to_server.append(pair.client.control_output());
        pair.serve();
        pair.receive();
        while pair.client.next_event().is_some() {}
        // Once, so that memory is there.
        pair.call();
        pair
    }

    /// One call, there and back; returns the reply's length.
    pub fn call(&mut self) -> usize {
        self.to_server.clear();
        self.to_client.clear();
        self.send();
        self.serve();
        self.receive();
        self.take_reply()
    }

    fn send(&mut self) {
        let request = Request {
            plane: Plane::Storage,
            tenant_id: 0,
            capability: CAPABILITY,
            meta: &self.request_meta,
        };
        let (body, out) = (&self.body, &mut self.to_server);
        let sent = self.client.start(0, &request, body.len(), out);
        let mut sent = sent.expect("a free slot");
        let corr_id = sent.corr_id;
        loop {
            out.extend_from_slice(&body[sent.body.clone()]);
            match self.client.resume(corr_id, sent.body.end, body.len(), out) {
                Some(next) => sent = next,
                None => break,
            }
        }
    }

    fn serve(&mut self) {
        let received = self.server.receive(self.now, &self.to_server);
        received.expect("a valid request");
        while let Some(event) = self.server.next_event() {
            if let ServerEvent::Body { corr_id, .. } = event {
                let meta = self.reply_meta.clone();
                let body = self.reply_body.clone();
                self.server.answer(corr_id, 200, meta, body);
            }
        }
        while self.server.has_output() {
            self.server.output(&mut self.to_client, usize::MAX);
        }
    }

    fn receive(&mut self) {
        let received = self.client.receive(self.now, &self.to_client);
        received.expect("a valid reply");
    }

    fn take_reply(&mut self) -> usize {
        loop {
            match self.client.next_event() {
                Some(ClientEvent::Reply { body, .. }) => return body.len(),
                Some(_) => {}
                None => panic!("the reply is not complete"),
            }
        }
    }
}

/// The client's share of a call: the request's head, and the reply as it arrives.
pub struct ClientCall {
    pair: Pair,
    /// Where the frames of the prepared reply begin.
    frames: Vec<usize>,
}

impl ClientCall {
    /// That gets so many bytes.
    pub fn get(len: usize) -> Self {
        Self::new(Pair::get(len))
    }

    /// That puts so many bytes, which the session itself never sees.
    pub fn put(len: usize) -> Self {
        Self::new(Pair::put(len))
    }

    fn new(pair: Pair) -> Self {
        let (mut frames, mut at) = (Vec::new(), 0);
        while let Some(len) = pair.to_client[at..].first_chunk() {
            frames.push(at);
            at += u32::from_be_bytes(*len) as usize;
        }
        Self { pair, frames }
    }

    /// One call; returns the reply's length.
    pub fn call(&mut self) -> usize {
        let pair = &mut self.pair;
        pair.to_server.clear();
        let request = Request {
            plane: Plane::Storage,
            tenant_id: 0,
            capability: CAPABILITY,
            meta: &pair.request_meta,
        };
        let (len, out) = (pair.body.len(), &mut pair.to_server);
        let sent = pair.client.start(0, &request, len, out);
        let mut sent = sent.expect("a free slot");
        let corr_id = sent.corr_id;
        while let Some(next) = pair.client.resume(corr_id, sent.body.end, len, out) {
            sent = next;
        }
        for frame in &self.frames {
            pair.to_client[frame + 30..frame + 38].copy_from_slice(&corr_id.to_be_bytes());
        }
        pair.receive();
        pair.take_reply()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_answered_again_and_again() {
        for len in [64, 65_536, ron_app_sdk::MAX_BODY] {
            for (mut pair, reply) in [(Pair::get(len), len), (Pair::put(len), 0)] {
                assert_eq!([pair.call(), pair.call()], [reply; 2]);
            }
            for (mut call, reply) in [(ClientCall::get(len), len), (ClientCall::put(len), 0)] {
                assert_eq!([call.call(), call.call(), call.call()], [reply; 3]);
            }
        }
    }
}
