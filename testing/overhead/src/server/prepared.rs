//! Replies that are built once and sent many times.

use ron_app_sdk::oap::{Flags, Header, BODY_CHUNK, HEADER_LEN};
use std::ops::Range;

/// Where `corr_id` lies in a header.
const CORR_ID: Range<usize> = 30..38;

/// A reply's frames, complete but for `corr_id`.
pub(super) struct Prepared {
    frames: Vec<u8>,
    starts: Vec<usize>,
}

impl Prepared {
    /// No reply.
    pub(super) const fn empty() -> Self {
        Self {
            frames: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// A reply with this body, split as every sender splits it.
    pub(super) fn new(code: u16, plane: u16, meta: &[u8], body: &[u8]) -> Self {
        let mut prepared = Self::empty();
        let (first, rest) = body.split_at(body.len().min(BODY_CHUNK));
        let mut chunks = rest.chunks(BODY_CHUNK).peekable();
        let flags = Flags::RESP.with(Flags::START);
        let flags = flags.with_if(chunks.peek().is_none(), Flags::END);
        let meta_len = (meta.len() as u32).to_be_bytes();
        prepared.push_frame(flags, code, plane, &[&meta_len, meta, first]);
        while let Some(chunk) = chunks.next() {
            let flags = Flags::RESP.with_if(chunks.peek().is_none(), Flags::END);
            prepared.push_frame(flags, code, plane, &[chunk]);
        }
        prepared
    }

    fn push_frame(&mut self, flags: Flags, code: u16, plane: u16, payload: &[&[u8]]) {
        let payload_len: usize = payload.iter().map(|part| part.len()).sum();
        let header = Header {
            len: (HEADER_LEN + payload_len) as u32,
            flags,
            code,
            app_proto_id: plane,
            tenant_id: 0,
            cap_len: 0,
            corr_id: 0,
        };
        self.starts.push(self.frames.len());
        self.frames.extend_from_slice(&header.encode());
        payload
            .iter()
            .for_each(|part| self.frames.extend_from_slice(part));
    }

    /// The frames for this call.
    pub(super) fn for_call(&mut self, corr_id: u64) -> &[u8] {
        number(&mut self.frames, &self.starts, corr_id);
        &self.frames
    }

    /// The same, appended to what is due.
    pub(super) fn append_for_call(&self, corr_id: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.frames);
        number(&mut out[start..], &self.starts, corr_id);
    }

    /// Bytes of all frames.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

fn number(frames: &mut [u8], starts: &[usize], corr_id: u64) {
    for start in starts {
        frames[start + CORR_ID.start..start + CORR_ID.end].copy_from_slice(&corr_id.to_be_bytes());
    }
}
