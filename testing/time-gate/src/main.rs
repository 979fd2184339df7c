//! Times one kind of call of the SDK, in a process of its own: what `make perf` runs in turns with the same
//! program built with another revision of the core.
//!
//! `ron-time-gate --list` names the kinds; `ron-time-gate NAME`, under `ron-gateway dev`, prints an array of
//! one entry like the overhead harness's, with the peak memory of this process. It uses only calls that the
//! SDK has had from the beginning, so that it builds with any revision.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

mod callers;
mod spin;
mod work;

use callers::Sample;
use ron_app_sdk::{Capability, SdkConfig};
use std::error::Error;
use std::process::ExitCode;
use work::{Work, WORKS};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option] if option == "--list" => {
            for work in &WORKS {
                println!("{}", work.name);
            }
            ExitCode::SUCCESS
        }
        [name] => match measure(name) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("ron-time-gate: {name}: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: ron-time-gate --list | NAME");
            ExitCode::from(2)
        }
    }
}

fn measure(name: &str) -> Result<(), Box<dyn Error>> {
    let work = WORKS
        .iter()
        .find(|work| work.name == name)
        .ok_or("no such work: see --list")?;
    let config = SdkConfig::from_env()?;
    let capability = Capability::from_env()?;
    let sample = callers::run(work, config, &capability)?;
    println!("{}", entry(work, sample));
    Ok(())
}

fn entry(work: &Work, mut sample: Sample) -> serde_json::Value {
    sample.times.sort_unstable();
    let percentile = |percent: usize| {
        let rank = (sample.times.len() * percent).div_ceil(100).max(1);
        sample.times[rank - 1].as_secs_f64() * 1e6
    };
    serde_json::json!([{
        "work": work.operation.name(),
        "client": work.client.name(),
        "clients": work.callers,
        "payload": work.payload,
        "p50_us": percentile(50),
        "p95_us": percentile(95),
        "p99_us": percentile(99),
        "ops_s": sample.times.len() as f64 / sample.elapsed.as_secs_f64(),
        "rss_peak_kib": peak_memory_kib(),
    }])
}

/// Where the system tells it: Linux, `VmHWM` in proc_pid_status(5).
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
