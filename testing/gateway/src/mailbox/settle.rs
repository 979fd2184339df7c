//! What the holder of a lease does with its message.

use super::message::State;
use super::queues::{Queues, Refusal};
use super::spent::SpentBy;
use crate::defect::Defect;
use crate::idempotency::Owner;
use ron_app_sdk::Lease;
use std::time::{Duration, Instant};

/// Whether a lease had been spent by the same operation before.
pub(super) type IsReplayed = bool;

impl Queues {
    /// Ends the message.
    pub(super) fn ack(
        &mut self,
        now: Instant,
        owner: &Owner,
        lease: &Lease,
    ) -> Result<IsReplayed, Refusal> {
        self.advance(now);
        let (number, epoch) = self.open(owner, lease)?;
        if self.is_held(number, epoch) || self.is_unfenced(number) {
            self.unlink(number);
            self.spent.insert(now, number, epoch, SpentBy::Ack);
            return Ok(false);
        }
        if self.messages.contains_key(&number) {
            return Err(Refusal::Stale);
        }
        match self.spent.get(number, epoch) {
            Some(SpentBy::Ack) => Ok(true),
            Some(SpentBy::Nack) => Err(Refusal::Stale),
            None if self.spent.has_newer(number, epoch) => Err(Refusal::Stale),
            // Its time is over, or it was acknowledged longer ago than anybody remembers.
            None => Ok(true),
        }
    }

    /// Gives the message back, to be delivered again after `delay`.
    pub(super) fn nack(
        &mut self,
        now: Instant,
        owner: &Owner,
        lease: &Lease,
        delay: Duration,
    ) -> Result<IsReplayed, Refusal> {
        self.advance(now);
        let (number, epoch) = self.open(owner, lease)?;
        if !self.is_held(number, epoch) {
            return match self.spent.get(number, epoch) {
                Some(SpentBy::Nack) => Ok(true),
                _ => Err(Refusal::Stale),
            };
        }
        let mut message = self.unlink(number).ok_or(Refusal::Stale)?;
        message.is_given_back = true;
        self.spent.insert(now, number, epoch, SpentBy::Nack);
        let again = (!delay.is_zero()).then(|| now + delay);
        let queue = self.give_up_lease(now, number, message, again);
        self.serve(now, &queue);
        Ok(false)
    }

    /// Keeps the message for so many milliseconds from now, or for longer where it is kept for longer already.
    pub(super) fn extend(
        &mut self,
        now: Instant,
        owner: &Owner,
        lease: &Lease,
        visibility_ms: u32,
    ) -> Result<IsReplayed, Refusal> {
        self.advance(now);
        let (number, epoch) = self.open(owner, lease)?;
        if !self.is_held(number, epoch) {
            return Err(Refusal::Stale);
        }
        let mut message = self.unlink(number).ok_or(Refusal::Stale)?;
        let (held_until, was_given_back) = match message.state {
            State::Leased {
                until,
                was_given_back,
            } => (until, was_given_back),
            _ => (now, false),
        };
        message.state = State::Leased {
            // An old attempt that comes late must not take away what a newer one was promised.
            until: held_until.max(now + self.visibility(visibility_ms)),
            was_given_back,
        };
        self.link(number, message);
        Ok(false)
    }

    /// The message and the epoch of a lease that is genuine.
    fn open(&self, owner: &Owner, lease: &Lease) -> Result<(u64, u32), Refusal> {
        let (number, epoch) = self.seals.open(owner, lease).ok_or(Refusal::Stale)?;
        Ok((self.holder(number, epoch), epoch))
    }

    fn is_held(&self, number: u64, epoch: u32) -> bool {
        let message = self.messages.get(&number);
        message.is_some_and(|message| message.is_held_by(epoch))
    }

    /// Whether any lease of the message is good enough.
    fn is_unfenced(&self, number: u64) -> bool {
        self.defect == Some(Defect::UnfencedAck) && self.messages.contains_key(&number)
    }
}
