//! The index plane: a register per key, with compare-and-set.

mod calls;

pub use calls::{Expected, Publish, PublishAnswer, Resolve};
