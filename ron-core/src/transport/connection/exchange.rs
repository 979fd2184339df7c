//! What goes into a connection, and what comes out of it.

use crate::address::{AddrB3, RunningHash};
use crate::error::SdkError;
use crate::oap::Plane;
use crate::retry::Cause;
use crate::session::Meta;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What a call sends, and how long it may take.
pub(crate) struct Exchange<'a> {
    pub(crate) plane: Plane,
    pub(crate) capability: &'a [u8],
    pub(crate) content: &'a (dyn Content + Sync),
    pub(crate) deadline: Instant,
    /// Whether the answer's body will have to be hashed.
    pub(crate) hashes_reply: bool,
    /// For the answer's first byte, from the request's last one on.
    pub(crate) answer_within: Duration,
    /// Of one without a request: whether a connection that is open has to show that it is alive.
    pub(crate) probes: bool,
}

impl Exchange<'_> {
    /// Whether it has no request: it ends with HELLO's answer, or at once where that has come.
    pub(crate) fn is_greeting(&self) -> bool {
        self.plane == Plane::Control
    }
}

/// What a request says.
pub(crate) trait Content {
    /// When the attempt begins: now, as good as.
    fn begins(&self) -> Instant;

    /// A gateway that cannot be dialled before is not waited for.
    fn dial_by(&self) -> Instant;

    /// Appends the meta, given the milliseconds that are left when the request is written.
    fn write_meta(&self, deadline_ms: u32, out: &mut Vec<u8>);

    /// The request's body.
    fn body(&self) -> &[u8];

    /// Called once the request has left, while the gateway is at work: what has to be done anyway costs no time
    /// then.
    fn while_waiting(&self);
}

/// One of a client's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionId(pub(in crate::transport) u64);

impl ConnectionId {
    /// Counts the client's dials from 1.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A gateway's answer.
pub(crate) struct Reply {
    /// Where it came from.
    pub(crate) connection: ConnectionId,
    pub(crate) code: u16,
    pub(crate) meta: Meta,
    pub(crate) body: Bytes,
    /// Of as much of the body as was hashed while the rest was on its way.
    pub(crate) hash: Option<Box<RunningHash>>,
}

impl Reply {
    /// The address of the body.
    pub(crate) fn address(&mut self) -> AddrB3 {
        let running = self.hash.take().and_then(|hash| hash.finish(&self.body));
        running.unwrap_or_else(|| AddrB3::of(&self.body))
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: SdkError,
    pub(crate) cause: Cause,
    /// The connection had worked before and the request certainly was not executed: another connection
    /// may serve it.
    pub(crate) may_move: bool,
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self {
            error,
            cause: Cause::Ordinary,
            may_move: false,
        }
    }
}
