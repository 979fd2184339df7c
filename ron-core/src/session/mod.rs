//! One connection as a state machine: bytes and time in, bytes and events out.
//!
//! A session performs no I/O, reads no clock and starts no thread, so that everything that can go wrong
//! on a wire can be shown without one. [`Client`] and [`Server`] are its two roles; both read frames with
//! [`FrameDecoder`](crate::oap::FrameDecoder), put messages together within the protocol's limits, and
//! keep account of which calls are open. A [`Violation`] by the peer is fatal for the connection.

mod assembly;
mod client;
mod meta;
mod rate;
mod redaction;
mod server;
mod streams;
mod violation;

pub use client::{Client, ClientEvent, Refusal, Request, Sent, Stray};
pub use meta::Meta;
pub use server::{RequestHead, Server, ServerEvent, ServerLimits};
pub use violation::Violation;

/// The code and meta of an error that a session answers by itself.
fn error_meta(error: &crate::oap::ErrorReply) -> Vec<u8> {
    // An ErrorReply serialises into memory without failing.
    serde_json::to_vec(error).unwrap_or_default()
}

#[cfg(test)]
mod tests;
