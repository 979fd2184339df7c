//! What a gateway does with a call, whichever protocol brought it.
//!
//! A call is admitted by what it says before its body (capability, operation, deadline), and executed
//! when the body is there; a mutation under an idempotency key once, however often it comes. Both faces
//! go through here, so both have the same checks and codes.

mod action;
mod backends;
mod mutation;

pub(crate) use action::Action;
pub use backends::Backends;

use crate::answer::Answer;
use crate::capability::{Grant, Minter};
use crate::config::GatewayConfig;
use crate::idempotency::Owner;
use crate::ledger::Ledger;
use crate::mailbox::Batch;
use crate::outcome::Outcome;
use crate::phase::PhaseWatch;
use crate::quota::{Permit, Quotas};
use crate::selection::ReadError;
use crate::store::{Object, Part};
use bytes::{Bytes, BytesMut};
use ron_app_sdk::oap::{
    EffectReply, ErrorReply, Executed, IndexResolveReply, MailboxReceiveReply, ObjectReply, Reason,
};
use ron_app_sdk::{EdgePath, IdemKey, IndexKey, TraceParent};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a client may ask for: a call does not keep its memory for longer.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(3600);

/// A caller whose capability was checked, with a call that counts.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) grant: Grant,
    permit: Permit,
}

impl Caller {
    /// Whether the capability allows this call, before its body is there.
    pub(crate) fn may(&self, action: &Action, idem: Option<&IdemKey>) -> Result<(), ErrorReply> {
        self.grant.allows(action, idem, None)
    }
}

/// A call that was admitted and waits for its body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    pub(crate) idem: Option<IdemKey>,
    /// Which attempt of the call this is, from 1.
    pub(crate) attempt: u8,
    /// The trace that it is part of.
    pub(crate) traceparent: Option<TraceParent>,
    pub(crate) deadline: Instant,
}

/// Executes calls.
pub(crate) struct Engine {
    backends: Backends,
    quotas: Arc<Quotas>,
}

impl Engine {
    pub(crate) fn new(backends: Backends, config: &GatewayConfig) -> Self {
        Self {
            backends,
            quotas: Arc::new(Quotas::new(&config.limits)),
        }
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.backends.ledger.as_deref()
    }

    /// Checks whose call this is, and counts it.
    pub(crate) fn identify(&self, tenant_id: u128, token: &[u8]) -> Result<Caller, ErrorReply> {
        let grant = self.backends.capabilities.check(tenant_id, token)?;
        let permit = self.quotas.begin(Instant::now(), &grant.subject)?;
        Ok(Caller { grant, permit })
    }

    pub(crate) fn minter(&self) -> Option<Minter> {
        self.backends.capabilities.minter()
    }

    /// Executes a call within its deadline. Where the gateway drains, nothing waits for a message.
    pub(crate) fn execute(&self, call: Call, body: Bytes, phase: &PhaseWatch) -> Answer<Outcome> {
        if Instant::now() >= call.deadline {
            return Answer::Ready(deadline_exceeded(Executed::No));
        }
        let (deadline, interrupted) = (call.deadline, call.action.interrupted());
        let Caller { grant, permit } = call.caller;
        if let Err(error) = grant.allows(&call.action, call.idem.as_ref(), Some(body.len())) {
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        if !call.action.has_body() && !body.is_empty() {
            return Answer::Ready(schema_violation("this operation has no body"));
        }
        match self.start(call.action, grant, call.idem, deadline, body, phase) {
            Answer::Pending(outcome) => Answer::pending(async move {
                // The call counts for its subject until it is answered or given up.
                let _permit = permit;
                within(deadline, interrupted, outcome).await
            }),
            ready => ready,
        }
    }

    fn start(
        &self,
        action: Action,
        grant: Grant,
        idem: Option<IdemKey>,
        deadline: Instant,
        body: Bytes,
        phase: &PhaseWatch,
    ) -> Answer<Outcome> {
        let Backends {
            objects,
            edge,
            mailbox,
            ..
        } = &self.backends;
        let owner = Owner::from(grant);
        let mutation = |owner| mutation::Mutation {
            owner,
            idem,
            deadline,
        };
        match action {
            Action::StoragePut => self.put(mutation(owner), body),
            Action::StorageGet(address, selection) => objects.read(address, selection).map(part),
            Action::StorageHead(address) => objects.head(address).map(description),
            Action::EdgeGet(path, selection) => match EdgePath::new(&path) {
                Ok(path) => edge.read(path, selection).map(part),
                Err(error) => Answer::Ready(schema_violation(error)),
            },
            Action::EdgeHead(path) => match EdgePath::new(&path) {
                Ok(path) => edge.head(path).map(description),
                Err(error) => Answer::Ready(schema_violation(error)),
            },
            Action::MailboxSend { topic, attributes } => {
                self.send(mutation(owner), topic, attributes, body)
            }
            Action::MailboxReceive(receive) => mailbox
                .receive(owner, receive, deadline, phase)
                .map(messages),
            Action::MailboxAck(lease) => {
                Answer::Ready(effect(mailbox.ack(&owner, &lease, deadline)))
            }
            Action::MailboxNack { lease, delay_ms } => {
                let delay = Duration::from_millis(delay_ms.into());
                Answer::Ready(effect(mailbox.nack(&owner, &lease, delay, deadline)))
            }
            Action::MailboxExtend {
                lease,
                visibility_ms,
            } => {
                let extended = mailbox.extend(&owner, &lease, visibility_ms, deadline);
                Answer::Ready(effect(extended))
            }
            Action::IndexResolve(key) => Answer::Ready(self.resolve(owner.tenant_id, key)),
            Action::IndexPublish {
                key,
                address,
                expected,
            } => self.publish(mutation(owner), key, address, expected),
        }
    }

    fn resolve(&self, tenant_id: u128, key: IndexKey) -> Outcome {
        let executed = Executed::No;
        match self.backends.index.resolve(tenant_id, key) {
            Ok(address) => Outcome::resolve(IndexResolveReply { executed, address }),
            Err(error) => Outcome::error(error, executed),
        }
    }
}

/// A refusal of a call that breaks a rule.
pub(crate) fn schema_violation(rule: impl fmt::Display) -> Outcome {
    let error = ErrorReply::not_executed(Reason::SchemaViolation);
    Outcome::error(error.with_detail(rule.to_string()), Executed::No)
}

pub(crate) fn deadline_exceeded(executed: Executed) -> Outcome {
    Outcome::error(ErrorReply::not_executed(Reason::DeadlineExceeded), executed)
}

async fn within(
    deadline: Instant,
    interrupted: Executed,
    outcome: impl Future<Output = Outcome>,
) -> Outcome {
    match tokio::time::timeout_at(deadline.into(), outcome).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => deadline_exceeded(interrupted),
    }
}

fn part(result: Result<Part, ReadError>) -> Outcome {
    match result {
        Ok(Part {
            object,
            range,
            body,
        }) => Outcome::object(
            ObjectReply {
                range,
                ..reply(object)
            },
            body,
        ),
        Err(error) => Outcome::error(error, Executed::No),
    }
}

fn description(result: Result<Object, ReadError>) -> Outcome {
    match result {
        Ok(object) => Outcome::object(reply(object), Bytes::new()),
        Err(error) => Outcome::error(error, Executed::No),
    }
}

fn messages(received: Result<Batch, ErrorReply>) -> Outcome {
    let executed = Executed::No;
    let Batch {
        is_replayed,
        deliveries,
    } = match received {
        Ok(batch) => batch,
        Err(error) => return Outcome::error(error, executed),
    };
    let bodies = match &deliveries[..] {
        [only] => only.body.clone(),
        all => {
            let len = all.iter().map(|delivery| delivery.body.len()).sum();
            let mut bodies = BytesMut::with_capacity(len);
            all.iter()
                .for_each(|delivery| bodies.extend_from_slice(&delivery.body));
            bodies.freeze()
        }
    };
    let messages = deliveries.into_iter().map(|delivery| delivery.message);
    let reply = MailboxReceiveReply {
        executed,
        replayed: is_replayed,
        messages: messages.collect(),
    };
    Outcome::receive(reply, bodies)
}

/// What came of something that is done once for a lease.
fn effect(result: Result<bool, ErrorReply>) -> Outcome {
    match result {
        Ok(replayed) => Outcome::effect(EffectReply {
            executed: Executed::Yes,
            replayed,
        }),
        Err(error) => Outcome::error(error, Executed::No),
    }
}

fn reply(object: Object) -> ObjectReply {
    ObjectReply {
        executed: Executed::No,
        address: object.address,
        size: object.size,
        range: None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::outcome::Reply;
    use crate::phase::phase_channel;
    use crate::selection::Selection;
    use crate::store::{ObjectStore, PutError};
    use ron_app_sdk::{AddrB3, MAX_BODY};

    fn engine() -> Engine {
        let config = GatewayConfig::default();
        let backends = Backends::in_memory(&config).unwrap();
        Engine::new(backends, &config)
    }

    async fn execute(engine: &Engine, call: Call, body: Bytes) -> Outcome {
        let (_serving, phase) = phase_channel();
        engine.execute(call, body, &phase).wait().await
    }

    fn call(action: Action) -> Call {
        call_until(Instant::now() + Duration::from_secs(60), action)
    }

    fn call_until(deadline: Instant, action: Action) -> Call {
        let engine = engine();
        let token = engine.minter().unwrap().mint("test", &[]).unwrap();
        let caller = engine.identify(0, token.expose()).unwrap();
        Call {
            caller,
            action,
            idem: None,
            attempt: 1,
            traceparent: None,
            deadline,
        }
    }

    fn error(outcome: &Outcome) -> &ErrorReply {
        match &outcome.reply {
            Reply::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_object_comes_back_as_it_was_put() {
        let engine = engine();
        let body = Bytes::from_static(b"0123456789");
        let outcome = execute(&engine, call(Action::StoragePut), body.clone()).await;
        assert_eq!(outcome.code, 200);
        let address = AddrB3::of(&body);
        let get = Action::StorageGet(address, Selection::Last(2));
        let outcome = execute(&engine, call(get), Bytes::new()).await;
        assert_eq!((outcome.code, &outcome.body[..]), (206, &b"89"[..]));
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused_with_its_code() {
        let engine = engine();
        let absent = AddrB3::of(b"absent");
        let long = Bytes::from(vec![0; MAX_BODY + 1]);
        for (action, body, code) in [
            (Action::StorageHead(absent), Bytes::new(), 404),
            (Action::StorageHead(absent), Bytes::from_static(b"x"), 400),
            (Action::StoragePut, long, 413),
            (Action::EdgeHead("/absent".into()), Bytes::new(), 404),
            (Action::EdgeHead("no slash".into()), Bytes::new(), 400),
        ] {
            let outcome = execute(&engine, call(action.clone()), body).await;
            assert_eq!(outcome.code, code, "{action:?}");
            assert_eq!(error(&outcome).executed, Executed::No);
        }
    }

    #[tokio::test]
    async fn a_call_after_its_deadline_is_not_executed() {
        let engine = engine();
        let late = call_until(Instant::now(), Action::StoragePut);
        let outcome = execute(&engine, late, Bytes::from_static(b"late")).await;
        assert_eq!(
            (outcome.code, error(&outcome).executed),
            (408, Executed::No)
        );
        let head = Action::StorageHead(AddrB3::of(b"late"));
        assert_eq!(execute(&engine, call(head), Bytes::new()).await.code, 404);
    }

    /// A store that never answers.
    struct Stuck;

    impl ObjectStore for Stuck {
        fn put(&self, _: AddrB3, _: Bytes, _: Instant) -> Answer<Result<(), PutError>> {
            Answer::pending(std::future::pending())
        }

        fn head(&self, _: AddrB3) -> Answer<Result<Object, ReadError>> {
            Answer::pending(std::future::pending())
        }

        fn read(&self, _: AddrB3, _: Selection) -> Answer<Result<Part, ReadError>> {
            Answer::pending(std::future::pending())
        }
    }

    #[tokio::test]
    async fn an_interrupted_put_is_in_doubt_and_an_interrupted_read_is_not() {
        let mut engine = engine();
        engine.backends.objects = Arc::new(Stuck);
        for (action, executed) in [
            (Action::StoragePut, Executed::Unknown),
            (Action::StorageHead(AddrB3::of(b"")), Executed::No),
        ] {
            let deadline = Instant::now() + Duration::from_millis(20);
            let outcome = execute(&engine, call_until(deadline, action), Bytes::new()).await;
            assert_eq!((outcome.code, error(&outcome).executed), (408, executed));
        }
    }
}
