//! `gwsmoke`: smoke checks, load and soak of a RON gateway.
#![allow(clippy::print_stderr)] // it is a program for people

use clap::Parser;
use gwsmoke::options::{Arguments, Command, LoadOptions, SmokeOptions, SoakOptions};
use gwsmoke::report::{print, show};
use gwsmoke::settings::{Settings, Unusable};
use gwsmoke::smoke::Verdict;
use gwsmoke::stop::stop_at_signals;
use gwsmoke::{load, smoke, soak};
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;

/// Something that was checked is not as it should be.
const FAILED: u8 = 1;
/// Nothing was done: an option or a setting cannot be used.
const UNUSABLE: u8 = 2;
/// For threads that still look up a name.
const LEAVING: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("gwsmoke: no runtime: {error}");
            return ExitCode::from(UNUSABLE);
        }
    };
    let result = runtime.block_on(async {
        match &arguments.command {
            None => run_smoke(&arguments.smoke).await,
            Some(Command::Load(options)) => run_load(options).await,
            Some(Command::Soak(options)) => run_soak(options).await,
        }
    });
    runtime.shutdown_timeout(LEAVING);
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("gwsmoke: {error}");
            ExitCode::from(UNUSABLE)
        }
    }
}

async fn run_smoke(options: &SmokeOptions) -> Result<bool, Unusable> {
    let settings = Settings::new(&options.gateway)?;
    let is_json = options.gateway.json;
    let mut printed = Ok(());
    let mut observe = |verdict: &Verdict| {
        if !is_json && printed.is_ok() {
            printed = print(&format!("{verdict}\n"));
        }
    };
    let report = smoke::run(&settings, options.face, &mut observe).await?;
    printed?;
    show(&report, is_json)?;
    Ok(report.failed == 0)
}

async fn run_load(options: &LoadOptions) -> Result<bool, Unusable> {
    let settings = Settings::new(&options.gateway)?;
    let stop = stop_at_signals()?;
    let report = load::run(options, &settings, stop).await?;
    show(&report, options.gateway.json)?;
    Ok(report.failed_percent() <= options.max_failed)
}

async fn run_soak(options: &SoakOptions) -> Result<bool, Unusable> {
    let settings = Settings::new(&options.gateway)?;
    let stop = stop_at_signals()?;
    let report = soak::run(options, &settings, stop).await?;
    show(&report, options.gateway.json)?;
    Ok(report.is_clean())
}
