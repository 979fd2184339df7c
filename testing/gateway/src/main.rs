//! `ron-gateway`: a gateway to develop an application against, and a gateway with a certificate of its own.

mod arguments;
mod dev;
mod injection;
mod serve;
mod signals;
mod token;

use arguments::{Arguments, Command};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A usage error ends here, with code 2.
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

/// Runs a subcommand to its end; the error is one line for the user.
fn run(command: Command) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))?;
    let result = runtime.block_on(async {
        match command {
            Command::Dev(dev) => dev::run(dev).await,
            Command::Serve(serve) => serve::run(serve).await,
            Command::Token(token) => token::run(token).map(|()| 0),
        }
    });
    // A file that is still being read for a call that nobody waits for must not keep the process.
    runtime.shutdown_background();
    result
}

/// Tells the user something, on the standard error stream.
fn say(message: &str) {
    // Where nobody can read it, there is nobody to tell that either.
    let _ = writeln!(std::io::stderr(), "ron-gateway: {message}");
}
