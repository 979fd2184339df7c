//! A message's frames, as every sender splits it.

use ron_app_sdk::oap::{Flags, Header, BODY_CHUNK, HEADER_LEN};
use std::ops::Range;

/// Where `corr_id` lies in a header.
const CORR_ID: Range<usize> = 30..38;

/// A message's frames, built once and sent many times: only `corr_id` is written again.
#[derive(Clone)]
pub struct Frames {
    pub(crate) bytes: Vec<u8>,
    /// Where each frame starts.
    starts: Vec<usize>,
}

impl Frames {
    /// A message with this meta and body; its first frame carries the capability. All frames have what the header
    /// says but for START, END, the lengths and `corr_id`, which are each frame's own.
    pub fn new(header: Header, capability: &[u8], meta: &[u8], body: &[u8]) -> Self {
        let mut frames = Self {
            bytes: Vec::new(),
            starts: Vec::new(),
        };
        let (first, rest) = body.split_at(body.len().min(BODY_CHUNK));
        let mut chunks = rest.chunks(BODY_CHUNK).peekable();
        let flags = header.flags.with(Flags::START);
        let flags = flags.with_if(chunks.peek().is_none(), Flags::END);
        let meta_len = (meta.len() as u32).to_be_bytes();
        let start = Header { flags, ..header };
        frames.push(start, capability, &[&meta_len, meta, first]);
        while let Some(chunk) = chunks.next() {
            let flags = header.flags;
            let flags = flags.with_if(chunks.peek().is_none(), Flags::END);
            frames.push(Header { flags, ..header }, b"", &[chunk]);
        }
        frames
    }

    fn push(&mut self, header: Header, capability: &[u8], payload: &[&[u8]]) {
        let payload_len: usize = payload.iter().map(|part| part.len()).sum();
        let header = Header {
            len: (HEADER_LEN + capability.len() + payload_len) as u32,
            cap_len: capability.len() as u16,
            corr_id: 0,
            ..header
        };
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&header.encode());
        self.bytes.extend_from_slice(capability);
        for part in payload {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The frames as call number `corr_id` of its connection has them.
    pub fn for_call(&mut self, corr_id: u64) -> &[u8] {
        number(&mut self.bytes, &self.starts, corr_id);
        &self.bytes
    }

    /// The same, appended to what is to be sent.
    pub fn append_for_call(&self, corr_id: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        number(&mut out[start..], &self.starts, corr_id);
    }

    /// Bytes of all frames.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a message has a frame at least.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn number(frames: &mut [u8], starts: &[usize], corr_id: u64) {
    for start in starts {
        frames[start + CORR_ID.start..start + CORR_ID.end].copy_from_slice(&corr_id.to_be_bytes());
    }
}
