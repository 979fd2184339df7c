//! `RonAppSdk`, in a queue of completions, so that a call can be cancelled by its id.

use super::*;
use ron_app_sdk::completion::CompletionQueue;
use ron_app_sdk::{Calls, IndexKey, Reported, RonAppSdk};
use std::sync::Arc;

calls!([async] [.await] Calls<'_, Reported>, |body: &Vec<u8>| body.clone());

/// Answers until the runner is gone.
pub(crate) fn serve() -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| error.to_string())?;
    let queue = CompletionQueue::with_callback(|| ());
    let mut made: Option<(RonAppSdk, Option<Capability>)> = None;
    super::serve("rust-async", "cancel", |request| {
        if request.verb == "client" {
            let (config, capability) = client(request)?;
            made = Some((runtime.block_on(RonAppSdk::new(config))?, capability));
            return Ok(Line::new("ok"));
        }
        let (sdk, capability) = made.clone().ok_or_else(|| "no client".to_owned())?;
        if request.verb == "metrics" {
            return Ok(Line::new("ok").with("text", sdk.metrics().prometheus()));
        }
        if request.verb == "close" {
            // On the runtime of the SDK's own, as its calls are.
            queue.submit(async move {
                let left = sdk.close(Duration::from_secs(1)).await;
                Ok(Ok(Line::new("ok").with("left", left)))
            })?;
        } else {
            let (request, cancel) = (
                Arc::new(request.clone()),
                millis(request, "cancel_after_ms")?,
            );
            let id = queue.submit(async move {
                let made = async {
                    let calls = settings!(sdk, capability, &request);
                    perform(calls, &request).await
                };
                match made.await {
                    Err(Failure::Sdk(error)) => Err(error),
                    Err(Failure::Request(why)) => Ok(Err(why)),
                    Ok(line) => Ok(Ok(line)),
                }
            })?;
            if let Some(after) = cancel {
                if !queue.wait(Some(after))? {
                    queue.cancel(id)?;
                }
            }
        }
        queue.wait(None)?;
        let ended = queue
            .take(1)?
            .pop_front()
            .ok_or_else(|| "no completion".to_owned())?;
        Ok(ended.result??)
    })
}
