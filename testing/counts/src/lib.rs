//! The work that is timed and counted: by Criterion (`benches/`), by a counting allocator and by callgrind (here).
//!
//! [`calls`] are every operation against a gateway. The rest are the SDK's parts that do no I/O, prepared so that what
//! they do can be done again and again.
//!
//! All of it panics where the SDK does not do what it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod baseline;
pub mod calls;
mod capabilities;
mod codec;
mod receiving;
mod session;

pub use capabilities::Capabilities;
pub use codec::{Metas, ReplyFrame};
pub use receiving::{Decoder, Receiver, Receiving, Session};
pub use session::{ClientCall, Pair};

/// Bytes that differ from place to place.
pub fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}
