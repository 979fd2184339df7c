//! What a gateway does with a call, whichever protocol brought it.
//!
//! A call is admitted by what it says before its body (capability, operation, deadline), and executed
//! when the body is there; a mutation under an idempotency key once, however often it comes. Both faces
//! go through here, so both have the same checks and codes.

use crate::answer::Answer;
use crate::capability::{CapabilityCheck, Grant, Minter, Verifier};
use crate::config::GatewayConfig;
use crate::edge::{Edge, EdgeSource};
use crate::idempotency::{Fingerprint, Idempotency, KeyedRequest, OperationKey, Owner, Receipt};
use crate::ledger::Ledger;
use crate::metrics::{CallLabel, Metrics};
use crate::outcome::Outcome;
use crate::quota::{Permit, Quotas};
use crate::selection::{ReadError, Selection};
use crate::store::{MemoryStore, Object, ObjectStore, Part};
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Executed, ObjectReply, Reason, MAX_BODY};
use ron_app_sdk::{AddrB3, EdgePath, IdemKey};
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a client may ask for: a call does not keep its memory for longer.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(3600);

/// What a gateway keeps its state in.
#[derive(Clone)]
pub struct Backends {
    /// The storage plane's objects.
    pub objects: Arc<dyn ObjectStore>,
    /// The edge plane's objects.
    pub edge: Arc<dyn EdgeSource>,
    /// Who may call.
    pub capabilities: Arc<dyn CapabilityCheck>,
}

impl Backends {
    /// A store in memory, the configured folder, and the check of capabilities with the configured root
    /// keys, or with one of its own where none are configured.
    ///
    /// # Errors
    /// Where the edge folder cannot be read, or the operating system has no randomness to give.
    pub fn in_memory(config: &GatewayConfig) -> io::Result<Self> {
        Ok(Self {
            objects: Arc::new(MemoryStore::new(config.storage_limit)),
            edge: Arc::new(Edge::open(config.edge_root.as_deref())?),
            capabilities: Arc::new(Verifier::configured(config)?),
        })
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends").finish_non_exhaustive()
    }
}

/// What a call wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    StoragePut,
    StorageGet(AddrB3, Selection),
    StorageHead(AddrB3),
    /// The path has passed [`EdgePath`]'s rules.
    EdgeGet(String, Selection),
    EdgeHead(String),
}

impl Action {
    pub(crate) fn label(&self) -> CallLabel {
        let (plane, operation) = match self {
            Self::StoragePut => ("storage", "put"),
            Self::StorageGet(..) => ("storage", "get"),
            Self::StorageHead(..) => ("storage", "head"),
            Self::EdgeGet(..) => ("edge", "get"),
            Self::EdgeHead(..) => ("edge", "head"),
        };
        CallLabel { plane, operation }
    }

    /// The edge path.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::EdgeGet(path, _) | Self::EdgeHead(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn is_mutation(&self) -> bool {
        matches!(self, Self::StoragePut)
    }

    /// What is known about the effect of an execution that was given up.
    pub(crate) fn interrupted(&self) -> Executed {
        match self {
            Self::StoragePut => Executed::Unknown,
            _ => Executed::No,
        }
    }
}

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
    pub(crate) deadline: Instant,
}

/// Executes calls.
pub(crate) struct Engine {
    backends: Backends,
    idempotency: Arc<Idempotency>,
    ledger: Option<Arc<Ledger>>,
    quotas: Arc<Quotas>,
}

impl Engine {
    pub(crate) fn new(backends: Backends, config: &GatewayConfig, metrics: &Metrics) -> Self {
        let (limits, deduplication) = (config.idempotency, config.deduplication);
        Self {
            backends,
            idempotency: Idempotency::new(limits, deduplication, metrics.idempotency()),
            ledger: config.ledger.then(Arc::default),
            quotas: Arc::new(Quotas::new(&config.limits)),
        }
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
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

    /// Executes a call within its deadline.
    pub(crate) fn execute(&self, call: Call, body: Bytes) -> Answer<Outcome> {
        if Instant::now() >= call.deadline {
            return Answer::Ready(deadline_exceeded(Executed::No));
        }
        let (deadline, interrupted) = (call.deadline, call.action.interrupted());
        let (grant, idem) = (&call.caller.grant, call.idem.as_ref());
        if let Err(error) = grant.allows(&call.action, idem, Some(body.len())) {
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        match self.start(call.action, call.caller.grant, call.idem, deadline, body) {
            Answer::Pending(outcome) => Answer::pending(async move {
                // The call counts for its subject until it is answered or given up.
                let _permit = call.caller.permit;
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
    ) -> Answer<Outcome> {
        let Backends { objects, edge, .. } = &self.backends;
        if action == Action::StoragePut {
            return self.put(grant, idem, deadline, body);
        }
        if !body.is_empty() {
            let error =
                ErrorReply::not_executed(Reason::SchemaViolation).with_detail("a read has no body");
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        match action {
            Action::StoragePut => self.put(grant, idem, deadline, body),
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
        }
    }

    fn put(
        &self,
        grant: Grant,
        idem: Option<IdemKey>,
        deadline: Instant,
        body: Bytes,
    ) -> Answer<Outcome> {
        const OPERATION: &str = "storage.put";
        if body.len() > MAX_BODY {
            let error = ErrorReply::not_executed(Reason::TooLarge)
                .with_detail(format!("a body has at most {MAX_BODY} bytes"));
            return Answer::Ready(Outcome::error(error, Executed::No));
        }
        let (address, size) = (AddrB3::of(&body), body.len() as u64);
        let key = idem.map(|idem| OperationKey::new(Owner::from(grant), OPERATION, &idem));
        let (objects, ledger) = (Arc::clone(&self.backends.objects), self.ledger.clone());
        let counted = ledger.map(|ledger| (ledger, key.clone()));
        let execute = move || {
            let stored = objects.put(address, body, deadline);
            stored.map(move |stored| {
                stored?;
                if let Some((ledger, key)) = counted {
                    ledger.count(key);
                }
                Ok(Receipt {
                    executed: Executed::Yes,
                    replayed: false,
                    address,
                    size,
                })
            })
        };
        match key {
            Some(key) => {
                let fingerprint = Fingerprint::new(OPERATION, &[], address, size);
                let request = KeyedRequest { key, fingerprint };
                self.idempotency.run(request, execute)
            }
            None => execute().map(|result: Result<Receipt, ErrorReply>| match result {
                Ok(receipt) => Outcome::put(receipt),
                Err(error) => Outcome::error(error, Executed::No),
            }),
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
    use crate::store::PutError;
    use std::time::Duration;

    fn engine() -> Engine {
        let config = GatewayConfig::default();
        let backends = Backends::in_memory(&config).unwrap();
        Engine::new(backends, &config, &Metrics::new())
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
        let outcome = engine
            .execute(call(Action::StoragePut), body.clone())
            .wait()
            .await;
        assert_eq!(outcome.code, 200);
        let address = AddrB3::of(&body);
        let get = Action::StorageGet(address, Selection::Last(2));
        let outcome = engine.execute(call(get), Bytes::new()).wait().await;
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
            let outcome = engine.execute(call(action.clone()), body).wait().await;
            assert_eq!(outcome.code, code, "{action:?}");
            assert_eq!(error(&outcome).executed, Executed::No);
        }
    }

    #[tokio::test]
    async fn a_call_after_its_deadline_is_not_executed() {
        let engine = engine();
        let late = call_until(Instant::now(), Action::StoragePut);
        let outcome = engine
            .execute(late, Bytes::from_static(b"late"))
            .wait()
            .await;
        assert_eq!(
            (outcome.code, error(&outcome).executed),
            (408, Executed::No)
        );
        let head = Action::StorageHead(AddrB3::of(b"late"));
        assert_eq!(
            engine.execute(call(head), Bytes::new()).wait().await.code,
            404
        );
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
            let outcome = engine
                .execute(call_until(deadline, action), Bytes::new())
                .wait()
                .await;
            assert_eq!((outcome.code, error(&outcome).executed), (408, executed));
        }
    }
}
