//! A call that waits in a task.

use super::{
    call_end, CallReport, CallSettings, ClientStats, Conclusion, Core, PlaneCall, Running,
};
use crate::cache::ObjectCache;
use crate::error::SdkError;
use crate::transport::asynchronous::AsyncTransport;
use std::future::poll_fn;
use std::time::Duration;
use tokio::runtime::Id;
use tokio::time::{sleep, timeout, timeout_at};

impl Core<AsyncTransport> {
    /// Makes a call, with as many attempts as it takes and may have.
    pub(crate) async fn run<C: PlaneCall + Sync>(
        &self,
        settings: CallSettings,
        call: C,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let mut running = self.begin(settings, call)?;
        let home = self.transport.home()?;
        let span = running.span(self.transport.gateway());
        let attempts = span.follow(self.attempts(&mut running, home.id()));
        let result = home.run(self.origin, attempts).await;
        span.end(call_end(&result));
        result
    }

    async fn attempts<C: PlaneCall + Sync>(
        &self,
        running: &mut Running<'_, C>,
        home: Id,
    ) -> Result<(C::Output, CallReport), SdkError> {
        loop {
            wait_for_token(running).await?;
            if let Some(kept) = running.kept() {
                return Ok(kept);
            }
            running.begin_attempt();
            let result = {
                let write_meta = |left, out: &mut Vec<u8>| running.write_meta(left, out);
                let exchange = running.exchange(&write_meta);
                self.transport.exchange(home, &exchange).await
            };
            match running.conclude(result) {
                Conclusion::Done(result) => return result,
                Conclusion::Again { after, leave, span } => {
                    if let Some(connection) = leave {
                        self.transport.leave(connection);
                    }
                    if !after.is_zero() {
                        span.follow(sleep(after)).await;
                    }
                }
            }
        }
    }
}

impl Core<AsyncTransport> {
    /// Takes no more calls, waits for those that are open, and ends those that are after `limit`. Returns how many
    /// that were.
    pub(crate) async fn close(&self, limit: Duration) -> usize {
        if self.is_inherited() {
            return 0;
        }
        self.calls.close();
        let mut all_ended = self.calls.all_ended();
        let all_ended = poll_fn(|context| all_ended.poll(context.waker()));
        if self.open_calls() > 0 {
            // There is a runtime: the open calls have one.
            if let Ok(home) = self.transport.home() {
                let ended = async {
                    let _too_late = timeout(limit, all_ended).await;
                    Ok(())
                };
                let _forked = home.run(self.origin, ended).await;
            }
        }
        let left = self.open_calls();
        self.transport.close();
        self.cache.iter().for_each(ObjectCache::clear);
        left
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
    let answer = poll_fn(|context| wanted.poll(context.waker()));
    let answer = timeout_at(running.policy.deadline().into(), answer)
        .await
        .ok();
    running.take_token(answer)
}
