//! One frame: a 38-byte header, the capability, the payload.
//!
//! Every integer is big-endian. A frame that breaks a rule is refused whole; since the stream cannot
//! be resynchronised afterwards, the error is fatal for its connection.

use super::{HEADER_LEN, MAX_FRAME, VERSION};

/// The header's flag bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// Client to gateway.
    pub const REQ: Self = Self(1);
    /// Gateway to client.
    pub const RESP: Self = Self(2);
    /// Either way, belonging to no call.
    pub const EVENT: Self = Self(4);
    /// The first frame of a stream: its payload starts with the meta.
    pub const START: Self = Self(8);
    /// The last frame of a stream in its direction.
    pub const END: Self = Self(16);
    /// Reserved for flow control.
    pub const ACK_REQ: Self = Self(32);
    /// The body bytes are compressed with zstd.
    pub const COMP: Self = Self(64);
    /// The body bytes are opaque to the gateway.
    pub const APP_E2E: Self = Self(128);

    const KNOWN: u16 = 0xff;

    /// The flags with these bits, or `None` where an undefined bit is set.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits & !Self::KNOWN == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits on the wire.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` with `other` added where `condition` holds.
    #[must_use]
    pub const fn with_if(self, condition: bool, other: Self) -> Self {
        if condition {
            self.with(other)
        } else {
            self
        }
    }
}

/// A frame's header without the fields that follow from the frame itself (`ver`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The whole frame in bytes, header included: [`HEADER_LEN`] to [`MAX_FRAME`].
    pub len: u32,
    /// The frame's role in its stream.
    pub flags: Flags,
    /// 0 in a request, an HTTP-like status in a reply.
    pub code: u16,
    /// The plane; see [`Plane`](super::Plane).
    pub app_proto_id: u16,
    /// The tenant, 0 for none.
    pub tenant_id: u128,
    /// Bytes of capability between header and payload; above 0 only with [`Flags::START`].
    pub cap_len: u16,
    /// The call that the frame belongs to.
    pub corr_id: u64,
}

impl Header {
    /// Bytes of payload.
    pub const fn payload_len(&self) -> usize {
        (self.len as usize)
            .saturating_sub(HEADER_LEN)
            .saturating_sub(self.cap_len as usize)
    }

    /// Whether the frame opens its stream.
    pub const fn is_start(&self) -> bool {
        self.flags.contains(Flags::START)
    }

    /// Whether the frame ends its stream in its direction.
    pub const fn is_end(&self) -> bool {
        self.flags.contains(Flags::END)
    }

    /// The 38 bytes on the wire.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[0..4].copy_from_slice(&self.len.to_be_bytes());
        out[4..6].copy_from_slice(&VERSION.to_be_bytes());
        out[6..8].copy_from_slice(&self.flags.bits().to_be_bytes());
        out[8..10].copy_from_slice(&self.code.to_be_bytes());
        out[10..12].copy_from_slice(&self.app_proto_id.to_be_bytes());
        out[12..28].copy_from_slice(&self.tenant_id.to_be_bytes());
        out[28..30].copy_from_slice(&self.cap_len.to_be_bytes());
        out[30..38].copy_from_slice(&self.corr_id.to_be_bytes());
        out
    }

    /// Reads and checks a header.
    ///
    /// # Errors
    /// Every [`FrameError`] but [`FrameError::Truncated`].
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let mut tenant = [0; 16];
        tenant.copy_from_slice(&bytes[12..28]);
        let mut corr = [0; 8];
        corr.copy_from_slice(&bytes[30..38]);

        let len = check_len([bytes[0], bytes[1], bytes[2], bytes[3]])?;
        let version = u16_at(4);
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let flags = Flags::from_bits(u16_at(6)).ok_or(FrameError::Flags(u16_at(6)))?;
        let header = Self {
            len,
            flags,
            code: u16_at(8),
            app_proto_id: u16_at(10),
            tenant_id: u128::from_be_bytes(tenant),
            cap_len: u16_at(28),
            corr_id: u64::from_be_bytes(corr),
        };
        if header.cap_len > 0 && !header.is_start() {
            return Err(FrameError::CapabilityWithoutStart(header.cap_len));
        }
        let room = len as usize - HEADER_LEN;
        if header.cap_len as usize > room {
            return Err(FrameError::CapabilityPastFrame {
                cap_len: header.cap_len,
                room,
            });
        }
        Ok(header)
    }
}

/// Checks the length in a frame's first four bytes, before anything else is read or allocated.
pub(crate) fn check_len(bytes: [u8; 4]) -> Result<u32, FrameError> {
    let len = u32::from_be_bytes(bytes);
    if (HEADER_LEN..=MAX_FRAME).contains(&(len as usize)) {
        Ok(len)
    } else {
        Err(FrameError::Length(len))
    }
}

/// A complete frame, borrowed from the bytes that hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header; `len` and `cap_len` agree with the slices.
    pub header: Header,
    /// The capability, empty for none.
    pub capability: &'a [u8],
    /// What follows.
    pub payload: &'a [u8],
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; the second value is what follows it.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] where the frame is not complete yet, any other where it never will be.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FrameError> {
        let truncated = |need| FrameError::Truncated {
            have: bytes.len(),
            need,
        };
        let len_bytes = bytes.first_chunk::<4>().ok_or(truncated(4))?;
        let len = check_len(*len_bytes)? as usize;
        let header = bytes
            .first_chunk::<HEADER_LEN>()
            .ok_or(truncated(HEADER_LEN))?;
        let header = Header::decode(header)?;
        let frame = bytes.get(HEADER_LEN..len).ok_or(truncated(len))?;
        let (capability, payload) = frame.split_at(header.cap_len as usize);
        Ok((
            Self {
                header,
                capability,
                payload,
            },
            &bytes[len..],
        ))
    }

    /// Appends the frame to `out`, with `len` and `cap_len` taken from the slices.
    ///
    /// # Errors
    /// [`FrameError`] where the slices make a frame that no receiver accepts; `out` is then unchanged.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let len = HEADER_LEN + self.capability.len() + self.payload.len();
        let header = Header {
            len: u32::try_from(len).unwrap_or(u32::MAX),
            cap_len: u16::try_from(self.capability.len())
                .map_err(|_| FrameError::Length(u32::try_from(len).unwrap_or(u32::MAX)))?,
            ..self.header
        };
        let encoded = header.encode();
        Header::decode(&encoded)?;
        out.reserve(len);
        out.extend_from_slice(&encoded);
        out.extend_from_slice(self.capability);
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// `len` outside of its bounds; known after four bytes.
    #[error("len {0} is outside of {HEADER_LEN}..={MAX_FRAME}")]
    Length(u32),
    /// A version other than 1.
    #[error("ver {0} is not {VERSION}")]
    Version(u16),
    /// Undefined flag bits.
    #[error("flags {0:#06x} have undefined bits")]
    Flags(u16),
    /// A capability in a frame that does not open a stream.
    #[error("cap_len {0} without START")]
    CapabilityWithoutStart(u16),
    /// A capability longer than the frame.
    #[error("cap_len {cap_len} reaches past the end of the frame ({room} bytes left)")]
    CapabilityPastFrame {
        /// The announced length.
        cap_len: u16,
        /// What the frame has left after its header.
        room: usize,
    },
    /// Not all of it is there yet.
    #[error("{have} bytes of a frame of which {need} are needed")]
    Truncated {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed for the next step.
        need: usize,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(flags: Flags) -> Header {
        Header {
            len: 0,
            flags,
            code: 0,
            app_proto_id: 0,
            tenant_id: 0,
            cap_len: 0,
            corr_id: 0,
        }
    }

    /// `name hex` lines, made by an independent encoder.
    fn vectors() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        include_str!("../../../testing/vectors/frames.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let (name, hex) = line.split_once(' ').unwrap();
                let bytes = (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
                    .collect();
                (name, bytes)
            })
    }

    fn vector(name: &str) -> Vec<u8> {
        vectors().find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn golden_hello() {
        let frame = Frame {
            header: Header {
                tenant_id: 0xAA,
                corr_id: 42,
                ..header(Flags::REQ)
            },
            capability: b"",
            payload: br#"{"ua":"sdk/0.1"}"#,
        };
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        assert_eq!(out, vector("hello"));
    }

    #[test]
    fn golden_request_with_capability() {
        let frame = Frame {
            header: Header {
                app_proto_id: 9,
                tenant_id: 0xDEAD,
                corr_id: 777,
                ..header(
                    Flags::REQ
                        .with(Flags::START)
                        .with(Flags::ACK_REQ)
                        .with(Flags::END),
                )
            },
            capability: b"macaroon",
            payload: b"body",
        };
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        assert_eq!(out, vector("request_with_capability"));
    }

    #[test]
    fn golden_empty_request() {
        let frame = Frame {
            header: Header {
                app_proto_id: 0x0301,
                tenant_id: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
                corr_id: 0x1122_3344_5566_7788,
                ..header(Flags::REQ.with(Flags::START).with(Flags::END))
            },
            capability: b"",
            payload: b"",
        };
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        assert_eq!(out, vector("empty_request"));
    }

    #[test]
    fn golden_frames_decode_and_encode_to_the_same_bytes() {
        let mut seen = 0;
        for (name, bytes) in vectors() {
            let (frame, rest) = Frame::decode(&bytes).unwrap();
            assert!(rest.is_empty(), "{name}");
            let mut again = Vec::new();
            frame.encode(&mut again).unwrap();
            assert_eq!(again, bytes, "{name}");
            seen += 1;
        }
        assert!(seen >= 3);
    }

    #[test]
    fn every_documented_malformation_is_refused() {
        let good = vector("request_with_capability");
        let patched = |at: usize, bytes: &[u8]| {
            let mut frame = good.clone();
            frame[at..at + bytes.len()].copy_from_slice(bytes);
            frame
        };
        let cases: [(Vec<u8>, FrameError); 8] = [
            (patched(4, &[0, 2]), FrameError::Version(2)),
            (patched(6, &[1, 0x39]), FrameError::Flags(0x0139)),
            (patched(0, &[0, 0, 0, 0]), FrameError::Length(0)),
            (patched(0, &[0, 0, 0, 37]), FrameError::Length(37)),
            (
                patched(0, &1_048_577u32.to_be_bytes()),
                FrameError::Length(1_048_577),
            ),
            (patched(0, &[0xff; 4]), FrameError::Length(u32::MAX)),
            (
                patched(6, &[0, 0x31]),
                FrameError::CapabilityWithoutStart(8),
            ),
            (
                patched(28, &[0, 13]),
                FrameError::CapabilityPastFrame {
                    cap_len: 13,
                    room: 12,
                },
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Frame::decode(&bytes).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_bad_length_is_refused_on_four_bytes() {
        assert_eq!(
            Frame::decode(&[0, 0x10, 0, 1]).unwrap_err(),
            FrameError::Length(1_048_577)
        );
        assert!(matches!(
            Frame::decode(&[0, 0x10, 0, 0]),
            Err(FrameError::Truncated { have: 4, need: 38 })
        ));
    }

    #[test]
    fn encode_refuses_what_no_receiver_accepts() {
        let mut out = Vec::new();
        let huge = vec![0; MAX_FRAME];
        let frame = Frame {
            header: header(Flags::REQ.with(Flags::START)),
            capability: b"",
            payload: &huge,
        };
        assert!(matches!(frame.encode(&mut out), Err(FrameError::Length(_))));
        let frame = Frame {
            header: header(Flags::REQ),
            capability: b"c",
            payload: b"",
        };
        assert_eq!(
            frame.encode(&mut out),
            Err(FrameError::CapabilityWithoutStart(1))
        );
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn frames_round_trip(
            flags in 0u16..256, code: u16, app_proto_id: u16, tenant_id: u128, corr_id: u64,
            capability in proptest::collection::vec(any::<u8>(), 0..100),
            payload in proptest::collection::vec(any::<u8>(), 0..4096),
        ) {
            let flags = Flags::from_bits(flags).unwrap();
            let flags = flags.with_if(!capability.is_empty(), Flags::START);
            let frame = Frame {
                header: Header {
                    len: (HEADER_LEN + capability.len() + payload.len()) as u32,
                    flags, code, app_proto_id, tenant_id,
                    cap_len: capability.len() as u16,
                    corr_id,
                },
                capability: &capability,
                payload: &payload,
            };
            let mut bytes = Vec::new();
            frame.encode(&mut bytes).unwrap();
            prop_assert_eq!(Frame::decode(&bytes).unwrap(), (frame, &[][..]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(
            mut bytes in proptest::collection::vec(any::<u8>(), 38..200),
        ) {
            let len = bytes.len() as u32;
            bytes[0..4].copy_from_slice(&len.to_be_bytes());
            bytes[4..7].copy_from_slice(&[0, 1, 0]);
            bytes[28] = 0;
            if let Ok((frame, _)) = Frame::decode(&bytes) {
                let mut again = Vec::new();
                frame.encode(&mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
