//! How a call went, for those who ask.

use crate::oap::Executed;
use std::time::Duration;

/// How a successful call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallReport {
    /// How many attempts it took, from 1; 0 where the cache had the result.
    pub attempts: u32,
    /// Whether the gateway returned the recorded result of an earlier attempt.
    pub replayed: bool,
    /// Whether it changed something at the gateway.
    pub executed: Executed,
    /// From the call to its result.
    pub elapsed: Duration,
}

/// Whether calls return their [`CallReport`] too. Implemented by [`Plain`] and [`Reported`].
pub trait Report: sealed::Sealed {
    /// What a call returns.
    type Output<T>;

    #[doc(hidden)]
    fn output<T>(value: T, report: CallReport) -> Self::Output<T>;
}

/// Calls return their result alone.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// Calls return their result and their [`CallReport`].
#[derive(Clone, Copy, Debug)]
pub struct Reported;

impl Report for Plain {
    type Output<T> = T;

    fn output<T>(value: T, _report: CallReport) -> T {
        value
    }
}

impl Report for Reported {
    type Output<T> = (T, CallReport);

    fn output<T>(value: T, report: CallReport) -> (T, CallReport) {
        (value, report)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Plain {}
    impl Sealed for super::Reported {}
}
