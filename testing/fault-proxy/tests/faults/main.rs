//! Every fault, between plain sockets: what comes of it, and that it is counted.
#![allow(clippy::unwrap_used)]

mod blocking;
mod bytes;
mod connections;
mod support;
