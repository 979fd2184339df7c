//! The texts by which receivers name a message and its lease.
//!
//! A lease is its epoch and a MAC over everything that it is for. Whoever was not given it cannot make it,
//! and it is of no use for anything else: nothing has to be kept to recognise it.

use crate::idempotency::Owner;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::{Lease, Topic};
use std::io;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a MAC.
const MAC: usize = 16;

/// The key of all leases, and the beginning of all ids.
pub(super) struct Seals {
    key: Zeroizing<[u8; 32]>,
    /// Another one for each run: ids do not come again after a restart.
    run: String,
}

impl Seals {
    /// New ones.
    ///
    /// # Errors
    /// Where the operating system has no randomness to give.
    pub(super) fn random() -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        let mut run = [0; 6];
        getrandom::fill(&mut key[..]).map_err(io::Error::other)?;
        getrandom::fill(&mut run).map_err(io::Error::other)?;
        let run = run.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key, run })
    }

    /// The id of the message with this number.
    pub(super) fn id(&self, number: u64) -> Token {
        token(&format!("{}-{number}", self.run))
    }

    /// The number in an id of ours.
    fn number(&self, id: &str) -> Option<u64> {
        let number = id.strip_prefix(self.run.as_str())?.strip_prefix('-')?;
        number
            .parse()
            .ok()
            .filter(|parsed: &u64| parsed.to_string() == number)
    }

    /// The lease of a delivery to `owner`.
    pub(super) fn lease(&self, owner: &Owner, topic: &Topic, number: u64, epoch: u32) -> Token {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&owner.tenant_id.to_be_bytes());
        hasher.update(&number.to_be_bytes());
        hasher.update(&epoch.to_be_bytes());
        // With its length before it, the topic cannot pass for a part of the subject.
        hasher.update(&(topic.as_str().len() as u64).to_be_bytes());
        hasher.update(topic.as_str().as_bytes());
        hasher.update(owner.subject.as_bytes());
        let mac = hasher.finalize();
        let mac = URL_SAFE_NO_PAD.encode(&mac.as_bytes()[..MAC]);
        token(&format!("{epoch}.{mac}"))
    }

    /// The message's number and the epoch, where the lease was given to `owner`.
    pub(super) fn open(&self, owner: &Owner, lease: &Lease) -> Option<(u64, u32)> {
        let number = self.number(lease.id())?;
        let epoch = lease.expose().split_once('.')?.0.parse().ok()?;
        let genuine = self.lease(owner, lease.topic(), number, epoch);
        let is_genuine = genuine.as_str().as_bytes().ct_eq(lease.expose().as_bytes());
        bool::from(is_genuine).then_some((number, epoch))
    }
}

fn token(text: &str) -> Token {
    match Token::new(text) {
        Some(token) => token,
        None => unreachable!("numbers, dots, dashes and base64url are what a token consists of"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn owner(tenant_id: u128, subject: &str) -> Owner {
        Owner {
            tenant_id,
            subject: Arc::from(subject),
        }
    }

    fn lease(topic: &str, id: &str, token: &str) -> Lease {
        let (id, token) = (Token::new(id).unwrap(), Token::new(token).unwrap());
        Lease::new(Topic::new(topic).unwrap(), id, token)
    }

    #[test]
    fn a_lease_is_for_one_delivery_to_one_subject_and_nothing_else() {
        let seals = Seals::random().unwrap();
        let alice = owner(1, "alice");
        let topic = Topic::new("orders").unwrap();
        let (id, other_id) = (seals.id(17), seals.id(18));
        let token = seals.lease(&alice, &topic, 17, 2);
        assert!(token.as_str().starts_with("2."));
        let good = lease("orders", id.as_str(), token.as_str());
        assert_eq!(seals.open(&alice, &good), Some((17, 2)));

        for other in [owner(1, "bob"), owner(2, "alice"), owner(0, "alice")] {
            assert_eq!(seals.open(&other, &good), None);
        }
        let mac = token.as_str().strip_prefix("2.").unwrap();
        let mut flipped = token.as_str().to_owned();
        flipped.replace_range(
            3..4,
            if flipped[3..].starts_with('A') {
                "B"
            } else {
                "A"
            },
        );
        for (topic, id, token) in [
            ("orders.dead", id.as_str(), token.as_str()),
            ("orderz", id.as_str(), token.as_str()),
            ("orders", other_id.as_str(), token.as_str()),
            ("orders", "17", token.as_str()),
            ("orders", &format!("{}0", id.as_str()), token.as_str()),
            (
                "orders",
                &id.as_str().replace("-17", "-017"),
                token.as_str(),
            ),
            ("orders", id.as_str(), &format!("1.{mac}")),
            ("orders", id.as_str(), &format!("02.{mac}")),
            ("orders", id.as_str(), &flipped),
            ("orders", id.as_str(), &token.as_str()[..20]),
            ("orders", id.as_str(), "2."),
            ("orders", id.as_str(), "2"),
            ("orders", id.as_str(), "."),
        ] {
            let bad = lease(topic, id, token);
            assert_eq!(seals.open(&alice, &bad), None, "{topic} {id} {token}");
        }
        let another_run = Seals::random().unwrap();
        assert_eq!(another_run.open(&alice, &good), None);
    }
}
