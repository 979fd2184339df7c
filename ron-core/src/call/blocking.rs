//! A call that blocks its thread.

use super::connect::{Attempt, Connecting};
use super::open_calls::Waiter;
use super::{CallReport, Conclusion, Core, PlaneCall, Running};
use crate::config::{check_duration, CALL_LIMIT};
use crate::error::SdkError;
use crate::interrupt::Interrupt;
use crate::ready::Readiness;
use crate::stats::ClientStats;
use crate::transport::blocking::{thread_waker, BlockingTransport};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

impl Core<BlockingTransport> {
    /// Goes on with a call that has begun, with as many attempts as it takes and may have.
    pub(crate) fn finish<C: PlaneCall + Sync>(
        &self,
        running: &mut Running<'_, C>,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let span = running.span(self.transport.gateway());
        running.join_trace(&span, &self.tracing);
        let result = span.run(|| self.attempts(running));
        span.end(running.end(&result));
        result
    }

    fn attempts<C: PlaneCall + Sync>(
        &self,
        running: &mut Running<'_, C>,
    ) -> Result<(C::Output, CallReport), SdkError> {
        loop {
            wait_for_token(running)?;
            if let Some(kept) = running.kept() {
                return Ok(kept);
            }
            running.begin_attempt();
            let result = {
                let exchange = running.exchange();
                self.transport.exchange(&exchange)
            };
            match running.conclude(result) {
                Conclusion::Done(result) => return result,
                Conclusion::Again { after, leave, span } => {
                    if let Some(connection) = leave {
                        self.transport.leave(connection);
                    }
                    if !after.is_zero() {
                        let paused = span.run(|| pause(running.waiter(), after));
                        paused.map_err(|error| running.final_error(error, None))?;
                    }
                }
            }
        }
    }
}

impl Core<BlockingTransport> {
    /// What is known of the client.
    pub(crate) fn ready(&self) -> Readiness {
        self.ready_with(|| self.transport.condition())
    }

    /// What is known of the client once a connection has shown that it is alive, or none could.
    pub(crate) fn probe(&self, limit: Option<Duration>) -> Result<Readiness, SdkError> {
        check_duration(
            "timeout",
            limit.unwrap_or(self.config.overall_timeout),
            CALL_LIMIT,
        )?;
        let connected = self.connect(limit, true);
        Ok(self.readiness(Some(connected.map(drop))))
    }

    /// Opens a connection or finds one that is open, with as many attempts as it takes and may have. Where it `probes`,
    /// one that is open has to show that it is alive.
    pub(crate) fn connect(
        &self,
        limit: Option<Duration>,
        probes: bool,
    ) -> Result<CallReport, SdkError> {
        let mut connecting = self.begin_connecting(limit, probes)?;
        let span = connecting.span(self.transport.gateway());
        let result = span.run(|| self.connecting(&mut connecting));
        span.end(connecting.end(&result));
        result
    }

    fn connecting(&self, connecting: &mut Connecting<'_>) -> Result<CallReport, SdkError> {
        loop {
            connecting.begin_attempt();
            let result = self.transport.exchange(&connecting.exchange());
            match connecting.conclude(result) {
                Attempt::Done(result) => return result,
                Attempt::Again(after, span) => {
                    let paused = span.run(|| pause(connecting.waiter(), after));
                    paused.map_err(|error| connecting.final_error(error))?;
                }
            }
        }
    }

    /// Takes no more calls, waits for those that are open, and ends those that are after `limit`. Returns how many
    /// that were.
    pub(crate) fn close(&self, limit: Duration) -> usize {
        if self.is_inherited() {
            return 0;
        }
        self.calls.close();
        let mut waiter = self.calls.waiter();
        let have_ended = park_until(limit, |waker| waiter.poll_all_ended(waker)).is_some();
        self.end(have_ended, || self.transport.close())
    }

    /// What there is at the moment.
    pub(crate) fn stats(&self) -> ClientStats {
        self.stats_with(|| self.transport.stats())
    }
}

fn wait_for_token<C: PlaneCall>(running: &mut Running<'_, C>) -> Result<(), SdkError> {
    let Some(mut wanted) = running.wanted() else {
        return Ok(());
    };
    let answer = {
        let mut waiter = running.waiter();
        let deadline = running.policy.deadline();
        let left = deadline.saturating_duration_since(Instant::now());
        park_until(left, |waker| {
            if let Err(interrupted) = Interrupt::here().check() {
                return Poll::Ready(Err(interrupted));
            }
            match waiter.poll_cut_off(waker) {
                Poll::Ready(()) => Poll::Ready(Err(SdkError::closed())),
                Poll::Pending => wanted.poll(waker),
            }
        })
    };
    running.take_token(answer)
}

/// Waits for the next attempt, unless the client is closed or the thread interrupted meanwhile.
fn pause(mut waiter: Waiter<'_>, after: Duration) -> Result<(), SdkError> {
    let ended = park_until(after, |waker| match Interrupt::here().check() {
        Err(interrupted) => Poll::Ready(interrupted),
        Ok(()) => waiter.poll_cut_off(waker).map(|()| SdkError::closed()),
    });
    ended.map_or(Ok(()), Err)
}

/// Parks the thread until `poll` is ready; `None` where `limit` was over first.
fn park_until<T>(limit: Duration, mut poll: impl FnMut(&Waker) -> Poll<T>) -> Option<T> {
    let (waker, start) = (thread_waker(), Instant::now());
    loop {
        if let Poll::Ready(value) = poll(&waker) {
            return Some(value);
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(Interrupt::here().slice(left));
    }
}
