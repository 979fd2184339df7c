//! Mutations that take an idempotency key: executed once under it, and counted where they happen.

use super::Engine;
use crate::answer::Answer;
use crate::idempotency::{Fingerprint, KeyedRequest, OperationKey, Owner, Receipt};
use crate::mailbox::Incoming;
use crate::outcome::Outcome;
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Executed, Reason, MAX_BODY};
use ron_app_sdk::{AddrB3, Attributes, Expected, IdemKey, IndexKey, Topic};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Whose mutation it is, under which key, and when its time is over.
pub(super) struct Mutation {
    pub(super) owner: Owner,
    pub(super) idem: Option<IdemKey>,
    pub(super) deadline: Instant,
}

impl Engine {
    pub(super) fn put(&self, mutation: Mutation, body: Bytes) -> Answer<Outcome> {
        const OPERATION: &str = "storage.put";
        if let Err(error) = check_len(&body) {
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        let (address, size) = (AddrB3::of(&body), body.len() as u64);
        let fingerprint = Fingerprint::new(OPERATION, &[], address, size);
        let (objects, deadline) = (Arc::clone(&self.backends.objects), mutation.deadline);
        self.mutate(OPERATION, mutation, fingerprint, move || {
            let stored = objects.put(address, body, deadline);
            stored.map(move |stored| {
                stored?;
                Ok(Receipt::Put { address, size })
            })
        })
    }

    pub(super) fn send(
        &self,
        mutation: Mutation,
        topic: Topic,
        attributes: Attributes,
        body: Bytes,
    ) -> Answer<Outcome> {
        const OPERATION: &str = "mailbox.send";
        if let Err(error) = check_len(&body) {
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        let address = AddrB3::of(&body);
        let mut parameters = vec![topic.as_str().as_bytes()];
        for (name, value) in attributes.iter() {
            parameters.extend([name.as_bytes(), value.as_bytes()]);
        }
        let fingerprint = Fingerprint::new(OPERATION, &parameters, address, body.len() as u64);
        let (mailbox, deadline) = (self.backends.mailbox.clone(), mutation.deadline);
        let tenant_id = mutation.owner.tenant_id;
        self.mutate(OPERATION, mutation, fingerprint, move || {
            let message = Incoming {
                // A body that came in parts may have room to spare; a message has none.
                body: Bytes::copy_from_slice(&body),
                address,
                attributes,
                sent_at_ms: milliseconds_since_1970(),
            };
            let sent = mailbox.send(tenant_id, topic, message, deadline);
            Answer::Ready(sent.map(|id| Receipt::Send { id }))
        })
    }

    pub(super) fn publish(
        &self,
        mutation: Mutation,
        key: IndexKey,
        address: AddrB3,
        expected: Option<Expected>,
    ) -> Answer<Outcome> {
        const OPERATION: &str = "index.publish";
        let condition = match expected {
            None => String::new(),
            Some(Expected::Absent) => "absent".to_owned(),
            Some(Expected::Address(address)) => address.to_string(),
        };
        let parameters = [key.as_str().as_bytes(), condition.as_bytes()];
        let fingerprint = Fingerprint::new(OPERATION, &parameters, address, 0);
        let (index, deadline) = (self.backends.index.clone(), mutation.deadline);
        let tenant_id = mutation.owner.tenant_id;
        self.mutate(OPERATION, mutation, fingerprint, move || {
            let published = index.publish(tenant_id, key, address, expected, deadline);
            Answer::Ready(published.map(|()| Receipt::Publish))
        })
    }

    /// Executes a mutation, under its key where it has one. `execute` has its effect where it succeeds, and
    /// only then.
    fn mutate<E>(
        &self,
        operation: &'static str,
        mutation: Mutation,
        fingerprint: Fingerprint,
        execute: E,
    ) -> Answer<Outcome>
    where
        E: FnOnce() -> Answer<Result<Receipt, ErrorReply>> + Send + 'static,
    {
        let Mutation { owner, idem, .. } = mutation;
        let key = idem.map(|idem| OperationKey::new(owner, operation, &idem));
        let ledger = self.backends.ledger.clone();
        let counted = ledger.map(|ledger| (ledger, key.clone()));
        let execute = move || {
            execute().map(move |result| {
                if let (Ok(_), Some((ledger, key))) = (&result, counted) {
                    ledger.count(key);
                }
                result
            })
        };
        match key {
            Some(key) => {
                let request = KeyedRequest { key, fingerprint };
                self.backends.idempotency.run(request, execute)
            }
            None => execute().map(|result: Result<Receipt, ErrorReply>| match result {
                Ok(receipt) => receipt.outcome(false),
                Err(error) => Outcome::error(error, Executed::No),
            }),
        }
    }
}

fn check_len(body: &Bytes) -> Result<(), ErrorReply> {
    if body.len() <= MAX_BODY {
        return Ok(());
    }
    let detail = format!("a body has at most {MAX_BODY} bytes");
    Err(ErrorReply::not_executed(Reason::TooLarge).with_detail(detail))
}

/// The machine's time. A clock before 1970 shows 0.
fn milliseconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
