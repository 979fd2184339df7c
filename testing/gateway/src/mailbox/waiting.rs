//! Receivers that wait for a message.

use super::receive::{Batch, ReceiveRequest};
use crate::idempotency::OperationKey;
use std::collections::{BTreeSet, HashMap};

/// A receiver that waits; whoever came earlier has a smaller one.
pub(super) type WaiterId = u64;

/// All receivers that wait, or have been served and not looked yet.
#[derive(Default)]
pub(super) struct Waiting {
    last_id: WaiterId,
    waiters: HashMap<WaiterId, Waiter>,
    unserved: BTreeSet<WaiterId>,
    /// The same receive can come again while it waits.
    by_key: HashMap<OperationKey, BTreeSet<WaiterId>>,
    /// Served since the last time that somebody asked.
    woken: Vec<WaiterId>,
}

struct Waiter {
    request: ReceiveRequest,
    served: Option<Batch>,
}

/// A receiver that does not wait any more.
pub(super) struct Departed {
    pub(super) request: ReceiveRequest,
    /// What it was given and had not taken.
    pub(super) served: Option<Batch>,
}

impl Waiting {
    /// Receivers that have no messages yet.
    pub(super) fn len(&self) -> usize {
        self.unserved.len()
    }

    /// Who of them has waited for longest.
    pub(super) fn first(&self) -> Option<WaiterId> {
        self.unserved.first().copied()
    }

    pub(super) fn insert(&mut self, request: ReceiveRequest) -> WaiterId {
        self.last_id += 1;
        let id = self.last_id;
        self.unserved.insert(id);
        let same = self.by_key.entry(request.key.clone()).or_default();
        same.insert(id);
        let served = None;
        self.waiters.insert(id, Waiter { request, served });
        id
    }

    /// Who waits under the same key, the earliest first.
    pub(super) fn of_key(&self, key: &OperationKey) -> impl Iterator<Item = WaiterId> + '_ {
        self.by_key.get(key).into_iter().flatten().copied()
    }

    /// What a receiver waits for.
    pub(super) fn request(&self, id: WaiterId) -> Option<&ReceiveRequest> {
        self.waiters.get(&id).map(|waiter| &waiter.request)
    }

    /// Gives a receiver its messages. It has to be woken.
    pub(super) fn serve(&mut self, id: WaiterId, batch: Batch) {
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.served = Some(batch);
            self.unserved.remove(&id);
            self.woken.push(id);
        }
    }

    pub(super) fn is_served(&self, id: WaiterId) -> bool {
        let waiter = self.waiters.get(&id);
        waiter.is_some_and(|waiter| waiter.served.is_some())
    }

    /// A receiver goes, with what it was given or without.
    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Departed> {
        let Waiter { request, served } = self.waiters.remove(&id)?;
        self.unserved.remove(&id);
        if let Some(same) = self.by_key.get_mut(&request.key) {
            same.remove(&id);
            if same.is_empty() {
                self.by_key.remove(&request.key);
            }
        }
        Some(Departed { request, served })
    }

    /// Who has to be woken.
    pub(super) fn take_woken(&mut self) -> Vec<WaiterId> {
        std::mem::take(&mut self.woken)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty() && self.unserved.is_empty() && self.by_key.is_empty()
    }
}
