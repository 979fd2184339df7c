//! gwsmoke: smoke checks, load and soak of a RON gateway, for developers and operators.
//!
//! - [`smoke`]: puts an object and checks GET, HEAD and RANGE, and what must be refused, over OAP through the SDK and
//!   over HTTP.
//! - [`load`]: a mix of operations, at a rate or from so many callers, with latencies that no stall of the gateway
//!   can hide.
//! - [`soak`]: messages for a long time, with faults, and books that have to balance.
//!
//! The program is a thin layer on top: [`options`] and [`report`].

pub mod http;
pub mod load;
mod lock;
pub mod options;
pub mod progress;
pub mod report;
pub mod settings;
pub mod smoke;
pub mod soak;
pub mod stop;
