//! A call that waits in a task.

use super::connect::{Attempt, Connecting};
use super::open_calls::Waiter;
use super::{CallReport, Conclusion, Core, PlaneCall, Running};
use crate::config::{check_duration, CALL_LIMIT};
use crate::error::{ErrorKind, SdkError};
use crate::ready::Readiness;
use crate::stats::ClientStats;
use crate::transport::asynchronous::AsyncTransport;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Id;
use tokio::time::{sleep, timeout, timeout_at};

impl Core<AsyncTransport> {
    /// Goes on with a call that has begun, with as many attempts as it takes and may have.
    pub(crate) async fn finish<C: PlaneCall + Sync>(
        &self,
        running: &mut Running<'_, C>,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let home = match self.transport.home() {
            Ok(home) => home,
            Err(error) => {
                let result = Err(error);
                running.end(&result);
                return result;
            }
        };
        let span = running.span(self.transport.gateway());
        running.join_trace(&span, &self.tracing);
        let result = {
            // Pinned before it is wrapped: to move what is large costs more than all the wrapping.
            let attempts = pin!(self.attempts(running, home.id()));
            let attempts = pin!(span.follow(attempts));
            home.run(self.origin, attempts).await
        };
        let result = result.map_err(|error| match error.kind() {
            ErrorKind::ForkDetected => running.left_behind(error),
            _ => error,
        });
        span.end(running.end(&result));
        result
    }

    async fn attempts<C: PlaneCall + Sync>(
        &self,
        running: &mut Running<'_, C>,
        home: Id,
    ) -> Result<(C::Output, CallReport), SdkError> {
        loop {
            if running.wanted().is_some() {
                // Not what calls usually do: the memory for it is theirs who do.
                Box::pin(wait_for_token(running)).await?;
            }
            if let Some(kept) = running.kept() {
                return Ok(kept);
            }
            running.begin_attempt();
            let result = {
                let exchange = running.exchange();
                self.transport.exchange(home, &exchange).await
            };
            match running.conclude(result) {
                Conclusion::Done(result) => return result,
                Conclusion::Again { after, leave, span } => {
                    if let Some(connection) = leave {
                        self.transport.leave(connection);
                    }
                    if !after.is_zero() {
                        let paused = Box::pin(span.follow(pause(running.waiter(), after))).await;
                        paused.map_err(|error| running.final_error(error, None))?;
                    }
                }
            }
        }
    }
}

impl Core<AsyncTransport> {
    /// What is known of the client.
    pub(crate) fn ready(&self) -> Readiness {
        self.ready_with(|| self.transport.condition())
    }

    /// What is known of the client once a connection has shown that it is alive, or none could.
    pub(crate) async fn probe(&self, limit: Option<Duration>) -> Result<Readiness, SdkError> {
        check_duration(
            "timeout",
            limit.unwrap_or(self.config.overall_timeout),
            CALL_LIMIT,
        )?;
        let connected = self.connect(limit, true).await;
        Ok(self.readiness(Some(connected.map(drop))))
    }

    /// Opens a connection or finds one that is open, with as many attempts as it takes and may have. Where it `probes`,
    /// one that is open has to show that it is alive.
    pub(crate) async fn connect(
        &self,
        limit: Option<Duration>,
        probes: bool,
    ) -> Result<CallReport, SdkError> {
        let mut connecting = self.begin_connecting(limit, probes)?;
        let home = self.transport.home()?;
        let span = connecting.span(self.transport.gateway());
        let result = {
            let attempts = span.follow(self.connecting(&mut connecting, home.id()));
            home.run(self.origin, pin!(attempts)).await
        };
        span.end(connecting.end(&result));
        result
    }

    async fn connecting(
        &self,
        connecting: &mut Connecting<'_>,
        home: Id,
    ) -> Result<CallReport, SdkError> {
        loop {
            connecting.begin_attempt();
            let result = self.transport.exchange(home, &connecting.exchange()).await;
            match connecting.conclude(result) {
                Attempt::Done(result) => return result,
                Attempt::Again(after, span) => {
                    let paused = span.follow(pause(connecting.waiter(), after)).await;
                    paused.map_err(|error| connecting.final_error(error))?;
                }
            }
        }
    }

    /// Takes no more calls, waits for those that are open, and ends those that are after `limit`. Returns how many
    /// that were.
    pub(crate) async fn close(&self, limit: Duration) -> usize {
        if self.is_inherited() {
            return 0;
        }
        self.calls.close();
        let mut waiter = self.calls.waiter();
        let all_ended = poll_fn(|context| waiter.poll_all_ended(context.waker()));
        let mut have_ended = self.open_calls() == 0;
        if !have_ended {
            // There is a runtime: the open calls have one.
            if let Ok(home) = self.transport.home() {
                let ended = async { Ok(timeout(limit, all_ended).await.is_ok()) };
                have_ended = home.run(self.origin, pin!(ended)).await.unwrap_or_default();
            }
        }
        self.end(have_ended, || self.transport.close())
    }

    /// What there is at the moment.
    pub(crate) fn stats(&self) -> ClientStats {
        self.stats_with(|| self.transport.stats())
    }
}

async fn wait_for_token<C: PlaneCall>(running: &mut Running<'_, C>) -> Result<(), SdkError> {
    let Some(mut wanted) = running.wanted() else {
        return Ok(());
    };
    let answer = {
        let mut waiter = running.waiter();
        let answer = poll_fn(|context| match waiter.poll_cut_off(context.waker()) {
            Poll::Ready(()) => Poll::Ready(Err(SdkError::closed())),
            Poll::Pending => wanted.poll(context.waker()),
        });
        let deadline = running.policy.deadline();
        timeout_at(deadline.into(), answer).await.ok()
    };
    running.take_token(answer)
}

/// Waits for the next attempt, unless the client is closed meanwhile.
async fn pause(mut waiter: Waiter<'_>, after: Duration) -> Result<(), SdkError> {
    let mut sleep = pin!(sleep(after));
    poll_fn(|context| match waiter.poll_cut_off(context.waker()) {
        Poll::Ready(()) => Poll::Ready(Err(SdkError::closed())),
        Poll::Pending => sleep.as_mut().poll(context).map(Ok),
    })
    .await
}
