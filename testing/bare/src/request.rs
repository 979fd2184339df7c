//! Requests, built once and sent many times.

use crate::frames::Frames;
use ron_app_sdk::oap::{CallContext, Flags, Header, Operation, MAX_BODY, MAX_CAPABILITY};
use ron_app_sdk::{AddrB3, IdemKey, Topic};
use std::borrow::Cow;

/// The digits of a key that count the calls. All 32 together are as long as the SDK's own keys.
const COUNTER: usize = 16;

/// A request's frames, in which only what differs from call to call is written again: the `corr_id`, and the
/// idempotency key of a mutation.
#[derive(Clone)]
pub struct Request {
    frames: Frames,
    /// Where the key's counting digits are.
    counter: Option<usize>,
    pub(crate) check: Check,
}

/// What a reply is compared with.
#[derive(Clone)]
pub(crate) enum Check {
    /// The body hashes to this.
    Object(AddrB3),
    /// The receipt names the address of this body.
    Stored(Vec<u8>),
    /// It succeeded.
    Success,
}

impl Request {
    /// A storage `get` of an object, which is verified.
    pub fn get(capability: &[u8], address: AddrB3) -> Self {
        let range = None;
        let operation = Operation::StorageGet { address, range };
        Self::new(&operation, capability, b"", Check::Object(address))
    }

    /// A storage `put`, whose receipt is compared with the body's hash. Every call has a key of its own.
    pub fn put(capability: &[u8], body: &[u8]) -> Self {
        let check = Check::Stored(body.to_vec());
        Self::new(&Operation::StoragePut, capability, body, check)
    }

    /// A mailbox `send`. Every call has a key of its own: it is another message.
    pub fn mailbox_send(capability: &[u8], topic: &Topic, body: &[u8]) -> Self {
        let (topic, attributes) = (topic.clone(), Cow::default());
        let operation = Operation::MailboxSend { topic, attributes };
        Self::new(&operation, capability, body, Check::Success)
    }

    /// # Panics
    /// In debug builds, where the protocol does not allow a request of this length.
    fn new(operation: &Operation<'_>, capability: &[u8], body: &[u8], check: Check) -> Self {
        debug_assert!(capability.len() <= MAX_CAPABILITY && body.len() <= MAX_BODY);
        // Distinct from what other requests of the same or another process start with.
        let key = IdemKey::random().ok().filter(|_| operation.is_keyed());
        let context = CallContext {
            deadline_ms: 5000,
            idem: key.clone(),
            attempt: 1,
            traceparent: None,
        };
        let mut meta = Vec::new();
        operation.encode(&context, &mut meta);

        let header = Header {
            len: 0,
            flags: Flags::REQ,
            code: 0,
            app_proto_id: operation.plane().id(),
            tenant_id: 0,
            cap_len: 0,
            corr_id: 0,
        };
        let frames = Frames::new(header, capability, &meta, body);
        let counter = key.and_then(|key| {
            let at = memchr::memmem::find(&frames.bytes, key.expose().as_bytes())?;
            Some(at + key.expose().len() - COUNTER)
        });
        Self {
            frames,
            counter,
            check,
        }
    }

    /// The frames as call number `corr_id` of its connection sends them.
    pub(crate) fn for_call(&mut self, corr_id: u64) -> &[u8] {
        count(&mut self.frames.bytes, self.counter, corr_id);
        self.frames.for_call(corr_id)
    }

    /// The same, appended to what is to be sent.
    pub(crate) fn append_for_call(&self, corr_id: u64, out: &mut Vec<u8>) {
        let start = out.len();
        self.frames.append_for_call(corr_id, out);
        count(&mut out[start..], self.counter, corr_id);
    }

    /// Bytes of all frames.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }
}

fn count(frames: &mut [u8], counter: Option<usize>, corr_id: u64) {
    if let Some(at) = counter {
        for (digit, byte) in frames[at..at + COUNTER].iter_mut().enumerate() {
            let shift = 60 - 4 * digit as u32;
            *byte = b"0123456789abcdef"[(corr_id >> shift) as usize & 15];
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::{split_meta, Frame, BODY_CHUNK};

    #[test]
    fn every_frame_carries_the_number_and_every_call_a_key_of_its_own() {
        let body = vec![7; 2 * BODY_CHUNK + 1];
        let mut request = Request::put(b"capability", &body);
        let mut keys = Vec::new();
        for corr_id in [1, 0xfedc_ba98] {
            let mut rest = request.for_call(corr_id);
            let (mut received, mut frames) = (Vec::new(), 0);
            while !rest.is_empty() {
                let (frame, after) = Frame::decode(rest).unwrap();
                assert_eq!(frame.header.corr_id, corr_id);
                let mut payload = frame.payload;
                if frame.header.is_start() {
                    assert_eq!(frame.capability, b"capability");
                    let (meta, body) = split_meta(payload).unwrap();
                    let plane = frame.header.app_proto_id;
                    let (context, operation) = Operation::decode(plane, meta).unwrap();
                    assert_eq!(operation, Operation::StoragePut);
                    keys.push(context.idem.unwrap());
                    payload = body;
                }
                received.extend_from_slice(payload);
                frames += 1;
                assert_eq!(frame.header.is_end(), after.is_empty());
                rest = after;
            }
            assert_eq!((frames, &received), (3, &body));
        }
        assert!(keys[0] != keys[1]);
        let mut appended = b"before".to_vec();
        request.append_for_call(7, &mut appended);
        assert_eq!(&appended[6..], request.for_call(7));
    }
}
