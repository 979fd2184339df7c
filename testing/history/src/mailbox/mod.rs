//! The mailbox plane: topics of messages that are delivered at least once, under leases.

mod calls;

pub use calls::{
    LeaseAction, LeaseAnswer, Place, ReceiveMessages, Received, Remnant, Restart, SendMessage,
    Sent, UseLease,
};
