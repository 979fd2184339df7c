//! Whether equal callers of one client are served alike.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is for people

use crate::contenders::{Name, Work};
use crate::object::Payload;
use crate::pipe::{Client, Server, ServerOptions};
use crate::statistics::percentile;
use ron_bare::Result;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct FairnessOptions {
    /// How long the callers of each client make calls
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Callers that share a client with one connection
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// What is called
    #[arg(long, default_value = "get")]
    work: Work,
    /// Bytes of the object, or `limit` for as many as one call carries
    #[arg(long, value_delimiter = ',', default_value = "64,65536")]
    payload: Vec<Payload>,
    /// Which clients
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "tasks-mt,sdk-blocking,sdk-async,sdk-async-mt"
    )]
    clients: Vec<Name>,
    /// Fail where one of the SDK's callers is served so many times as often as another one
    #[arg(long, value_name = "RATIO")]
    at_most: Option<f64>,
}

/// Lets the callers of each client call for a while, and compares how often each was served.
pub(crate) fn run(options: &FairnessOptions) -> Result<ExitCode> {
    let mut is_fair = true;
    for &Payload(payload) in &options.payload {
        println!(
            "{} of {payload} bytes, {} callers of one client, {} s each",
            options.work.name(),
            options.callers,
            options.seconds
        );
        println!(
            "{:<16} {:>9} {:>9} {:>12} {:>10} {:>10} {:>10}",
            "client", "most", "least", "most/least", "calls/s", "p50 µs", "p99 µs"
        );
        let server = Server::start(&ServerOptions {
            payload,
            core: None,
            hold: false,
        })?;
        for &name in &options.clients {
            let mut client = Client::start(name, &server, options.work, options.callers, None)?;
            // So that nothing is new any more.
            client.run(Duration::from_millis(200))?;
            let mut slice = client.run(Duration::from_secs(options.seconds))?;
            let most = slice.served.iter().max().copied().unwrap_or_default();
            let least = slice.served.iter().min().copied().unwrap_or_default();
            let ratio = f64::from(most) / f64::from(least);
            slice.samples.sort_unstable();
            println!(
                "{:<16} {most:>9} {least:>9} {ratio:>12.2} {:>10.0} {:>10.1} {:>10.1}",
                name.text(),
                slice.samples.len() as f64 / slice.wall.as_secs_f64(),
                percentile(&slice.samples, 50.0) / 1e3,
                percentile(&slice.samples, 99.0) / 1e3
            );
            is_fair &= !name.is_sdk() || options.at_most.map_or(true, |limit| ratio <= limit);
        }
        println!();
    }
    if is_fair {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("ron-overhead: callers were not served alike");
    Ok(ExitCode::FAILURE)
}
