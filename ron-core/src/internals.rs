//! For this project's own benches and counts, under the feature `internals`: no part of the SDK's interface, and
//! without any promise.

use crate::config::BackoffConfig;
use crate::error::{ErrorKind, SdkError};
use crate::retry::{Backoff, CallPolicy, Cause, Next, Random, RetryBudget};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where the parts of bodies lie that have been sealed: the address and length of each.
static SEALED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// Begins to note where the bodies lie that are sealed, to show that no copy of them was made on the way.
pub fn watch_sealing() {
    sealed().clear();
    IS_WATCHED.store(true, Ordering::SeqCst);
}

/// Address and length of each part of a body that was sealed since [`watch_sealing`], which ends with this.
pub fn take_sealed() -> Vec<(usize, usize)> {
    IS_WATCHED.store(false, Ordering::SeqCst);
    mem::take(&mut sealed())
}

/// A part of a body is about to be sealed.
pub(crate) fn note_sealed(body: &[u8]) {
    if IS_WATCHED.load(Ordering::Relaxed) && !body.is_empty() {
        sealed().push((body.as_ptr() as usize, body.len()));
    }
}

fn sealed() -> MutexGuard<'static, Vec<(usize, usize)>> {
    SEALED.lock().unwrap_or_else(PoisonError::into_inner)
}

const LIMIT: Duration = Duration::from_secs(5);

/// What decides on the retries of a client's calls.
pub struct Retries {
    backoff: Backoff,
    budget: RetryBudget,
    random: Random,
}

impl Retries {
    /// With the default settings, and delays that repeat themselves.
    pub fn new() -> Self {
        Self {
            backoff: Backoff::new(&BackoffConfig::default()),
            budget: RetryBudget::new(),
            random: Random::seeded(1),
        }
    }

    /// A read that succeeds at its first attempt. Returns how many attempts that were.
    pub fn succeed(&self, now: Instant) -> u32 {
        let mut policy = CallPolicy::new(true, true, now, LIMIT);
        policy.begin_attempt();
        policy.succeeded(&self.budget);
        policy.attempts()
    }

    /// A read that fails once, waits and succeeds. Returns how long it waits.
    pub fn fail_once(&self, now: Instant) -> Duration {
        let mut policy = CallPolicy::new(true, true, now, LIMIT);
        let error = SdkError::new(ErrorKind::Transport, "the connection was lost");
        policy.begin_attempt();
        let limits = (&self.backoff, &self.budget, &self.random);
        let next = policy.failed(now, &error, Cause::Ordinary, false, limits);
        policy.begin_attempt();
        policy.succeeded(&self.budget);
        match next {
            Next::Retry(after) => after,
            Next::Refresh | Next::Stop(_) => Duration::MAX,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_answers_as_a_gateway_does() {
        use crate::{blocking, AddrB3, Capability, Macaroon, Mail, RonAppSdk, SdkConfig, Topic};
        let config = SdkConfig {
            transport: crate::Transport::Echo,
            ..SdkConfig::default()
        };
        let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
        let token = Macaroon::mint(&[7; 32], "", b"id").encode();
        let capability = Capability::from_bytes(token).unwrap();
        let calls = sdk.with(&capability);
        let body = vec![7; 200_000];
        watch_sealing();
        let address = calls.storage_put(&body).unwrap();
        let sealed = take_sealed();
        assert_eq!(address, AddrB3::of(&body));
        // Other tests seal other bodies at the same time.
        let all = body.as_ptr() as usize..body.as_ptr_range().end as usize;
        let mut next = all.start;
        for (at, len) in sealed.into_iter().filter(|(at, _)| all.contains(at)) {
            assert_eq!(at, next);
            next += len;
        }
        assert_eq!(next, all.end);
        assert_eq!(calls.storage_get(address).unwrap(), body);
        assert_eq!(calls.storage_head(address).unwrap().size, 200_000);
        let missing = calls.storage_get(AddrB3::of(b"")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        futures_executor::block_on(async {
            let sdk = RonAppSdk::new(config).await.unwrap();
            let calls = sdk.with(&capability);
            let mail = Mail::new(Topic::new("a").unwrap(), "b");
            assert_eq!(calls.mailbox_send(mail).await.unwrap().id, "echo");
            let address = calls.storage_put("hello").await.unwrap();
            assert_eq!(calls.storage_get(address).await.unwrap(), "hello");
        });
    }

    #[test]
    fn a_call_that_fails_once_is_tried_again_and_pays_its_retry_back() {
        let (retries, now) = (Retries::new(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(retries.succeed(now), 1);
            assert!(retries.fail_once(now) <= BackoffConfig::default().base);
        }
    }
}
