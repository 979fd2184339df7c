//! What a proxy can be told to do.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// What happens to connections. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// To bytes from the client to the gateway.
    pub to_gateway: Direction,
    /// To bytes from the gateway to the client.
    pub from_gateway: Direction,
    /// To connections as a whole.
    pub connections: Connections,
    /// Where the random numbers of [`Direction::jitter`] begin, on each connection anew.
    pub seed: u64,
}

impl Faults {
    /// Faults in the direction to the gateway only.
    pub fn to_gateway(direction: Direction) -> Self {
        Self {
            to_gateway: direction,
            ..Self::default()
        }
    }

    /// Faults in the direction from the gateway only.
    pub fn from_gateway(direction: Direction) -> Self {
        Self {
            from_gateway: direction,
            ..Self::default()
        }
    }

    /// A fault of whole connections only.
    pub fn connections(connections: Connections) -> Self {
        Self {
            connections,
            ..Self::default()
        }
    }
}

/// What happens to the bytes in one direction of each connection. Numbers of bytes count from the moment
/// when the fault was set, or from the connection's beginning where that is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Between a byte's arrival and its departure. At most 64 KiB are on their way at a time.
    pub latency: Duration,
    /// Added to the latency: a random time from 0 to this. The order of bytes stays.
    pub jitter: Duration,
    /// Bytes per second.
    pub bandwidth: Option<NonZeroU64>,
    /// The most bytes that are written at once.
    pub slice: Option<NonZeroUsize>,
    /// After each write.
    pub slice_pause: Duration,
    /// When so many bytes have been forwarded, the connection is reset on both sides (RST).
    pub reset_after: Option<u64>,
    /// When so many bytes have been forwarded, the connection is closed on both sides (FIN), and what
    /// comes after is dropped.
    pub close_after: Option<u64>,
    /// The lowest bit of the byte after so many is flipped.
    pub flip_bit_at: Option<u64>,
}

/// What happens to whole connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// They are forwarded.
    #[default]
    Forward,
    /// New ones are accepted and reset at once.
    Refuse,
    /// New ones are accepted, and then nothing is read, written or connected.
    Silent,
    /// Whatever is sent is taken and dropped, ends included. A connection that was in it never comes
    /// back: its bytes are missing. It is let go when both sides have ended it.
    BlackHole,
    /// Nothing is read any more, and the sockets stay open: as if the peer had vanished. A connection
    /// that was in it never comes back.
    HalfOpen,
}
