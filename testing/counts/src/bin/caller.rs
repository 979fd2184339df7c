//! Gets an object of 64 KiB again and again, for `scripts/system_calls.sh` to watch: `counts-caller CLIENT CALLS`, with
//! the gateway that the environment names.

use ron_app_sdk::{blocking, Capability, RonAppSdk, SdkConfig};
use std::error::Error;
use std::time::Duration;
use tokio::runtime::Builder;

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let client = arguments.next().ok_or("which client: blocking or async?")?;
    let calls: usize = arguments.next().ok_or("how many calls?")?.parse()?;
    let (config, capability) = (SdkConfig::from_env()?, Capability::from_env()?);
    let body = ron_counts::bytes(64 * 1024);
    match client.as_str() {
        "blocking" => {
            let sdk = blocking::RonAppSdk::new(config)?;
            let address = sdk.storage_put(&capability, &body, LIMIT, None)?;
            for _ in 0..calls {
                sdk.storage_get(&capability, address, LIMIT)?;
            }
            Ok(())
        }
        "async" => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let sdk = RonAppSdk::new(config).await?;
                let put = sdk.storage_put(&capability, body.into(), LIMIT, None);
                let address = put.await?;
                for _ in 0..calls {
                    sdk.storage_get(&capability, address, LIMIT).await?;
                }
                Ok(())
            })
        }
        other => Err(format!("{other} is neither blocking nor async").into()),
    }
}
