//! gwsmoke against gateways: right ones, which it has nothing to say about, and broken ones, which it finds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod load;
mod program;
mod scripted;
mod smoke;
mod soak;
mod support;
