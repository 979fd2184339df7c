//! Putting one message together from frames that may be cut anywhere.

use super::{Meta, Violation};
use crate::oap::frame::Header;
use crate::oap::{check_meta_len, MetaError, BODY_CHUNK, MAX_BODY};
use bytes::Bytes;

/// Frames without START, END or payload that one message may contain.
const EMPTY_FRAMES: u8 = 100;

/// A message in the making: meta, then body.
///
/// Memory follows what has arrived, not what was announced: at first a chunk is reserved, later three times as
/// much as has come.
#[derive(Default)]
pub(super) struct Assembly {
    meta_len: [u8; 4],
    have: usize,
    meta: Meta,
    meta_left: Option<usize>,
    body: Vec<u8>,
    empty_frames: u8,
}

impl Assembly {
    /// Accounts for the header of a frame of this message.
    pub(super) fn frame(&mut self, header: &Header) -> Result<(), Violation> {
        if header.payload_len() == 0 && !header.is_start() && !header.is_end() {
            self.empty_frames += 1;
            if self.empty_frames > EMPTY_FRAMES {
                return Err(Violation::Flood("empty frames"));
            }
        }
        Ok(())
    }

    /// Takes the meta's share of a START payload off the front of `chunk`. `room` is how much of the
    /// frame's payload is left, `chunk` included.
    pub(super) fn take_meta(&mut self, chunk: &mut &[u8], room: usize) -> Result<(), Violation> {
        let before = chunk.len();
        while self.have < 4 && !chunk.is_empty() {
            self.meta_len[self.have] = chunk[0];
            self.have += 1;
            *chunk = &chunk[1..];
        }
        if self.have < 4 {
            return Ok(());
        }
        if self.meta_left.is_none() {
            let room = room - (before - chunk.len());
            let len = check_meta_len(u32::from_be_bytes(self.meta_len), room)?;
            self.meta.reserve(len);
            self.meta_left = Some(len);
        }
        if let Some(left) = &mut self.meta_left {
            let (meta, rest) = chunk.split_at((*left).min(chunk.len()));
            self.meta.append(meta);
            *left -= meta.len();
            *chunk = rest;
        }
        Ok(())
    }

    /// Whether the meta is complete.
    pub(super) fn has_meta(&self) -> bool {
        self.meta_left == Some(0)
    }

    /// Checks, at the end of its START frame, that the meta is complete.
    pub(super) fn require_meta(&self) -> Result<(), Violation> {
        if self.has_meta() {
            Ok(())
        } else {
            Err(MetaError::NoLength(self.have).into())
        }
    }

    /// Appends body bytes; `more` is what the current frame still announces after them.
    pub(super) fn push_body(&mut self, chunk: &[u8], more: usize) {
        if self.body.capacity() == 0 {
            self.body
                .reserve_exact((chunk.len() + more).min(BODY_CHUNK));
        }
        let len = self.body.len() + chunk.len();
        if len > self.body.capacity() {
            // Faster than by doubling: what is moved is moved once or twice, and most of it never.
            self.body
                .reserve_exact((4 * len).min(MAX_BODY) - self.body.len());
        }
        self.body.extend_from_slice(chunk);
    }

    /// [`Assembly::push_body`] for bytes that need neither memory nor thought: false where they do.
    #[inline]
    pub(super) fn append_to_body(&mut self, chunk: &[u8]) -> bool {
        let room = self.body.capacity().min(MAX_BODY) - self.body.len();
        if chunk.len() > room || !self.has_meta() {
            return false;
        }
        match chunk {
            // A call of memcpy costs more than the byte.
            [byte] => self.body.push(*byte),
            _ => self.body.extend_from_slice(chunk),
        }
        true
    }

    /// The body so far.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Body bytes so far.
    pub(super) fn body_len(&self) -> usize {
        self.body.len()
    }

    /// The meta, which can be taken once.
    pub(super) fn take_meta_text(&mut self) -> Meta {
        std::mem::take(&mut self.meta)
    }

    /// The body, which can be taken once.
    pub(super) fn take_body(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.body))
    }

    /// Gives the body's memory back: nobody wants it any more.
    pub(super) fn discard_body(&mut self) {
        self.body = Vec::new();
    }
}

#[cfg(test)]
impl Assembly {
    pub(super) fn body_capacity(&self) -> usize {
        self.body.capacity()
    }
}
