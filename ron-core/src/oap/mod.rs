//! OAP/1, the wire protocol between a client and a RON gateway.
//!
//! Frames ([`frame`]), their incremental reading ([`decoder`]), the connection's own messages
//! ([`hello`], [`control`]) and one strict DTO per operation ([`request`], [`reply`]). Nothing here
//! performs I/O, reads a clock or allocates more than the frame at hand. What the bytes mean over
//! time (which reply belongs to which call) is the [`session`](crate::session)'s business.
//!
//! The format is specified in `docs/OAP-1.md`; golden frames are under `testing/vectors/`.

pub(crate) mod canonical;
pub mod control;
pub mod decoder;
pub mod frame;
pub mod hello;
pub mod reply;
pub mod request;

pub(crate) use canonical::ReplyMeta;
pub use decoder::{FrameDecoder, Part};
pub use frame::{Flags, Frame, FrameError, Header};
pub use reply::{
    EffectReply, ErrorReply, Executed, IndexResolveReply, MailboxReceiveReply, MailboxSendReply,
    ObjectReply, Reason, ReceivedMessage, StoragePutReply,
};
pub use request::{CallContext, Operation, RequestError};

/// The protocol version in every frame's `ver` field.
pub const VERSION: u16 = 1;
/// The version of the operation DTOs, as negotiated in HELLO.
pub const DTO_VERSION: u16 = 1;
/// The ALPN protocol name under which TLS selects OAP/1.
pub const ALPN: &[u8] = b"ron/1";
/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 38;
/// The longest frame, header included, in bytes.
pub const MAX_FRAME: usize = 1_048_576;
/// The longest capability, in bytes.
pub const MAX_CAPABILITY: usize = 8 * 1024;
/// The longest meta (the JSON document of a START frame), in bytes.
pub const MAX_META: usize = 16 * 1024;
/// The longest body of one call in either direction, in bytes: 1 MiB − 32 KiB.
pub const MAX_BODY: usize = MAX_FRAME - 32 * 1024;
/// Body bytes per frame as our senders split them, so that a large body never holds up a small call.
pub const BODY_CHUNK: usize = 64 * 1024;
/// The most messages that one `receive` may ask for.
pub const MAX_BATCH: u16 = 64;
/// The shortest and the longest visibility of a message, in milliseconds: 250 ms to 12 h.
pub const VISIBILITY_MS: (u32, u32) = (250, 12 * 60 * 60 * 1000);
/// The longest wait of a `receive`, in milliseconds.
pub const MAX_WAIT_MS: u32 = 20_000;
/// The code with which a gateway answers a cancelled call.
pub const CODE_CANCELLED: u16 = 499;

/// Which plane a frame belongs to: the header's `app_proto_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Plane {
    /// HELLO, ping, drain and cancel.
    Control = 0,
    /// At-least-once messages.
    Mailbox = 0x0201,
    /// Content-addressed objects.
    Storage = 0x0301,
    /// Objects by path, with byte ranges.
    Edge = 0x0401,
    /// Names.
    Index = 0x0501,
}

impl Plane {
    /// The number on the wire.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// Its name, as in `storage.get`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Mailbox => "mailbox",
            Self::Storage => "storage",
            Self::Edge => "edge",
            Self::Index => "index",
        }
    }

    /// The plane with this number on the wire, if there is one.
    pub const fn from_id(id: u16) -> Option<Self> {
        Some(match id {
            0 => Self::Control,
            0x0201 => Self::Mailbox,
            0x0301 => Self::Storage,
            0x0401 => Self::Edge,
            0x0501 => Self::Index,
            _ => return None,
        })
    }
}

/// Writes a START frame's payload prefix: the meta's length and the meta.
pub(crate) fn append_meta(meta: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(meta.len() as u32).to_be_bytes());
    out.extend_from_slice(meta);
}

/// Splits a complete START payload into its meta and its body bytes.
///
/// # Errors
/// [`MetaError`] where the announced meta is longer than [`MAX_META`] or than the payload.
pub fn split_meta(payload: &[u8]) -> Result<(&[u8], &[u8]), MetaError> {
    let (len, rest) = payload
        .split_first_chunk::<4>()
        .ok_or(MetaError::NoLength(payload.len()))?;
    let len = check_meta_len(u32::from_be_bytes(*len), rest.len())?;
    Ok(rest.split_at(len))
}

/// Checks an announced meta length against the limit and against the room left in its frame.
pub(crate) fn check_meta_len(announced: u32, room: usize) -> Result<usize, MetaError> {
    let len = announced as usize;
    if len > MAX_META {
        return Err(MetaError::TooLong(len));
    }
    if len > room {
        return Err(MetaError::PastFrame { len, room });
    }
    Ok(len)
}

/// Why a START frame's payload is not `meta_len`, meta, body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// Fewer than the four bytes of the length.
    #[error("a START payload of {0} bytes has no room for meta_len (4 bytes)")]
    NoLength(usize),
    /// Above [`MAX_META`].
    #[error("meta_len {0} is above the limit of {MAX_META}")]
    TooLong(usize),
    /// More than the frame holds.
    #[error("meta_len {len} reaches past the end of the frame ({room} bytes left)")]
    PastFrame {
        /// The announced length.
        len: usize,
        /// What the frame has left after `meta_len`.
        room: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_round_trip_and_unknown_ids_have_none() {
        for id in 0..=u16::MAX {
            if let Some(plane) = Plane::from_id(id) {
                assert_eq!(plane.id(), id);
            }
        }
        assert_eq!(Plane::from_id(0x0302), None);
    }

    #[test]
    fn start_payload_splits_into_meta_and_body() {
        let mut payload = Vec::new();
        append_meta(b"{}", &mut payload);
        payload.extend_from_slice(b"body");
        assert_eq!(split_meta(&payload), Ok((&b"{}"[..], &b"body"[..])));
    }

    #[test]
    fn start_payload_refuses_lengths_that_do_not_fit() {
        assert_eq!(split_meta(&[0, 0, 1]), Err(MetaError::NoLength(3)));
        assert_eq!(
            split_meta(&[0, 0, 0, 2, b'{']),
            Err(MetaError::PastFrame { len: 2, room: 1 })
        );
        assert_eq!(
            split_meta(&[0xff; 8]),
            Err(MetaError::TooLong(u32::MAX as usize))
        );
    }
}
