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
        Self(Source::Provided(Arc::new(Provided {
            provider: Box::new(provider),
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
    provider: Box<dyn CapabilityProvider>,
    /// Where the threads are that may be asking it.
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
        if !state.is_asking {
            state.round += 1;
            if let Err(error) = ask(&self.provided, state.round) {
                let message = format!("no thread for the capability provider: {error}");
                return Poll::Ready(Err(SdkError::new(ErrorKind::Internal, message)));
            }
            state.is_asking = true;
        }
        self.awaited = Some(state.round);
        Poll::Pending
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

    fn answer(&self, round: u64) {
        let asked = Instant::now();
        let fresh = catch_unwind(AssertUnwindSafe(|| self.provider.fresh()));
        let fresh = fresh.unwrap_or_else(|_| Err("it panicked".into()));
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

fn ask(provided: &Arc<Provided>, round: u64) -> std::io::Result<()> {
    let provided = Arc::clone(provided);
    let thread = thread::Builder::new().name("ron-capability".to_owned());
    thread.spawn(move || provided.answer(round)).map(drop)
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
