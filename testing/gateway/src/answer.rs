//! `Answer`: a result that is often there already.
//!
//! A store in memory knows its answer when it is asked. Handing it out as it is, and not as a future
//! that has to be allocated and polled, keeps such a call on the stack of the connection that serves it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A result now, or the future of one. A pending answer may be dropped at any time.
pub enum Answer<T> {
    /// It is here.
    Ready(T),
    /// It needs I/O.
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Send + 'static> Answer<T> {
    /// The answer of a future.
    pub fn pending(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Pending(Box::pin(future))
    }

    /// The answer with its result changed by `change`.
    pub fn map<U: Send + 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Answer<U> {
        match self {
            Self::Ready(result) => Answer::Ready(change(result)),
            Self::Pending(future) => Answer::pending(async move { change(future.await) }),
        }
    }

    /// Waits for the result.
    pub async fn wait(self) -> T {
        match self {
            Self::Ready(result) => result,
            Self::Pending(future) => future.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_forms_are_changed_and_waited_for_alike() {
        let ready = Answer::Ready(20).map(|number| number + 1);
        assert!(matches!(ready, Answer::Ready(21)));
        let pending = Answer::pending(async { 20 }).map(|number| number + 1);
        assert!(matches!(pending, Answer::Pending(_)));
        assert_eq!(ready.wait().await + pending.wait().await, 42);
    }
}
