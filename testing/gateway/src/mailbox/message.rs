//! One message in the mailbox, and what it is in.

use bytes::Bytes;
use ron_app_sdk::mailbox::DeadLetter;
use ron_app_sdk::{AddrB3, Attributes, Topic};
use std::time::Instant;

/// A topic is its tenant's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct QueueName {
    pub(super) tenant_id: u128,
    pub(super) topic: Topic,
}

/// A message that arrives.
pub(crate) struct Incoming {
    pub(crate) body: Bytes,
    /// Of the body.
    pub(crate) address: AddrB3,
    pub(crate) attributes: Attributes,
    /// In milliseconds since 1970.
    pub(crate) sent_at_ms: u64,
}

/// A message that is kept.
pub(super) struct Stored {
    pub(super) queue: QueueName,
    /// Its place among the messages of its queue.
    pub(super) order: u64,
    pub(super) content: Incoming,
    /// When it is forgotten, whatever its state.
    pub(super) expires: Instant,
    pub(super) state: State,
    /// How often it was delivered. Only ever grows, so that it tells every lease from every other.
    pub(super) epoch: u32,
    /// The epoch with which it came to its queue: above 0 for a dead letter.
    pub(super) first_epoch: u32,
    /// Whether nobody has a lease of it any more that counts, though it was not delivered again.
    pub(super) is_given_back: bool,
    pub(super) dead: Option<DeadLetter>,
}

/// Who may have a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Whoever comes first.
    Ready,
    /// Nobody before then.
    Delayed(Instant),
    /// Nobody but the holder of the newest lease before then.
    Leased {
        until: Instant,
        /// What `is_given_back` was before.
        was_given_back: bool,
    },
}

impl Stored {
    pub(super) fn new(queue: QueueName, order: u64, content: Incoming, expires: Instant) -> Self {
        Self {
            queue,
            order,
            content,
            expires,
            state: State::Ready,
            epoch: 0,
            first_epoch: 0,
            is_given_back: true,
            dead: None,
        }
    }

    /// Which delivery in its queue the newest one is.
    pub(super) fn attempt(&self) -> u32 {
        self.epoch - self.first_epoch
    }

    /// Whether a lease of this epoch counts still.
    pub(super) fn is_held_by(&self, epoch: u32) -> bool {
        self.epoch == epoch && !self.is_given_back
    }

    /// When something happens to it by itself.
    pub(super) fn next_event(&self) -> Instant {
        match self.state {
            State::Ready => self.expires,
            State::Delayed(at) | State::Leased { until: at, .. } => at.min(self.expires),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.content.bytes()
    }
}

impl Incoming {
    /// What it counts for.
    pub(super) fn bytes(&self) -> u64 {
        let attributes = self.attributes.iter();
        let attributes: usize = attributes.map(|(name, text)| name.len() + text.len()).sum();
        (self.body.len() + attributes) as u64
    }
}
