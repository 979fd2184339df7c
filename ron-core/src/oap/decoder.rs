//! Reading frames from a byte stream that may be cut anywhere.
//!
//! The decoder holds one header and nothing else: capability and payload are handed on as slices of
//! the input. What a frame may cost in memory is therefore its consumer's decision alone.

use super::frame::{check_len, FrameError, Header};
use super::HEADER_LEN;
use std::fmt;

/// What the decoder found next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A complete, checked header.
    Header(Header),
    /// Some bytes of the capability, never empty.
    Capability(&'a [u8]),
    /// Some bytes of the payload, never empty.
    Payload(&'a [u8]),
    /// The frame's last byte has been handed on.
    End,
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(header) => f.debug_tuple("Header").field(header).finish(),
            Self::Capability(bytes) => write!(f, "Capability({} bytes)", bytes.len()),
            Self::Payload(bytes) => write!(f, "Payload({} bytes)", bytes.len()),
            Self::End => f.write_str("End"),
        }
    }
}

/// An incremental frame reader without buffers.
///
/// ```
/// use ron_app_sdk::oap::{FrameDecoder, Part};
///
/// let frame = [0, 0, 0, 38, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
///              0, 0, 0, 0, 0, 0, 0, 0, 0, 42];
/// let mut decoder = FrameDecoder::new();
/// let (mut first, mut second) = frame.split_at(10);
/// assert_eq!(decoder.next_part(&mut first)?, None);
/// let Some(Part::Header(header)) = decoder.next_part(&mut second)? else { panic!() };
/// assert_eq!(header.corr_id, 42);
/// assert_eq!(decoder.next_part(&mut second)?, Some(Part::End));
/// # Ok::<(), ron_app_sdk::oap::FrameError>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    header: [u8; HEADER_LEN],
    have: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Body { capability: usize, payload: usize },
    Failed(FrameError),
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameDecoder {
    /// A decoder that expects the first byte of a frame.
    pub const fn new() -> Self {
        Self {
            header: [0; HEADER_LEN],
            have: 0,
            state: State::Header,
        }
    }

    /// Whether the next byte is the first one of a frame: a stream may end only here.
    pub const fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header) && self.have == 0
    }

    /// Bytes of payload that the current frame still holds.
    #[inline]
    pub const fn payload_left(&self) -> usize {
        match self.state {
            State::Body { payload, .. } => payload,
            _ => 0,
        }
    }

    /// Takes payload bytes from the front of `input`: none where the next part is something else. The same
    /// as [`FrameDecoder::next_part`] for the part that comes most often, at a fraction of its cost.
    #[inline]
    pub fn take_payload<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        match &mut self.state {
            State::Body {
                capability: 0,
                payload,
            } => take(input, payload),
            _ => &[],
        }
    }

    /// Takes the next part from the front of `input`, or `None` where more bytes are needed.
    ///
    /// # Errors
    /// A bad length is reported with its fourth byte, any other fault with the header's last one. An
    /// error is final: every later call repeats it.
    pub fn next_part<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, FrameError> {
        match self.state {
            State::Header => self.next_header(input),
            State::Body {
                capability: 0,
                payload: 0,
            } => {
                self.state = State::Header;
                Ok(Some(Part::End))
            }
            State::Body { .. } if input.is_empty() => Ok(None),
            State::Body {
                ref mut capability, ..
            } if *capability > 0 => Ok(Some(Part::Capability(take(input, capability)))),
            State::Body {
                ref mut payload, ..
            } => Ok(Some(Part::Payload(take(input, payload)))),
            State::Failed(error) => Err(error),
        }
    }

    fn next_header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, FrameError> {
        // Stop at four bytes first, so that a bad length is refused before the rest is waited for.
        for stop in [4, HEADER_LEN] {
            if self.have < stop {
                let mut missing = stop - self.have;
                let bytes = take(input, &mut missing);
                self.header[self.have..self.have + bytes.len()].copy_from_slice(bytes);
                self.have += bytes.len();
                if self.have < stop {
                    return Ok(None);
                }
                if stop == 4 {
                    let [a, b, c, d, ..] = self.header;
                    check_len([a, b, c, d]).map_err(|error| self.fail(error))?;
                }
            }
        }
        let header = Header::decode(&self.header).map_err(|error| self.fail(error))?;
        self.have = 0;
        self.state = State::Body {
            capability: header.cap_len as usize,
            payload: header.payload_len(),
        };
        Ok(Some(Part::Header(header)))
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        self.state = State::Failed(error);
        error
    }
}

#[inline]
/// Takes up to `left` bytes from the front of `input` and counts them off.
fn take<'a>(input: &mut &'a [u8], left: &mut usize) -> &'a [u8] {
    let (taken, rest) = input.split_at((*left).min(input.len()));
    *input = rest;
    *left -= taken.len();
    taken
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::oap::{Flags, Frame};
    use proptest::prelude::*;

    fn encode(capability: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Frame {
            header: Header {
                len: 0,
                flags: Flags::REQ.with(Flags::START),
                code: 0,
                app_proto_id: 7,
                tenant_id: 1,
                cap_len: 0,
                corr_id: 9,
            },
            capability,
            payload,
        }
        .encode(&mut out)
        .unwrap();
        out
    }

    /// Header, capability, payload.
    type Read = (Header, Vec<u8>, Vec<u8>);

    /// Everything the decoder says, with neighbouring slices of one kind joined.
    fn collect<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Read>, FrameError> {
        let mut decoder = FrameDecoder::new();
        let mut frames = Vec::new();
        let mut current: Option<Read> = None;
        for mut chunk in chunks {
            let quick = decoder.take_payload(&mut chunk);
            if !quick.is_empty() {
                current.as_mut().unwrap().2.extend(quick);
            }
            while let Some(part) = decoder.next_part(&mut chunk)? {
                match part {
                    Part::Header(header) => current = Some((header, Vec::new(), Vec::new())),
                    Part::Capability(bytes) => current.as_mut().unwrap().1.extend(bytes),
                    Part::Payload(bytes) => current.as_mut().unwrap().2.extend(bytes),
                    Part::End => frames.push(current.take().unwrap()),
                }
            }
            assert!(chunk.is_empty());
        }
        Ok(frames)
    }

    #[test]
    fn a_frame_cut_at_every_byte_is_resumed() {
        let bytes = encode(b"capability", b"payload");
        let whole = collect([&bytes[..]].into_iter()).unwrap();
        assert_eq!(whole.len(), 1);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(collect([first, second].into_iter()).unwrap(), whole);
        }
    }

    #[test]
    fn a_bad_length_fails_on_its_fourth_byte_and_stays_failed() {
        let mut decoder = FrameDecoder::new();
        let mut input = &[0xff, 0xff, 0xff][..];
        assert_eq!(decoder.next_part(&mut input), Ok(None));
        let mut input = &[0xff][..];
        let expected = Err(FrameError::Length(u32::MAX));
        assert_eq!(decoder.next_part(&mut input), expected);
        assert_eq!(decoder.next_part(&mut &b"anything"[..]), expected);
        assert!(!decoder.is_between_frames());
    }

    proptest! {
        #[test]
        fn any_split_reads_as_the_whole(
            frames in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..40),
                 proptest::collection::vec(any::<u8>(), 0..300)), 1..5),
            cuts in proptest::collection::vec(1usize..50, 1..60),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(c, p)| encode(c, p)).collect();
            let mut chunks = Vec::new();
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                chunks.push(chunk);
                rest = tail;
            }
            let read = collect(chunks.into_iter()).unwrap();
            prop_assert_eq!(read.len(), frames.len());
            for ((_, capability, payload), frame) in read.iter().zip(&frames) {
                prop_assert_eq!((capability, payload), (&frame.0, &frame.1));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8),
        ) {
            let _ = collect(chunks.iter().map(Vec::as_slice));
        }
    }
}
