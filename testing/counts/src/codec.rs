//! Frames and metas.

use ron_app_sdk::oap::{
    CallContext, Executed, Flags, Frame, FrameDecoder, Header, ObjectReply, Operation, Part, Plane,
};
use ron_app_sdk::{AddrB3, IdemKey};

/// A reply of one frame.
pub struct ReplyFrame {
    header: Header,
    payload: Vec<u8>,
    encoded: Vec<u8>,
}

impl ReplyFrame {
    /// With a payload of so many bytes.
    pub fn new(len: usize) -> Self {
        let header = Header {
            len: 0,
            flags: Flags::RESP.with(Flags::START).with(Flags::END),
            code: 200,
            app_proto_id: Plane::Storage.id(),
            tenant_id: 0,
            cap_len: 0,
            corr_id: 1,
        };
        let mut frame = Self {
            header,
            payload: crate::bytes(len),
            encoded: Vec::new(),
        };
        // Once, so that memory is there.
        frame.encode();
        frame
    }

    /// Encodes it into memory that was there before; returns the frame's length.
    pub fn encode(&mut self) -> usize {
        self.encoded.clear();
        let frame = Frame {
            header: self.header,
            capability: b"",
            payload: &self.payload,
        };
        frame.encode(&mut self.encoded).expect("a short frame");
        self.encoded.len()
    }

    /// Decodes it as a stream's receiver does; returns the payload's length.
    pub fn decode(&self) -> usize {
        let (mut decoder, mut input, mut len) = (FrameDecoder::new(), &self.encoded[..], 0);
        while let Some(part) = decoder.next_part(&mut input).expect("a valid frame") {
            if let Part::Payload(bytes) = part {
                len += bytes.len();
            }
        }
        len
    }
}

/// The metas of a put and of a get's reply.
pub struct Metas {
    context: CallContext,
    out: Vec<u8>,
    reply: Vec<u8>,
}

impl Metas {
    /// With a key.
    pub fn new() -> Self {
        let reply = ObjectReply {
            executed: Executed::No,
            address: AddrB3::of(b"object"),
            size: 65_536,
            range: None,
        };
        Self {
            context: CallContext {
                deadline_ms: 5000,
                idem: Some(IdemKey::new("0123456789abcdef0123456789abcdef").expect("a valid key")),
                attempt: 1,
                traceparent: None,
            },
            out: Vec::with_capacity(1024),
            reply: serde_json::to_vec(&reply).expect("a reply has text keys"),
        }
    }

    /// Encodes the put's into memory that was there before; returns its length.
    pub fn encode(&mut self) -> usize {
        self.out.clear();
        Operation::StoragePut.encode(&self.context, &mut self.out);
        self.out.len()
    }

    /// Reads the reply's; returns the object's size.
    pub fn decode(&self) -> u64 {
        let reply: ObjectReply = serde_json::from_slice(&self.reply).expect("a valid meta");
        reply.size
    }
}

impl Default for Metas {
    fn default() -> Self {
        Self::new()
    }
}

/// A frame of the gateway's.
pub(crate) fn frame(flags: Flags, app_proto_id: u16, corr_id: u64, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        len: 0,
        flags,
        code: 200,
        app_proto_id,
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    };
    let frame = Frame {
        header,
        capability: b"",
        payload,
    };
    let mut out = Vec::new();
    frame.encode(&mut out).expect("a frame within the limits");
    out
}
