//! A call that waits in a task.

use super::{CallReport, CallSettings, Conclusion, Core, PlaneCall, Running};
use crate::error::SdkError;
use crate::transport::asynchronous::AsyncTransport;
use std::future::poll_fn;
use tokio::time::{sleep, timeout_at};

impl Core<AsyncTransport> {
    /// Makes a call, with as many attempts as it takes and may have.
    pub(crate) async fn run<C: PlaneCall + Sync>(
        &self,
        settings: CallSettings,
        call: C,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let mut running = self.begin(settings, call)?;
        let home = AsyncTransport::home()?;
        loop {
            wait_for_token(&mut running).await?;
            running.begin_attempt();
            let result = {
                let write_meta = |left, out: &mut Vec<u8>| running.write_meta(left, out);
                let exchange = running.exchange(&write_meta);
                self.transport.exchange(home, &exchange).await
            };
            match running.conclude(result) {
                Conclusion::Done(result) => return result,
                Conclusion::Again { after, leave } => {
                    if let Some(connection) = leave {
                        self.transport.leave(connection);
                    }
                    if !after.is_zero() {
                        sleep(after).await;
                    }
                }
            }
        }
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
