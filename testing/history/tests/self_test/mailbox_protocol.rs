//! What is said between the simulated mailbox and its callers, and which promise it breaks.

use ron_history::mailbox::{LeaseAction, LeaseAnswer};
use ron_history::Fingerprint;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    AcknowledgementsForgotten,
    AttemptsNotCounted,
    BatchNotRepeated,
    BodyChanged,
    DeadLetterTwice,
    DeduplicationOff,
    DelayOfNackIgnored,
    DeliveredEndlessly,
    EarlyEviction,
    InventedMessage,
    LastInFirstOut,
    LostAfterDelivery,
    LostBeforeDelivery,
    RecordAfterReply,
    ReplaysNotFlagged,
    StaleAckRemoves,
    UnfencedAck,
    VisibilityTenth,
    VisibilityTimesTen,
}

#[derive(Clone)]
pub(crate) enum Request {
    Send {
        topic: usize,
        key: Fingerprint,
        body: Fingerprint,
    },
    Receive {
        topic: usize,
        receive_id: Fingerprint,
        visibility: u64,
        max: usize,
        wait: u64,
    },
    Use {
        message: usize,
        epoch: u32,
        action: LeaseAction,
    },
}

pub(crate) enum Reply {
    Sent { message: usize, replayed: bool },
    Batch(Vec<Delivered>),
    Used(LeaseAnswer),
}

#[derive(Clone)]
pub(crate) struct Delivered {
    pub(crate) message: usize,
    pub(crate) epoch: u32,
    pub(crate) attempt: u32,
    pub(crate) body: Fingerprint,
}

pub(crate) fn message_id(number: usize) -> Arc<str> {
    format!("message {number}").into()
}

pub(crate) fn topic(number: usize) -> Arc<str> {
    format!("topic {number}").into()
}
