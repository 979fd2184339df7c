//! What a client takes: idle, with very many callers waiting, and after very many calls.
#![allow(clippy::print_stdout)] // it is for people

use crate::endpoint::{capability, Endpoint};
use crate::object::Object;
use crate::pipe::{answer, Process, Server, ServerOptions};
use crate::process::Memory;
use bytes::Bytes;
use ron_app_sdk::{blocking, RonAppSdk};
use ron_bare::Result;
use serde::{Deserialize, Serialize};
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const LIMIT: Duration = Duration::from_secs(60);
/// A body as the idle client's last calls had it.
const PAYLOAD: usize = 64 * 1024;
/// Calls after which nothing is new any more.
const WARM_UP: u32 = 10_000;

#[derive(clap::Args)]
pub(crate) struct MemoryOptions {
    /// Callers that wait at once
    #[arg(long, default_value_t = 10_000)]
    waiting: usize,
    /// Calls over which memory should stay as it is
    #[arg(long, default_value_t = 1_000_000)]
    calls: u32,
}

/// What a process is to do.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    IdleBlocking,
    IdleAsync,
    Waiting,
    ManyCalls,
}

#[derive(clap::Args)]
pub(crate) struct StepOptions {
    step: Step,
    #[arg(long)]
    endpoint: String,
    #[arg(long)]
    count: usize,
}

/// Memory before and after something.
#[derive(Serialize, Deserialize)]
struct Change {
    before: Memory,
    after: Memory,
}

impl Change {
    fn kib(&self) -> i64 {
        self.after.anonymous_kib as i64 - self.before.anonymous_kib as i64
    }
}

/// Measures each step in a process of its own, and prints what it took.
pub(crate) fn run(options: &MemoryOptions) -> Result<ExitCode> {
    println!("memory of the process's own (heap and stacks, resident), in KiB");
    let idle = "idle client, 10 gets and puts of 64 KiB behind it";
    for (step, name) in [(Step::IdleBlocking, "blocking"), (Step::IdleAsync, "async")] {
        let mut server = serve(PAYLOAD, false)?;
        let change = step_in_process(step, &mut server, 10)?;
        println!("{idle}, {name}: {}", change.kib());
    }
    let mut server = serve(64, true)?;
    let change = step_in_process(Step::Waiting, &mut server, options.waiting)?;
    println!(
        "{} callers waiting, async: {}",
        options.waiting,
        change.kib()
    );
    let mut server = serve(64, false)?;
    let change = step_in_process(Step::ManyCalls, &mut server, options.calls as usize)?;
    println!(
        "{} calls after the first {WARM_UP}, async: {}",
        options.calls,
        change.kib()
    );
    Ok(ExitCode::SUCCESS)
}

fn serve(payload: usize, hold: bool) -> Result<Server> {
    Server::start(&ServerOptions {
        payload,
        core: None,
        hold,
    })
}

fn step_in_process(step: Step, server: &mut Server, count: usize) -> Result<Change> {
    let name = clap::ValueEnum::to_possible_value(&step);
    let name = name.map_or_else(String::new, |name| name.get_name().to_owned());
    let mut process = Process::start(&[
        "memory-step".to_owned(),
        name,
        format!("--endpoint={}", serde_json::to_string(&server.endpoint)?),
        format!("--count={count}"),
    ])?;
    let change = serde_json::from_str(&process.receive()?)?;
    if step == Step::Waiting {
        server.release()?;
        // It says so when all callers have been answered.
        process.receive()?;
    }
    Ok(change)
}

/// Does a step in this process, and reports what it took.
pub(crate) fn measure_here(options: &StepOptions) -> Result<()> {
    let endpoint: Endpoint = serde_json::from_str(&options.endpoint)?;
    let object = Object::of_len(endpoint.payload);
    match options.step {
        Step::IdleBlocking => idle_blocking(&endpoint, &object, options.count),
        step => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match step {
                    Step::Waiting => waiting(&endpoint, &object, options.count).await,
                    Step::ManyCalls => many_calls(&endpoint, &object, options.count).await,
                    _ => idle(&endpoint, &object, options.count).await,
                }
            })
        }
    }
}

fn idle_blocking(endpoint: &Endpoint, object: &Object, calls: usize) -> Result<()> {
    let (config, capability) = (endpoint.sdk_config()?, capability()?);
    let before = Memory::now()?;
    let sdk = blocking::RonAppSdk::new(config)?;
    for _ in 0..calls {
        sdk.storage_get(&capability, object.address, LIMIT)?;
        sdk.storage_put(&capability, &object.body, LIMIT, None)?;
    }
    report(before)?;
    drop(sdk);
    Ok(())
}

async fn idle(endpoint: &Endpoint, object: &Object, calls: usize) -> Result<()> {
    let (config, capability) = (endpoint.sdk_config()?, capability()?);
    let body = Bytes::from(object.body.clone());
    let before = Memory::now()?;
    let sdk = RonAppSdk::new(config).await?;
    for _ in 0..calls {
        sdk.storage_get(&capability, object.address, LIMIT).await?;
        let body = body.clone();
        sdk.storage_put(&capability, body, LIMIT, None).await?;
    }
    report(before)?;
    drop(sdk);
    Ok(())
}

/// The server holds gets back, and answers puts.
async fn waiting(endpoint: &Endpoint, object: &Object, count: usize) -> Result<()> {
    let (address, capability) = (object.address, capability()?);
    let sdk = RonAppSdk::new(endpoint.sdk_config()?).await?;
    let body = Bytes::from(object.body.clone());
    sdk.storage_put(&capability, body, LIMIT, None).await?;
    let before = Memory::now()?;
    let mut callers = Vec::with_capacity(count);
    for _ in 0..count {
        let (sdk, capability) = (sdk.clone(), capability.clone());
        callers.push(tokio::spawn(async move {
            sdk.storage_get(&capability, address, LIMIT).await
        }));
    }
    let patience = Instant::now() + LIMIT / 2;
    while sdk.open_calls() < count {
        if Instant::now() > patience {
            return Err(format!("{} of {count} calls are open", sdk.open_calls()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    report(before)?;
    for caller in callers {
        caller.await??;
    }
    answer(&mut io::stdout(), &())
}

async fn many_calls(endpoint: &Endpoint, object: &Object, calls: usize) -> Result<()> {
    let (address, capability) = (object.address, capability()?);
    let sdk = RonAppSdk::new(endpoint.sdk_config()?).await?;
    for _ in 0..WARM_UP {
        sdk.storage_get(&capability, address, LIMIT).await?;
    }
    let before = Memory::now()?;
    for _ in 0..calls {
        sdk.storage_get(&capability, address, LIMIT).await?;
    }
    report(before)
}

fn report(before: Memory) -> Result<()> {
    let after = Memory::now()?;
    answer(&mut io::stdout(), &Change { before, after })
}
