//! `blocking::RonAppSdk`.

use super::*;
use ron_app_sdk::blocking::{Calls, RonAppSdk};
use ron_app_sdk::{IndexKey, Reported};

calls!([] [] Calls<'_, Reported>, |body| body);

/// Answers until the runner is gone.
pub(crate) fn serve() -> Result<ExitCode, String> {
    let mut made: Option<(RonAppSdk, Option<Capability>)> = None;
    super::serve("rust-blocking", "", |request| {
        if request.verb == "client" {
            let (config, capability) = client(request)?;
            made = Some((RonAppSdk::new(config)?, capability));
            return Ok(Line::new("ok"));
        }
        let (sdk, capability) = made.as_ref().ok_or_else(|| "no client".to_owned())?;
        if request.verb == "close" {
            let left = sdk.close(Duration::from_secs(1));
            return Ok(Line::new("ok").with("left", left));
        }
        if request.verb == "metrics" {
            return Ok(Line::new("ok").with("text", sdk.metrics().prometheus()));
        }
        let calls = settings!(sdk, capability, request);
        perform(calls, request)
    })
}
