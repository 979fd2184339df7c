//! The gateway's side of one connection, reduced to what clients are measured with: an object that is known
//! beforehand, answered from prepared frames. It performs no I/O.

use crate::object::Object;
use memchr::memmem;
use ron_app_sdk::oap::control::Control;
use ron_app_sdk::oap::hello::{HelloReply, Profile};
use ron_app_sdk::oap::{
    ErrorReply, Executed, Flags, FrameDecoder, Header, ObjectReply, Operation, Part, Plane, Reason,
    StoragePutReply, HEADER_LEN,
};
use ron_bare::{Frames, Result};
use std::mem;
use std::ops::Range;
use std::sync::Arc;

/// More than any client has open.
const MAX_IN_FLIGHT: u32 = 4096;
/// A reply that is shorter is copied, so that it leaves with its neighbours.
const LARGE: usize = 16 * 1024;

/// One connection.
pub(crate) struct Responder {
    object: Arc<Object>,
    get_reply: Frames,
    put_reply: Frames,
    /// The object's address as requests name it.
    address: memmem::Finder<'static>,
    /// Whether gets wait until they are released.
    is_holding: bool,
    held: Vec<u64>,

    decoder: FrameDecoder,
    header: Option<Header>,
    /// `meta_len` and the meta of the frame that is being read, or the payload where it has no meta.
    start: Vec<u8>,
    last_corr: u64,
    requests: Vec<Open>,

    output: Output,
}

/// A request of which more is to come.
struct Open {
    corr_id: u64,
    plane: u16,
    kind: Kind,
    received: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Put,
    /// It has been answered with an error.
    Refused,
}

/// What is to be written.
#[derive(Default)]
struct Output {
    /// Small replies.
    small: Vec<u8>,
    /// All of it, in order.
    due: Vec<Due>,
}

enum Due {
    Small(Range<usize>),
    /// The object, as the reply to this call.
    Object(u64),
}

impl Responder {
    pub(crate) fn new(object: Arc<Object>, is_holding: bool) -> Result<Self> {
        let size = object.body.len() as u64;
        let got = ObjectReply {
            executed: Executed::No,
            address: object.address,
            size,
            range: None,
        };
        let stored = StoragePutReply {
            executed: Executed::Yes,
            replayed: false,
            address: object.address,
            size,
        };
        let storage = Plane::Storage.id();
        Ok(Self {
            get_reply: reply(200, storage, &serde_json::to_vec(&got)?, &object.body),
            put_reply: reply(200, storage, &serde_json::to_vec(&stored)?, b""),
            address: memmem::Finder::new(&object.address.to_string()).into_owned(),
            object,
            is_holding,
            held: Vec::new(),
            decoder: FrameDecoder::new(),
            header: None,
            start: Vec::new(),
            last_corr: 0,
            requests: Vec::new(),
            output: Output::default(),
        })
    }

    /// Takes bytes that have been received.
    pub(crate) fn consume(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some(part) = self.decoder.next_part(&mut bytes)? {
            match part {
                Part::Header(header) => self.begin(header)?,
                Part::Capability(_) => {}
                Part::Payload(payload) => self.take(payload)?,
                Part::End => self.end()?,
            }
        }
        Ok(())
    }

    /// Answers the gets that have been held, and holds no more.
    pub(crate) fn release(&mut self) {
        self.is_holding = false;
        for corr_id in mem::take(&mut self.held) {
            self.answer_get(corr_id);
        }
    }

    /// Whether gets wait until they are released.
    pub(crate) fn is_holding(&self) -> bool {
        self.is_holding
    }

    /// Hands everything that is due to `write`.
    pub(crate) fn write_due(&mut self, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Output { small, due } = &mut self.output;
        for due in due.drain(..) {
            match due {
                Due::Small(range) => write(&small[range])?,
                Due::Object(corr_id) => write(self.get_reply.for_call(corr_id))?,
            }
        }
        small.clear();
        Ok(())
    }

    fn begin(&mut self, header: Header) -> Result<()> {
        let is_call = header.app_proto_id != Plane::Control.id();
        if is_call && header.is_start() {
            if header.corr_id != self.last_corr + 1 {
                let (found, last) = (header.corr_id, self.last_corr);
                return Err(format!("call {found} was opened after call {last}").into());
            }
            self.last_corr += 1;
        } else if is_call && self.request(header.corr_id).is_none() {
            return Err(format!("call {} is not open", header.corr_id).into());
        }
        self.start.clear();
        self.header = Some(header);
        Ok(())
    }

    fn request(&mut self, corr_id: u64) -> Option<&mut Open> {
        self.requests.iter_mut().find(|r| r.corr_id == corr_id)
    }

    fn take(&mut self, mut payload: &[u8]) -> Result<()> {
        let Some(header) = self.header else {
            return Ok(());
        };
        if header.app_proto_id == Plane::Control.id() {
            self.start.extend_from_slice(payload);
            return Ok(());
        }
        if header.is_start() {
            while !payload.is_empty() && self.start.len() < self.start_len() {
                let missing = self.start_len() - self.start.len();
                let (part, rest) = payload.split_at(missing.min(payload.len()));
                self.start.extend_from_slice(part);
                payload = rest;
            }
            if payload.is_empty() {
                return Ok(());
            }
            if self.request(header.corr_id).is_none() {
                self.open(&header)?;
            }
        }
        self.take_body(header.corr_id, payload)
    }

    /// How long `meta_len` and the meta are, as far as is known.
    fn start_len(&self) -> usize {
        let meta_len = self.start.first_chunk::<4>().copied();
        meta_len.map_or(4, |bytes| 4 + u32::from_be_bytes(bytes) as usize)
    }

    /// Opens a call whose meta is complete.
    fn open(&mut self, header: &Header) -> Result<()> {
        let meta = self.meta();
        let is_storage = header.app_proto_id == Plane::Storage.id();
        let names_object = || self.address.find(meta).is_some();
        let kind = if is_storage && meta.starts_with(b"{\"op\":\"get\"") && names_object() {
            Kind::Get
        } else if is_storage && meta.starts_with(b"{\"op\":\"put\"") {
            Kind::Put
        } else {
            let reason = match Operation::decode(header.app_proto_id, meta) {
                Ok(_) => Reason::NotFound,
                Err(_) => Reason::UnknownOperation,
            };
            self.answer_error(header.app_proto_id, header.corr_id, reason)?;
            Kind::Refused
        };
        self.requests.push(Open {
            corr_id: header.corr_id,
            plane: header.app_proto_id,
            kind,
            received: 0,
        });
        Ok(())
    }

    fn meta(&self) -> &[u8] {
        self.start.get(4..).unwrap_or_default()
    }

    /// What is put has to be the object: it is compared as it comes.
    fn take_body(&mut self, corr_id: u64, body: &[u8]) -> Result<()> {
        let object = Arc::clone(&self.object);
        let Some(request) = self.request(corr_id) else {
            return Ok(());
        };
        let expected = object.body.get(request.received..).unwrap_or_default();
        if request.kind == Kind::Put && !expected.starts_with(body) {
            return Err("other bytes were put than the object's".into());
        }
        request.received += body.len();
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(header) = self.header.take() else {
            return Ok(());
        };
        if header.flags.contains(Flags::EVENT) {
            return self.control();
        }
        if header.app_proto_id == Plane::Control.id() {
            return self.hello(&header);
        }
        if header.is_start() && self.request(header.corr_id).is_none() {
            self.open(&header)?;
        }
        if header.is_end() {
            self.answer(header.corr_id)?;
        }
        Ok(())
    }

    fn answer(&mut self, corr_id: u64) -> Result<()> {
        let Some(index) = self.requests.iter().position(|r| r.corr_id == corr_id) else {
            return Ok(());
        };
        let request = self.requests.swap_remove(index);
        match request.kind {
            Kind::Get if self.is_holding => self.held.push(corr_id),
            Kind::Get => self.answer_get(corr_id),
            Kind::Put if request.received < self.object.body.len() => {
                return Err("fewer bytes were put than the object's".into());
            }
            Kind::Put => {
                let reply = &self.put_reply;
                self.output
                    .push_small(|out| reply.append_for_call(corr_id, out));
            }
            Kind::Refused => {}
        }
        Ok(())
    }

    fn answer_get(&mut self, corr_id: u64) {
        if self.get_reply.len() >= LARGE {
            self.output.due.push(Due::Object(corr_id));
            return;
        }
        let reply = &self.get_reply;
        self.output
            .push_small(|out| reply.append_for_call(corr_id, out));
    }

    fn answer_error(&mut self, plane: u16, corr_id: u64, reason: Reason) -> Result<()> {
        let meta = serde_json::to_vec(&ErrorReply::not_executed(reason))?;
        let reply = reply(reason.code(), plane, &meta, b"");
        self.output
            .push_small(|out| reply.append_for_call(corr_id, out));
        Ok(())
    }

    fn control(&mut self) -> Result<()> {
        match serde_json::from_slice(self.meta())? {
            Control::Ping { nonce } => {
                self.output
                    .push_small(|out| Control::Pong { nonce }.append_frame(out));
            }
            Control::Cancel { corr } => self.cancel(corr)?,
            Control::Pong { .. } | Control::Drain { .. } => {}
        }
        Ok(())
    }

    /// A call that was answered already needs nothing more.
    fn cancel(&mut self, corr_id: u64) -> Result<()> {
        let before = self.held.len();
        self.held.retain(|held| *held != corr_id);
        let held = (self.held.len() < before).then_some(Plane::Storage.id());
        let request = self.request(corr_id).filter(|r| r.kind != Kind::Refused);
        let incomplete = request.map(|request| {
            request.kind = Kind::Refused;
            request.plane
        });
        match held.or(incomplete) {
            Some(plane) => self.answer_error(plane, corr_id, Reason::Cancelled),
            None => Ok(()),
        }
    }

    fn hello(&mut self, header: &Header) -> Result<()> {
        let reply = HelloReply::new(MAX_IN_FLIGHT, Profile::Micronode, true);
        let payload = serde_json::to_vec(&reply)?;
        let header = Header {
            len: (HEADER_LEN + payload.len()) as u32,
            flags: Flags::RESP,
            code: 200,
            cap_len: 0,
            ..*header
        };
        self.output.push_small(|out| {
            out.extend_from_slice(&header.encode());
            out.extend_from_slice(&payload);
        });
        Ok(())
    }
}

impl Output {
    fn push_small(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.small.len();
        append(&mut self.small);
        let end = self.small.len();
        match self.due.last_mut() {
            Some(Due::Small(range)) => range.end = end,
            _ => self.due.push(Due::Small(start..end)),
        }
    }
}

/// A reply's frames.
fn reply(code: u16, plane: u16, meta: &[u8], body: &[u8]) -> Frames {
    let header = Header {
        len: 0,
        flags: Flags::RESP,
        code,
        app_proto_id: plane,
        tenant_id: 0,
        cap_len: 0,
        corr_id: 0,
    };
    Frames::new(header, b"", meta, body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::hello::HelloRequest;
    use ron_app_sdk::oap::{CallContext, MAX_BODY};
    use ron_app_sdk::session::{Client, ClientEvent, Request, Sent};
    use ron_app_sdk::AddrB3;
    use std::time::Instant;

    /// The SDK's own session on the other side.
    struct Pair {
        client: Client,
        responder: Responder,
        object: Arc<Object>,
    }

    impl Pair {
        fn new(len: usize, is_holding: bool) -> Self {
            let object = Arc::new(Object::of_len(len));
            let mut pair = Self {
                client: Client::new(&HelloRequest::new("test"), 1024),
                responder: Responder::new(Arc::clone(&object), is_holding).unwrap(),
                object,
            };
            pair.exchange(&[]).unwrap();
            assert_eq!(pair.events(), [ClientEvent::Ready]);
            pair
        }

        /// Sends what the client has to say, and these bytes, in pieces; hands back what is answered.
        fn exchange(&mut self, bytes: &[u8]) -> Result<()> {
            let mut sent = mem::take(self.client.control_output());
            sent.extend_from_slice(bytes);
            for piece in sent.chunks(1000) {
                self.responder.consume(piece)?;
            }
            let client = &mut self.client;
            self.responder
                .write_due(|bytes| Ok(client.receive(Instant::now(), bytes)?))
        }

        fn events(&mut self) -> Vec<ClientEvent> {
            std::iter::from_fn(|| self.client.next_event())
                .filter(|event| *event != ClientEvent::SlotFree)
                .collect()
        }

        /// Opens a call: its first frame, and how far that goes.
        fn begin(&mut self, operation: &Operation<'_>, body: &[u8]) -> (Vec<u8>, Sent) {
            let context = CallContext {
                deadline_ms: 1000,
                idem: None,
                attempt: 1,
                traceparent: None,
            };
            let mut meta = Vec::new();
            operation.encode(&context, &mut meta);
            let request = Request {
                plane: operation.plane(),
                tenant_id: 0,
                capability: b"capability",
                meta: &meta,
            };
            let mut bytes = Vec::new();
            let sent = self.client.start(7, &request, body.len(), &mut bytes);
            let sent = sent.unwrap();
            bytes.extend_from_slice(&body[sent.body.clone()]);
            (bytes, sent)
        }

        /// Makes a call, and returns its id.
        fn call(&mut self, operation: &Operation<'_>, body: &[u8]) -> Result<u64> {
            let (mut bytes, mut sent) = self.begin(operation, body);
            while !sent.is_end {
                let (corr_id, so_far) = (sent.corr_id, sent.body.end);
                let client = &mut self.client;
                sent = client
                    .resume(corr_id, so_far, body.len(), &mut bytes)
                    .unwrap();
                bytes.extend_from_slice(&body[sent.body.clone()]);
            }
            self.exchange(&bytes)?;
            Ok(sent.corr_id)
        }

        fn get(&mut self) -> u64 {
            let (address, range) = (self.object.address, None);
            self.call(&Operation::StorageGet { address, range }, b"")
                .unwrap()
        }

        fn replies(&mut self) -> Vec<(u16, usize)> {
            let replies = self.events().into_iter().map(|event| match event {
                ClientEvent::Reply { code, body, .. } => (code, body.len()),
                other => panic!("{other:?}"),
            });
            replies.collect()
        }
    }

    #[test]
    fn objects_of_all_lengths_are_got_and_put() {
        for len in [0, 64, 65_536, 65_537, 200_000, MAX_BODY] {
            let mut pair = Pair::new(len, false);
            for _ in 0..2 {
                pair.get();
                let [ClientEvent::Reply {
                    code: 200, body, ..
                }] = &pair.events()[..]
                else {
                    panic!("no reply of {len} bytes");
                };
                assert_eq!(AddrB3::of(body), pair.object.address);
                let body = pair.object.body.clone();
                pair.call(&Operation::StoragePut, &body).unwrap();
                assert_eq!(pair.replies(), [(200, 0)]);
            }
        }
    }

    #[test]
    fn other_bytes_than_the_objects_end_the_connection() {
        for body in [
            &[0; 64][..],
            &Object::of_len(63).body,
            &Object::of_len(65).body,
        ] {
            let mut pair = Pair::new(64, false);
            assert!(pair.call(&Operation::StoragePut, body).is_err());
        }
    }

    #[test]
    fn what_is_not_there_is_answered_once() {
        let mut pair = Pair::new(64, false);
        let (address, range) = (AddrB3::of(b"another"), None);
        pair.call(&Operation::StorageGet { address, range }, b"")
            .unwrap();
        assert_eq!(pair.replies(), [(404, 0)]);
        // Of several frames, and on a plane that is not there.
        let topic = ron_app_sdk::Topic::new("topic").unwrap();
        let attributes = Default::default();
        let send = Operation::MailboxSend { topic, attributes };
        pair.call(&send, &[0; 200_000]).unwrap();
        assert_eq!(pair.replies(), [(404, 0)]);
        pair.get();
        assert_eq!(pair.replies(), [(200, 64)]);
    }

    #[test]
    fn held_gets_wait_until_they_are_released_or_cancelled() {
        let mut pair = Pair::new(64, true);
        let first = pair.get();
        pair.get();
        assert_eq!(pair.events(), []);
        pair.client.cancel(first);
        pair.exchange(&[]).unwrap();
        assert_eq!(pair.client.open_calls(), 1);
        pair.responder.release();
        pair.exchange(&[]).unwrap();
        assert_eq!(pair.replies(), [(200, 64)]);
        pair.get();
        assert_eq!(pair.replies(), [(200, 64)]);
    }

    #[test]
    fn a_put_that_is_cancelled_halfway_leaves_the_connection_whole() {
        let mut pair = Pair::new(200_000, false);
        let body = pair.object.body.clone();
        let (bytes, sent) = pair.begin(&Operation::StoragePut, &body);
        assert!(!sent.is_end);
        pair.exchange(&bytes).unwrap();
        pair.client.cancel(sent.corr_id);
        pair.exchange(&[]).unwrap();
        assert_eq!((pair.client.open_calls(), pair.events()), (0, vec![]));
        pair.get();
        assert_eq!(pair.replies(), [(200, 200_000)]);
    }

    #[test]
    fn a_ping_is_answered() {
        let mut pair = Pair::new(64, false);
        pair.client.ping(5);
        pair.exchange(&[]).unwrap();
        assert_eq!(pair.events(), [ClientEvent::Pong { nonce: 5 }]);
    }

    #[test]
    fn calls_out_of_order_end_the_connection() {
        for corr_id in [0, 2] {
            let mut pair = Pair::new(64, false);
            let mut frame = reply(0, Plane::Storage.id(), b"{}", b"");
            assert!(pair.responder.consume(frame.for_call(corr_id)).is_err());
        }
    }
}
