//! Calls of every operation, against a gateway in a process of its own.

mod call;
mod callers;
mod operation;
mod world;

pub use call::Call;
pub use callers::{Client, CLIENTS};
pub use operation::{Operation, Payload, OPERATIONS};
pub use world::World;
