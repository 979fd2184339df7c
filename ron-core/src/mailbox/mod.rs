//! The mailbox's own types: topics, messages and leases.

mod attributes;
mod lease;
mod message;
mod topic;

pub use attributes::{AttributeError, Attributes, MAX_ATTRIBUTES, MAX_ATTRIBUTE_BYTES};
pub use lease::{Lease, Token};
pub use message::{DeadLetter, DeadReason, Mail, Message, Receipt, Receive};
pub use topic::{Topic, TopicError, MAX_TOPIC};
