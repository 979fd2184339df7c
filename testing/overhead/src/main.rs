//! What the SDK adds to a call: its blocking client against bare rustls clients, interleaved in one run.
//!
//! Run under `ron-gateway dev`, which sets the environment. Each round times every client on the same work;
//! the medians over all rounds are compared, so that a busy machine disturbs all of them alike.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

use clap::Parser;
use ron_app_sdk::blocking::RonAppSdk;
use ron_app_sdk::{Capability, SdkConfig};
use ron_bare::{client_config, Buffered, Client, Error, Floor, Request};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Options {
    /// Rounds in which every client has its turn
    #[arg(long, default_value_t = 60)]
    rounds: usize,
    /// Calls of a client per round
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// Bytes of the object that is fetched
    #[arg(long, default_value_t = 65_536)]
    size: usize,
    /// Fail where the SDK's median exceeds this many times the faster bare client's
    #[arg(long, value_name = "RATIO")]
    at_most: Option<f64>,
}

/// A client and the durations of its calls.
struct Contender<'a> {
    name: &'static str,
    fetch: Box<dyn FnMut() -> Result<(), Error> + 'a>,
    times: Vec<Duration>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ron-overhead: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Error> {
    let config = SdkConfig::from_env()?;
    let capability = Capability::from_env()?;
    let sdk = RonAppSdk::new(config.clone())?;
    let limit = Duration::from_secs(5);
    let object: Vec<u8> = (0..options.size).map(|i| (i % 251) as u8).collect();
    let address = sdk.storage_put(&capability, &object, limit, None)?;

    let gateway = config.gateway_addr.trim_start_matches("https://").parse()?;
    let ca = config.tls.ca.as_ref().ok_or("RON_SDK_TLS_CA is not set")?;
    let tls = client_config(ca)?;
    let mut floor = Client::<Floor>::connect(gateway, &tls)?;
    let mut buffered = Client::<Buffered>::connect(gateway, &tls)?;
    let (mut get, mut buffered_get) = (
        Request::get(capability.expose(), address),
        Request::get(capability.expose(), address),
    );
    let mut contenders = [
        Contender {
            name: "rustls, unbuffered",
            fetch: Box::new(|| floor.call(&mut get)),
            times: Vec::new(),
        },
        Contender {
            name: "rustls, buffered",
            fetch: Box::new(|| buffered.call(&mut buffered_get)),
            times: Vec::new(),
        },
        Contender {
            name: "ron-app-sdk, blocking",
            fetch: Box::new(|| {
                sdk.storage_get(&capability, address, limit)?;
                Ok(())
            }),
            times: Vec::new(),
        },
    ];
    for round in 0..=options.rounds {
        for contender in &mut contenders {
            for _ in 0..options.calls {
                let start = Instant::now();
                (contender.fetch)()?;
                // The first round warms everything up.
                if round > 0 {
                    contender.times.push(start.elapsed());
                }
            }
        }
    }
    Ok(report(options, &mut contenders))
}

fn report(options: &Options, contenders: &mut [Contender<'_>]) -> ExitCode {
    println!(
        "get of {} bytes, verified, one caller, {} rounds of {} calls each, interleaved\n",
        options.size, options.rounds, options.calls
    );
    println!(
        "{:<24} {:>10} {:>10} {:>10}",
        "client", "p50 µs", "p95 µs", "ratio p50"
    );
    let mut medians = Vec::new();
    for contender in contenders.iter_mut() {
        contender.times.sort_unstable();
        medians.push(percentile(&contender.times, 50));
    }
    let floor = medians[0].min(medians[1]);
    for (contender, p50) in contenders.iter().zip(&medians) {
        let p95 = percentile(&contender.times, 95);
        println!(
            "{:<24} {p50:>10.1} {p95:>10.1} {:>10.3}",
            contender.name,
            p50 / floor
        );
    }
    let ratio = medians[2] / floor;
    match options.at_most {
        Some(limit) if ratio > limit => {
            eprintln!("\nron-overhead: {ratio:.3} times the faster bare client is above {limit}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// In microseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1e6
}
