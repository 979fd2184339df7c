//! A call that blocks its thread.

use super::{
    call_end, CallReport, CallSettings, ClientStats, Conclusion, Core, PlaneCall, Running,
};
use crate::cache::ObjectCache;
use crate::error::SdkError;
use crate::transport::blocking::{thread_waker, BlockingTransport};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

impl Core<BlockingTransport> {
    /// Makes a call, with as many attempts as it takes and may have.
    pub(crate) fn run<C: PlaneCall + Sync>(
        &self,
        settings: CallSettings,
        call: C,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let mut running = self.begin(settings, call)?;
        let span = running.span(self.transport.gateway());
        let result = span.run(|| self.attempts(&mut running));
        span.end(call_end(&result));
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
                let write_meta = |left, out: &mut Vec<u8>| running.write_meta(left, out);
                let exchange = running.exchange(&write_meta);
                self.transport.exchange(&exchange)
            };
            match running.conclude(result) {
                Conclusion::Done(result) => return result,
                Conclusion::Again { after, leave, span } => {
                    if let Some(connection) = leave {
                        self.transport.leave(connection);
                    }
                    if !after.is_zero() {
                        span.run(|| thread::sleep(after));
                    }
                }
            }
        }
    }
}

impl Core<BlockingTransport> {
    /// Takes no more calls, waits for those that are open, and ends those that are after `limit`. Returns how many
    /// that were.
    pub(crate) fn close(&self, limit: Duration) -> usize {
        if self.is_inherited() {
            return 0;
        }
        self.calls.close();
        let mut all_ended = self.calls.all_ended();
        let (waker, start) = (thread_waker(), Instant::now());
        while all_ended.poll(&waker).is_pending() {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
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

fn wait_for_token<C: PlaneCall>(running: &mut Running<'_, C>) -> Result<(), SdkError> {
    let Some(mut wanted) = running.wanted() else {
        return Ok(());
    };
    let waker = thread_waker();
    let answer = loop {
        if let Poll::Ready(answer) = wanted.poll(&waker) {
            break Some(answer);
        }
        let left = running
            .policy
            .deadline()
            .saturating_duration_since(Instant::now());
        if left.is_zero() {
            break None;
        }
        thread::park_timeout(left);
    };
    running.take_token(answer)
}
