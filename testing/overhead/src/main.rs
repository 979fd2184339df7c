//! What the SDK adds to a call, against peers on the same work in the same run.
//!
//! Without a command, it measures the matrix of works, payloads, callers and clients. How to read the figures is in
//! `testing/performance/README.md`.
#![allow(clippy::print_stderr)] // it is a program for people

mod closed_loop;
mod contenders;
mod endpoint;
#[cfg(feature = "peers")]
mod grpc;
mod matrix;
mod object;
mod pipe;
mod process;
mod report;
mod server;
mod statistics;

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
    /// Be a contender's process
    #[command(hide = true)]
    Client(pipe::ClientOptions),
    /// Be the server's process
    #[command(hide = true)]
    Serve(pipe::ServerOptions),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ron-overhead: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        None => return matrix::run(&arguments.matrix),
        Some(Command::Client(options)) => pipe::contend(options)?,
        Some(Command::Serve(options)) => pipe::serve(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
