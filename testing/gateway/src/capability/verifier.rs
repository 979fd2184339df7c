//! The check of a capability with a gateway's root keys.

use super::clock::Clock;
use super::condition::Condition;
use super::identifier::Identifier;
use super::keys::KeyRing;
use super::minter::Minter;
use super::restrictions::Restrictions;
use super::revocations::Revocations;
use super::{CapabilityCheck, Grant};
use crate::config::GatewayConfig;
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{Caveat, Macaroon};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Lets tokens pass that were minted with one of its keys, are not revoked, and have caveats that all hold.
pub struct Verifier {
    keys: KeyRing,
    revocations: Revocations,
    clock: Clock,
    skew: u64,
}

impl Verifier {
    /// A check with these keys, where clocks may differ by `skew`.
    pub fn new(keys: KeyRing, revocations: Revocations, clock: Clock, skew: Duration) -> Self {
        Self {
            keys,
            revocations,
            clock,
            skew: skew.as_secs(),
        }
    }

    /// The check that a configuration describes; without root keys, with one made for it, which nobody
    /// else has.
    ///
    /// # Errors
    /// Where the operating system has no randomness to give.
    pub fn configured(config: &GatewayConfig) -> io::Result<Self> {
        let keys = if config.root_keys.is_empty() {
            KeyRing::generate("dev").map_err(io::Error::other)?
        } else {
            config.root_keys.clone()
        };
        let (revocations, clock) = (config.revocations.clone(), config.clock.clone());
        Ok(Self::new(keys, revocations, clock, config.clock_skew))
    }
}

impl CapabilityCheck for Verifier {
    fn check(&self, tenant_id: u128, capability: &[u8]) -> Result<Grant, ErrorReply> {
        if capability.is_empty() {
            return Err(ErrorReply::not_executed(Reason::CapabilityMissing));
        }
        let token = Macaroon::parse(capability).map_err(|error| {
            ErrorReply::not_executed(Reason::CapabilityMalformed)
                .with_detail(format!("not a macaroon in format version 2: {error}"))
        })?;
        if token.caveats().iter().any(Caveat::is_third_party) {
            return Err(denied("a caveat of the capability is a third party's"));
        }
        let identifier = Identifier::parse(token.identifier())
            .map_err(|_| denied("the capability is not one of this gateway's"))?;
        // Who has no valid token does not learn which keys there are.
        let key = self.keys.find(identifier.key_id());
        if !key.is_some_and(|key| token.verify(key.secret())) {
            return Err(denied(
                "the capability was not minted with a key of this gateway",
            ));
        }
        if self.revocations.contains(identifier.token_id()) {
            return Err(denied("the capability is revoked"));
        }
        let caveats = token.caveats().iter();
        let conditions = caveats
            .map(|caveat| Condition::parse(caveat.identifier()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| denied(&error.to_string()))?;
        let subject = Arc::from(identifier.subject());
        if conditions.is_empty() {
            return Ok(Grant::unrestricted(tenant_id, subject));
        }
        let restrictions = Restrictions::new(conditions, self.clock.clone(), self.skew);
        let tenant_id = restrictions.tenant(tenant_id)?;
        restrictions.check_time()?;
        Ok(Grant {
            tenant_id,
            subject,
            restrictions: Some(Arc::new(restrictions)),
        })
    }

    fn minter(&self) -> Option<Minter> {
        self.keys.minter(None)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn denied(why: &str) -> ErrorReply {
    ErrorReply::not_executed(Reason::CapabilityDenied).with_detail(why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const TENANT: &str = "tenant=000000000000000000000000000000aa";

    fn keys() -> KeyRing {
        let mut keys = KeyRing::default();
        keys.add("new", b"fedcba9876543210fedcba9876543210")
            .unwrap();
        keys.add("old", SECRET).unwrap();
        keys
    }

    fn verifier() -> Verifier {
        let revocations = Revocations::of(["stolen"]).unwrap();
        Verifier::new(
            keys(),
            revocations,
            Clock::new(|| 1000),
            Duration::from_secs(60),
        )
    }

    fn token(caveats: &[&str]) -> Vec<u8> {
        let minter = keys().minter(Some("old")).unwrap();
        minter.mint("alice", caveats).unwrap().expose().to_vec()
    }

    fn signed(identifier: &str, caveats: &[&str]) -> Vec<u8> {
        let mut token = Macaroon::mint(SECRET, "ron-gateway", identifier.as_bytes());
        for caveat in caveats {
            token = token.attenuate(caveat.as_bytes()).unwrap();
        }
        token.encode()
    }

    fn refusal(tenant_id: u128, token: &[u8]) -> ErrorReply {
        verifier().check(tenant_id, token).unwrap_err()
    }

    #[test]
    fn a_token_of_any_of_the_keys_passes_with_its_subject_and_tenant() {
        for key_id in ["new", "old"] {
            let minter = keys().minter(Some(key_id)).unwrap();
            let capability = minter.mint("alice", &[TENANT]).unwrap();
            let grant = verifier().check(0, capability.expose()).unwrap();
            assert_eq!((grant.tenant_id, &*grant.subject), (0xaa, "alice"));
        }
        assert_eq!(verifier().check(7, &token(&[])).unwrap().tenant_id, 7);
    }

    #[test]
    fn each_refusal_has_its_reason_and_says_why() {
        let other = KeyRing::generate("old").unwrap().minter(None).unwrap();
        let other = other.mint("alice", &[]).unwrap().expose().to_vec();
        for (token, reason, why) in [
            (vec![], Reason::CapabilityMissing, ""),
            (b"canary".to_vec(), Reason::CapabilityMalformed, "version"),
            (other, Reason::CapabilityDenied, "not minted"),
            (
                signed("v1:canary:alice:t", &[]),
                Reason::CapabilityDenied,
                "not minted",
            ),
            (
                signed("v1:new:alice:t", &[]),
                Reason::CapabilityDenied,
                "not minted",
            ),
            (
                signed("canary", &[]),
                Reason::CapabilityDenied,
                "not one of this gateway's",
            ),
            (
                signed("v1:old:alice:stolen", &[]),
                Reason::CapabilityDenied,
                "revoked",
            ),
            (
                signed("v1:old:alice:t", &["canary=1"]),
                Reason::CapabilityDenied,
                "no known kind",
            ),
            (
                signed("v1:old:alice:t", &["op=canary"]),
                Reason::CapabilityDenied,
                "op= is malformed",
            ),
            (token(&["nbf>1060"]), Reason::CapabilityDenied, "nbf>"),
            (token(&["exp<940"]), Reason::CapabilityExpired, "over"),
        ] {
            let error = refusal(0, &token);
            assert_eq!(error.reason, reason, "{why}");
            let error = format!("{error:?}");
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let error = refusal(1, &token(&[TENANT]));
        assert_eq!(error.reason, Reason::CapabilityDenied);
    }

    #[test]
    fn what_a_new_token_would_not_change_is_denied_rather_than_expired() {
        for caveat in ["unknown", "op=", "nbf>1060"] {
            let error = refusal(0, &signed("v1:old:alice:t", &["exp<1", caveat]));
            assert_eq!(error.reason, Reason::CapabilityDenied, "{caveat}");
        }
        assert_eq!(
            refusal(1, &token(&["exp<1", TENANT])).reason,
            Reason::CapabilityDenied
        );
    }

    #[test]
    fn the_clock_is_the_given_one() {
        let now = Arc::new(AtomicU64::new(1000));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || now.load(Ordering::Relaxed)
        });
        let verifier = Verifier::new(
            keys(),
            Revocations::default(),
            clock,
            Duration::from_secs(10),
        );
        let token = token(&["exp<2000"]);
        for (time, is_valid) in [(1999, true), (2009, true), (2010, false), (1000, true)] {
            now.store(time, Ordering::Relaxed);
            assert_eq!(verifier.check(0, &token).is_ok(), is_valid, "{time}");
        }
    }

    #[test]
    fn every_change_of_a_bit_and_every_truncation_is_refused() {
        let (verifier, token) = (verifier(), token(&[TENANT, "op=storage.get", "exp<2000"]));
        assert!(verifier.check(0, &token).is_ok());
        // The location's text is not signed.
        let location = 3..3 + "ron-gateway".len();
        for bit in (0..token.len() * 8).filter(|bit| !location.contains(&(bit / 8))) {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(verifier.check(0, &changed).is_err(), "bit {bit}");
        }
        for end in 0..token.len() {
            assert!(verifier.check(0, &token[..end]).is_err(), "cut at {end}");
        }
    }
}
