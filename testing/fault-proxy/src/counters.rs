//! What has happened.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a proxy has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections accepted, whatever became of them.
    pub connections: u64,
    /// Connections accepted, to a gateway that could not be connected to; they were reset.
    pub unreachable: u64,
    /// Bytes written to the gateway.
    pub bytes_to_gateway: u64,
    /// Bytes written to clients.
    pub bytes_from_gateway: u64,
    /// Times that something was held back for the latency, the jitter or both.
    pub delays: u64,
    /// Writes after which the next one had to wait for the bandwidth.
    pub throttles: u64,
    /// Writes that were made shorter by the slice.
    pub slices: u64,
    /// Connections reset after a number of bytes.
    pub resets: u64,
    /// Connections closed after a number of bytes.
    pub closes: u64,
    /// Bits flipped.
    pub flips: u64,
    /// Connections accepted and reset at once.
    pub refusals: u64,
    /// Connections accepted and left alone.
    pub silences: u64,
    /// Connections in a black hole.
    pub black_holes: u64,
    /// Connections left half open.
    pub half_opens: u64,
    /// Connections reset by [`FaultProxy::kill_connections`](crate::FaultProxy::kill_connections).
    pub kills: u64,
    /// Times that the listener was closed.
    pub downs: u64,
}

/// A number that many count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where [`Counters`] are counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connections: Count,
    pub(crate) unreachable: Count,
    pub(crate) bytes_to_gateway: Count,
    pub(crate) bytes_from_gateway: Count,
    pub(crate) delays: Count,
    pub(crate) throttles: Count,
    pub(crate) slices: Count,
    pub(crate) resets: Count,
    pub(crate) closes: Count,
    pub(crate) flips: Count,
    pub(crate) refusals: Count,
    pub(crate) silences: Count,
    pub(crate) black_holes: Count,
    pub(crate) half_opens: Count,
    pub(crate) kills: Count,
    pub(crate) downs: Count,
}

impl Tally {
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            connections: self.connections.get(),
            unreachable: self.unreachable.get(),
            bytes_to_gateway: self.bytes_to_gateway.get(),
            bytes_from_gateway: self.bytes_from_gateway.get(),
            delays: self.delays.get(),
            throttles: self.throttles.get(),
            slices: self.slices.get(),
            resets: self.resets.get(),
            closes: self.closes.get(),
            flips: self.flips.get(),
            refusals: self.refusals.get(),
            silences: self.silences.get(),
            black_holes: self.black_holes.get(),
            half_opens: self.half_opens.get(),
            kills: self.kills.get(),
            downs: self.downs.get(),
        }
    }
}
