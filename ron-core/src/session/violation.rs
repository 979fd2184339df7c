//! How a peer can break the protocol.

use crate::oap::{FrameError, MetaError, MAX_BODY, MAX_CAPABILITY};

/// The peer broke the protocol: its connection cannot be used any longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The bytes are not frames.
    #[error("malformed frame: {0}")]
    Frame(#[from] FrameError),
    /// A START frame's payload is not `meta_len`, meta, body.
    #[error("malformed START payload: {0}")]
    Meta(#[from] MetaError),
    /// A frame whose flags or code make no sense from this peer at this point.
    #[error("unexpected frame: {0}")]
    Unexpected(&'static str),
    /// HELLO is missing, unreadable, or offers nothing in common.
    #[error("HELLO: {0}")]
    Hello(String),
    /// A control message that cannot be read.
    #[error("control message: {0}")]
    Control(String),
    /// A frame of a call that was never issued.
    #[error("frame for call {0}, which was never issued")]
    NeverIssued(u64),
    /// A request whose id is not the next one.
    #[error("request id {got} where {expected} was next")]
    OutOfOrder {
        /// As received.
        got: u64,
        /// The successor of the last one.
        expected: u64,
    },
    /// A reply with a longer body than one envelope.
    #[error("a body longer than {MAX_BODY} bytes")]
    BodyTooLong,
    /// A longer capability than the limit.
    #[error("a capability longer than {MAX_CAPABILITY} bytes")]
    CapabilityTooLong,
    /// Too many frames that move nothing.
    #[error("too many {0}")]
    Flood(&'static str),
}

impl Violation {
    /// A stable name, for a metric's label.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Frame(_) => "frame",
            Self::Meta(_) => "meta",
            Self::Unexpected(_) => "unexpected",
            Self::Hello(_) => "hello",
            Self::Control(_) => "control",
            Self::NeverIssued(_) => "never_issued",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::BodyTooLong => "body_too_long",
            Self::CapabilityTooLong => "capability_too_long",
            Self::Flood(_) => "flood",
        }
    }
}
