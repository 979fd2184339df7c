//! Callers that make one call after the other, through the blocking or the asynchronous client.

use crate::spin::Spin;
use crate::work::{Client, Operation, Work};
use bytes::Bytes;
use futures_util::future::try_join_all;
use ron_app_sdk::{blocking, AddrB3, Capability, RonAppSdk, SdkConfig};
use std::error::Error;
use std::time::{Duration, Instant};

/// Of one call.
const LIMIT: Duration = Duration::from_secs(10);

/// The time of each call, and of all of them together.
pub(crate) struct Sample {
    pub(crate) times: Vec<Duration>,
    pub(crate) elapsed: Duration,
}

pub(crate) fn run(
    work: &Work,
    config: SdkConfig,
    capability: &Capability,
) -> Result<Sample, Box<dyn Error>> {
    match work.client {
        Client::Blocking => run_blocking(work, config, capability),
        Client::Async => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(run_async(work, config, capability)),
    }
}

fn run_blocking(
    work: &Work,
    config: SdkConfig,
    capability: &Capability,
) -> Result<Sample, Box<dyn Error>> {
    let sdk = blocking::RonAppSdk::new(config)?;
    let body = body(work.payload);
    let address = sdk.storage_put(capability, &body, LIMIT, None)?;
    let call = || -> Result<(), Box<dyn Error>> {
        match work.operation {
            Operation::Get => check(&sdk.storage_get(capability, address, LIMIT)?, work),
            Operation::Put => {
                check_address(sdk.storage_put(capability, &body, LIMIT, None)?, address)
            }
        }
    };
    let timed = |calls: usize, spin: Option<Spin>| -> Result<Vec<Duration>, Box<dyn Error>> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let start = Instant::now();
            call()?;
            if let Some(spin) = spin {
                spin.burn();
            }
            times.push(start.elapsed());
        }
        Ok(times)
    };
    let spin = Spin::of(&mut timed(warm_up(work), None)?, 1)?;
    let start = Instant::now();
    let times = timed(work.calls, Some(spin))?;
    let elapsed = start.elapsed();
    Ok(Sample { times, elapsed })
}

async fn run_async(
    work: &Work,
    config: SdkConfig,
    capability: &Capability,
) -> Result<Sample, Box<dyn Error>> {
    let sdk = RonAppSdk::new(config).await?;
    let body = Bytes::from(body(work.payload));
    let address = sdk
        .storage_put(capability, body.clone(), LIMIT, None)
        .await?;
    let (sdk, body) = (&sdk, &body);
    let call = || async move {
        match work.operation {
            Operation::Get => check(&sdk.storage_get(capability, address, LIMIT).await?, work),
            Operation::Put => check_address(
                sdk.storage_put(capability, body.clone(), LIMIT, None)
                    .await?,
                address,
            ),
        }
    };
    let caller = |calls: usize, spin: Option<Spin>| async move {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let start = Instant::now();
            call().await?;
            if let Some(spin) = spin {
                spin.burn();
            }
            times.push(start.elapsed());
        }
        Ok::<_, Box<dyn Error>>(times)
    };
    let all = |calls: usize, spin: Option<Spin>| async move {
        let callers = (0..work.callers).map(|_| caller(calls, spin));
        Ok::<_, Box<dyn Error>>(try_join_all(callers).await?.concat())
    };
    let spin = Spin::of(&mut all(warm_up(work), None).await?, work.callers)?;
    let start = Instant::now();
    let times = all(work.calls, Some(spin)).await?;
    let elapsed = start.elapsed();
    Ok(Sample { times, elapsed })
}

fn warm_up(work: &Work) -> usize {
    work.calls.div_ceil(10)
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// The SDK verifies the hash; this is that it returned something.
fn check(body: &[u8], work: &Work) -> Result<(), Box<dyn Error>> {
    if body.len() == work.payload {
        Ok(())
    } else {
        Err(format!("received {} bytes of {}", body.len(), work.payload).into())
    }
}

fn check_address(stored: AddrB3, address: AddrB3) -> Result<(), Box<dyn Error>> {
    if stored == address {
        Ok(())
    } else {
        Err("the object was stored at another address".into())
    }
}
