//! Where calls take their capability from: a token, or a provider that is asked for a fresh one.

use super::Capability;
use crate::error::{ErrorKind, SdkError};
use crate::process::Origin;
use crate::telemetry;
use slab::Slab;
use std::error::Error;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

/// Hands out fresh capabilities, for example from a token service or a file that somebody else renews.
///
/// It is asked for the first one, and again when a gateway says that the last one has expired; by one thread
/// at a time, whatever the number of calls that wait. That thread is made for it: it may take its time, and
/// use the SDK itself. Calls wait for it within their own limits.
///
/// Closures implement it:
///
/// ```
/// use ron_app_sdk::{Capability, CapabilitySource};
///
/// let source = CapabilitySource::provider(|| Ok(Capability::from_env()?));
/// # let _ = source;
/// ```
pub trait CapabilityProvider: Send + Sync + 'static {
    /// A capability that has not expired.
    ///
    /// # Errors
    /// Any: it becomes the source of the call's own error. Keep the token out of it.
    fn fresh(&self) -> Result<Capability, Box<dyn Error + Send + Sync>>;
}

/// A question for a fresh capability, to whoever [`CapabilitySource::asking`] was told of. Dropped without an answer, it
/// fails for those who wait.
pub struct CapabilityRequest {
    provided: Arc<Provided>,
    round: u64,
    asked: Instant,
    is_answered: bool,
}

impl CapabilityRequest {
    /// Answers it, from any thread. An error becomes the source of the waiting calls' own: keep the token out of it.
    pub fn answer(mut self, fresh: Result<Capability, Box<dyn Error + Send + Sync>>) {
        self.is_answered = true;
        self.provided.answer(self.round, fresh, self.asked);
    }
}

impl Drop for CapabilityRequest {
    fn drop(&mut self) {
        if !self.is_answered && self.provided.origin.is_here() {
            let nobody = Err("nobody answered".into());
            self.provided.answer(self.round, nobody, self.asked);
        }
    }
}

impl fmt::Debug for CapabilityRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapabilityRequest")
            .field("round", &self.round)
            .finish_non_exhaustive()
    }
}

impl<F> CapabilityProvider for F
where
    F: Fn() -> Result<Capability, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
{
    fn fresh(&self) -> Result<Capability, Box<dyn Error + Send + Sync>> {
        self()
    }
}

/// Where a call takes its capability from. Clones share what a provider has handed out. After a fork, a child
/// needs a new one where it comes from a provider.
#[derive(Clone)]
pub struct CapabilitySource(Source);

#[derive(Clone)]
enum Source {
    Token(Capability),
    Provided(Arc<Provided>),
}

impl CapabilitySource {
    /// A source that asks `provider` for its first capability, and for another one when that has expired.
    /// Keep it for all calls: each new source asks anew.
    pub fn provider(provider: impl CapabilityProvider) -> Self {
        let provider = Arc::new(provider);
        Self::asked_by(move |request| {
            let provider = Arc::clone(&provider);
            let thread = thread::Builder::new().name("ron-capability".to_owned());
            let asked = thread.spawn(move || {
                let fresh = catch_unwind(AssertUnwindSafe(|| provider.fresh()));
                request.answer(fresh.unwrap_or_else(|_| Err("it panicked".into())));
            });
            asked.map(drop).map_err(|error| {
                let message = format!("no thread for the capability provider: {error}");
                SdkError::new(ErrorKind::Internal, message)
            })
        })
    }

    /// A source that asks as [`CapabilitySource::provider`] does, without a thread of its own: `ask` passes the question
    /// on to whoever can answer it, later or at once, such as a task or the event loop of another language. It is called
    /// in the poll of a call that waits or, in [`blocking`](crate::blocking), on the thread of one; until the request has
    /// been answered or dropped, no other one is made.
    ///
    /// ```
    /// use ron_app_sdk::{Capability, CapabilitySource};
    /// # async fn fetch() -> Result<Capability, Box<dyn std::error::Error + Send + Sync>> {
    /// # Ok(Capability::from_env()?)
    /// # }
    ///
    /// let source = CapabilitySource::asking(|request| {
    ///     tokio::spawn(async move { request.answer(fetch().await) });
    /// });
    /// # let _ = source;
    /// ```
    pub fn asking(ask: impl Fn(CapabilityRequest) + Send + Sync + 'static) -> Self {
        Self::asked_by(move |request| {
            ask(request);
            Ok(())
        })
    }

    fn asked_by(
        ask: impl Fn(CapabilityRequest) -> Result<(), SdkError> + Send + Sync + 'static,
    ) -> Self {
        Self(Source::Provided(Arc::new(Provided {
            ask: Box::new(ask),
            origin: Origin::here(),
            state: Mutex::new(State {
                token: None,
                round: 0,
                is_asking: false,
                failure: None,
                waiters: Slab::new(),
            }),
        })))
    }

    /// A source that reads a file with a capability as base64url, and reads it again when that has expired.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::provider(move || Ok(Capability::from_file(&path)?))
    }

    /// Refuses a provider of this process's parent: who was asking it there is not here.
    pub(crate) fn check_origin(&self) -> Result<(), SdkError> {
        match &self.0 {
            Source::Token(_) => Ok(()),
            Source::Provided(provided) => provided.origin.check(),
        }
    }

    /// The fixed token, or the provider to ask.
    pub(crate) fn token(&self) -> Result<&Capability, &Arc<Provided>> {
        match &self.0 {
            Source::Token(token) => Ok(token),
            Source::Provided(provided) => Err(provided),
        }
    }
}

impl fmt::Debug for CapabilitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Token(_) => "CapabilitySource(token redacted)",
            Source::Provided(_) => "CapabilitySource(provider)",
        })
    }
}

impl From<Capability> for CapabilitySource {
    fn from(capability: Capability) -> Self {
        Self(Source::Token(capability))
    }
}

impl From<&Capability> for CapabilitySource {
    fn from(capability: &Capability) -> Self {
        Self(Source::Token(capability.clone()))
    }
}

impl From<&CapabilitySource> for CapabilitySource {
    fn from(source: &CapabilitySource) -> Self {
        source.clone()
    }
}

/// A provider, and what it has handed out.
pub(crate) struct Provided {
    ask: Box<dyn Fn(CapabilityRequest) -> Result<(), SdkError> + Send + Sync>,
    /// Where those are who may be answering.
    origin: Origin,
    state: Mutex<State>,
}

struct State {
    /// The last token, with the round that brought it.
    token: Option<(Capability, u64)>,
    /// How often the provider was asked.
    round: u64,
    is_asking: bool,
    /// The last round's failure, where it failed.
    failure: Option<(u64, SdkError)>,
    waiters: Slab<Waker>,
}

/// A call's wait for a token that is newer than the one that has expired.
pub(crate) struct Wanted {
    provided: Arc<Provided>,
    /// The round whose token is of no use any more, 0 for none.
    expired: u64,
    awaited: Option<u64>,
    key: Option<usize>,
}

impl Wanted {
    pub(crate) fn new(provided: &Arc<Provided>, expired: u64) -> Self {
        Self {
            provided: Arc::clone(provided),
            expired,
            awaited: None,
            key: None,
        }
    }

    /// The token and its round; asks the provider where that has to be done and nobody else does it.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<(Capability, u64), SdkError>> {
        loop {
            let mut state = self.provided.lock();
            if let Some((token, round)) = &state.token {
                if *round > self.expired {
                    return Poll::Ready(Ok((token.clone(), *round)));
                }
            }
            if let (Some(awaited), Some((round, error))) = (self.awaited, &state.failure) {
                if *round >= awaited {
                    return Poll::Ready(Err(error.clone()));
                }
            }
            match self.key {
                Some(key) => state.waiters[key].clone_from(waker),
                None => self.key = Some(state.waiters.insert(waker.clone())),
            }
            if state.is_asking {
                self.awaited = Some(state.round);
                return Poll::Pending;
            }
            state.round += 1;
            state.is_asking = true;
            let round = state.round;
            self.awaited = Some(round);
            // Asking may be anybody's code, which may answer at once.
            drop(state);
            let request = CapabilityRequest {
                provided: Arc::clone(&self.provided),
                round,
                asked: Instant::now(),
                is_answered: false,
            };
            if let Err(error) = (self.provided.ask)(request) {
                return Poll::Ready(Err(error));
            }
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(key) = self.key.filter(|_| self.provided.origin.is_here()) {
            self.provided.lock().waiters.try_remove(key);
        }
    }
}

impl Provided {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(
        &self,
        round: u64,
        fresh: Result<Capability, Box<dyn Error + Send + Sync>>,
        asked: Instant,
    ) {
        let fresh = fresh.map_err(failed);
        let error = fresh.as_ref().err().map(SdkError::kind);
        let mut state = self.lock();
        state.is_asking = false;
        match fresh {
            Ok(token) => state.token = Some((token, round)),
            Err(error) => state.failure = Some((round, error)),
        }
        let waiters: Vec<Waker> = state.waiters.iter().map(|(_, w)| w.clone()).collect();
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        telemetry::capability_refreshed(round, error, asked.elapsed());
    }
}

fn failed(error: Box<dyn Error + Send + Sync>) -> SdkError {
    match error.downcast::<SdkError>() {
        Ok(error) => *error,
        Err(error) => SdkError::new(
            ErrorKind::CapabilityDenied,
            "the capability provider has none",
        )
        .with_boxed_source(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::capability::Macaroon;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::Barrier;
    use std::time::Duration;

    fn token(number: u64) -> Capability {
        let token = Macaroon::mint(b"key", "test", &number.to_be_bytes());
        Capability::from_bytes(token.encode()).unwrap()
    }

    fn provided(provider: impl CapabilityProvider) -> Arc<Provided> {
        let source = CapabilitySource::provider(provider);
        Arc::clone(source.token().unwrap_err())
    }

    fn wait(provided: &Arc<Provided>, expired: u64) -> Result<(Capability, u64), SdkError> {
        let mut wanted = Wanted::new(provided, expired);
        loop {
            if let Poll::Ready(result) = wanted.poll(futures_util::task::noop_waker_ref()) {
                return result;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_provider_is_asked_once_however_many_wait() {
        let asked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&asked);
        let provided = provided(move || {
            thread::sleep(Duration::from_millis(20));
            Ok(token(counter.fetch_add(1, Ordering::Relaxed)))
        });
        let barrier = Barrier::new(32);
        let rounds = |expired| {
            thread::scope(|scope| {
                for _ in 0..32 {
                    scope.spawn(|| {
                        barrier.wait();
                        assert_eq!(wait(&provided, expired).unwrap().1, expired + 1);
                    });
                }
            });
        };
        rounds(0);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        rounds(1);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(provided.lock().waiters.len(), 0);
        assert_eq!(wait(&provided, 1).unwrap().0.expose(), token(1).expose());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_failure_is_told_to_those_who_waited_and_the_next_one_asks_again() {
        let asked = AtomicU64::new(0);
        let provided = provided(move || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err("no network".into()),
            1 => panic!("a bug of the application"),
            _ => Ok(token(1)),
        });
        for _ in 0..2 {
            let error = wait(&provided, 0).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::CapabilityDenied);
            assert!(error.source().is_some());
        }
        assert_eq!(wait(&provided, 0).unwrap().1, 3);
    }

    #[test]
    fn whoever_is_asked_answers_at_once_or_later_and_must_answer() {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let source = CapabilitySource::asking(move |request| match request.round {
            1 => request.answer(Ok(token(1))),
            2 => kept.lock().unwrap().push(request),
            _ => drop(request),
        });
        let provided = Arc::clone(source.token().unwrap_err());
        let waker = futures_util::task::noop_waker_ref();
        let poll = |wanted: &mut Wanted| wanted.poll(waker);
        // In the same poll.
        let Poll::Ready(first) = poll(&mut Wanted::new(&provided, 0)) else {
            panic!("it waits");
        };
        assert_eq!(first.unwrap().0.expose(), token(1).expose());
        // Later, by somebody else, and once for all who wait.
        let (mut one, mut other) = (Wanted::new(&provided, 1), Wanted::new(&provided, 1));
        assert!(poll(&mut one).is_pending() && poll(&mut other).is_pending());
        assert_eq!(requests.lock().unwrap().len(), 1);
        requests.lock().unwrap().pop().unwrap().answer(Ok(token(2)));
        for wanted in [&mut one, &mut other] {
            let Poll::Ready(fresh) = poll(wanted) else {
                panic!("it waits");
            };
            assert_eq!(fresh.unwrap().0.expose(), token(2).expose());
        }
        // Not at all.
        let Poll::Ready(Err(error)) = poll(&mut Wanted::new(&provided, 2)) else {
            panic!("it does not fail");
        };
        assert_eq!(error.kind(), ErrorKind::CapabilityDenied);
        assert!(error.source().unwrap().to_string().contains("nobody"));
    }

    #[test]
    fn a_file_is_read_again_when_its_token_has_expired() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = CapabilitySource::file(file.path());
        let provided = Arc::clone(source.token().unwrap_err());
        assert_eq!(wait(&provided, 0).err().unwrap().kind(), ErrorKind::Config);
        for number in [1, 2] {
            std::fs::write(file.path(), token(number).expose_base64url().as_str()).unwrap();
            let (fresh, _) = wait(&provided, number).unwrap();
            assert_eq!(fresh.expose(), token(number).expose());
        }
    }
}
