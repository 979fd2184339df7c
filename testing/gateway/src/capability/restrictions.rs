//! A token's caveats against one call. Every one has to hold, however often its kind comes.

use super::clock::Clock;
use super::condition::Condition;
use crate::engine::Action;
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::IdemKey;
use std::fmt;

/// What a token allows.
pub(super) struct Restrictions {
    conditions: Vec<Condition>,
    clock: Clock,
    /// How many seconds the clocks of whoever minted it and of this gateway may differ by.
    skew: u64,
}

impl Restrictions {
    pub(super) fn new(conditions: Vec<Condition>, clock: Clock, skew: u64) -> Self {
        Self {
            conditions,
            clock,
            skew,
        }
    }

    /// The tenant of a call that names `tenant_id`, 0 for none.
    pub(super) fn tenant(&self, tenant_id: u128) -> Result<u128, ErrorReply> {
        let mut named = tenant_id;
        for condition in &self.conditions {
            match *condition {
                Condition::Tenant(tenant) if named == 0 => named = tenant,
                Condition::Tenant(tenant) if named != tenant => return Err(denied("tenant=")),
                _ => {}
            }
        }
        // A token of no tenant, where the call or another caveat names one.
        if named != 0 && self.conditions.contains(&Condition::Tenant(0)) {
            return Err(denied("tenant="));
        }
        Ok(named)
    }

    /// Whether the token is valid now. The end counts last: what a new token would not change is denied.
    pub(super) fn check_time(&self) -> Result<(), ErrorReply> {
        let now = self.clock.now();
        let is_early = |condition: &Condition| matches!(condition, Condition::NotBefore(time) if now.saturating_add(self.skew) <= *time);
        let is_late = |condition: &Condition| matches!(condition, Condition::Expires(time) if now >= time.saturating_add(self.skew));
        if self.conditions.iter().any(is_early) {
            return Err(denied("nbf>"));
        }
        if self.conditions.iter().any(is_late) {
            return Err(ErrorReply::not_executed(Reason::CapabilityExpired)
                .with_detail("the capability's time is over"));
        }
        Ok(())
    }

    /// Whether the call is allowed now; without `body_len`, as far as that is known before its body.
    pub(super) fn allow(
        &self,
        action: &Action,
        idem: Option<&IdemKey>,
        body_len: Option<usize>,
    ) -> Result<(), ErrorReply> {
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Operations(operations) => {
                    let label = action.label();
                    let is_action = |operation: &String| {
                        operation.split_once('.') == Some((label.plane, label.operation))
                    };
                    operations.iter().any(is_action)
                }
                Condition::PathPrefix(prefix) => {
                    action.path().is_some_and(|path| path.starts_with(prefix))
                }
                Condition::Topic(topic) => action.topic() == Some(topic),
                Condition::TopicPrefix(prefix) => action
                    .topic()
                    .is_some_and(|topic| topic.as_str().starts_with(prefix)),
                Condition::MaxBytes(limit) => body_len.map_or(true, |len| (len as u64) < *limit),
                Condition::IdemScope(scope) => match idem {
                    Some(key) => key.expose().starts_with(scope),
                    None => !action.is_keyed(),
                },
                Condition::Tenant(_) | Condition::Expires(_) | Condition::NotBefore(_) => true,
            };
            if !holds {
                return Err(denied(condition.kind()));
            }
        }
        self.check_time()
    }
}

impl fmt::Debug for Restrictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restrictions({} caveats)", self.conditions.len())
    }
}

fn denied(kind: &str) -> ErrorReply {
    ErrorReply::not_executed(Reason::CapabilityDenied)
        .with_detail(format!("the capability's caveat {kind} does not allow it"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mailbox::Receive;
    use crate::selection::Selection;
    use ron_app_sdk::mailbox::Token;
    use ron_app_sdk::{AddrB3, Attributes, IndexKey, Lease, Topic};

    const NOW: u64 = 1_000_000;

    fn restrictions(caveats: &[&str]) -> Restrictions {
        let conditions = caveats.iter().map(|caveat| caveat.parse().unwrap());
        Restrictions::new(conditions.collect(), Clock::new(|| NOW), 60)
    }

    fn get() -> Action {
        Action::StorageGet(AddrB3::of(b""), Selection::Whole)
    }

    fn edge(path: &str) -> Action {
        Action::EdgeGet(path.to_owned(), Selection::Whole)
    }

    /// Whether a call with an idempotency key and so many bytes of body is allowed.
    fn outcome(
        caveats: &[&str],
        action: &Action,
        idem: &str,
        body_len: usize,
    ) -> Result<(), Reason> {
        let idem = (!idem.is_empty()).then(|| IdemKey::new(idem).unwrap());
        restrictions(caveats)
            .allow(action, idem.as_ref(), Some(body_len))
            .map_err(|error| error.reason)
    }

    #[test]
    fn each_caveat_allows_what_it_says_and_denies_the_rest() {
        let head = Action::EdgeHead("/a/b".to_owned());
        for (caveats, action, idem, len, allowed) in [
            (&[][..], Action::StoragePut, "", 9, true),
            (&["op=storage.put"], Action::StoragePut, "", 9, true),
            (&["op=storage.put"], get(), "", 0, false),
            (&["op=storage.get,storage.head"], get(), "", 0, true),
            (
                &["op=storage.head,storage.get"],
                Action::StorageHead(AddrB3::of(b"")),
                "",
                0,
                true,
            ),
            (&["op=edge.get"], get(), "", 0, false),
            (
                &["op=storage.getx,xstorage.get,storage.ge"],
                get(),
                "",
                0,
                false,
            ),
            (&["op=storage.get", "op=storage.put"], get(), "", 0, false),
            (
                &["op=storage.get,edge.get", "op=storage.get"],
                get(),
                "",
                0,
                true,
            ),
            (&["path^=/a/"], edge("/a/b"), "", 0, true),
            (&["path^=/a/"], head.clone(), "", 0, true),
            (&["path^=/a/"], edge("/a"), "", 0, false),
            (&["path^=/a"], edge("/ab"), "", 0, true),
            (&["path^=/a"], edge("/A"), "", 0, false),
            (&["path^=/", "path^=/a/"], edge("/b"), "", 0, false),
            (&["path^=/"], get(), "", 0, false),
            (&["path^=/"], Action::StoragePut, "", 0, false),
            (&["max_bytes<10"], Action::StoragePut, "", 9, true),
            (&["max_bytes<10"], Action::StoragePut, "", 10, false),
            (
                &["max_bytes<10", "max_bytes<5"],
                Action::StoragePut,
                "",
                5,
                false,
            ),
            (&["max_bytes<1"], get(), "", 0, true),
            (&["idem_scope=inv-"], Action::StoragePut, "inv-1", 0, true),
            (&["idem_scope=inv-"], Action::StoragePut, "inv", 0, false),
            (&["idem_scope=inv-"], Action::StoragePut, "other", 0, false),
            (&["idem_scope=inv-"], Action::StoragePut, "", 0, false),
            (&["idem_scope=inv-"], get(), "", 0, true),
            (&["idem_scope=inv-"], get(), "other", 0, false),
        ] {
            let expected = allowed.then_some(()).ok_or(Reason::CapabilityDenied);
            let outcome = outcome(caveats, &action, idem, len);
            assert_eq!(outcome, expected, "{caveats:?} {action:?} {idem:?} {len}");
        }
    }

    fn send(to: &str) -> Action {
        Action::MailboxSend {
            topic: Topic::new(to).unwrap(),
            attributes: Attributes::default(),
        }
    }

    /// Everything that the mailbox does in a topic.
    fn in_topic(topic: &str) -> [Action; 5] {
        let (token, topic) = (Token::new("1").unwrap(), Topic::new(topic).unwrap());
        let lease = Lease::new(topic.clone(), token.clone(), token);
        [
            send(topic.as_str()),
            Action::MailboxReceive(Receive {
                topic,
                max: 1,
                visibility_ms: 30_000,
                wait: std::time::Duration::ZERO,
                receive_id: IdemKey::new("r").unwrap(),
            }),
            Action::MailboxAck(lease.clone()),
            Action::MailboxNack {
                lease: lease.clone(),
                delay_ms: 0,
            },
            Action::MailboxExtend {
                lease,
                visibility_ms: 30_000,
            },
        ]
    }

    fn in_index() -> [Action; 2] {
        let key = IndexKey::new("orders").unwrap();
        [
            Action::IndexResolve(key.clone()),
            Action::IndexPublish {
                key,
                address: AddrB3::of(b""),
                expected: None,
            },
        ]
    }

    #[test]
    fn a_topic_is_compared_by_everything_that_has_one_and_denies_the_rest() {
        for (caveats, topic, allowed) in [
            (&["topic=orders"][..], "orders", true),
            (&["topic=orders"], "orders.dead", false),
            (&["topic=orders"], "order", false),
            (&["topic^=orders"], "orders.dead", true),
            (&["topic^=orders"], "order", false),
            (&["topic^=orders", "topic=orders/new"], "orders/new", true),
            (&["topic^=orders", "topic=orders/new"], "orders/old", false),
            (&["topic=a", "topic=b"], "a", false),
            (&["path^=/"], "orders", false),
        ] {
            for action in in_topic(topic) {
                let expected = allowed.then_some(()).ok_or(Reason::CapabilityDenied);
                let outcome = outcome(caveats, &action, "", 0);
                assert_eq!(outcome, expected, "{caveats:?} {action:?}");
            }
        }
        for caveat in ["topic=orders", "topic^=orders"] {
            for action in [get(), edge("/orders"), Action::StoragePut]
                .into_iter()
                .chain(in_index())
            {
                let outcome = outcome(&[caveat], &action, "", 0);
                assert_eq!(outcome, Err(Reason::CapabilityDenied), "{action:?}");
            }
        }
    }

    #[test]
    fn every_operation_has_its_name_and_those_with_a_key_their_scope() {
        let operations = in_topic("orders").into_iter().chain(in_index());
        for (action, (name, is_keyed)) in operations.zip([
            ("mailbox.send", true),
            ("mailbox.receive", false),
            ("mailbox.ack", false),
            ("mailbox.nack", false),
            ("mailbox.extend", false),
            ("index.resolve", false),
            ("index.publish", true),
        ]) {
            let named = format!("op=storage.put,{name}");
            assert_eq!(outcome(&[&named], &action, "", 0), Ok(()));
            let others = "op=storage.put,mailbox.peek";
            let denied = Err(Reason::CapabilityDenied);
            assert_eq!(outcome(&[others], &action, "", 0), denied);
            let scoped = outcome(&["idem_scope=inv-"], &action, "", 0);
            assert_eq!(scoped.is_err(), is_keyed, "{name}");
            assert_eq!(outcome(&["idem_scope=inv-"], &action, "inv-1", 0), Ok(()));
        }
    }

    #[test]
    fn a_length_that_is_not_known_yet_is_not_denied_yet() {
        let restrictions = restrictions(&["max_bytes<1"]);
        assert!(restrictions.allow(&Action::StoragePut, None, None).is_ok());
        assert!(restrictions
            .allow(&Action::StoragePut, None, Some(1))
            .is_err());
    }

    #[test]
    fn times_count_with_the_skew_and_the_end_is_an_error_of_its_own() {
        for (caveats, expected) in [
            (&["exp<1000001"][..], Ok(())),
            (&["exp<999941"], Ok(())),
            (&["exp<999940"], Err(Reason::CapabilityExpired)),
            (&["exp<0"], Err(Reason::CapabilityExpired)),
            (&["exp<18446744073709551615"], Ok(())),
            (
                &["exp<2000000", "exp<999940"],
                Err(Reason::CapabilityExpired),
            ),
            (&["nbf>999999"], Ok(())),
            (&["nbf>1000059"], Ok(())),
            (&["nbf>1000060"], Err(Reason::CapabilityDenied)),
            (&["nbf>18446744073709551615"], Err(Reason::CapabilityDenied)),
            (&["exp<0", "nbf>1000060"], Err(Reason::CapabilityDenied)),
            (&["exp<0", "op=edge.get"], Err(Reason::CapabilityDenied)),
        ] {
            assert_eq!(outcome(caveats, &get(), "", 0), expected, "{caveats:?}");
        }
    }

    #[test]
    fn a_tenant_is_the_tokens_or_the_calls() {
        let one = "tenant=00000000000000000000000000000001";
        let two = "tenant=00000000000000000000000000000002";
        let none = "tenant=00000000000000000000000000000000";
        for (caveats, named, tenant) in [
            (&[][..], 0, Some(0)),
            (&[], 7, Some(7)),
            (&[one], 0, Some(1)),
            (&[one], 1, Some(1)),
            (&[one], 2, None),
            (&[one, one], 1, Some(1)),
            (&[one, two], 0, None),
            (&[one, two], 1, None),
            (&[none], 0, Some(0)),
            (&[none], 1, None),
            (&[none, one], 0, None),
        ] {
            let outcome = restrictions(caveats).tenant(named).ok();
            assert_eq!(outcome, tenant, "{caveats:?} {named}");
        }
    }
}
