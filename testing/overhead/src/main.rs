//! What the SDK adds to a call, against peers on the same work in the same run.
//!
//! Without a command, it measures the matrix of works, payloads, callers and clients. How to read the figures is in
//! `testing/performance/README.md`.
#![allow(clippy::print_stderr)] // it is a program for people

mod closed_loop;
mod cold_start;
mod contenders;
mod endpoint;
mod fairness;
#[cfg(feature = "peers")]
mod grpc;
mod matrix;
mod memory;
mod object;
mod pipe;
mod plot;
mod process;
mod report;
mod server;
mod statistics;
#[cfg(feature = "peers")]
mod windows;

use clap::{Parser, Subcommand};
use ron_bare::Result;
use std::process::ExitCode;

/// What the SDK adds to a call, against peers on the same work in the same run
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    matrix: matrix::MatrixOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Count how often each of many equal callers is served
    Fairness(fairness::FairnessOptions),
    /// Time processes from their start to their first reply, and how long making a client takes
    ColdStart(cold_start::ColdStartOptions),
    /// Measure what an idle client and waiting callers take, and whether that stays the same
    Memory(memory::MemoryOptions),
    /// Be a contender's process
    #[command(hide = true)]
    Client(pipe::ClientOptions),
    /// Be the server's process
    #[command(hide = true)]
    Serve(pipe::ServerOptions),
    /// Be a process whose memory is measured
    #[command(hide = true)]
    MemoryStep(memory::StepOptions),
}

fn main() -> ExitCode {
    // Reading the arguments any other way would be a part of what is timed.
    let arguments: Vec<String> = std::env::args().collect();
    let result = match &arguments[..] {
        [_, command, rest @ ..] if command == cold_start::COMMAND => cold_start::start(rest),
        _ => run(&Arguments::parse()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("ron-overhead: {error}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        None => return matrix::run(&arguments.matrix),
        Some(Command::Fairness(options)) => return fairness::run(options),
        Some(Command::ColdStart(options)) => return cold_start::run(options),
        Some(Command::Memory(options)) => return memory::run(options),
        Some(Command::Client(options)) => pipe::contend(options)?,
        Some(Command::Serve(options)) => pipe::serve(options)?,
        Some(Command::MemoryStep(options)) => memory::measure_here(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
