//! The gateway over real sockets.
#![allow(clippy::unwrap_used)]

mod binary;
mod calls;
mod canary;
mod capabilities;
mod defects;
mod drain;
mod fault_frames;
mod fault_http;
mod fault_mailbox;
mod faults;
mod http_face;
mod idempotency;
mod index;
mod limits;
mod mailbox;
mod mailbox_http;
mod succession;
mod support;
mod token_command;
mod turns;
